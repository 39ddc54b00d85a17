//! Whether a database is whole: constraints, foreign keys, indexes and pages. The same checks tell what is damaged and
//! whether what was restored is good.
//!
//! What must stay true: no check changes anything, and none runs code of the database's owner as the superuser that drbot
//! is (so CHECK expressions are not evaluated anew: whether they are validated is read from the catalogue).

use std::time::Duration;

use sqlx::{Connection, PgConnection, Row};

use super::{
    connect::{self, Server, bound, rows, run},
    names::{quoted, quoted_table},
    tools,
};
use crate::actions::{Context, Failure, docker};

/// Damage that is named; the rest is counted.
const NAMED: usize = 10;

/// What checks found, in sentences.
#[derive(Debug, Default)]
pub struct Findings {
    pub wrong: Vec<String>,
    /// What could not be checked in time, or not at all. Neither good nor bad.
    pub unchecked: Vec<String>,
}

impl Findings {
    /// A check that failed is damage itself, unless it was only slow.
    fn add(&mut self, what: &str, result: Result<Option<String>, Failure>) -> Result<(), Failure> {
        match result {
            Ok(found) => self.wrong.extend(found),
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            Err(failure) if is_slow(&failure) => self.unchecked.push(format!("{what}: not checked in time")),
            Err(failure) => self.wrong.push(format!("{what}: {failure}")),
        }
        Ok(())
    }

    /// The worst first, the rest counted.
    pub fn shortened(mut self) -> Self {
        let more = self.wrong.len().saturating_sub(NAMED);
        if more > 0 {
            self.wrong.truncate(NAMED);
            self.wrong.push(format!("and {more} more"));
        }
        self
    }
}

/// Whether a statement was ended for its time; or waited in vain for somebody else's lock, which tells as little.
pub fn is_slow(failure: &Failure) -> bool {
    let text = failure.to_string();
    text.contains("statement timeout") || text.contains("lock timeout")
}

/// How long one statement may take from now on.
///
/// # Errors
/// What the server says.
pub async fn limit(connection: &mut PgConnection, context: &Context, limit: Duration) -> Result<(), Failure> {
    run(connection, context, format!("SET statement_timeout = {}", limit.as_millis().max(100))).await
}

/// Constraints, indexes and foreign keys, by the catalogue and the rows, within a time. Each foreign key has its share of
/// it, so that one of a large table does not take it from all others.
///
/// # Errors
/// When the action is stopped.
pub async fn data(connection: &mut PgConnection, context: &Context, time: Duration) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let begin = context.clock.monotonic();
    limit(connection, context, time).await?;
    let sql = "SELECT 'the constraint ' || conname || ' of ' || conrelid::regclass || ' is not validated' AS found
               FROM pg_constraint WHERE NOT convalidated
               UNION ALL SELECT 'the index ' || indexrelid::regclass || ' is not valid' FROM pg_index
               WHERE NOT indisvalid OR NOT indisready";
    match rows(connection, context, sql.to_owned()).await {
        Ok(found) => findings.wrong.extend(found.iter().map(|row| text(row, "found"))),
        Err(failure) => findings.add("the catalogue", Err(failure))?,
    }
    let keys = match foreign_keys(connection, context).await {
        Ok(keys) => keys,
        Err(failure) => {
            findings.add("the catalogue", Err(failure))?;
            return Ok(findings);
        }
    };
    let number = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    for (index, key) in (0..number).zip(keys) {
        limit(connection, context, time.saturating_sub(begin.elapsed()) / (number - index)).await?;
        let lost = broken_references(connection, context, &key).await;
        findings.add(&format!("the foreign key {}", key.name), lost)?;
    }
    Ok(findings)
}

struct ForeignKey {
    name: String,
    child: String,
    parent: String,
    /// Columns of the child, and those of the parent that they refer to.
    columns: Vec<(String, String)>,
}

async fn foreign_keys(connection: &mut PgConnection, context: &Context) -> Result<Vec<ForeignKey>, Failure> {
    let sql = "SELECT c.conname::text AS name, cn.nspname || '.' || ct.relname AS child, pn.nspname || '.' || pt.relname AS parent,
                 (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY AS k(num, n)
                    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS child_columns,
                 (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY AS k(num, n)
                    JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS parent_columns
               FROM pg_constraint c
               JOIN pg_class ct ON ct.oid = c.conrelid JOIN pg_namespace cn ON cn.oid = ct.relnamespace
               JOIN pg_class pt ON pt.oid = c.confrelid JOIN pg_namespace pn ON pn.oid = pt.relnamespace
               WHERE c.contype = 'f' AND c.conparentid = 0 ORDER BY ct.reltuples";
    let found = rows(connection, context, sql.to_owned()).await?;
    let columns = |row: &sqlx::postgres::PgRow, name: &str| row.try_get::<Vec<String>, _>(name).unwrap_or_default();
    let keys = found.iter().map(|row| ForeignKey {
        name: text(row, "name"),
        child: text(row, "child"),
        parent: text(row, "parent"),
        columns: columns(row, "child_columns").into_iter().zip(columns(row, "parent_columns")).collect(),
    });
    Ok(keys.filter(|key| !key.columns.is_empty()).collect())
}

/// Rows whose foreign key leads nowhere: an anti-join.
async fn broken_references(
    connection: &mut PgConnection,
    context: &Context,
    key: &ForeignKey,
) -> Result<Option<String>, Failure> {
    let mut same = Vec::new();
    let mut given = Vec::new();
    for (child, parent) in &key.columns {
        same.push(format!("p.{} = c.{}", quoted(parent)?, quoted(child)?));
        given.push(format!("c.{} IS NOT NULL", quoted(child)?));
    }
    let sql = format!(
        "SELECT count(*) AS rows FROM {} c WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})",
        quoted_table(&key.child)?,
        given.join(" AND "),
        quoted_table(&key.parent)?,
        same.join(" AND "),
    );
    let counted = rows(connection, context, sql).await?;
    let lost: i64 = counted.first().and_then(|row| row.try_get("rows").ok()).unwrap_or(0);
    let ForeignKey { name, child, parent, .. } = key;
    Ok((lost > 0).then(|| format!("{lost} rows of {child} point to rows of {parent} that are not there ({name})")))
}

fn text(row: &sqlx::postgres::PgRow, name: &str) -> String {
    row.try_get(name).unwrap_or_default()
}

/// Indexes and pages of a live database, within a time, by amcheck's functions. Its extension is made in a transaction
/// that is rolled back, so that nothing is changed; `pg_amcheck` would have to leave it there.
///
/// # Errors
/// When the action is stopped.
pub async fn pages_within(
    connection: &mut PgConnection,
    context: &Context,
    time: Duration,
) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let begin = context.clock.monotonic();
    let result =
        pages_in_transaction(connection, context, &mut findings, &|| time.saturating_sub(begin.elapsed())).await;
    match result {
        Ok(()) => {}
        Err(Failure::Cancelled) => return Err(Failure::Cancelled),
        Err(failure) => findings.unchecked.push(format!("indexes and pages: {failure}")),
    }
    let _ = run(connection, context, "ROLLBACK".to_owned()).await;
    Ok(findings)
}

async fn pages_in_transaction(
    connection: &mut PgConnection,
    context: &Context,
    findings: &mut Findings,
    left: &(impl Fn() -> Duration + Sync),
) -> Result<(), Failure> {
    run(connection, context, "BEGIN; CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA pg_catalog".to_owned()).await?;
    let sql = "SELECT extnamespace::regnamespace::text AS schema FROM pg_extension WHERE extname = 'amcheck'";
    let schema =
        rows(connection, context, sql.to_owned()).await?.first().map(|row| text(row, "schema")).unwrap_or_default();
    let sql = "SELECT c.oid::bigint::text AS oid, n.nspname || '.' || c.relname AS name, c.relkind = 'i' AS is_index
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_am a ON a.oid = c.relam
               WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND c.relpersistence = 'p'
                 AND (c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid OR c.relkind = 'r' AND a.amname = 'heap')
               ORDER BY c.relpages";
    let relations = rows(connection, context, sql.to_owned()).await?;
    for (index, relation) in relations.iter().enumerate() {
        let (oid, name) = (text(relation, "oid"), text(relation, "name"));
        let is_index = relation.try_get("is_index").unwrap_or(false);
        let what = format!("the {} {name}", if is_index { "index" } else { "table" });
        if left() < Duration::from_millis(100) {
            findings.unchecked.push(format!("{what}: not checked in time"));
            continue;
        }
        let sql = if is_index {
            format!("SELECT {schema}.bt_index_check($1::oid::regclass)::text AS found")
        } else {
            format!("SELECT msg AS found FROM {schema}.verify_heapam($1::oid::regclass, on_error_stop => true) LIMIT 1")
        };
        let share = left() / u32::try_from(relations.len() - index).unwrap_or(u32::MAX).max(1);
        let millis = share.as_millis().max(100);
        run(connection, context, format!("SAVEPOINT one; SET LOCAL statement_timeout = {millis}")).await?;
        let found = bound(connection, context, sql, &[&oid]).await.map(|rows| {
            let said = rows.first().map(|row| text(row, "found")).filter(|said| !said.is_empty());
            said.map(|said| format!("{what} is damaged: {said}"))
        });
        let found = match found {
            Err(failure @ Failure::Failed { .. }) if is_slow(&failure) => Err(failure),
            Err(Failure::Failed { message, .. }) => {
                Ok(Some(format!("{what} is damaged: {}", message.trim_start_matches("the database refuses: "))))
            }
            other => other,
        };
        findings.add(&what, found)?;
        run(connection, context, "ROLLBACK TO SAVEPOINT one".to_owned()).await?;
    }
    Ok(())
}

/// Indexes and pages of a restored database, all of them, by `pg_amcheck`; the extension that it needs is taken out
/// again. Sentences; empty when all is well.
///
/// # Errors
/// When it could not be run.
pub async fn pages(
    engine: &docker::Engine,
    context: &Context,
    server: &Server,
    database: &str,
) -> Result<Vec<String>, Failure> {
    let user = connect::target(context)?.user.clone();
    let mut connection = connect::open(server, database, context).await?;
    let had = rows(&mut connection, context, "SELECT 1 FROM pg_extension WHERE extname = 'amcheck'".to_owned()).await?;
    // What it takes is a pattern: quoted, every letter stands for itself.
    let pattern = quoted(database)?;
    let arguments = ["pg_amcheck", "--install-missing", "-j2", "-h", tools::SERVER, "-U", &user, "-d", &pattern];
    let tool = tools::Tool {
        name: "amcheck",
        arguments: arguments.map(str::to_owned).to_vec(),
        backups: None,
        beside: &server.container,
        input: None,
        server: Some(server),
    };
    let output = tools::run(engine, context, tool).await;
    if had.is_empty() {
        // Also after a stop: what was not in the backup must not be in what is restored from it.
        let _ = run(&mut connection, &connect::calm(context), "DROP EXTENSION IF EXISTS amcheck".to_owned()).await;
    }
    let _ = connection.close().await;
    let output = output?;
    match output.code {
        0 => Ok(Vec::new()),
        // 2: it ran, and found corruption (pg_amcheck, Exit Status). 1: it could not go on, which damage causes too.
        code => {
            let mut lines = output.lines();
            lines.retain(|line| !line.trim().is_empty());
            lines.truncate(NAMED);
            Ok(if lines.is_empty() { vec![format!("pg_amcheck ended with {code}")] } else { lines })
        }
    }
}
