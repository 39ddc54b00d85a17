//! The folder of backups: what is there, how old, whether it may be what it claims to be. Cheap enough for completion;
//! the proof is `verify`'s.
//!
//! What must stay true: a name is only ever looked up among the files of the folder, never joined to a path unchecked;
//! what is flagged is never the default; age alone flags nothing.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::connect;
use crate::{
    actions::{Context, Done, Failure},
    clock::Timestamp,
    config::settings::PostgresTarget,
    sample::Sample,
};

const ENDINGS: [&str; 5] = ["dump", "sql", "backup", "pgdump", "custom"];
const TRAILER: &str = "PostgreSQL database dump complete";
/// A manifest larger than this is none.
const LONGEST_MANIFEST: u64 = 1 << 20;
/// As much as is looked at of a file's beginning, and of its end.
const HEAD: u64 = 4096;

/// What the maker of a backup says of it, written last, beside it (`FILE.manifest.json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub file: String,
    pub format: String,
    pub database: String,
    pub size: u64,
    pub sha256: String,
    pub created_at: Timestamp,
    #[serde(default)]
    pub server_version: String,
    #[serde(default)]
    pub tables: BTreeMap<String, i64>,
    #[serde(default)]
    pub newest: Option<Newest>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Newest {
    pub table: String,
    pub column: String,
    pub at: Option<Timestamp>,
}

impl Manifest {
    pub fn newest_at(&self) -> Option<Timestamp> {
        self.newest.as_ref().and_then(|newest| newest.at)
    }

    pub fn rows(&self) -> i64 {
        self.tables.values().sum()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Custom,
    Plain,
}

/// Which file exactly: another size, time or inode is another file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    pub size: u64,
    pub modified_ns: i64,
    pub inode: u64,
}

/// One backup as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackupInfo {
    /// Its name in the folder: what is chosen by.
    pub file: String,
    #[serde(skip)]
    pub path: PathBuf,
    pub size: u64,
    pub format: Option<Format>,
    /// When its data was read: the manifest's time, else the file's.
    pub created_at: Timestamp,
    /// Seconds since then.
    pub age: i64,
    /// `verified` (proved since this drbot started), `unverified` (can be proved by its manifest), `unknown` (no
    /// manifest), or `damaged` (does not even look right).
    pub integrity: &'static str,
    /// The database that it says it is of.
    pub database: Option<String>,
    /// Why it is never the default.
    pub flags: Vec<String>,
    /// What would be lost against the last sample; against now where there is none. Seconds and rows.
    pub loss_seconds: Option<i64>,
    pub loss_rows: Option<i64>,
    #[serde(skip)]
    pub manifest: Option<Manifest>,
    #[serde(skip)]
    pub identity: Identity,
}

impl BackupInfo {
    /// Whether it may be taken without being named.
    pub fn may_be_default(&self) -> bool {
        self.manifest.is_some() && self.flags.is_empty() && self.integrity != "damaged"
    }
}

/// All backups of the target, the newest first; of equally new ones the format that restores faster.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(target: &PostgresTarget, sample: Option<&Sample>, now: Timestamp) -> Result<Vec<BackupInfo>, Failure> {
    let folder = &target.backups;
    let unreadable = |error: std::io::Error| {
        Failure::failed(format!("the folder of backups {} cannot be read: {error}", folder.display()))
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let ending = name.rsplit('.').next().unwrap_or_default();
        if name.starts_with('.') || !ENDINGS.contains(&ending) {
            continue;
        }
        // Not followed: a link may lead out of the folder.
        let Ok(meta) = std::fs::symlink_metadata(entry.path()) else { continue };
        if meta.is_file() {
            found.push(info(target, entry.path(), name, &meta, now));
        }
    }
    let most = most_rows(&found, sample);
    for backup in &mut found {
        flag(backup, target, &most);
        backup.loss_seconds = backup.manifest.as_ref().and_then(Manifest::newest_at).map(|newest| {
            let last = sample.and_then(|sample| sample.newest).unwrap_or(now);
            (last - newest).num_seconds().max(0)
        });
        backup.loss_rows = backup.manifest.as_ref().zip(sample).and_then(|(manifest, sample)| {
            let rows = |tables: &BTreeMap<String, i64>| tables.get(&target.newest_table).copied();
            Some((rows(&sample.tables)? - rows(&manifest.tables)?).max(0))
        });
    }
    found.sort_by_key(|backup| (std::cmp::Reverse(backup.created_at), backup.format != Some(Format::Custom)));
    Ok(found)
}

fn info(target: &PostgresTarget, path: PathBuf, file: String, meta: &std::fs::Metadata, now: Timestamp) -> BackupInfo {
    let mut flags = Vec::new();
    let manifest = match manifest(&path) {
        Ok(manifest) => manifest,
        Err(problem) => {
            flags.push(problem);
            None
        }
    };
    let modified = Timestamp::from_timestamp(meta.mtime(), 0).unwrap_or(now);
    let created_at = manifest.as_ref().map_or(modified, |manifest| manifest.created_at);
    let mut integrity = if manifest.is_some() { "unverified" } else { "unknown" };
    let Looks { format, mut database, problem } = look(&path, meta.len());
    if let Some(problem) = problem {
        integrity = "damaged";
        flags.push(problem);
    }
    if let Some(manifest) = &manifest {
        if manifest.size != meta.len() {
            integrity = "damaged";
            flags.push(format!("its size is {} bytes, its manifest says {}", meta.len(), manifest.size));
        }
        if database.as_ref().is_none_or(|name| *name == target.database) {
            database = Some(manifest.database.clone());
        }
        if manifest.file != file {
            flags.push(format!("its manifest is of another file, {}", manifest.file));
        }
    } else {
        flags.push("it has no manifest, so nothing proves that it is whole".to_owned());
    }
    if let Some(database) = database.as_ref().filter(|name| **name != target.database) {
        flags.push(format!("it is of the database {database}, not {}", target.database));
    }
    if let Some((manifest, scan)) = manifest.as_ref().zip(super::scan::remembered(&path, &identity(meta)))
        && integrity != "damaged"
    {
        if !manifest.sha256.eq_ignore_ascii_case(&scan.sha256) {
            integrity = "damaged";
            flags.push("its checksum is not the one that its manifest names".to_owned());
        } else if scan.readable || format == Some(Format::Plain) {
            integrity = "verified";
        }
    }
    BackupInfo {
        identity: identity(meta),
        age: (now - created_at).num_seconds().max(0),
        path,
        file,
        size: meta.len(),
        format,
        created_at,
        integrity,
        database,
        flags,
        loss_seconds: None,
        loss_rows: None,
        manifest,
    }
}

/// Seconds as people read them.
pub fn length(seconds: i64) -> crate::runbook::span::Span {
    crate::runbook::span::Span::from_secs(seconds.max(0).unsigned_abs())
}

pub fn identity(meta: &std::fs::Metadata) -> Identity {
    Identity {
        size: meta.len(),
        modified_ns: meta.mtime().saturating_mul(1_000_000_000) + meta.mtime_nsec(),
        inode: meta.ino(),
    }
}

/// The manifest beside a backup; `None` when there is none.
///
/// # Errors
/// Why the one that is there is no manifest.
fn manifest(path: &Path) -> Result<Option<Manifest>, String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".manifest.json");
    let file = PathBuf::from(name);
    match std::fs::symlink_metadata(&file) {
        Err(_) => return Ok(None),
        Ok(meta) if !meta.is_file() || meta.len() > LONGEST_MANIFEST => {
            return Err("its manifest is no ordinary file".to_owned());
        }
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(&file).map_err(|error| format!("its manifest cannot be read: {error}"))?;
    serde_json::from_str(&text).map(Some).map_err(|error| format!("its manifest cannot be read: {error}"))
}

/// What a look at beginning and end tells.
struct Looks {
    format: Option<Format>,
    database: Option<String>,
    problem: Option<String>,
}

/// The format by the first bytes, and whether beginning and end look right.
fn look(path: &Path, size: u64) -> Looks {
    let wrong = |problem: String| Looks { format: None, database: None, problem: Some(problem) };
    if size == 0 {
        return wrong("it is empty".to_owned());
    }
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) => return wrong(format!("it cannot be read: {error}")),
    };
    let mut head = Vec::new();
    if let Err(error) = file.by_ref().take(HEAD).read_to_end(&mut head) {
        return wrong(format!("it cannot be read: {error}"));
    }
    if head.starts_with(b"PGDMP") {
        return Looks { format: Some(Format::Custom), database: database_of_custom(&head), problem: None };
    }
    if head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return wrong("it is compressed; unpack it first".to_owned());
    }
    if !String::from_utf8_lossy(&head).contains("PostgreSQL database dump") {
        return wrong("it is neither a custom nor a plain dump of PostgreSQL".to_owned());
    }
    let mut tail = Vec::new();
    let read = file.seek(SeekFrom::Start(size.saturating_sub(HEAD))).and_then(|_| file.read_to_end(&mut tail));
    let problem = match read {
        Err(error) => Some(format!("it cannot be read: {error}")),
        // Newer releases of pg_dump write a line after the trailer (`\unrestrict …`).
        Ok(_) if String::from_utf8_lossy(&tail).contains(TRAILER) => None,
        Ok(_) => Some(format!("it is cut off: the line \"{TRAILER}\" is missing at its end")),
    };
    Looks { format: Some(Format::Plain), database: None, problem }
}

/// The database that a custom dump's header names: magic, version, sizes of integers and offsets, format, compression,
/// seven integers of time, then the name (`ReadHead` of PostgreSQL's pg_backup_archiver.c; version 1.10 on).
fn database_of_custom(head: &[u8]) -> Option<String> {
    let version = (*head.get(5)?, *head.get(6)?);
    if version < (1, 10) {
        return None;
    }
    let width = usize::from(*head.get(8)?);
    // A sign and then the bytes, the least first.
    let integer = |at: usize| -> Option<u64> {
        let bytes = head.get(at + 1..at + 1 + width)?;
        (*head.get(at)? == 0).then(|| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    // From 1.15 on the compression is one byte that names the method.
    let compression = if version >= (1, 15) { 1 } else { 1 + width };
    let name = 11 + compression + 7 * (1 + width);
    let length = usize::try_from(integer(name)?).ok()?;
    let text = head.get(name + 1 + width..)?.get(..length)?;
    String::from_utf8(text.to_vec()).ok().filter(|name| !name.is_empty())
}

/// The most rows that each table was ever seen with: in the last sample or in any backup.
fn most_rows(backups: &[BackupInfo], sample: Option<&Sample>) -> BTreeMap<String, i64> {
    let mut most: BTreeMap<String, i64> = sample.map(|sample| sample.tables.clone()).unwrap_or_default();
    for manifest in backups.iter().filter_map(|backup| backup.manifest.as_ref()) {
        for (table, rows) in &manifest.tables {
            let there = most.entry(table.clone()).or_default();
            *there = (*there).max(*rows);
        }
    }
    most
}

/// Backups go on after damage: one with far fewer rows than were ever seen, or without a table, may be one of the damage.
fn flag(backup: &mut BackupInfo, target: &PostgresTarget, most: &BTreeMap<String, i64>) {
    let Some(manifest) = &backup.manifest else { return };
    for table in &target.critical_tables {
        match (manifest.tables.get(table), most.get(table)) {
            (None, _) => backup.flags.push(format!("the table {table} is missing in it")),
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            (Some(rows), Some(most)) if (*rows as f64) < *most as f64 * target.shrink_limit => {
                backup.flags.push(format!("{table} has {rows} rows in it, and had {most} before"));
            }
            _ => {}
        }
    }
}

/// The list on a thread where files may be waited for.
///
/// # Errors
/// As [`list`].
pub async fn list_off_thread(context: &Context) -> Result<Vec<BackupInfo>, Failure> {
    let target = connect::target(context)?.clone();
    let sample = context.sample.clone();
    let now = context.clock.now();
    let work = tokio::task::spawn_blocking(move || list(&target, sample.as_ref(), now));
    tokio::select! {
        listed = work => listed.map_err(|error| Failure::failed(error.to_string()))?,
        () = context.cancel.cancelled() => Err(Failure::Cancelled),
    }
}

/// `postgres.backups`.
///
/// # Errors
/// When the folder cannot be read.
pub async fn perform(context: &Context) -> Result<Done, Failure> {
    let backups = list_off_thread(context).await?;
    let default = backups.iter().find(|backup| backup.may_be_default());
    let summary = match default {
        Some(backup) => format!("the newest good one is {} old: {}", length(backup.age), backup.file),
        None if backups.is_empty() => "there are none".to_owned(),
        None => "none that may be trusted".to_owned(),
    };
    let newest = default.map(serde_json::to_value).transpose().unwrap_or_default();
    Ok(Done::new(summary)
        .with("count", backups.len())
        .with("age", default.map_or(serde_json::Value::Null, |backup| backup.age.into()))
        .with("newest", newest.unwrap_or_default())
        .with("backups", serde_json::to_value(&backups).unwrap_or_default()))
}
