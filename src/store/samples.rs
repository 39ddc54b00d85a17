//! Samples of a target's database: what is known of it when it cannot be read any more.

use anyhow::{Context, Result};

use super::{Store, micros};
use crate::{clock::Timestamp, sample::Sample};

/// Samples older than the newest this many are forgotten.
const KEPT: i64 = 1000;

impl Store {
    /// # Errors
    /// When the store cannot be written.
    pub async fn put_sample(&self, target: &str, sample: &Sample) -> Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query("INSERT INTO samples (target, at, sample) VALUES ($1, $2, $3) ON CONFLICT (target, at) DO NOTHING")
            .bind(target)
            .bind(micros(sample.at))
            .bind(serde_json::to_string(sample)?)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "DELETE FROM samples WHERE target = $1
             AND at < (SELECT MIN(at) FROM (SELECT at FROM samples WHERE target = $1 ORDER BY at DESC LIMIT $2) AS kept)",
        )
        .bind(target)
        .bind(KEPT)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await.context("the sample could not be stored")
    }

    /// The samples of a target taken before `before`, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn samples(&self, target: &str, before: Timestamp) -> Result<Vec<Sample>> {
        let texts: Vec<String> =
            sqlx::query_scalar("SELECT sample FROM samples WHERE target = $1 AND at <= $2 ORDER BY at")
                .bind(target)
                .bind(micros(before))
                .fetch_all(&self.readers)
                .await
                .context("the samples cannot be read")?;
        texts.iter().map(|text| serde_json::from_str(text).context("the store holds what is no sample")).collect()
    }
}
