//! Restores a verified backup beside what is live, which is not touched.
//!
//! Into a database that the run names, so that an interrupted restore is simply begun again. PostgreSQL's tools run
//! strictly: `pg_restore -e`, `psql -1 -v ON_ERROR_STOP=1`; without that they end with 0 on half a database.

use std::time::Duration;

use sqlx::Connection;

use super::{
    backup::{self, BackupInfo, Format},
    carry,
    connect::{self, Server},
    data, fresh,
    names::{self, quoted},
    tools, verify,
};
use crate::actions::{Context, Done, Failure, ProgressValue, docker};

const EVERY: Duration = Duration::from_millis(500);
/// How long a server that was stopped may take to start before a fresh one takes its part.
const START: Duration = Duration::from_secs(20);
/// A custom dump is compressed: the database is about this many times larger.
const CUSTOM_RATIO: u64 = 8;

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
    let server = server(engine, context).await?;
    // A fresh server holds nothing else, so the database has its own name there at once.
    let into = if server.is_fresh { order.database } else { order.into };
    let expected = expected_size(context, &server, chosen, order.database).await;
    enough_room(engine, context, expected).await?;
    tools::end_leftovers(engine, context).await?;
    make_empty(context, &server, order.database, into).await?;
    let tool = tool(context, chosen, &server, into, order.jobs)?;
    let output = tokio::select! {
        output = tools::run(engine, context, tool) => output,
        () = watch(context, &server, into, expected) => unreachable!("watching never ends"),
    };
    let output = match output {
        Ok(output) => output,
        Err(failure) => {
            end_sessions(context, &server, into).await;
            return Err(failure);
        }
    };
    if output.code != 0 {
        return Err(Failure::Failed {
            message: format!("the restore ended with {}: {}", output.code, output.tail()),
            log: output.lines(),
        });
    }
    let mut connection = connect::open(&server, into, context).await?;
    let bytes = data::size(&mut connection, context, into).await?;
    let _ = connection.close().await;
    context.progress.report(ProgressValue { done: bytes, total: bytes, unit: "bytes", doing: "restored".to_owned() });
    let place = if server.is_fresh { format!("on a fresh server, {}", server.container) } else { format!("as {into}") };
    Ok(Done::new(format!("{} restored {place}", order.backup))
        .with("server", if server.is_fresh { "fresh" } else { "live" })
        .with("container", server.container.clone())
        .with(
            "volume",
            if server.is_fresh {
                fresh::volume(&connect::target(context)?.container, &context.labels.run)
            } else {
                String::new()
            },
        )
        .with("database", into)
        .with("bytes", bytes)
        .with_log(output.lines()))
}

/// Between verify and restore the file may have been replaced: what was verified, and approved, is what is restored.
async fn still_the_same(context: &Context, backup: &BackupInfo, sha256: &str) -> Result<(), Failure> {
    if sha256.is_empty() {
        return Ok(());
    }
    if verify::checksum(context, &backup.path, backup.size).await? == sha256 {
        return Ok(());
    }
    Err(Failure::refused(format!("{} is not the file that was verified any more; verify again", backup.file)))
}

/// The live server; when it neither runs nor can be started, a fresh one.
///
/// # Errors
/// Why there is none.
pub async fn server(engine: &docker::Engine, context: &Context) -> Result<Server, Failure> {
    if let Some(fresh) = connect::fresh(engine, context).await? {
        fresh::wait_ready(context, &fresh).await?;
        return Ok(fresh);
    }
    let live = connect::live(context)?;
    match is_up(engine, context, &live).await? {
        true => Ok(live),
        false => fresh::server(engine, context).await,
    }
}

/// Whether the live server answers, started if it was merely stopped.
///
/// # Errors
/// When the action is stopped, or Docker does not answer.
pub async fn is_up(engine: &docker::Engine, context: &Context, live: &Server) -> Result<bool, Failure> {
    let answers = match fresh::wait_ready_within(context, live, Duration::from_secs(2)).await {
        Ok(()) => return Ok(true),
        Err(Failure::Failed { .. }) => false,
        Err(other) => return Err(other),
    };
    let found = engine.inspect(&live.container, context).await?;
    if !answers && found.is_none() {
        return Ok(false);
    }
    let running = found.as_ref().is_some_and(docker::is_running);
    if !running && fresh::start(engine, context, &live.container).await.is_err() {
        return Ok(false);
    }
    let begin = context.clock.monotonic();
    while begin.elapsed() < START {
        match fresh::wait_ready_within(context, live, Duration::from_secs(1)).await {
            Ok(()) => return Ok(true),
            Err(Failure::Failed { .. }) => {}
            Err(other) => return Err(other),
        }
        // One that has ended again will not come up by waiting.
        let ended = engine.inspect(&live.container, context).await?.is_none_or(|found| !docker::is_running(&found));
        if ended {
            return Ok(false);
        }
    }
    Ok(false)
}

async fn make_empty(context: &Context, server: &Server, database: &str, into: &str) -> Result<(), Failure> {
    let mut connection = connect::open(server, "postgres", context).await?;
    connect::end_sessions(&mut connection, context, into).await?;
    connect::run(&mut connection, context, format!("DROP DATABASE IF EXISTS {}", quoted(into)?)).await?;
    carry::create_like(&mut connection, context, database, into).await?;
    let _ = connection.close().await;
    Ok(())
}

fn tool<'a>(
    context: &'a Context,
    backup: &BackupInfo,
    server: &'a Server,
    into: &str,
    jobs: u32,
) -> Result<tools::Tool<'a>, Failure> {
    let target = connect::target(context)?;
    let file = format!("{}/{}", tools::BACKUPS, backup.file);
    let common = |program: &str| {
        vec![
            program.to_owned(),
            "-h".to_owned(),
            tools::SERVER.to_owned(),
            "-U".to_owned(),
            target.user.clone(),
            "-d".to_owned(),
            into.to_owned(),
        ]
    };
    let mut arguments = match backup.format {
        Some(Format::Custom) => {
            let mut arguments = common("pg_restore");
            arguments.extend(["-e".to_owned(), format!("-j{}", jobs.clamp(1, 16))]);
            arguments
        }
        Some(Format::Plain) => {
            let mut arguments = common("psql");
            arguments.extend(["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f"].map(str::to_owned));
            arguments
        }
        None => return Err(Failure::refused(format!("{} is no dump that can be restored", backup.file))),
    };
    arguments.push(file);
    Ok(tools::Tool { name: "restore", arguments, backups: Some(&target.backups), beside: &server.container })
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
        && let Ok(mut connection) = connect::open(server, "postgres", context).await
        && let Ok(size) = data::size(&mut connection, context, database).await
        && size > backup.size
    {
        return size;
    }
    match backup.format {
        Some(Format::Custom) => backup.size.saturating_mul(CUSTOM_RATIO),
        _ => backup.size.saturating_mul(2),
    }
}

/// A disk that fills up during a restore takes the live server down with it. Where Docker's data is on this machine, its
/// free space is looked at first.
async fn enough_room(engine: &docker::Engine, context: &Context, expected: u64) -> Result<(), Failure> {
    let client = engine.client(context).await?;
    let info = docker::stoppable(context, client.info()).await?;
    let Some(root) = info.ok().and_then(|info| info.docker_root_dir) else { return Ok(()) };
    let Ok(stat) = nix::sys::statvfs::statvfs(root.as_str()) else { return Ok(()) };
    let free = stat.blocks_available().saturating_mul(stat.fragment_size());
    let needed = expected.saturating_add(expected / 5);
    if free >= needed {
        return Ok(());
    }
    let megabytes = |bytes: u64| bytes / 1_000_000;
    Err(Failure::refused(format!(
        "there is not enough room: about {} MB are needed in {root}, and {} MB are free. Make room, then try again",
        megabytes(needed),
        megabytes(free)
    )))
}

/// After a stop: the server must not go on with what the killed tool had begun.
async fn end_sessions(context: &Context, server: &Server, into: &str) {
    let mut calm = context.clone();
    calm.cancel = tokio_util::sync::CancellationToken::new();
    calm.timeout = Duration::from_secs(5);
    if let Ok(mut connection) = connect::open(server, "postgres", &calm).await {
        let _ = connect::end_sessions(&mut connection, &calm, into).await;
    }
}
