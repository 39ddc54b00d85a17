//! Runs and their journals.

use anyhow::{Context, Result};
use sqlx::{Row, sqlite::SqliteRow};

use super::{Store, micros, timestamp};
use crate::{
    clock::Timestamp,
    ids::RunId,
    run::{
        delivery::Delivery,
        event::{Created, Entry, Event},
    },
};

/// Who writes a run: a process, and how many have owned the run before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    pub owner: String,
    pub generation: i64,
}

/// Whoever tries to write the run must leave it alone from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("run {0} has ended or belongs to another drbot by now")]
pub struct NotOwned(pub RunId);

/// What became of a wish to create a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Creation {
    Created(Entry),
    /// The same request was here before; this is the run that it made.
    AlreadyRequested(RunId),
    /// This run holds one of the locks.
    Locked {
        lock: String,
        holder: RunId,
    },
    /// Another run has begun on the target since it was found that a run can be taken back.
    Overtaken,
}

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RunSummary {
    pub id: RunId,
    pub command: String,
    pub target: Option<String>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub outcome: Option<String>,
}

impl Store {
    /// Creates a run with its first event, takes its locks, and remembers the request, all or nothing.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn create_run(
        &self,
        id: RunId,
        request: &str,
        created: Created,
        ownership: &Ownership,
        at: Timestamp,
    ) -> Result<Creation> {
        let mut transaction = self.write().await?;
        let before: Option<String> = sqlx::query_scalar("SELECT id FROM runs WHERE request = $1")
            .bind(request)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(before) = before {
            return Ok(Creation::AlreadyRequested(before.parse()?));
        }
        let locks = created.locks();
        for lock in &locks {
            let holder: Option<String> = sqlx::query_scalar("SELECT run FROM locks WHERE name = $1")
                .bind(lock)
                .fetch_optional(&mut *transaction)
                .await?;
            if let Some(holder) = holder {
                return Ok(Creation::Locked { lock: lock.clone(), holder: holder.parse()? });
            }
        }
        if let Some(undone) = &created.undone {
            let newest = newest_on(created.command.target.as_deref()).fetch_optional(&mut *transaction).await?;
            if newest != Some(undone.newest.to_string()) {
                return Ok(Creation::Overtaken);
            }
        }
        sqlx::query(
            "INSERT INTO runs (id, command, target, request, created_at, owner, generation, may_change, incident)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(id.to_string())
        .bind(&created.command.name)
        .bind(&created.command.target)
        .bind(request)
        .bind(micros(at))
        .bind(&ownership.owner)
        .bind(ownership.generation)
        .bind(i64::from(created.may_change_its_target()))
        .bind(created.incident.map(|incident| incident.to_string()))
        .execute(&mut *transaction)
        .await?;
        for lock in &locks {
            sqlx::query("INSERT INTO locks (name, run) VALUES ($1, $2)")
                .bind(lock)
                .bind(id.to_string())
                .execute(&mut *transaction)
                .await?;
        }
        super::rungs::keep(&mut transaction, id, &created.rungs).await?;
        let entry = Entry { run: id, seq: 1, at, event: Event::RunCreated(Box::new(created)) };
        insert(&mut transaction, &entry, ownership).await?;
        transaction.commit().await.context("the new run could not be made durable")?;
        Ok(Creation::Created(entry))
    }

    /// Appends one event, durable when this returns, with the rows of what is to be said of it. The journal's primary
    /// key refuses a number that is taken; the ownership is checked in the same transaction.
    ///
    /// # Errors
    /// [`NotOwned`] when the run has ended or belongs to another owner; else when the store cannot be written, or the
    /// number is taken.
    pub async fn append(&self, entry: &Entry, ownership: &Ownership, deliveries: &[Delivery]) -> Result<()> {
        match self.try_append(entry, ownership, deliveries).await {
            Err(error) if is_disk_full(&error) && self.drop_ballast() => {
                tracing::error!(folder = %self.folder.display(), "the disk of the store is full; its reserve is used up now");
                self.try_append(entry, ownership, deliveries).await
            }
            other => other,
        }
    }

    async fn try_append(&self, entry: &Entry, ownership: &Ownership, deliveries: &[Delivery]) -> Result<()> {
        let mut transaction = self.write().await?;
        insert(&mut transaction, entry, ownership).await?;
        super::rungs::settle(&mut transaction, entry).await?;
        super::reviews::open(&mut transaction, entry).await?;
        for delivery in deliveries {
            sqlx::query("INSERT INTO outbox (run, seq, delivery) VALUES ($1, $2, $3)")
                .bind(entry.run.to_string())
                .bind(i64::try_from(entry.seq)?)
                .bind(delivery.name())
                .execute(&mut *transaction)
                .await?;
        }
        if let Event::Finished { outcome, .. } = &entry.event {
            sqlx::query("UPDATE runs SET finished_at = $1, outcome = $2 WHERE id = $3")
                .bind(micros(entry.at))
                .bind(outcome.to_string())
                .bind(entry.run.to_string())
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM locks WHERE run = $1")
                .bind(entry.run.to_string())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await.context("the journal could not be made durable")
    }

    /// The run that a request has made.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run_of_request(&self, request: &str) -> Result<Option<RunId>> {
        let run: Option<String> = sqlx::query_scalar("SELECT id FROM runs WHERE request = $1")
            .bind(request)
            .fetch_optional(&self.readers)
            .await
            .context("the store cannot be read")?;
        Ok(run.map(|run| run.parse()).transpose()?)
    }

    /// A run's whole journal, in order; empty when there is no such run.
    ///
    /// # Errors
    /// When the store cannot be read or holds what is no event.
    pub async fn journal(&self, run: RunId) -> Result<Vec<Entry>> {
        let rows = sqlx::query("SELECT seq, at, event FROM journal WHERE run = $1 ORDER BY seq")
            .bind(run.to_string())
            .fetch_all(&self.readers)
            .await
            .context("the journal cannot be read")?;
        rows.iter().map(|row| entry(run, row)).collect()
    }

    /// Takes over every unfinished run for `owner`; what another owner would still write is refused from now on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn take_over(&self, owner: &str) -> Result<Vec<(RunId, Ownership)>> {
        let mut transaction = self.write().await?;
        let rows = sqlx::query(
            "UPDATE runs SET owner = $1, generation = generation + 1 WHERE finished_at IS NULL
             RETURNING id, generation, created_at",
        )
        .bind(owner)
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let mut taken = Vec::new();
        for row in rows {
            let ownership = Ownership { owner: owner.to_owned(), generation: row.try_get("generation")? };
            taken.push((row.try_get::<String, _>("id")?.parse::<RunId>()?, ownership));
        }
        taken.sort_by_key(|(id, _)| *id);
        Ok(taken)
    }

    /// The newest runs first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>> {
        let rows = sqlx::query(
            "SELECT id, command, target, created_at, finished_at, outcome FROM runs
             ORDER BY created_at DESC, id DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .context("the list of runs cannot be read")?;
        rows.iter().map(summary).collect()
    }

    /// The newest finished runs of a command on a target.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn finished_runs(&self, command: &str, target: Option<&str>, limit: u32) -> Result<Vec<RunId>> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM runs WHERE command = $1 AND COALESCE(target, '') = $2 AND finished_at IS NOT NULL
             ORDER BY created_at DESC, id DESC LIMIT $3",
        )
        .bind(command)
        .bind(target.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .context("the list of runs cannot be read")?;
        ids.iter().map(|id| Ok(id.parse()?)).collect()
    }

    /// The newest run on a target of those whose commands may change it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn newest_run_on(&self, target: Option<&str>) -> Result<Option<RunId>> {
        let id = newest_on(target).fetch_optional(&self.readers).await.context("the list of runs cannot be read")?;
        Ok(id.map(|id| id.parse()).transpose()?)
    }

    /// The runs that may have changed a target, newest first: neither those that only read, nor those that turned out to
    /// have left it as it was.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn runs_that_may_have_changed(&self, target: Option<&str>, limit: u32) -> Result<Vec<RunId>> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM runs WHERE COALESCE(target, '') = $1 AND may_change = 1 AND changed_nothing = 0
             ORDER BY created_at DESC, id DESC LIMIT $2",
        )
        .bind(target.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .context("the list of runs cannot be read")?;
        ids.iter().map(|id| Ok(id.parse()?)).collect()
    }

    /// Remembers that a run has ended and left its target as it was, so that its journal need not be read again for that.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn changed_nothing(&self, run: RunId) -> Result<()> {
        sqlx::query("UPDATE runs SET changed_nothing = 1 WHERE id = $1 AND finished_at IS NOT NULL")
            .bind(run.to_string())
            .execute(&self.writer)
            .await
            .context("the store cannot be written")?;
        Ok(())
    }

    /// The runs whose id ends as `text` says (people use the last eight digits), or is it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_runs(&self, text: &str) -> Result<Vec<RunSummary>> {
        let all = self.runs(100_000).await?;
        let wanted = text.replace('-', "").to_lowercase();
        Ok(all.into_iter().filter(|run| run.id.to_string().replace('-', "").ends_with(&wanted)).collect())
    }

    /// Remembers an interaction; false when it was here before.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn receive(&self, id: &str, at: Timestamp) -> Result<bool> {
        let inserted = sqlx::query("INSERT INTO received (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
            .bind(id)
            .bind(micros(at))
            .execute(&self.writer)
            .await
            .context("the store cannot be written")?;
        Ok(inserted.rows_affected() == 1)
    }
}

type Ids<'q> = sqlx::query::QueryScalar<'q, sqlx::Sqlite, String, sqlx::sqlite::SqliteArguments>;

fn newest_on(target: Option<&str>) -> Ids<'_> {
    let newest = "SELECT id FROM runs WHERE COALESCE(target, '') = $1 AND may_change = 1
                  ORDER BY created_at DESC, id DESC LIMIT 1";
    sqlx::query_scalar(newest).bind(target.unwrap_or_default())
}

/// One statement for the entry and for whose run it is: this is on the way of every step.
async fn insert(
    transaction: &mut sqlx::Transaction<'static, sqlx::Sqlite>,
    entry: &Entry,
    ownership: &Ownership,
) -> Result<()> {
    let inserted = sqlx::query(
        "INSERT INTO journal (run, seq, at, kind, event)
         SELECT id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), $4, $5 FROM runs
         WHERE id = $1 AND owner = $6 AND generation = $7 AND finished_at IS NULL",
    )
    .bind(entry.run.to_string())
    .bind(i64::try_from(entry.seq)?)
    .bind(micros(entry.at))
    .bind(entry.event.kind())
    .bind(serde_json::to_string(&entry.event)?)
    .bind(&ownership.owner)
    .bind(ownership.generation)
    .execute(&mut **transaction)
    .await?;
    if inserted.rows_affected() == 1 { Ok(()) } else { Err(NotOwned(entry.run).into()) }
}

fn entry(run: RunId, row: &SqliteRow) -> Result<Entry> {
    let text: String = row.try_get("event")?;
    Ok(Entry {
        run,
        seq: u64::try_from(row.try_get::<i64, _>("seq")?)?,
        at: timestamp(row.try_get("at")?)?,
        event: serde_json::from_str(&text).with_context(|| format!("run {run}: the journal holds what is no event"))?,
    })
}

fn summary(row: &SqliteRow) -> Result<RunSummary> {
    Ok(RunSummary {
        id: row.try_get::<String, _>("id")?.parse()?,
        command: row.try_get("command")?,
        target: row.try_get("target")?,
        created_at: timestamp(row.try_get("created_at")?)?,
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(timestamp).transpose()?,
        outcome: row.try_get("outcome")?,
    })
}

/// SQLite's primary result code 13, `SQLITE_FULL`.
pub(super) fn is_disk_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let code = cause.downcast_ref::<sqlx::Error>().and_then(|error| error.as_database_error()?.code());
        code.is_some_and(|code| code == "13")
    })
}
