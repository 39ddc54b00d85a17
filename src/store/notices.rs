//! What the channel is still to be told that belongs to no run.

use anyhow::{Context, Result};
use sqlx::{Row, Sqlite, Transaction};

use super::{Store, micros};
use crate::{clock::Timestamp, run::notice::Notice};

/// A notice that waits for Discord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingNotice {
    pub number: u64,
    pub notice: Notice,
}

pub(super) async fn keep(transaction: &mut Transaction<'static, Sqlite>, notice: &Notice, at: Timestamp) -> Result<()> {
    sqlx::query("INSERT INTO notices (number, at, notice) SELECT COALESCE(MAX(number), 0) + 1, $1, $2 FROM notices")
        .bind(micros(at))
        .bind(serde_json::to_string(notice)?)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

impl Store {
    /// What is to be told by itself; what is about a change of the store is kept with that.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn put_notice(&self, notice: &Notice, at: Timestamp) -> Result<()> {
        let mut transaction = self.write().await?;
        keep(&mut transaction, notice, at).await?;
        transaction.commit().await.context("a notice could not be stored")
    }

    /// In the order in which they came about.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn waiting_notices(&self) -> Result<Vec<WaitingNotice>> {
        let rows = sqlx::query("SELECT number, notice FROM notices WHERE delivered_at IS NULL ORDER BY number")
            .fetch_all(&self.readers)
            .await
            .context("the notices cannot be read")?;
        let notice = |row: &sqlx::sqlite::SqliteRow| {
            let text: String = row.try_get("notice")?;
            Ok(WaitingNotice {
                number: u64::try_from(row.try_get::<i64, _>("number")?)?,
                notice: serde_json::from_str(&text).context("the store holds what is no notice")?,
            })
        };
        rows.iter().map(notice).collect()
    }

    /// # Errors
    /// When the store cannot be written.
    pub async fn notice_delivered(&self, number: u64, at: Timestamp) -> Result<()> {
        sqlx::query("UPDATE notices SET delivered_at = $1 WHERE number = $2")
            .bind(micros(at))
            .bind(i64::try_from(number)?)
            .execute(&self.writer)
            .await
            .context("the notices could not be stored")?;
        Ok(())
    }
}
