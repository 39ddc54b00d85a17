//! What a run does, told to its incident.

use super::AppendError;
use crate::{
    config::settings::DiscordId,
    engine::Engine,
    ids::{IncidentId, RunId},
    incident::{event::Event, state::State},
    run::{event, state::State as Run},
};

impl Engine {
    /// The incident that a new run belongs to: an open one on its target, where the command recovers something.
    pub(in crate::engine) async fn incident_for(
        &self,
        scenario: Option<&str>,
        target: Option<&str>,
    ) -> Option<IncidentId> {
        // One that is recovered has had its run: what is started now is for something else.
        let open = self.incident_on(target, Some(scenario?)).await.filter(|state| !state.is_over())?;
        Some(open.id)
    }

    /// Something is durable in a run's journal.
    pub(in crate::engine) fn tell_incident(&self, run: &Run, event: &event::Event) {
        let Some(incident) = run.incident else { return };
        let actor = actor(event);
        let tells =
            matches!(event, event::Event::RunCreated(_) | event::Event::Recovered | event::Event::Finished { .. });
        if !tells && actor.is_none() {
            // The card of the incident shows how far its runs are.
            let _ = self.0.incidents.changes.send(incident);
            return;
        }
        let (engine, run) = (self.clone(), run.clone());
        self.0.tasks.spawn(async move {
            engine.reconcile(incident, &run).await;
            if let (Some(actor), Ok(Some(state))) = (actor, engine.incident(incident).await) {
                engine.renew(&state, actor).await;
            }
        });
    }

    /// What its runs have come to while nobody told it: after a crash, and when it was opened after they began.
    pub(in crate::engine) async fn reconcile_incidents(&self) {
        for state in self.open_incidents().await {
            match self.0.store.runs_of_incident(state.id).await {
                Ok(runs) => {
                    for run in runs {
                        self.reconcile_run(run).await;
                    }
                }
                Err(error) => tracing::error!(error = format!("{error:#}"), "the runs of an incident cannot be read"),
            }
            for joined in &state.runs {
                self.reconcile_run(joined.run).await;
            }
        }
    }

    pub(super) async fn reconcile_run(&self, run: RunId) {
        let Ok(Some(snapshot)) = self.snapshot(run).await else { return };
        let state = snapshot.state;
        let incident = match state.incident {
            Some(incident) => Some(incident),
            None => self.incident_opened_for(run).await,
        };
        if let Some(incident) = incident {
            self.reconcile(incident, &state).await;
        }
    }

    /// The open incident that was opened while the run was under way; the run is told of it.
    async fn incident_opened_for(&self, run: RunId) -> Option<IncidentId> {
        let open = self.open_incidents().await;
        let incident = open.into_iter().find(|one| one.runs.iter().any(|joined| joined.run == run))?.id;
        if let Some(live) = self.live(run) {
            let written = self.append_if(&live, |state| match state.incident {
                None if state.finished.is_none() => Ok(event::Event::Joined { incident }),
                _ => Err(Told::Already),
            });
            if let Err(Told::Append(error)) = written.await {
                tracing::error!(run = %run.short(), %error, "a run could not be told of its incident");
            }
        }
        Some(incident)
    }

    /// Runs that recover the incident's target and were begun before it join it.
    pub(super) async fn join_runs_under_way(&self, incident: &State) {
        let runs: Vec<_> = {
            let runs = self.0.runs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            runs.values().cloned().collect()
        };
        for run in runs {
            let run = run.state().await;
            let command = &run.created.command;
            let fits =
                command.recovered.is_some() && command.target.is_some() && command.target == incident.opened.target;
            if fits && run.incident.is_none() && run.finished.is_none() {
                self.joins(incident.id, &run).await;
                self.reconcile_run(run.id).await;
            }
        }
    }

    async fn joins(&self, incident: IncidentId, run: &Run) {
        let joins = self.append_incident(incident, |state| {
            if state.runs.iter().any(|joined| joined.run == run.id) {
                return Err(Moot::Nothing);
            }
            Ok(Event::RunJoined {
                run: run.id,
                command: run.created.command.name.clone(),
                by: run.created.requester.clone(),
            })
        });
        self.heard(joins.await);
    }

    /// Brings an incident to what a run of it has come to. Read from the run's state, so it may be done as often as one likes.
    async fn reconcile(&self, incident: IncidentId, run: &Run) {
        self.joins(incident, run).await;
        let Some(at) = run.recovered_at else { return };
        let recovers = self.append_incident(incident, |state| {
            let verifies = state.recovered.is_none() && state.is_recovered_by(at);
            if verifies { Ok(Event::Recovered { run: run.id, at }) } else { Err(Moot::Nothing) }
        });
        self.heard(recovers.await);
    }

    fn heard(&self, written: Result<State, Moot>) {
        if let Err(Moot::Append(AppendError::Store(error))) = written {
            tracing::error!(
                error = format!("{error:#}"),
                "an incident cannot be told what its run did; it is told at the next start"
            );
        }
    }

    /// Whoever has the incident has done something on it: they are left alone for longer.
    pub(super) async fn renew(&self, state: &State, who: DiscordId) {
        if state.holder().is_none_or(|holder| holder.id != who) {
            return;
        }
        let now = self.0.clock.now();
        let written = self
            .append_incident(state.id, |state| {
                let holder = state.holder().filter(|holder| holder.id == who).ok_or(Moot::Nothing)?;
                let until = now + state.ack_policy.lease;
                Ok(Event::Renewed { by: holder.clone(), until })
            })
            .await;
        self.heard(written);
    }
}

enum Told {
    Already,
    Append(crate::engine::live::AppendError),
}

impl From<crate::engine::live::AppendError> for Told {
    fn from(error: crate::engine::live::AppendError) -> Self {
        Self::Append(error)
    }
}

enum Moot {
    Nothing,
    Append(AppendError),
}

impl From<AppendError> for Moot {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

/// The person behind an event of a run.
fn actor(event: &event::Event) -> Option<DiscordId> {
    use event::Event;
    match event {
        Event::RunCreated(created) => Some(created.requester.id),
        Event::ApprovalGiven { by, .. }
        | Event::ApprovalDenied { by, .. }
        | Event::ApprovalWithdrawn { by, .. }
        | Event::ApprovalRenewed { by }
        | Event::QuestionAnswered { by, .. }
        | Event::CancelAsked { by, .. } => Some(by.id),
        Event::GlassBroken(broken) => Some(broken.by.id),
        _ => None,
    }
}
