//! Stopping a run by its name, for surfaces that have no button for it.

use std::sync::PoisonError;

use super::{AnswerError, Engine};
use crate::{
    access::{self, Caller, Refusal},
    run::state::State,
};

/// Why nothing is stopped.
#[derive(Debug, thiserror::Error)]
pub enum AbortError {
    #[error("nothing is under way")]
    NothingUnderWay,
    #[error("what is under way needs one of the roles {roles:?}")]
    NoneOfYours { roles: Vec<String> },
    /// Several are under way, newest first.
    #[error("several runs are under way")]
    Which(Vec<State>),
    #[error("there is no run {run}")]
    Unknown { run: String, under_way: Vec<State> },
    #[error("the run has ended")]
    Ended(Box<State>),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("the store failed")]
    Store(#[source] anyhow::Error),
}

impl Engine {
    /// The runs under way that `caller` may stop, newest first.
    ///
    /// # Errors
    /// When commands are not taken from `caller`, here.
    pub async fn may_be_aborted(&self, caller: &Caller) -> Result<Vec<State>, Refusal> {
        let configuration = self.configuration();
        access::takes_commands(&configuration.settings, caller)?;
        let mut runs = self.under_way().await;
        runs.retain(|state| state.ending.is_none());
        runs.retain(|state| access::steer(&configuration.settings, state, caller).is_ok());
        Ok(runs)
    }

    /// Stops the run that is named as people see it; or, when none is named, the only one that `caller` may stop.
    /// Returns it as it was.
    ///
    /// # Errors
    /// Why nothing is stopped.
    pub async fn abort(&self, run: Option<&str>, caller: &Caller, reason: Option<&str>) -> Result<State, AbortError> {
        let mine = self.may_be_aborted(caller).await?;
        let state = match run.map(str::trim).filter(|run| !run.is_empty()) {
            Some(run) => self.named(run, mine).await?,
            None => self.only_one(mine).await?,
        };
        self.stop_run(state.id, caller, reason).await?;
        Ok(state)
    }

    /// All runs under way, newest first.
    pub async fn under_way(&self) -> Vec<State> {
        let live: Vec<_> = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut runs = Vec::with_capacity(live.len());
        for live in live {
            runs.push(live.state().await);
        }
        runs.sort_by_key(|state| std::cmp::Reverse(state.id));
        runs
    }

    async fn only_one(&self, mut mine: Vec<State>) -> Result<State, AbortError> {
        if mine.len() > 1 {
            return Err(AbortError::Which(mine));
        }
        if let Some(state) = mine.pop() {
            return Ok(state);
        }
        let mut roles: Vec<String> = self.under_way().await.iter().flat_map(access::steering_roles).collect();
        roles.sort();
        roles.dedup();
        Err(if roles.is_empty() { AbortError::NothingUnderWay } else { AbortError::NoneOfYours { roles } })
    }

    async fn named(&self, run: &str, mine: Vec<State>) -> Result<State, AbortError> {
        let wanted = plain_id(run);
        let all = self.under_way().await;
        if let Some(state) = all.into_iter().find(|state| is_named(state, &wanted)) {
            return Ok(state);
        }
        let found = self.0.store.find_runs(&wanted).await.map_err(AbortError::Store)?;
        let ended = match found.first().filter(|_| wanted.len() >= SHORTEST) {
            Some(summary) => self.snapshot(summary.id).await.map_err(AbortError::Store)?,
            None => None,
        };
        Err(match ended {
            Some(snapshot) => AbortError::Ended(Box::new(snapshot.state)),
            None => AbortError::Unknown { run: run.to_owned(), under_way: mine },
        })
    }
}

/// The id that people see has so many digits; fewer would name another run one day.
pub(super) const SHORTEST: usize = 8;

/// An id as it was typed: in full or short, with or without its hyphens, in either case.
pub(super) fn plain_id(typed: &str) -> String {
    typed.trim().replace('-', "").to_lowercase()
}

pub(super) fn is_named(state: &State, wanted: &str) -> bool {
    wanted.len() >= SHORTEST && state.id.to_string().replace('-', "").ends_with(wanted)
}
