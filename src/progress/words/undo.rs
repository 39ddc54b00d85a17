//! What is said when a run is to be taken back after its end.

use super::{ago, name, person, runs::listed};
use crate::{clock::Timestamp, progress::outside::inline_code, run::state::State};

pub fn undoing(command: &str, run: &str) -> String {
    format!("/{} (run {run}) is being taken back. A card of its own shows every step.", name(command))
}

pub fn only_by_undo(command: &str) -> String {
    format!("/{} takes a run back, and has to know which: use /undo, on the host `drbot undo RUN`.", name(command))
}

pub fn overtaken() -> String {
    "Another run has begun on the same target in this moment; nothing was started. Look at it, and try again."
        .to_owned()
}

pub fn nothing_to_undo() -> String {
    "There is nothing that you could take back: only what ended well can be, by a way that a file knows, and only while \
     nothing has been changed on its target since."
        .to_owned()
}

pub fn which_to_undo(runs: &[State], now: Timestamp) -> String {
    format!("Several runs can be taken back; nothing was done. Say which:{}", listed(runs, now))
}

pub fn no_such_run_to_undo(run: &str, can: &[State], now: Timestamp) -> String {
    let there = match can {
        [] => "There is none that you could take back.".to_owned(),
        runs => format!("These can be taken back:{}", listed(runs, now)),
    };
    format!("There is no run {}. Nothing was done. {there}", inline_code(run, 60))
}

pub fn undo_goes_on(state: &State) -> String {
    format!(
        "/{} (run {}) goes on still: stop it, and it takes back what it can.",
        name(&state.created.command.name),
        state.id.short()
    )
}

pub fn not_done(state: &State) -> String {
    format!(
        "/{} (run {}) did not end well, so there is nothing to be taken back: what it had done it took back itself, or its \
         card says what a person has to look at.",
        name(&state.created.command.name),
        state.id.short()
    )
}

pub fn no_way_back(command: &str) -> String {
    format!("No file says how /{} is taken back (`undoes = \"{0}\"`).", name(command))
}

pub fn changed_since(run: &State, later: &State, now: Timestamp) -> String {
    format!(
        "/{} (run {}) cannot be taken back any more: {} gave /{} {} (run {}), which changed something on the same target. \
         Nothing was done.",
        name(&run.created.command.name),
        run.id.short(),
        person(&later.created.requester.name),
        name(&later.created.command.name),
        ago(later.created_at, now),
        later.id.short(),
    )
}
