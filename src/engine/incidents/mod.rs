//! Incidents at work: opened, told what their runs do, looked at by the escalation.
//!
//! Like a run, an incident changes through one door ([`Engine::append_incident`]): decided by the state as it is at that
//! moment, durable before anybody sees it. What must stay true: what happened in a run is known to its incident however
//! often drbot was lost in between; it is read from the run's own state, and events only say when to look.

mod alerts;
mod clock;
mod deeds;
mod due;
mod facts;
mod faster;
mod follow;
mod links;
mod open;
mod pages;
mod unknown;
mod watched;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex as StdMutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};
use tokio::sync::{Mutex, OwnedMutexGuard, broadcast};

pub(super) use self::faster::Read as ReadHistory;
pub use self::{
    clock::JUMP,
    deeds::DeedError,
    due::Done,
    facts::{Beside, RunBeside},
    open::OpenError,
    pages::{About, Fate, Sending, page_key},
};
use super::Engine;
use crate::{
    ids::IncidentId,
    incident::{
        event::{Entry, Event},
        state::{Illegal, State},
    },
};

/// The incidents that are open.
pub(super) struct Incidents {
    open: StdMutex<HashMap<IncidentId, Arc<Held>>>,
    /// One is opened at a time, so that two alerts in the same instant make one.
    opening: Mutex<()>,
    /// Alerts are attended to by one at a time.
    attending: Mutex<()>,
    /// A link acknowledges once, also where it is clicked twice in the same instant.
    linking: Mutex<()>,
    /// Closed ones to which something is being added: what was on its way, and notes.
    closed: StdMutex<HashMap<IncidentId, Weak<Held>>>,
    changes: broadcast::Sender<IncidentId>,
    /// Alerts that nobody knows.
    unknown: StdMutex<unknown::Told>,
}

struct Held {
    is_drill: bool,
    state: Arc<Mutex<State>>,
    /// The store failed in a way that left open whether it holds the last event.
    in_doubt: AtomicBool,
}

impl Default for Incidents {
    fn default() -> Self {
        Self {
            open: StdMutex::default(),
            opening: Mutex::default(),
            attending: Mutex::default(),
            linking: Mutex::default(),
            closed: StdMutex::default(),
            changes: broadcast::channel(1024).0,
            unknown: StdMutex::default(),
        }
    }
}

/// Why an event was not written.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error(transparent)]
    Illegal(#[from] Illegal),
    #[error("there is no such incident, or it is closed")]
    Gone,
    #[error("the store failed")]
    Store(#[source] anyhow::Error),
}

impl Engine {
    /// Reads what is open out of the store.
    pub(super) async fn load_incidents(&self) -> Result<()> {
        for id in self.0.store.open_incidents().await? {
            match self.replay_incident(id).await {
                Ok(Some(state)) => self.hold_incident(state),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(incident = %id.short(), error = format!("{error:#}"), "the journal of this incident cannot be read");
                }
            }
        }
        Ok(())
    }

    async fn replay_incident(&self, id: IncidentId) -> Result<Option<State>> {
        let journal = self.0.store.incident_journal(id).await?;
        if journal.is_empty() {
            return Ok(None);
        }
        State::replay(&journal).map(Some).context("the journal of an incident holds what cannot have happened")
    }

    fn hold_incident(&self, state: State) {
        let held = Held {
            is_drill: state.is_drill(),
            state: Arc::new(Mutex::new(state.clone())),
            in_doubt: AtomicBool::new(false),
        };
        self.incidents_held().entry(state.id).or_insert_with(|| Arc::new(held));
    }

    fn incidents_held(&self) -> std::sync::MutexGuard<'_, HashMap<IncidentId, Arc<Held>>> {
        self.0.incidents.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_incident(&self, id: IncidentId) -> Option<Arc<Held>> {
        self.incidents_held().get(&id).cloned()
    }

    /// A closed one, held while somebody adds to it.
    async fn closed_incident(&self, id: IncidentId) -> Result<Arc<Held>, AppendError> {
        let there = || {
            let mut closed = self.0.incidents.closed.lock().unwrap_or_else(PoisonError::into_inner);
            closed.retain(|_, held| held.strong_count() > 0);
            closed.get(&id).and_then(Weak::upgrade)
        };
        if let Some(held) = there() {
            return Ok(held);
        }
        let state = self.replay_incident(id).await.map_err(AppendError::Store)?.ok_or(AppendError::Gone)?;
        if state.closed.is_none() {
            // Its journal could not be read at the start, or whether it was opened is in doubt: it is open from now on.
            self.hold_incident(state);
            return self.held_incident(id).ok_or(AppendError::Gone);
        }
        // Read while another did: theirs is the one.
        let mut closed = self.0.incidents.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = closed.get(&id).and_then(Weak::upgrade) {
            return Ok(held);
        }
        // It may have gone on between the reading and now: read again by whoever writes first.
        let is_drill = state.is_drill();
        let held = Arc::new(Held { is_drill, state: Arc::new(Mutex::new(state)), in_doubt: AtomicBool::new(true) });
        closed.insert(id, Arc::downgrade(&held));
        Ok(held)
    }

    /// Says which incident has changed. Lagging loses nothing but time: read the state.
    pub fn incident_changes(&self) -> broadcast::Receiver<IncidentId> {
        self.0.incidents.changes.subscribe()
    }

    /// An incident as it is now, closed ones too; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn incident(&self, id: IncidentId) -> Result<Option<State>> {
        match self.held_incident(id) {
            Some(held) => Ok(Some(held.state.lock().await.clone())),
            None => self.replay_incident(id).await,
        }
    }

    /// Those of which a run may be under way.
    pub fn incidents_at_work(&self) -> Vec<IncidentId> {
        let runs: Vec<_> = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut ids: Vec<_> = runs.iter().filter_map(|run| run.incident()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Those that are open, the oldest first.
    pub async fn open_incidents(&self) -> Vec<State> {
        let held: Vec<_> = self.incidents_held().values().cloned().collect();
        let mut states = Vec::with_capacity(held.len());
        for one in held {
            states.push(one.state.lock().await.clone());
        }
        states.sort_by_key(|state| (state.opened_at, state.id));
        states
    }

    /// Decides on an event by the incident as it is at this moment, and writes it, with nothing in between.
    pub(super) async fn append_incident<E: From<AppendError>>(
        &self,
        id: IncidentId,
        decide: impl FnOnce(&State) -> Result<Event, E>,
    ) -> Result<State, E> {
        let held = match self.held_incident(id) {
            Some(held) => held,
            None => self.closed_incident(id).await?,
        };
        let mut state = held.state.clone().lock_owned().await;
        if held.in_doubt.load(Ordering::Relaxed) {
            *state = self.replay_incident(id).await.map_err(AppendError::Store)?.ok_or(AppendError::Gone)?;
            held.in_doubt.store(false, Ordering::Relaxed);
        }
        let event = decide(&state)?;
        let entry = Entry { incident: id, seq: state.seq + 1, at: self.0.clock.now().max(state.last_at), event };
        let mut after = state.clone();
        after.apply(&entry).map_err(AppendError::from)?;
        // In a task of its own: whoever asked may be dropped at any moment, but journal and state never part.
        let written = tokio::spawn(write(self.clone(), held, entry, state, after));
        match written.await {
            Ok(result) => result.map_err(|error| AppendError::Store(error).into()),
            Err(gone) => Err(AppendError::Store(anyhow::anyhow!("writing broke off: {gone}")).into()),
        }
    }

    fn announce_incident(&self, state: &State) {
        if state.closed.is_some() {
            let held = self.incidents_held().remove(&state.id);
            // Whoever waits to add to it, and whoever comes, add to the same.
            if let Some(held) = held {
                let mut closed = self.0.incidents.closed.lock().unwrap_or_else(PoisonError::into_inner);
                closed.insert(state.id, Arc::downgrade(&held));
            }
        }
        super::metrics::incidents_open(self.incidents_held().values().filter(|held| !held.is_drill).count());
        // Nobody listening is no error.
        let _ = self.0.incidents.changes.send(state.id);
    }
}

async fn write(
    engine: Engine,
    held: Arc<Held>,
    entry: Entry,
    mut state: OwnedMutexGuard<State>,
    after: State,
) -> Result<State> {
    if let Err(error) = engine.0.store.append_to_incident(&entry, &after).await {
        // An error while committing says nothing about whether it was committed: it is read again before the next one.
        held.in_doubt.store(true, Ordering::Relaxed);
        return Err(error);
    }
    tracing::info!(
        incident = %entry.incident.short(),
        scenario = after.kind.key,
        seq = entry.seq,
        event = entry.event.kind(),
        "journaled"
    );
    *state = after.clone();
    drop(state);
    engine.announce_incident(&after);
    Ok(after)
}
