//! How long runs of a command took, out of their journals. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::state::{State, Status};
use crate::clock::elapsed;

/// What runs that succeeded took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// How many runs are behind these figures.
    pub runs: usize,
    /// From the command to the end, waiting for people included.
    pub whole: Option<Took>,
    /// From the command to verified recovery, for commands that recover something.
    pub recovery: Option<Took>,
    /// By the steps' ids; all attempts of a step together.
    pub steps: BTreeMap<String, Took>,
}

/// Half of the times are at most `p50`, nine of ten at most `p90`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Took {
    pub p50: Duration,
    pub p90: Duration,
}

/// The figures of the runs that succeeded among these.
pub fn of<'a>(runs: impl IntoIterator<Item = &'a State>) -> History {
    let mut history = History::default();
    let (mut whole, mut recovery) = (Vec::new(), Vec::new());
    let mut steps: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for run in runs {
        let Some(finished) = run.finished.as_ref().filter(|finished| finished.outcome.is_success()) else { continue };
        history.runs += 1;
        whole.push(elapsed(run.created_at, finished.at));
        recovery.extend(run.recovered_at.map(|at| elapsed(run.created_at, at)));
        for step in run.steps.iter().filter(|step| step.status == Status::Succeeded) {
            if let (Some(from), Some(to)) = (step.started_at, step.ended_at) {
                steps.entry(step.definition.id.clone()).or_default().push(elapsed(from, to));
            }
        }
    }
    history.whole = took(whole);
    history.recovery = took(recovery);
    history.steps = steps.into_iter().filter_map(|(id, times)| Some((id, took(times)?))).collect();
    history
}

/// By the nearest rank: every figure is one that was really measured.
fn took(mut times: Vec<Duration>) -> Option<Took> {
    times.sort_unstable();
    let rank = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    Some(Took { p50: rank(50)?, p90: rank(90)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_times_that_were_measured() {
        let seconds = |times: &[u64]| times.iter().copied().map(Duration::from_secs).collect::<Vec<_>>();
        assert_eq!(took(Vec::new()), None);
        let one = Duration::from_secs(7);
        assert_eq!(took(seconds(&[7])), Some(Took { p50: one, p90: one }));
        let ten = took(seconds(&[10, 1, 9, 2, 8, 3, 7, 4, 6, 5])).unwrap();
        assert_eq!((ten.p50.as_secs(), ten.p90.as_secs()), (5, 9));
    }
}
