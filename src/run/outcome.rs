//! How a run ends. What was passed over never ends green.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Succeeded,
    /// It reached its end, but something on the way failed or was skipped by a person.
    SucceededWithSkips,
    Failed,
    /// It failed, and what had been done was taken back.
    RolledBack,
    /// An undo failed: a person must look.
    Stuck,
    /// A person stopped it.
    Aborted,
    /// It may not be done: a damaged backup, a denied approval.
    Refused,
}

impl Outcome {
    pub fn is_success(self) -> bool {
        matches!(self, Self::Succeeded | Self::SucceededWithSkips)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::SucceededWithSkips => "succeeded-with-skips",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Stuck => "stuck",
            Self::Aborted => "aborted",
            Self::Refused => "refused",
        })
    }
}
