//! The way in without Discord: a Unix socket on the machine that drbot runs on.
//!
//! It is one more surface, like chat: what is asked here goes through the same access rules, the same engine and the same
//! journal. Who somebody is comes from the kernel (the peer's user), and is looked up in `[[people]]` of `drbot.toml`.
//! What must stay true: a user that is not there may do nothing, nobody becomes somebody else by what they send, and
//! nothing here holds up a recovery.

mod answer;
mod follow;
mod keep;
mod peer;
mod wire;

use std::{
    collections::HashMap,
    fs::Permissions,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    net::{UnixListener, UnixStream},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

pub use self::{
    keep::{keep, keeper},
    peer::{Nobody, User, who},
    wire::{Ask, Asking, For, Progress, Reply, Standing},
};
use crate::engine::Engine;

/// The socket in the store's folder.
pub const SOCKET: &str = "drbot.sock";

/// For its owner and its group; others cannot even knock.
const MODE: u32 = 0o660;

/// Connections at the same time; what a person cannot need is a program gone wrong.
const MOST: usize = 64;

/// … of one user: who hangs must not keep the others out.
const MOST_EACH: usize = 16;

/// How long a socket that cannot be had is left alone.
const REST: Duration = Duration::from_secs(10);

/// What the process around the console is.
#[derive(Debug, Clone)]
pub enum Attendance {
    /// The bot, on Discord.
    Bot,
    /// An engine without Discord, which makes room (fires this) when a bot starts.
    Alone(CancellationToken),
}

/// What every connection works with.
#[derive(Debug, Clone)]
struct Counter {
    engine: Engine,
    attendance: Attendance,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Console {
    socket: PathBuf,
    open: Arc<AtomicUsize>,
    work: JoinHandle<()>,
}

impl Console {
    /// Listens in the store's folder. The caller holds the store's lock, so a socket that is there already is of a process
    /// that is gone. One that cannot be had is said in the log, and tried again: it never keeps the bot from serving.
    pub fn start(folder: &Path, engine: Engine, attendance: Attendance) -> Self {
        let socket = folder.join(SOCKET);
        let open = Arc::new(AtomicUsize::new(0));
        let counter = Counter { engine, attendance };
        let work = tokio::spawn(listen(socket.clone(), counter, open.clone()));
        Self { socket, open, work }
    }

    /// How many people are being served.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.work.abort();
        // Whoever knocks is told at once that nobody is there.
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn listen(socket: PathBuf, counter: Counter, open: Arc<AtomicUsize>) {
    let clock = counter.engine.clock().clone();
    let listener = loop {
        match bind(&socket) {
            Ok(listener) => break listener,
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "nobody can reach drbot from the host's command line; it is tried again"
                );
                clock.sleep(REST).await;
            }
        }
    };
    tracing::info!(socket = %socket.display(), "the host's command line is served");
    // Dropped with this task: with drbot, everybody is let go.
    let mut serving = JoinSet::new();
    let each = Each::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection from the host could not be taken");
                clock.sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while serving.try_join_next().is_some() {}
        if serving.len() >= MOST {
            tracing::warn!(most = MOST, "too many connections from the host; one is let go");
            continue;
        }
        let Ok(uid) = stream.peer_cred().map(|peer| peer.uid()) else { continue };
        let Some(guard) = Served::one_more(&open, &each, uid) else {
            tracing::warn!(uid, most = MOST_EACH, "too many connections of one user of the host; one is let go");
            continue;
        };
        let counter = counter.clone();
        serving.spawn(async move {
            let _guard = guard;
            serve(stream, &counter).await;
        });
    }
}

fn bind(socket: &Path) -> Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("{} cannot be replaced", socket.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(socket).with_context(|| format!("cannot listen at {}", socket.display()))?;
    std::fs::set_permissions(socket, Permissions::from_mode(MODE))
        .with_context(|| format!("cannot set the mode of {}", socket.display()))?;
    Ok(listener)
}

async fn serve(stream: UnixStream, counter: &Counter) {
    // A client that has gone is no matter.
    if let Err(error) = answer::one(stream, counter).await {
        tracing::debug!(error = format!("{error:#}"), "a connection from the host ended");
    }
}

/// User → how many connections of theirs are served.
type Each = Arc<Mutex<HashMap<u32, usize>>>;

struct Served {
    open: Arc<AtomicUsize>,
    each: Each,
    uid: u32,
}

impl Served {
    /// `None` when this user has too many already.
    fn one_more(open: &Arc<AtomicUsize>, each: &Each, uid: u32) -> Option<Self> {
        let mut users = each.lock().unwrap_or_else(PoisonError::into_inner);
        let count = users.entry(uid).or_default();
        if *count >= MOST_EACH {
            return None;
        }
        *count += 1;
        open.fetch_add(1, Ordering::Relaxed);
        Some(Self { open: open.clone(), each: each.clone(), uid })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        let mut users = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = users.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_does_not_keep_the_others_out() {
        let (open, each) = (Arc::default(), Each::default());
        let mut all: Vec<_> = (0..MOST_EACH).map(|_| Served::one_more(&open, &each, 1).unwrap()).collect();
        assert!(Served::one_more(&open, &each, 1).is_none());
        assert!(Served::one_more(&open, &each, 2).is_some(), "another user is served");
        all.pop();
        assert!(Served::one_more(&open, &each, 1).is_some(), "who goes makes room");
        drop(all);
        assert_eq!((open.load(Ordering::Relaxed), each.lock().unwrap().len()), (0, 0));
    }
}
