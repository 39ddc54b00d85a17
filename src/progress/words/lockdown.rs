//! What is said of lockdowns, and of targets that are others than they were.

use super::{
    super::outside::{cut, plain},
    ago,
    glass::{review_overdue, reviewed},
    list, name, person,
};
use crate::{
    clock::Timestamp,
    fingerprint::{Kind, Part},
    run::{lockdown::Lockdown, notice::Notice},
};

/// How it is lifted.
const UNLOCK: &str = "It is lifted on drbot's host: `drbot unlock REASON`.";

fn why(reason: &str) -> String {
    cut(&plain(reason), 500)
}

/// To who wants to start something.
pub fn locked_down(lockdown: &Lockdown, now: Timestamp) -> String {
    format!(
        "drbot is locked down: {} did it {} ({}). Only what reads, and what only brakes like /halt, can be started. {UNLOCK}",
        person(&lockdown.by),
        ago(lockdown.at, now),
        why(&lockdown.reason),
    )
}

/// To who wants to let a run go forward.
pub fn no_answer_in_lockdown(lockdown: &Lockdown) -> String {
    format!(
        "drbot is locked down by {} ({}): nothing can be approved or answered but to stop. {UNLOCK}",
        person(&lockdown.by),
        why(&lockdown.reason),
    )
}

pub fn locks_down() -> String {
    format!(
        "drbot is locked down. Nothing begins but what only reads, and what only brakes like /halt; steps under way end by \
         themselves. {UNLOCK}"
    )
}

pub fn locked_down_already(lockdown: &Lockdown, now: Timestamp) -> String {
    format!(
        "drbot is locked down already: {} did it {} ({}). {UNLOCK}",
        person(&lockdown.by),
        ago(lockdown.at, now),
        why(&lockdown.reason),
    )
}

/// The brake is pulled, and nobody knows whether it is on record.
pub fn locked_down_in_memory(lockdown: &Lockdown) -> String {
    format!(
        "drbot is locked down by {}, but my own store failed: this may end when drbot is started again. Mend the store (see the \
         log on the host; the usual cause is a full disk) and lock down once more. {UNLOCK}",
        person(&lockdown.by),
    )
}

pub fn not_locked_down() -> String {
    "drbot is not locked down.".to_owned()
}

pub fn unlocked(lockdown: &Lockdown) -> String {
    format!("The lockdown of {} is lifted; what it held goes on where a drbot serves.", person(&lockdown.by))
}

/// On the card of a run that was free in it.
pub fn stood(lockdown: &Lockdown) -> String {
    format!("drbot was locked down when this began, by {} ({}).", person(&lockdown.by), why(&lockdown.reason))
}

/// On the card of a run that it holds.
pub fn holds(lockdown: &Lockdown) -> String {
    format!("drbot is locked down by {} ({}). {UNLOCK}", person(&lockdown.by), why(&lockdown.reason))
}

pub fn held(lockdown: &Lockdown) -> String {
    format!("🔒 held: {} locked drbot down: {}", person(&lockdown.by), why(&lockdown.reason))
}

pub fn released(by: &str, reason: &str) -> String {
    format!("🔓 {} lifted the lockdown: {}", person(by), why(reason))
}

/// A server of a target, for people.
pub fn server(part: &Part) -> String {
    let what = match part.kind {
        Kind::Postgres => "PostgreSQL server",
        Kind::Docker => "Docker engine",
    };
    format!("{what} {}", cut(&plain(&part.value), 100))
}

/// A server that could not be looked at.
pub fn unseen(kind: Kind, why: &str) -> String {
    let what = match kind {
        Kind::Postgres => "the PostgreSQL server",
        Kind::Docker => "the Docker engine",
    };
    format!("{what} cannot be seen: {}", cut(&plain(why), 300))
}

pub fn accepted(target: &str) -> String {
    format!("These are the servers of the target {} from now on; the channel is told.", name(target))
}

pub fn which_target(targets: &[String]) -> String {
    match targets {
        [] => "drbot.toml names no target.".to_owned(),
        targets => format!("Say which target: {}.", list(targets)),
    }
}

pub fn no_such_target(name: &str, targets: &[String]) -> String {
    format!("There is no target {}. {}", self::name(name), which_target(targets))
}

/// What the whole channel is told: a heading and a text.
pub fn notice(notice: &Notice) -> (String, String) {
    match notice {
        Notice::LockedDown { lockdown } => (
            "🔒 drbot is locked down".to_owned(),
            format!(
                "{} locked drbot down: {}\nNothing begins but what only reads, and what only brakes like /halt. Steps under way end \
                 by themselves, and runs are held before their next one. {UNLOCK}",
                person(&lockdown.by),
                why(&lockdown.reason),
            ),
        ),
        Notice::LockdownLifted { lockdown, by, reason } => (
            "🔓 The lockdown is lifted".to_owned(),
            format!(
                "{} lifted the lockdown of {}: {}\nWhat was held goes on.",
                person(by),
                person(&lockdown.by),
                why(reason),
            ),
        ),
        Notice::Reviewed { run, command, breaker, by, note } => reviewed(run, command, breaker, by, note),
        Notice::ReviewOverdue { run, command, breaker, due_at, .. } => review_overdue(run, command, breaker, *due_at),
        Notice::TargetAccepted { target, parts, by } => (
            "The target is another one by now".to_owned(),
            format!(
                "{} accepts as the target {}: {}. What is to be changed there is held against these from now on.",
                person(by),
                name(target),
                parts.iter().map(server).collect::<Vec<_>>().join(", "),
            ),
        ),
        Notice::AlertUnknown { name, summary } => (
            format!("🔔 {} fires", cut(&plain(name), 150)),
            format!(
                "{}\nNo rule of `[alerts]` in drbot.toml says what it is about, so nobody is called. `/incident open` if it is a disaster.",
                cut(&plain(summary), 500)
            ),
        ),
        Notice::ContactsChanged { by, user, changes } => {
            ("📇 Who is called is changed".to_owned(), super::contacts::changed(by, *user, changes))
        }
    }
}
