//! The proof of a backup, before anything is done with it.
//!
//! `pg_restore --list` is satisfied with a cut-off file, and `psql` ends with 0 on half a database; what proves a backup
//! is its checksum against the manifest, the trailer of a plain dump, and reading all of a custom one. Age never
//! refuses: it is a figure for the approver.

use serde_json::json;
use sqlx::Connection;

use super::{
    backup::{self, BackupInfo, Format},
    connect, data,
    scan::{self, Scan},
    tools,
};
use crate::{
    actions::{Context, Done, Failure, docker},
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
    let (chosen, scan) = if name == NEWEST {
        newest(engine, context, &all, &mut passed_over).await?
    } else {
        let chosen = named(&all, name)?;
        refuse_damaged(chosen)?;
        let scan = prove(engine, context, chosen).await?;
        (chosen, scan)
    };
    let manifest = chosen.manifest.as_ref();
    let (loss_seconds, loss_rows) = loss(context, chosen, database).await;
    let integrity = if manifest.is_some() { "verified" } else { "unknown" };
    let mut warnings = chosen.flags.clone();
    if manifest.is_none() {
        let critical = &connect::target(context)?.critical_tables;
        let missing = critical.iter().filter(|table| !scan.tables.contains_key(*table));
        warnings.extend(missing.map(|table| format!("the table {table} is missing in it")));
    }
    warnings.extend(passed_over);
    // Counted in the file itself where its maker says nothing.
    let counted = (!scan.tables.is_empty() && scan.tables.values().all(|rows| *rows >= 0)).then_some(&scan.tables);
    let tables = manifest.map(|manifest| &manifest.tables).or(counted);
    let summary = match integrity {
        "verified" => format!("{}: whole, checksum right, {} old", chosen.file, backup::length(chosen.age)),
        _ => format!("{}: readable, but its integrity is unknown (no manifest)", chosen.file),
    };
    let path = chosen.path.display().to_string();
    Ok(Done::new(summary)
        .with("backup", chosen.file.clone())
        .with("path", path)
        .with("sha256", scan.sha256)
        .with("size", chosen.size)
        .with("format", serde_json::to_value(chosen.format).unwrap_or_default())
        .with("identity", serde_json::to_value(&chosen.identity).unwrap_or_default())
        .with("age", chosen.age)
        .with("integrity", integrity)
        .with("tables", json!(tables))
        .with("rows", json!(tables.map(|tables| tables.values().sum::<i64>())))
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
    let other = backup.flags.iter().any(|flag| flag.starts_with("it is of the database"));
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
) -> Result<(&'a BackupInfo, Scan), Failure> {
    for backup in all {
        if !backup.may_be_default() {
            passed_over.push(format!("{} was passed over: {}", backup.file, backup.flags.join("; ")));
            continue;
        }
        match prove(engine, context, backup).await {
            Ok(scan) => return Ok((backup, scan)),
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

/// Reads all of it: checksum, stability, and for a custom dump every block of it by `pg_restore`.
async fn prove(engine: &docker::Engine, context: &Context, backup: &BackupInfo) -> Result<Scan, Failure> {
    let refused = |why: String| Failure::refused(format!("{}: {why}", backup.file));
    let mut scan = scan::scan(context, backup).await?;
    let settled = std::fs::symlink_metadata(&backup.path).map_err(|error| refused(format!("it is gone: {error}")))?;
    if backup::identity(&settled) != backup.identity {
        return Err(refused("it is being written right now: it changed while it was read".to_owned()));
    }
    match &backup.manifest {
        Some(manifest) if !manifest.sha256.eq_ignore_ascii_case(&scan.sha256) => {
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
    if let Some((command, line)) = &scan.command {
        return Err(refused(format!(
            "line {line} has the command {command}, which leads out of the database that it is restored into: it \
             could write into the live one. Make the dump without -C (and not with pg_dumpall)"
        )));
    }
    if backup.format == Some(Format::Custom) && !scan.readable {
        pg_restore(engine, context, backup, &["-f", "/dev/null"]).await?;
        if backup.manifest.is_none() {
            let listed = pg_restore(engine, context, backup, &["-l"]).await?;
            scan.tables = listed.lines().filter_map(table_of_listing).map(|table| (table, -1)).collect();
        }
        scan.readable = true;
        scan::remember(backup, &scan);
    }
    Ok(scan)
}

/// Reads a custom dump with the tool that would restore it.
async fn pg_restore(
    engine: &docker::Engine,
    context: &Context,
    backup: &BackupInfo,
    how: &[&str],
) -> Result<String, Failure> {
    let target = connect::target(context)?;
    let mut arguments = vec!["pg_restore".to_owned()];
    arguments.extend(how.iter().map(|part| (*part).to_owned()));
    arguments.push(format!("{}/{}", tools::BACKUPS, backup.file));
    let tool = tools::Tool {
        name: "verify",
        arguments,
        backups: Some(&target.backups),
        beside: &target.container,
        server: None,
    };
    let output = tools::run(engine, context, tool).await?;
    if output.code == 0 {
        return Ok(output.text);
    }
    Err(Failure::refused(format!("{}: pg_restore cannot read it to its end: {}", backup.file, output.tail())))
}

/// `3421; 0 16394 TABLE DATA public trades trading_bot` → `public.trades`.
fn table_of_listing(line: &str) -> Option<String> {
    let mut words = line.split(" TABLE DATA ").nth(1)?.split(' ');
    Some(format!("{}.{}", words.next()?, words.next()?))
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
