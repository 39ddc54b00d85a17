//! Incidents and their journals.
//!
//! What must stay true: an event, the time at which the incident is due next, and the pages that the event asks for are
//! durable together; the journal's primary key refuses a number that is taken.

use anyhow::{Context, Result};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Store, messages::CardPlace, micros, timestamp};
use crate::{
    clock::Timestamp,
    ids::{IncidentId, RunId},
    incident::{event::Entry, next::wakes_at, state::State},
};

/// What a link in a page stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckLink {
    pub incident: IncidentId,
    /// Of the contact that it was sent to.
    pub role: String,
    pub name: String,
    pub expires_at: Timestamp,
}

/// What became of a wish to open one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    Opened,
    /// The same request was here before.
    Already(IncidentId),
}

impl Store {
    /// Opens an incident with its first event.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn open_incident(&self, request: &str, first: &Entry, state: &State) -> Result<Opening> {
        let mut transaction = self.write().await?;
        let before: Option<String> = sqlx::query_scalar("SELECT id FROM incidents WHERE request = $1")
            .bind(request)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(before) = before {
            return Ok(Opening::Already(before.parse()?));
        }
        sqlx::query("INSERT INTO incidents (id, scenario, target, request, opened_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(first.incident.to_string())
            .bind(&state.kind.key)
            .bind(&state.opened.target)
            .bind(request)
            .bind(micros(first.at))
            .execute(&mut *transaction)
            .await?;
        insert(&mut transaction, first, state).await?;
        transaction.commit().await.context("the new incident could not be made durable")?;
        Ok(Opening::Opened)
    }

    /// Appends one event; `after` is the state with it.
    ///
    /// # Errors
    /// When the store cannot be written, or the number is taken.
    pub async fn append_to_incident(&self, entry: &Entry, after: &State) -> Result<()> {
        let mut transaction = self.write().await?;
        insert(&mut transaction, entry, after).await?;
        transaction.commit().await.context("the incident's journal could not be made durable")
    }

    /// Those that are not closed, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open_incidents(&self) -> Result<Vec<IncidentId>> {
        self.incidents("SELECT id FROM incidents WHERE closed_at IS NULL ORDER BY opened_at, id").await
    }

    /// Those that were opened last, open or closed, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn newest_incidents(&self) -> Result<Vec<IncidentId>> {
        self.incidents("SELECT id FROM incidents ORDER BY opened_at DESC, id DESC LIMIT 25").await
    }

    /// Those of which people are still to be told something, or whose post does not show the last state yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn incidents_to_show(&self) -> Result<Vec<IncidentId>> {
        self.incidents(
            "SELECT incidents.id FROM incidents LEFT JOIN incident_posts AS post ON post.incident = incidents.id
             WHERE post.final IS NULL OR post.final = 0
                OR EXISTS (SELECT 1 FROM incident_journal AS line WHERE line.incident = incidents.id AND line.told_at IS NULL)
             ORDER BY incidents.opened_at, incidents.id",
        )
        .await
    }

    /// The runs that belong to an incident, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn runs_of_incident(&self, incident: IncidentId) -> Result<Vec<RunId>> {
        let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM runs WHERE incident = $1 ORDER BY created_at, id")
            .bind(incident.to_string())
            .fetch_all(&self.readers)
            .await
            .context("the runs of an incident cannot be read")?;
        ids.iter().map(|id| Ok(id.parse()?)).collect()
    }

    async fn incidents(&self, sql: &'static str) -> Result<Vec<IncidentId>> {
        let ids: Vec<String> =
            sqlx::query_scalar(sql).fetch_all(&self.readers).await.context("the incidents cannot be read")?;
        ids.iter().map(|id| Ok(id.parse()?)).collect()
    }

    /// Those of which something is due, longest due first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due_incidents(&self, now: Timestamp) -> Result<Vec<(IncidentId, Timestamp)>> {
        let rows = sqlx::query("SELECT id, due_at FROM incidents WHERE due_at <= $1 ORDER BY due_at, id")
            .bind(micros(now))
            .fetch_all(&self.readers)
            .await
            .context("the incidents that are due cannot be read")?;
        rows.iter()
            .map(|row| Ok((row.try_get::<String, _>("id")?.parse()?, timestamp(row.try_get("due_at")?)?)))
            .collect()
    }

    /// An incident's whole journal, in order; empty when there is none.
    ///
    /// # Errors
    /// When the store cannot be read or holds what is no event.
    pub async fn incident_journal(&self, incident: IncidentId) -> Result<Vec<Entry>> {
        let rows = sqlx::query("SELECT seq, at, event FROM incident_journal WHERE incident = $1 ORDER BY seq")
            .bind(incident.to_string())
            .fetch_all(&self.readers)
            .await
            .context("the incident's journal cannot be read")?;
        rows.iter().map(|row| entry(incident, row)).collect()
    }

    /// # Errors
    /// When the store cannot be written.
    pub async fn put_ack_link(&self, digest: &str, link: &AckLink) -> Result<()> {
        sqlx::query("INSERT INTO ack_links (digest, incident, role, name, expires_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(digest)
            .bind(link.incident.to_string())
            .bind(&link.role)
            .bind(&link.name)
            .bind(micros(link.expires_at))
            .execute(&self.writer)
            .await
            .context("a link could not be stored")?;
        Ok(())
    }

    /// What a link stands for, while it can be used.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ack_link(&self, digest: &str, now: Timestamp) -> Result<Option<AckLink>> {
        let row = sqlx::query(
            "SELECT incident, role, name, expires_at FROM ack_links WHERE digest = $1 AND used_at IS NULL AND expires_at > $2",
        )
        .bind(digest)
        .bind(micros(now))
        .fetch_optional(&self.readers)
        .await
        .context("a link cannot be read")?;
        row.map(|row| link(&row)).transpose()
    }

    /// The link is used up.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn use_up_ack_link(&self, digest: &str, now: Timestamp) -> Result<()> {
        sqlx::query("UPDATE ack_links SET used_at = $1 WHERE digest = $2 AND used_at IS NULL")
            .bind(micros(now))
            .bind(digest)
            .execute(&self.writer)
            .await
            .context("that a link was used could not be stored")?;
        Ok(())
    }

    /// Forgets links that expired before then.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn forget_ack_links(&self, before: Timestamp) -> Result<u64> {
        let gone = sqlx::query("DELETE FROM ack_links WHERE expires_at < $1").bind(micros(before));
        Ok(gone.execute(&self.writer).await.context("old links cannot be forgotten")?.rows_affected())
    }

    /// Where an incident's post is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn incident_post(&self, incident: IncidentId) -> Result<Option<CardPlace>> {
        let row = sqlx::query("SELECT channel, message, thread, final FROM incident_posts WHERE incident = $1")
            .bind(incident.to_string())
            .fetch_optional(&self.readers)
            .await
            .context("the place of an incident's post cannot be read")?;
        row.map(|row| super::messages::place(&row)).transpose()
    }

    /// # Errors
    /// When the store cannot be written.
    pub async fn put_incident_post(&self, incident: IncidentId, place: &CardPlace) -> Result<()> {
        sqlx::query(
            "INSERT INTO incident_posts (incident, channel, message, thread, final) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (incident) DO UPDATE SET channel = excluded.channel, message = excluded.message,
                thread = excluded.thread, final = excluded.final",
        )
        .bind(incident.to_string())
        .bind(place.channel.to_string())
        .bind(place.message.to_string())
        .bind(place.thread.map(|id| id.to_string()))
        .bind(i64::from(place.is_final))
        .execute(&self.writer)
        .await
        .context("the place of an incident's post could not be stored")?;
        Ok(())
    }

    /// What people are still to be told of an incident, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn untold(&self, incident: IncidentId) -> Result<Vec<u64>> {
        let numbers: Vec<i64> =
            sqlx::query_scalar("SELECT seq FROM incident_journal WHERE incident = $1 AND told_at IS NULL ORDER BY seq")
                .bind(incident.to_string())
                .fetch_all(&self.readers)
                .await
                .context("what is to be told of an incident cannot be read")?;
        numbers.into_iter().map(|number| Ok(u64::try_from(number)?)).collect()
    }

    /// # Errors
    /// When the store cannot be written.
    pub async fn told(&self, incident: IncidentId, seq: u64, at: Timestamp) -> Result<()> {
        sqlx::query("UPDATE incident_journal SET told_at = $1 WHERE incident = $2 AND seq = $3")
            .bind(micros(at))
            .bind(incident.to_string())
            .bind(i64::try_from(seq)?)
            .execute(&self.writer)
            .await
            .context("that people were told could not be stored")?;
        Ok(())
    }
}

async fn insert(transaction: &mut Transaction<'static, Sqlite>, entry: &Entry, after: &State) -> Result<()> {
    sqlx::query("INSERT INTO incident_journal (incident, seq, at, kind, event) VALUES ($1, $2, $3, $4, $5)")
        .bind(entry.incident.to_string())
        .bind(i64::try_from(entry.seq)?)
        .bind(micros(entry.at))
        .bind(entry.event.kind())
        .bind(serde_json::to_string(&entry.event)?)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("UPDATE incidents SET scenario = $1, closed_at = $2, due_at = $3 WHERE id = $4")
        .bind(&after.kind.key)
        .bind(after.closed.as_ref().map(|closed| micros(closed.at)))
        .bind(wakes_at(after).map(micros))
        .bind(entry.incident.to_string())
        .execute(&mut **transaction)
        .await?;
    super::pages::keep(transaction, entry).await
}

fn link(row: &SqliteRow) -> Result<AckLink> {
    Ok(AckLink {
        incident: row.try_get::<String, _>("incident")?.parse()?,
        role: row.try_get("role")?,
        name: row.try_get("name")?,
        expires_at: timestamp(row.try_get("expires_at")?)?,
    })
}

fn entry(incident: IncidentId, row: &SqliteRow) -> Result<Entry> {
    let text: String = row.try_get("event")?;
    Ok(Entry {
        incident,
        seq: u64::try_from(row.try_get::<i64, _>("seq")?)?,
        at: timestamp(row.try_get("at")?)?,
        event: serde_json::from_str(&text).context("the journal of an incident holds what is no event")?,
    })
}
