//! Whether trading is on, and how: what is asked, what is remembered over a restart, what was counted.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use drbot::clock::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as Gate, MutexGuard as Passage};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    pub active: bool,
    pub mode: String,
    pub max_position_size: f64,
    pub since: Timestamp,
    pub config: Config,
}

/// What `/config/update` changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    pub primary_rpc: String,
    pub backup_rpc: String,
    pub failover_enabled: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub inserted: u64,
    pub errors: u64,
    pub errors_in_a_row: u64,
    pub last_error: Option<String>,
    pub last_trade_at: Option<Timestamp>,
}

pub struct Desk {
    clock: Clock,
    file: Option<PathBuf>,
    state: Mutex<State>,
    counts: Mutex<Counts>,
    /// Held while a trade is on its way to the database.
    gate: Gate<()>,
}

impl Desk {
    /// As it was left, or trading when nothing was left or it is to be forgotten.
    pub fn open(clock: Clock, file: Option<PathBuf>, forget_halt: bool) -> Self {
        let left = file.as_deref().filter(|_| !forget_halt).and_then(read);
        let state = left.unwrap_or_else(|| State {
            active: true,
            mode: "normal".into(),
            max_position_size: 0.02,
            since: clock.now(),
            config: Config {
                primary_rpc: "helius_endpoint".into(),
                backup_rpc: "quicknode_endpoint".into(),
                failover_enabled: false,
            },
        });
        Self { clock, file, state: Mutex::new(state), counts: Mutex::default(), gate: Gate::default() }
    }

    pub fn state(&self) -> State {
        lock(&self.state).clone()
    }

    pub fn counts(&self) -> Counts {
        lock(&self.counts).clone()
    }

    /// Passed by whoever sends a trade, for as long as that takes. `None` when trading is halted.
    pub async fn pass(&self) -> Option<Passage<'_, ()>> {
        let passage = self.gate.lock().await;
        lock(&self.state).active.then_some(passage)
    }

    /// Halts. When this returns no trade is on its way, and none will be.
    pub async fn halt(&self) -> State {
        {
            let mut state = lock(&self.state);
            if state.active {
                state.active = false;
                state.since = self.clock.now();
            }
        }
        let _nothing_in_flight = self.gate.lock().await;
        self.keep()
    }

    pub fn resume(&self, mode: Option<String>, max_position_size: Option<f64>) -> State {
        {
            let mut state = lock(&self.state);
            if !state.active {
                state.active = true;
                state.since = self.clock.now();
            }
            if let Some(mode) = mode {
                state.mode = mode;
            }
            if let Some(size) = max_position_size {
                state.max_position_size = size;
            }
        }
        self.keep()
    }

    pub fn configure(&self, change: impl FnOnce(&mut Config)) -> State {
        change(&mut lock(&self.state).config);
        self.keep()
    }

    pub fn traded(&self, at: Timestamp) {
        let mut counts = lock(&self.counts);
        counts.inserted += 1;
        counts.errors_in_a_row = 0;
        counts.last_error = None;
        counts.last_trade_at = Some(at);
    }

    pub fn failed(&self, error: String) {
        let mut counts = lock(&self.counts);
        counts.errors += 1;
        counts.errors_in_a_row += 1;
        counts.last_error = Some(error);
    }

    /// Writes the state down. What cannot be written holds all the same, until the next start.
    fn keep(&self) -> State {
        let state = lock(&self.state);
        if let Some(file) = &self.file
            && let Err(error) = write(file, &state)
        {
            tracing::error!("the state could not be written to {}: {error}", file.display());
        }
        state.clone()
    }
}

fn read(file: &Path) -> Option<State> {
    let text = std::fs::read(file).ok()?;
    serde_json::from_slice(&text)
        .inspect_err(|error| tracing::error!("the state in {} is not readable: {error}", file.display()))
        .ok()
}

fn write(file: &Path, state: &State) -> std::io::Result<()> {
    let beside = file.with_extension("partial");
    let mut partial = std::fs::File::create(&beside)?;
    partial.write_all(&serde_json::to_vec(state)?)?;
    partial.sync_all()?;
    std::fs::rename(&beside, file)
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
