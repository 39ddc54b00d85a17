//! The two ladders of an incident: their times, as the policy of a moment makes them.
//!
//! The *ack ladder* asks whether anybody has it; the *deadline ladder* whether recovery makes its deadline. Both are stored
//! with the incident as absolute times, so that a restart or an edited file moves nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Drill;
use crate::{
    clock::{Timestamp, elapsed},
    config::settings::{Level, Priority, RungSettings, Scenario},
    runbook::span::Span,
};

/// One rung of the deadline ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Share of the time to the deadline that is used when it is due.
    pub percent: u8,
    pub due_at: Timestamp,
    /// Contact roles, or what stands for several of them.
    pub page: Vec<String>,
    pub reach: Level,
}

/// How the ack ladder climbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckPolicy {
    /// From one level to the next.
    pub delay: Duration,
    /// How long whoever acknowledged is left alone.
    pub lease: Duration,
    /// How long they are then asked whether they are still on it.
    pub grace: Duration,
}

/// An acknowledgement holds for at least so long …
const SHORTEST_LEASE: Duration = Duration::from_secs(60);
/// … and people are called again behind the deadline at most this often.
const SHORTEST_REPEAT: Duration = Duration::from_secs(60);
/// The next level follows after at least so long.
const SHORTEST_DELAY: Duration = Duration::from_secs(15);
const GRACE: Duration = Duration::from_secs(30);

/// What an incident is measured by and who is called for it, as `drbot.toml` has it; in a drill within the drill's time, and
/// its contacts alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub scenario: Scenario,
    pub ladder: Vec<RungSettings>,
}

impl Policy {
    pub fn of(scenario: &Scenario, ladder: &[RungSettings], drill: Option<&Drill>) -> Self {
        let mut policy = Self { scenario: scenario.clone(), ladder: ladder.to_vec() };
        if let Some(drill) = drill {
            policy.scenario.rto = Span(drill.rto);
            policy.scenario.responsible.clone_from(&drill.contacts);
            policy.ladder.iter_mut().for_each(|rung| rung.page.clone_from(&drill.contacts));
        }
        policy
    }
}

/// The rungs between `from` and `due`.
pub fn rungs(ladder: &[RungSettings], from: Timestamp, due: Timestamp) -> Vec<Rung> {
    let whole = elapsed(from, due);
    let rungs = ladder.iter().map(|rung| Rung {
        percent: rung.at,
        due_at: from + whole * u32::from(rung.at) / 100,
        page: rung.page.clone(),
        reach: rung.reach.unwrap_or_else(|| usual_reach(rung.at)),
    });
    let mut rungs: Vec<_> = rungs.collect();
    rungs.sort_by_key(|rung| rung.percent);
    rungs
}

/// More addresses as the deadline comes near.
pub fn usual_reach(percent: u8) -> Level {
    match percent {
        ..50 => Level::Primary,
        50..90 => Level::Secondary,
        _ => Level::Emergency,
    }
}

/// By priority, but at most a tenth of the objective, and never below 15 s.
pub fn ack_policy(scenario: &Scenario) -> AckPolicy {
    let usual = match scenario.priority {
        Priority::Critical => 60,
        Priority::High => 90,
        Priority::Medium => 120,
    };
    let delay = Duration::from_secs(usual).min(scenario.rto.0 / 10).max(SHORTEST_DELAY);
    AckPolicy { delay, lease: SHORTEST_LEASE.max(scenario.rto.0 / 5), grace: GRACE }
}

/// A fifth of the time to the deadline, and at least a minute.
pub fn repeat_every(whole: Duration) -> Duration {
    SHORTEST_REPEAT.max(whole / 5)
}
