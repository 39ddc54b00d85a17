//! Lockdowns, and what the channel is told of them.

use anyhow::{Context, Result, bail};
use sqlx::{Row, sqlite::SqliteRow};

use super::{Store, micros, timestamp};
use crate::{
    clock::Timestamp,
    run::{lockdown::Lockdown, notice::Notice},
};

/// The end of a lockdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lift {
    pub by: String,
    pub reason: String,
}

impl Store {
    /// The lockdown that stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn lockdown(&self) -> Result<Option<Lockdown>> {
        let row = sqlx::query("SELECT since, by, reason FROM lockdowns WHERE lifted_at IS NULL")
            .fetch_optional(&self.readers)
            .await
            .context("whether there is a lockdown cannot be read")?;
        row.as_ref().map(lockdown).transpose()
    }

    /// Begins a lockdown. Fails when one stands already.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn begin_lockdown(&self, lockdown: &Lockdown) -> Result<()> {
        match self.try_begin_lockdown(lockdown).await {
            Err(error) if super::journal::is_disk_full(&error) && self.drop_ballast() => {
                tracing::error!("the disk of the store is full; its reserve is used up now");
                self.try_begin_lockdown(lockdown).await
            }
            other => other,
        }
    }

    async fn try_begin_lockdown(&self, lockdown: &Lockdown) -> Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query("INSERT INTO lockdowns (since, by, reason) VALUES ($1, $2, $3)")
            .bind(micros(lockdown.at))
            .bind(&lockdown.by)
            .bind(&lockdown.reason)
            .execute(&mut *transaction)
            .await?;
        let notice = Notice::LockedDown { lockdown: lockdown.clone() };
        super::notices::keep(&mut transaction, &notice, lockdown.at).await?;
        transaction.commit().await.context("the lockdown could not be made durable")
    }

    /// Ends the lockdown that stands, and returns it; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn lift_lockdown(&self, lift: &Lift, at: Timestamp) -> Result<Option<Lockdown>> {
        let mut transaction = self.write().await?;
        let row = sqlx::query(
            "UPDATE lockdowns SET lifted_at = $1, lifted_by = $2, lifted_why = $3 WHERE lifted_at IS NULL
             RETURNING since, by, reason",
        )
        .bind(micros(at))
        .bind(&lift.by)
        .bind(&lift.reason)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let lockdown = lockdown(&row)?;
        let Lift { by, reason } = lift.clone();
        let notice = Notice::LockdownLifted { lockdown: lockdown.clone(), by, reason };
        super::notices::keep(&mut transaction, &notice, at).await?;
        transaction.commit().await.context("the end of the lockdown could not be made durable")?;
        Ok(Some(lockdown))
    }

    /// The last lockdown, if it began after this.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn lockdown_after(&self, at: Timestamp) -> Result<Option<Lockdown>> {
        let row = sqlx::query("SELECT since, by, reason FROM lockdowns WHERE since > $1 ORDER BY since DESC LIMIT 1")
            .bind(micros(at))
            .fetch_optional(&self.readers)
            .await
            .context("whether there was a lockdown cannot be read")?;
        row.as_ref().map(lockdown).transpose()
    }

    /// How a lockdown ended; `None` when it was never stored.
    ///
    /// # Errors
    /// When the store cannot be read, or it has not ended.
    pub async fn lift_of(&self, lockdown: &Lockdown) -> Result<Option<Lift>> {
        let row = sqlx::query("SELECT lifted_at, lifted_by, lifted_why FROM lockdowns WHERE since = $1")
            .bind(micros(lockdown.at))
            .fetch_optional(&self.readers)
            .await
            .context("how the lockdown ended cannot be read")?;
        let Some(row) = row else { return Ok(None) };
        if row.try_get::<Option<i64>, _>("lifted_at")?.is_none() {
            bail!("the lockdown has not ended");
        }
        Ok(Some(Lift { by: row.try_get("lifted_by")?, reason: row.try_get("lifted_why")? }))
    }
}

fn lockdown(row: &SqliteRow) -> Result<Lockdown> {
    Ok(Lockdown { by: row.try_get("by")?, at: timestamp(row.try_get("since")?)?, reason: row.try_get("reason")? })
}
