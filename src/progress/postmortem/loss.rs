//! The data that was lost, as a run's step measured it, held against the scenario's RPO.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Record, Run};
use crate::{
    progress::{view, words},
    run,
};

/// Whether a loss is within the objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Within,
    /// By at least so much, where there may have been more.
    Over {
        by: Duration,
        at_least: bool,
    },
    /// What was measured does not tell.
    Unknown,
}

/// Runs that measured what was lost, and what their figures mean.
pub fn of(record: &Record) -> Vec<(&Run, Verdict)> {
    let rpo = record.state.kind.scenario.rpo.0;
    record.runs.iter().filter_map(|run| Some((run, verdict(view::loss(&run.state)?, rpo)))).collect()
}

/// What a run measured, in words, and what it means.
pub fn measured(run: &run::state::State, rpo: Duration) -> Option<(String, Verdict)> {
    Some((words::loss(run)?, verdict(view::loss(run)?, rpo)))
}

fn verdict(loss: &Map<String, Value>, rpo: Duration) -> Verdict {
    let time = |name: &str| loss.get(name).and_then(Value::as_f64).map(span);
    let is_least = loss.get("is_least").and_then(Value::as_bool).unwrap_or(false);
    let is_bounded = time("at_most").is_some_and(|most| most <= rpo);
    match time("seconds") {
        Some(lost) if lost > rpo => Verdict::Over { by: lost.saturating_sub(rpo), at_least: is_least },
        Some(_) if !is_least => Verdict::Within,
        _ if is_bounded => Verdict::Within,
        _ => Verdict::Unknown,
    }
}

fn span(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, 1e9))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_known_is_said_of_the_objective() {
        let rpo = Duration::from_secs(600);
        let says = |loss: Value| verdict(loss.as_object().unwrap(), rpo);
        let over = |by, at_least| Verdict::Over { by: Duration::from_secs(by), at_least };
        assert_eq!(says(json!({"seconds": 600, "rows": 3, "is_least": false})), Verdict::Within);
        assert_eq!(says(json!({"seconds": 900, "is_least": false})), over(300, false));
        assert_eq!(says(json!({"seconds": 900, "is_least": true, "at_most": 2000})), over(300, true));
        assert_eq!(says(json!({"seconds": 10, "is_least": true, "at_most": 500})), Verdict::Within);
        assert_eq!(says(json!({"seconds": 10, "is_least": true, "at_most": 700})), Verdict::Unknown);
        assert_eq!(says(json!({"seconds": 10, "is_least": true})), Verdict::Unknown);
        assert_eq!(says(json!({"seconds": null, "rows": null, "at_most": 500})), Verdict::Within);
        assert_eq!(says(json!({"seconds": null, "how": "no sample"})), Verdict::Unknown);
    }
}
