//! The line to the drbot that serves on this machine.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use tokio::net::UnixStream;

use super::super::Common;
use crate::{
    console::{Ask, Asking, Reply, SOCKET},
    run::{event::Entry, state::State},
};

/// Where the drbot of this folder of data listens.
#[derive(Debug, Clone)]
pub(super) struct Line {
    socket: PathBuf,
}

/// What came of a question with one answer.
pub(super) enum Said {
    Good(Reply),
    Refused(String),
}

impl Line {
    pub(super) fn new(common: &Common) -> Self {
        Self { socket: common.data.join(SOCKET) }
    }

    pub(super) fn folder(&self) -> &Path {
        self.socket.parent().unwrap_or(Path::new("."))
    }

    /// `None` when nobody listens.
    async fn dial(&self) -> Result<Option<UnixStream>> {
        let shown = self.socket.display();
        match UnixStream::connect(&self.socket).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => bail!(
                "you may not speak to the drbot at {shown}: only its user and its group may. `ls -l {shown}` shows them"
            ),
            Err(error) => Err(error).with_context(|| format!("cannot speak to the drbot at {shown}")),
        }
    }

    /// Whether somebody listens.
    pub(super) async fn is_served(&self) -> Result<bool> {
        Ok(self.dial().await?.is_some())
    }

    /// Asks, if somebody listens.
    pub(super) async fn try_ask(&self, ask: &Ask) -> Result<Option<Asking>> {
        match self.dial().await? {
            Some(stream) => Ok(Some(Asking::ask(stream, ask).await?)),
            None => Ok(None),
        }
    }

    pub(super) async fn ask(&self, ask: &Ask) -> Result<Asking> {
        self.try_ask(ask).await?.with_context(|| {
            format!(
                "no drbot serves in {}; start `drbot serve`, or set DRBOT_DATA to the folder that it uses",
                self.folder().display()
            )
        })
    }

    /// A question with one answer.
    pub(super) async fn hear(&self, ask: &Ask) -> Result<Said> {
        match self.ask(ask).await?.next().await? {
            Some(Reply::Refused { why }) => Ok(Said::Refused(why)),
            Some(reply) => Ok(Said::Good(reply)),
            None => bail!("drbot ended before it answered; whether it was done, `drbot status` and `drbot runs` say"),
        }
    }

    /// A run as it is, for who is about to do something with it; else why not.
    pub(super) async fn open(&self, ask: &Ask) -> Result<Result<State, String>> {
        let mut asking = self.ask(ask).await?;
        let mut journal: Vec<Entry> = Vec::new();
        loop {
            match asking.next().await? {
                Some(Reply::Entry { entry }) => journal.push(*entry),
                Some(Reply::Whole) => return Ok(Ok(State::replay(&journal)?)),
                Some(Reply::Refused { why }) => return Ok(Err(why)),
                Some(other) => bail!("drbot answered what was not asked: {other:?}"),
                None => bail!("drbot ended before it answered"),
            }
        }
    }
}
