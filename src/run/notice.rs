//! What everybody in the channel is told that belongs to no run. The store keeps it in the same transaction as what it is
//! about, and chat delivers it, so that it is said also when Discord was away.

use serde::{Deserialize, Serialize};

use super::{event::Called, lockdown::Lockdown};
use crate::{clock::Timestamp, config::settings::DiscordId, fingerprint::Part, ids::RunId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "kebab-case")]
pub enum Notice {
    LockedDown {
        lockdown: Lockdown,
    },
    LockdownLifted {
        lockdown: Lockdown,
        by: String,
        reason: String,
    },
    /// Somebody has looked at a broken glass.
    Reviewed {
        run: RunId,
        command: String,
        breaker: String,
        by: String,
        note: String,
    },
    /// Nobody has looked at a broken glass in time.
    ReviewOverdue {
        run: RunId,
        command: String,
        breaker: String,
        due_at: Timestamp,
        called: Vec<Called>,
    },
    /// Other servers than before are taken for a target.
    TargetAccepted {
        target: String,
        parts: Vec<Part>,
        by: String,
    },
    /// An alert fires that no rule says anything of.
    AlertUnknown {
        name: String,
        summary: String,
    },
    /// Others are called than before, or elsewhere.
    ContactsChanged {
        by: String,
        /// Who that is in Discord; on the host there is nobody.
        user: Option<DiscordId>,
        changes: Vec<ContactChange>,
    },
}

/// One row of the contacts table that is another by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactChange {
    pub role: String,
    pub name: String,
    pub what: RowChange,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowChange {
    Added(Vec<FieldChange>),
    Changed(Vec<FieldChange>),
    Removed,
    /// Somebody has seen that they are reached; nothing else is changed.
    Verified,
}

/// A field of such a row, and what stands in it now: a number or an address only as it may be shown to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    pub field: String,
    /// Empty when nothing does.
    pub now: String,
}
