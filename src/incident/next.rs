//! What is due of an incident: whom to call, whom to ask, until when to wait. Pure: the ladders' stored times, what has
//! happened, and a moment go in.
//!
//! What must stay true, for any order of acknowledgements, progress, restarts, new deadlines and closing: nobody is called
//! after the end, never twice for the same, and a rung that is due is never silent. After a downtime only the highest rung
//! that is due is used, once, and says for which it stands.

use super::{
    event::{AlertSeen, Breach, Stall},
    ladder::Rung,
    outlook::Forecast,
    state::{Ack, State},
};
use crate::{
    clock::{Timestamp, elapsed},
    config::settings::Level,
};

/// What is known beside the incident's own events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// What remains of the run that recovers.
    pub forecast: Option<Forecast>,
    /// What stands still.
    pub stalls: Vec<Stall>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    Page(Due),
    /// Whoever has it is to be asked whether they still do.
    AskStill {
        until: Timestamp,
    },
    /// It is recovered, they say, and this alert does not end.
    StillFires(AlertSeen),
    /// Nothing is due before then.
    Wait(Option<Timestamp>),
    Ended,
}

/// Whom to call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Due {
    pub deadline: Option<Climb>,
    pub ack: Option<Level>,
    pub stall: Option<Stall>,
    /// When that which is due longest was due.
    pub due_at: Timestamp,
}

/// A rung of the deadline ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct Climb {
    pub percent: u8,
    pub repeat: u32,
    pub early: Option<Breach>,
    pub due_at: Timestamp,
    pub passed_over: Vec<u8>,
}

pub fn next(state: &State, facts: &Facts, now: Timestamp) -> Next {
    if state.closed.is_some() {
        return Next::Ended;
    }
    if let Some((alert, doubted)) = still_fires(state) {
        return if doubted <= now { Next::StillFires(alert.clone()) } else { Next::Wait(Some(doubted)) };
    }
    if state.recovered.is_some() {
        return Next::Wait(None);
    }
    if state.is_drilled() {
        return Next::Wait(None);
    }
    let climb = climb(state, facts, now);
    let (ack, ask) = ack(state, now);
    let stall = facts.stalls.iter().find(|stall| !state.stalled.contains(*stall)).cloned();
    if climb.is_some() || ack.is_some() || stall.is_some() {
        let since =
            [climb.as_ref().map(|climb| climb.due_at), ack.map(|(_, due_at)| due_at), stall.is_some().then_some(now)];
        let due_at = since.into_iter().flatten().min().unwrap_or(now);
        return Next::Page(Due { deadline: climb, ack: ack.map(|(level, _)| level), stall, due_at });
    }
    match ask {
        Some(until) => Next::AskStill { until },
        None => Next::Wait(wakes_at(state)),
    }
}

/// An alert that was never resolved, of an incident that is recovered; and when that is no recovery any more.
fn still_fires(state: &State) -> Option<(&AlertSeen, Timestamp)> {
    let recovered = state.recovered.as_ref().filter(|_| state.closed.is_none())?;
    Some((state.firing().next()?, recovered.since + state.opened.resolves_within))
}

/// The rung of the deadline ladder that is to be used now.
fn climb(state: &State, facts: &Facts, now: Timestamp) -> Option<Climb> {
    let deadline = &state.deadline;
    let open = || deadline.rungs.iter().filter(|rung| deadline.used.is_none_or(|used| rung.percent > used));
    let due: Vec<&Rung> = open().filter(|rung| rung.due_at <= now).collect();
    if let Some(highest) = due.last() {
        return Some(Climb {
            percent: highest.percent,
            repeat: 0,
            early: None,
            due_at: highest.due_at,
            passed_over: due[..due.len() - 1].iter().map(|rung| rung.percent).collect(),
        });
    }
    if let Some(at) = repeats_at(state).filter(|at| *at <= now) {
        return Some(Climb {
            percent: deadline.used?,
            repeat: deadline.repeats + 1,
            early: None,
            due_at: at,
            passed_over: Vec::new(),
        });
    }
    // Not the last one: that the deadline has passed is told when it has.
    let last = deadline.rungs.last().map(|rung| rung.percent);
    let next = open().next().filter(|rung| Some(rung.percent) != last)?;
    let breach = breach(state, facts, now)?;
    Some(Climb { percent: next.percent, repeat: 0, early: Some(breach), due_at: now, passed_over: Vec::new() })
}

/// By the forecast recovery comes too late: the next rung is used early, once.
fn breach(state: &State, facts: &Facts, now: Timestamp) -> Option<Breach> {
    let forecast = facts.forecast.as_ref().filter(|_| !state.deadline.hastened)?;
    let breach = Breach { needs: forecast.p90, left: elapsed(now, state.deadline.due) };
    (breach.needs > breach.left).then_some(breach)
}

/// When people are called again, where the last rung was used.
fn repeats_at(state: &State) -> Option<Timestamp> {
    let deadline = &state.deadline;
    let is_last = deadline.used.is_some() && deadline.used == deadline.rungs.last().map(|rung| rung.percent);
    // The last rung may have been used early.
    is_last.then_some(deadline.last_called?.max(deadline.due) + deadline.repeat_every)
}

/// The level of the ack ladder that is to be used now, and since when; or until when somebody is to be asked whether they
/// are still on it.
fn ack(state: &State, now: Timestamp) -> (Option<(Level, Timestamp)>, Option<Timestamp>) {
    match &state.ack {
        Ack::Open { level, due_at } if *due_at <= now => {
            // Levels that would have been due in a downtime are passed over; each calls those before it as well.
            let delay = state.ack_policy.delay;
            let mut level = *level;
            let mut at = *due_at + delay;
            while let Some(later) = level.after().filter(|_| at <= now) {
                level = later;
                at += delay;
            }
            (Some((level, *due_at)), None)
        }
        Ack::Held { until, .. } if *until <= now => (None, Some(now + state.ack_policy.grace)),
        Ack::Asked { until, next, .. } if *until <= now => (Some((*next, *until)), None),
        _ => (None, None),
    }
}

/// When something is due next if nothing happens; the forecast aside.
pub fn wakes_at(state: &State) -> Option<Timestamp> {
    if state.is_over() {
        return still_fires(state).map(|(_, doubted)| doubted);
    }
    if state.is_drilled() {
        return None;
    }
    let deadline = &state.deadline;
    let rung = deadline.rungs.iter().find(|rung| deadline.used.is_none_or(|used| rung.percent > used));
    let ack = match &state.ack {
        Ack::Open { due_at, .. } => Some(*due_at),
        Ack::Held { until, .. } | Ack::Asked { until, .. } => Some(*until),
        Ack::Exhausted => None,
    };
    [rung.map(|rung| rung.due_at), repeats_at(state), ack].into_iter().flatten().min()
}
