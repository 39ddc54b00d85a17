//! Reads a backup once, all of it: its checksum, and for a plain dump what it holds and what it would make `psql` do.
//!
//! What is found is kept for as long as the file is the same one: what was seen to be bad stays bad, so that no list ever
//! shows it as good.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{
    backup::{BackupInfo, Identity},
    look::{self, Format},
    script::Script,
};
use crate::actions::{Context, Failure, Progress, ProgressValue};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scan {
    /// As lower-case hex.
    pub sha256: String,
    /// Rows of each table in a plain dump that has its rows as COPY; -1 where they are not counted.
    pub tables: BTreeMap<String, i64>,
    /// The tables that it makes; empty when that is not known.
    pub made: BTreeSet<String>,
    /// It makes extensions, which bring tables of their own.
    pub has_extensions: bool,
    /// Why it must not be restored, as its content tells.
    pub problem: Option<String>,
    /// All of it has been read by what would restore it, and is whole.
    pub proved: bool,
}

impl Scan {
    /// Whether it is known which tables a restore makes.
    pub fn tells_tables(&self) -> bool {
        !self.made.is_empty() && !self.has_extensions
    }
}

/// What is known of files that have not changed since. A file that changed in any way is another key.
static KNOWN: LazyLock<Mutex<BTreeMap<(PathBuf, Identity), Scan>>> = LazyLock::new(Mutex::default);
/// Files that are remembered.
const REMEMBERED: usize = 200;

fn known() -> MutexGuard<'static, BTreeMap<(PathBuf, Identity), Scan>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an earlier scan of this very file found.
pub fn remembered(path: &Path, identity: &Identity) -> Option<Scan> {
    known().get(&(path.to_owned(), identity.clone())).cloned()
}

/// Keeps what is known of a file, for as long as drbot runs.
pub fn remember(backup: &BackupInfo, scan: &Scan) {
    let mut known = known();
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert((backup.path.clone(), backup.identity.clone()), scan.clone());
}

/// Reads the file, unless it is known; tells how far it is.
///
/// # Errors
/// When it cannot be read.
pub async fn scan(context: &Context, backup: &BackupInfo) -> Result<Scan, Failure> {
    match remembered(&backup.path, &backup.identity) {
        Some(scan) => Ok(scan),
        None => {
            let scan = anew(context, backup).await?;
            remember(backup, &scan);
            Ok(scan)
        }
    }
}

/// Reads the file, whatever is known of it.
///
/// # Errors
/// When it cannot be read.
pub async fn anew(context: &Context, backup: &BackupInfo) -> Result<Scan, Failure> {
    let (path, size, plain) = (backup.path.clone(), backup.size, backup.format == Some(Format::Plain));
    let (progress, cancel) = (context.progress.clone(), context.cancel.clone());
    let work = tokio::task::spawn_blocking(move || read(&path, size, plain, &progress, &cancel));
    match work.await {
        Ok(Ok(Some(scan))) => Ok(scan),
        Ok(Ok(None)) => Err(Failure::Cancelled),
        Ok(Err(error)) => Err(Failure::refused(format!("{} cannot be read: {error}", backup.file))),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

fn read(
    path: &Path,
    size: u64,
    plain: bool,
    progress: &Progress,
    cancel: &CancellationToken,
) -> std::io::Result<Option<Scan>> {
    let mut file = look::open(path)?;
    let mut hash = Sha256::new();
    let mut script = Script::default();
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        if cancel.is_cancelled() {
            return Ok(None);
        }
        hash.update(&buffer[..read]);
        if plain {
            script.take(&buffer[..read]);
        }
        done += read as u64;
        progress.report(ProgressValue { done, total: size, unit: "bytes", doing: "reading the backup".to_owned() });
    }
    let sha256 = hex(hash);
    if !plain {
        return Ok(Some(Scan { sha256, ..Scan::default() }));
    }
    script.end();
    let Script { tables, made, has_extensions, problem, .. } = script;
    // Names without a schema, of old releases, are compared with nothing.
    let made = if made.iter().all(|table| table.contains('.')) { made } else { BTreeSet::new() };
    Ok(Some(Scan { sha256, tables, made, has_extensions, proved: problem.is_none(), problem }))
}

/// A checksum as manifests have it.
pub fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
