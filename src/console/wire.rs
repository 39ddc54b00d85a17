//! What is said over the socket: one question a connection, then answers, each a line of JSON.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{
    clock::{Clock, Timestamp},
    fingerprint::{Part, Recorded},
    ids::RunId,
    progress::view,
    run::event::Entry,
};

/// The longest question; an answer may hold a run's whole definition.
const LONGEST_ASK: u64 = 1 << 16;
const LONGEST_REPLY: u64 = 1 << 26;

/// How long an answer may take to be read; who has stopped reading must not hold a place for ever.
const READ_WITHIN: Duration = Duration::from_secs(30);

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
    /// Take a run back after its end; the only one that can be when none is named.
    Undo {
        key: String,
        run: Option<String>,
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
    /// Let a run go on without its approval.
    BreakGlass {
        run: RunId,
        token: String,
        typed: String,
        reason: String,
    },
    /// The broken glasses that wait for a review.
    Reviews,
    /// One was looked at; the only one when none is named.
    Review {
        run: Option<String>,
        note: String,
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
    /// The brake.
    LockDown {
        reason: String,
    },
    Unlock {
        reason: String,
    },
    /// Which servers a target is, and which are on record.
    Identity {
        target: Option<String>,
    },
    /// Put these servers of a target on record: those that the one who asks has seen.
    Accept {
        target: String,
        parts: Vec<Part>,
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
    BreakingGlass,
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
    Identity {
        target: String,
        recorded: Vec<Recorded>,
        found: Vec<Part>,
        /// What could not be looked at, a line each.
        unseen: Vec<String>,
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
    /// What is in the way of everything but reads and halts.
    #[serde(default)]
    pub lockdown: Option<String>,
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
    clock: Clock,
    patience: Duration,
}

impl Answering {
    pub(super) fn new(stream: UnixStream, clock: Clock) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), writer, clock, patience: READ_WITHIN }
    }

    pub(super) async fn asked(&mut self) -> Result<Option<Ask>> {
        receive(&mut self.reader, LONGEST_ASK).await
    }

    pub(super) async fn say(&mut self, reply: &Reply) -> Result<()> {
        let sent = self.clock.timeout(self.patience, send(&mut self.writer, reply)).await;
        sent.context("it is not read")?
    }

    /// Returns when the other end has hung up.
    pub(super) async fn hung_up(&mut self) {
        let mut nothing = [0];
        // One question a connection: who sends more is not understood, and does not keep drbot busy reading it.
        let _ = self.reader.read(&mut nothing).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (UnixStream, Answering) {
        let (theirs, ours) = UnixStream::pair().unwrap();
        (theirs, Answering { patience: Duration::from_millis(50), ..Answering::new(ours, Clock::system()) })
    }

    async fn asked(bytes: &[u8]) -> Result<Option<Ask>> {
        let (mut theirs, mut ours) = pair();
        let bytes = bytes.to_vec();
        let sending = tokio::spawn(async move {
            // Who is not heard to the end is cut off, and that is no matter.
            let _ = theirs.write_all(&bytes).await;
        });
        let asked = ours.asked().await;
        drop(ours);
        sending.await.unwrap();
        asked
    }

    #[tokio::test]
    async fn what_is_no_question_is_none() {
        let huge = vec![b'a'; 1 << 20];
        let deep = [vec![b'['; 60_000], b"\n".to_vec()].concat();
        let wrong: [&[u8]; 9] = [
            b"\n",
            b"{}\n",
            b"null\n",
            b"{\"ask\":\"exec\"}\n",
            b"{\"ask\":\"status\"",
            b"{\"ask\":\"follow\",\"run\":\"x\",\"after\":-1}\n",
            b"\xff\xfe\x00\n",
            &huge,
            &deep,
        ];
        for bytes in wrong {
            assert!(asked(bytes).await.is_err(), "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]));
        }
        assert_eq!(asked(b"").await.unwrap(), None);
        assert_eq!(asked(b"{\"ask\":\"status\"}\n").await.unwrap(), Some(Ask::Status));
    }

    #[tokio::test]
    async fn who_does_not_read_is_let_go() {
        let (_theirs, mut ours) = pair();
        let text = "a".repeat(1 << 22);
        assert!(ours.say(&Reply::Said { text }).await.is_err());
    }

    #[tokio::test]
    async fn who_sends_more_than_a_question_has_hung_up() {
        let (mut theirs, mut ours) = pair();
        theirs.write_all(b"{\"ask\":\"status\"}\nmore").await.unwrap();
        assert_eq!(ours.asked().await.unwrap(), Some(Ask::Status));
        ours.hung_up().await;
    }
}
