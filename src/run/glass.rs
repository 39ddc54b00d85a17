//! Break-glass: one person lets a run go on whose approval nobody gives, because waiting would be worse.
//!
//! What must stay true: it is there only for whom `drbot.toml` names, near the deadline or when a call for approval has
//! expired unanswered, and what was the case is recorded; like an approval it is bound to the plan; it is never quiet, and it
//! leaves a review that somebody else has to do.

use serde::{Deserialize, Serialize};

use super::{
    event::{Called, Person},
    state::State,
};
use crate::{
    clock::{Timestamp, elapsed},
    ids::RunId,
};

/// A reason that nobody can read anything from is none.
pub const SHORTEST_REASON: usize = 15;

/// Under which circumstances a run's glass may be broken; frozen when the run is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glass {
    /// Percent of the RTO that must be used.
    pub near: u8,
}

/// What allowed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grounds {
    /// Percent of the RTO that was used; none where the run has no objective, or was recovered.
    pub used: Option<u64>,
    /// How many calls for approval had expired unanswered.
    pub unanswered: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlassBroken {
    /// Of the call for approval that it stands for.
    pub round: u32,
    pub by: Person,
    /// SHA-256 of the rendered plan.
    pub plan_hash: String,
    pub reason: String,
    pub grounds: Grounds,
    pub called: Vec<Called>,
    /// Who should be called and cannot be, in Discord.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<String>,
    /// When somebody else has to have looked at it.
    pub review_by: Timestamp,
}

/// The task that a broken glass leaves: somebody else has to look at it. Those of one run are done together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    pub run: RunId,
    pub seq: u64,
    pub command: String,
    pub breaker: Person,
    pub opened_at: Timestamp,
    pub due_at: Timestamp,
    /// Who has done it, and when.
    pub done: Option<(String, Timestamp)>,
}

/// What allows to break a run's glass now, if anything does.
pub fn grounds(state: &State, now: Timestamp) -> Option<Grounds> {
    let glass = state.created.glass?;
    let found = Grounds { used: used(state, now), unanswered: state.unanswered };
    let is_near = found.used.is_some_and(|used| used >= u64::from(glass.near));
    (is_near || found.unanswered > 0).then_some(found)
}

/// When the deadline is near enough, where there is one.
pub fn near_from(state: &State) -> Option<Timestamp> {
    let glass = state.created.glass?;
    let rto = state.objective()?;
    Some(state.created_at + rto * u32::from(glass.near) / 100)
}

fn used(state: &State, now: Timestamp) -> Option<u64> {
    let rto = state.objective().filter(|rto| !rto.is_zero())?;
    if state.recovered_at.is_some() {
        return None;
    }
    let percent = elapsed(state.created_at, now).as_millis() * 100 / rto.as_millis().max(1);
    Some(u64::try_from(percent).unwrap_or(u64::MAX))
}

/// What is to be typed: the target, or the command where it has none.
pub fn word(state: &State) -> String {
    state.created.command.target.clone().unwrap_or_else(|| state.created.command.name.clone())
}

/// Whether a reason says anything.
pub fn says_why(reason: &str) -> bool {
    reason.trim().chars().count() >= SHORTEST_REASON
}
