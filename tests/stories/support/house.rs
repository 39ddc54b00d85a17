//! A drbot without chat: a store, a world, a clock, and the people.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drbot::{
    access::Caller,
    clock::Clock,
    config::{
        load::Configuration,
        secrets::Secrets,
        settings::{Discord, DiscordId, Limits, Settings},
    },
    engine::{Engine, Request, RequestError, Submitted},
    ids::RunId,
    paging::Pager,
    run::{
        event::{Choice, Event, Person},
        outcome::Outcome,
        state::State,
    },
    runbook::definition::Command,
    store::Store,
};
use tempfile::TempDir;
use tokio::sync::broadcast::error::RecvError;

use super::scripted::World;

/// How long anything that a story waits for may take.
pub const LIMIT: Duration = Duration::from_secs(20);

pub const CHANNEL: DiscordId = DiscordId(500);

/// Operator, who asks for things.
pub fn dana() -> Caller {
    caller(1, "Dana", &[10, 11])
}

/// Database administrators, who approve.
pub fn omar() -> Caller {
    caller(2, "Omar", &[11])
}

pub fn lena() -> Caller {
    caller(3, "Lena", &[11])
}

/// Nobody in particular.
pub fn gil() -> Caller {
    caller(4, "Gil", &[99])
}

fn caller(id: u64, name: &str, roles: &[u64]) -> Caller {
    Caller {
        person: Person { id: DiscordId(id), name: name.to_owned() },
        roles: roles.iter().copied().map(DiscordId).collect(),
        channel: CHANNEL,
        is_bot: false,
    }
}

/// What outlives a drbot.
pub struct House {
    pub folder: TempDir,
    pub world: World,
    pub clock: Clock,
    pub secrets: Secrets,
    pub configuration: Configuration,
}

impl House {
    pub fn new(commands: impl IntoIterator<Item = Command>) -> Self {
        let roles = [("operator", 10), ("dba", 11)];
        let settings = Settings {
            discord: Discord { guild: DiscordId(1), channel: CHANNEL, command_channels: Vec::new() },
            roles: roles.into_iter().map(|(name, id)| (name.to_owned(), DiscordId(id))).collect(),
            scenario: BTreeMap::new(),
            target: BTreeMap::new(),
            limits: Limits { commands_per_minute: 1000, burst: 1000 },
            web: None,
            people: Vec::new(),
            incidents: Default::default(),
            lockdown: Default::default(),
            break_glass: Default::default(),
            alerts: Default::default(),
            escalation: Vec::new(),
            contacts: Default::default(),
            paging: Default::default(),
        };
        let folder = tempfile::tempdir().unwrap();
        let configuration = Configuration {
            directory: folder.path().to_owned(),
            settings,
            commands: commands.into_iter().map(|command| (command.name.clone(), command)).collect(),
            written: Default::default(),
            warnings: Vec::new(),
            secrets: Default::default(),
        };
        Self {
            folder,
            world: World::default(),
            clock: Clock::system(),
            secrets: Secrets::from_lookup(|_| None),
            configuration,
        }
    }

    pub fn on(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The store, once the drbot before has let go of it.
    pub async fn store(&self) -> Store {
        let opened = tokio::time::timeout(LIMIT, async {
            loop {
                match Store::open(self.folder.path()).await {
                    Ok(store) => return store,
                    Err(error) if error.to_string().contains("another drbot") => tokio::task::yield_now().await,
                    Err(error) => panic!("{error:#}"),
                }
            }
        });
        opened.await.expect("the store is let go of")
    }

    pub async fn start(&self) -> Bot {
        let store = self.store().await;
        let world = Arc::new(self.world.clone());
        let (configuration, secrets) = (self.configuration.clone(), self.secrets.clone());
        Bot(Engine::start(configuration, store, world, secrets, self.clock.clone()).await.unwrap())
    }
}

/// A drbot at work.
#[derive(Clone)]
pub struct Bot(pub Engine);

impl Bot {
    pub async fn ask(&self, caller: &Caller, command: &str, key: &str) -> Result<Submitted, RequestError> {
        let request = Request {
            key: key.to_owned(),
            command: command.to_owned(),
            options: BTreeMap::new(),
            caller: caller.clone(),
        };
        self.0.submit(request).await
    }

    /// What sends pages, as the settings have it.
    pub fn pager(&self) -> Pager {
        let settings = &self.0.configuration().settings;
        Pager::new(&settings.paging, self.0.secrets().clone(), self.0.clock().clone()).unwrap()
    }

    /// Dana starts a command.
    pub async fn run(&self, command: &str) -> RunId {
        match self.ask(&dana(), command, &drbot::ids::random_token()).await.unwrap() {
            Submitted::Started(run) => run,
            other => panic!("{other:?}"),
        }
    }

    pub async fn state(&self, run: RunId) -> State {
        self.0.snapshot(run).await.unwrap().expect("the run is there").state
    }

    /// Waits until the run is as it is wished.
    pub async fn until(&self, run: RunId, wish: &str, holds: impl Fn(&State) -> bool) -> State {
        let mut changes = self.0.changes();
        let come = async {
            loop {
                let state = self.state(run).await;
                if holds(&state) {
                    return state;
                }
                if let Err(RecvError::Closed) = changes.recv().await {
                    panic!("drbot is gone");
                }
            }
        };
        match tokio::time::timeout(LIMIT, come).await {
            Ok(state) => state,
            Err(_) => panic!("never: {wish}; {:#?}", self.kinds(run).await),
        }
    }

    /// Waits for the end of a run, which must be this one.
    pub async fn ends(&self, run: RunId, outcome: Outcome) -> State {
        let state = self.until(run, "the run ends", |state| state.finished.is_some()).await;
        let finished = state.finished.as_ref().unwrap();
        assert_eq!(finished.outcome, outcome, "{} {:#?}", finished.message, self.kinds(run).await);
        state
    }

    /// Waits for the approval to be asked for; the token of its buttons.
    pub async fn call_for_approval(&self, run: RunId) -> String {
        let state = self.until(run, "an approval is asked for", |state| state.approval.asked().is_some()).await;
        state.approval.asked().unwrap().token.clone()
    }

    /// Answers the open question with this choice.
    pub async fn answers(&self, run: RunId, choice: Choice) {
        let state = self.until(run, "a question is asked", |state| state.question.is_some()).await;
        let question = state.question.unwrap();
        let index =
            question.choices.iter().position(|there| *there == choice).unwrap_or_else(|| panic!("{question:?}"));
        self.0.answer(run, &dana(), &question.token, index, Some("because")).await.unwrap();
    }

    pub async fn journal(&self, run: RunId) -> Vec<Event> {
        let journal = self.0.store().journal(run).await.unwrap();
        journal.into_iter().map(|entry| entry.event).collect()
    }

    pub async fn kinds(&self, run: RunId) -> Vec<String> {
        let tell = |event: &Event| match event.step() {
            Some(step) => format!("{} {step}", event.kind()),
            None => event.kind().to_owned(),
        };
        self.journal(run).await.iter().map(tell).collect()
    }
}
