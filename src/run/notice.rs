//! What everybody in the channel is told that belongs to no run. The store keeps it in the same transaction as what it is
//! about, and chat delivers it, so that it is said also when Discord was away.

use serde::{Deserialize, Serialize};

use super::{event::Called, lockdown::Lockdown};
use crate::{clock::Timestamp, fingerprint::Part, ids::RunId};

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
}
