//! `/contacts`: who is called in a disaster.
//!
//! What must stay true: what a whole channel reads has no number and no address in it but masked ones.

use std::collections::BTreeMap;

use serenity::all::{
    CommandInteraction, Context, CreateAllowedMentions, CreateEmbed, CreateInteractionResponse,
    CreateInteractionResponseMessage,
};

use super::{client::describe, handler::caller, replies};
use crate::{
    access::Numbers,
    engine::Engine,
    progress::words,
    runbook::definition::{OptionSpec, ValueType},
};

pub(super) const NAME: &str = "contacts";
pub(super) const DESCRIPTION: &str = "Who is called in a disaster, and how";
const SHARE: &str = "share";

pub(super) fn options() -> BTreeMap<String, OptionSpec> {
    let share = OptionSpec {
        kind: ValueType::Boolean,
        help: "Show it to the whole channel, with numbers masked".to_owned(),
        required: false,
        choices: Vec::new(),
        choices_from: None,
        default: None,
    };
    BTreeMap::from([(SHARE.to_owned(), share)])
}

pub(super) async fn show(engine: &Engine, context: &Context, command: CommandInteraction) {
    let share = replies::options(&command.data.options()).get(SHARE).is_some_and(|share| share == "true");
    let who = caller(&command.user, command.member.as_deref(), command.channel_id);
    let message = CreateInteractionResponseMessage::new().allowed_mentions(CreateAllowedMentions::new());
    let message = match engine.contacts(&who).await {
        Ok(seen) => {
            let whole = seen.numbers == Numbers::Whole && !share;
            let embed =
                CreateEmbed::new().title("Contacts").description(words::contacts(&seen.contacts, &seen.gaps, whole));
            message.embed(embed).ephemeral(!share)
        }
        Err(error) => message.content(replies::request_error(engine, NAME, &error)).ephemeral(true),
    };
    let answer = command.create_response(&context.http, CreateInteractionResponse::Message(message));
    match engine.clock().timeout(replies::ACKNOWLEDGE, answer).await {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            tracing::warn!(interaction = %command.id, error = describe(&error), "a command could not be answered");
        }
        None => tracing::warn!(interaction = %command.id, "a command could not be answered in time"),
    }
}
