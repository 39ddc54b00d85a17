//! Runs, as lists and completion name them, and what is said of stopping one.

use super::{ago, cut, list, name, person, view};
use crate::{
    clock::Timestamp,
    progress::outside::{clean, inline_code, plain},
    run::state::State,
};

/// How many runs a list shows.
const SHOWN: usize = 10;

/// A run under way in completion: at most 100 characters, most important first.
pub fn run_choice(state: &State, now: Timestamp) -> String {
    let created = &state.created;
    let text = format!(
        "{} · /{} · {} · {} · {}",
        state.id.short(),
        clean(&created.command.name),
        clean(&created.requester.name),
        ago(state.created_at, now),
        clean(&at(state)),
    );
    cut(&text, 100)
}

/// What a run under way is at.
fn at(state: &State) -> String {
    let overall = view::of(state, state.last_at, None).overall;
    match (overall, state.steps.iter().find(|step| !step.is_over())) {
        (view::Overall::Running, Some(step)) => step.definition.name.clone(),
        (overall, _) => super::headline(overall),
    }
}

pub(super) fn listed(runs: &[State], now: Timestamp) -> String {
    let lines = runs.iter().take(SHOWN).map(|state| {
        format!(
            "\n• `{}` /{}, {}, {}: {}",
            state.id.short(),
            name(&state.created.command.name),
            person(&state.created.requester.name),
            ago(state.created_at, now),
            cut(&plain(&at(state)), 120),
        )
    });
    let more = if runs.len() > SHOWN { format!("\n… and {} more", runs.len() - SHOWN) } else { String::new() };
    lines.collect::<String>() + more.as_str()
}

pub fn aborting(state: &State) -> String {
    let command = name(&state.created.command.name);
    format!("/{command} (run {}) is being stopped; what can be taken back is. Its card shows it.", state.id.short())
}

pub fn nothing_under_way() -> String {
    "Nothing is under way, so nothing was stopped.".to_owned()
}

pub fn no_run_of_yours(roles: &[String]) -> String {
    format!(
        "Nothing was stopped: what is under way needs one of these roles: {}. Ask somebody who has it.",
        list(roles)
    )
}

pub fn which_run(runs: &[State], now: Timestamp) -> String {
    format!("Nothing was stopped yet: several runs are under way. Say which, as /abort run:{}", listed(runs, now))
}

pub fn no_such_run(run: &str, under_way: &[State], now: Timestamp) -> String {
    let run = inline_code(run, 60);
    let there = match under_way {
        [] => "None that you may stop is under way.".to_owned(),
        runs => format!("These are under way:{}", listed(runs, now)),
    };
    format!("There is no run {run}. Nothing was stopped. {there}")
}

pub fn ended_already(state: &State, now: Timestamp) -> String {
    let how = state.finished.as_ref().map_or_else(
        || "is not driven by this drbot".to_owned(),
        |finished| format!("ended {} ({})", ago(finished.at, now), finished.outcome),
    );
    format!("/{} (run {}) {how}; there is nothing to stop.", name(&state.created.command.name), state.id.short())
}
