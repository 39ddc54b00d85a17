//! Which servers are on record for a target.

use anyhow::{Context, Result};
use sqlx::Row;

use super::{Store, micros, timestamp};
use crate::{
    clock::Timestamp,
    fingerprint::{Kind, Part, Recorded},
    run::notice::Notice,
};

impl Store {
    /// # Errors
    /// When the store cannot be read.
    pub async fn fingerprint(&self, target: &str) -> Result<Vec<Recorded>> {
        let rows = sqlx::query("SELECT kind, value, recorded_at, by FROM fingerprints WHERE target = $1 ORDER BY kind")
            .bind(target)
            .fetch_all(&self.readers)
            .await
            .context("the servers on record cannot be read")?;
        let recorded = |row: &sqlx::sqlite::SqliteRow| {
            let kind: String = row.try_get("kind")?;
            let kind = Kind::from_name(&kind).with_context(|| format!("no server is a {kind}"))?;
            Ok(Recorded {
                part: Part { kind, value: row.try_get("value")? },
                at: timestamp(row.try_get("recorded_at")?)?,
                by: row.try_get("by")?,
            })
        };
        rows.iter().map(recorded).collect()
    }

    /// Puts these servers on record in the place of those of the same kind, and has the channel told when `tells`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn record_fingerprint(
        &self,
        target: &str,
        parts: &[Part],
        by: &str,
        at: Timestamp,
        tells: bool,
    ) -> Result<()> {
        let mut transaction = self.write().await?;
        for part in parts {
            sqlx::query(
                "INSERT INTO fingerprints (target, kind, value, recorded_at, by) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (target, kind) DO UPDATE SET value = excluded.value, recorded_at = excluded.recorded_at,
                    by = excluded.by",
            )
            .bind(target)
            .bind(part.kind.name())
            .bind(&part.value)
            .bind(micros(at))
            .bind(by)
            .execute(&mut *transaction)
            .await?;
        }
        if tells {
            let (target, by) = (target.to_owned(), by.to_owned());
            let notice = Notice::TargetAccepted { target, parts: parts.to_vec(), by };
            super::notices::keep(&mut transaction, &notice, at).await?;
        }
        transaction.commit().await.context("the servers could not be put on record")
    }
}
