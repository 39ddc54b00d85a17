//! Whether what was restored is what the backup promised, and whole; then ANALYZE, without which plans are bad.

use serde_json::json;
use sqlx::Connection;

use super::{backup, checks, connect, data, names, tools, verify};
use crate::actions::{Context, Done, Failure, ProgressValue, docker};

const CHECKS: u64 = 4;

/// `postgres.integrity`.
///
/// # Errors
/// Everything that is wrong.
pub async fn perform(
    engine: &docker::Engine,
    context: &Context,
    database: &str,
    backup: &str,
) -> Result<Done, Failure> {
    let (server, database) = super::locate(engine, context, database).await?;
    let all = backup::list_off_thread(context).await?;
    let manifest = verify::named(&all, backup)?.manifest.clone();
    let step = |done: u64, doing: &str| {
        context.progress.report(ProgressValue { done, total: CHECKS, unit: "checks", doing: doing.to_owned() });
    };
    let mut connection = connect::open(&server, &database, context).await?;
    step(0, "counts");
    let tables = data::counts(&mut connection, context).await?;
    let newest = data::newest(&mut connection, context).await?;
    let mut wrong = Vec::new();
    let mut checked = Vec::new();
    match &manifest {
        Some(manifest) => {
            let all = data::tables_and_partitions(&mut connection, context).await?;
            let all = data::counts_of(&mut connection, context, &all).await?;
            for (table, rows) in &manifest.tables {
                match all.get(table) {
                    None => wrong.push(format!("the table {table} was not restored")),
                    Some(there) if there != rows => {
                        wrong.push(format!("{table} has {there} rows, the backup says {rows}"))
                    }
                    Some(_) => {}
                }
            }
            let promised = manifest.newest_at(connect::target(context)?);
            if promised.is_some() && promised != newest {
                wrong.push("the newest record is not the one that the backup names".to_owned());
            }
            checked
                .push(format!("counts of {} tables and the newest record, as the backup says", manifest.tables.len()));
        }
        None => checked.push("counts could not be compared: the backup has no manifest".to_owned()),
    }
    step(1, "constraints and foreign keys");
    let found = checks::data(&mut connection, context, context.timeout.mul_f64(0.5)).await?;
    wrong.extend(found.wrong);
    wrong.extend(found.unchecked);
    checked.push("constraints, foreign keys, indexes valid".to_owned());
    let _ = connection.close().await;
    step(2, "indexes and pages");
    wrong.extend(checks::pages(engine, context, &server, &database).await?);
    checked.push("indexes and pages by pg_amcheck".to_owned());
    if !wrong.is_empty() {
        return Err(Failure::Failed { message: wrong.join("; "), log: wrong });
    }
    step(3, "ANALYZE");
    analyze(engine, context, &server, &database).await?;
    step(CHECKS, "done");
    let rows = tables.values().sum::<i64>();
    Ok(Done::new(format!("{rows} rows in {} tables: all checks good", tables.len()))
        .with("tables", json!(tables))
        .with("rows", rows)
        .with("newest", json!(newest))
        .with("checks", checked.clone())
        .with_log(checked))
}

async fn analyze(
    engine: &docker::Engine,
    context: &Context,
    server: &connect::Server,
    database: &str,
) -> Result<(), Failure> {
    let user = connect::target(context)?.user.clone();
    // A name with a sign of equality in it would be taken for a connection string: so it is one.
    let name = names::conninfo(database);
    let arguments = ["vacuumdb", "--analyze-only", "-j2", "-q", "-h", tools::SERVER, "-U", &user, "-d", &name];
    let tool = tools::Tool {
        name: "analyze",
        arguments: arguments.map(str::to_owned).to_vec(),
        backups: None,
        beside: &server.container,
        input: None,
        server: Some(server),
    };
    let output = tools::run(engine, context, tool).await?;
    if output.code == 0 { Ok(()) } else { Err(Failure::failed(format!("ANALYZE failed: {}", output.tail()))) }
}
