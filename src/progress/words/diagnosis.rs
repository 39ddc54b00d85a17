//! Which scenario the symptoms fit, said with the evidence.

use super::super::outside::plain;
use crate::run::{diagnosis, state::State};

/// A line for each scenario that fits, the best first.
pub(super) fn fitting(state: &State) -> Vec<String> {
    let lines = diagnosis::of(state).into_iter().enumerate().map(|(index, fit)| {
        let how = if index == 0 { "This looks like" } else { "It may also be" };
        let scenario = plain(&fit.scenario.replace('-', " "));
        let because = plain(fit.because.trim_end_matches('.'));
        format!("{how} **{scenario}**: {because}. Recover with /{}.", plain(&fit.command))
    });
    lines.collect()
}
