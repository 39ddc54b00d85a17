//! Discord: the only place that names serenity.
//!
//! Commands and clicks come in here and go to the engine; cards, calls for approval and logs go out. serenity holds the
//! gateway on a thread and runtime of its own, because some of Discord's close codes freeze the runtime that it is on;
//! whoever watches over it, and all requests, are outside of it. What must stay true: nothing in chat holds up a
//! recovery, an interaction is acknowledged before anything else and recorded by its id before it is acted upon, what a
//! run has to say is never lost, only late, and drbot is never silently deaf.

mod autocomplete;
mod call;
mod components;
mod connection;
mod gates;
mod handler;
mod incidents;
pub mod metrics;
mod own;
mod papers;
mod permissions;
mod presenter;
mod register;
mod render;
mod replies;
mod rest;
mod slip;
mod supervisor;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use secrecy::SecretString;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::{presenter::Presenter, rest::Rest, supervisor::Supervisor};
use crate::{engine::Engine, paging::Pager};
pub(crate) use presenter::live;

/// How to reach Discord.
#[derive(Debug, Clone)]
pub struct Settings {
    pub token: SecretString,
    /// Instead of `https://discord.com`: the address of a rehearsal. Only loopback addresses are taken.
    pub api_url: Option<String>,
    pub timing: Timing,
}

/// How long chat waits for what.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Edits of one card are held back and merged over this time.
    pub edit_every: Duration,
    /// How often it is asked over the gateway whether it is alive.
    pub probe_every: Duration,
    pub probe_answer: Duration,
    /// How long a new connection may take until Discord is ready.
    pub connect_within: Duration,
    /// Between connections; doubled each time up to the longest.
    pub first_pause: Duration,
    pub longest_pause: Duration,
    /// Deaf for so long, chat ends, for the supervisor of the process to start it anew.
    pub give_up_after: Duration,
    /// How long something is left alone for which a permission is missing; doubled each time, up to tenfold.
    pub patience: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            // Below one a second in a channel is what Discord takes without a wait.
            edit_every: Duration::from_millis(1200),
            probe_every: Duration::from_secs(30),
            probe_answer: Duration::from_secs(10),
            connect_within: Duration::from_secs(60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
            give_up_after: Duration::from_secs(900),
            patience: Duration::from_secs(30),
        }
    }
}

impl Timing {
    /// Everything but the pace of edits so many times faster, for rehearsals of bad days.
    pub fn faster(self, times: u32) -> Self {
        let times = times.max(1);
        Self {
            edit_every: self.edit_every,
            probe_every: self.probe_every / times,
            probe_answer: self.probe_answer / times,
            connect_within: self.connect_within / times,
            first_pause: self.first_pause / times,
            longest_pause: self.longest_pause / times,
            give_up_after: self.give_up_after / times,
            patience: self.patience / times,
        }
    }
}

/// Why chat ended though nobody told it to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Starting again does not help before somebody has done what it says.
    #[error("{0}")]
    Refused(String),
    #[error(
        "nothing was heard from Discord's gateway for {minutes} min, though the connection was made anew again and \
         again; drbot ends so that its supervisor starts it anew"
    )]
    Deaf { minutes: u64 },
    #[error("chat ended by a mistake of its own: {0}")]
    Broken(String),
}

/// What everybody in chat works with.
#[derive(Debug)]
struct Desk {
    engine: Engine,
    rest: Arc<Rest>,
    presenter: Arc<Presenter>,
    /// For the ways of paging that are not chat's own.
    pager: Pager,
    /// drbot's own, not serenity's.
    runtime: tokio::runtime::Handle,
    /// Known once Discord has been ready; 0 before.
    application: AtomicU64,
    /// Wakes who registers the commands.
    ready: Notify,
}

impl Desk {
    fn is_application(&self, id: u64) {
        self.application.store(id, Ordering::Relaxed);
        self.ready.notify_one();
    }

    fn application(&self) -> Option<u64> {
        Some(self.application.load(Ordering::Relaxed)).filter(|id| *id != 0)
    }
}

/// The connection to Discord. Ends with [`Chat::stop`].
#[derive(Debug)]
pub struct Chat {
    stop: CancellationToken,
    ended: CancellationToken,
    work: JoinHandle<Result<(), Lost>>,
}

impl Chat {
    /// Connects; `pager` has the ways of paging that are not chat's own. Returns at once; problems are logged, and those that do not pass end [`Chat::ended`].
    ///
    /// # Errors
    /// When the address is not to be trusted.
    pub fn start(settings: Settings, engine: Engine, pager: Pager) -> Result<Self> {
        let rest = Arc::new(Rest::new(&settings, engine.clock().clone())?);
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let presenter = Presenter::new(engine.clone(), rest.clone(), pager.clone(), settings.timing.clone());
        let desk = Arc::new(Desk {
            engine,
            rest,
            presenter: presenter.clone(),
            pager,
            runtime: tokio::runtime::Handle::current(),
            application: AtomicU64::new(0),
            ready: Notify::new(),
        });
        let work = {
            let (stop, ended) = (stop.clone(), ended.clone());
            async move {
                let _ended = ended.drop_guard();
                let registering = tokio::spawn(register::keep(desk.clone()));
                let presenting = tokio::spawn(presenter.run(stop.clone()));
                let result = Supervisor::new(settings, desk, stop.clone()).run().await;
                registering.abort();
                // The presenter has the last word.
                stop.cancel();
                let _ = presenting.await;
                result
            }
        };
        Ok(Self { stop, ended, work: tokio::spawn(work) })
    }

    /// Returns when chat has ended, by whatever cause.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Says what is left to be said, for a moment, and disconnects.
    ///
    /// # Errors
    /// What ended chat, when it was not this.
    pub async fn stop(self) -> Result<(), Lost> {
        self.stop.cancel();
        self.work.await.unwrap_or_else(|error| Err(Lost::Broken(error.to_string())))
    }
}
