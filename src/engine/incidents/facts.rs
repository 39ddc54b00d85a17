//! What the ladders need to know of the runs: the forecast, and what stands still.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::{Timestamp, elapsed},
    engine::{Engine, Snapshot},
    ids::RunId,
    incident::{
        event::{Faster, Stall},
        next::Facts,
        outlook::{self, Forecast},
        state::State,
        times,
    },
    run::{
        history::History,
        outcome::Outcome,
        state::{ApprovalState, Lapse, State as Run, Status},
    },
    runbook::definition::Command,
};

/// A run of an incident, as a line.
#[derive(Debug, Clone, PartialEq)]
pub struct RunBeside {
    pub run: RunId,
    pub command: String,
    pub requester: String,
    pub done: usize,
    pub steps: usize,
    /// For people.
    pub waits: bool,
    pub outcome: Option<Outcome>,
    pub state: Box<Run>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beside {
    pub forecast: Option<Forecast>,
    /// The command for this kind of disaster, where there is one and none is under way.
    pub fitting: Option<String>,
    /// What would recover sooner than what is under way, where that comes too late.
    pub faster: Option<Faster>,
    pub runs: Vec<RunBeside>,
}

impl Engine {
    /// What the runs of a command took so far, read once while one is under way.
    pub(in crate::engine) async fn know_history(&self, run: &Run) {
        let command = &run.created.command;
        match self.history(command).await {
            Ok(history) => {
                let mut known = self.0.histories.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                known.insert(run.id, Arc::new(history));
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "there is no forecast: the figures cannot be read")
            }
        }
        self.announce(run.id);
    }

    /// What remains of a run until its recovery is verified.
    pub(in crate::engine) fn forecast(&self, run: &Run) -> Option<Forecast> {
        let known = self.0.histories.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let history: Arc<History> = known.get(&run.id)?.clone();
        drop(known);
        outlook::of(run, &history, self.0.clock.now())
    }

    /// The clock of the incident that a run belongs to.
    pub(in crate::engine) async fn clock_of_incident(&self, run: &Run) -> Option<times::Clock> {
        let state = self.incident(run.incident?).await.ok().flatten()?;
        Some(times::clock(&state, self.0.clock.now()))
    }

    /// What is to be seen of an incident beside its own journal.
    pub async fn beside(&self, state: &State) -> Beside {
        let configuration = self.configuration();
        let fits = |command: &&Command| {
            command.scenario.as_ref() == Some(&state.kind.key)
                && command.undoes.is_none()
                && command.recovered.is_some()
        };
        // Nothing has happened in a drill, so nothing is to be run for it.
        let fitting = configuration.commands.values().find(fits).filter(|_| !state.is_drill());
        let fitting = fitting.map(|command| command.name.clone());
        let mut beside = Beside { fitting, ..Beside::default() };
        for joined in &state.runs {
            let Ok(Some(snapshot)) = self.snapshot(joined.run).await else { continue };
            let run = snapshot.state;
            if beside.forecast.is_none() && run.finished.is_none() {
                beside.forecast = snapshot.forecast;
            }
            if run.finished.is_none() && run.created.command.recovered.is_some() {
                // It is under way: nobody is to begin a second one.
                beside.fitting = None;
            }
            beside.runs.push(RunBeside {
                run: joined.run,
                command: joined.command.clone(),
                requester: run.created.requester.name.clone(),
                done: run
                    .steps
                    .iter()
                    .filter(|step| matches!(step.status, Status::Succeeded | Status::Skipped(_)))
                    .count(),
                steps: run.steps.len(),
                waits: matches!(run.approval, ApprovalState::Pending { .. } | ApprovalState::Lapsed { .. })
                    || run.question.is_some(),
                outcome: run.finished.as_ref().map(|finished| finished.outcome),
                state: Box::new(run),
            });
        }
        if !state.is_over() {
            beside.faster = self.faster_path(state, beside.forecast.as_ref()).await;
        }
        beside
    }

    pub(super) async fn facts(&self, incident: &State) -> Facts {
        let now = self.0.clock.now();
        let mut facts = Facts::default();
        if incident.is_over() {
            return facts;
        }
        for joined in incident.runs.iter().rev() {
            let Some(live) = self.live(joined.run) else { continue };
            let snapshot = live.snapshot().await;
            if facts.forecast.is_none() {
                facts.forecast = self.forecast(&snapshot.state).filter(Forecast::is_known);
            }
            let history = {
                let known = self.0.histories.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                known.get(&joined.run).cloned()
            };
            facts.stalls.extend(stalls(incident, &snapshot, history.as_deref(), now));
        }
        facts
    }
}

/// What of a run stands still while the time runs.
fn stalls(incident: &State, snapshot: &Snapshot, history: Option<&History>, now: Timestamp) -> Vec<Stall> {
    let run = &snapshot.state;
    let mut stalls = Vec::new();
    if let ApprovalState::Pending { asked, asked_at, .. } = &run.approval {
        let left_then = elapsed(*asked_at, incident.deadline.due);
        if elapsed(*asked_at, now) > left_then / 5 {
            stalls.push(Stall::Approval { run: run.id, round: asked.round });
        }
    }
    if let ApprovalState::Lapsed { round, why: Lapse::Expired } = &run.approval {
        // Nobody answered in time, and nothing goes on by itself.
        stalls.push(Stall::Expired { run: run.id, round: *round });
    }
    for step in &run.steps {
        let id = || step.definition.id.clone();
        match &step.status {
            Status::Unknown { .. } => stalls.push(Stall::Unknown { run: run.id, step: id() }),
            Status::Running if snapshot.progress.is_none() => {
                let usual = history.and_then(|history| history.steps.get(&step.definition.id));
                let spent = step.started_at.map_or(Duration::ZERO, |since| elapsed(since, now));
                if usual.is_some_and(|took| spent > slack(took.p90)) {
                    stalls.push(Stall::Step { run: run.id, step: id() });
                }
            }
            _ => {}
        }
    }
    stalls
}

/// Half as long again; what takes a moment is not said to stand still because it took three.
fn slack(p90: Duration) -> Duration {
    (p90 * 3 / 2).max(Duration::from_secs(10))
}
