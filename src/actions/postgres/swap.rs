//! Puts the restored database in the place of the damaged one, which is kept.
//!
//! By two renames in one transaction, while another session ends whoever holds on to either database: a rename waits a
//! few seconds for sessions to go. (`ALLOW_CONNECTIONS false` is not used: committed and followed by a crash it would
//! leave production refusing everybody.) Before that the restored database is fenced: new sessions cannot write, until
//! `postgres.writes` allows it. The OIDs recorded before tell whether it happened: after a crash, and whenever the answer
//! to the transaction was lost.
//!
//! Where the server itself did not start, containers change places: [`switch`].

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Row};

use super::{
    carry::FENCE,
    connect::{self, Server, aside_from, bound, oid, run},
    data, names,
    names::quoted,
    switch,
};
use crate::actions::{Context, Done, Failure, Fields, Probe, docker};

/// How often sessions are ended while the rename waits for them to go.
const EVERY: Duration = Duration::from_millis(20);
const TRIES: u32 = 8;
/// What is kept when there was nothing to keep.
const NOTHING: &str = "nothing (there was no database of that name any more)";

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
    if let Some(facts) = Box::pin(switch::prepare(engine, context)).await? {
        return Ok(facts);
    }
    let mut connection = connect::open(&connect::live(context)?, aside_from(database), context).await?;
    let mut facts = Fields::new();
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
    if switch::is_asked_for(context) {
        return Box::pin(switch::perform(engine, context, database)).await;
    }
    by_rename(context, database, with, Way::There).await
}

/// Which way names change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The restored database takes the name of the damaged one.
    There,
    /// The damaged one has it again.
    Back,
}

impl Way {
    /// What the database is called from then on that has the name now.
    fn kept(self, database: &str, context: &Context) -> String {
        match self {
            Self::There => names::damaged(database, &context.labels.run),
            Self::Back => names::taken_back(database, &context.labels.run),
        }
    }
}

/// What must be known after a crash; and that both databases are the recorded ones.
///
/// # Errors
/// When they are not, or it cannot be found out.
pub async fn prepare_back(
    context: &Context,
    database: &str,
    kept: &str,
    [live_oid, kept_oid]: [&str; 2],
) -> Result<Fields, Failure> {
    let recorded = |oid: &str| {
        oid.parse::<i64>().map_err(|_| {
            Failure::refused(format!("it is not on record which databases changed places, so {kept} is left alone"))
        })
    };
    let (live_oid, kept_oid) = (recorded(live_oid)?, recorded(kept_oid)?);
    let mut connection = connect::open(&connect::live(context)?, aside_from(database), context).await?;
    let live = oid(&mut connection, context, database).await?;
    let beside = oid(&mut connection, context, kept).await?;
    let size = data::size(&mut connection, context, database).await.ok();
    let _ = connection.close().await;
    if (live, beside) != (Some(live_oid), Some(kept_oid)) {
        return Err(Failure::refused(format!(
            "{database} and {kept} are not the databases any more that changed places; nothing was done"
        )));
    }
    let facts = [
        ("mode", json!("rename")),
        ("old_oid", json!(live_oid)),
        ("new_oid", json!(kept_oid)),
        ("old_size", json!(size)),
    ];
    Ok(facts.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
}

/// `postgres.swap-back`.
///
/// # Errors
/// Why not; what is live is as it was before then.
pub async fn perform_back(context: &Context, database: &str, kept: &str) -> Result<Done, Failure> {
    by_rename(context, database, kept, Way::Back).await
}

/// Whether a swap that was interrupted has happened.
pub async fn probe(engine: &docker::Engine, context: &Context, database: &str, with: &str) -> Probe {
    if switch::is_asked_for(context) {
        return Box::pin(switch::probe(engine, context)).await;
    }
    probe_renames(context, database, with, Way::There).await
}

/// Whether names have changed.
pub async fn probe_renames(context: &Context, database: &str, with: &str, way: Way) -> Probe {
    // The lost attempt's session, if the server has not noticed yet that nobody listens: what it was about to do, it
    // must not do after we have looked.
    match connect::live(context) {
        Ok(live) => connect::end_own_sessions(&live, context).await,
        Err(failure) => return Probe::CannotTell(failure.to_string()),
    }
    match stands(context, database, with).await {
        Ok(Stands::Swapped) => Probe::Happened(renamed(context, database, way, None)),
        Ok(Stands::AsBefore) => Probe::DidNotHappen,
        Ok(Stands::Otherwise(what)) => Probe::CannotTell(what),
        Err(failure) => Probe::CannotTell(failure.to_string()),
    }
}

enum Stands {
    Swapped,
    AsBefore,
    Otherwise(String),
}

/// Which database has which name now, by the OIDs of before: names move, OIDs do not.
async fn stands(context: &Context, database: &str, with: &str) -> Result<Stands, Failure> {
    let fact = |name: &str| context.facts.get(name).and_then(Value::as_i64);
    let mut connection = connect::open(&connect::live(context)?, aside_from(database), context).await?;
    let (live, beside) = (oid(&mut connection, context, database).await?, oid(&mut connection, context, with).await?);
    let _ = connection.close().await;
    let Some(new) = fact("new_oid") else {
        return Ok(Stands::Otherwise("which database was to be swapped in is not on record".to_owned()));
    };
    Ok(match (live, beside) {
        (Some(live), _) if live == new => Stands::Swapped,
        (live, Some(beside)) if live == fact("old_oid") && beside == new => Stands::AsBefore,
        _ => {
            Stands::Otherwise(format!("{database} and {with} are neither as they were before the swap nor as after it"))
        }
    })
}

async fn by_rename(context: &Context, database: &str, with: &str, way: Way) -> Result<Done, Failure> {
    let live = connect::live(context)?;
    let kept = way.kept(database, context);
    match stands(context, database, with).await? {
        Stands::AsBefore => {}
        Stands::Swapped => return Ok(renamed(context, database, way, None)),
        Stands::Otherwise(what) => return Err(Failure::refused(what)),
    }
    let mut connection = connect::open(&live, aside_from(database), context).await?;
    prepared_transactions(&mut connection, context, [database, with]).await?;
    if oid(&mut connection, context, &kept).await?.is_some() {
        return Err(Failure::refused(format!("there is a database {kept} already; rename or drop it, then try again")));
    }
    let (database_name, with_name, kept_name) = (quoted(database)?, quoted(with)?, quoted(&kept)?);
    run(&mut connection, context, format!("ALTER DATABASE {with_name} SET {FENCE} = on")).await?;
    // A line each: the server's log is the record of what was done, and it is read by lines.
    let mut renames = format!("ALTER DATABASE {with_name} RENAME TO {database_name}");
    if had_old(context) {
        renames = format!("ALTER DATABASE {database_name} RENAME TO {kept_name};\n{renames}");
    }
    let begin = context.clock.monotonic();
    let done = tokio::select! {
        done = rename(&mut connection, context, &renames) => done,
        () = keep_ending(context, &live, [database, with]) => unreachable!("ending sessions never ends"),
    };
    let interrupted = begin.elapsed();
    drop(connection);
    if let Err(failure) = done {
        return settle(context, &live, (database, with, way), failure).await;
    }
    Ok(renamed(context, database, way, Some(interrupted)))
}

/// Tries until nobody is in the way. Each try is a transaction; COMMIT is a statement of its own, so that a client that
/// is gone before it has changed nothing.
async fn rename(connection: &mut PgConnection, context: &Context, renames: &str) -> Result<(), Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        match run(connection, context, format!("BEGIN;\n{renames}")).await {
            Ok(()) => return run(connection, context, "COMMIT".to_owned()).await,
            Err(Failure::Failed { .. }) if tries < TRIES => {
                // Somebody was there again in the moment between; nothing was changed.
                run(connection, context, "ROLLBACK".to_owned()).await?;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// After a stop or an error: what became of it is looked up, not guessed.
async fn settle(
    context: &Context,
    live: &Server,
    (database, with, way): (&str, &str, Way),
    failure: Failure,
) -> Result<Done, Failure> {
    connect::end_own_sessions(live, context).await;
    let calm = connect::calm(context);
    match stands(&calm, database, with).await {
        Ok(Stands::Swapped) => Ok(renamed(context, database, way, None)),
        Ok(Stands::AsBefore) => Err(failure),
        Ok(Stands::Otherwise(what)) => Err(Failure::Unknown { message: format!("{failure}; {what}") }),
        Err(lost) => Err(Failure::Unknown { message: format!("{failure}; whether it happened is not known: {lost}") }),
    }
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
    connection: &mut PgConnection,
    context: &Context,
    databases: [&str; 2],
) -> Result<(), Failure> {
    let sql = "SELECT gid FROM pg_prepared_xacts WHERE database IN ($1, $2) ORDER BY prepared";
    let found = bound(connection, context, sql.to_owned(), &databases).await?;
    let names: Vec<String> = found.iter().filter_map(|row| row.try_get("gid").ok()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "prepared transactions hold {}: {}. Commit or roll them back (COMMIT PREPARED, ROLLBACK PREPARED), then try \
         again",
        databases[0],
        names.join(", ")
    )))
}

fn had_old(context: &Context) -> bool {
    context.facts.get("old_oid").is_some_and(|oid| !oid.is_null())
}

fn renamed(context: &Context, database: &str, way: Way, interrupted: Option<Duration>) -> Done {
    let kept = way.kept(database, context);
    let (summary, kept, hint) = if had_old(context) {
        let summary = match way {
            Way::There => format!("{database} is the restored one now; the damaged one is kept as {kept}"),
            Way::Back => format!("{database} is the one from before again; the restored one is kept as {kept}"),
        };
        let hint = format!("DROP DATABASE {};", quoted(&kept).unwrap_or_default());
        (summary, kept, hint)
    } else {
        (format!("{database} is the restored one now"), NOTHING.to_owned(), String::new())
    };
    let fact = |name: &str| context.facts.get(name).cloned().unwrap_or_default();
    Done::new(summary)
        .with("kept", kept)
        .with("kept_size", fact("old_size"))
        .with("drop_hint", hint)
        .with("interrupted_ms", json!(interrupted.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))))
        .with("live_oid", fact("new_oid"))
        .with("kept_oid", fact("old_oid"))
}
