//! Taking a run back after its end: which can be, and starting the run that does it.
//!
//! What takes a run back is a command like every other (`undoes` in its file): with access, approval, engine and journal. It
//! sees what that run had found at its end. What must stay true: only a run that ended well is taken back, and only while
//! nothing has been changed on its target since; so never twice, and never behind somebody else's work.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Engine,
    abort::{SHORTEST, is_named, plain_id},
    request::{Request, RequestError, Submitted},
};
use crate::{
    access::{self, Caller, Refusal},
    config::load::Configuration,
    ids::RunId,
    run::{context, event::Undone, outcome::Outcome, state::State},
    runbook::definition::{Command, Effect, Risk},
};

/// So many runs are looked through at once, of those that may have changed something; those that have not are never looked at
/// again.
const LOOKED_THROUGH: u32 = 50;

/// Why nothing is taken back.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    #[error("nothing can be taken back")]
    Nothing,
    /// Several can be, newest first.
    #[error("several runs can be taken back")]
    Which(Vec<State>),
    #[error("there is no run {run}")]
    Unknown { run: String, can: Vec<State> },
    #[error("the run goes on")]
    GoesOn(Box<State>),
    /// It ended otherwise than well: what it had done it took back itself, or a person has to look.
    #[error("the run did not succeed")]
    NotDone(Box<State>),
    #[error("no file says how /{0} is taken back")]
    NoWay(String),
    #[error("something was changed since")]
    Since { run: Box<State>, later: Box<State> },
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("the store failed")]
    Store(#[source] anyhow::Error),
}

/// The last run that changed something on a target, and the newest that may.
struct Last {
    changed: Option<State>,
    newest: Option<RunId>,
}

impl Engine {
    /// The runs that `caller` may take back now, newest first.
    ///
    /// # Errors
    /// When commands are not taken from `caller`, here.
    pub async fn may_be_undone(&self, caller: &Caller) -> Result<Vec<State>, UndoError> {
        let configuration = self.configuration();
        access::takes_commands(&configuration.settings, caller)?;
        let mut runs = Vec::new();
        let ways = configuration.commands.values().filter(|command| command.undoes.is_some());
        let targets: BTreeSet<_> = ways.map(|command| command.target.clone()).collect();
        for target in targets {
            let Last { changed, .. } = self.last_on(target.as_deref()).await?;
            let Some(state) = changed.filter(is_done) else { continue };
            let way = way_back(&configuration, &state);
            if way.is_some_and(|way| access::start(&configuration.settings, way, caller).is_ok()) {
                runs.push(state);
            }
        }
        runs.sort_by_key(|state| std::cmp::Reverse(state.id));
        Ok(runs)
    }

    /// Starts the run that takes another one back: the one that is named as people see it, or the only one that can be.
    ///
    /// # Errors
    /// Why nothing is taken back.
    pub async fn undo_run(
        &self,
        run: Option<&str>,
        caller: &Caller,
        key: String,
    ) -> Result<(Submitted, State), UndoError> {
        let configuration = self.configuration();
        let mut can = self.may_be_undone(caller).await?;
        let state = match run.map(str::trim).filter(|run| !run.is_empty()) {
            Some(run) => self.run_named(run, can).await?,
            None if can.len() > 1 => return Err(UndoError::Which(can)),
            None => can.pop().ok_or(UndoError::Nothing)?,
        };
        if state.finished.is_none() {
            return Err(UndoError::GoesOn(Box::new(state)));
        }
        if !is_done(&state) {
            return Err(UndoError::NotDone(Box::new(state)));
        }
        let name = state.created.command.name.clone();
        let way = way_back(&configuration, &state).ok_or(UndoError::NoWay(name))?;
        access::start(&configuration.settings, way, caller)?;
        let Last { changed, newest } = self.last_on(state.created.command.target.as_deref()).await?;
        match changed {
            Some(last) if last.id == state.id => {}
            Some(later) => return Err(UndoError::Since { run: Box::new(state), later: Box::new(later) }),
            None => return Err(UndoError::NotDone(Box::new(state))),
        }
        let undone = Undone {
            run: state.id,
            command: state.created.command.name.clone(),
            context: context::for_undoing(&state),
            newest: newest.unwrap_or(state.id),
        };
        let request = Request { key, command: way.name.clone(), options: BTreeMap::new(), caller: caller.clone() };
        let submitted = self.submit_undoing(request, Some(undone)).await?;
        Ok((submitted, state))
    }

    async fn run_named(&self, run: &str, can: Vec<State>) -> Result<State, UndoError> {
        let wanted = plain_id(run);
        if let Some(state) = can.iter().find(|state| is_named(state, &wanted)) {
            return Ok(state.clone());
        }
        let found = self.0.store.find_runs(&wanted).await.map_err(UndoError::Store)?;
        let found = match found.first().filter(|_| wanted.len() >= SHORTEST) {
            Some(summary) => self.snapshot(summary.id).await.map_err(UndoError::Store)?,
            None => None,
        };
        found.map(|found| found.state).ok_or_else(|| UndoError::Unknown { run: run.to_owned(), can })
    }

    async fn last_on(&self, target: Option<&str>) -> Result<Last, UndoError> {
        let store = &self.0.store;
        // Before those that are looked through: one that begins meanwhile is found when the run is created.
        let newest = store.newest_run_on(target).await.map_err(UndoError::Store)?;
        loop {
            let runs = store.runs_that_may_have_changed(target, LOOKED_THROUGH).await.map_err(UndoError::Store)?;
            let mut passed_over = 0;
            for run in &runs {
                let Some(snapshot) = self.snapshot(*run).await.map_err(UndoError::Store)? else { continue };
                if has_changed_something(&snapshot.state) {
                    return Ok(Last { changed: Some(snapshot.state), newest });
                }
                if snapshot.state.finished.is_some() {
                    store.changed_nothing(*run).await.map_err(UndoError::Store)?;
                    passed_over += 1;
                }
            }
            // What is left of them is under way, and has changed nothing yet.
            if passed_over == 0 || runs.len() < LOOKED_THROUGH as usize {
                return Ok(Last { changed: None, newest });
            }
        }
    }
}

/// The command that takes a run back.
fn way_back<'a>(configuration: &'a Configuration, state: &State) -> Option<&'a Command> {
    let undone = &state.created.command.name;
    configuration.commands.values().find(|command| command.undoes.as_ref() == Some(undone))
}

fn is_done(state: &State) -> bool {
    state.finished.as_ref().is_some_and(|finished| finished.outcome.is_success())
}

/// Whether a run left its target another than it was: it got behind its gate, where it has one, and did not take back what
/// it had done.
fn has_changed_something(state: &State) -> bool {
    let command = &state.created.command;
    if command.risk < Risk::Risky || state.finished.as_ref().is_some_and(|end| end.outcome == Outcome::RolledBack) {
        return false;
    }
    match command.approval {
        Some(_) => state.gate_passed(),
        None => state.steps.iter().any(|step| step.attempts > 0 && step.definition.effect() != Effect::Read),
    }
}
