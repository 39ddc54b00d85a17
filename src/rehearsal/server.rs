//! The state behind its lock, and waiting for it to change.
//!
//! The lock is never held across an await: [`Server::with`] takes a plain function.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::state::State;
use crate::clock::Clock;

#[derive(Debug)]
pub struct Server {
    pub clock: Clock,
    pub token: String,
    pub heartbeat: Duration,
    pub stop: CancellationToken,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

impl Server {
    pub fn new(state: State, heartbeat: Duration) -> Arc<Self> {
        Arc::new(Self {
            clock: state.clock.clone(),
            token: state.token.clone(),
            heartbeat,
            stop: CancellationToken::new(),
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
        })
    }

    /// Looks at the state or changes it, and wakes those who wait.
    pub fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let result = act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
        result
    }

    /// Looks at the state, and wakes nobody.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Told each time that the state may have changed.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Waits until `look` finds something, for at most `limit`.
    pub async fn wait<T>(&self, limit: Duration, look: impl Fn(&State) -> Option<T>) -> Option<T> {
        let mut changed = self.changed.subscribe();
        let found = async {
            loop {
                changed.mark_unchanged();
                if let Some(found) = self.look(&look) {
                    return Some(found);
                }
                changed.changed().await.ok()?;
            }
        };
        self.clock.timeout(limit, found).await.flatten()
    }
}
