//! `/contacts`: who is called in a disaster.
//!
//! What must stay true: what a whole channel reads has no number and no address in it but masked ones.

use std::collections::BTreeMap;

use serde_json::json;
use serenity::all::CommandInteraction;

use super::{Desk, handler::caller, replies};
use crate::{
    access::Numbers,
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

pub(super) async fn show(desk: &Desk, command: CommandInteraction) {
    let share = replies::options(&command.data.options()).get(SHARE).is_some_and(|share| share == "true");
    let who = caller(&command.user, command.member.as_deref(), command.channel_id);
    let slip = replies::slip(&command, &who);
    match desk.engine.contacts(&who).await {
        Ok(seen) => {
            let whole = seen.numbers == Numbers::Whole && !share;
            let table = words::contacts(&seen.contacts, &seen.gaps, whole);
            slip.show(desk, &json!({"title": "Contacts", "description": table}), !share).await;
        }
        Err(error) => slip.say(desk, &replies::request_error(&desk.engine, NAME, &error)).await,
    }
}
