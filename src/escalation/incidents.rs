//! The ladders of incidents: what is due by a stored time is asked of the store; forecasts, and what stands still, are looked
//! at where a run is under way.

use std::collections::HashSet;

use super::{OVERDUE, metrics, ways::Ways};
use crate::{
    clock::elapsed,
    contacts::way::Way,
    engine::{Engine, incidents::Done},
    ids::IncidentId,
};

pub(super) async fn look(engine: &Engine, ways: &Ways, at_forecasts: bool) {
    let now = engine.clock().now();
    let due = match engine.store().due_incidents(now).await {
        Ok(due) => due,
        Err(error) => {
            return tracing::error!(error = format!("{error:#}"), "which incidents are due cannot be read");
        }
    };
    let late = due.first().map(|(_, at)| elapsed(*at, now)).unwrap_or_default();
    metrics::incident_overdue(late);
    if late > OVERDUE {
        tracing::error!(
            late_s = late.as_secs(),
            incidents = due.len(),
            "incidents are overdue: their people are called late"
        );
    }
    let mut wanted: Vec<IncidentId> = due.into_iter().map(|(id, _)| id).collect();
    if at_forecasts {
        let known: HashSet<_> = wanted.iter().copied().collect();
        wanted.extend(engine.incidents_at_work().into_iter().filter(|id| !known.contains(id)));
    }
    if wanted.is_empty() {
        return;
    }
    let contacts = match engine.store().contacts().await {
        Ok(contacts) => contacts,
        Err(error) => {
            // Called without names: the line stands in the thread all the same.
            tracing::error!(error = format!("{error:#}"), "the contacts cannot be read");
            Vec::new()
        }
    };
    let can = |way: Way| ways.can(way);
    for id in wanted {
        match engine.climb(id, &contacts, &can).await {
            Ok(Done::Paged { late }) => {
                metrics::incident_paged(late);
                tracing::warn!(incident = %id.short(), late_ms = late.as_millis(), "people are called");
            }
            Ok(Done::Asked | Done::Nothing) => {}
            Err(error) => {
                tracing::error!(incident = %id.short(), error = format!("{error:#}"), "people could not be called; it is tried again");
            }
        }
    }
}
