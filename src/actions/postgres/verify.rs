//! The proof of a backup, before anything is done with it.
//!
//! `pg_restore --list` is satisfied with a cut-off file, and `psql` ends with 0 on half a database; what proves a backup
//! is its checksum against the manifest, the trailer of a plain dump, and reading all of a custom one. Age never
//! refuses: it is a figure for the approver.

use std::{io::Read, path::Path};

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::Connection;

use super::{
    backup::{self, BackupInfo, Format},
    connect, data, tools,
};
use crate::{
    actions::{Context, Done, Failure, ProgressValue, docker},
    clock::Timestamp,
};

/// What a step's option says when no backup is named.
pub const NEWEST: &str = "newest-verified";
/// A file that changed within this many seconds is taken to be written still, unless its manifest fits.
const SETTLED: i64 = 2;

/// `postgres.verify`.
///
/// # Errors
/// Why the backup is refused; when none is named, why none will do.
pub async fn perform(engine: &docker::Engine, context: &Context, name: &str, database: &str) -> Result<Done, Failure> {
    let all = backup::list_off_thread(context).await?;
    let mut passed_over = Vec::new();
    let (chosen, sha256) = if name == NEWEST {
        newest(engine, context, &all, &mut passed_over).await?
    } else {
        let chosen = named(&all, name)?;
        refuse_damaged(chosen)?;
        let sha256 = prove(engine, context, chosen).await?;
        (chosen, sha256)
    };
    let manifest = chosen.manifest.as_ref();
    let (loss_seconds, loss_rows) = loss(context, chosen, database).await;
    let integrity = if manifest.is_some() { "verified" } else { "unknown" };
    let mut warnings = chosen.flags.clone();
    warnings.extend(passed_over);
    let summary = match integrity {
        "verified" => format!("{}: whole, checksum right, {} old", chosen.file, backup::length(chosen.age)),
        _ => format!("{}: readable, but its integrity is unknown (no manifest)", chosen.file),
    };
    let path = chosen.path.display().to_string();
    Ok(Done::new(summary)
        .with("backup", chosen.file.clone())
        .with("path", path)
        .with("sha256", sha256)
        .with("size", chosen.size)
        .with("format", serde_json::to_value(chosen.format).unwrap_or_default())
        .with("identity", serde_json::to_value(&chosen.identity).unwrap_or_default())
        .with("age", chosen.age)
        .with("integrity", integrity)
        .with("tables", json!(manifest.map(|manifest| &manifest.tables)))
        .with("rows", json!(manifest.map(backup::Manifest::rows)))
        .with("newest", json!(manifest.and_then(backup::Manifest::newest_at)))
        .with("loss_seconds", json!(loss_seconds))
        .with("loss_rows", json!(loss_rows))
        .with("warnings", warnings.clone())
        .with_log(warnings.into_iter().map(|warning| format!("warning: {warning}"))))
}

/// The backup of a name; names are looked up in the list, so no path can lead anywhere else.
///
/// # Errors
/// That there is none, and which there are.
pub fn named<'a>(all: &'a [BackupInfo], name: &str) -> Result<&'a BackupInfo, Failure> {
    all.iter().find(|backup| backup.file == name).ok_or_else(|| {
        let known: Vec<_> = all.iter().take(5).map(|backup| backup.file.as_str()).collect();
        Failure::refused(match known.as_slice() {
            [] => format!("there is no backup {name:?}; the folder has none at all"),
            known => format!("there is no backup {name:?}; the newest are {}", known.join(", ")),
        })
    })
}

fn refuse_damaged(backup: &BackupInfo) -> Result<(), Failure> {
    let other = backup.manifest.is_some() && backup.flags.iter().any(|flag| flag.starts_with("it is of the database"));
    match backup.integrity {
        "damaged" => Err(Failure::refused(format!("{} is damaged: {}", backup.file, backup.flags.join("; ")))),
        _ if other => Err(Failure::refused(format!("{} cannot be used: {}", backup.file, backup.flags.join("; ")))),
        _ => Ok(()),
    }
}

/// The newest that may be the default and passes every check.
async fn newest<'a>(
    engine: &docker::Engine,
    context: &Context,
    all: &'a [BackupInfo],
    passed_over: &mut Vec<String>,
) -> Result<(&'a BackupInfo, String), Failure> {
    for backup in all {
        if !backup.may_be_default() {
            passed_over.push(format!("{} was passed over: {}", backup.file, backup.flags.join("; ")));
            continue;
        }
        match prove(engine, context, backup).await {
            Ok(sha256) => return Ok((backup, sha256)),
            Err(Failure::Refused { message }) => {
                passed_over.push(format!("{} was passed over: {message}", backup.file))
            }
            Err(other) => return Err(other),
        }
    }
    Err(Failure::refused(match passed_over.as_slice() {
        [] => "there is no backup at all".to_owned(),
        why => format!(
            "no backup may be trusted. {}. Name one to take it all the same",
            why[..why.len().min(3)].join(". ")
        ),
    }))
}

/// Reads all of it: checksum, stability, and for a custom dump every block of it by `pg_restore`. Returns its SHA-256.
async fn prove(engine: &docker::Engine, context: &Context, backup: &BackupInfo) -> Result<String, Failure> {
    let refused = |why: String| Failure::refused(format!("{}: {why}", backup.file));
    let sha256 = checksum(context, &backup.path, backup.size).await?;
    let settled = std::fs::symlink_metadata(&backup.path).map_err(|error| refused(format!("it is gone: {error}")))?;
    if backup::identity(&settled) != backup.identity {
        return Err(refused("it is being written right now: it changed while it was read".to_owned()));
    }
    match &backup.manifest {
        Some(manifest) if !manifest.sha256.eq_ignore_ascii_case(&sha256) => {
            return Err(refused(
                "its checksum is not the one that its manifest names: its content has changed".to_owned(),
            ));
        }
        Some(_) => {}
        None => {
            let modified = Timestamp::from_timestamp(backup.identity.modified_ns / 1_000_000_000, 0);
            let age = modified.map_or(i64::MAX, |modified| (context.clock.now() - modified).num_seconds());
            if age < SETTLED {
                return Err(refused(
                    "it was written a moment ago, and may be written still; try again in a few seconds".to_owned(),
                ));
            }
        }
    }
    if backup.format == Some(Format::Custom) {
        let target = connect::target(context)?;
        let arguments = ["pg_restore", "-f", "/dev/null"].map(str::to_owned).into_iter();
        let file = format!("{}/{}", tools::BACKUPS, backup.file);
        let tool = tools::Tool {
            name: "verify",
            arguments: arguments.chain([file]).collect(),
            backups: Some(&target.backups),
            beside: &target.container,
        };
        let output = tools::run(engine, context, tool).await?;
        if output.code != 0 {
            return Err(refused(format!("pg_restore cannot read it to its end: {}", output.tail())));
        }
    }
    Ok(sha256)
}

/// SHA-256 of a file, as hex, telling how far it is.
///
/// # Errors
/// When it cannot be read.
pub async fn checksum(context: &Context, path: &Path, size: u64) -> Result<String, Failure> {
    let (path, progress, cancel) = (path.to_owned(), context.progress.clone(), context.cancel.clone());
    let work = tokio::task::spawn_blocking(move || -> std::io::Result<Option<String>> {
        let mut file = std::fs::File::open(&path)?;
        let mut hash = Sha256::new();
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
            done += read as u64;
            progress.report(ProgressValue { done, total: size, unit: "bytes", doing: "checksum".to_owned() });
        }
        Ok(Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
    });
    match work.await {
        Ok(Ok(Some(sha256))) => Ok(sha256),
        Ok(Ok(None)) => Err(Failure::Cancelled),
        Ok(Err(error)) => Err(Failure::refused(format!("the backup cannot be read: {error}"))),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

/// What restoring it would lose, against the live database where that can be read, else against the last sample.
async fn loss(context: &Context, backup: &BackupInfo, database: &str) -> (Option<i64>, Option<i64>) {
    let Some(newest) = backup.manifest.as_ref().and_then(backup::Manifest::newest_at) else { return (None, None) };
    let from_live = async {
        let mut connection = connect::open(&connect::live(context)?, database, context).await?;
        let last = data::newest(&mut connection, context).await?;
        let rows = data::newer(&mut connection, context, newest).await?;
        let _ = connection.close().await;
        Ok::<_, Failure>((last, rows))
    };
    let sample = (backup.loss_seconds, backup.loss_rows);
    match from_live.await {
        Ok((Some(last), rows)) => {
            let seconds = (last - newest).num_seconds().max(0);
            // A sample that was taken before the damage may know of newer records than are left.
            (
                Some(seconds.max(sample_seconds(context, newest).unwrap_or(0))),
                Some(rows.max(backup.loss_rows.unwrap_or(0))),
            )
        }
        Ok((None, _)) | Err(_) if context.sample.is_some() => sample,
        _ => (None, None),
    }
}

fn sample_seconds(context: &Context, newest: Timestamp) -> Option<i64> {
    Some((context.sample.as_ref()?.newest? - newest).num_seconds().max(0))
}
