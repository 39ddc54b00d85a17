//! The post-mortem of an incident, drawn up from its journal and those of its runs: facts, each with where it comes from,
//! and blanks for what only people can say.
//!
//! What must stay true: nothing is invented. A figure that needs a time nobody knows is not there, and the reason is; the
//! four times are never blended, and waiting for people is measured apart from the recovery.

pub mod actions;
mod chart;
mod draft;
pub mod loss;
pub mod pages;
pub mod waits;
pub mod work;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result};

pub use self::{chart::chart, draft::draft};
use crate::{
    clock::Timestamp,
    incident::{event::Entry, state::State},
    run::{event, state},
};

/// All that is known of an incident.
#[derive(Debug, Clone)]
pub struct Record {
    pub state: State,
    pub journal: Vec<Entry>,
    /// Oldest first.
    pub runs: Vec<Run>,
    /// As of when.
    pub at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct Run {
    pub state: state::State,
    pub journal: Vec<event::Entry>,
}

impl Record {
    /// # Errors
    /// When a journal is empty, or holds what cannot have happened.
    pub fn of(journal: Vec<Entry>, runs: Vec<Vec<event::Entry>>, at: Timestamp) -> Result<Self> {
        let state = State::replay(&journal).context("the journal of the incident cannot be followed")?;
        let mut runs = runs.into_iter().map(Run::of).collect::<Result<Vec<_>>>()?;
        runs.sort_by_key(|run| (run.state.created_at, run.state.id));
        Ok(Self { state, journal, runs, at })
    }

    /// When it was over, or as of when it is told.
    pub fn end(&self) -> Timestamp {
        self.state.closed.as_ref().map_or(self.at, |closed| closed.at)
    }

    /// `<what>-<incident>.<ending>`, as its files are called.
    pub fn file_name(&self, what: &str, ending: &str) -> String {
        format!("{what}-{}.{ending}", self.state.id.short())
    }
}

impl Run {
    fn of(journal: Vec<event::Entry>) -> Result<Self> {
        let state = state::State::replay(&journal).context("the journal of a run cannot be followed")?;
        Ok(Self { state, journal })
    }
}
