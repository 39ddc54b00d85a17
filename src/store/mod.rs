//! drbot's memory: one SQLite file, the only place with drbot's own SQL.
//!
//! It is never kept in a database that drbot restores. What must stay true: an append is durable when it returns (WAL,
//! `synchronous=FULL`), nothing is written for a run by two owners, and the journal has no gaps. One connection writes,
//! each transaction begun as `IMMEDIATE` (a deferred one that upgrades fails at once, whatever the busy timeout); reads
//! have a pool of their own. Statements keep to what PostgreSQL understands too: `$N`, TEXT and BIGINT, `ON CONFLICT`.

pub mod alerts;
pub mod contacts;
mod fingerprints;
pub mod incidents;
pub mod journal;
pub mod lockdown;
pub mod messages;
pub mod notices;
pub mod pages;
pub mod postmortem;
pub mod reviews;
pub mod rungs;
pub mod samples;
pub mod versions;

use std::{
    fs::{File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use sqlx::{
    SqlitePool, Transaction,
    sqlite::{Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::clock::Timestamp;

/// Size of the file that is deleted when the disk is full, so that the failure itself can be recorded.
const BALLAST: usize = 1 << 20;

/// Another process has the store.
#[derive(Debug, thiserror::Error)]
#[error("another drbot uses the store in {}; stop it, or set DRBOT_DATA to another folder", .0.display())]
pub struct Taken(pub PathBuf);

/// The open store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    folder: PathBuf,
    /// Held for as long as the store is open for writing: one process at a time.
    lock: Option<std::sync::Arc<File>>,
}

impl Store {
    /// Opens the store in `folder`, making both where they are missing, and brings its schema up to date.
    ///
    /// # Errors
    /// When another process has it, when it cannot be written, or when it is damaged; the message names the path.
    pub async fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let lock = lock(folder)?;
        ballast(folder)?;
        let file = folder.join("drbot.sqlite");
        let options = options(&file).create_if_missing(true);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options.clone())
            .await
            .with_context(|| format!("cannot open the store {}", file.display()))?;
        sqlx::migrate!()
            .run(&writer)
            .await
            .with_context(|| format!("cannot bring the store {} up to date", file.display()))?;
        let readers = SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers, folder: folder.to_owned(), lock: Some(std::sync::Arc::new(lock)) })
    }

    /// Opens an existing store for reading only, beside the process that owns it.
    ///
    /// # Errors
    /// When there is none; the message names the path.
    pub async fn open_to_read(folder: &Path) -> Result<Self> {
        let file = folder.join("drbot.sqlite");
        if !file.exists() {
            bail!("there is no store at {}; set DRBOT_DATA to the folder that `drbot serve` uses", file.display());
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_with(options(&file).read_only(true))
            .await
            .with_context(|| format!("cannot read the store {}", file.display()))?;
        Ok(Self { writer: readers.clone(), readers, folder: folder.to_owned(), lock: None })
    }

    /// A store that forgets everything when it is closed, for who only looks.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub async fn in_memory() -> Result<Self> {
        let options = SqliteConnectOptions::new().in_memory(true);
        // One connection: each would have a memory of its own.
        let only = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .context("cannot open a store in memory")?;
        sqlx::migrate!().run(&only).await.context("cannot make the schema of a store in memory")?;
        Ok(Self { writer: only.clone(), readers: only, folder: PathBuf::new(), lock: None })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends all connections, with what is in the write-ahead log moved into the file, and lets another process in.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Some(lock) = &self.lock
            && let Err(error) = lock.unlock()
        {
            tracing::warn!(%error, "the store's lock is kept until drbot has ended");
        }
    }

    async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.context("the store cannot be written")
    }

    /// Gives up the ballast, so that there is room for a last word.
    fn drop_ballast(&self) -> bool {
        std::fs::remove_file(self.folder.join("ballast")).is_ok()
    }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Taken(folder.to_owned()).into()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

fn ballast(folder: &Path) -> Result<()> {
    let path = folder.join("ballast");
    if path.exists() {
        return Ok(());
    }
    // Written, not set: a hole takes no room and frees none.
    match std::fs::write(&path, vec![0xdb; BALLAST]) {
        // Used up, and the disk is full still: drbot is needed all the same. Half a ballast is none.
        Err(error) if error.kind() == ErrorKind::StorageFull => {
            tracing::error!(folder = %folder.display(), "the disk of the store is full, and there is no reserve");
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
        }
        written => written.with_context(|| format!("cannot write {}", path.display())),
    }
}

fn micros(at: Timestamp) -> i64 {
    at.timestamp_micros()
}

fn timestamp(micros: i64) -> Result<Timestamp> {
    Timestamp::from_timestamp_micros(micros).with_context(|| format!("{micros} is no time in the store"))
}
