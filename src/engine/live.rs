//! A run in memory: its state, and the one door through which it changes.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use anyhow::Result;
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::{
    actions::ProgressValue,
    clock::Timestamp,
    ids::RunId,
    run::{
        delivery,
        event::{Entry, Event},
        state::{Illegal, State},
    },
    store::journal::Ownership,
};

/// An unfinished run.
pub(super) struct Live {
    id: RunId,
    command: String,
    ownership: Ownership,
    state: Arc<Mutex<State>>,
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

    pub(super) async fn state(&self) -> State {
        self.state.lock().await.clone()
    }

    pub(super) async fn snapshot(&self) -> Snapshot {
        Snapshot { state: self.state().await, progress: self.progress.borrow().clone() }
    }

    pub(super) fn begin_attempt(&self, token: CancellationToken) {
        *self.attempt.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    pub(super) fn end_attempt(&self) {
        *self.attempt.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.progress.send_replace(None);
    }

    /// Stops the attempt that is under way, if there is one.
    pub(super) fn cancel_attempt(&self) {
        if let Some(token) = &*self.attempt.lock().unwrap_or_else(PoisonError::into_inner) {
            token.cancel();
        }
    }
}

/// Why an event was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum AppendError {
    /// It cannot follow what is there by now.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The store failed; nothing may proceed.
    #[error("{0:#}")]
    Store(anyhow::Error),
}

impl Engine {
    /// Writes one event, durable when this returns, and only then changes the state.
    pub(super) async fn append(&self, live: &Live, event: Event) -> Result<(), AppendError> {
        self.append_if(live, |_| Ok::<_, AppendError>(event)).await
    }

    /// Decides on an event by the state as it is at this moment, and writes it, with nothing in between. So of two
    /// clicks in the same instant the second one sees the first.
    pub(super) async fn append_if<E: From<AppendError>>(
        &self,
        live: &Live,
        decide: impl FnOnce(&State) -> Result<Event, E>,
    ) -> Result<(), E> {
        let state = live.state.clone().lock_owned().await;
        let event = decide(&state)?;
        let entry = Entry { run: live.id, seq: state.seq + 1, at: self.0.clock.now().max(state.last_at), event };
        let mut after = state.clone();
        after.apply(&entry).map_err(AppendError::from)?;
        // In a task of its own: whoever asked for it may be dropped at any moment, but journal and state never part.
        let written = tokio::spawn(write(self.clone(), live.ownership.clone(), entry, state, after));
        match written.await {
            Ok(result) => result.map_err(|error| AppendError::Store(error).into()),
            Err(gone) => Err(AppendError::Store(anyhow::anyhow!("writing the journal broke off: {gone}")).into()),
        }
    }
}

async fn write(
    engine: Engine,
    ownership: Ownership,
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
    if let Err(error) = store.append(&entry, &ownership, deliveries).await {
        // An error while committing says nothing about whether it was committed: look.
        let journal = store.journal(entry.run).await.unwrap_or_default();
        if journal.last() != Some(&entry) {
            return Err(error);
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
    *state = after;
    drop(state);
    engine.announce(entry.run);
    Ok(())
}
