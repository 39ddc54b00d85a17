//! A clock that is set while incidents are open.
//!
//! Ladders are stored as times of the wall clock, and survive a restart so. What must stay true: a clock that is set back makes
//! nobody wait longer for being called; one that is set forward may call people early, and is never kept from it: whether the
//! time has passed (a machine that slept) or not cannot be told, and silence is worse.

use std::time::Duration;

use super::AppendError;
use crate::{clock::elapsed, engine::Engine, incident::event::Event};

/// Less than this is how clocks are kept right.
pub const JUMP: Duration = Duration::from_secs(2);

impl Engine {
    /// The wall clock was set back by so much: what is stored as its times comes sooner by as much.
    pub async fn clock_set_back(&self, by: Duration) {
        tracing::error!(by_s = by.as_secs_f64(), "the clock was set back; what is due comes sooner by as much");
        if let Err(error) = self.0.store.bring_rungs_forward(by).await {
            tracing::error!(error = format!("{error:#}"), "the rungs of runs could not be brought forward");
        }
        if let Err(error) = self.0.store.bring_pages_forward(by).await {
            tracing::error!(error = format!("{error:#}"), "pages could not be brought forward");
        }
        for state in self.open_incidents().await {
            self.incident_clock_set_back(state.id, by).await;
        }
    }

    /// What the clock did while no drbot was there: the last event of an incident is of a time that has not come.
    pub(in crate::engine) async fn mend_clocks(&self) {
        let now = self.0.clock.now();
        let mut most = Duration::ZERO;
        for state in self.open_incidents().await {
            most = most.max(elapsed(now, state.last_at));
            let by = elapsed(now, state.last_at);
            if by > JUMP {
                tracing::error!(incident = %state.id.short(), by_s = by.as_secs_f64(), "the clock was set back while drbot was away");
                self.incident_clock_set_back(state.id, by).await;
            }
        }
        if most > JUMP
            && let Err(error) = self.0.store.bring_pages_forward(most).await
        {
            tracing::error!(error = format!("{error:#}"), "pages could not be brought forward");
        }
    }

    async fn incident_clock_set_back(&self, id: crate::ids::IncidentId, by: Duration) {
        let now = self.0.clock.now();
        match self.append_incident(id, |_| Ok(Event::ClockSetBack { by, now })).await {
            Ok(_) | Err(AppendError::Gone | AppendError::Illegal(_)) => {}
            Err(AppendError::Store(error)) => {
                tracing::error!(incident = %id.short(), error = format!("{error:#}"), "an incident's ladders could not be brought forward");
            }
        }
    }
}
