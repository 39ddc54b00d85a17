//! How much time open incidents have left, as a figure for monitoring.

use std::collections::BTreeMap;

use metrics::gauge;

use super::metrics::LEFT;
use crate::{clock::Timestamp, incident::state::State};

/// What was told so far: a figure whose incidents are over must say so.
#[derive(Default)]
pub(super) struct Left(BTreeMap<(String, String), f64>);

impl Left {
    /// The least time of each scenario and target, in seconds; negative behind the deadline.
    pub(super) fn tell(&mut self, open: &[State], now: Timestamp) {
        self.0.values_mut().for_each(|left| *left = f64::NAN);
        for state in open.iter().filter(|state| !state.is_over() && !state.is_drill()) {
            let key = (state.kind.key.clone(), state.opened.target.clone().unwrap_or_default());
            let left = (state.deadline.due - now).as_seconds_f64();
            let least = self.0.entry(key).or_insert(f64::NAN);
            *least = least.min(left);
        }
        for ((scenario, target), left) in &self.0 {
            gauge!(LEFT, "scenario" => scenario.clone(), "target" => target.clone()).set(*left);
        }
    }
}
