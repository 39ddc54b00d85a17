//! `/contacts`: who is called in a disaster.
//!
//! What must stay true: what a whole channel reads has no number and no address in it but masked ones.

use futures::FutureExt;
use serde_json::json;
use serenity::all::CommandInteraction;

use super::{Own, OwnOption};
use crate::{
    access::Numbers,
    chat::{Desk, handler::caller, replies},
    progress::words,
    refusals,
    runbook::definition::ValueType,
};

const SHARE: &str = "share";

const NAME: &str = "contacts";

pub(super) const OWN: Own = Own {
    name: NAME,
    description: "Who is called in a disaster, and how",
    options: &[OwnOption {
        name: SHARE,
        help: "Show it to the whole channel, with numbers masked",
        kind: ValueType::Boolean,
        required: false,
        choices: None,
    }],
    subcommands: &[],
    give: |desk, command| show(desk, command).boxed(),
};

async fn show(desk: &Desk, command: CommandInteraction) {
    let share = replies::options(&command.data.options()).get(SHARE).is_some_and(|share| share == "true");
    let who = caller(&command.user, command.member.as_deref(), command.channel_id, command.channel.as_ref());
    let slip = replies::slip(&command, &who);
    match desk.engine.contacts(&who).await {
        Ok(seen) => {
            let whole = seen.numbers == Numbers::Whole && !share;
            let table = words::contacts(&seen.contacts, &seen.gaps, whole);
            slip.show(desk, &json!({"title": "Contacts", "description": table}), !share).await;
        }
        Err(error) => slip.say(desk, &refusals::request_error(&desk.engine, NAME, &error)).await,
    }
}
