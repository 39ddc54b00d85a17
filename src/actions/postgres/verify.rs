//! The proof of a backup, before anything is done with it.
//!
//! `pg_restore --list` is satisfied with a cut-off file, and `psql` ends with 0 on half a database; what proves a backup
//! is its checksum against the manifest, the trailer of a plain dump, and reading all of a custom one. Age never
//! refuses: it is a figure for the approver.

use serde_json::json;

use super::{
    backup::{self, BackupInfo},
    connect,
    look::Format,
    loss,
    manifest::shown,
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
/// Warnings that a card shows.
const WARNED: usize = 3;
/// Ends the first line of the tool's output: what comes before it was cut off otherwise.
const BEGIN: &str = "drbot-listing";

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
        let proved = match refuse_damaged(chosen) {
            Ok(()) => prove(engine, context, chosen).await,
            Err(failure) => Err(failure),
        };
        (chosen, proved.map_err(|failure| with_advice(failure, &all, chosen))?)
    };
    let manifest = chosen.manifest.as_ref();
    let loss = loss::expected(context, chosen, database).await?;
    let integrity = if manifest.is_some() && !chosen.is_doubted { "verified" } else { "unknown" };
    let mut warnings = chosen.flags.clone();
    if manifest.is_none() && scan.tells_tables() {
        let critical = &connect::target(context)?.critical_tables;
        let missing = critical.iter().filter(|table| !scan.made.contains(*table));
        warnings.extend(missing.map(|table| format!("the table {table} is missing in it")));
    }
    warnings.extend(passed_over);
    // Counted in the file itself where its maker says nothing.
    let counted = (!scan.tables.is_empty() && scan.tables.values().all(|rows| *rows >= 0)).then_some(&scan.tables);
    let tables = manifest.map(|manifest| &manifest.tables).or(counted);
    let rows = tables.map(|tables| tables.values().fold(0_i64, |sum, rows| sum.saturating_add(*rows)));
    let summary = match integrity {
        "verified" => format!("{}: whole, checksum right, {} old", chosen.file, backup::length(chosen.age)),
        _ if manifest.is_some() => format!("{}: readable, but its manifest is not to be believed", chosen.file),
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
        .with("rows", json!(rows))
        .with("newest", json!(loss.newest))
        .with("loss_seconds", json!(loss.seconds()))
        .with("loss_rows", json!(loss.rows))
        .with("loss_at_most", json!(loss.at_most()))
        .with("loss_is_least", loss.is_least)
        .with("loss_how", loss.how)
        .with("caution", caution(&warnings))
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

/// What is wrong with a backup, as far as the list knows it.
fn refuse_damaged(backup: &BackupInfo) -> Result<(), Failure> {
    let what = match backup.integrity {
        "damaged" => "is damaged",
        _ if backup.is_foreign => "cannot be used",
        _ => return Ok(()),
    };
    Err(Failure::refused(format!("{} {what}: {}", shown(&backup.file), backup.flags.join("; "))))
}

/// A refusal, with what to do instead.
fn with_advice(failure: Failure, all: &[BackupInfo], refused: &BackupInfo) -> Failure {
    let Failure::Refused { message } = failure else { return failure };
    let other = all.iter().find(|backup| backup.may_be_default() && backup.file != refused.file);
    Failure::refused(match other {
        Some(other) => {
            format!("{message}. Choose another backup: the newest with nothing against it is {}", other.file)
        }
        None => format!("{message}. There is no other backup with nothing against it"),
    })
}

/// The warnings for the card: the first few, short.
fn caution(warnings: &[String]) -> String {
    let mut text = warnings.iter().take(WARNED).map(String::as_str).collect::<Vec<_>>().join("; ");
    if warnings.len() > WARNED {
        text = format!("{text}; and {} more", warnings.len() - WARNED);
    }
    text
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
    if backup.manifest.is_none() {
        let modified = Timestamp::from_timestamp(backup.identity.modified_ns / 1_000_000_000, 0);
        let age = modified.map_or(i64::MAX, |modified| (context.clock.now() - modified).num_seconds());
        if age < SETTLED {
            return Err(refused(
                "it was written a moment ago, and may be written still; try again in a few seconds".to_owned(),
            ));
        }
    }
    if let Some(problem) = scan.problem {
        return Err(refused(problem));
    }
    let contradicted = |scan: &Scan| backup.manifest.as_ref()?.contradicted_by(scan, backup.format);
    if let Some(problem) = contradicted(&scan) {
        return Err(refused(problem));
    }
    if backup.format == Some(Format::Custom) && !scan.proved {
        read_custom(engine, context, backup, &mut scan).await?;
        scan::remember(backup, &scan);
        if let Some(problem) = scan.problem.take().or_else(|| contradicted(&scan)) {
            return Err(refused(problem));
        }
    }
    let critical = &connect::target(context)?.critical_tables;
    if scan.tells_tables() && !critical.is_empty() && !critical.iter().any(|table| scan.made.contains(table)) {
        return Err(refused(format!(
            "it has none of the tables that are critical here ({}): it is of another database",
            critical.join(", ")
        )));
    }
    Ok(scan)
}

/// Reads all of a custom dump with the tool that would restore it, and what it makes.
async fn read_custom(
    engine: &docker::Engine,
    context: &Context,
    backup: &BackupInfo,
    scan: &mut Scan,
) -> Result<(), Failure> {
    let target = connect::target(context)?;
    // One container for both. The name is a parameter of the shell's, never part of its program.
    let program = format!(
        "echo {BEGIN}; pg_restore -l \"$1\" | grep -E ' (TABLE|EXTENSION) ' ; exec pg_restore -f /dev/null \"$1\""
    );
    let file = format!("{}/{}", tools::BACKUPS, backup.file);
    let tool = tools::Tool {
        name: "verify",
        arguments: ["sh", "-c", &program, "sh", &file].map(str::to_owned).to_vec(),
        backups: Some(&target.backups),
        beside: &target.container,
        input: None,
        server: None,
    };
    let output = tools::run(engine, context, tool).await?;
    match output.code {
        0 => {}
        // 126 and above: the shell could not run it, or it was killed. That tells nothing of the backup.
        code if code > 125 => {
            return Err(Failure::failed(format!("{} could not be read: pg_restore ended with {code}", backup.file)));
        }
        _ if output.text.contains("unsupported version") => {
            scan.problem = Some(format!(
                "it was made by a newer pg_dump than the database's own pg_restore can read ({}); restore it by hand with \
                 newer tools",
                output.tail()
            ));
            return Ok(());
        }
        _ => {
            scan.problem = Some(format!("pg_restore cannot read it to its end: {}", output.tail()));
            return Ok(());
        }
    }
    if output.text.starts_with(BEGIN) {
        scan.made = output.text.lines().filter_map(|line| of_listing(line, " TABLE ")).collect();
        scan.has_extensions = output.text.lines().any(|line| line.contains(" EXTENSION "));
    }
    scan.proved = true;
    Ok(())
}

/// `215; 1259 16394 TABLE public trades trading_bot` → `public.trades`.
fn of_listing(line: &str, kind: &str) -> Option<String> {
    let (_, rest) = line.split_once(kind)?;
    let mut words = rest.split(' ');
    let (schema, name) = (words.next()?, words.next()?);
    // `TABLE DATA public …`, `TABLE ATTACH public …`: another kind.
    (schema != "DATA" && schema != "ATTACH").then(|| format!("{schema}.{name}"))
}
