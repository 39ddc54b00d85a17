//! What is said over the socket: one question a connection, then answers, each a line of JSON.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{clock::Timestamp, ids::RunId, progress::view, run::event::Entry};

/// The longest question; an answer may hold a run's whole definition.
const LONGEST_ASK: u64 = 1 << 16;
const LONGEST_REPLY: u64 = 1 << 26;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// What a command would do.
    Plan {
        command: String,
        options: BTreeMap<String, String>,
    },
    /// Start a command. `key` names the request: sent twice, it acts once.
    Exec {
        key: String,
        command: String,
        options: BTreeMap<String, String>,
    },
    /// A run as it is, for whoever is about to do something with it; the only one that fits when none is named.
    Open {
        run: Option<String>,
        purpose: For,
    },
    /// A run as it is and as it goes on, from this number of its journal.
    Follow {
        run: RunId,
        after: u64,
    },
    Approve {
        run: RunId,
        token: String,
        typed: Option<String>,
    },
    Deny {
        run: RunId,
        token: String,
        reason: String,
    },
    AskAgain {
        run: RunId,
    },
    Answer {
        run: RunId,
        token: String,
        index: usize,
        reason: Option<String>,
    },
    Abort {
        run: Option<String>,
        reason: Option<String>,
    },
    /// What is under way.
    Status,
    /// A bot starts: an engine without Discord makes room for it.
    MakeRoom,
}

/// What a run is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum For {
    Looking,
    Approving,
    Denying,
    Answering,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// Nothing has happened, and why.
    Refused {
        why: String,
    },
    /// It is done; what is said of it.
    Said {
        text: String,
    },
    Plan {
        text: String,
    },
    Started {
        run: RunId,
        text: String,
    },
    Entry {
        entry: Box<Entry>,
    },
    Progress {
        progress: Option<Progress>,
    },
    /// The whole journal as it is now was sent.
    Whole,
    Status {
        standing: Standing,
    },
}

/// How far the step under way is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub step: String,
    pub since: Timestamp,
    pub done: u64,
    pub total: u64,
    pub unit: String,
    pub doing: String,
}

impl From<Progress> for view::Live {
    fn from(progress: Progress) -> Self {
        let Progress { step, since, done, total, unit, doing } = progress;
        Self { step, done, total, unit, doing, started_at: since }
    }
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Who asks, to drbot.
    pub you: String,
    pub roles: Vec<String>,
    /// Whether the process that serves is on Discord.
    pub on_discord: bool,
    /// Messages that Discord has not got yet.
    pub posts_waiting: u64,
    /// The runs under way, a line each, the newest first.
    pub runs: Vec<String>,
}

/// The client's end.
#[derive(Debug)]
pub struct Asking {
    reader: BufReader<OwnedReadHalf>,
    _writer: OwnedWriteHalf,
}

impl Asking {
    /// Asks.
    ///
    /// # Errors
    /// When the other end is gone.
    pub async fn ask(stream: UnixStream, ask: &Ask) -> Result<Self> {
        let (reader, mut writer) = stream.into_split();
        send(&mut writer, ask).await?;
        Ok(Self { reader: BufReader::new(reader), _writer: writer })
    }

    /// The next answer; `None` when there are no more.
    ///
    /// # Errors
    /// When it cannot be read: by a break, or by a drbot of another version.
    pub async fn next(&mut self) -> Result<Option<Reply>> {
        receive(&mut self.reader, LONGEST_REPLY)
            .await
            .context("the answer cannot be read; is the drbot that serves of another version?")
    }
}

/// The server's end.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Answering {
    pub(super) fn new(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), writer }
    }

    pub(super) async fn asked(&mut self) -> Result<Option<Ask>> {
        receive(&mut self.reader, LONGEST_ASK).await
    }

    pub(super) async fn say(&mut self, reply: &Reply) -> Result<()> {
        send(&mut self.writer, reply).await
    }

    /// Returns when the other end has hung up.
    pub(super) async fn hung_up(&mut self) {
        let mut nothing = [0];
        // One question a connection: whatever comes after it is not heard.
        while matches!(self.reader.read(&mut nothing).await, Ok(1..)) {}
    }
}

async fn send(writer: &mut OwnedWriteHalf, what: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    Ok(())
}

async fn receive<T: DeserializeOwned>(reader: &mut BufReader<OwnedReadHalf>, limit: u64) -> Result<Option<T>> {
    let mut line = Vec::new();
    let count = reader.take(limit).read_until(b'\n', &mut line).await?;
    if count == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        bail!("it breaks off, or is longer than {limit} bytes");
    }
    Ok(Some(serde_json::from_slice(&line)?))
}
