//! Whether recovery makes its deadline: what the remaining steps need, by what they needed before.
//!
//! What must stay true: a figure is there only where something stands behind it (measured times, or an estimate that a
//! command's file states), and says which; a time that nobody knows is never taken for none.

use std::{borrow::Borrow, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::{Timestamp, elapsed},
    run::{
        history::History,
        state::{ApprovalState, State as Run, Status},
    },
    runbook::definition::{Command, Step},
};

/// What is left to be done, in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Half of the runs needed at most this.
    pub p50: Duration,
    /// Nine of ten needed at most this.
    pub p90: Duration,
    /// How many runs stand behind it.
    pub runs: usize,
    /// Steps of which only an estimate of the file's is known.
    pub estimated: usize,
    /// Steps of which nothing is known: it is at least so long.
    pub unknown: usize,
    /// It waits for people besides, and nobody knows for how long.
    pub waits: bool,
}

impl Forecast {
    /// Whether a figure can be said at all.
    pub fn is_known(&self) -> bool {
        self.unknown == 0
    }
}

/// What remains of a run until its recovery is verified; none when it is, or the run has ended.
pub fn of(run: &Run, history: &History, now: Timestamp) -> Option<Forecast> {
    if run.recovered_at.is_some() || run.finished.is_some() || run.ending.is_some() {
        return None;
    }
    let mut forecast = Forecast { runs: history.runs, ..Forecast::default() };
    for step in run.steps.iter().take(verified_by(run) + 1) {
        let spent = match &step.status {
            Status::Pending | Status::Again => Duration::ZERO,
            Status::Running | Status::Interrupted => {
                step.started_at.map_or(Duration::ZERO, |since| elapsed(since, now))
            }
            // Waits for people, or is behind us.
            _ => continue,
        };
        if step.definition.when.is_some() && !history.steps.contains_key(&step.definition.id) && history.runs > 0 {
            // It was not needed in any run so far.
            continue;
        }
        let (p50, p90) = match (history.steps.get(&step.definition.id), step.definition.takes) {
            (Some(took), _) => (took.p50, took.p90),
            (None, Some(takes)) => {
                forecast.estimated += 1;
                (takes.0, takes.0)
            }
            (None, None) => {
                forecast.unknown += 1;
                continue;
            }
        };
        forecast.p50 += p50.saturating_sub(spent);
        // One that takes longer than nine of ten did goes on for who knows how long; at least it is not over.
        forecast.p90 += p90.saturating_sub(spent);
    }
    forecast.waits =
        matches!(run.approval, ApprovalState::Pending { .. } | ApprovalState::Lapsed { .. }) || run.question.is_some();
    Some(forecast)
}

/// What a command would need from its start until its recovery is verified, people's decisions aside.
pub fn of_command(command: &Command, history: &History) -> Option<Forecast> {
    command.recovered.as_ref()?;
    let mut forecast = Forecast { runs: history.runs, waits: command.approval.is_some(), ..Forecast::default() };
    let last = verified(command, &command.steps);
    for step in command.steps.iter().take(last + 1) {
        if step.when.is_some() && !history.steps.contains_key(&step.id) && history.runs > 0 {
            continue;
        }
        match (history.steps.get(&step.id), step.takes) {
            (Some(took), _) => {
                forecast.p50 += took.p50;
                forecast.p90 += took.p90;
            }
            (None, Some(takes)) => {
                forecast.estimated += 1;
                forecast.p50 += takes.0;
                forecast.p90 += takes.0;
            }
            (None, None) => forecast.unknown += 1,
        }
    }
    Some(forecast)
}

/// The last step that the verification of the recovery asks for; the last of all where it names none.
fn verified_by(run: &Run) -> usize {
    let steps: Vec<_> = run.steps.iter().map(|step| step.definition.clone()).collect();
    verified(&run.created.command, &steps)
}

fn verified<S: Borrow<Step>>(command: &Command, steps: &[S]) -> usize {
    let last = steps.len().saturating_sub(1);
    let Some(recovered) = &command.recovered else { return last };
    let named = steps.iter().rposition(|step| recovered.when.contains(&format!("steps.{}.", step.borrow().id)));
    named.unwrap_or(last)
}
