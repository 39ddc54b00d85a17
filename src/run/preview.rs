//! A run that is only looked at: what is known of it before anybody starts it.

use std::collections::BTreeMap;

use super::{event::ApprovalAsked, history::History, state::State};
use crate::runbook::plan::Plan;

/// What a command would do, with what its probes found.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// As if the approval were asked for now.
    pub state: State,
    pub plan: Plan,
    /// What the approver would be asked; nothing where no approval is needed.
    pub asked: Option<ApprovalAsked>,
    /// The lock that the run would hold.
    pub lock: Option<String>,
    /// What the steps found that only read, by their ids; empty when nothing was asked.
    pub probes: BTreeMap<String, Probed>,
    /// `None` without a store to read it from.
    pub history: Option<History>,
}

/// What a probe found before anything was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    Found(String),
    Failed(String),
    /// Why it was not asked.
    NotAsked(String),
}
