//! What is drawn up of an incident, as files: the post-mortem in Markdown and the timeline as a picture.
//!
//! Drawing takes a processor for a while, so it is done beside the threads that answer Discord.

use anyhow::{Context, Result, ensure};

use crate::{
    engine::Engine,
    ids::IncidentId,
    progress::{
        picture,
        postmortem::{self, Record},
    },
};

/// A name and what is in it.
pub(super) type Paper = (String, Vec<u8>);

/// The timeline alone.
pub(super) async fn timeline(engine: &Engine, incident: IncidentId) -> Result<Paper> {
    let record = record(engine, incident).await?;
    beside(move || drawn(&record)).await
}

/// The draft and the timeline.
pub(super) async fn both(engine: &Engine, incident: IncidentId) -> Result<Vec<Paper>> {
    let record = record(engine, incident).await?;
    beside(move || {
        let draft = (record.file_name("postmortem", "md"), postmortem::draft(&record).into_bytes());
        Ok(vec![draft, drawn(&record)?])
    })
    .await
}

async fn record(engine: &Engine, incident: IncidentId) -> Result<Record> {
    let journals = engine.store().journals_of_incident(incident).await?;
    ensure!(!journals.incident.is_empty(), "incident {} is not in the store", incident.short());
    let now = engine.clock().now();
    beside(move || Record::of(journals.incident, journals.runs, now)).await
}

fn drawn(record: &Record) -> Result<Paper> {
    Ok((record.file_name("timeline", "png"), picture::png(&postmortem::chart(record))?))
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("drawing broke off")?
}
