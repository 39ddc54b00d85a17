//! Puts the restored database in the place of the damaged one, which is kept.
//!
//! By two renames in one transaction, while another session ends whoever holds on to either database: a rename waits a
//! few seconds for sessions to go. (`ALLOW_CONNECTIONS false` is not used: committed and followed by a crash it would
//! leave production refusing everybody.) Before that the restored database is fenced: new sessions cannot write, until
//! `postgres.writes` allows it. The OIDs recorded before tell after a crash whether it happened.
//!
//! Where the server itself did not start, the fresh server's volume takes the place of the old one in a new container of
//! the old name; every part of that is found again by names and volumes, and begun again where it was.

use std::time::Duration;

use bollard::query_parameters::{
    RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use serde_json::json;
use sqlx::{Connection, Row};

use super::{
    carry::FENCE,
    connect::{self, Server, rows, run},
    data, fresh, names,
    names::{literal, quoted},
};
use crate::actions::{Context, Done, Failure, Fields, Probe, docker};

/// How often sessions are ended while the rename waits for them to go.
const EVERY: Duration = Duration::from_millis(20);
const TRIES: u32 = 8;

/// What must be known after a crash.
///
/// # Errors
/// When it cannot be found out, so nothing may be done.
pub async fn prepare(
    engine: &docker::Engine,
    context: &Context,
    database: &str,
    with: &str,
) -> Result<Fields, Failure> {
    names::must_be_scratch(with)?;
    let mut facts = Fields::new();
    if let Some(server) = connect::fresh(engine, context).await? {
        let old = engine.inspect(&connect::target(context)?.container, context).await?;
        facts.insert("mode".to_owned(), json!("fresh"));
        facts.insert("fresh".to_owned(), json!(server.container));
        facts.insert("old_id".to_owned(), json!(old.as_ref().and_then(|old| old.id.clone())));
        facts.insert("old_volume".to_owned(), json!(old.as_ref().and_then(fresh::data_volume)));
        return Ok(facts);
    }
    let mut connection = connect::open(&connect::live(context)?, "postgres", context).await?;
    facts.insert("mode".to_owned(), json!("rename"));
    facts.insert("old_oid".to_owned(), json!(oid(&mut connection, context, database).await?));
    let new = oid(&mut connection, context, with).await?;
    facts.insert("new_oid".to_owned(), json!(new));
    let size = data::size(&mut connection, context, database).await.ok();
    facts.insert("old_size".to_owned(), json!(size));
    let _ = connection.close().await;
    if new.is_none() {
        return Err(Failure::refused(format!("the restored database {with} is not there; restore it again")));
    }
    Ok(facts)
}

/// `postgres.swap`.
///
/// # Errors
/// Why not; what is live is as it was before then.
pub async fn perform(engine: &docker::Engine, context: &Context, database: &str, with: &str) -> Result<Done, Failure> {
    names::must_be_scratch(with)?;
    match context.facts.get("mode").and_then(|mode| mode.as_str()) {
        Some("fresh") => by_container(engine, context, database).await,
        _ => by_rename(context, database, with).await,
    }
}

/// Whether a swap that was interrupted has happened.
pub async fn probe(engine: &docker::Engine, context: &Context, database: &str) -> Probe {
    if context.facts.get("mode").and_then(|mode| mode.as_str()) == Some("fresh") {
        return match in_place(engine, context).await {
            Ok(true) => Probe::Happened(swapped_container(context, None)),
            // Every part of it is found again and begun where it was.
            Ok(false) => Probe::DidNotHappen,
            Err(failure) => Probe::CannotTell(failure.to_string()),
        };
    }
    let Some(new) = context.facts.get("new_oid").and_then(serde_json::Value::as_i64) else {
        return Probe::CannotTell("which database was to be swapped in is not on record".to_owned());
    };
    let now = async {
        let mut connection = connect::open(&connect::live(context)?, "postgres", context).await?;
        let now = oid(&mut connection, context, database).await?;
        let _ = connection.close().await;
        Ok::<_, Failure>(now)
    };
    match now.await {
        Ok(Some(oid)) if oid == new => Probe::Happened(renamed(context, database, None)),
        Ok(_) => Probe::DidNotHappen,
        Err(failure) => Probe::CannotTell(failure.to_string()),
    }
}

async fn by_rename(context: &Context, database: &str, with: &str) -> Result<Done, Failure> {
    let live = connect::live(context)?;
    let mut connection = connect::open(&live, "postgres", context).await?;
    prepared_transactions(&mut connection, context, database).await?;
    let old = oid(&mut connection, context, database).await?;
    let kept = names::damaged(database, &context.labels.run);
    let (database_name, with_name, kept_name) = (quoted(database)?, quoted(with)?, quoted(&kept)?);
    run(&mut connection, context, format!("ALTER DATABASE {with_name} SET {FENCE} = on")).await?;
    let mut statements = vec!["BEGIN".to_owned()];
    if old.is_some() {
        statements.push(format!("ALTER DATABASE {database_name} RENAME TO {kept_name}"));
    }
    statements.push(format!("ALTER DATABASE {with_name} RENAME TO {database_name}"));
    statements.push("COMMIT".to_owned());
    let sql = statements.join(";\n");
    let begin = context.clock.monotonic();
    let mut tries = 0;
    loop {
        tries += 1;
        let outcome = tokio::select! {
            outcome = run(&mut connection, context, sql.clone()) => outcome,
            () = keep_ending(context, &live, [database, with]) => unreachable!("ending sessions never ends"),
        };
        match outcome {
            Ok(()) => break,
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            Err(failure) if tries >= TRIES => return Err(failure),
            // Somebody was there again in the moment between; nothing was changed.
            Err(_) => run(&mut connection, context, "ROLLBACK".to_owned()).await?,
        }
    }
    let interrupted = begin.elapsed();
    let _ = connection.close().await;
    Ok(renamed(context, database, Some(interrupted)))
}

/// Ends the sessions on both databases, over and over: clients reconnect at once.
async fn keep_ending(context: &Context, live: &Server, databases: [&str; 2]) {
    let mut connection = None;
    loop {
        if connection.is_none() {
            connection = connect::open(live, "postgres", context).await.ok();
        }
        if let Some(open) = connection.as_mut() {
            for database in databases {
                if connect::end_sessions(open, context, database).await.is_err() {
                    connection = None;
                    break;
                }
            }
        }
        context.clock.sleep(EVERY).await;
    }
}

/// Prepared transactions hold a database for ever, and only a person knows what is to become of them.
async fn prepared_transactions(
    connection: &mut sqlx::PgConnection,
    context: &Context,
    database: &str,
) -> Result<(), Failure> {
    let sql = format!("SELECT gid FROM pg_prepared_xacts WHERE database = {}", literal(database));
    let found = rows(connection, context, sql).await?;
    let names: Vec<String> = found.iter().filter_map(|row| row.try_get("gid").ok()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "prepared transactions hold {database}: {}. Commit or roll them back (COMMIT PREPARED, ROLLBACK PREPARED), then try again",
        names.join(", ")
    )))
}

fn renamed(context: &Context, database: &str, interrupted: Option<Duration>) -> Done {
    let had_old = context.facts.get("old_oid").is_some_and(|oid| !oid.is_null());
    let kept = if had_old { names::damaged(database, &context.labels.run) } else { String::new() };
    let hint = if had_old { format!("DROP DATABASE \"{kept}\";") } else { String::new() };
    let summary = match had_old {
        true => format!("{database} is the restored one now; the damaged one is kept as {kept}"),
        false => format!("{database} is the restored one now; there was no damaged one to keep"),
    };
    Done::new(summary)
        .with("kept", kept)
        .with("kept_size", context.facts.get("old_size").cloned().unwrap_or_default())
        .with("drop_hint", hint)
        .with("interrupted_ms", json!(interrupted.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))))
}

/// The object id of a database; `None` when there is none of that name.
async fn oid(connection: &mut sqlx::PgConnection, context: &Context, database: &str) -> Result<Option<i64>, Failure> {
    let sql = format!("SELECT oid::bigint AS oid FROM pg_database WHERE datname = {}", literal(database));
    let found = rows(connection, context, sql).await?;
    Ok(found.first().and_then(|row| row.try_get("oid").ok()))
}

/// Whether the container of the server's name already stands on the fresh volume, and answers.
async fn in_place(engine: &docker::Engine, context: &Context) -> Result<bool, Failure> {
    let target = connect::target(context)?;
    let Some(found) = engine.inspect(&target.container, context).await? else { return Ok(false) };
    let volume = fresh::volume(&target.container, &context.labels.run);
    if fresh::data_volume(&found).as_deref() != Some(volume.as_str()) || !docker::is_running(&found) {
        return Ok(false);
    }
    fresh::wait_ready_within(context, &connect::live(context)?, Duration::from_secs(10)).await?;
    Ok(true)
}

async fn by_container(engine: &docker::Engine, context: &Context, database: &str) -> Result<Done, Failure> {
    let begin = context.clock.monotonic();
    if !in_place(engine, context).await? {
        fence(engine, context, database).await?;
        match replace(engine, context).await {
            Ok(()) => {}
            Err(failure) => {
                let back = put_back(engine, context).await;
                let back =
                    back.err().map(|failure| format!("; and the old container could not be put back: {failure}"));
                return Err(Failure::failed(format!("{failure}{}", back.unwrap_or_default())));
            }
        }
    }
    Ok(swapped_container(context, Some(begin.elapsed())))
}

/// The write fence on the fresh server, while it still stands aside.
async fn fence(engine: &docker::Engine, context: &Context, database: &str) -> Result<(), Failure> {
    let Some(server) = connect::fresh(engine, context).await? else { return Ok(()) };
    let mut connection = connect::open(&server, "postgres", context).await?;
    run(&mut connection, context, format!("ALTER DATABASE {} SET {FENCE} = on", quoted(database)?)).await?;
    let _ = connection.close().await;
    Ok(())
}

/// The old container steps aside under another name, and one like it takes its place on the fresh volume.
async fn replace(engine: &docker::Engine, context: &Context) -> Result<(), Failure> {
    let client = engine.client(context).await?;
    let target = connect::target(context)?;
    let aside = names::damaged_container(&target.container, &context.labels.run);
    let beside = names::fresh_container(&target.container, &context.labels.run);
    let volume = fresh::volume(&target.container, &context.labels.run);
    if engine.inspect(&aside, context).await?.is_none() {
        stop(engine, context, &target.container).await?;
        let options = RenameContainerOptionsBuilder::default().name(&aside).build();
        client
            .rename_container(&target.container, options)
            .await
            .map_err(|error| engine.explain(&target.container, &error))?;
    }
    if engine.inspect(&beside, context).await?.is_some() {
        stop(engine, context, &beside).await?;
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        client.remove_container(&beside, Some(options)).await.map_err(|error| engine.explain(&beside, &error))?;
    }
    if engine.inspect(&target.container, context).await?.is_none() {
        let old = engine
            .inspect(&aside, context)
            .await?
            .ok_or_else(|| Failure::failed(format!("the container {aside} is gone")))?;
        fresh::create(engine, context, &old, &target.container, &volume, true).await?;
    }
    fresh::start(engine, context, &target.container).await?;
    fresh::wait_ready(context, &connect::live(context)?).await
}

/// Nothing is made worse: the old container has its name again.
async fn put_back(engine: &docker::Engine, context: &Context) -> Result<(), Failure> {
    let mut calm = context.clone();
    calm.cancel = tokio_util::sync::CancellationToken::new();
    let client = engine.client(&calm).await?;
    let container = &connect::target(&calm)?.container;
    let aside = names::damaged_container(container, &calm.labels.run);
    if engine.inspect(&aside, &calm).await?.is_none() {
        return Ok(());
    }
    if engine.inspect(container, &calm).await?.is_some() {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        client.remove_container(container, Some(options)).await.map_err(|error| engine.explain(container, &error))?;
    }
    let options = RenameContainerOptionsBuilder::default().name(container).build();
    client.rename_container(&aside, options).await.map_err(|error| engine.explain(&aside, &error))
}

async fn stop(engine: &docker::Engine, context: &Context, name: &str) -> Result<(), Failure> {
    let client = engine.client(context).await?;
    let options = StopContainerOptionsBuilder::default().t(20).build();
    match client.stop_container(name, Some(options)).await {
        Ok(()) => Ok(()),
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 304, .. }) => Ok(()),
        Err(error) => Err(engine.explain(name, &error)),
    }
}

fn swapped_container(context: &Context, took: Option<Duration>) -> Done {
    let container = connect::target(context).map(|target| target.container.clone()).unwrap_or_default();
    let volume = context.facts.get("old_volume").and_then(|volume| volume.as_str()).unwrap_or_default().to_owned();
    let aside = names::damaged_container(&container, &context.labels.run);
    let new = fresh::volume(&container, &context.labels.run);
    Done::new(format!("{container} runs on the fresh volume {new} now; the old volume {volume} is kept"))
        .with("kept", volume.clone())
        .with("kept_size", serde_json::Value::Null)
        .with(
            "drop_hint",
            format!(
                "docker rm {aside} && docker volume rm {volume}; and name the volume {new} in the compose file, which \
                 still names the old one"
            ),
        )
        .with("interrupted_ms", json!(took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX))))
}
