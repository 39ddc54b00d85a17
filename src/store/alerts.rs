//! Alerts that were received.
//!
//! What must stay true: an alert is durable before its sender is answered, and is one row however often it is sent, in
//! whatever order. It fires once: what is over, or was replaced by a later time that the same thing went wrong, does not
//! fire again.

use anyhow::{Context, Result};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Store, micros, timestamp};
use crate::{
    alerts::{
        alert::{Alert, AlertChange, Change, Status},
        receiver::{Delivery, Signature},
    },
    clock::Timestamp,
};

/// An alert, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAlert {
    /// As it was first received, with the status of now.
    pub alert: Alert,
    pub received_at: Timestamp,
    pub resolved_at: Option<Timestamp>,
    pub incident: Option<String>,
}

/// Takes a delivery's alerts as part of a transaction that may hold more. `None` when its signature was used before: then
/// nothing was taken.
pub(super) async fn take(
    transaction: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<Option<Vec<AlertChange>>> {
    if let Some(signature) = &delivery.signature
        && !is_first_use(transaction, signature, now).await?
    {
        return Ok(None);
    }
    let mut changes = Vec::with_capacity(delivery.alerts.len());
    for alert in &delivery.alerts {
        let change = match (stored_status(transaction, alert).await?, alert.status) {
            (None, status) => begin(transaction, alert, status, now, &mut changes).await?,
            (Some(Status::Firing), Status::Resolved) => {
                resolve(transaction, alert, now).await?;
                Change::Resolved
            }
            (Some(_), _) => Change::Repeated,
        };
        changes.push(AlertChange { alert: alert.clone(), change });
    }
    Ok(Some(changes))
}

/// Remembers a signature, and forgets those that nobody can use any more.
async fn is_first_use(
    transaction: &mut Transaction<'static, Sqlite>,
    signature: &Signature,
    now: Timestamp,
) -> Result<bool> {
    sqlx::query("DELETE FROM signatures WHERE expires_at < $1").bind(micros(now)).execute(&mut **transaction).await?;
    let kept = sqlx::query(
        "INSERT INTO signatures (signature, expires_at) VALUES ($1, $2) ON CONFLICT (signature) DO NOTHING",
    )
    .bind(&signature.value)
    .bind(micros(signature.until))
    .execute(&mut **transaction)
    .await?;
    Ok(kept.rows_affected() == 1)
}

async fn stored_status(transaction: &mut Transaction<'static, Sqlite>, alert: &Alert) -> Result<Option<Status>> {
    let row = sqlx::query("SELECT status FROM alerts WHERE source = $1 AND fingerprint = $2 AND starts_at = $3")
        .bind(&alert.source)
        .bind(&alert.fingerprint)
        .bind(micros(alert.starts_at))
        .fetch_optional(&mut **transaction)
        .await?;
    row.map(|row| status(&row)).transpose()
}

/// An alert that was not heard of. The same thing went wrong before, and its end was lost: that is over now.
async fn begin(
    transaction: &mut Transaction<'static, Sqlite>,
    alert: &Alert,
    status: Status,
    now: Timestamp,
    changes: &mut Vec<AlertChange>,
) -> Result<Change> {
    let fires = status == Status::Firing && !is_replaced(transaction, alert).await?;
    for alert in end_earlier(transaction, alert, now).await? {
        changes.push(AlertChange { alert, change: Change::Resolved });
    }
    sqlx::query(
        "INSERT INTO alerts (source, fingerprint, starts_at, status, received_at, resolved_at, alert)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&alert.source)
    .bind(&alert.fingerprint)
    .bind(micros(alert.starts_at))
    .bind(if fires { Status::Firing } else { Status::Resolved }.name())
    .bind(micros(now))
    .bind(if fires { None } else { Some(micros(now)) })
    .bind(serde_json::to_string(alert)?)
    .execute(&mut **transaction)
    .await?;
    Ok(if fires { Change::New } else { Change::Missed })
}

async fn is_replaced(transaction: &mut Transaction<'static, Sqlite>, alert: &Alert) -> Result<bool> {
    let later = sqlx::query("SELECT 1 FROM alerts WHERE source = $1 AND fingerprint = $2 AND starts_at > $3 LIMIT 1")
        .bind(&alert.source)
        .bind(&alert.fingerprint)
        .bind(micros(alert.starts_at))
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(later.is_some())
}

async fn end_earlier(
    transaction: &mut Transaction<'static, Sqlite>,
    alert: &Alert,
    now: Timestamp,
) -> Result<Vec<Alert>> {
    let rows = sqlx::query(
        "UPDATE alerts SET status = 'resolved', resolved_at = $1
         WHERE source = $2 AND fingerprint = $3 AND starts_at < $4 AND status = 'firing' RETURNING alert, status",
    )
    .bind(micros(now))
    .bind(&alert.source)
    .bind(&alert.fingerprint)
    .bind(micros(alert.starts_at))
    .fetch_all(&mut **transaction)
    .await?;
    rows.iter().map(value).collect()
}

async fn resolve(transaction: &mut Transaction<'static, Sqlite>, alert: &Alert, now: Timestamp) -> Result<()> {
    let done = sqlx::query(
        "UPDATE alerts SET status = 'resolved', resolved_at = $1
         WHERE source = $2 AND fingerprint = $3 AND starts_at = $4 AND status = 'firing'",
    )
    .bind(micros(now))
    .bind(&alert.source)
    .bind(&alert.fingerprint)
    .bind(micros(alert.starts_at))
    .execute(&mut **transaction)
    .await?;
    anyhow::ensure!(done.rows_affected() == 1, "the alert that is over does not fire");
    Ok(())
}

impl Store {
    /// Takes a delivery, all of it or nothing. `None` when its signature was used before. A later time that the same thing
    /// goes wrong ends the earlier one, which is among the changes then.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn receive_alerts(&self, delivery: &Delivery, now: Timestamp) -> Result<Option<Vec<AlertChange>>> {
        let mut transaction = self.write().await?;
        let Some(changes) = take(&mut transaction, delivery, now).await? else { return Ok(None) };
        transaction.commit().await.context("the alerts could not be made durable")?;
        Ok(Some(changes))
    }

    /// Those that were received last, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn recent_alerts(&self, most: u32) -> Result<Vec<StoredAlert>> {
        let rows = sqlx::query(
            "SELECT status, received_at, resolved_at, alert, incident FROM alerts
             ORDER BY received_at DESC, source, fingerprint, starts_at LIMIT $1",
        )
        .bind(i64::from(most))
        .fetch_all(&self.readers)
        .await
        .context("the alerts cannot be read")?;
        rows.iter().map(stored).collect()
    }

    /// Those that fire and of which it was not looked yet whether they open an incident, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unattended_alerts(&self) -> Result<Vec<StoredAlert>> {
        let rows = sqlx::query(
            "SELECT status, received_at, resolved_at, alert, incident FROM alerts
             WHERE status = 'firing' AND incident IS NULL ORDER BY received_at, starts_at, source, fingerprint LIMIT 1000",
        )
        .fetch_all(&self.readers)
        .await
        .context("the alerts cannot be read")?;
        rows.iter().map(stored).collect()
    }

    /// # Errors
    /// When the store cannot be written.
    pub async fn alert_belongs_to(&self, alert: &Alert, incident: &str) -> Result<()> {
        sqlx::query("UPDATE alerts SET incident = $1 WHERE source = $2 AND fingerprint = $3 AND starts_at = $4")
            .bind(incident)
            .bind(&alert.source)
            .bind(&alert.fingerprint)
            .bind(micros(alert.starts_at))
            .execute(&self.writer)
            .await
            .context("what an alert belongs to could not be stored")?;
        Ok(())
    }

    /// Whether nothing of this kind fires any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn is_over(&self, source: &str, fingerprint: &str) -> Result<bool> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS firing FROM alerts WHERE source = $1 AND fingerprint = $2 AND status = 'firing'",
        )
        .bind(source)
        .bind(fingerprint)
        .fetch_one(&self.readers)
        .await
        .context("the alerts cannot be counted")?;
        Ok(row.try_get::<i64, _>("firing")? == 0)
    }

    /// How many fire.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn firing_alerts(&self) -> Result<u64> {
        let row = sqlx::query("SELECT COUNT(*) AS firing FROM alerts WHERE status = 'firing'")
            .fetch_one(&self.readers)
            .await
            .context("the alerts cannot be counted")?;
        Ok(u64::try_from(row.try_get::<i64, _>("firing")?)?)
    }

    /// Writes something durable, to see that it can be done.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn heartbeat(&self, name: &str, at: Timestamp) -> Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO heartbeats (name, at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
        )
        .bind(name)
        .bind(micros(at))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await.context("the heartbeat could not be made durable")
    }
}

fn stored(row: &SqliteRow) -> Result<StoredAlert> {
    let resolved_at: Option<i64> = row.try_get("resolved_at")?;
    Ok(StoredAlert {
        alert: value(row)?,
        received_at: timestamp(row.try_get("received_at")?)?,
        resolved_at: resolved_at.map(timestamp).transpose()?,
        incident: row.try_get("incident")?,
    })
}

fn value(row: &SqliteRow) -> Result<Alert> {
    let text: String = row.try_get("alert")?;
    let alert: Alert = serde_json::from_str(&text).context("the store holds what is no alert")?;
    Ok(Alert { status: status(row)?, ..alert })
}

fn status(row: &SqliteRow) -> Result<Status> {
    let name: String = row.try_get("status")?;
    [Status::Firing, Status::Resolved]
        .into_iter()
        .find(|status| status.name() == name)
        .with_context(|| format!("no alert is {name}"))
}
