//! The brake: nothing begins any more but what only reads and what always helps.
//!
//! What must stay true: when [`Engine::lock_down`] returns, no step of another kind begins, whatever was decided before.
//! So whoever writes such a beginning holds the lockdown's lock meanwhile, and looks at it under the lock. A step that is
//! under way ends by itself: stopped in its middle it could leave worse behind.

use std::sync::{Arc, PoisonError};

use tokio::sync::RwLockReadGuard;

use super::{
    Engine,
    live::{AppendError, Live},
};
use crate::{
    access::{self, Caller, Keeper, Refusal},
    run::{
        event::Event,
        lockdown::{Lockdown, forbids, is_free},
        next::Next,
        state::State,
    },
    store::lockdown::Lift,
};

/// Why nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum LockdownError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("a reason is needed")]
    ReasonNeeded,
    #[error("{} locked down already", .0.by)]
    Already(Lockdown),
    #[error("there is no lockdown")]
    None,
    /// It stands as long as this drbot does; whether it outlives it nobody knows.
    #[error("the lockdown may not be durable")]
    NotDurable(Lockdown, #[source] anyhow::Error),
    #[error("the store failed")]
    Store(#[source] anyhow::Error),
}

impl Engine {
    /// The lockdown that stands.
    pub async fn lockdown(&self) -> Option<Lockdown> {
        self.0.lockdown.read().await.clone()
    }

    /// Locks down.
    ///
    /// # Errors
    /// Why not.
    pub async fn lock_down(&self, caller: &Caller, reason: &str) -> Result<Lockdown, LockdownError> {
        access::lock_down(&self.configuration().settings, caller)?;
        self.begin_lockdown(&caller.person.name, reason).await
    }

    /// Locks down, on the host.
    ///
    /// # Errors
    /// Why not.
    pub async fn lock_down_on_host(&self, keeper: &Keeper, reason: &str) -> Result<Lockdown, LockdownError> {
        self.begin_lockdown(keeper.by(), reason).await
    }

    async fn begin_lockdown(&self, by: &str, reason: &str) -> Result<Lockdown, LockdownError> {
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(LockdownError::ReasonNeeded);
        }
        let lockdown = Lockdown { by: by.to_owned(), at: self.0.clock.now(), reason: self.0.secrets.mask(reason) };
        let begun = self.pull(&lockdown).await;
        if matches!(begun, Ok(()) | Err(LockdownError::NotDurable(..))) {
            self.stands(&lockdown);
        }
        begun.map(|()| lockdown)
    }

    fn stands(&self, lockdown: &Lockdown) {
        tracing::warn!(by = lockdown.by, reason = lockdown.reason, "drbot is locked down");
        super::metrics::locked_down(true);
        self.noticed();
    }

    /// Makes a lockdown stand. When nobody can tell whether it is stored, it stands: a brake that fails is pulled.
    async fn pull(&self, lockdown: &Lockdown) -> Result<(), LockdownError> {
        let mut standing = self.0.lockdown.write().await;
        if let Some(standing) = &*standing {
            return Err(match self.make_durable(standing).await {
                Ok(()) => LockdownError::Already(standing.clone()),
                Err(error) => LockdownError::NotDurable(standing.clone(), error),
            });
        }
        let Err(error) = self.0.store.begin_lockdown(lockdown).await else {
            *standing = Some(lockdown.clone());
            return Ok(());
        };
        // An error while committing says nothing about whether it was committed: look.
        match self.0.store.lockdown().await {
            Ok(None) => Err(LockdownError::Store(error)),
            Ok(Some(there)) => {
                *standing = Some(there.clone());
                if there == *lockdown { Ok(()) } else { Err(LockdownError::Already(there)) }
            }
            Err(_) => {
                *standing = Some(lockdown.clone());
                Err(LockdownError::NotDurable(lockdown.clone(), error))
            }
        }
    }

    /// What stands in memory alone, because the store failed, is stored as soon as somebody speaks of it again.
    async fn make_durable(&self, standing: &Lockdown) -> anyhow::Result<()> {
        match self.0.store.lockdown().await? {
            Some(_) => Ok(()),
            None => self.0.store.begin_lockdown(standing).await,
        }
    }

    /// Lifts the lockdown.
    ///
    /// # Errors
    /// Why not.
    pub async fn lift_lockdown(&self, keeper: &Keeper, reason: &str) -> Result<Lockdown, LockdownError> {
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(LockdownError::ReasonNeeded);
        }
        let lift = Lift { by: keeper.by().to_owned(), reason: self.0.secrets.mask(reason) };
        let lifted = {
            let mut standing = self.0.lockdown.write().await;
            // Its end can be told only of what is stored.
            if let Some(standing) = &*standing {
                self.make_durable(standing).await.map_err(LockdownError::Store)?;
            }
            let lifted = self.0.store.lift_lockdown(&lift, self.0.clock.now()).await;
            let stood = match lifted {
                Ok(lifted) => {
                    *standing = None;
                    lifted
                }
                Err(error) => match self.0.store.lockdown().await {
                    // It was lifted all the same.
                    Ok(None) => standing.take(),
                    _ => return Err(LockdownError::Store(error)),
                },
            };
            stood.ok_or(LockdownError::None)?
        };
        tracing::warn!(by = lift.by, reason = lift.reason, "the lockdown is lifted");
        super::metrics::locked_down(false);
        self.noticed();
        Ok(lifted)
    }

    /// What stands from before drbot was started.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load_lockdown(&self) -> anyhow::Result<()> {
        let standing = self.0.store.lockdown().await?;
        if let Some(lockdown) = &standing {
            tracing::warn!(by = lockdown.by, reason = lockdown.reason, "drbot is locked down");
        }
        super::metrics::locked_down(standing.is_some());
        *self.0.lockdown.write().await = standing;
        Ok(())
    }

    /// Holds a run that a lockdown stands in the way of, in what comes next or in an approval of it, or lets go one that it
    /// does not any more. Whether it did.
    pub(super) async fn hold(
        &self,
        live: &Arc<Live>,
        state: &State,
        coming: Option<&Next>,
    ) -> Result<bool, AppendError> {
        let standing = self.lockdown().await;
        let event = match (&state.held, standing) {
            (None, Some(lockdown)) if stands_in_the_way(state, coming) => Event::Held { lockdown },
            (None, None) => match self.missed(state, coming).await? {
                Some(lockdown) => Event::Held { lockdown },
                None => return Ok(false),
            },
            (Some(held), standing)
                if state.finished.is_none() && standing.as_ref().is_none_or(|one| one.at != held.at) =>
            {
                match self.0.store.lift_of(held).await.map_err(AppendError::Store)? {
                    Some(Lift { by, reason }) => Event::Released { by, reason },
                    // It was never stored and never lifted, and this journal knows that it stood.
                    None => {
                        match self.pull(held).await {
                            Ok(()) => self.stands(held),
                            // By another run that it held.
                            Err(LockdownError::Already(_)) => {}
                            Err(error) => return Err(AppendError::Store(error.into())),
                        }
                        return Ok(false);
                    }
                }
            }
            _ => return Ok(false),
        };
        self.append_on(live, state, event).await?;
        Ok(true)
    }

    /// A lockdown that came and went while the run was busy: what was approved before it must not begin after it.
    async fn missed(&self, state: &State, coming: Option<&Next>) -> Result<Option<Lockdown>, AppendError> {
        let Some(Next::Begin { step }) = coming else { return Ok(None) };
        if !state.is_gated(*step) || !state.approval_is_at_stake() || is_free(state.created.command.risk) {
            return Ok(None);
        }
        let since = state.last_held.map_or(state.created_at, |last| last.max(state.created_at));
        self.0.store.lockdown_after(since).await.map_err(AppendError::Store)
    }

    /// Writes what begins something, unless a lockdown forbids it by now.
    pub(super) async fn append_unless_forbidden(
        &self,
        live: &Arc<Live>,
        seen: &State,
        begins: &Next,
        event: Event,
    ) -> Result<(), AppendError> {
        let standing = self.0.lockdown.read().await;
        if standing.is_some() && forbids(seen, begins) {
            // The next look at the run holds it.
            return Err(AppendError::Moved);
        }
        self.append_on(live, seen, event).await
    }

    /// Held for as long as something is decided that a lockdown must not see halfway.
    pub(super) async fn standing(&self) -> RwLockReadGuard<'_, Option<Lockdown>> {
        self.0.lockdown.read().await
    }

    /// Something is to be told that belongs to no run, and all runs look again.
    pub(super) fn noticed(&self) {
        self.0.notices.send_modify(|times| *times += 1);
        for live in self.0.runs.lock().unwrap_or_else(PoisonError::into_inner).values() {
            live.wake.notify_one();
        }
    }

    /// Changes each time something is to be told that belongs to no run.
    pub fn notices(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.notices.subscribe()
    }
}

fn stands_in_the_way(state: &State, coming: Option<&Next>) -> bool {
    let approves = state.ending.is_none() && state.approval_is_at_stake() && !is_free(state.created.command.risk);
    state.finished.is_none() && (approves || coming.is_some_and(|next| forbids(state, next)))
}
