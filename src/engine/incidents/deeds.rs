//! What people do on an incident: acknowledge, note, close, say what it is, answer for a new deadline.

use super::AppendError;
use crate::{
    access::{self, Caller, Refusal},
    clock::{Timestamp, elapsed},
    engine::Engine,
    ids::IncidentId,
    incident::{
        event::{Event, Kind},
        ladder::{self, Policy},
        state::State,
    },
};

/// Longest text of a note, in characters.
const LONGEST: usize = 1500;

/// Why nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum DeedError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("no incident is open")]
    None,
    /// Several are; which one is meant?
    #[error("several incidents are open")]
    Which(Vec<State>),
    #[error("there is no incident {0}")]
    Unknown(String),
    #[error("it is closed")]
    Closed,
    #[error("there is no scenario {name}")]
    UnknownScenario { name: String, known: Vec<String> },
    #[error("a reason is needed")]
    ReasonNeeded,
    #[error("words are needed")]
    WordsNeeded,
    /// A deadline that has passed is none.
    #[error("the deadline would have passed already")]
    Past,
    #[error("the store failed")]
    Store(#[source] anyhow::Error),
}

impl From<AppendError> for DeedError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Gone | AppendError::Illegal(_) => Self::Closed,
            AppendError::Store(error) => Self::Store(error),
        }
    }
}

impl Engine {
    /// The incident that somebody means: by the digits that people are shown, or the only one that is open.
    ///
    /// # Errors
    /// When it is not clear.
    pub async fn which_incident(&self, named: Option<&str>) -> Result<State, DeedError> {
        let open = self.open_incidents().await;
        let Some(named) = named.map(|named| named.trim().to_lowercase()).filter(|named| !named.is_empty()) else {
            // What is to be recovered is meant before what is recovered, and both before a drill.
            let rank = |state: &State| (state.is_drill(), state.is_over());
            let first = open.iter().map(rank).min().ok_or(DeedError::None)?;
            let (mut meant, others): (Vec<_>, Vec<_>) = open.into_iter().partition(|state| rank(state) == first);
            return match (meant.pop(), meant.is_empty()) {
                (Some(only), true) => Ok(only),
                (last, _) => Err(DeedError::Which(meant.into_iter().chain(last).chain(others).collect())),
            };
        };
        let fits = |id: IncidentId| id.short() == named || id.to_string() == named;
        if let Some(state) = open.into_iter().find(|state| fits(state.id)) {
            return Ok(state);
        }
        let newest = self.0.store.newest_incidents().await.map_err(DeedError::Store)?;
        let id = newest.into_iter().find(|id| fits(*id)).ok_or_else(|| DeedError::Unknown(named.clone()))?;
        self.incident(id).await.map_err(DeedError::Store)?.ok_or(DeedError::Unknown(named))
    }

    /// Those that are open, and those that were last, newest first; for who may see them.
    ///
    /// # Errors
    /// Why not.
    pub async fn newest_incidents(&self, caller: &Caller) -> Result<Vec<State>, DeedError> {
        access::incidents(&self.configuration().settings, caller)?;
        let mut states = Vec::new();
        for id in self.0.store.newest_incidents().await.map_err(DeedError::Store)? {
            match self.incident(id).await {
                Ok(state) => states.extend(state),
                // One that cannot be read hides no other.
                Err(error) => {
                    tracing::error!(incident = %id.short(), error = format!("{error:#}"), "an incident cannot be shown");
                }
            }
        }
        Ok(states)
    }

    /// Somebody has it; or is still on it.
    ///
    /// # Errors
    /// Why not.
    pub async fn acknowledge(&self, id: IncidentId, caller: &Caller, how: &str) -> Result<State, DeedError> {
        access::incidents(&self.configuration().settings, caller)?;
        let now = self.0.clock.now();
        let by = caller.person.clone();
        self.append_incident(id, |state| {
            let until = now + state.ack_policy.lease;
            Ok(Event::Acknowledged { by, until, how: how.to_owned() })
        })
        .await
    }

    /// A line for the timeline.
    ///
    /// # Errors
    /// Why not.
    pub async fn note(&self, id: IncidentId, caller: &Caller, text: &str) -> Result<State, DeedError> {
        access::incidents(&self.configuration().settings, caller)?;
        let text: String = self.0.secrets.mask(text.trim()).chars().take(LONGEST).collect();
        if text.is_empty() {
            return Err(DeedError::WordsNeeded);
        }
        let by = caller.person.clone();
        let state = self.append_incident(id, |_| Ok::<_, DeedError>(Event::Noted { by, text })).await?;
        self.renew(&state, caller.person.id).await;
        Ok(state)
    }

    /// Nobody is called any more.
    ///
    /// # Errors
    /// Why not; what is not recovered is closed with a reason only.
    pub async fn close_incident(
        &self,
        id: IncidentId,
        caller: &Caller,
        reason: Option<&str>,
    ) -> Result<State, DeedError> {
        access::incidents(&self.configuration().settings, caller)?;
        let reason = reason.map(|reason| self.0.secrets.mask(reason.trim())).filter(|reason| !reason.is_empty());
        let by = caller.person.clone();
        self.append_incident(id, |state| {
            if state.recovered.is_none() && reason.is_none() && !state.is_drill() {
                return Err(DeedError::ReasonNeeded);
            }
            Ok(Event::Closed { by, reason })
        })
        .await
    }

    /// It is another kind of disaster, with other objectives.
    ///
    /// # Errors
    /// Why not.
    pub async fn set_scenario(&self, id: IncidentId, caller: &Caller, scenario: &str) -> Result<State, DeedError> {
        let configuration = self.configuration();
        let settings = &configuration.settings;
        access::incidents(settings, caller)?;
        let found = settings.scenario.get(scenario).ok_or_else(|| DeedError::UnknownScenario {
            name: scenario.to_owned(),
            known: settings.scenario.keys().cloned().collect(),
        })?;
        let by = caller.person.clone();
        self.append_incident(id, |state| {
            let from = state.deadline.from.at;
            let Policy { scenario: found, ladder } =
                Policy::of(found, &settings.escalation, state.opened.drill.as_ref());
            Ok::<_, DeedError>(Event::ScenarioChanged {
                by,
                rungs: ladder::rungs(&ladder, from, from + found.rto.0),
                ack: ladder::ack_policy(&found),
                repeat_every: ladder::repeat_every(found.rto.0),
                kind: Kind { key: scenario.to_owned(), scenario: found },
            })
        })
        .await
    }

    /// Somebody answers for another deadline: so long from now.
    ///
    /// # Errors
    /// Why not.
    pub async fn move_deadline(
        &self,
        id: IncidentId,
        caller: &Caller,
        from_now: std::time::Duration,
        reason: &str,
    ) -> Result<State, DeedError> {
        let configuration = self.configuration();
        let settings = &configuration.settings;
        access::deadline(settings, caller)?;
        let reason = self.0.secrets.mask(reason.trim());
        if reason.is_empty() {
            return Err(DeedError::ReasonNeeded);
        }
        let now = self.0.clock.now();
        let due: Timestamp = now + from_now;
        if due <= now {
            return Err(DeedError::Past);
        }
        let by = caller.person.clone();
        self.append_incident(id, |state| {
            let from = state.deadline.from.at;
            let policy = Policy::of(&state.kind.scenario, &settings.escalation, state.opened.drill.as_ref());
            Ok::<_, DeedError>(Event::DeadlineMoved {
                by,
                due,
                reason,
                rungs: ladder::rungs(&policy.ladder, from, due),
                repeat_every: ladder::repeat_every(elapsed(from, due)),
            })
        })
        .await
    }
}
