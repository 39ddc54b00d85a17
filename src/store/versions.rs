//! Versions that were deployed on a target, and which of them were good.

use anyhow::{Context, Result};

use super::{Store, micros};
use crate::version::Version;

impl Store {
    /// What is known of the versions of a target, the last seen first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn versions(&self, target: &str) -> Result<Vec<Version>> {
        let texts: Vec<String> =
            sqlx::query_scalar("SELECT version FROM versions WHERE target = $1 ORDER BY last_seen DESC, name, image")
                .bind(target)
                .fetch_all(&self.readers)
                .await
                .context("the versions cannot be read")?;
        texts.iter().map(|text| serde_json::from_str(text).context("the store holds what is no version")).collect()
    }

    /// Keeps what is known of a version, in the place of what was known before.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn put_version(&self, target: &str, version: &Version) -> Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO versions (target, name, image, last_seen, version) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (target, name, image) DO UPDATE SET last_seen = excluded.last_seen, version = excluded.version",
        )
        .bind(target)
        .bind(&version.name)
        .bind(&version.image)
        .bind(micros(version.last_seen))
        .bind(serde_json::to_string(version)?)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await.context("the version could not be stored")
    }
}
