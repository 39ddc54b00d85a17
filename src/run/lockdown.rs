//! A lockdown: the brake for the day when somebody may be at the controls who should not be.
//!
//! While it stands, nothing begins but what only reads and what only brakes (`risk = "safe"`, like a halt). What is under
//! way is held before its next step, in the journal and not in memory, and goes on when the lockdown is lifted. It is lifted
//! on drbot's host alone: whoever has taken over accounts in a chat cannot.

use serde::{Deserialize, Serialize};

use super::{
    next::{Next, WaitingOn},
    state::State,
};
use crate::{
    clock::Timestamp,
    runbook::definition::{Effect, Risk},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lockdown {
    /// Who locked down, as people know them.
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
}

/// Whether a command of this risk is free in a lockdown.
pub fn is_free(risk: Risk) -> bool {
    risk <= Risk::Safe
}

/// Whether this must not be done while a lockdown stands.
pub fn forbids(state: &State, next: &Next) -> bool {
    !is_free(state.created.command.risk)
        && match next {
            Next::Begin { step } => state.steps[*step].definition.effect() != Effect::Read,
            Next::Undo { .. } => true,
            // Whom it is asked of could not answer.
            Next::AskApproval { .. } | Next::WaiveApproval { .. } => true,
            // Nobody's yes counts.
            Next::Wait { on, .. } => matches!(on, WaitingOn::Approval | WaitingOn::AskAgain | WaitingOn::Answer),
            _ => false,
        }
}
