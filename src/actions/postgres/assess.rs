//! What is left of a database. Damage is what it reports, never why it fails; and it changes nothing, but for starting a
//! container that was stopped.
//!
//! All of it within the step's time: what could not be looked at is said too.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::{
    checks::{self, Findings},
    connect, data,
    live::{self, Live},
};
use crate::{
    actions::{Context, Done, Failure, docker},
    clock::Timestamp,
};

/// How long a server that was stopped may take to answer.
const START: Duration = Duration::from_secs(20);

/// The time of the step, less what is needed to tell of it.
struct Budget<'a> {
    context: &'a Context,
    begin: Instant,
}

impl Budget<'_> {
    fn left(&self) -> Duration {
        self.context.timeout.mul_f64(0.9).saturating_sub(self.begin.elapsed())
    }

    fn share(&self, share: f64) -> Duration {
        self.left().mul_f64(share)
    }
}

/// `postgres.assess`.
///
/// # Errors
/// When the action is stopped.
pub async fn perform(engine: &docker::Engine, context: &Context, database: &str) -> Result<Done, Failure> {
    let budget = Budget { context, begin: context.clock.monotonic() };
    let live = connect::live(context)?;
    let limit = START.min(context.timeout.mul_f64(0.6));
    let started = match live::look(engine, context, limit, limit).await {
        Ok(Live::Up { started }) => started,
        Ok(Live::Starting(why)) => return Ok(unreadable(context, "starting", "unreachable", why)),
        Ok(Live::DoesNotStart(why)) => return Ok(unreadable(context, "down", "unreachable", why)),
        Err(Failure::Cancelled) => return Err(Failure::Cancelled),
        // It runs and lets nobody in: not the data is at fault.
        Err(Failure::Refused { message }) => return Ok(unreadable(context, "up", "unreachable", message)),
        Err(failure) => return Ok(unreadable(context, "down", "unreachable", failure.to_string())),
    };
    let there = async {
        let mut connection = connect::open(&live, connect::aside_from(database), context).await?;
        let there = connect::oid(&mut connection, context, database).await?;
        let size = data::size(&mut connection, context, database).await.ok();
        let _ = connection.close().await;
        Ok::<_, Failure>(there.map(|_| size))
    };
    let size = match there.await {
        Ok(Some(size)) => size,
        Ok(None) => {
            return Ok(unreadable(
                context,
                "up",
                "missing",
                format!("the database {database} does not exist any more"),
            ));
        }
        Err(Failure::Cancelled) => return Err(Failure::Cancelled),
        Err(failure) => return Ok(unreadable(context, "up", "unreachable", failure.to_string())),
    };
    let mut connection = match connect::open(&live, database, context).await {
        Ok(connection) => connection,
        Err(Failure::Cancelled) => return Err(Failure::Cancelled),
        Err(failure) => return Ok(unreadable(context, "up", "damaged", format!("it cannot be opened: {failure}"))),
    };
    let found = look_inside(&mut connection, context, &budget).await;
    let _ = connection.close().await;
    Ok(report(context, found?, size, started))
}

#[derive(Default)]
struct Inside {
    findings: Findings,
    /// `None` when a table could not be counted.
    tables: Option<BTreeMap<String, i64>>,
    newest: Option<Timestamp>,
}

async fn look_inside(connection: &mut PgConnection, context: &Context, budget: &Budget<'_>) -> Result<Inside, Failure> {
    let mut inside = Inside::default();
    let target = connect::target(context)?;
    checks::limit(connection, context, budget.share(0.2)).await?;
    let there = match data::tables(connection, context).await {
        Ok(there) => there,
        Err(Failure::Cancelled) => return Err(Failure::Cancelled),
        Err(failure) => {
            inside.findings.wrong.push(format!("the catalogue cannot be read: {failure}"));
            return Ok(inside);
        }
    };
    let missing = target.critical_tables.iter().filter(|table| !there.contains(table));
    inside.findings.wrong.extend(missing.map(|table| format!("the table {table} is missing")));
    count(connection, context, budget, &there, &mut inside).await?;
    if there.contains(&target.newest_table) {
        checks::limit(connection, context, budget.share(0.2)).await?;
        match data::newest(connection, context).await {
            Ok(newest) => inside.newest = newest,
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            Err(failure) if checks::is_slow(&failure) => {
                inside.findings.unchecked.push("the newest record: not read in time".to_owned());
            }
            Err(failure) => inside.findings.wrong.push(format!("the newest record cannot be read: {failure}")),
        }
    }
    let mut all = vec![checks::data(connection, context, budget.share(0.5)).await?];
    all.push(checks::pages_within(connection, context, budget.left()).await?);
    for findings in all {
        inside.findings.wrong.extend(findings.wrong);
        inside.findings.unchecked.extend(findings.unchecked);
    }
    Ok(inside)
}

/// Counts each table in its share of the time: a large one, or one that somebody has locked, takes it from no other.
async fn count(
    connection: &mut PgConnection,
    context: &Context,
    budget: &Budget<'_>,
    tables: &[String],
    inside: &mut Inside,
) -> Result<(), Failure> {
    let mut counted = BTreeMap::new();
    let begin = budget.left();
    let number = u32::try_from(tables.len()).unwrap_or(u32::MAX);
    for (index, table) in (0..number).zip(tables) {
        let time = begin.mul_f64(0.4).saturating_sub(begin.saturating_sub(budget.left()));
        checks::limit(connection, context, time / (number - index)).await?;
        match data::counts_of(connection, context, std::slice::from_ref(table)).await {
            Ok(rows) => counted.extend(rows),
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            Err(failure) if checks::is_slow(&failure) => {
                inside.findings.unchecked.push(format!("the rows of {table}: not counted in time"));
            }
            Err(failure) => inside.findings.wrong.push(format!("not all rows of {table} can be read: {failure}")),
        }
    }
    inside.tables = (counted.len() == tables.len()).then_some(counted);
    Ok(())
}

fn report(context: &Context, inside: Inside, size: Option<u64>, started: bool) -> Done {
    let Findings { wrong: damage, unchecked } = inside.findings.shortened();
    // What was not looked at is not healthy: it is unknown.
    let state = match (damage.is_empty(), unchecked.is_empty()) {
        (false, _) => "damaged",
        (true, false) => "unknown",
        (true, true) => "ok",
    };
    let sample = context.sample.as_ref();
    let (tables, newest, measured_by) = match (inside.tables, sample) {
        (Some(tables), _) => (json!(tables), inside.newest, "live"),
        (None, Some(sample)) => (json!(sample.tables), inside.newest.or(sample.newest), "sample"),
        (None, None) => (json!({}), inside.newest, "unknown"),
    };
    let mut summary = match damage.as_slice() {
        [] if unchecked.is_empty() => "no damage was found".to_owned(),
        [] => format!("no damage was found as far as it was looked at; not known: {}", some_of(&unchecked)),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
    };
    if started {
        summary = format!("the server was stopped, and runs again; {summary}");
    }
    let log = damage.iter().cloned().chain(unchecked.iter().map(|what| format!("not known: {what}")));
    let log: Vec<String> = log.collect();
    Done::new(summary)
        .with("server", "up")
        .with("started", started)
        .with("database", state)
        .with("damage", damage)
        .with("unchecked", unchecked)
        .with("tables", tables)
        .with("newest", json!(newest))
        .with("measured_by", measured_by)
        .with("size", json!(size))
        .with_log(log)
}

fn some_of(unchecked: &[String]) -> String {
    match unchecked {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
    }
}

/// What is known of a database that cannot be read: the last sample, or nothing.
fn unreadable(context: &Context, server: &str, database: &str, why: String) -> Done {
    let sample = context.sample.as_ref();
    let measured_by = if sample.is_some() { "sample" } else { "unknown" };
    Done::new(why.clone())
        .with("server", server)
        .with("started", false)
        .with("database", database)
        .with("damage", vec![why.clone()])
        .with("unchecked", Vec::<String>::new())
        .with("tables", json!(sample.map(|sample| sample.tables.clone()).unwrap_or_default()))
        .with("newest", json!(sample.and_then(|sample| sample.newest)))
        .with("measured_by", measured_by)
        .with("size", Value::Null)
        .with_log([why])
}
