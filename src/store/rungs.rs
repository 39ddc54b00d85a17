//! When people are to be called: one row a rung, settled by the journal entry that makes it past.
//!
//! What must stay true: a rung is settled in the same transaction as its event, so that it is never used twice and never
//! forgotten; what is due is found by its stored time alone, whatever happened in between.

use anyhow::{Context, Result};
use sqlx::{Row, Sqlite, Transaction};

use super::{Store, micros, timestamp};
use crate::{
    clock::Timestamp,
    ids::RunId,
    run::{
        event::{Entry, Event},
        rungs::Rung,
    },
};

/// A rung whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueRung {
    pub run: RunId,
    /// The highest that is due; those below it are passed over.
    pub percent: u8,
    pub due_at: Timestamp,
}

impl Store {
    /// The highest open rung of each run of which one is due, longest due first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due_rungs(&self, now: Timestamp) -> Result<Vec<DueRung>> {
        let rows = sqlx::query(
            "SELECT run, percent, due_at FROM rungs AS due WHERE settled_at IS NULL AND due_at <= $1
                AND NOT EXISTS (SELECT 1 FROM rungs AS later WHERE later.run = due.run AND later.settled_at IS NULL
                    AND later.due_at <= $1 AND later.percent > due.percent)
             ORDER BY due_at, run",
        )
        .bind(micros(now))
        .fetch_all(&self.readers)
        .await
        .context("the rungs that are due cannot be read")?;
        let rung = |row: &sqlx::sqlite::SqliteRow| {
            Ok(DueRung {
                run: row.try_get::<String, _>("run")?.parse()?,
                percent: u8::try_from(row.try_get::<i64, _>("percent")?)?,
                due_at: timestamp(row.try_get("due_at")?)?,
            })
        };
        rows.iter().map(rung).collect()
    }

    /// Those that are open come sooner by so much.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn bring_rungs_forward(&self, by: std::time::Duration) -> Result<()> {
        sqlx::query("UPDATE rungs SET due_at = due_at - $1 WHERE settled_at IS NULL")
            .bind(i64::try_from(by.as_micros())?)
            .execute(&self.writer)
            .await
            .context("the rungs could not be brought forward")?;
        Ok(())
    }
}

pub(super) async fn keep(transaction: &mut Transaction<'static, Sqlite>, run: RunId, rungs: &[Rung]) -> Result<()> {
    for rung in rungs {
        sqlx::query("INSERT INTO rungs (run, percent, due_at) VALUES ($1, $2, $3)")
            .bind(run.to_string())
            .bind(i64::from(rung.percent))
            .bind(micros(rung.due_at))
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Takes what has happened into account.
pub(super) async fn settle(transaction: &mut Transaction<'static, Sqlite>, entry: &Entry) -> Result<()> {
    let (upto, how) = match &entry.event {
        Event::Paged(paged) => (i64::from(paged.percent), "passed-over"),
        // From here on the incident's ladders are climbed.
        Event::Recovered | Event::Finished { .. } | Event::Joined { .. } => (i64::MAX, "not-needed"),
        _ => return Ok(()),
    };
    sqlx::query("UPDATE rungs SET settled_at = $1, how = $2 WHERE run = $3 AND percent <= $4 AND settled_at IS NULL")
        .bind(micros(entry.at))
        .bind(how)
        .bind(entry.run.to_string())
        .bind(upto)
        .execute(&mut **transaction)
        .await?;
    if let Event::Paged(paged) = &entry.event {
        sqlx::query("UPDATE rungs SET how = 'paged' WHERE run = $1 AND percent = $2")
            .bind(entry.run.to_string())
            .bind(i64::from(paged.percent))
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
