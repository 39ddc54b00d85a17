//! Shows one run: the card, the calls and the log side by side, until all is said.

use std::{
    future::Future,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use super::{super::call::jittered, Presenter};
use crate::{
    clock::Clock,
    engine::Engine,
    ids::RunId,
    run::delivery::Delivery,
    store::{Store, messages::CardPlace},
};

/// How long a run is left alone that could not be shown (the store failed).
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// How many times [`super::super::Timing::patience`] the longest wait is.
const MOST_PATIENCE: u32 = 10;

pub(super) struct Shower {
    pub(super) run: RunId,
    pub(super) presenter: Arc<Presenter>,
    pub(super) stop: CancellationToken,
    /// Fires when the run has changed, and when its card has.
    pub(super) wake: watch::Sender<()>,
    /// Somebody found out that the card's channel is gone: the card is to be looked after though it looks the same.
    pub(super) look_after_card: AtomicBool,
    /// The card's place is changed by several; each reads and writes under this.
    place: Mutex<()>,
}

impl Shower {
    pub(super) fn new(run: RunId, wake: watch::Sender<()>, stop: CancellationToken, presenter: Arc<Presenter>) -> Self {
        let place = Mutex::new(());
        Self { run, presenter, stop, wake, look_after_card: AtomicBool::new(false), place }
    }

    pub(super) async fn show(self: Arc<Self>) {
        tokio::join!(
            self.persist(|| self.keep_card()),
            self.persist(|| self.keep_posts(Delivery::Channel)),
            self.persist(|| self.keep_posts(Delivery::Thread)),
        );
        self.presenter.forget(self.run);
        // A change that came in while forgetting must not be lost.
        if !self.stop.is_cancelled() && self.has_more().await {
            self.presenter.show(self.run);
        }
    }

    /// Begins again what the store has cut off.
    async fn persist<F: Future<Output = anyhow::Result<()>>>(&self, work: impl Fn() -> F) {
        while let Err(error) = work().await {
            tracing::error!(run = %self.run.short(), error = format!("{error:#}"), "the run cannot be shown");
            if !self.rest(AFTER_TROUBLE).await {
                return;
            }
        }
    }

    async fn has_more(&self) -> bool {
        let is_final = self.store().card(self.run).await.ok().flatten().is_some_and(|place| place.is_final);
        !is_final || self.store().waiting(self.run).await.is_ok_and(|waiting| !waiting.is_empty())
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.presenter.engine
    }

    pub(super) fn store(&self) -> &Store {
        self.presenter.engine.store()
    }

    pub(super) fn clock(&self) -> &Clock {
        self.presenter.engine.clock()
    }

    /// Where things go that cannot go where they belong.
    pub(super) fn fallback(&self) -> u64 {
        self.engine().configuration().settings.discord.channel.0
    }

    /// Waits so long; false when drbot stops first.
    pub(super) async fn rest(&self, so_long: Duration) -> bool {
        tokio::select! {
            () = self.clock().sleep(so_long) => true,
            () = self.stop.cancelled() => false,
        }
    }

    /// Waits before something is tried again for which people have to do something; false when drbot stops first.
    pub(super) async fn be_patient(&self, wait: &mut Duration, what: &str) -> bool {
        tracing::error!(
            run = %self.run.short(), what, again_in_s = wait.as_secs(),
            "Discord does not let me; give drbot its permissions and channels back. Nothing is lost, it is tried again"
        );
        let now = jittered(*wait);
        *wait = (*wait * 2).min(self.presenter.timing.patience * MOST_PATIENCE);
        self.rest(now).await
    }

    pub(super) async fn place(&self) -> anyhow::Result<Option<CardPlace>> {
        self.store().card(self.run).await
    }

    /// Changes where the card is, and tells those who wait for it. Says nothing when there is no card.
    pub(super) async fn change_place(&self, change: impl FnOnce(&mut CardPlace)) -> anyhow::Result<()> {
        let _changing = self.place.lock().await;
        if let Some(mut place) = self.place().await? {
            change(&mut place);
            self.store().put_card(self.run, &place).await?;
        }
        self.wake.send_replace(());
        Ok(())
    }

    pub(super) async fn put_place(&self, place: &CardPlace) -> anyhow::Result<()> {
        let _changing = self.place.lock().await;
        self.store().put_card(self.run, place).await?;
        self.wake.send_replace(());
        Ok(())
    }

    /// At most 25 characters (Create Message); the same for the same message, whoever sends it again.
    pub(super) fn nonce(&self, kind: &str, number: u64) -> String {
        format!("{kind}{}{number:x}", self.run.short())
    }
}
