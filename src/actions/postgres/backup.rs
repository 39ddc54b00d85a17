//! The folder of backups: what is there, how old, whether it may be what it claims to be. Cheap enough for completion;
//! the proof is `verify`'s.
//!
//! What must stay true: a name is only ever looked up among the files of the folder, never joined to a path unchecked;
//! what is flagged is never the default; age alone flags nothing. What looks like a backup by its name, and is none (a
//! link, a pipe, a packed file), is listed with the reason: it is what somebody will look for.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    connect,
    look::{self, Format, Looks},
    manifest::{self, Manifest, shown},
};
use crate::{
    actions::{Context, Done, Failure},
    clock::Timestamp,
    config::settings::PostgresTarget,
    sample::Sample,
};

const ENDINGS: [&str; 5] = ["dump", "sql", "backup", "pgdump", "custom"];
/// What packs, by how it names its files.
const PACKED: [&str; 5] = ["gz", "zst", "xz", "bz2", "lz4"];

/// Which file exactly: another size, time or inode is another file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    pub size: u64,
    pub modified_ns: i64,
    /// When anything about it was changed; no program can set that back.
    pub changed_ns: i64,
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
    /// It is of another database than the target's.
    #[serde(skip)]
    pub is_foreign: bool,
    /// Something that it says of itself cannot be true, or nothing is said.
    #[serde(skip)]
    pub is_doubted: bool,
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
        // Not followed: a link may lead out of the folder.
        let Ok(meta) = std::fs::symlink_metadata(entry.path()) else { continue };
        if is_named_so(&name) {
            found.push(info(target, entry.path(), name, &meta, now));
        }
    }
    let most = most_rows(&found, sample);
    for backup in &mut found {
        flag(backup, target, &most);
        let Some(manifest) = &backup.manifest else { continue };
        let Some(newest) = manifest.newest_at(target) else { continue };
        // A sample from before the backup tells nothing of what came after it.
        let newer = sample.filter(|sample| sample.newest.is_some_and(|last| last > newest));
        let last = newer.and_then(|sample| sample.newest).unwrap_or(now);
        backup.loss_seconds = Some((last - newest).num_seconds().max(0));
        backup.loss_rows = newer.and_then(|sample| {
            let rows = |tables: &BTreeMap<String, i64>| tables.get(&target.newest_table).copied();
            Some(rows(&sample.tables)?.saturating_sub(rows(&manifest.tables)?)).filter(|rows| *rows > 0)
        });
    }
    found.sort_by_key(|backup| (std::cmp::Reverse(backup.created_at), backup.format != Some(Format::Custom)));
    Ok(found)
}

/// Whether something is called as a backup is, packed or not.
fn is_named_so(name: &str) -> bool {
    let mut ends = name.rsplit('.');
    let ending = ends.next().unwrap_or_default();
    let before = if PACKED.contains(&ending) { ends.next().unwrap_or_default() } else { ending };
    !name.starts_with('.') && ENDINGS.contains(&before)
}

fn info(target: &PostgresTarget, path: PathBuf, file: String, meta: &std::fs::Metadata, now: Timestamp) -> BackupInfo {
    let mut flags = Vec::new();
    let manifest = match manifest::beside(&path) {
        _ if !meta.is_file() => None,
        Ok(manifest) => manifest,
        Err(problem) => {
            flags.push(problem);
            None
        }
    };
    let looks =
        if meta.is_file() { look::at(&path, meta, manifest.is_some()) } else { look::at_no_file(meta.file_type()) };
    let Looks { format, mut database, problem } = looks;
    let mut damage: Vec<String> = problem.into_iter().collect();
    if file.chars().any(char::is_control) {
        damage.push("its name has a control character in it; give it another name".to_owned());
    }
    let identity = identity(meta);
    let scan = super::scan::remembered(&path, &identity);
    damage.extend(scan.as_ref().and_then(|scan| scan.problem.clone()));
    let modified = Timestamp::from_timestamp(meta.mtime(), 0).unwrap_or(now);
    if let Some(manifest) = &manifest {
        if manifest.size != meta.len() {
            damage.push(format!("its size is {} bytes, its manifest says {}", meta.len(), manifest.size));
        } else if let Some(scan) = &scan {
            damage.extend(manifest.contradicted_by(scan, format));
        }
        if database.as_ref().is_none_or(|name| *name == target.database) {
            database = Some(manifest.database.clone());
        }
        if manifest.file != file {
            flags.push(format!("its manifest is of another file, {}", shown(&manifest.file)));
        }
        flags.extend(manifest.impossible(modified, now));
    } else if meta.is_file() {
        flags.push("it has no manifest, so nothing proves that it is whole".to_owned());
    }
    let other = database.as_ref().filter(|name| **name != target.database);
    flags.extend(other.map(|name| format!("it is of the database {}, not {}", shown(name), target.database)));
    let integrity = match (&manifest, &scan) {
        _ if !damage.is_empty() => "damaged",
        (Some(_), Some(scan)) if scan.proved && flags.is_empty() => "verified",
        (Some(_), _) => "unverified",
        (None, _) => "unknown",
    };
    let created_at = manifest.as_ref().map_or(modified, |manifest| manifest.created_at);
    let is_doubted = !flags.is_empty();
    damage.extend(flags);
    BackupInfo {
        age: (now - created_at).num_seconds().max(0),
        is_foreign: other.is_some(),
        is_doubted,
        identity,
        path,
        file,
        size: meta.len(),
        format,
        created_at,
        integrity,
        database,
        flags: damage,
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
        changed_ns: meta.ctime().saturating_mul(1_000_000_000) + meta.ctime_nsec(),
        inode: meta.ino(),
    }
}

/// The most rows that each table was ever seen with: in the last sample or in any backup.
fn most_rows(backups: &[BackupInfo], sample: Option<&Sample>) -> BTreeMap<String, i64> {
    let mut most: BTreeMap<String, i64> = sample.map(|sample| sample.tables.clone()).unwrap_or_default();
    // What is doubted itself must not bring others into doubt.
    let believed = backups.iter().filter(|backup| !backup.is_doubted && backup.integrity != "damaged");
    for manifest in believed.filter_map(|backup| backup.manifest.as_ref()) {
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
        Some(backup) if backup.integrity == "verified" => {
            format!("the newest good one is {} old: {}", length(backup.age), backup.file)
        }
        Some(backup) => format!("the newest, not proved yet, is {} old: {}", length(backup.age), backup.file),
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
