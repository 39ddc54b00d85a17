//! Whether a database is whole: constraints, foreign keys, indexes and pages. The same checks tell what is damaged and
//! whether what was restored is good.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Row};

use super::{
    connect::{self, Server, rows},
    names::{quoted, quoted_table},
    tools,
};
use crate::actions::{Context, Failure, docker};

/// Damage that is named; the rest is counted.
const NAMED: usize = 10;

/// Everything that is wrong in the catalogue and the data, in sentences; empty when all is well.
///
/// # Errors
/// When the checks cannot be made.
pub async fn data(connection: &mut PgConnection, context: &Context) -> Result<Vec<String>, Failure> {
    let mut wrong = Vec::new();
    wrong.extend(invalid_constraints(connection, context).await?);
    wrong.extend(invalid_indexes(connection, context).await?);
    wrong.extend(broken_references(connection, context).await?);
    wrong.truncate(NAMED);
    Ok(wrong)
}

async fn invalid_constraints(connection: &mut PgConnection, context: &Context) -> Result<Vec<String>, Failure> {
    let sql =
        "SELECT conrelid::regclass::text AS place, conname::text AS name FROM pg_constraint WHERE NOT convalidated";
    let found = rows(connection, context, sql.to_owned()).await?;
    Ok(found
        .iter()
        .map(|row| format!("the constraint {} of {} is not validated", text(row, "name"), text(row, "place")))
        .collect())
}

async fn invalid_indexes(connection: &mut PgConnection, context: &Context) -> Result<Vec<String>, Failure> {
    let sql = "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid OR NOT indisready";
    let found = rows(connection, context, sql.to_owned()).await?;
    Ok(found.iter().map(|row| format!("the index {} is not valid", text(row, "name"))).collect())
}

/// Rows whose foreign key leads nowhere: an anti-join for each foreign key of the catalogue.
async fn broken_references(connection: &mut PgConnection, context: &Context) -> Result<Vec<String>, Failure> {
    let sql = "SELECT c.conname::text AS name, cn.nspname || '.' || ct.relname AS child, pn.nspname || '.' || pt.relname AS parent,
                 (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY AS k(num, n)
                    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS child_columns,
                 (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY AS k(num, n)
                    JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS parent_columns
               FROM pg_constraint c
               JOIN pg_class ct ON ct.oid = c.conrelid JOIN pg_namespace cn ON cn.oid = ct.relnamespace
               JOIN pg_class pt ON pt.oid = c.confrelid JOIN pg_namespace pn ON pn.oid = pt.relnamespace
               WHERE c.contype = 'f' AND c.conparentid = 0";
    let mut wrong = Vec::new();
    for key in rows(connection, context, sql.to_owned()).await? {
        let columns = |name: &str| key.try_get::<Vec<String>, _>(name).unwrap_or_default();
        let (child, parent) = (columns("child_columns"), columns("parent_columns"));
        let (Some(_), Some(first)) = (child.first(), parent.first()) else { continue };
        let join: Result<Vec<_>, Failure> =
            child.iter().zip(&parent).map(|(a, b)| Ok(format!("c.{} = p.{}", quoted(a)?, quoted(b)?))).collect();
        let given: Result<Vec<_>, Failure> =
            child.iter().map(|a| Ok(format!("c.{} IS NOT NULL", quoted(a)?))).collect();
        let sql = format!(
            "SELECT count(*) AS rows FROM {} c LEFT JOIN {} p ON {} WHERE {} AND p.{} IS NULL",
            quoted_table(&text(&key, "child"))?,
            quoted_table(&text(&key, "parent"))?,
            join?.join(" AND "),
            given?.join(" AND "),
            quoted(first)?,
        );
        let counted = rows(connection, context, sql).await?;
        let lost: i64 = counted.first().and_then(|row| row.try_get("rows").ok()).unwrap_or(0);
        if lost > 0 {
            wrong.push(format!(
                "{lost} rows of {} point to rows of {} that are not there ({})",
                text(&key, "child"),
                text(&key, "parent"),
                text(&key, "name")
            ));
        }
    }
    Ok(wrong)
}

fn text(row: &sqlx::postgres::PgRow, name: &str) -> String {
    row.try_get(name).unwrap_or_default()
}

/// Indexes and pages, by `pg_amcheck`; the extension that it needs is taken out again. Sentences; empty when all is well.
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
    let arguments = [
        "pg_amcheck",
        "--install-missing",
        "--no-dependent-toast",
        "-j2",
        "-h",
        tools::SERVER,
        "-U",
        &user,
        "-d",
        database,
    ];
    let tool = tools::Tool {
        name: "amcheck",
        arguments: arguments.map(str::to_owned).to_vec(),
        backups: None,
        beside: &server.container,
    };
    let output = tools::run(engine, context, tool).await;
    if had.is_empty() {
        let _ = connect::run(&mut connection, context, "DROP EXTENSION IF EXISTS amcheck".to_owned()).await;
    }
    let _ = connection.close().await;
    let output = output?;
    match output.code {
        0 => Ok(Vec::new()),
        // 2: it ran, and found corruption (pg_amcheck, Exit Status). 1: it could not go on, which damage causes too.
        _ => {
            let mut lines: Vec<_> =
                output.lines().into_iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
            lines.truncate(NAMED);
            Ok(if lines.is_empty() { vec![format!("pg_amcheck ended with {}", output.code)] } else { lines })
        }
    }
}

/// Time that is left for a part of a step, so that what comes after it has its share.
pub fn share(context: &Context, share: f64, least: Duration) -> Context {
    let mut part = context.clone();
    part.timeout = context.timeout.mul_f64(share).max(least);
    part
}
