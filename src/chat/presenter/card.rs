//! The card: edits are merged, so that no limit is hit and the last state is always shown.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};

use super::{
    super::{
        call::{Refused, until_done},
        metrics, render,
        rest::Call,
    },
    live,
    shower::Shower,
};
use crate::{
    clock::elapsed,
    engine::Snapshot,
    progress::{self, card::Card, words},
    run::state::Status,
    store::messages::CardPlace,
};

/// A card is drawn again this often while its run goes on, so that clocks on it move.
const REFRESH: Duration = Duration::from_secs(5);
/// … this often while it waits for people …
const REFRESH_WAITING: Duration = Duration::from_secs(10);
/// … and this often when it has waited for long, which may be all night.
const REFRESH_PATIENT: Duration = Duration::from_secs(60);
/// How long a run's card waits for the thread of its incident.
const THREAD_WAIT: Duration = Duration::from_millis(100);
const THREAD_LOOKS: u32 = 30;
const LONG: Duration = Duration::from_secs(30 * 60);

impl Shower {
    /// Draws the card as the run goes, until its last state is shown.
    pub(super) async fn keep_card(&self) -> anyhow::Result<()> {
        let mut woken = self.wake.subscribe();
        let mut last: Option<Card> = None;
        loop {
            let Some(snapshot) = self.engine().snapshot(self.run).await? else { return Ok(()) };
            let place = self.place().await?;
            let finished = snapshot.state.finished.is_some();
            let doubtful = self.look_after_card.swap(false, Ordering::Relaxed);
            if finished && !doubtful && place.as_ref().is_some_and(|place| place.is_final) {
                if !self.log_waits().await? {
                    return Ok(());
                }
            } else {
                let card = self.draw(&snapshot);
                if (doubtful || last.as_ref() != Some(&card)) && self.put(&snapshot, &card, place).await? {
                    last = Some(card);
                    if finished {
                        self.change_place(|place| place.is_final = true).await?;
                        continue;
                    }
                }
            }
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let under_way = snapshot.state.steps.iter().any(|step| step.status == Status::Running);
            let refresh = match elapsed(snapshot.state.last_at, self.clock().now()) {
                _ if under_way => REFRESH,
                quiet if quiet < LONG => REFRESH_WAITING,
                _ => REFRESH_PATIENT,
            };
            self.clock().sleep(self.presenter.timing.edit_every).await;
            tokio::select! {
                _ = woken.changed() => {}
                () = self.clock().sleep(refresh) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// While something is still to be said, the card may have to be posted anew for it.
    async fn log_waits(&self) -> anyhow::Result<bool> {
        Ok(!self.store().waiting(self.run).await?.is_empty())
    }

    fn draw(&self, snapshot: &Snapshot) -> Card {
        let live = snapshot.progress.as_ref().map(live);
        let view = progress::view::of(&snapshot.state, self.clock().now(), live.as_ref());
        let view = view.in_time(snapshot.forecast, snapshot.incident);
        progress::card::of(&view)
    }

    /// Shows the card where it is, or anew where it can be. False when drbot stops first.
    async fn put(&self, snapshot: &Snapshot, card: &Card, place: Option<CardPlace>) -> anyhow::Result<bool> {
        let Some(place) = place else { return self.post(snapshot, card, None, None).await };
        let edit = Call::edit_message(place.channel, place.message, face(card));
        let refused = match until_done(&self.presenter.rest, "editing a card", &edit).await {
            Ok(_) => return Ok(true),
            Err(refused) => refused,
        };
        let why = match refused {
            Refused::Gone => "gone",
            Refused::TooOld => "too old",
            // In the channel that was asked for nobody could follow the run.
            Refused::Forbidden if place.channel != self.fallback() => "forbidden",
            Refused::Forbidden => {
                let mut wait = self.presenter.timing.patience;
                self.be_patient(&mut wait, "editing a card").await;
                return Ok(false);
            }
            // Said in the log; the next state may be one that Discord takes.
            Refused::Rejected | Refused::ThreadExists => return Ok(true),
        };
        metrics::card_moved(why);
        tracing::warn!(run = %self.run.short(), why, "the card is posted anew");
        // The log stays in its thread where that can still be read.
        let thread = place.thread.filter(|_| refused == Refused::TooOld);
        let avoid = (refused == Refused::Forbidden).then_some(place.channel);
        let posted = self.post(snapshot, card, thread, avoid).await?;
        if posted && refused == Refused::TooOld {
            // Its buttons must not stay, and it takes no edit that removes them.
            let delete = Call::delete_message(place.channel, place.message);
            let _ = until_done(&self.presenter.rest, "deleting a card that is too old", &delete).await;
        }
        Ok(posted)
    }

    /// Posts the card where it was asked for, or in the channel of drbot.toml; waits until one of them can be had.
    async fn post(
        &self,
        snapshot: &Snapshot,
        card: &Card,
        thread: Option<u64>,
        avoid: Option<u64>,
    ) -> anyhow::Result<bool> {
        let mut body = face(card);
        if let Some(thread) = thread {
            body["content"] = json!(words::log_is_in(thread));
        }
        let again = self.place().await?.is_some();
        body["nonce"] = json!(self.nonce("c", if again { snapshot.state.seq } else { 0 }));
        body["enforce_nonce"] = json!(true);
        let asked_in = snapshot.state.created.channel.0;
        // A run of an incident is told of in the incident's thread, log and all.
        let at_home = self.thread_of_incident(snapshot).await?;
        let mut wait = self.presenter.timing.patience;
        loop {
            let mut channels: Vec<u64> = at_home.into_iter().chain([asked_in, self.fallback()]).collect();
            channels.dedup();
            for channel in channels.into_iter().filter(|channel| Some(*channel) != avoid) {
                let call = Call::post_message(channel, body.clone());
                let Ok(message) = until_done(&self.presenter.rest, "posting a card", &call).await else { continue };
                let Some(message) = message["id"].as_str().and_then(|id| id.parse().ok()) else { continue };
                let thread = thread.or(at_home.filter(|home| *home == channel));
                self.put_place(&CardPlace { channel, message, thread, is_final: false }).await?;
                return Ok(true);
            }
            if !self.be_patient(&mut wait, "posting a card").await {
                return Ok(false);
            }
        }
    }
}

impl Shower {
    async fn thread_of_incident(&self, snapshot: &Snapshot) -> anyhow::Result<Option<u64>> {
        let Some(incident) = snapshot.state.incident else { return Ok(None) };
        // Its post may be on its way: the card waits for it for a moment, and not for longer.
        for _ in 0..THREAD_LOOKS {
            if let Some(thread) = self.store().incident_post(incident).await?.and_then(|post| post.thread) {
                return Ok(Some(thread));
            }
            self.clock().sleep(THREAD_WAIT).await;
        }
        Ok(None)
    }
}

/// The card as Discord takes it.
fn face(card: &Card) -> Value {
    json!({
        "embeds": [render::embed(card)],
        "components": render::buttons(card),
        "allowed_mentions": {"parse": []},
    })
}
