//! How long people were waited for, and by whom each wait was ended; measured apart from what the recovery itself took.

use std::time::Duration;

use super::{Record, Run, work};
use crate::{
    clock::{Timestamp, elapsed},
    ids::RunId,
    run::{
        event::{Entry, Event},
        state::{ApprovalState, State},
    },
};

#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    pub run: RunId,
    pub command: String,
    pub on: On,
    pub from: Timestamp,
    /// `None` while it goes on.
    pub until: Option<Timestamp>,
    /// What ended it.
    pub ended: Option<Event>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    Approval {
        round: u32,
    },
    /// For somebody to have the approval asked again.
    Renewal {
        round: u32,
    },
    Answer {
        step: String,
        question: String,
    },
    /// For a lockdown to be lifted.
    Lockdown,
}

/// Of how long something was waited for, and for how long nothing else was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    pub whole: Duration,
    pub idle: Duration,
}

impl Wait {
    pub fn took(&self, now: Timestamp) -> Duration {
        elapsed(self.from, self.until.unwrap_or(now))
    }
}

/// Of every run, oldest first.
pub fn of(record: &Record) -> Vec<Wait> {
    let mut waits: Vec<_> = record.runs.iter().flat_map(of_run).collect();
    waits.sort_by_key(|wait| wait.from);
    waits
}

pub fn of_run(run: &Run) -> Vec<Wait> {
    let Some((first, rest)) = run.journal.split_first() else { return Vec::new() };
    let Ok(mut state) = State::begin(first) else { return Vec::new() };
    let mut waits: Vec<Wait> = Vec::new();
    for entry in rest {
        let before = waiting_on(&state);
        // The journal was replayed when the record was made.
        if state.apply(entry).is_err() {
            break;
        }
        let after = waiting_on(&state);
        waits.iter_mut().filter(|wait| wait.until.is_none() && !after.contains(&wait.on)).for_each(|wait| {
            (wait.until, wait.ended) = (Some(entry.at), Some(entry.event.clone()));
        });
        waits.extend(after.into_iter().filter(|on| !before.contains(on)).map(|on| begin(run, entry, on)));
    }
    waits
}

fn begin(run: &Run, entry: &Entry, on: On) -> Wait {
    let command = run.state.created.command.name.clone();
    Wait { run: run.state.id, command, on, from: entry.at, until: None, ended: None }
}

/// What a run waits for at a moment.
fn waiting_on(state: &State) -> Vec<On> {
    if state.finished.is_some() {
        return Vec::new();
    }
    let mut on = Vec::new();
    // What is being ended waits for no approval any more.
    match &state.approval {
        _ if state.ending.is_some() => {}
        ApprovalState::Pending { asked, .. } => on.push(On::Approval { round: asked.round }),
        ApprovalState::Lapsed { round, .. } => on.push(On::Renewal { round: *round }),
        _ => {}
    }
    if let Some(question) = &state.question {
        on.push(On::Answer { step: question.step.clone(), question: question.question.clone() });
    }
    if state.held.is_some() {
        on.push(On::Lockdown);
    }
    on
}

/// What of the time between two moments went by waiting.
pub fn total(record: &Record, from: Timestamp, until: Timestamp) -> Total {
    let within = |begin: Timestamp, end: Option<Timestamp>| {
        let span = (begin.max(from), end.unwrap_or(record.at).min(until));
        (span.0 < span.1).then_some(span)
    };
    let waits = of(record).iter().filter_map(|wait| within(wait.from, wait.until)).collect();
    let work = record.runs.iter().flat_map(work::of).filter_map(|work| within(work.from, work.until)).collect();
    let waits = merged(waits);
    Total { whole: length(&waits), idle: length(&without(&waits, &merged(work))) }
}

type Span = (Timestamp, Timestamp);

/// In order, those that touch made one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for (from, until) in spans {
        match merged.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(until),
            _ => merged.push((from, until)),
        }
    }
    merged
}

/// What of `spans` is in none of `others`; both in order and apart.
fn without(spans: &[Span], others: &[Span]) -> Vec<Span> {
    let mut left = Vec::new();
    for (mut from, until) in spans.iter().copied() {
        for (begin, end) in others.iter().copied() {
            if begin >= until || end <= from {
                continue;
            }
            if begin > from {
                left.push((from, begin));
            }
            from = end;
        }
        if from < until {
            left.push((from, until));
        }
    }
    left
}

fn length(spans: &[Span]) -> Duration {
    spans.iter().map(|(from, until)| elapsed(*from, *until)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u32) -> Timestamp {
        Timestamp::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds.into())
    }

    fn spans() -> impl Strategy<Value = Vec<(u32, u32)>> {
        prop::collection::vec((0u32..60, 1u32..20), 0..8)
    }

    /// Whether a second is in any of them.
    fn covers(spans: &[(u32, u32)], second: u32) -> bool {
        spans.iter().any(|(from, length)| (*from..from + length).contains(&second))
    }

    proptest! {
        #[test]
        fn spans_are_counted_second_by_second(waits in spans(), work in spans()) {
            let merge = |spans: &[(u32, u32)]| {
                merged(spans.iter().map(|(from, length)| (at(*from), at(from + length))).collect())
            };
            let seconds = |count: usize| Duration::from_secs(u64::try_from(count).unwrap());
            let whole = (0..100).filter(|second| covers(&waits, *second)).count();
            let idle = (0..100).filter(|second| covers(&waits, *second) && !covers(&work, *second)).count();
            prop_assert_eq!(length(&merge(&waits)), seconds(whole));
            prop_assert_eq!(length(&without(&merge(&waits), &merge(&work))), seconds(idle));
        }
    }
}
