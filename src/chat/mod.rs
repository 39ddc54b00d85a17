//! Discord: the only place that names serenity.
//!
//! Commands and clicks come in here and go to the engine; cards, calls for approval and logs go out. serenity runs on a
//! thread and runtime of its own, because some of Discord's close codes freeze the runtime that it is on, and nothing in
//! chat may hold up a recovery. What must stay true: an interaction is acknowledged before anything else, recorded by
//! its id before it is acted upon, and what a run has to say is never lost, only late.

mod autocomplete;
mod call;
mod client;
mod components;
mod contacts;
mod handler;
mod presenter;
mod register;
mod render;
mod replies;

use anyhow::Result;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
pub(crate) use presenter::live;

/// How to reach Discord.
#[derive(Debug, Clone)]
pub struct Settings {
    pub token: SecretString,
    /// Instead of `https://discord.com`: the address of a rehearsal. Only loopback addresses are taken.
    pub api_url: Option<String>,
    /// How long edits of one card are held back and merged.
    pub edit_every: std::time::Duration,
}

/// The connection to Discord. Ends with [`Chat::stop`].
#[derive(Debug)]
pub struct Chat {
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<Result<()>>>,
    ended: CancellationToken,
}

impl Chat {
    /// Connects on a thread of its own. Returns at once; problems are logged, and end [`Chat::ended`].
    ///
    /// # Errors
    /// When the address is not to be trusted, or no thread can be had.
    pub fn start(settings: Settings, engine: Engine) -> Result<Self> {
        client::http(&settings)?;
        let stop = CancellationToken::new();
        let ended = CancellationToken::new();
        let thread = std::thread::Builder::new().name("discord".to_owned()).spawn({
            let (stop, ended) = (stop.clone(), ended.clone());
            move || {
                let _ended = ended.drop_guard();
                client::run(settings, engine, stop)
            }
        })?;
        Ok(Self { stop, thread: Some(thread), ended })
    }

    /// Returns when the connection has ended, by whatever cause.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Says what is left to be said, for a moment, and disconnects.
    ///
    /// # Errors
    /// What ended the connection, when it was not this.
    pub fn stop(mut self) -> Result<()> {
        self.stop.cancel();
        match self.thread.take().map(std::thread::JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => anyhow::bail!("the thread of Discord panicked"),
            None => Ok(()),
        }
    }
}
