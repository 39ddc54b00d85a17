//! What is in a database: row counts, the newest record, its size; and one read-only query.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::{
    connect::{self, failed, rows},
    names::{literal, quoted_table},
};
use crate::{
    actions::{Context, Done, Failure},
    clock::Timestamp,
};

/// Rows of every user table, by `schema.table`. Partitions count as their table.
///
/// # Errors
/// When a table cannot be read.
pub async fn counts(connection: &mut PgConnection, context: &Context) -> Result<BTreeMap<String, i64>, Failure> {
    let tables = tables(connection, context).await?;
    counts_of(connection, context, &tables).await
}

/// Rows of these tables.
///
/// # Errors
/// When one cannot be read.
pub async fn counts_of(
    connection: &mut PgConnection,
    context: &Context,
    tables: &[String],
) -> Result<BTreeMap<String, i64>, Failure> {
    if tables.is_empty() {
        return Ok(BTreeMap::new());
    }
    let parts: Result<Vec<_>, Failure> = tables
        .iter()
        .map(|table| {
            Ok(format!("SELECT {}::text AS name, count(*) AS rows FROM {}", literal(table), quoted_table(table)?))
        })
        .collect();
    let counted = rows(connection, context, parts?.join(" UNION ALL ")).await?;
    counted
        .iter()
        .map(|row| Ok((row.try_get("name")?, row.try_get("rows")?)))
        .collect::<Result<_, sqlx::Error>>()
        .map_err(|error| failed(context, "the counts", &error))
}

/// The names of all user tables, partitions left out.
///
/// # Errors
/// When the catalogue cannot be read.
pub async fn tables(connection: &mut PgConnection, context: &Context) -> Result<Vec<String>, Failure> {
    named(connection, context, "NOT c.relispartition").await
}

/// The names of all user tables and of all partitions, as a manifest has them.
///
/// # Errors
/// When the catalogue cannot be read.
pub async fn tables_and_partitions(connection: &mut PgConnection, context: &Context) -> Result<Vec<String>, Failure> {
    named(connection, context, "true").await
}

async fn named(connection: &mut PgConnection, context: &Context, which: &str) -> Result<Vec<String>, Failure> {
    let sql = format!(
        "SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND {which} AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
         ORDER BY 1"
    );
    let found = rows(connection, context, sql).await?;
    Ok(found.iter().filter_map(|row| row.try_get("name").ok()).collect())
}

/// The time of the newest record, by the table and column that the settings name; `None` when the table is empty.
/// (As microseconds: the driver is built without a type for times.)
///
/// # Errors
/// When it cannot be read.
pub async fn newest(connection: &mut PgConnection, context: &Context) -> Result<Option<Timestamp>, Failure> {
    let target = connect::target(context)?;
    let sql = format!(
        "SELECT (extract(epoch FROM max({})::timestamptz) * 1000000)::bigint AS newest FROM {}",
        super::names::quoted(&target.newest_column)?,
        quoted_table(&target.newest_table)?
    );
    let found = rows(connection, context, sql).await?;
    let micros = found.first().and_then(|row| row.try_get::<Option<i64>, _>("newest").ok().flatten());
    Ok(micros.and_then(Timestamp::from_timestamp_micros))
}

/// Rows of the table of the newest record that are newer than `than`.
///
/// # Errors
/// When they cannot be counted.
pub async fn newer(connection: &mut PgConnection, context: &Context, than: Timestamp) -> Result<i64, Failure> {
    let target = connect::target(context)?;
    let sql = format!(
        "SELECT count(*) AS rows FROM {} WHERE {} > to_timestamp($1::double precision)",
        quoted_table(&target.newest_table)?,
        super::names::quoted(&target.newest_column)?,
    );
    #[expect(clippy::cast_precision_loss, reason = "a double holds microseconds of this century")]
    let seconds = than.timestamp_micros() as f64 / 1e6;
    let work = sqlx::query(AssertSqlSafe(sql)).bind(seconds).fetch_one(connection);
    let row = tokio::select! {
        row = work => row.map_err(|error| failed(context, "the newer rows", &error))?,
        () = context.cancel.cancelled() => return Err(Failure::Cancelled),
    };
    row.try_get("rows").map_err(|error| failed(context, "the newer rows", &error))
}

/// Bytes that a database takes.
///
/// # Errors
/// When there is no such database.
pub async fn size(connection: &mut PgConnection, context: &Context, database: &str) -> Result<u64, Failure> {
    let sql = "SELECT pg_database_size($1::text::name) AS size".to_owned();
    let found = connect::bound(connection, context, sql, &[database]).await?;
    let size: i64 = found.first().and_then(|row| row.try_get("size").ok()).unwrap_or(0);
    Ok(size.unsigned_abs())
}

/// `postgres.counts`.
///
/// # Errors
/// When the database cannot be read.
pub async fn perform_counts(context: &Context, database: &str) -> Result<Done, Failure> {
    let mut connection = connect::open(&connect::live(context)?, database, context).await?;
    let tables = counts(&mut connection, context).await?;
    let newest = newest(&mut connection, context).await?;
    let size = size(&mut connection, context, database).await?;
    let rows: i64 = tables.values().sum();
    let _ = connection.close().await;
    let target = connect::target(context)?;
    let table = target.newest_table.trim_start_matches("public.").to_owned();
    let missing: Vec<&String> =
        target.critical_tables.iter().filter(|table| !tables.contains_key(table.as_str())).collect();
    let main = tables.get(&target.newest_table).copied().unwrap_or(0);
    let summary = match newest {
        Some(newest) => {
            format!(
                "{main} {table}, the newest {} old",
                super::backup::length((context.clock.now() - newest).num_seconds())
            )
        }
        None => format!("{main} {table}, none of them with a time"),
    };
    let summary = match missing.as_slice() {
        [] => summary,
        [table] => format!("the table {table} is not there"),
        [table, others @ ..] => format!("{} tables are not there, {table} among them", others.len() + 1),
    };
    Ok(Done::new(summary)
        .with("tables", json!(tables))
        .with("missing", json!(missing))
        .with("rows", rows)
        .with("newest", json!(newest))
        .with("size", size))
}

/// `postgres.sql`: one statement in a read-only transaction, values bound. They are bound as text: a query that wants
/// another type says so (`$1::bigint`). At most 1000 rows.
///
/// # Errors
/// What the server says.
pub async fn perform_sql(context: &Context, database: &str, query: &str, params: &[String]) -> Result<Done, Failure> {
    let mut connection = connect::open(&connect::live(context)?, database, context).await?;
    connect::run(&mut connection, context, "BEGIN READ ONLY".to_owned()).await?;
    // On lines of its own, so that a comment at its end comments nothing else out.
    let query = query.trim().trim_end_matches(';');
    let sql = format!("SELECT to_jsonb(answer)::text AS row FROM (\n{query}\n) AS answer LIMIT 1000");
    let params: Vec<&str> = params.iter().map(String::as_str).collect();
    let found = connect::bound(&mut connection, context, sql, &params).await?;
    let _ = connection.close().await;
    let rows: Vec<Value> =
        found.iter().filter_map(|row| serde_json::from_str(&row.try_get::<String, _>("row").ok()?).ok()).collect();
    Ok(Done::new(format!("{} rows", rows.len())).with("count", rows.len()).with("rows", rows))
}
