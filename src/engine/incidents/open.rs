//! Opening an incident: by a person, from a run that recovers, by an alert.

use super::AppendError;
use crate::{
    access::{self, Caller, Refusal},
    clock::elapsed,
    config::{load::Configuration, settings::DiscordId},
    contacts,
    engine::{Engine, Snapshot},
    ids::{IncidentId, RunId},
    incident::{
        event::{AlertSeen, Because, Drill, Entry, Event, Kind, Opened, Seen, USUAL_RESOLVING},
        ladder::{self, Policy},
        state::State,
    },
    runbook::action::Action,
    store::incidents::Opening,
};

/// A sample that is older tells nothing of when it failed.
const EVIDENCE: std::time::Duration = std::time::Duration::from_secs(600);

/// An alert that comes so long after a recovery is another incident, also where nobody has closed the one before.
const RELAPSES_WITHIN: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// So many alerts of an incident are told; more belong to it all the same.
const MOST_ALERTS: usize = 50;

/// Why there is no incident.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no scenario {name}")]
    UnknownScenario { name: String, known: Vec<String> },
    #[error("there is no target {name}")]
    UnknownTarget { name: String, known: Vec<String> },
    #[error("the run has no scenario")]
    NoScenario,
    #[error("there is no run {0}")]
    NoRun(String),
    /// `drbot.toml` says nothing of drills.
    #[error("there are no drills")]
    NoDrills,
    /// A drill would call nobody.
    #[error("no contact has one of the roles {0:?}")]
    NoDrillContacts(Vec<String>),
    /// This one is open already.
    #[error("incident {} is open", .0.short())]
    Open(IncidentId),
    #[error("the store failed")]
    Store(#[source] anyhow::Error),
}

/// Who or what wants one.
struct Wish {
    /// The same for the same wish, however often it comes.
    request: String,
    scenario: String,
    target: Option<String>,
    because: Because,
    detected: Seen,
    channel: DiscordId,
    drill: Option<Drill>,
}

impl Engine {
    /// Opens an incident because somebody says so.
    ///
    /// # Errors
    /// Why not; [`OpenError::Open`] names the one that is open already.
    pub async fn open_incident(
        &self,
        caller: &Caller,
        request: &str,
        scenario: &str,
        target: Option<&str>,
        text: Option<&str>,
    ) -> Result<State, OpenError> {
        let configuration = self.configuration();
        access::incidents(&configuration.settings, caller)?;
        let now = self.0.clock.now();
        let text = text.map(|text| self.0.secrets.mask(text.trim())).filter(|text| !text.is_empty());
        let wish = Wish {
            request: request.to_owned(),
            scenario: scenario.to_owned(),
            target: target.map(str::to_owned).or_else(|| usual_target(&configuration, scenario)),
            detected: Seen { at: now, source: format!("{} opened it", caller.person.name) },
            because: Because::Person { by: caller.person.clone(), text },
            channel: configuration.settings.discord.channel,
            drill: None,
        };
        self.open(&configuration, wish).await
    }

    /// Opens a drill: the ladders of this scenario are climbed within the drill's time, and call its contacts alone.
    ///
    /// # Errors
    /// Why not; [`OpenError::Open`] names the drill that is open already.
    pub async fn open_drill(&self, caller: &Caller, request: &str, scenario: &str) -> Result<State, OpenError> {
        let configuration = self.configuration();
        access::incidents(&configuration.settings, caller)?;
        let drill = configuration.settings.incidents.drill.as_ref().ok_or(OpenError::NoDrills)?;
        let contacts = self.0.store.contacts().await.map_err(OpenError::Store)?;
        let gaps = contacts::ladder::gaps(&drill.contacts, &contacts);
        if gaps.len() == drill.contacts.len() {
            return Err(OpenError::NoDrillContacts(gaps));
        }
        let wish = Wish {
            request: request.to_owned(),
            scenario: scenario.to_owned(),
            // It is about nothing, and so stands in no real incident's way.
            target: None,
            detected: Seen { at: self.0.clock.now(), source: format!("{} began it", caller.person.name) },
            because: Because::Person { by: caller.person.clone(), text: None },
            channel: configuration.settings.discord.channel,
            drill: Some(Drill { contacts: drill.contacts.clone(), rto: drill.rto.0, services: drill.services }),
        };
        let _alone = self.0.incidents.opening.lock().await;
        if let Some(open) = self.open_incidents().await.into_iter().find(State::is_drill) {
            return Err(OpenError::Open(open.id));
        }
        self.open_alone(&configuration, wish).await
    }

    /// Opens an incident for a run that recovers, which joins it.
    ///
    /// # Errors
    /// Why not.
    pub async fn open_incident_for(&self, run: RunId, caller: &Caller, request: &str) -> Result<State, OpenError> {
        let configuration = self.configuration();
        access::incidents(&configuration.settings, caller)?;
        let snapshot = self.snapshot(run).await.map_err(OpenError::Store)?;
        let Snapshot { state: of, .. } = snapshot.ok_or_else(|| OpenError::NoRun(run.short()))?;
        let command = &of.created.command;
        let scenario = command.scenario.clone().ok_or(OpenError::NoScenario)?;
        let wish = Wish {
            request: request.to_owned(),
            scenario,
            target: command.target.clone(),
            detected: Seen { at: of.created_at, source: format!("/{} was started", command.name) },
            because: Because::Run { run, command: command.name.clone(), by: caller.person.clone() },
            channel: configuration.settings.discord.channel,
            drill: None,
        };
        match self.open(&configuration, wish).await {
            Ok(state) => {
                self.reconcile_run(run).await;
                Ok(state)
            }
            // An alert was quicker: the run belongs to that one.
            Err(OpenError::Open(id)) => {
                let open = self.incident(id).await.map_err(OpenError::Store)?.ok_or(OpenError::Open(id))?;
                self.join_runs_under_way(&open).await;
                Err(OpenError::Open(id))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens an incident for an alert, unless one is open that it belongs to: then it joins that one. `None` when the alert
    /// fits no scenario.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn incident_of_alert(
        &self,
        alert: AlertSeen,
        scenario: Option<&str>,
        target: Option<&str>,
    ) -> Result<Option<State>, OpenError> {
        let configuration = self.configuration();
        let target = target.map(str::to_owned).or_else(|| usual_target(&configuration, scenario?));
        let opening = self.0.incidents.opening.lock().await;
        let open = self.incident_on(target.as_deref(), scenario).await;
        let is_of = |open: &State| match &open.recovered {
            Some(recovered) => elapsed(recovered.verified, alert.starts_at) < RELAPSES_WITHIN,
            None => true,
        };
        if let Some(open) = open.filter(is_of) {
            drop(opening);
            return self.alert_joins(&open, alert).await.map(Some);
        }
        let Some(scenario) = scenario else { return Ok(None) };
        let wish = Wish {
            request: format!("alert/{}/{}/{}", alert.source, alert.fingerprint, alert.starts_at.timestamp_micros()),
            scenario: scenario.to_owned(),
            target,
            detected: Seen { at: alert.starts_at.min(self.0.clock.now()), source: format!("the alert {}", alert.name) },
            because: Because::Alert(alert),
            channel: configuration.settings.discord.channel,
            drill: None,
        };
        match self.open_alone(&configuration, wish).await {
            Ok(state) => Ok(Some(state)),
            // It was here before; that one may be closed by now.
            Err(OpenError::Open(id)) => self.incident(id).await.map_err(OpenError::Store),
            Err(error) => Err(error),
        }
    }

    async fn alert_joins(&self, open: &State, alert: AlertSeen) -> Result<State, OpenError> {
        let key = (alert.source.clone(), alert.fingerprint.clone());
        let there = open.alerts.get(&key);
        let fires = there.is_some_and(|there| there.resolved_at.is_none() && there.alert.starts_at == alert.starts_at);
        // A flood of alerts tells nothing that the first ones did not.
        let is_flood = there.is_none() && open.recovered.is_none() && open.alerts.len() >= MOST_ALERTS;
        if fires || is_flood {
            return Ok(open.clone());
        }
        let written = self
            .append_incident(open.id, |state| {
                // One that began before the recovery and was heard of late is no relapse.
                let relapses = state.recovered.as_ref().is_some_and(|recovered| alert.starts_at > recovered.verified);
                Ok::<_, AppendError>(match relapses {
                    true => Event::Relapsed { alert, anew: true },
                    false => Event::AlertFired { alert },
                })
            })
            .await;
        let state = written.map_err(|error| OpenError::Store(error.into()))?;
        if open.recovered.is_some() && state.recovered.is_none() {
            self.join_runs_under_way(&state).await;
        }
        Ok(state)
    }

    /// An alert does not fire any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn alert_resolved(&self, source: &str, fingerprint: &str) -> anyhow::Result<()> {
        let key = (source.to_owned(), fingerprint.to_owned());
        for state in self.open_incidents().await {
            let Some(alert) = state.alerts.get(&key).filter(|alert| alert.resolved_at.is_none()) else { continue };
            let (name, source, fingerprint) = (alert.alert.name.clone(), key.0.clone(), key.1.clone());
            let written = self.append_incident(state.id, |_| {
                Ok::<_, AppendError>(Event::AlertResolved { source, fingerprint, name })
            });
            match written.await {
                // What was verified and doubted because of it counts again.
                Ok(state) if state.doubted_at.is_some() && !state.is_over() => {
                    for joined in &state.runs {
                        self.reconcile_run(joined.run).await;
                    }
                }
                Ok(_) | Err(AppendError::Illegal(_) | AppendError::Gone) => {}
                Err(AppendError::Store(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// The open incident that something on this target belongs to; without a target, by its scenario. One that is recovered, and
    /// that nobody has closed yet, stands in no other's way.
    pub(super) async fn incident_on(&self, target: Option<&str>, scenario: Option<&str>) -> Option<State> {
        let open = self.open_incidents().await;
        let belongs =
            open.into_iter().filter(|state| !state.is_drill()).filter(|state| match (target, &state.opened.target) {
                (Some(target), Some(there)) => target == there,
                _ => scenario.is_some_and(|scenario| scenario == state.kind.key),
            });
        // The last that is recovered, where none is to be recovered still.
        belongs.max_by_key(|state| (!state.is_over(), state.opened_at))
    }

    async fn open(&self, configuration: &Configuration, wish: Wish) -> Result<State, OpenError> {
        let _alone = self.0.incidents.opening.lock().await;
        match self.incident_on(wish.target.as_deref(), Some(&wish.scenario)).await {
            Some(open) if !open.is_over() => return Err(OpenError::Open(open.id)),
            // Somebody says what its alert says: it is not recovered.
            Some(open) => {
                if let Some(alert) = open.firing().next().cloned() {
                    let doubted = self.append_incident(open.id, |state| match state.recovered {
                        Some(_) => Ok(Event::Relapsed { alert, anew: true }),
                        None => Err(AppendError::Gone),
                    });
                    if let Ok(state) = doubted.await {
                        self.join_runs_under_way(&state).await;
                        return Err(OpenError::Open(open.id));
                    }
                }
            }
            None => {}
        }
        self.open_alone(configuration, wish).await
    }

    /// While nobody else opens one.
    async fn open_alone(&self, configuration: &Configuration, wish: Wish) -> Result<State, OpenError> {
        let settings = &configuration.settings;
        let scenario = settings.scenario.get(&wish.scenario).ok_or_else(|| OpenError::UnknownScenario {
            name: wish.scenario.clone(),
            known: settings.scenario.keys().cloned().collect(),
        })?;
        if let Some(target) = wish.target.as_ref().filter(|target| !settings.target.contains_key(*target)) {
            let known = settings.target.keys().cloned().collect();
            return Err(OpenError::UnknownTarget { name: target.clone(), known });
        }
        let failure = self.last_good_evidence(configuration, &wish).await;
        let from = failure.as_ref().map_or(wish.detected.at, |failure| failure.at);
        let Policy { scenario, ladder } = Policy::of(scenario, &settings.escalation, wish.drill.as_ref());
        let opened = Opened {
            rungs: ladder::rungs(&ladder, from, from + scenario.rto.0),
            ack: ladder::ack_policy(&scenario),
            repeat_every: ladder::repeat_every(scenario.rto.0),
            kind: Kind { key: wish.scenario, scenario },
            target: wish.target,
            because: wish.because,
            failure,
            detected: wish.detected,
            channel: wish.channel,
            resolves_within: settings.alerts.resolves_within.map_or(USUAL_RESOLVING, |span| span.0),
            drill: wish.drill,
        };
        let event = Event::Opened(Box::new(opened));
        let first = Entry { incident: IncidentId::generate(), seq: 1, at: self.0.clock.now(), event };
        let state = State::begin(&first).map_err(|illegal| OpenError::Store(illegal.into()))?;
        match self.0.store.open_incident(&wish.request, &first, &state).await.map_err(OpenError::Store)? {
            Opening::Already(id) => Err(OpenError::Open(id)),
            Opening::Opened => {
                tracing::warn!(incident = %state.id.short(), scenario = state.kind.key, "an incident is opened");
                self.hold_incident(state.clone());
                self.announce_incident(&state);
                self.join_runs_under_way(&state).await;
                Ok(state)
            }
        }
    }

    /// When it was last seen to be good, for what is about a database: the last good sample, where it is not long ago.
    async fn last_good_evidence(&self, configuration: &Configuration, wish: &Wish) -> Option<Seen> {
        let name = wish.target.as_ref()?;
        let touches = |command: &crate::runbook::definition::Command| {
            let postgres = |action: &Action| matches!(action, Action::Postgres(_));
            command.scenario.as_ref() == Some(&wish.scenario) && command.steps.iter().any(|step| postgres(&step.action))
        };
        if !configuration.commands.values().any(touches) {
            return None;
        }
        let target = configuration.settings.target.get(name);
        let sample = self.good_sample(name, target, wish.detected.at).await?;
        let fresh = elapsed(sample.at, wish.detected.at) <= EVIDENCE && sample.at <= wish.detected.at;
        fresh.then(|| Seen { at: sample.at, source: "the last good sample of the database".to_owned() })
    }
}

/// The target that a scenario's commands act on, where they agree; else the only one there is.
fn usual_target(configuration: &Configuration, scenario: &str) -> Option<String> {
    let of = configuration.commands.values().filter(|command| command.scenario.as_deref() == Some(scenario));
    let mut targets: Vec<&String> = of.filter_map(|command| command.target.as_ref()).collect();
    if targets.is_empty() {
        targets = configuration.settings.target.keys().collect();
    }
    targets.dedup();
    match targets[..] {
        [only] => Some(only.clone()),
        _ => None,
    }
}
