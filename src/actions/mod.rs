//! What can be done to the world: one file per kind of action.
//!
//! Only the engine calls this, after access and the journal. An action knows nothing of runs, journals or chats: it is
//! handed rendered values and a [`Context`], honours the context's cancellation for real (nothing goes on behind its
//! back), and returns named result fields. Actions keep no memory: what must be known after a crash is returned by
//! [`Actions::prepare`] as facts, which the engine journals before it calls [`Actions::perform`].

pub mod compose;
pub mod docker;
pub mod exec;
pub mod host;
pub mod http;
pub mod identify;
mod leftovers;
pub mod metrics;
pub mod network;
mod output;
pub mod postgres;
pub mod real;
#[cfg(test)]
mod testing;

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::{secrets::Secrets, settings::Target},
    runbook::action::Action,
};

pub use crate::sample::Sample;

/// Named result fields of an action; which ones, `runbook::action` says at each.
pub type Fields = Map<String, Value>;

/// What an action is handed besides its own values.
#[derive(Debug, Clone)]
pub struct Context {
    /// Labels of everything that the action makes in the world (containers): `drbot.run`, `drbot.step`, `drbot.attempt`.
    pub labels: Labels,
    pub target: Option<Arc<Target>>,
    pub secrets: Secrets,
    pub clock: Clock,
    /// When it fires, the action stops what it does in the world and returns [`Failure::Cancelled`]; or
    /// [`Failure::Unknown`] when it cannot tell whether it had happened (a request that was under way).
    pub cancel: CancellationToken,
    /// The limit of this attempt, for actions that pass it on (a statement timeout). The engine enforces it by `cancel`.
    pub timeout: Duration,
    pub progress: Progress,
    /// The last sample of the target's database that is known, for when it cannot be read.
    pub sample: Option<Sample>,
    /// What `prepare` found for this attempt.
    pub facts: Fields,
}

#[derive(Debug, Clone, Default)]
pub struct Labels {
    pub run: String,
    pub step: String,
    pub attempt: u32,
}

/// Where an action says how far it is. Never blocks; only the latest value counts.
#[derive(Debug, Clone, Default)]
pub struct Progress(Option<tokio::sync::watch::Sender<ProgressValue>>);

/// How far an action is. `total` is 0 where it is not known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProgressValue {
    pub done: u64,
    pub total: u64,
    /// `bytes`, `rows`, `checks`, …
    pub unit: &'static str,
    /// What it is at, in a few words.
    pub doing: String,
}

impl Progress {
    pub fn new(sender: tokio::sync::watch::Sender<ProgressValue>) -> Self {
        Self(Some(sender))
    }

    pub fn report(&self, value: ProgressValue) {
        if let Some(sender) = &self.0 {
            sender.send_replace(value);
        }
    }
}

/// What an action did.
#[derive(Debug, Clone, Default)]
pub struct Done {
    pub fields: Fields,
    /// One line for the card.
    pub summary: String,
    /// Lines for the run's thread; long ones become a file.
    pub log: Vec<String>,
}

impl Done {
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn with_log(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.log.extend(lines);
        self
    }
}

/// Why an action is not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// It did not happen, or it happened and went wrong, and the world is as the message says. May be retried as far
    /// as the step's effect allows.
    #[error("{message}")]
    Failed { message: String, log: Vec<String> },
    /// Several things were looked at at once, and not all are as they should be: what was found of each. The engine's own.
    #[error("{message}")]
    Found { message: String, log: Vec<String>, found: Fields },
    /// It must not be tried (again): the input is at fault (a damaged backup, a name that is no database).
    #[error("{message}")]
    Refused { message: String },
    /// The target leads to other servers than the recorded ones. The engine's own.
    #[error("{message}")]
    WrongTarget { message: String },
    /// Nobody knows whether it happened (the answer was lost).
    #[error("{message}")]
    Unknown { message: String },
    /// It was stopped because it was told to, and has really stopped.
    #[error("stopped")]
    Cancelled,
}

impl Failure {
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), log: Vec::new() }
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into() }
    }
}

/// Whether an action that had been started before a crash has taken effect.
#[derive(Debug, Clone)]
pub enum Probe {
    Happened(Done),
    DidNotHappen,
    /// The action has no way to tell; the step's `check` or a person decides.
    CannotTell(String),
}

/// Carries actions out. The engine is handed one; tests of the engine hand it a scripted one.
#[async_trait::async_trait]
pub trait Actions: Send + Sync + 'static {
    /// What must be known after a crash to tell whether the action happened (OIDs, start times). Changes nothing.
    async fn prepare(&self, action: &Action, context: &Context) -> Result<Fields, Failure>;

    /// Does it. `context.facts` holds what `prepare` returned, durable by now.
    async fn perform(&self, action: &Action, context: &Context) -> Result<Done, Failure>;

    /// After a crash: first ends or joins what the interrupted attempt left running in the world, then tells whether it had taken effect.
    /// `context.facts` are those of the interrupted attempt.
    async fn probe(&self, action: &Action, context: &Context) -> Probe;

    /// Which servers the context's target is. Changes nothing.
    async fn identify(&self, context: &Context) -> identify::Found;
}
