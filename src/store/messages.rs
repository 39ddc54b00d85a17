//! Where cards are, and what is still to be said.

use anyhow::{Context, Result};
use sqlx::Row;

use super::{Store, micros};
use crate::{clock::Timestamp, ids::RunId, run::delivery::Delivery};

/// A run's card in the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardPlace {
    pub channel: u64,
    pub message: u64,
    pub thread: Option<u64>,
    /// The final state has been shown.
    pub is_final: bool,
}

/// A row of the outbox: an event that is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub run: RunId,
    pub seq: u64,
    pub delivery: Delivery,
    /// Rows with the same batch were (or are about to be) sent as one message.
    pub batch: Option<u64>,
}

impl Store {
    /// # Errors
    /// When the store cannot be read.
    pub async fn card(&self, run: RunId) -> Result<Option<CardPlace>> {
        let row = sqlx::query("SELECT channel, message, thread, final FROM cards WHERE run = $1")
            .bind(run.to_string())
            .fetch_optional(&self.readers)
            .await
            .context("the card's place cannot be read")?;
        row.map(|row| place(&row)).transpose()
    }

    /// # Errors
    /// When the store cannot be written.
    pub async fn put_card(&self, run: RunId, place: &CardPlace) -> Result<()> {
        sqlx::query(
            "INSERT INTO cards (run, channel, message, thread, final) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (run) DO UPDATE SET channel = excluded.channel, message = excluded.message,
                thread = excluded.thread, final = excluded.final",
        )
        .bind(run.to_string())
        .bind(place.channel.to_string())
        .bind(place.message.to_string())
        .bind(place.thread.map(|id| id.to_string()))
        .bind(i64::from(place.is_final))
        .execute(&self.writer)
        .await
        .context("the card's place could not be stored")?;
        Ok(())
    }

    /// Runs whose card does not show their last state yet, or that have something left to be told.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn runs_to_show(&self) -> Result<Vec<RunId>> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT runs.id FROM runs LEFT JOIN cards ON cards.run = runs.id
             WHERE cards.final IS NULL OR cards.final = 0
                OR EXISTS (SELECT 1 FROM outbox WHERE outbox.run = runs.id AND outbox.delivered_at IS NULL)
             ORDER BY runs.created_at, runs.id",
        )
        .fetch_all(&self.readers)
        .await
        .context("the runs to be shown cannot be read")?;
        ids.iter().map(|id| Ok(id.parse()?)).collect()
    }

    /// What of a run is still to be told, in the order of its journal.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn waiting(&self, run: RunId) -> Result<Vec<Waiting>> {
        let rows = sqlx::query(
            "SELECT seq, delivery, batch FROM outbox WHERE run = $1 AND delivered_at IS NULL ORDER BY seq, delivery",
        )
        .bind(run.to_string())
        .fetch_all(&self.readers)
        .await
        .context("the outbox cannot be read")?;
        let mut waiting = Vec::new();
        for row in rows {
            let name: String = row.try_get("delivery")?;
            waiting.push(Waiting {
                run,
                seq: u64::try_from(row.try_get::<i64, _>("seq")?)?,
                delivery: Delivery::from_name(&name).with_context(|| format!("no delivery is called {name}"))?,
                batch: row.try_get::<Option<i64>, _>("batch")?.map(u64::try_from).transpose()?,
            });
        }
        Ok(waiting)
    }

    /// How many messages are still to be told, those of no run among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn posts_waiting(&self) -> Result<u64> {
        let count: i64 = sqlx::query_scalar(
            "SELECT (SELECT COUNT(*) FROM outbox WHERE delivered_at IS NULL)
                + (SELECT COUNT(*) FROM notices WHERE delivered_at IS NULL)",
        )
        .fetch_one(&self.readers)
        .await
        .context("the outbox cannot be read")?;
        Ok(u64::try_from(count)?)
    }

    /// Ties rows together before they are sent as one message, so that a repetition is the same message.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn batch(&self, rows: &[Waiting], batch: u64) -> Result<()> {
        let mut transaction = self.write().await?;
        for row in rows {
            sqlx::query("UPDATE outbox SET batch = $1 WHERE run = $2 AND seq = $3 AND delivery = $4")
                .bind(i64::try_from(batch)?)
                .bind(row.run.to_string())
                .bind(i64::try_from(row.seq)?)
                .bind(row.delivery.name())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await.context("the outbox could not be stored")
    }

    /// # Errors
    /// When the store cannot be written.
    pub async fn delivered(&self, rows: &[Waiting], at: Timestamp) -> Result<()> {
        let mut transaction = self.write().await?;
        for row in rows {
            sqlx::query("UPDATE outbox SET delivered_at = $1 WHERE run = $2 AND seq = $3 AND delivery = $4")
                .bind(micros(at))
                .bind(row.run.to_string())
                .bind(i64::try_from(row.seq)?)
                .bind(row.delivery.name())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await.context("the outbox could not be stored")
    }
}

pub(super) fn place(row: &sqlx::sqlite::SqliteRow) -> Result<CardPlace> {
    Ok(CardPlace {
        channel: row.try_get::<String, _>("channel")?.parse()?,
        message: row.try_get::<String, _>("message")?.parse()?,
        thread: row.try_get::<Option<String>, _>("thread")?.map(|id| id.parse()).transpose()?,
        is_final: row.try_get::<i64, _>("final")? != 0,
    })
}
