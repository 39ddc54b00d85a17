//! The rungs of a run: when people are called because its recovery takes long.
//!
//! Times are fixed when the run is created, with the policy of that moment, so that a restart or an edited file moves
//! nothing. Whom a rung means is looked up when it is due: who corrects a contact during a disaster is heard.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    config::settings::{RungSettings, Scenario},
};

/// In a rung: the contact roles that the scenario names as responsible.
pub const RESPONSIBLE: &str = "responsible";
/// In a rung: every contact.
pub const EVERYONE: &str = "everyone";

/// One rung of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Share of the RTO that is used when it is due.
    pub percent: u8,
    pub due_at: Timestamp,
    /// Contact roles, [`RESPONSIBLE`] and [`EVERYONE`].
    pub page: Vec<String>,
}

/// The rungs of a run that begins at `at`; none without a scenario.
pub fn of(scenario: Option<&Scenario>, ladder: &[RungSettings], at: Timestamp) -> Vec<Rung> {
    let Some(scenario) = scenario else { return Vec::new() };
    // Whoever starts a run knows of it: at 0 % nobody has to be told.
    let rungs = ladder.iter().filter(|rung| rung.at > 0).map(|rung| Rung {
        percent: rung.at,
        due_at: at + share(scenario.rto.0, rung.at),
        page: rung.page.clone(),
    });
    rungs.collect()
}

fn share(whole: Duration, percent: u8) -> Duration {
    whole * u32::from(percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{Priority, default_ladder};

    #[test]
    fn the_shares_are_of_the_objective() {
        let scenario = Scenario {
            name: "Corruption".to_owned(),
            rto: "30m".parse().unwrap(),
            rpo: "10m".parse().unwrap(),
            priority: Priority::Critical,
            responsible: Vec::new(),
        };
        let at = Timestamp::from_timestamp_micros(1_000_000_000).unwrap();
        let rungs = of(Some(&scenario), &default_ladder(), at);
        let minutes: Vec<_> = rungs.iter().map(|rung| (rung.due_at - at).as_seconds_f64() / 60.0).collect();
        assert_eq!(minutes, [15.0, 22.5, 27.0, 30.0]);
        assert!(of(None, &default_ladder(), at).is_empty());
    }
}
