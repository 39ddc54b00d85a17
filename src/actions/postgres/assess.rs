//! What is left of a database. Damage is what it reports, never why it fails.

use std::time::Duration;

use serde_json::json;
use sqlx::Connection;

use super::{checks, connect, data, restore};
use crate::actions::{Context, Done, Failure, docker};

/// `postgres.assess`.
///
/// # Errors
/// When the action is stopped.
pub async fn perform(engine: &docker::Engine, context: &Context, database: &str) -> Result<Done, Failure> {
    let live = connect::live(context)?;
    let up = match restore::is_up(engine, context, &live).await {
        Ok(up) => up,
        Err(Failure::Cancelled) => return Err(Failure::Cancelled),
        Err(_) => false,
    };
    if !up {
        return Ok(unreadable(
            context,
            "down",
            "unreachable",
            vec![format!("the server {} does not start", live.container)],
        ));
    }
    let mut connection = match connect::open(&live, database, context).await {
        Ok(connection) => connection,
        Err(Failure::Cancelled) => return Err(Failure::Cancelled),
        Err(failure) => return Ok(unreadable(context, "up", "missing", vec![failure.to_string()])),
    };
    let mut damage = missing_tables(&mut connection, context).await;
    let quick = checks::share(context, 0.3, Duration::from_secs(2));
    match checks::data(&mut connection, &quick).await {
        Ok(wrong) => damage.extend(wrong),
        Err(Failure::Cancelled) => return Err(Failure::Cancelled),
        Err(failure) => damage.push(failure.to_string()),
    }
    let counted = data::counts(&mut connection, context).await;
    let newest = data::newest(&mut connection, context).await;
    let size = data::size(&mut connection, context, database).await.ok();
    let _ = connection.close().await;
    let limit = context.timeout.mul_f64(0.4);
    match context.clock.timeout(limit, Box::pin(checks::pages(engine, context, &live, database))).await {
        Some(Ok(wrong)) => damage.extend(wrong),
        Some(Err(Failure::Cancelled)) => return Err(Failure::Cancelled),
        Some(Err(failure)) => damage.push(failure.to_string()),
        // What it left is ended before anything else of this run is done.
        None => super::tools::end_leftovers(engine, context).await?,
    }
    let state = if damage.is_empty() { "ok" } else { "damaged" };
    let newest = newest.ok().flatten();
    let sample = context.sample.as_ref();
    let (tables, measured_by) = match (counted, sample) {
        (Ok(tables), _) => (json!(tables), "live"),
        (Err(_), Some(sample)) => (json!(sample.tables), "sample"),
        (Err(_), None) => (json!({}), "unknown"),
    };
    let newest = newest.or_else(|| sample.and_then(|sample| sample.newest));
    let summary = match damage.as_slice() {
        [] => "no damage was found".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
    };
    Ok(Done::new(summary)
        .with("server", "up")
        .with("database", state)
        .with("damage", damage.clone())
        .with("tables", tables)
        .with("newest", json!(newest))
        .with("measured_by", measured_by)
        .with("size", json!(size))
        .with_log(damage))
}

async fn missing_tables(connection: &mut sqlx::PgConnection, context: &Context) -> Vec<String> {
    let Ok(target) = connect::target(context) else { return Vec::new() };
    match data::tables(connection, context).await {
        Ok(there) => {
            let missing = target.critical_tables.iter().filter(|table| !there.contains(table));
            missing.map(|table| format!("the table {table} is missing")).collect()
        }
        Err(failure) => vec![failure.to_string()],
    }
}

/// What is known of a database that cannot be read: the last sample, or nothing.
fn unreadable(context: &Context, server: &str, database: &str, damage: Vec<String>) -> Done {
    let sample = context.sample.as_ref();
    let measured_by = if sample.is_some() { "sample" } else { "unknown" };
    Done::new(damage.join("; "))
        .with("server", server)
        .with("database", database)
        .with("damage", damage.clone())
        .with("tables", json!(sample.map(|sample| sample.tables.clone()).unwrap_or_default()))
        .with("newest", json!(sample.and_then(|sample| sample.newest)))
        .with("measured_by", measured_by)
        .with("size", serde_json::Value::Null)
        .with_log(damage)
}
