//! What comes next in a run: decided from its state and the time alone.
//!
//! The engine asks this whenever it is not at a step; it never decides by itself. So a `Running` step seen here is one
//! that nobody is at, because drbot was gone, and it must be settled before anything else.

use std::time::Duration;

use super::{
    context::{self, Scoped},
    event::{Choice, FailureKind},
    lockdown,
    outcome::Outcome,
    state::{ApprovalState, Ending, State, Status, StepState, Undo},
};
use crate::{
    clock::Timestamp,
    runbook::{
        action::Action,
        definition::{OnFailure, UndoWhen},
        template,
    },
};

/// Attempts at one undo before the run is stuck.
pub const UNDO_ATTEMPTS: u32 = 3;
const UNDO_DELAY: Duration = Duration::from_secs(2);
/// A step during which drbot was lost this often is not begun again without a person: never a crash loop that acts.
pub const INTERRUPTIONS: u32 = 3;

#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Begin the next attempt of a step.
    Begin {
        step: usize,
    },
    /// Find out what became of a step that was under way when drbot was lost.
    Settle {
        step: usize,
    },
    /// Pass over a step whose `when` does not hold.
    Skip {
        step: usize,
    },
    AskApproval {
        round: u32,
    },
    /// Nobody need be asked: what the file wants proved is.
    WaiveApproval {
        round: u32,
    },
    ExpireApproval {
        round: u32,
    },
    Ask {
        step: usize,
        about: About,
    },
    Undo {
        step: usize,
        attempt: u32,
    },
    /// Journal that recovery is verified.
    Recover,
    Finish {
        outcome: Outcome,
        message: String,
    },
    Wait {
        until: Option<Timestamp>,
        on: WaitingOn,
    },
    /// Nothing: the run has ended.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// It failed and may not be tried again by itself.
    Failure,
    /// Nobody can tell whether it happened.
    UnknownOutcome,
    /// drbot was lost too often while at it.
    Interruptions,
}

impl About {
    /// What is asked. Kept in the journal, so that the answer can be read with its question for ever.
    pub fn question(self, step: &StepState) -> String {
        let name = &step.definition.name;
        match (self, &step.status) {
            (Self::UnknownOutcome, Status::Unknown { reason }) => format!("Did \"{name}\" happen? {reason}"),
            (Self::Interruptions, _) => {
                format!("\"{name}\" was interrupted {} times. Begin it again?", step.interruptions)
            }
            (_, Status::Failed { message, .. }) => format!("\"{name}\" failed: {message}"),
            _ => format!("\"{name}\" needs a decision"),
        }
    }

    /// The buttons that a question about a step offers.
    pub fn choices(self, step: &StepState, past_return: bool) -> Vec<Choice> {
        let mut choices = match self {
            Self::Failure => vec![Choice::Retry, Choice::Skip],
            Self::UnknownOutcome => vec![Choice::Happened, Choice::DidNotHappen],
            Self::Interruptions => vec![Choice::Retry],
        };
        // The point of no return itself may be undone by a person's word, if it knows how.
        if !past_return || step.definition.undo.is_some() {
            choices.push(Choice::Undo);
        }
        choices.push(Choice::Abort);
        choices
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingOn {
    /// The time of the next attempt.
    Retry,
    Approval,
    /// Somebody to press "Ask again".
    AskAgain,
    Answer,
    /// The lockdown to be lifted.
    Lockdown,
}

pub fn next(state: &State, now: Timestamp) -> Next {
    match unhindered(state, now) {
        forbidden if state.held.is_some() && lockdown::forbids(state, &forbidden) => {
            Next::Wait { until: approval_expiry(state), on: WaitingOn::Lockdown }
        }
        next => next,
    }
}

/// What comes next where no lockdown is in the way.
pub fn unhindered(state: &State, now: Timestamp) -> Next {
    if state.finished.is_some() {
        return Next::Ended;
    }
    if let Some(step) = unsettled(state) {
        return Next::Settle { step };
    }
    if let Some(aside) = aside(state, now).filter(|aside| matches!(aside, Next::ExpireApproval { .. })) {
        return aside;
    }
    if let Some(ending) = &state.ending {
        return wind_up(state, ending, now);
    }
    if state.question.is_some() {
        return Next::Wait { until: approval_expiry(state), on: WaitingOn::Answer };
    }
    if let Some(aside) = aside(state, now) {
        return aside;
    }
    if recovery_verified(state) {
        return Next::Recover;
    }
    match state.steps.iter().position(|step| !is_behind(step)) {
        Some(step) => at_step(state, step, now),
        None => finish_line(state),
    }
}

/// What is to be done about the approval, which goes on while a step is under way.
pub fn aside(state: &State, now: Timestamp) -> Option<Next> {
    if state.finished.is_some() || state.ending.is_some() {
        return None;
    }
    match &state.approval {
        ApprovalState::Pending { asked, .. } if now >= asked.expires_at => {
            Some(Next::ExpireApproval { round: asked.round })
        }
        _ => approval_due(state).map(|round| ask(state, round)),
    }
}

/// A step that was begun, whose outcome is not known, and that does not wait for a person.
fn unsettled(state: &State) -> Option<usize> {
    state.steps.iter().position(|step| {
        let asks = matches!(step.definition.action, Action::Ask(_))
            && state.question.as_ref().is_some_and(|question| question.step == step.definition.id);
        matches!(step.status, Status::Running | Status::Interrupted) && !asks
    })
}

/// When the pending approval expires; never in a run that is being ended.
pub fn approval_expiry(state: &State) -> Option<Timestamp> {
    match &state.approval {
        ApprovalState::Pending { asked, .. } if state.ending.is_none() => Some(asked.expires_at),
        _ => None,
    }
}

/// The round in which the approval should be asked for now: as soon as what it depends on is known, else at its gate.
fn approval_due(state: &State) -> Option<u32> {
    let ApprovalState::NotAsked { round } = state.approval else { return None };
    let approval = state.created.command.approval.as_ref()?;
    let after = approval.after.as_deref().and_then(|id| state.step(id));
    after.is_some_and(is_behind).then_some(round)
}

/// Asks for the approval, unless the file's proof that none is needed is there. A proof that cannot be told is none.
fn ask(state: &State, round: u32) -> Next {
    let unless = state.created.command.approval.as_ref().and_then(|approval| approval.unless.as_deref());
    let proved =
        unless.is_some_and(|proof| template::holds(proof, &context::of(state, Scoped::Command)).unwrap_or(false));
    // After a lockdown it is hours since anything was seen.
    if proved && state.last_held.is_none() { Next::WaiveApproval { round } } else { Next::AskApproval { round } }
}

/// Whether the run goes on behind this step.
fn is_behind(step: &StepState) -> bool {
    match &step.status {
        Status::Succeeded | Status::Skipped(_) => true,
        Status::Failed { kind, .. } => {
            !step.may_retry(*kind)
                && step.definition.on_failure() == OnFailure::Continue
                && !matches!(kind, FailureKind::Cancelled | FailureKind::WrongTarget)
        }
        _ => false,
    }
}

fn at_step(state: &State, index: usize, now: Timestamp) -> Next {
    let step = &state.steps[index];
    match &step.status {
        Status::Pending => at_pending(state, index, now),
        Status::Again if step.interruptions > INTERRUPTIONS => Next::Ask { step: index, about: About::Interruptions },
        Status::Again => behind_gate(state, index),
        Status::Unknown { .. } => Next::Ask { step: index, about: About::UnknownOutcome },
        Status::Failed { kind, message } => after_failure(state, index, *kind, message, now),
        // `unsettled` has taken these.
        Status::Running | Status::Interrupted => Next::Settle { step: index },
        Status::Succeeded | Status::Skipped(_) => finish_line(state),
    }
}

fn at_pending(state: &State, index: usize, _now: Timestamp) -> Next {
    let step = &state.steps[index];
    if let Some(condition) = &step.definition.when {
        match template::holds(condition, &context::of(state, Scoped::Step(&step.definition))) {
            Ok(true) => {}
            Ok(false) => return Next::Skip { step: index },
            Err(error) => {
                let message = format!("the condition of step {} cannot be told: {error}", step.definition.id);
                return Next::Finish { outcome: Outcome::Failed, message };
            }
        }
    }
    behind_gate(state, index)
}

/// Begins a step, unless it waits for an approval that is not given.
fn behind_gate(state: &State, index: usize) -> Next {
    if !state.lacks_approval(index) {
        return Next::Begin { step: index };
    }
    match &state.approval {
        ApprovalState::Given { .. } | ApprovalState::Waived { .. } | ApprovalState::NotNeeded => {
            Next::Begin { step: index }
        }
        ApprovalState::NotAsked { round } => ask(state, *round),
        ApprovalState::Pending { asked, .. } => Next::Wait { until: Some(asked.expires_at), on: WaitingOn::Approval },
        ApprovalState::Lapsed { .. } | ApprovalState::Denied { .. } => {
            Next::Wait { until: None, on: WaitingOn::AskAgain }
        }
    }
}

fn after_failure(state: &State, index: usize, kind: FailureKind, message: &str, now: Timestamp) -> Next {
    let step = &state.steps[index];
    if step.may_retry(kind) {
        return match retry_at(step) {
            Some(at) if at > now => Next::Wait { until: Some(at), on: WaitingOn::Retry },
            _ => Next::Begin { step: index },
        };
    }
    if kind == FailureKind::WrongTarget {
        // Whatever the file says of a failure, and without taking back: that would be done there, too.
        return Next::Finish { outcome: Outcome::Refused, message: message.to_owned() };
    }
    let refused = kind == FailureKind::Refused || step.definition.on_failure() == OnFailure::Refuse;
    let outcome = if refused { Outcome::Refused } else { Outcome::Failed };
    let message = format!("{}: {message}", step.definition.name);
    match step.definition.on_failure() {
        OnFailure::Ask => Next::Ask { step: index, about: About::Failure },
        OnFailure::Undo if state.past_return() => Next::Ask { step: index, about: About::Failure },
        OnFailure::Undo => match state.rollback() {
            Some(ending) => wind_up(state, &ending, now),
            None => Next::Finish { outcome, message },
        },
        OnFailure::Stop | OnFailure::Refuse | OnFailure::Continue => Next::Finish { outcome, message },
    }
}

/// When the next attempt is due: each delay is `backoff` times the one before, at most an hour.
fn retry_at(step: &StepState) -> Option<Timestamp> {
    let retry = step.definition.retry.as_ref()?;
    let exponent = i32::try_from(step.attempts.saturating_sub(1)).unwrap_or(i32::MAX);
    let factor = retry.backoff.max(1.0).powi(exponent).min(1e6);
    let delay = retry.delay.0.as_secs_f64() * factor;
    Some(step.ended_at? + Duration::from_secs_f64(delay.min(3600.0)))
}

/// Takes back what was done, last first, then ends. Never goes behind a point of no return, unless a person has said so
/// and it knows how to be taken back.
fn wind_up(state: &State, ending: &Ending, now: Timestamp) -> Next {
    if ending.undo {
        for (index, step) in state.steps.iter().enumerate().rev() {
            if step.is_past_return() && !(ending.past_return && step.definition.undo.is_some()) {
                break;
            }
            if step.definition.undo.is_none() || !to_be_undone(step) {
                continue;
            }
            match &step.undo {
                Undo::Done { .. } => {}
                Undo::None => return Next::Undo { step: index, attempt: 1 },
                Undo::Running { attempt } | Undo::Failed { attempt, .. } if *attempt < UNDO_ATTEMPTS => {
                    let due = state.last_at + UNDO_DELAY;
                    if now < due {
                        return Next::Wait { until: Some(due), on: WaitingOn::Retry };
                    }
                    return Next::Undo { step: index, attempt: attempt + 1 };
                }
                Undo::Running { .. } => {
                    return Next::Finish {
                        outcome: Outcome::Stuck,
                        message: stuck(step, "it was interrupted each time"),
                    };
                }
                Undo::Failed { message, .. } => {
                    return Next::Finish { outcome: Outcome::Stuck, message: stuck(step, message) };
                }
            }
        }
    }
    Next::Finish { outcome: ending.outcome, message: with_unknowns(state, &ending.message) }
}

/// Who stops a run with an outcome that nobody knows must read that it is so.
fn with_unknowns(state: &State, message: &str) -> String {
    let unknown = state.steps.iter().filter(|step| matches!(step.status, Status::Unknown { .. }));
    unknown.fold(message.to_owned(), |message, step| {
        format!("{message}. Nobody knows whether \"{}\" happened", step.definition.name)
    })
}

fn stuck(step: &StepState, why: &str) -> String {
    format!("{} could not be taken back: {why}", step.definition.name)
}

fn to_be_undone(step: &StepState) -> bool {
    match step.definition.undo_when {
        UndoWhen::Succeeded => step.status == Status::Succeeded,
        UndoWhen::Started => {
            // What was refused because of where it would have been done was not begun.
            let elsewhere = matches!(step.status, Status::Failed { kind: FailureKind::WrongTarget, .. });
            step.attempts > 0 && (step.touched || !elsewhere)
        }
    }
}

fn recovery_verified(state: &State) -> bool {
    let Some(recovered) = &state.created.command.recovered else { return false };
    state.recovered_at.is_none()
        && template::holds(&recovered.when, &context::of(state, Scoped::Command)).unwrap_or(false)
}

fn finish_line(state: &State) -> Next {
    let outcome = if state.has_skips() { Outcome::SucceededWithSkips } else { Outcome::Succeeded };
    Next::Finish { outcome, message: String::new() }
}
