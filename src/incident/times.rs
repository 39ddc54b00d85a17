//! The four times of an incident and what follows from them. Never blended: each figure says from which to which, and one
//! that needs a time nobody knows is not there.
//!
//! MTTD is from the failure to the alert, MTTA from the alert to the first thing that a person did, MTTR from the failure to
//! verified recovery.

use std::time::Duration;

use super::{
    event::{Because, Seen},
    state::State,
};
use crate::clock::{Timestamp, elapsed};

#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    /// Last good evidence before.
    pub failure: Option<Seen>,
    pub detected: Seen,
    pub responded: Option<Seen>,
    pub recovered: Option<Seen>,
}

impl Times {
    /// From the failure to the alert.
    pub fn to_detect(&self) -> Option<Duration> {
        Some(elapsed(self.failure.as_ref()?.at, self.detected.at))
    }

    /// From the alert to the first thing that a person did.
    pub fn to_acknowledge(&self) -> Option<Duration> {
        Some(elapsed(self.detected.at, self.responded.as_ref()?.at))
    }

    /// From the failure to verified recovery.
    pub fn to_recover(&self) -> Option<Duration> {
        Some(elapsed(self.failure.as_ref()?.at, self.recovered.as_ref()?.at))
    }

    /// From the alert to verified recovery: what is known where the failure is not.
    pub fn from_detection_to_recovery(&self) -> Option<Duration> {
        Some(elapsed(self.detected.at, self.recovered.as_ref()?.at))
    }
}

pub fn of(state: &State) -> Times {
    let responded = state.responded.as_ref().map(|(at, by)| Seen { at: *at, source: by.name.clone() });
    let recovered = state.recovered.as_ref().map(|recovered| {
        let command =
            state.runs.iter().find(|joined| joined.run == recovered.run).map(|joined| joined.command.as_str());
        Seen { at: recovered.at, source: format!("/{} {}", command.unwrap_or("run"), recovered.run.short()) }
    });
    Times { failure: state.opened.failure.clone(), detected: state.opened.detected.clone(), responded, recovered }
}

/// The clock of the objective at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// From where it runs to the deadline.
    pub whole: Duration,
    pub used: Duration,
    pub due: Timestamp,
    /// Stopped by verified recovery or by closing.
    pub stopped: bool,
}

impl Clock {
    pub fn left(&self) -> Duration {
        self.whole.saturating_sub(self.used)
    }

    /// How much too late it is.
    pub fn over(&self) -> Duration {
        self.used.saturating_sub(self.whole)
    }
}

pub fn clock(state: &State, now: Timestamp) -> Clock {
    let from = state.deadline.from.at;
    let recovered = state.recovered.as_ref().map(|recovered| recovered.at);
    let end = recovered.or(state.closed.as_ref().map(|closed| closed.at));
    Clock {
        whole: elapsed(from, state.deadline.due),
        used: elapsed(from, end.unwrap_or(now)),
        due: state.deadline.due,
        stopped: end.is_some(),
    }
}

/// Whether an alert has found it, rather than a person.
pub fn was_alerted(state: &State) -> bool {
    state.is_drill() || matches!(state.opened.because, Because::Alert(_))
}
