//! Broken glasses that somebody else has to look at.
//!
//! What must stay true: a review is there with the event that asks for it, in one transaction, and stays open until somebody
//! has done it.

use anyhow::{Context, Result};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Store, micros, timestamp};
use crate::{
    clock::Timestamp,
    config::settings::DiscordId,
    ids::RunId,
    run::{
        event::{Entry, Event, Person},
        glass::Review,
        notice::Notice,
    },
};

pub(super) async fn open(transaction: &mut Transaction<'static, Sqlite>, entry: &Entry) -> Result<()> {
    let Event::GlassBroken(broken) = &entry.event else { return Ok(()) };
    sqlx::query(
        "INSERT INTO reviews (run, seq, command, breaker, name, opened_at, due_at, remind_at)
         SELECT id, CAST($2 AS BIGINT), command, $3, $4, CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($6 AS BIGINT)
         FROM runs WHERE id = $1",
    )
    .bind(entry.run.to_string())
    .bind(i64::try_from(entry.seq)?)
    .bind(broken.by.id.to_string())
    .bind(&broken.by.name)
    .bind(micros(entry.at))
    .bind(micros(broken.review_by))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

impl Store {
    /// Those that wait for somebody, the one that is due first before the others.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open_reviews(&self) -> Result<Vec<Review>> {
        self.reviews(None, true, None).await
    }

    /// Those of a run, open or done.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn reviews_of(&self, run: RunId) -> Result<Vec<Review>> {
        self.reviews(Some(run), false, None).await
    }

    /// Those that nobody has done in time and that the channel is to be told of now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn overdue_reviews(&self, now: Timestamp) -> Result<Vec<Review>> {
        self.reviews(None, true, Some(now)).await
    }

    async fn reviews(&self, run: Option<RunId>, open: bool, told_by: Option<Timestamp>) -> Result<Vec<Review>> {
        let rows = sqlx::query(
            "SELECT run, seq, command, breaker, name, opened_at, due_at, reviewed_at, reviewed_by FROM reviews
             WHERE ($1 IS NULL OR run = $1) AND (reviewed_at IS NULL OR NOT $2) AND ($3 IS NULL OR remind_at <= $3)
             ORDER BY due_at, run, seq",
        )
        .bind(run.map(|run| run.to_string()))
        .bind(open)
        .bind(told_by.map(micros))
        .fetch_all(&self.readers)
        .await
        .context("the reviews cannot be read")?;
        rows.iter().map(review).collect()
    }

    /// Does those of a run that `by` has not caused, and keeps what the channel is told of it. False when somebody else was
    /// faster.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn finish_reviews(
        &self,
        run: RunId,
        by: &Person,
        note: &str,
        at: Timestamp,
        notice: &Notice,
    ) -> Result<bool> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE reviews SET reviewed_at = $1, reviewed_by = $2, note = $3
             WHERE run = $4 AND reviewed_at IS NULL AND breaker <> $5",
        )
        .bind(micros(at))
        .bind(&by.name)
        .bind(note)
        .bind(run.to_string())
        .bind(by.id.to_string())
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        super::notices::keep(&mut transaction, notice, at).await?;
        transaction.commit().await.context("the review could not be made durable")?;
        Ok(true)
    }

    /// Keeps what the channel is told of an overdue one, and when it is told next; not when it was done meanwhile.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn remind_of_review(
        &self,
        review: &Review,
        notice: &Notice,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<()> {
        let mut transaction = self.write().await?;
        let reminded = sqlx::query(
            "UPDATE reviews SET remind_at = $1
             WHERE run = $2 AND seq = $3 AND reviewed_at IS NULL AND remind_at <= $4",
        )
        .bind(micros(next))
        .bind(review.run.to_string())
        .bind(i64::try_from(review.seq)?)
        .bind(micros(now))
        .execute(&mut *transaction)
        .await?;
        if reminded.rows_affected() == 1 {
            super::notices::keep(&mut transaction, notice, now).await?;
        }
        transaction.commit().await.context("the reminder could not be made durable")
    }
}

fn review(row: &SqliteRow) -> Result<Review> {
    let breaker: String = row.try_get("breaker")?;
    let done_at: Option<i64> = row.try_get("reviewed_at")?;
    let done_by: Option<String> = row.try_get("reviewed_by")?;
    Ok(Review {
        run: row.try_get::<String, _>("run")?.parse()?,
        seq: u64::try_from(row.try_get::<i64, _>("seq")?)?,
        command: row.try_get("command")?,
        breaker: Person { id: DiscordId(breaker.parse()?), name: row.try_get("name")? },
        opened_at: timestamp(row.try_get("opened_at")?)?,
        due_at: timestamp(row.try_get("due_at")?)?,
        done: match (done_by, done_at) {
            (Some(by), Some(at)) => Some((by, timestamp(at)?)),
            _ => None,
        },
    })
}
