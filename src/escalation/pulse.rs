//! Whether anybody looks at what is due: the one thing that must never stop unnoticed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::clock::Clock;

/// Without a look for so long nobody would be called in time.
const LOST: Duration = Duration::from_secs(15);

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pulse {
    clock: Clock,
    last: Arc<Mutex<Instant>>,
}

impl Pulse {
    pub(super) fn new(clock: Clock) -> Self {
        let last = Arc::new(Mutex::new(clock.monotonic()));
        Self { clock, last }
    }

    pub(super) fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = self.clock.monotonic();
    }

    /// # Errors
    /// When nobody has looked for what is due for too long.
    pub fn check(&self) -> anyhow::Result<()> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = self.clock.monotonic().saturating_duration_since(last);
        anyhow::ensure!(silent < LOST, "nobody has looked for {} s whom to call", silent.as_secs());
        Ok(())
    }
}
