//! Shows runs: one card a run, edited as it goes; calls for approval; the log in the run's thread.
//!
//! It reacts to state, and changes only wake it: what was missed while Discord was away is read again from the store.
//! A run's card, its calls and its log are delivered side by side, each in order, so that what Discord refuses in one
//! place holds up no other. What must stay true: nothing is said twice (each message has a nonce), and nothing is given
//! up that people could still let through: it waits, loudly.

mod card;
mod direct;
mod incidents;
mod notices;
mod posts;
mod shower;
mod thread;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::sync::{broadcast::error::RecvError, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::shower::Shower;
use super::{Timing, metrics, rest::Rest};
use crate::{engine::Engine, ids::RunId, paging::Pager, progress};

/// How long the last words may take when drbot stops.
const LAST_WORDS: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Presenter {
    engine: Engine,
    rest: Arc<Rest>,
    pager: Pager,
    timing: Timing,
    /// Runs that are being shown, and what wakes their showers.
    shown: Mutex<HashMap<RunId, watch::Sender<()>>>,
    tasks: TaskTracker,
    stop: OnceLock<CancellationToken>,
    /// Fires when the time for last words is over.
    hush: CancellationToken,
}

impl Presenter {
    pub(super) fn new(engine: Engine, rest: Arc<Rest>, pager: Pager, timing: Timing) -> Arc<Self> {
        Arc::new(Self {
            engine,
            rest,
            pager,
            timing,
            shown: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: OnceLock::new(),
            hush: CancellationToken::new(),
        })
    }

    /// Shows whatever changes until told to stop.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut changes = self.engine.changes();
        let _ = self.stop.set(stop.clone());
        self.catch_up().await;
        let hush = self.hush.clone();
        let telling = notices::keep(self.clone(), stop.clone());
        self.tasks.spawn(async move { hush.run_until_cancelled(Box::pin(telling)).await });
        let (hush, incidents) = (self.hush.clone(), incidents::keep(self.clone(), stop.clone()));
        self.tasks.spawn(async move { hush.run_until_cancelled(Box::pin(incidents)).await });
        let (hush, direct) = (self.hush.clone(), direct::keep(self.clone(), stop.clone()));
        self.tasks.spawn(async move { hush.run_until_cancelled(Box::pin(direct)).await });
        loop {
            let change = tokio::select! {
                change = changes.recv() => change,
                () = stop.cancelled() => break,
            };
            match change {
                Ok(run) => self.show(run),
                Err(RecvError::Lagged(_)) => self.catch_up().await,
                Err(RecvError::Closed) => break,
            }
        }
        self.tasks.close();
        self.engine.clock().timeout(LAST_WORDS, self.tasks.wait()).await;
        self.hush.cancel();
    }

    /// Shows every run that has something left to be shown.
    pub(super) async fn catch_up(self: &Arc<Self>) {
        match self.engine.store().runs_to_show().await {
            Ok(runs) => runs.into_iter().for_each(|run| self.show(run)),
            Err(error) => tracing::error!(error = format!("{error:#}"), "what is left to be shown cannot be read"),
        }
    }

    fn show(self: &Arc<Self>, run: RunId) {
        let Some(stop) = self.stop.get().filter(|_| !self.tasks.is_closed()) else { return };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wake) = shown.get(&run) {
            wake.send_replace(());
            return;
        }
        let wake = watch::Sender::new(());
        let shower = Arc::new(Shower::new(run, wake.clone(), stop.clone(), self.clone()));
        shown.insert(run, wake);
        let hush = self.hush.clone();
        self.tasks.spawn(async move { hush.run_until_cancelled(Box::pin(shower.show())).await });
    }

    fn forget(&self, run: RunId) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
    }

    async fn count_waiting(&self) {
        if let Ok(count) = self.engine.store().posts_waiting().await {
            metrics::posts_waiting(count);
        }
    }
}

pub(crate) fn live(progress: &crate::engine::LiveProgress) -> progress::view::Live {
    progress::view::Live {
        step: progress.step.clone(),
        done: progress.value.done,
        total: progress.value.total,
        unit: progress.value.unit.to_owned(),
        doing: progress.value.doing.clone(),
        started_at: progress.since,
    }
}
