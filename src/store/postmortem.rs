//! All that was written about an incident, for who tells it afterwards.

use anyhow::{Context, Result};

use super::Store;
use crate::{
    ids::{IncidentId, RunId},
    incident,
    run::event,
};

/// The journal of an incident and those of its runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Journals {
    /// Empty when there is no such incident.
    pub incident: Vec<incident::event::Entry>,
    pub runs: Vec<Vec<event::Entry>>,
}

impl Store {
    /// # Errors
    /// When the store cannot be read or holds what is no event.
    pub async fn journals_of_incident(&self, id: IncidentId) -> Result<Journals> {
        let incident = self.incident_journal(id).await?;
        // An incident knows of its runs, and a run of its incident; whichever was written last before a crash.
        let mut runs: Vec<RunId> = self.runs_of_incident(id).await?;
        for run in incident.iter().filter_map(|entry| joined(&entry.event)) {
            if !runs.contains(&run) {
                runs.push(run);
            }
        }
        let mut journals = Journals { incident, runs: Vec::new() };
        for run in runs {
            let journal = self.journal(run).await?;
            if !journal.is_empty() {
                journals.runs.push(journal);
            }
        }
        Ok(journals)
    }

    /// The incidents whose id ends like this, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_incidents(&self, text: &str) -> Result<Vec<IncidentId>> {
        let wanted = text.trim().replace('-', "").to_lowercase();
        let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM incidents ORDER BY opened_at DESC, id DESC")
            .fetch_all(&self.readers)
            .await
            .context("the incidents cannot be read")?;
        let ids = ids.into_iter().filter(|id| id.replace('-', "").ends_with(&wanted));
        ids.map(|id| Ok(id.parse()?)).collect()
    }
}

fn joined(event: &incident::event::Event) -> Option<RunId> {
    use incident::event::{Because, Event};
    match event {
        Event::RunJoined { run, .. } => Some(*run),
        Event::Opened(opened) => match &opened.because {
            Because::Run { run, .. } => Some(*run),
            _ => None,
        },
        _ => None,
    }
}
