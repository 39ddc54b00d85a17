//! PostgreSQL: looking at a database, proving a backup, restoring it beside, swapping it in.
//!
//! What must stay true: until `swap` nothing that is live is changed; nothing is dropped but what a run made; whatever
//! is put in the place of something was proved before. PostgreSQL's tools run in one-shot containers ([`tools`]); the
//! rest is SQL over short-lived connections ([`connect`]).

pub mod assess;
pub mod backup;
mod carry;
mod checks;
mod connect;
mod data;
mod feed;
mod fresh;
mod integrity;
mod live;
mod look;
mod loss;
mod manifest;
mod names;
mod restore;
mod room;
mod scan;
mod script;
mod statement;
mod swap;
mod switch;
mod tools;
mod verify;
mod writes;

use sqlx::Connection;

pub use self::connect::system_identifier;

use super::{Context, Done, Failure, Fields, Probe, docker};
use crate::runbook::action::Postgres;

/// # Errors
/// When what must be known cannot be found out.
pub async fn prepare(engine: &docker::Engine, action: &Postgres, context: &Context) -> Result<Fields, Failure> {
    match action {
        Postgres::Swap { database, with } => Box::pin(swap::prepare(engine, context, database, with)).await,
        Postgres::SwapBack { database, kept, kept_oid, live_oid } => {
            Box::pin(swap::prepare_back(context, database, kept, [live_oid, kept_oid])).await
        }
        _ => Ok(Fields::new()),
    }
}

/// # Errors
/// What went wrong, in words.
pub async fn perform(engine: &docker::Engine, action: &Postgres, context: &Context) -> Result<Done, Failure> {
    match action {
        Postgres::Assess { database } => Box::pin(assess::perform(engine, context, database)).await,
        Postgres::Counts { database } => data::perform_counts(context, database).await,
        Postgres::Backups {} => backup::perform(context).await,
        Postgres::Verify { backup, database } => verify::perform(engine, context, backup, database).await,
        Postgres::Restore { backup, sha256, into, database, jobs } => {
            let order = restore::Order { backup, sha256, into, database, jobs: *jobs };
            Box::pin(restore::perform(engine, context, &order)).await
        }
        Postgres::Integrity { database, backup } => integrity::perform(engine, context, database, backup).await,
        Postgres::Swap { database, with } => Box::pin(swap::perform(engine, context, database, with)).await,
        Postgres::SwapBack { database, kept, .. } => Box::pin(swap::perform_back(context, database, kept)).await,
        Postgres::Writes { database, allow } => writes::perform(context, database, *allow).await,
        Postgres::Drop { database } => drop_database(engine, context, database).await,
        Postgres::Loss { database } => loss::perform(context, database).await,
        Postgres::Sql { database, query, params } => data::perform_sql(context, database, query, params).await,
    }
}

/// Ends what the interrupted attempt left running, then tells whether it had taken effect.
pub async fn probe(engine: &docker::Engine, action: &Postgres, context: &Context) -> Probe {
    if let Err(failure) = end_leftovers(engine, context).await {
        tracing::warn!(%failure, "what an interrupted step left running could not be ended");
    }
    match action {
        Postgres::Swap { database, with } => Box::pin(swap::probe(engine, context, database, with)).await,
        Postgres::SwapBack { database, kept, .. } => {
            Box::pin(swap::probe_renames(context, database, kept, swap::Way::Back)).await
        }
        _ => Probe::DidNotHappen,
    }
}

/// Where a database of this run is: a scratch name is a database of the live server, or the fresh server's own.
async fn locate(
    engine: &docker::Engine,
    context: &Context,
    database: &str,
) -> Result<(connect::Server, String), Failure> {
    if names::is_scratch(database)
        && let Some(fresh) = connect::fresh(engine, context).await?
    {
        return Ok((fresh, connect::target(context)?.database.clone()));
    }
    Ok((connect::live(context)?, database.to_owned()))
}

/// `postgres.drop`: what a run restored beside, on whichever server. Gone already is good. A server that does not run
/// holds up nothing: its undo must not be stuck because of what can be dropped any day.
async fn drop_database(engine: &docker::Engine, context: &Context, database: &str) -> Result<Done, Failure> {
    names::must_be_scratch(database)?;
    end_leftovers_of_run(engine, context).await?;
    let had_fresh = fresh::remove(engine, context).await?;
    let live = connect::live(context)?;
    let dropped = async {
        let mut connection = connect::open(&live, "postgres", context).await?;
        restore::drop_database(&mut connection, context, database).await?;
        let _ = connection.close().await;
        Ok::<_, Failure>(())
    };
    match dropped.await {
        Ok(()) if had_fresh => Ok(Done::new("the fresh server and its volume are removed")),
        Ok(()) => Ok(Done::new(format!("{database} is dropped"))),
        Err(Failure::Cancelled) => Err(Failure::Cancelled),
        Err(_) if had_fresh => Ok(Done::new("the fresh server and its volume are removed")),
        Err(failure) => {
            let runs = engine.inspect(&live.container, context).await?.is_some_and(|found| docker::is_running(&found));
            if runs {
                return Err(failure);
            }
            Ok(Done::new(format!("{} does not run; if {database} is left in it, drop it when it does", live.container)))
        }
    }
}

pub use tools::{end_leftovers, end_leftovers_of_run};
