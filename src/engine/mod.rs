//! Makes runs happen: the only place that awaits actions.
//!
//! Each unfinished run has one driver, a task that asks [`crate::run::next`] what comes next, journals the intent, acts,
//! journals the outcome, and asks again. Whatever waits (for time, an approval, an answer) is a journaled state that
//! holds no work. Clicks and commands do not act: they append an event and wake the driver. What must stay true: nothing
//! is done whose intent is not durable, and when the journal cannot be written nothing proceeds.

mod abort;
mod answers;
mod contacts;
mod driver;
pub mod failpoint;
mod glass;
mod identity;
pub mod incidents;
mod live;
mod lockdown;
pub mod metrics;
pub mod outputs;
mod pages;
mod perform;
mod preview;
mod request;
mod reversal;
mod settle;
mod step;
mod undo;
mod versions;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock as StdRwLock},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::sync::{RwLock, broadcast, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::live::Live;
pub use self::{
    abort::AbortError,
    answers::AnswerError,
    contacts::{ContactError, ContactsSeen},
    glass::ReviewError,
    identity::Identity,
    live::{LiveProgress, Snapshot},
    lockdown::LockdownError,
    preview::LOOK,
    request::{Request, RequestError, Submitted, providers},
    reversal::UndoError,
};
use crate::{
    access::throttle::Throttle,
    actions::Actions,
    clock::Clock,
    config::{load::Configuration, secrets::Secrets},
    ids::{self, RunId},
    run::{
        history::History,
        lockdown::Lockdown,
        next::{Next, WaitingOn, next},
    },
    sample::Sample,
    store::Store,
};

/// How long steps that are under way may take to end by themselves when drbot is told to stop.
const GRACE: Duration = Duration::from_secs(8);

/// How long a run rests when the store fails, before it is tried again.
const STORE_REST: Duration = Duration::from_secs(1);

/// Runs commands. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    configuration: StdRwLock<Arc<Configuration>>,
    store: Store,
    actions: Arc<dyn Actions>,
    secrets: Secrets,
    clock: Clock,
    /// This process, as the store's owner column names it.
    owner: String,
    runs: Mutex<HashMap<RunId, Arc<Live>>>,
    /// Of the runs under way: the last good sample of their target from before they began.
    samples_before: Mutex<HashMap<RunId, Sample>>,
    changes: broadcast::Sender<RunId>,
    reconfigured: watch::Sender<u64>,
    /// Whoever begins something holds this meanwhile.
    lockdown: RwLock<Option<Lockdown>>,
    notices: watch::Sender<u64>,
    incidents: incidents::Incidents,
    /// Of the runs under way: what earlier runs of their command took.
    histories: Mutex<HashMap<RunId, Arc<History>>>,
    /// What runs of a command took, for a while.
    command_histories: Mutex<HashMap<String, incidents::ReadHistory>>,
    /// Runs whose servers were seen to be the recorded ones.
    identified: Mutex<HashMap<RunId, identity::Identified>>,
    throttle: Throttle,
    /// When each contact was sent a test last.
    tests: Mutex<HashMap<String, Instant>>,
    /// Made for previews: nothing is taken over, sampled or remembered.
    only_looks: bool,
    tasks: TaskTracker,
    /// No new step begins once it fires.
    stopping: CancellationToken,
    /// Work under way is stopped once it fires.
    halting: CancellationToken,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("owner", &self.0.owner).finish_non_exhaustive()
    }
}

impl Engine {
    /// Takes over what an earlier process left unfinished and goes on with it.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn start(
        configuration: Configuration,
        store: Store,
        actions: Arc<dyn Actions>,
        secrets: Secrets,
        clock: Clock,
    ) -> Result<Self> {
        tell_warnings(&configuration);
        let engine = Self::new(configuration, store, actions, secrets, clock, false);
        engine.load_lockdown().await?;
        engine.load_incidents().await?;
        engine.mend_clocks().await;
        for (run, ownership) in engine.0.store.take_over(&engine.0.owner).await? {
            // One journal that cannot be read must not keep the others from going on.
            let live = match engine.0.store.journal(run).await {
                Ok(journal) => Live::replay(&journal, ownership).map_err(anyhow::Error::from),
                Err(error) => Err(error),
            };
            match live {
                Ok(live) => {
                    tracing::warn!(%run, command = live.command(), "going on with a run that was interrupted");
                    engine.adopt(live);
                }
                Err(error) => tracing::error!(
                    %run,
                    error = format!("{error:#}"),
                    "the journal of this run cannot be read; it stays as it is, and keeps its lock"
                ),
            }
        }
        engine.reconcile_incidents().await;
        engine.attend_to_alerts().await;
        engine.start_sampling();
        Ok(engine)
    }

    /// An engine that only looks: for previews, beside the one that owns the store.
    pub fn to_look(
        configuration: Configuration,
        store: Store,
        actions: Arc<dyn Actions>,
        secrets: Secrets,
        clock: Clock,
    ) -> Self {
        Self::new(configuration, store, actions, secrets, clock, true)
    }

    fn new(
        configuration: Configuration,
        store: Store,
        actions: Arc<dyn Actions>,
        secrets: Secrets,
        clock: Clock,
        only_looks: bool,
    ) -> Self {
        let (changes, _) = broadcast::channel(1024);
        secrets.learn(&configuration.secrets);
        Self(Arc::new(Inner {
            only_looks,
            throttle: Throttle::new(&configuration.settings.limits),
            tests: Mutex::default(),
            configuration: StdRwLock::new(Arc::new(configuration)),
            store,
            actions,
            secrets,
            clock,
            owner: ids::random_token(),
            runs: Mutex::default(),
            samples_before: Mutex::default(),
            changes,
            reconfigured: watch::channel(0).0,
            lockdown: RwLock::default(),
            notices: watch::channel(0).0,
            incidents: incidents::Incidents::default(),
            histories: Mutex::default(),
            command_histories: Mutex::default(),
            identified: Mutex::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            halting: CancellationToken::new(),
        }))
    }

    /// The configuration that the next command will use.
    pub fn configuration(&self) -> Arc<Configuration> {
        self.0.configuration.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses another configuration from the next command on; runs that are under way keep theirs.
    pub fn reconfigure(&self, configuration: Configuration) {
        tell_warnings(&configuration);
        self.0.secrets.learn(&configuration.secrets);
        *self.0.configuration.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(configuration);
        self.0.reconfigured.send_modify(|times| *times += 1);
    }

    /// Changes each time another configuration is used.
    pub fn reconfigured(&self) -> watch::Receiver<u64> {
        self.0.reconfigured.subscribe()
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// Says which run has changed (its state, or how far a step is). Lagging loses nothing but time: read the snapshot.
    pub fn changes(&self) -> broadcast::Receiver<RunId> {
        self.0.changes.subscribe()
    }

    /// A run as it is now, finished ones too; `None` when there is no such run.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn snapshot(&self, run: RunId) -> Result<Option<Snapshot>> {
        if let Some(live) = self.live(run) {
            let snapshot = live.snapshot().await;
            let forecast = self.forecast(&snapshot.state);
            let incident = self.clock_of_incident(&snapshot.state).await;
            return Ok(Some(Snapshot { forecast, incident, ..snapshot }));
        }
        let journal = self.0.store.journal(run).await?;
        if journal.is_empty() {
            return Ok(None);
        }
        let state =
            crate::run::state::State::replay(&journal).context("the journal holds what cannot have happened")?;
        Ok(Some(Snapshot { state, progress: None, forecast: None, incident: None }))
    }

    /// Whether some run is under way and does not wait for people: what ends the process now would hold it up.
    pub async fn is_at_work(&self) -> bool {
        let runs: Vec<_> = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for run in runs {
            let state = run.snapshot().await.state;
            match next(&state, self.0.clock.now()) {
                Next::Ended
                | Next::Wait {
                    on: WaitingOn::Approval | WaitingOn::AskAgain | WaitingOn::Answer | WaitingOn::Lockdown,
                    ..
                } => {}
                _ => return true,
            }
        }
        false
    }

    /// Begins no new step, lets those under way end for a few seconds, stops the rest, and returns. Runs go on at the
    /// next start.
    pub async fn stop(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        if self.0.clock.timeout(GRACE, self.0.tasks.wait()).await.is_none() {
            self.0.halting.cancel();
            self.0.clock.timeout(Duration::from_secs(2), self.0.tasks.wait()).await;
        }
    }

    fn live(&self, run: RunId) -> Option<Arc<Live>> {
        self.0.runs.lock().unwrap_or_else(PoisonError::into_inner).get(&run).cloned()
    }

    fn forget(&self, run: RunId) {
        self.0.samples_before.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
        self.0.identified.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
        self.0.histories.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
        let mut runs = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.remove(&run);
        metrics::unfinished(runs.len());
    }

    fn adopt(&self, live: Live) -> Arc<Live> {
        let live = Arc::new(live);
        {
            let mut runs = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.insert(live.id(), live.clone());
            metrics::unfinished(runs.len());
        }
        self.0.tasks.spawn(driver::drive(self.clone(), live.clone()));
        let (engine, of) = (self.clone(), live.clone());
        self.0.tasks.spawn(async move {
            let state = of.state().await;
            if state.objective().is_some() {
                engine.know_history(&state).await;
            }
        });
        self.announce(live.id());
        live
    }

    fn announce(&self, run: RunId) {
        // Nobody listening is no error.
        let _ = self.0.changes.send(run);
    }
}

fn tell_warnings(configuration: &Configuration) {
    for warning in &configuration.warnings {
        tracing::warn!(warning = %warning, "the configuration works, but hardly as it was meant");
    }
}
