//! A run in memory: its state, and the one door through which it changes.

use std::sync::{
    Arc, Mutex as StdMutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Result;
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;

use super::{Engine, metrics};
use crate::{
    actions::ProgressValue,
    clock::Timestamp,
    ids::{IncidentId, RunId},
    incident::{outlook::Forecast, times},
    run::{
        delivery,
        event::{Entry, Event},
        state::{Illegal, State},
    },
    store::journal::{NotOwned, Ownership},
};

/// An unfinished run.
pub(super) struct Live {
    id: RunId,
    command: String,
    ownership: Ownership,
    state: Arc<Mutex<State>>,
    /// The store failed in a way that left open whether it holds the last event; looked up before the next one.
    in_doubt: AtomicBool,
    /// Wakes the driver; a wake-up that nobody waits for yet is kept.
    pub(super) wake: Notify,
    /// Of the attempt that is under way.
    pub(super) progress: watch::Sender<Option<LiveProgress>>,
    /// Stops the attempt that is under way.
    attempt: StdMutex<Option<CancellationToken>>,
}

/// How far the step that is under way is.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveProgress {
    pub step: String,
    pub since: Timestamp,
    pub value: ProgressValue,
}

/// A run at a moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub state: State,
    pub progress: Option<LiveProgress>,
    /// What remains until recovery is verified, where something is known of it.
    pub forecast: Option<Forecast>,
    /// The clock of the incident that it belongs to.
    pub incident: Option<times::Clock>,
}

impl Live {
    pub(super) fn replay(journal: &[Entry], ownership: Ownership) -> Result<Self, Illegal> {
        Ok(Self::new(State::replay(journal)?, ownership))
    }

    pub(super) fn new(state: State, ownership: Ownership) -> Self {
        Self {
            id: state.id,
            command: state.created.command.name.clone(),
            ownership,
            state: Arc::new(Mutex::new(state)),
            in_doubt: AtomicBool::new(false),
            wake: Notify::new(),
            progress: watch::channel(None).0,
            attempt: StdMutex::new(None),
        }
    }

    pub(super) fn id(&self) -> RunId {
        self.id
    }

    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// The incident that it belongs to, as far as it can be told without waiting.
    pub(super) fn incident(&self) -> Option<IncidentId> {
        self.state.try_lock().ok()?.incident
    }

    pub(super) async fn state(&self) -> State {
        self.state.lock().await.clone()
    }

    pub(super) async fn snapshot(&self) -> Snapshot {
        Snapshot { state: self.state().await, progress: self.progress.borrow().clone(), forecast: None, incident: None }
    }

    /// From now on, and until the guard is dropped, whoever stops the run stops this.
    pub(super) fn begin_attempt(&self, token: CancellationToken) -> Attempting<'_> {
        *self.attempt.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Attempting(self)
    }

    /// Stops the attempt that is under way, if there is one.
    pub(super) fn cancel_attempt(&self) {
        if let Some(token) = &*self.attempt.lock().unwrap_or_else(PoisonError::into_inner) {
            token.cancel();
        }
    }
}

/// Work of a run is under way, and can be stopped.
#[must_use]
pub(super) struct Attempting<'a>(&'a Live);

impl Drop for Attempting<'_> {
    fn drop(&mut self) {
        *self.0.attempt.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.progress.send_replace(None);
    }
}

/// Why an event was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum AppendError {
    /// It cannot follow what is there by now.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// It was decided on by a state that is not the run's any more.
    #[error("the run has changed in the meantime")]
    Moved,
    /// The store failed; nothing may proceed.
    #[error("{0:#}")]
    Store(anyhow::Error),
}

impl AppendError {
    /// The run is another's by now; it is to be left alone.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Store(error) if error.is::<NotOwned>())
    }
}

impl Engine {
    /// Writes what has happened, durable when this returns, and only then changes the state.
    pub(super) async fn append(&self, live: &Arc<Live>, event: Event) -> Result<(), AppendError> {
        self.append_if(live, |_| Ok::<_, AppendError>(event)).await
    }

    /// Writes what was decided by `seen`, if the run is still as it was seen: a click in between makes it moot.
    pub(super) async fn append_on(&self, live: &Arc<Live>, seen: &State, event: Event) -> Result<(), AppendError> {
        self.append_if(live, |state| if state.seq == seen.seq { Ok(event) } else { Err(AppendError::Moved) }).await
    }

    /// [`Engine::append`] of what is known only here: while the store fails, the event is held on to, and tried again
    /// until drbot stops.
    pub(super) async fn append_surely(&self, live: &Arc<Live>, event: Event) -> Result<(), AppendError> {
        loop {
            match self.append(live, event.clone()).await {
                Err(error @ AppendError::Store(_)) if !error.is_lost() && !self.0.stopping.is_cancelled() => {
                    tracing::error!(
                        run = %live.id.short(),
                        %error,
                        event = event.kind(),
                        "the journal cannot be written; what has happened is held on to"
                    );
                    tokio::select! {
                        () = self.0.clock.sleep(super::STORE_REST) => {}
                        () = self.0.stopping.cancelled() => {}
                    }
                }
                other => return other,
            }
        }
    }

    /// Decides on an event by the state as it is at this moment, and writes it, with nothing in between. So of two
    /// clicks in the same instant the second one sees the first.
    pub(super) async fn append_if<E: From<AppendError>>(
        &self,
        live: &Arc<Live>,
        decide: impl FnOnce(&State) -> Result<Event, E>,
    ) -> Result<(), E> {
        let mut state = live.state.clone().lock_owned().await;
        if live.in_doubt.load(Ordering::Relaxed) {
            *state = self.as_stored(live).await.map_err(AppendError::Store)?;
            live.in_doubt.store(false, Ordering::Relaxed);
        }
        let event = decide(&state)?;
        let entry = Entry { run: live.id, seq: state.seq + 1, at: self.0.clock.now().max(state.last_at), event };
        let mut after = state.clone();
        after.apply(&entry).map_err(AppendError::from)?;
        // In a task of its own: whoever asked for it may be dropped at any moment, but journal and state never part.
        let written = tokio::spawn(write(self.clone(), live.clone(), entry, state, after));
        match written.await {
            Ok(result) => result.map_err(|error| AppendError::Store(error).into()),
            Err(gone) => Err(AppendError::Store(anyhow::anyhow!("writing the journal broke off: {gone}")).into()),
        }
    }

    async fn as_stored(&self, live: &Live) -> Result<State> {
        Ok(State::replay(&self.0.store.journal(live.id).await?)?)
    }
}

async fn write(
    engine: Engine,
    live: Arc<Live>,
    entry: Entry,
    mut state: OwnedMutexGuard<State>,
    after: State,
) -> Result<()> {
    let action = match &entry.event {
        Event::StepSucceeded { step, .. } => after.step(step).and_then(|step| step.action.as_ref()),
        _ => None,
    };
    let deliveries = delivery::of(&entry.event, action);
    let store = &engine.0.store;
    let begun = engine.0.clock.monotonic();
    if let Err(error) = store.append(&entry, &live.ownership, deliveries).await {
        metrics::not_appended();
        if error.is::<NotOwned>() {
            return Err(error);
        }
        // An error while committing says nothing about whether it was committed: look. Nobody else writes this run.
        match store.journal(entry.run).await {
            Ok(journal) if journal.iter().any(|there| there.seq == entry.seq) => {}
            Ok(_) => return Err(error),
            Err(_) => {
                live.in_doubt.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
    }
    tracing::info!(
        run = %entry.run.short(),
        command = after.created.command.name,
        seq = entry.seq,
        event = entry.event.kind(),
        step = entry.event.step(),
        "journaled"
    );
    let took = engine.0.clock.monotonic().saturating_duration_since(begun);
    metrics::appended(&after, &entry.event, took);
    *state = after.clone();
    drop(state);
    engine.tell_incident(&after, &entry.event);
    engine.announce(entry.run);
    Ok(())
}
