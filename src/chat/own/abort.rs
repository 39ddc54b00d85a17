//! `/abort`: stops a run, as the button on its card does. For when the card is out of sight.

use futures::FutureExt;
use serenity::all::CommandInteraction;

use super::{Own, OwnOption};
use crate::{
    access::Caller,
    chat::{Desk, components::once, handler::caller, replies},
    engine::Engine,
    progress::words,
    refusals::abort_error,
    runbook::definition::ValueType,
};

const RUN: &str = "run";
const REASON: &str = "reason";

const NAME: &str = "abort";

pub(super) const OWN: Own = Own {
    name: NAME,
    description: "Stop a run; what can be taken back is",
    options: &[
        OwnOption {
            name: RUN,
            help: "Which run; may be left out when only one is under way",
            kind: ValueType::String,
            required: false,
            choices: Some(|engine, who| choices(engine, who).boxed()),
        },
        OwnOption {
            name: REASON,
            help: "Why; it goes into the record",
            kind: ValueType::String,
            required: false,
            choices: None,
        },
    ],
    subcommands: &[],
    give: |desk, command| stop(desk, command).boxed(),
};

async fn choices(engine: &Engine, who: &Caller) -> Vec<(String, String)> {
    let runs = engine.may_be_aborted(who).await.unwrap_or_default();
    let now = engine.clock().now();
    runs.iter().map(|state| (words::run_choice(state, now), state.id.short())).collect()
}

async fn stop(desk: &Desk, command: CommandInteraction) {
    let engine = &desk.engine;
    let who = caller(&command.user, command.member.as_deref(), command.channel_id, command.channel.as_ref());
    let options = replies::options(&command.data.options());
    let slip = replies::slip(&command, &who);
    let (run, reason) = (options.get(RUN).map(String::as_str), options.get(REASON).map(String::as_str));
    let interaction = command.id.to_string();
    let work = once(engine, &interaction, async {
        match engine.abort(run, &who, reason).await {
            Ok(state) => words::aborting(&state),
            Err(error) => abort_error(engine, NAME, &error),
        }
    });
    let text = slip.acknowledge_beside(desk, work).await;
    // Delivered twice: the first one is answered.
    if !text.is_empty() && !slip.fill_in(desk, &text).await {
        slip.say_in_channel(desk, &text).await;
    }
}
