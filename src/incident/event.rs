//! What can be written about an incident. Append-only; a variant or field that was ever written stays readable.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ladder::{AckPolicy, Rung};
use crate::{
    clock::Timestamp,
    config::settings::{DiscordId, Level, Scenario},
    contacts::way::Way,
    ids::{IncidentId, RunId},
    run::event::{Called, Person},
};

/// One line of an incident's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub incident: IncidentId,
    /// From 1, without gaps.
    pub seq: u64,
    pub at: Timestamp,
    pub event: Event,
}

/// A moment, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub at: Timestamp,
    /// In words: "the alert DatabaseDown", "the last good sample".
    pub source: String,
}

/// A scenario under its name in `drbot.toml`, with the objectives of that moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kind {
    pub key: String,
    pub scenario: Scenario,
}

/// An alert as far as an incident is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSeen {
    /// Who says so: `alertmanager`, or a name that the sender gave.
    pub source: String,
    pub fingerprint: String,
    pub name: String,
    pub summary: String,
    /// The evidence, where the sender gave more than a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub starts_at: Timestamp,
}

/// Why there is an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Because {
    /// Somebody says so.
    Person {
        by: Person,
        text: Option<String>,
    },
    /// Somebody began to recover.
    Run {
        run: RunId,
        command: String,
        by: Person,
    },
    Alert(AlertSeen),
}

/// Everything that an incident needs to know, as it was when it was opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub kind: Kind,
    pub target: Option<String>,
    pub because: Because,
    /// When it failed, where that is known.
    pub failure: Option<Seen>,
    pub detected: Seen,
    /// Where it is told.
    pub channel: DiscordId,
    /// The deadline ladder: absolute times, in their order.
    pub rungs: Vec<Rung>,
    pub ack: AckPolicy,
    /// Behind the last rung people are called again, each time so much has passed.
    pub repeat_every: Duration,
    /// How long an alert may fire behind a recovery until that is doubted.
    #[serde(default = "usual_resolving")]
    pub resolves_within: Duration,
    /// Nothing has happened: people try the ladders out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drill>,
}

/// Alertmanager says that an alert has ended with the next notification of its group: five minutes later at most by its default
/// (`group_interval`), and Prometheus has to scrape and to evaluate before that (a minute each).
pub const USUAL_RESOLVING: Duration = Duration::from_secs(10 * 60);

fn usual_resolving() -> Duration {
    USUAL_RESOLVING
}

/// How the ladders are tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// Contact roles that are called in the place of all others.
    pub contacts: Vec<String>,
    /// The objective, in the place of the scenario's.
    pub rto: Duration,
    /// Whether ways are used that reach whoever listens there.
    pub services: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    Opened(Box<Opened>),
    /// A run that recovers from it has begun.
    RunJoined {
        run: RunId,
        command: String,
        by: Person,
    },
    /// Another alert, or one that was resolved, fires.
    AlertFired {
        alert: AlertSeen,
    },
    AlertResolved {
        source: String,
        fingerprint: String,
        name: String,
    },
    /// Somebody has it, until then at first.
    Acknowledged {
        by: Person,
        until: Timestamp,
        /// In words: "by the button", "by the link in a page".
        how: String,
    },
    /// Whoever has it has done something on it: they have it for longer.
    Renewed {
        by: Person,
        until: Timestamp,
    },
    /// They have done nothing for long: they are asked, until then.
    StillAsked {
        by: Person,
        until: Timestamp,
    },
    /// People are called.
    Paged(Box<Paged>),
    /// What became of a page that goes another way than by Discord.
    Delivered {
        page: PageTo,
        outcome: Delivery,
    },
    Noted {
        by: Person,
        text: String,
    },
    /// It is another kind of disaster than was thought.
    ScenarioChanged {
        by: Person,
        kind: Kind,
        rungs: Vec<Rung>,
        ack: AckPolicy,
        repeat_every: Duration,
    },
    /// Somebody answers for another deadline.
    DeadlineMoved {
        by: Person,
        due: Timestamp,
        reason: String,
        rungs: Vec<Rung>,
        repeat_every: Duration,
    },
    /// The clock of drbot's machine was set back by so much, to `now`. The ladders come sooner by as much: what counts is how
    /// long people have waited.
    ClockSetBack {
        by: Duration,
        now: Timestamp,
    },
    /// Recovery is verified, by a run's step.
    Recovered {
        run: RunId,
        at: Timestamp,
    },
    /// An alert of it fires again behind the recovery.
    Relapsed {
        alert: AlertSeen,
        /// Nobody has it any more: people are called anew. Not so in journals of before that was done.
        #[serde(default)]
        anew: bool,
    },
    Closed {
        by: Person,
        reason: Option<String>,
    },
}

/// People are called, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paged {
    /// The rung of the deadline ladder that is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u8>,
    /// How many times people were called again behind the last rung.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeat: u32,
    /// The rung was not due yet: by the forecast recovery comes too late. So much was left, and so much is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early: Option<Breach>,
    /// The level of the ack ladder that is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<Level>,
    /// Something that stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stall: Option<Stall>,
    pub due_at: Timestamp,
    /// Rungs that this one stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<u8>,
    pub called: Vec<Called>,
    /// Discord roles that are called: who may approve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Pages that go another way than by a mention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<PageTo>,
    /// Who should be called and cannot be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<String>,
    /// Something that would recover sooner than what is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faster: Option<Faster>,
}

/// A command that would recover sooner, as far as anybody knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faster {
    pub command: String,
    /// What nine of ten runs of it needed.
    pub needs: Duration,
    /// How many runs stand behind that; with none it is what its file states.
    pub runs: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One page to one contact by one way. The address is looked up when it is sent: who corrects it is heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageTo {
    /// Empty where it goes to whoever listens there.
    pub role: String,
    pub name: String,
    pub way: Way,
    /// Which of the contact's addresses.
    pub level: Level,
}

/// By the forecast it will not be in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// What nine of ten runs needed for what remains.
    pub needs: Duration,
    pub left: Duration,
}

/// What stands still while the time runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "stall", rename_all = "kebab-case")]
pub enum Stall {
    /// An approval waits for longer than a fifth of what was left.
    Approval { run: RunId, round: u32 },
    /// The time to approve ran out, and nothing goes on by itself.
    Expired { run: RunId, round: u32 },
    /// A step takes half as long again as nine of ten did, and says nothing.
    Step { run: RunId, step: String },
    /// Nobody can tell whether a step happened.
    Unknown { run: RunId, step: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Delivery {
    Delivered,
    /// It may have arrived: it is sent again, marked as a repetition.
    Unknown {
        why: String,
    },
    /// It is tried again.
    Failed {
        why: String,
    },
    /// Given up.
    Undeliverable {
        why: String,
    },
    /// It was not needed any more.
    Cancelled,
}

impl Event {
    /// The name that the store and the timeline give it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::RunJoined { .. } => "run-joined",
            Self::AlertFired { .. } => "alert-fired",
            Self::AlertResolved { .. } => "alert-resolved",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Renewed { .. } => "renewed",
            Self::StillAsked { .. } => "still-asked",
            Self::Paged(_) => "paged",
            Self::Delivered { .. } => "delivered",
            Self::Noted { .. } => "noted",
            Self::ScenarioChanged { .. } => "scenario-changed",
            Self::DeadlineMoved { .. } => "deadline-moved",
            Self::ClockSetBack { .. } => "clock-set-back",
            Self::Recovered { .. } => "recovered",
            Self::Relapsed { .. } => "relapsed",
            Self::Closed { .. } => "closed",
        }
    }

    /// Who did it, where a person did.
    pub fn by(&self) -> Option<&Person> {
        match self {
            Self::Opened(opened) => match &opened.because {
                Because::Person { by, .. } | Because::Run { by, .. } => Some(by),
                Because::Alert(_) => None,
            },
            Self::RunJoined { by, .. }
            | Self::Acknowledged { by, .. }
            | Self::Renewed { by, .. }
            | Self::Noted { by, .. }
            | Self::ScenarioChanged { by, .. }
            | Self::DeadlineMoved { by, .. }
            | Self::Closed { by, .. } => Some(by),
            _ => None,
        }
    }
}
