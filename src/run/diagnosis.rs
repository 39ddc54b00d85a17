//! Which scenarios the symptoms fit that a run has found, by the rules that its file states (`[[next.fits]]`).
//!
//! Worked out from the state alone, so every surface says the same of a run for ever. A rule that cannot be told (a
//! probe left nothing to go by) does not fit: a wrong offer at 03:00 is worse than none.

use super::{
    context::{self, Scoped},
    state::State,
};
use crate::runbook::template;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// As `drbot.toml` names the scenario.
    pub scenario: String,
    /// The command that recovers from it.
    pub command: String,
    /// The evidence.
    pub because: String,
}

/// The most telling first; nothing before the run has ended.
pub fn of(state: &State) -> Vec<Diagnosis> {
    let Some(next) = state.created.command.next.as_ref().filter(|_| state.finished.is_some()) else {
        return Vec::new();
    };
    let context = context::of(state, Scoped::Command);
    let fitting = next.fits.iter().filter(|fit| template::holds(&fit.when, &context).unwrap_or(false));
    fitting
        .filter_map(|fit| {
            let because = template::render_text(&fit.because, &context).ok()?.trim().to_owned();
            Some(Diagnosis { scenario: fit.scenario.clone(), command: fit.command.clone(), because })
        })
        .collect()
}
