//! When steps were at work, attempt by attempt, out of a run's journal.

use super::Run;
use crate::{
    clock::Timestamp,
    run::event::{Choice, Event, SkipReason},
    runbook::action::Action,
};

/// One attempt at a step, or at taking one back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub step: String,
    pub attempt: u32,
    pub is_undo: bool,
    pub from: Timestamp,
    /// `None` while it goes on.
    pub until: Option<Timestamp>,
    pub end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    None,
    Good,
    Bad,
    /// Nobody can tell.
    Unknown,
    /// A person passed it over.
    Skipped,
}

/// In the order in which they began; what only waits for an answer is no work.
pub fn of(run: &Run) -> Vec<Work> {
    let mut all: Vec<Work> = Vec::new();
    for entry in &run.journal {
        let at = entry.at;
        match &entry.event {
            Event::StepStarted { step, attempt, .. } if !asks(run, step) => begin(&mut all, step, *attempt, false, at),
            Event::UndoStarted { step, attempt } => begin(&mut all, step, *attempt, true, at),
            Event::StepSucceeded { step, .. } => end(&mut all, step, false, at, End::Good),
            Event::StepFailed { step, .. } | Event::StepNotDone { step, .. } => {
                end(&mut all, step, false, at, End::Bad);
            }
            Event::StepUnknown { step, .. } => end(&mut all, step, false, at, End::Unknown),
            Event::UndoSucceeded { step, .. } => end(&mut all, step, true, at, End::Good),
            Event::UndoFailed { step, .. } => end(&mut all, step, true, at, End::Bad),
            Event::StepSkipped { step, reason: SkipReason::Person { .. } }
            | Event::QuestionAnswered { step, choice: Choice::Skip, .. } => {
                begin(&mut all, step, 1, false, at);
                end(&mut all, step, false, at, End::Skipped);
            }
            _ => {}
        }
    }
    all
}

/// Whether a step only asks people something.
pub fn asks(run: &Run, step: &str) -> bool {
    run.state.step(step).is_some_and(|step| matches!(step.definition.action, Action::Ask(_)))
}

fn begin(all: &mut Vec<Work>, step: &str, attempt: u32, is_undo: bool, from: Timestamp) {
    all.push(Work { step: step.to_owned(), attempt, is_undo, from, until: None, end: End::None });
}

fn end(all: &mut [Work], step: &str, is_undo: bool, at: Timestamp, end: End) {
    let open = |work: &&mut Work| work.step == step && work.is_undo == is_undo && work.until.is_none();
    if let Some(work) = all.iter_mut().rev().find(open) {
        (work.until, work.end) = (Some(at), end);
    }
}
