//! `/lockdown`: the brake. Pulled by those who may, without asking anybody; let go on drbot's host alone.

use futures::FutureExt;
use serenity::all::CommandInteraction;

use super::{Own, OwnOption};
use crate::{
    chat::{Desk, components::once, handler::caller, replies},
    progress::words,
    refusals::lockdown_error,
    runbook::definition::ValueType,
};

const REASON: &str = "reason";

const NAME: &str = "lockdown";

pub(super) const OWN: Own = Own {
    name: NAME,
    description: "Let nothing begin but reads and /halt, until somebody unlocks on drbot's host",
    options: &[OwnOption {
        name: REASON,
        help: "Why; everybody in the channel reads it",
        kind: ValueType::String,
        required: true,
        choices: None,
    }],
    subcommands: &[],
    give: |desk, command| lock_down(desk, command).boxed(),
};

async fn lock_down(desk: &Desk, command: CommandInteraction) {
    let engine = &desk.engine;
    let who = caller(&command.user, command.member.as_deref(), command.channel_id, command.channel.as_ref());
    let options = replies::options(&command.data.options());
    let slip = replies::slip(&command, &who);
    let reason = options.get(REASON).map(String::as_str).unwrap_or_default();
    let interaction = command.id.to_string();
    let work = once(engine, &interaction, async {
        match engine.lock_down(&who, reason).await {
            Ok(_) => words::locks_down(),
            Err(error) => lockdown_error(engine, &error),
        }
    });
    let text = slip.acknowledge_beside(desk, work).await;
    // Delivered twice: the first one is answered.
    if !text.is_empty() && !slip.fill_in(desk, &text).await {
        slip.say_in_channel(desk, &text).await;
    }
}
