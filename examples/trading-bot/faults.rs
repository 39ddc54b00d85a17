//! What goes wrong on request, so that tests can see how a bot takes it.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use serde::{Deserialize, Serialize};

use crate::desk::lock;

/// Paths are exact: `/status/trading`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Never answered.
    pub hang: Vec<String>,
    /// Answered with this status, and nothing done.
    pub status: BTreeMap<String, u16>,
    /// Answered, but later by so many milliseconds.
    pub slow_ms: BTreeMap<String, u64>,
    /// Done, but the answer is cut-off JSON.
    pub wrong_json: Vec<String>,
    /// `/emergency/halt` says that trading is halted, and it goes on.
    pub ignore_halt: bool,
}

#[derive(Default)]
pub struct CurrentFaults(Mutex<Faults>);

impl CurrentFaults {
    pub fn get(&self) -> Faults {
        lock(&self.0).clone()
    }

    pub fn set(&self, faults: Faults) {
        *lock(&self.0) = faults;
    }
}

impl Faults {
    pub fn hangs(&self, path: &str) -> bool {
        self.hang.iter().any(|one| one == path)
    }

    pub fn garbles(&self, path: &str) -> bool {
        self.wrong_json.iter().any(|one| one == path)
    }

    pub fn delay(&self, path: &str) -> Option<Duration> {
        self.slow_ms.get(path).copied().map(Duration::from_millis)
    }
}
