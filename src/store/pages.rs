//! Pages to single contacts: claimed before they are sent, settled after.
//!
//! What must stay true: a page is there with the event that calls people, in one transaction; it is sent until it is
//! settled, whoever was lost in between; one that may have arrived is marked as a possible repetition; and whether it is
//! still needed is looked at in the transaction that claims it.
//!
//! A provider that keeps what was called open ([`KEEPS_OPEN`]) is told in the same manner that somebody has it, and that it
//! is over: never before what it was called by has come to an end there.

use anyhow::{Context, Result};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Store, micros};
use crate::{
    clock::Timestamp,
    config::settings::Level,
    contacts::way::Way,
    ids::IncidentId,
    incident::event::{Entry, Event, PageTo},
};

/// Ways whose other side keeps open what it was called by, until it is told what became of it.
const KEEPS_OPEN: [Way; 2] = [Way::Webhook, Way::Pagerduty];

/// From this rung of the deadline ladder on, pages go before all others.
const URGENT: u8 = 90;

/// One page to one contact by one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub incident: IncidentId,
    /// The journal's number of the event that calls people.
    pub seq: u64,
    pub to: PageTo,
    /// How often it was begun to be sent, this time included.
    pub attempts: u32,
    /// How many of those may have arrived.
    pub doubtful: u32,
    /// One of them may have arrived, and would be another page.
    pub may_repeat: bool,
}

/// What a claim has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    Claimed(Page),
    /// It is not needed any more: the incident is over, or somebody has it by now.
    Cancelled(Page),
}

/// What an event asks to be sent.
pub(super) async fn keep(transaction: &mut Transaction<'static, Sqlite>, entry: &Entry) -> Result<()> {
    match &entry.event {
        Event::Paged(paged) => {
            let is_urgent = paged.deadline.is_some_and(|percent| percent >= URGENT);
            add(transaction, entry.incident, entry.seq, &paged.pages, is_urgent, entry.at).await
        }
        Event::Acknowledged { .. } | Event::Recovered { .. } | Event::Closed { .. } => {
            tell_the_end(transaction, entry).await
        }
        _ => Ok(()),
    }
}

/// To those who were called by it: a row of the event's own number.
async fn tell_the_end(transaction: &mut Transaction<'static, Sqlite>, entry: &Entry) -> Result<()> {
    sqlx::query(
        "INSERT INTO pages (incident, seq, role, name, way, level, due_at)
         SELECT DISTINCT incident, $2, '', '', way, 'primary', $3 FROM pages
         WHERE incident = $1 AND attempts > 0 AND way IN (SELECT value FROM json_each($4))",
    )
    .bind(entry.incident.to_string())
    .bind(i64::try_from(entry.seq)?)
    .bind(micros(entry.at))
    .bind(names(&KEEPS_OPEN)?)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn names(ways: &[Way]) -> Result<String> {
    Ok(serde_json::to_string(ways)?)
}

async fn add(
    transaction: &mut Transaction<'static, Sqlite>,
    incident: IncidentId,
    seq: u64,
    pages: &[PageTo],
    is_urgent: bool,
    due_at: Timestamp,
) -> Result<()> {
    for page in pages {
        sqlx::query(
            "INSERT INTO pages (incident, seq, role, name, way, level, due_at, urgent)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(incident.to_string())
        .bind(i64::try_from(seq)?)
        .bind(&page.role)
        .bind(&page.name)
        .bind(page.way.name())
        .bind(page.level.name())
        .bind(micros(due_at))
        .bind(i64::from(is_urgent))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

impl Store {
    /// Pages that are due and that nobody of this process is sending, of these ways: of each way up to fifty, the urgent ones
    /// first, then those that are due longest.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due_pages(&self, owner: &str, ways: &[Way], now: Timestamp) -> Result<Vec<Page>> {
        // That it is over is told where nothing is on its way any more that would open it again.
        let rows = sqlx::query(
            "SELECT incident, seq, role, name, way, level, attempts, doubtful, may_repeat FROM (
             SELECT *, ROW_NUMBER() OVER (PARTITION BY way ORDER BY urgent DESC, due_at, incident, seq, role, name, level) AS place
             FROM pages WHERE settled_at IS NULL AND due_at <= $1 AND (claimed_by IS NULL OR claimed_by <> $2)
                AND way IN (SELECT value FROM json_each($3))
                AND ((SELECT kind FROM incident_journal AS line WHERE line.incident = pages.incident AND line.seq = pages.seq) = 'paged'
                    OR NOT EXISTS (SELECT 1 FROM pages AS before WHERE before.incident = pages.incident
                        AND before.way = pages.way AND before.seq < pages.seq AND before.settled_at IS NULL))
             ) AS due WHERE place <= 50
             ORDER BY urgent DESC, due_at, incident, seq, role, name, way, level",
        )
        .bind(micros(now))
        .bind(owner)
        .bind(names(ways)?)
        .fetch_all(&self.readers)
        .await
        .context("the pages that are due cannot be read")?;
        rows.iter().map(page).collect()
    }

    /// Claims a page for sending. `is_needed` is told the seq of the incident's last event, and decides by a state that has
    /// it; when there was another event since, it is asked again by the caller (`None`).
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn claim_page(
        &self,
        page: &Page,
        owner: &str,
        seen: u64,
        is_needed: bool,
        at: Timestamp,
    ) -> Result<Option<Claim>> {
        let mut transaction = self.write().await?;
        let last: i64 = sqlx::query_scalar("SELECT MAX(seq) FROM incident_journal WHERE incident = $1")
            .bind(page.incident.to_string())
            .fetch_one(&mut *transaction)
            .await?;
        if u64::try_from(last)? != seen {
            return Ok(None);
        }
        let sql = if is_needed {
            // One that another process had claimed and not settled may have arrived.
            "UPDATE pages SET may_repeat = CASE WHEN claimed_by IS NULL THEN may_repeat ELSE 1 END,
                attempts = attempts + 1, claimed_by = $7
             WHERE incident = $1 AND seq = $2 AND role = $3 AND name = $4 AND way = $5 AND level = $6
                AND settled_at IS NULL AND (claimed_by IS NULL OR claimed_by <> $7) AND $8 = $8
             RETURNING incident, seq, role, name, way, level, attempts, doubtful, may_repeat"
        } else {
            "UPDATE pages SET settled_at = $8, how = 'cancelled', claimed_by = $7
             WHERE incident = $1 AND seq = $2 AND role = $3 AND name = $4 AND way = $5 AND level = $6 AND settled_at IS NULL
             RETURNING incident, seq, role, name, way, level, attempts, doubtful, may_repeat"
        };
        let row = named(sqlx::query(sql), page)?.bind(owner).bind(micros(at)).fetch_optional(&mut *transaction).await?;
        transaction.commit().await.context("the page could not be claimed")?;
        let Some(row) = row else { return Ok(None) };
        let page = self::page(&row)?;
        Ok(Some(if is_needed { Claim::Claimed(page) } else { Claim::Cancelled(page) }))
    }

    /// The calls of its incident that went the way of this page before it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn calls_before(&self, end: &Page) -> Result<Vec<Page>> {
        let rows = sqlx::query(
            "SELECT pages.incident, pages.seq, role, name, way, level, attempts, doubtful, may_repeat
             FROM pages JOIN incident_journal AS line ON line.incident = pages.incident AND line.seq = pages.seq
             WHERE pages.incident = $1 AND pages.seq < $2 AND way = $3 AND attempts > 0 AND line.kind = 'paged'
             ORDER BY pages.seq",
        )
        .bind(end.incident.to_string())
        .bind(i64::try_from(end.seq)?)
        .bind(end.to.way.name())
        .fetch_all(&self.readers)
        .await
        .context("the calls before cannot be read")?;
        rows.iter().map(page).collect()
    }

    /// More pages of the same call: those that are there already stay as they are.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn add_pages(&self, incident: IncidentId, seq: u64, pages: &[PageTo], due_at: Timestamp) -> Result<()> {
        if pages.is_empty() {
            return Ok(());
        }
        let mut transaction = self.write().await?;
        let is_urgent: Option<i64> =
            sqlx::query_scalar("SELECT MAX(urgent) FROM pages WHERE incident = $1 AND seq = $2")
                .bind(incident.to_string())
                .bind(i64::try_from(seq)?)
                .fetch_one(&mut *transaction)
                .await?;
        add(&mut transaction, incident, seq, pages, is_urgent == Some(1), due_at).await?;
        transaction.commit().await.context("more pages could not be stored")
    }

    /// The clock was set back by so much: what waits for a time comes sooner by as much.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn bring_pages_forward(&self, by: std::time::Duration) -> Result<()> {
        sqlx::query("UPDATE pages SET due_at = due_at - $1 WHERE settled_at IS NULL")
            .bind(i64::try_from(by.as_micros())?)
            .execute(&self.writer)
            .await
            .context("pages could not be brought forward")?;
        Ok(())
    }

    /// It is done with: delivered or given up.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn settle_page(&self, page: &Page, how: &'static str, at: Timestamp) -> Result<()> {
        let sql = "UPDATE pages SET settled_at = $7, how = $8
             WHERE incident = $1 AND seq = $2 AND role = $3 AND name = $4 AND way = $5 AND level = $6";
        let query = named(sqlx::query(sql), page)?.bind(micros(at)).bind(how);
        query.execute(&self.writer).await.context("the page could not be settled")?;
        Ok(())
    }

    /// It is to be tried again then; `may_have_arrived` marks it for good, where the other side would take it for another page.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn put_off_page(&self, page: &Page, until: Timestamp, may_have_arrived: bool) -> Result<()> {
        let sql = "UPDATE pages SET due_at = $7, claimed_by = NULL, doubtful = doubtful + $8,
                may_repeat = CASE WHEN $8 = 1 AND $9 = 0 THEN 1 ELSE may_repeat END
             WHERE incident = $1 AND seq = $2 AND role = $3 AND name = $4 AND way = $5 AND level = $6";
        let query = named(sqlx::query(sql), page)?
            .bind(micros(until))
            .bind(i64::from(may_have_arrived))
            .bind(i64::from(page.to.way.is_idempotent()));
        query.execute(&self.writer).await.context("the page could not be put off")?;
        Ok(())
    }

    /// It was not looked at, and is to be sent then: as if it had not been begun.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn hold_page_back(&self, page: &Page, until: Timestamp) -> Result<()> {
        let sql = "UPDATE pages SET due_at = $7, claimed_by = NULL, attempts = attempts - 1
             WHERE incident = $1 AND seq = $2 AND role = $3 AND name = $4 AND way = $5 AND level = $6";
        let query = named(sqlx::query(sql), page)?.bind(micros(until));
        query.execute(&self.writer).await.context("the page could not be held back")?;
        Ok(())
    }
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

fn named<'q>(query: Query<'q>, page: &Page) -> Result<Query<'q>> {
    Ok(query
        .bind(page.incident.to_string())
        .bind(i64::try_from(page.seq)?)
        .bind(page.to.role.clone())
        .bind(page.to.name.clone())
        .bind(page.to.way.name())
        .bind(page.to.level.name()))
}

fn page(row: &SqliteRow) -> Result<Page> {
    let level: String = row.try_get("level")?;
    Ok(Page {
        incident: row.try_get::<String, _>("incident")?.parse()?,
        seq: u64::try_from(row.try_get::<i64, _>("seq")?)?,
        to: PageTo {
            role: row.try_get("role")?,
            name: row.try_get("name")?,
            way: row.try_get::<String, _>("way")?.parse::<Way>().map_err(anyhow::Error::msg)?,
            level: Level::from_name(&level).with_context(|| format!("no level is called {level}"))?,
        },
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?)?,
        doubtful: u32::try_from(row.try_get::<i64, _>("doubtful")?)?,
        may_repeat: row.try_get::<i64, _>("may_repeat")? != 0,
    })
}
