//! Restores a verified backup beside what is live, which is not touched.
//!
//! Into a database that the run names, so that an interrupted restore is simply begun again. PostgreSQL's tools run
//! strictly: `pg_restore -e`, `psql -v ON_ERROR_STOP=1` in one transaction; without that they end with 0 on half a
//! database. On a fresh server too it is restored under the run's name first, and gets the live one's when it is whole.
//!
//! What was approved is what is restored: a plain dump is read, inspected and handed to `psql` in one reading ([`feed`]);
//! a custom one, which `pg_restore` reads as it needs it, is read before, and must be the same file after.

use std::time::Duration;

use sqlx::Connection;

use super::{
    backup::{self, BackupInfo},
    carry,
    connect::{self, Server, run},
    data, feed, fresh,
    live::{self, Live},
    look::Format,
    names::{self, quoted},
    room, scan, tools, verify,
};
use crate::actions::{Context, Done, Failure, ProgressValue, docker};

const EVERY: Duration = Duration::from_millis(500);
/// How long a server may take to answer, recovery after a crash included, before it is said that it does not.
const START: Duration = Duration::from_secs(60);
/// The limit of dropping what a failed restore left; its undo drops it too.
const CLEANUP: Duration = Duration::from_secs(8);

/// What `postgres.restore` is asked for.
#[derive(Debug)]
pub struct Order<'a> {
    pub backup: &'a str,
    pub sha256: &'a str,
    pub into: &'a str,
    pub database: &'a str,
    pub jobs: u32,
}

/// `postgres.restore`.
///
/// # Errors
/// Why it was not restored; what there was of it is gone then, or is dropped by the step's undo.
pub async fn perform(engine: &docker::Engine, context: &Context, order: &Order<'_>) -> Result<Done, Failure> {
    names::must_be_scratch(order.into)?;
    let all = backup::list_off_thread(context).await?;
    let chosen = verify::named(&all, order.backup)?;
    still_the_same(context, chosen, order.sha256).await?;
    tools::end_leftovers(engine, context).await?;
    // Before anything is started: a fresh server needs the same room, where the live one's data is.
    let disk = room::disk(engine, context, &connect::live(context)?).await?;
    disk.as_ref().map_or(Ok(()), |disk| disk.has_room_for(by_file(chosen)))?;
    let server = server(engine, context).await?;
    let work = Box::pin(restore(engine, context, order, chosen, &server));
    let restored = match &disk {
        None => work.await,
        Some(disk) => {
            tokio::select! {
                restored = work => restored,
                why = disk.runs_out(context) => Err(stopped(engine, context, &server, why).await),
            }
        }
    };
    if restored.is_err() {
        take_back(context, &server, order.into).await;
    }
    let (log, bytes) = restored?;
    let (place, database) = if server.is_fresh {
        (format!("on a fresh server, {}", server.container), order.database)
    } else {
        (format!("as {}", order.into), order.into)
    };
    let volume = if server.is_fresh { fresh::volume(context)? } else { String::new() };
    Ok(Done::new(format!("{} restored {place}", order.backup))
        .with("server", if server.is_fresh { "fresh" } else { "live" })
        .with("container", server.container.clone())
        .with("volume", volume)
        .with("database", database)
        .with("bytes", bytes)
        .with_log(log))
}

/// Ends what the server does for the tool that was under way, at once; then the tool.
async fn stopped(engine: &docker::Engine, context: &Context, server: &Server, why: String) -> Failure {
    connect::end_own_sessions(server, context).await;
    if let Err(failure) = tools::end_leftovers(engine, context).await {
        tracing::warn!(%failure, "the tool of a stopped restore could not be ended");
    }
    Failure::failed(why)
}

/// Returns what the tool wrote, and the size of the database.
async fn restore(
    engine: &docker::Engine,
    context: &Context,
    order: &Order<'_>,
    chosen: &BackupInfo,
    server: &Server,
) -> Result<(Vec<String>, u64), Failure> {
    let expected = expected_size(context, server, chosen, order.database).await;
    let mut connection = connect::open(server, connect::aside_from(order.database), context).await?;
    drop_database(&mut connection, context, order.into).await?;
    carry::create_like(&mut connection, context, order.database, order.into).await?;
    let tool = tool(context, chosen, server, order)?;
    let output = tokio::select! {
        output = tools::run(engine, context, tool) => output?,
        () = watch(context, server, order.into, expected) => unreachable!("watching never ends"),
    };
    if output.code != 0 {
        let mut message = format!("the restore ended with {}: {}", output.code, output.tail());
        if server.is_fresh && output.text.contains("role \"") {
            message += ". A dump holds no roles: the fresh server needs them from its image or its init scripts";
        }
        return Err(Failure::Failed { message, log: output.lines() });
    }
    // What a checksum was known for was handed over byte by byte.
    let was_handed_over = chosen.format == Some(Format::Plain) && !order.sha256.is_empty();
    if !was_handed_over && still_there(chosen).is_none() {
        // Another link to it, or other rights, change its identity and not its content.
        let again = scan::anew(context, chosen).await;
        if order.sha256.is_empty() || !again.is_ok_and(|scan| scan.sha256.eq_ignore_ascii_case(order.sha256)) {
            return Err(Failure::refused(format!("{} was changed while it was restored; verify again", chosen.file)));
        }
    }
    carry::along(&mut connection, context, order.database, order.into).await?;
    let bytes = data::size(&mut connection, context, order.into).await?;
    if server.is_fresh {
        drop_database(&mut connection, context, order.database).await?;
        let sql = format!("ALTER DATABASE {} RENAME TO {}", quoted(order.into)?, quoted(order.database)?);
        run(&mut connection, context, sql).await?;
    }
    let _ = connection.close().await;
    context.progress.report(ProgressValue { done: bytes, total: bytes, unit: "bytes", doing: "restored".to_owned() });
    Ok((output.lines(), bytes))
}

/// Drops a database with the sessions on it.
///
/// # Errors
/// What the server says.
pub async fn drop_database(
    connection: &mut sqlx::PgConnection,
    context: &Context,
    database: &str,
) -> Result<(), Failure> {
    connect::end_sessions_of_run(connection, context).await?;
    connect::end_sessions(connection, context, database).await?;
    run(connection, context, format!("DROP DATABASE IF EXISTS {}", quoted(database)?)).await
}

/// Half a database is of no use, and its room may be what the live one needs.
async fn take_back(context: &Context, server: &Server, into: &str) {
    let calm = connect::calm(context);
    let work = async {
        let mut connection = connect::open(server, "postgres", &calm).await?;
        drop_database(&mut connection, &calm, into).await?;
        let _ = connection.close().await;
        Ok::<_, Failure>(())
    };
    if !matches!(context.clock.timeout(CLEANUP, work).await, Some(Ok(()))) {
        tracing::warn!(database = into, "what a failed restore left is not dropped yet");
    }
}

/// Between verify and restore the file may have been replaced, or a disk may have lost some of it without a trace in its
/// times: what was verified, and approved, is what is restored. So it is read again, whatever is remembered: before
/// anything is done; a plain dump that has no trace of a change, while it is handed over.
async fn still_the_same(context: &Context, backup: &BackupInfo, sha256: &str) -> Result<(), Failure> {
    if sha256.is_empty() {
        return Ok(());
    }
    let seems_same = scan::remembered(&backup.path, &backup.identity).is_some_and(|scan| is_approved(&scan, sha256));
    if seems_same && backup.format == Some(Format::Plain) {
        return Ok(());
    }
    let found = scan::anew(context, backup).await?;
    if is_approved(&found, sha256) && still_there(backup).is_some() { Ok(()) } else { Err(feed::another(&backup.file)) }
}

fn is_approved(scan: &scan::Scan, sha256: &str) -> bool {
    scan.sha256.eq_ignore_ascii_case(sha256) && scan.problem.is_none()
}

fn still_there(backup: &BackupInfo) -> Option<()> {
    let meta = std::fs::symlink_metadata(&backup.path).ok()?;
    (backup::identity(&meta) == backup.identity).then_some(())
}

/// The live server; when it does not start, a fresh one, made anew.
async fn server(engine: &docker::Engine, context: &Context) -> Result<Server, Failure> {
    // Waiting for a server that replays its log costs time, and nothing else; half of the step's at most.
    let patience = context.timeout / 2;
    match live::look(engine, context, START.min(patience), patience).await? {
        Live::Up { .. } => {
            // An earlier attempt may have needed one; the live server is up again.
            fresh::remove(engine, context).await?;
            connect::live(context)
        }
        Live::Starting(why) => Err(Failure::failed(format!(
            "the live server still replays its log after {} s ({why}). Nothing of it is lost: wait until it is up, then \
             see whether a restore is needed at all",
            patience.as_secs()
        ))),
        Live::DoesNotStart(why) => {
            tracing::warn!(why, "the live server does not start; a fresh one is made beside it");
            fresh::remove(engine, context).await?;
            fresh::server(engine, context).await
        }
    }
}

fn tool<'a>(
    context: &'a Context,
    backup: &BackupInfo,
    server: &'a Server,
    order: &Order<'_>,
) -> Result<tools::Tool<'a>, Failure> {
    let target = connect::target(context)?;
    let jobs = format!("-j{}", order.jobs.clamp(1, 16));
    let tool: &[&str] = match backup.format {
        Some(Format::Custom) => &["pg_restore", "-e", &jobs],
        // The transaction of `-1` is begun and ended by what is handed over.
        Some(Format::Plain) => &["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"],
        None => return Err(Failure::refused(format!("{} is no dump that can be restored", backup.file))),
    };
    let server_and_database = ["-h", tools::SERVER, "-U", &target.user, "-d", order.into];
    let mut arguments: Vec<String> = [tool, &server_and_database].concat().into_iter().map(str::to_owned).collect();
    let (backups, input) = if backup.format == Some(Format::Plain) {
        (None, Some(feed::begin(context, backup, order.sha256)))
    } else {
        arguments.push(format!("{}/{}", tools::BACKUPS, backup.file));
        (Some(target.backups.as_path()), None)
    };
    Ok(tools::Tool { name: "restore", arguments, backups, input, beside: &server.container, server: Some(server) })
}

/// Tells how far the restore is, by the size of the database. Never goes back, never quite reaches the end by itself.
async fn watch(context: &Context, server: &Server, into: &str, expected: u64) {
    let mut most = 0;
    let mut connection = None;
    loop {
        context.clock.sleep(EVERY).await;
        if connection.is_none() {
            connection = connect::open(server, "postgres", context).await.ok();
        }
        if let Some(open) = connection.as_mut() {
            match data::size(open, context, into).await {
                Ok(size) => most = size.max(most),
                Err(_) => connection = None,
            }
        }
        let doing = "restoring".to_owned();
        let done = if expected > 0 { most.min(expected.saturating_mul(99) / 100) } else { most };
        context.progress.report(ProgressValue { done, total: expected, unit: "bytes", doing });
    }
}

/// About how large the database will be: as large as the live one, else by the backup's size.
async fn expected_size(context: &Context, server: &Server, backup: &BackupInfo, database: &str) -> u64 {
    if !server.is_fresh
        && let Ok(mut connection) = connect::open(server, connect::aside_from(database), context).await
        && let Ok(size) = data::size(&mut connection, context, database).await
        && size > backup.size
    {
        return size;
    }
    by_file(backup)
}

/// Measured with the trading system's tables and indexes: 5.9 times the custom dump, 2.4 times the plain one.
fn by_file(backup: &BackupInfo) -> u64 {
    match backup.format {
        Some(Format::Custom) => backup.size.saturating_mul(6),
        _ => backup.size.saturating_mul(5) / 2,
    }
}
