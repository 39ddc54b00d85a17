//! What might have to be done so that the next time goes better: candidates out of the facts, for people to strike out or
//! take up.

use std::time::Duration;

use super::{
    Record, Run,
    loss::{self, Verdict},
    pages, waits,
};
use crate::{
    clock::{Timestamp, elapsed},
    config::settings::Level,
    ids::RunId,
    incident::{
        event::{Delivery, Event, PageTo},
        times,
    },
    run::{
        self,
        event::SkipReason,
        state::{Status, Undo},
    },
    runbook::action::Action,
};

/// A call later than this is late.
const LATE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq)]
pub enum Candidate {
    Breached {
        by: Duration,
    },
    /// One that somebody answered for.
    DeadlineMissed {
        by: Duration,
    },
    NeverVerified,
    /// It came back behind a verified recovery, so often.
    Relapsed {
        times: usize,
    },
    LossOver {
        run: RunId,
        by: Duration,
        at_least: bool,
    },
    LossUnknown {
        run: RunId,
    },
    LossUnmeasured,
    FailureUnknown,
    Unreachable {
        names: Vec<String>,
    },
    Undelivered {
        to: PageTo,
        why: String,
    },
    /// The most that a call came late.
    LateCalls {
        by: Duration,
    },
    /// Nobody answered until those of this level were called.
    SlowAnswer {
        level: Level,
    },
    NobodyAnswered,
    Waited {
        command: String,
        took: Duration,
    },
    ApprovalExpired {
        command: String,
        times: usize,
    },
    Glass {
        run: RunId,
        command: String,
        review_by: Timestamp,
    },
    Skipped {
        command: String,
        step: String,
    },
    Failed {
        command: String,
        step: String,
    },
    Unclear {
        command: String,
        step: String,
    },
    NotTakenBack {
        command: String,
        step: String,
    },
    /// Nothing in the command's file says how long these take.
    NoEstimate {
        command: String,
        steps: Vec<String>,
    },
    DeadlineMoved,
    ScenarioChanged,
}

/// In the order in which they weigh, each once.
pub fn of(record: &Record) -> Vec<Candidate> {
    let mut all = Vec::new();
    outcome(record, &mut all);
    losses(record, &mut all);
    people(record, &mut all);
    record.runs.iter().for_each(|run| of_run(record, run, &mut all));
    let mut once: Vec<Candidate> = Vec::new();
    for candidate in all {
        if !once.contains(&candidate) {
            once.push(candidate);
        }
    }
    once
}

fn outcome(record: &Record, all: &mut Vec<Candidate>) {
    let state = &record.state;
    let clock = times::clock(state, record.at);
    // However far the deadline was moved, the objective stays what it is.
    let by = clock.used.saturating_sub(state.kind.scenario.rto.0);
    if !by.is_zero() {
        all.push(Candidate::Breached { by });
    }
    if state.deadline.moved.is_some() && !clock.over().is_zero() {
        all.push(Candidate::DeadlineMissed { by: clock.over() });
    }
    if state.recovered.is_none() && state.closed.is_some() {
        all.push(Candidate::NeverVerified);
    }
    let count = |kind: &str| record.journal.iter().filter(|entry| entry.event.kind() == kind).count();
    if count("relapsed") > 0 {
        all.push(Candidate::Relapsed { times: count("relapsed") });
    }
    if state.opened.failure.is_none() {
        all.push(Candidate::FailureUnknown);
    }
    if count("deadline-moved") > 0 {
        all.push(Candidate::DeadlineMoved);
    }
    if count("scenario-changed") > 0 {
        all.push(Candidate::ScenarioChanged);
    }
}

fn losses(record: &Record, all: &mut Vec<Candidate>) {
    let measured = loss::of(record);
    if measured.is_empty() {
        all.push(Candidate::LossUnmeasured);
    }
    for (run, verdict) in measured {
        match verdict {
            Verdict::Within => {}
            Verdict::Over { by, at_least } => all.push(Candidate::LossOver { run: run.state.id, by, at_least }),
            Verdict::Unknown => all.push(Candidate::LossUnknown { run: run.state.id }),
        }
    }
}

fn people(record: &Record, all: &mut Vec<Candidate>) {
    let pages = pages::of(record);
    let names = pages::unreachable(record);
    if !names.is_empty() {
        all.push(Candidate::Unreachable { names });
    }
    for entry in &record.journal {
        if let Event::Delivered { page, outcome: Delivery::Undeliverable { why } } = &entry.event {
            all.push(Candidate::Undelivered { to: page.clone(), why: why.clone() });
        }
    }
    let late = pages.iter().filter(|page| page.paged.early.is_none()).map(|page| elapsed(page.paged.due_at, page.at));
    if let Some(by) = late.max().filter(|late| *late > LATE) {
        all.push(Candidate::LateCalls { by });
    }
    if record.state.responded.is_none() {
        all.push(Candidate::NobodyAnswered);
    }
    // Who falls silent later is followed by the next level too: only the first answer counts here.
    let first = record.state.responded.as_ref().map(|(at, _)| *at);
    let level =
        pages.iter().filter(|page| first.is_none_or(|first| page.at <= first)).filter_map(|page| page.paged.ack);
    if let Some(level) = level.max().filter(|level| *level > Level::Primary) {
        all.push(Candidate::SlowAnswer { level });
    }
}

fn of_run(record: &Record, run: &Run, all: &mut Vec<Candidate>) {
    let command = &run.state.created.command.name;
    waited(record, run, all);
    let expired = run.journal.iter().filter(|entry| entry.event.kind() == "approval-expired").count();
    if expired > 0 {
        all.push(Candidate::ApprovalExpired { command: command.clone(), times: expired });
    }
    for entry in &run.journal {
        let step = |step: &str| (command.clone(), name(run, step));
        match &entry.event {
            run::event::Event::GlassBroken(broken) => {
                all.push(Candidate::Glass { run: run.state.id, command: command.clone(), review_by: broken.review_by })
            }
            run::event::Event::StepUnknown { step: id, .. } => {
                let (command, step) = step(id);
                all.push(Candidate::Unclear { command, step });
            }
            _ => {}
        }
    }
    for step in &run.state.steps {
        let (command, step_name) = (command.clone(), step.definition.name.clone());
        match (&step.undo, &step.status) {
            (Undo::Failed { .. }, _) => all.push(Candidate::NotTakenBack { command, step: step_name }),
            (_, Status::Failed { .. }) => all.push(Candidate::Failed { command, step: step_name }),
            (_, Status::Skipped(SkipReason::Person { .. })) => {
                all.push(Candidate::Skipped { command, step: step_name });
            }
            _ => {}
        }
    }
    let without = |step: &&run::state::StepState| {
        step.attempts > 0 && step.definition.takes.is_none() && !matches!(step.definition.action, Action::Ask(_))
    };
    let steps: Vec<_> = run.state.steps.iter().filter(without).map(|step| step.definition.name.clone()).collect();
    if !steps.is_empty() {
        all.push(Candidate::NoEstimate { command: command.clone(), steps });
    }
}

/// Waits for people that took more than a fifth of the time there was: as long as the engine lets an approval stand.
fn waited(record: &Record, run: &Run, all: &mut Vec<Candidate>) {
    let most = times::clock(&record.state, record.at).whole / 5;
    let longest = waits::of_run(run).iter().map(|wait| wait.took(record.end())).max();
    if let Some(took) = longest.filter(|took| *took > most) {
        all.push(Candidate::Waited { command: run.state.created.command.name.clone(), took });
    }
}

/// A step as people call it.
pub fn name(run: &Run, step: &str) -> String {
    run.state.step(step).map_or_else(|| step.to_owned(), |step| step.definition.name.clone())
}
