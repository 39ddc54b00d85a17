//! A wish to run a command, from whichever surface, becomes a run: or a refusal that says what to do.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Engine, live::Live, metrics};
use crate::{
    access::{self, Caller, Refusal},
    actions::Fields,
    clock::Timestamp,
    config::{load::Configuration, settings::Settings},
    ids::RunId,
    run::{
        context::{self, Scoped},
        event::{Created, Entry, Event, Undone},
        glass::Glass,
        lockdown::{self, Lockdown},
        rungs,
        state::State,
    },
    runbook::{
        action::{Action, Postgres},
        definition::{ChoicesFrom, Command, OptionSpec, Risk, ValueType},
        template,
    },
    store::journal::{Creation, Ownership},
};

/// The longest value of an option.
const LONGEST_VALUE: usize = 1000;

/// Somebody wants a command to be run.
#[derive(Debug, Clone)]
pub struct Request {
    /// Names the request itself (an interaction's id): delivered twice, it acts once.
    pub key: String,
    pub command: String,
    pub options: BTreeMap<String, String>,
    pub caller: Caller,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    Started(RunId),
    /// The same request was here before.
    AlreadyStarted(RunId),
}

/// Why a command is not run. Nothing has happened.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("there is no command {name}")]
    UnknownCommand { name: String, known: Vec<String> },
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("too many commands")]
    Throttled { wait: std::time::Duration },
    #[error("another run holds {lock}")]
    Locked { lock: String, holder: RunId, command: String, requester: String, since: Timestamp },
    #[error("the option {option}: {problem}")]
    BadOption { option: String, problem: String },
    #[error("{value} is not to be had for {option}")]
    UnknownChoice { option: String, value: String, known: Vec<String> },
    #[error("drbot is locked down")]
    LockedDown(Lockdown),
    #[error("/{name} is started by /undo")]
    OnlyByUndo { name: String },
    #[error("another run has begun on the target")]
    Overtaken,
    #[error("drbot is stopping")]
    Stopping,
    #[error("{0}")]
    Broken(String),
    #[error("the store failed")]
    Store(#[source] anyhow::Error),
}

impl Engine {
    /// Checks the request and starts its run. When this returns, the run is durable.
    ///
    /// # Errors
    /// Why not; nothing has happened then.
    pub async fn submit(&self, request: Request) -> Result<Submitted, RequestError> {
        self.submit_undoing(request, None).await
    }

    /// [`Engine::submit`] of a run that takes another one back.
    pub(super) async fn submit_undoing(
        &self,
        request: Request,
        undone: Option<Undone>,
    ) -> Result<Submitted, RequestError> {
        if self.0.stopping.is_cancelled() {
            return Err(RequestError::Stopping);
        }
        let configuration = self.configuration();
        let command = configuration.commands.get(&request.command).ok_or_else(|| RequestError::UnknownCommand {
            name: request.command.clone(),
            known: configuration.commands.keys().cloned().collect(),
        })?;
        access::start(&configuration.settings, command, &request.caller)?;
        if command.undoes.is_some() && undone.is_none() {
            return Err(RequestError::OnlyByUndo { name: command.name.clone() });
        }
        if let Some(run) = self.0.store.run_of_request(&request.key).await.map_err(RequestError::Store)? {
            return Ok(Submitted::AlreadyStarted(run));
        }
        if let Some(lockdown) = self.lockdown().await.filter(|_| !lockdown::is_free(command.risk)) {
            return Err(RequestError::LockedDown(lockdown));
        }
        // Stopping must always be possible: what is safe is never throttled.
        if command.risk != Risk::Safe {
            self.0.throttle.count(request.caller.person.id).map_err(|wait| RequestError::Throttled { wait })?;
        }
        // A mounted file may hold another value by now, which what the run reads may show before it is used.
        self.0.secrets.learn(&configuration.secrets);
        check_options(command, &request.options)?;
        self.check_choices(&configuration, command, &request.options).await?;
        // In a task of its own: whoever asked may be dropped, but a run that is durable has a driver.
        let engine = self.clone();
        let command = command.clone();
        let created = tokio::spawn(async move { engine.create(&configuration, &command, request, undone).await });
        created.await.unwrap_or_else(|gone| Err(RequestError::Broken(format!("starting the run broke off: {gone}"))))
    }

    async fn create(
        &self,
        configuration: &Configuration,
        command: &Command,
        request: Request,
        undone: Option<Undone>,
    ) -> Result<Submitted, RequestError> {
        let id = RunId::generate();
        let now = self.0.clock.now();
        let mut created = freeze(configuration, command, &request, now)?;
        created.undone = undone;
        created.incident = self.incident_for(command.scenario.as_deref(), command.target.as_deref()).await;
        if created.incident.is_some() {
            created.rungs.clear();
        }
        let ownership = Ownership { owner: self.0.owner.clone(), generation: 1 };
        let first = Entry { run: id, seq: 1, at: now, event: Event::RunCreated(Box::new(created.clone())) };
        let state = State::begin(&first).map_err(|illegal| RequestError::Broken(illegal.to_string()))?;
        if let Some(lock) = &command.lock {
            let name = template::render_text(lock, &context::of(&state, Scoped::Command)).map_err(|error| {
                RequestError::Broken(format!("the lock of /{} cannot be told: {error}", command.name))
            })?;
            created.lock = Some(name);
        }
        // Held until the run is there, so that none begins behind a lockdown's back.
        let standing = self.standing().await;
        if let Some(lockdown) = &*standing {
            if !lockdown::is_free(command.risk) {
                return Err(RequestError::LockedDown(lockdown.clone()));
            }
            created.locked_down = Some(lockdown.clone());
        }
        let store = &self.0.store;
        let creation = match store.create_run(id, &request.key, created, &ownership, now).await {
            Ok(creation) => creation,
            // An error while committing says nothing about whether it was committed: look.
            Err(error) => match store.journal(id).await.ok().and_then(|journal| journal.into_iter().next()) {
                Some(entry) => Creation::Created(entry),
                None => return Err(RequestError::Store(error)),
            },
        };
        drop(standing);
        match creation {
            Creation::Created(entry) => {
                let state = State::begin(&entry).map_err(|illegal| RequestError::Broken(illegal.to_string()))?;
                tracing::info!(run = %id.short(), command = command.name, by = request.caller.person.name, "a run starts");
                metrics::started(&command.name);
                self.tell_incident(&state, &entry.event);
                self.adopt(Live::new(state, ownership));
                Ok(Submitted::Started(id))
            }
            Creation::AlreadyRequested(run) => Ok(Submitted::AlreadyStarted(run)),
            Creation::Locked { lock, holder } => Err(self.locked_by(lock, holder).await),
            Creation::Overtaken => Err(RequestError::Overtaken),
        }
    }

    async fn locked_by(&self, lock: String, holder: RunId) -> RequestError {
        match self.snapshot(holder).await {
            Ok(Some(snapshot)) => RequestError::Locked {
                lock,
                holder,
                command: snapshot.state.created.command.name.clone(),
                requester: snapshot.state.created.requester.name.clone(),
                since: snapshot.state.created_at,
            },
            Ok(None) => RequestError::Broken(format!("run {} holds the lock", holder.short())),
            Err(error) => RequestError::Broken(format!(
                "run {} holds the lock, and its journal cannot be read: {error:#}",
                holder.short()
            )),
        }
    }

    /// Discord does not check what autocomplete offered, so it is checked here, before anything happens.
    pub(super) async fn check_choices(
        &self,
        configuration: &Configuration,
        command: &Command,
        options: &BTreeMap<String, String>,
    ) -> Result<(), RequestError> {
        for (name, option) in &command.options {
            let (Some(from), Some(value)) = (option.choices_from, options.get(name)) else { continue };
            if Some(value) == option.default.as_ref() {
                continue;
            }
            let (known, key) = match from {
                ChoicesFrom::Backups => (self.backups(configuration, command).await, "file"),
                ChoicesFrom::Versions => {
                    (self.versions_of(command.target.as_deref().unwrap_or_default()).await, "version")
                }
                ChoicesFrom::Providers => (providers(configuration, command), "name"),
            };
            let known = known.map_err(|problem| RequestError::BadOption { option: name.clone(), problem })?;
            let names: Vec<String> = known.iter().filter_map(|one| one.get(key)?.as_str().map(str::to_owned)).collect();
            if !names.contains(value) {
                return Err(RequestError::UnknownChoice { option: name.clone(), value: value.clone(), known: names });
            }
        }
        Ok(())
    }

    /// The backups of a command's target, newest first, as the action lists them: for completion and for checking.
    ///
    /// # Errors
    /// Why they cannot be listed.
    pub async fn backups(&self, configuration: &Configuration, command: &Command) -> Result<Vec<Fields>, String> {
        let target = command.target.as_ref().and_then(|name| Some((name, configuration.settings.target.get(name)?)));
        let Some((name, settings)) = target else { return Err("the command has no target".to_owned()) };
        let sample = self.good_sample(name, Some(settings), self.0.clock.now()).await;
        let limit = std::time::Duration::from_secs(2);
        let context = self.background(name, limit).ok_or("the command's target is gone")?;
        let context = crate::actions::Context { sample, ..context };
        let action = Action::Postgres(Postgres::Backups {});
        let listed = self.within(limit, &context.cancel, self.0.actions.perform(&action, &context)).await;
        let done = match listed {
            Some(Ok(done)) => done,
            Some(Err(failure)) => return Err(failure.to_string()),
            None => return Err("the folder of backups does not answer".to_owned()),
        };
        match done.fields.get("backups") {
            Some(Value::Array(backups)) => Ok(backups.iter().filter_map(|one| one.as_object().cloned()).collect()),
            _ => Ok(Vec::new()),
        }
    }
}

pub(super) fn check_options(command: &Command, options: &BTreeMap<String, String>) -> Result<(), RequestError> {
    let bad = |option: &str, problem: String| Err(RequestError::BadOption { option: option.to_owned(), problem });
    for (name, value) in options {
        let Some(option) = command.options.get(name) else {
            return bad(name, format!("/{} has no such option", command.name));
        };
        if value.len() > LONGEST_VALUE || value.contains('\0') {
            return bad(name, format!("a value has at most {LONGEST_VALUE} characters, and no zero byte"));
        }
        if !option.choices.is_empty() && !option.choices.contains(value) {
            return bad(name, format!("choose one of {}", option.choices.join(", ")));
        }
        if !fits(option, value) {
            return bad(name, format!("`{value}` is not of the type {:?}", option.kind).to_lowercase());
        }
    }
    match command.options.iter().find(|(name, option)| option.required && !options.contains_key(*name)) {
        Some((name, option)) => bad(name, format!("it is needed: {}", option.help)),
        None => Ok(()),
    }
}

fn fits(option: &OptionSpec, value: &str) -> bool {
    match option.kind {
        ValueType::Integer => value.parse::<i64>().is_ok(),
        ValueType::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
        ValueType::Boolean => matches!(value, "true" | "false"),
        ValueType::Duration => value.parse::<crate::runbook::span::Span>().is_ok(),
        ValueType::Timestamp => value.parse::<Timestamp>().is_ok(),
        ValueType::String | ValueType::List | ValueType::Object | ValueType::Any => true,
    }
}

/// Everything the run needs to know, as it is now.
fn freeze(
    configuration: &Configuration,
    command: &Command,
    request: &Request,
    at: Timestamp,
) -> Result<Created, RequestError> {
    let broken = |error: serde_json::Error| RequestError::Broken(error.to_string());
    let definition = serde_json::to_string(command).map_err(broken)?;
    let definition_hash = Sha256::digest(&definition).iter().map(|byte| format!("{byte:02x}")).collect();
    let settings = &configuration.settings;
    let scenario = command.scenario.as_ref().and_then(|name| settings.scenario.get(name));
    let target = match command.target.as_ref().and_then(|name| Some((name, settings.target.get(name)?))) {
        Some((name, target)) => crate::runbook::context::target(name, target),
        None => Value::Null,
    };
    Ok(Created {
        command: command.clone(),
        definition_hash,
        options: request.options.clone(),
        requester: request.caller.person.clone(),
        requester_roles: request.caller.roles.clone(),
        channel: request.caller.channel,
        target,
        scenario: scenario.cloned(),
        incident: None,
        rungs: rungs::of(scenario, &settings.escalation, at),
        lock: None,
        glass: glass_of(settings, command),
        undone: None,
        locked_down: None,
    })
}

/// Where an approval is needed and somebody is named who may do without it.
fn glass_of(settings: &Settings, command: &Command) -> Option<Glass> {
    let is_there = command.approval.is_some() && !settings.break_glass.roles.is_empty();
    is_there.then_some(Glass { near: settings.break_glass.near })
}

/// The providers of a command's target, the preferred first: for completion and for checking.
///
/// # Errors
/// When the target names none.
pub fn providers(configuration: &Configuration, command: &Command) -> Result<Vec<Fields>, String> {
    let target = command.target.as_ref().and_then(|name| configuration.settings.target.get(name));
    let network = target.and_then(|target| target.network.as_ref()).ok_or("the command's target names no providers")?;
    let shown = network.providers.iter().enumerate().map(|(rank, provider)| {
        let fields =
            [("name", provider.name.clone().into()), ("url", provider.url.clone().into()), ("rank", rank.into())];
        fields.map(|(name, value): (&str, Value)| (name.to_owned(), value)).into_iter().collect()
    });
    Ok(shown.collect())
}

/// The state of a run that nobody has started.
///
/// # Errors
/// When the options do not fit.
pub(super) fn imagined(
    configuration: &Configuration,
    command: &Command,
    options: BTreeMap<String, String>,
    at: Timestamp,
) -> Result<State, RequestError> {
    check_options(command, &options)?;
    let nobody =
        crate::run::event::Person { id: crate::config::settings::DiscordId(1), name: "whoever asks for it".to_owned() };
    let caller =
        Caller { person: nobody, roles: Vec::new(), channel: configuration.settings.discord.channel, is_bot: false };
    let request = Request { key: String::new(), command: command.name.clone(), options, caller };
    let created = freeze(configuration, command, &request, at)?;
    // The same each time, so that a plan that has not changed has the same hash.
    let entry = Entry { run: RunId::NOBODYS, seq: 1, at, event: Event::RunCreated(Box::new(created)) };
    State::begin(&entry).map_err(|illegal| RequestError::Broken(illegal.to_string()))
}
