//! Docker's socket with somebody in between, who passes everything on but one kind of request, and never answers that.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{UnixListener, UnixStream},
};

/// The real engine behind a socket of the story's own.
pub struct Silent {
    folder: tempfile::TempDir,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    asked: AtomicUsize,
    hung_up: AtomicUsize,
}

impl Silent {
    /// `about`: what is in the first line of the requests that are not answered.
    pub fn about(about: &'static str) -> Self {
        let silent = Self { folder: tempfile::tempdir().unwrap(), seen: Arc::default() };
        let (listener, seen) = (UnixListener::bind(silent.socket()).unwrap(), silent.seen.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, about, seen.clone()));
            }
        });
        silent
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// How many requests it was given that it does not answer.
    pub fn asked(&self) -> usize {
        self.seen.asked.load(Ordering::SeqCst)
    }

    /// How many of those who asked have gone away.
    pub fn hung_up(&self) -> usize {
        self.seen.hung_up.load(Ordering::SeqCst)
    }
}

async fn pass_on(mut client: UnixStream, about: &str, seen: Arc<Seen>) {
    let mut engine = UnixStream::connect(engine()).await.unwrap();
    let (mut from_client, mut to_client) = client.split();
    let (mut from_engine, mut to_engine) = engine.split();
    let asking = async {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut piece).await {
            let text = String::from_utf8_lossy(&piece[..length]);
            if text.lines().next().is_some_and(|line| line.contains(about)) {
                seen.asked.fetch_add(1, Ordering::SeqCst);
                while let Ok(1..) = from_client.read(&mut piece).await {}
                seen.hung_up.fetch_add(1, Ordering::SeqCst);
                return;
            }
            if to_engine.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = asking => {}
        _ = copy(&mut from_engine, &mut to_client) => {}
    }
}

/// Where the real one is.
fn engine() -> PathBuf {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let path = host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock");
    Path::new(path).to_owned()
}
