//! `/undo`: takes a run back after its end, by a run of its own, with the approval that the first one had.

use futures::FutureExt;
use serenity::all::CommandInteraction;

use super::{Own, OwnOption};
use crate::{
    access::Caller,
    chat::{Desk, handler::caller, replies},
    engine::{Engine, Submitted},
    progress::words,
    refusals::undo_error,
    runbook::definition::ValueType,
};

const RUN: &str = "run";

pub(super) const OWN: Own = Own {
    name: "undo",
    description: "Take back what a run has done, while nothing was built on it",
    options: &[OwnOption {
        name: RUN,
        help: "Which run; may be left out when only one can be taken back",
        kind: ValueType::String,
        required: false,
        choices: Some(|engine, who| choices(engine, who).boxed()),
    }],
    subcommands: &[],
    give: |desk, command| undo(desk, command).boxed(),
};

async fn choices(engine: &Engine, who: &Caller) -> Vec<(String, String)> {
    let runs = engine.may_be_undone(who).await.unwrap_or_default();
    let now = engine.clock().now();
    runs.iter().map(|state| (words::run_choice(state, now), state.id.short())).collect()
}

async fn undo(desk: &Desk, command: CommandInteraction) {
    let engine = &desk.engine;
    let who = caller(&command.user, command.member.as_deref(), command.channel_id, command.channel.as_ref());
    let options = replies::options(&command.data.options());
    let slip = replies::slip(&command, &who);
    let run = options.get(RUN).map(String::as_str);
    let work = Box::pin(engine.undo_run(run, &who, command.id.to_string()));
    let (text, is_refusal) = match slip.acknowledge_beside(desk, work).await {
        Ok((Submitted::Started(_), state)) => (words::undoing(&state.created.command.name, &state.id.short()), false),
        // Delivered twice: the first one is answered.
        Ok((Submitted::AlreadyStarted(_), _)) => return,
        Err(error) => {
            tracing::info!(by = who.person.name, %error, "an undo is refused");
            (undo_error(engine, &error), true)
        }
    };
    if !slip.fill_in(desk, &text).await && is_refusal {
        slip.say_in_channel(desk, &text).await;
    }
}
