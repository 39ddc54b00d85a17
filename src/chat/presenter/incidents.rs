//! Shows incidents: one post each, edited as it goes; in its thread a line for what happens, and calls to people.
//!
//! Like runs, they are shown from the store: what was missed while Discord was away is read again. The post and the lines
//! are delivered side by side, so that a post which cannot be edited holds up no call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::{broadcast::error::RecvError, watch};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        call::{Refused, until_done, until_done_from},
        incidents, metrics,
        papers::{self, Paper},
        render,
        rest::{Call, Turn},
    },
    Presenter,
    posts::{MOST_MENTIONS, ids, mentions},
};
use crate::{
    clock::Clock,
    ids::IncidentId,
    incident::{event::Entry, state::State},
    progress::{card::Card, incident::IncidentButton, words},
    store::{Store, messages::CardPlace},
};

/// The post is drawn again this often while the clock runs …
const REFRESH: Duration = Duration::from_secs(10);
/// … and this often when it stands still.
const REFRESH_OVER: Duration = Duration::from_secs(120);
/// A line that Discord does not take for so long is written anew: who is called by it may be called in vain by then.
const STALE: Duration = Duration::from_secs(20);
/// How long an incident is left alone that could not be shown (the store failed).
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// A week: the longest that Discord keeps a silent thread open, in minutes.
const ARCHIVE_AFTER: u32 = 10_080;

/// Shows whatever changes until told to stop.
pub(super) async fn keep(presenter: Arc<Presenter>, stop: CancellationToken) {
    let shown: Arc<Mutex<HashMap<IncidentId, watch::Sender<()>>>> = Arc::default();
    let mut changes = presenter.engine.incident_changes();
    show_all(&presenter, &shown, &stop).await;
    loop {
        let change = tokio::select! {
            change = changes.recv() => change,
            () = stop.cancelled() => return,
        };
        match change {
            Ok(incident) => show(&presenter, &shown, &stop, incident),
            Err(RecvError::Lagged(_)) => show_all(&presenter, &shown, &stop).await,
            Err(RecvError::Closed) => return,
        }
    }
}

type Shown = Arc<Mutex<HashMap<IncidentId, watch::Sender<()>>>>;

async fn show_all(presenter: &Arc<Presenter>, shown: &Shown, stop: &CancellationToken) {
    match presenter.engine.store().incidents_to_show().await {
        Ok(incidents) => incidents.into_iter().for_each(|incident| show(presenter, shown, stop, incident)),
        Err(error) => tracing::error!(error = format!("{error:#}"), "which incidents are to be shown cannot be read"),
    }
}

fn show(presenter: &Arc<Presenter>, shown: &Shown, stop: &CancellationToken, incident: IncidentId) {
    let mut there = shown.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(wake) = there.get(&incident) {
        wake.send_replace(());
        return;
    }
    let wake = watch::Sender::new(());
    there.insert(incident, wake.clone());
    let teller = Teller { incident, presenter: presenter.clone(), stop: stop.clone(), wake };
    let (shown, hush) = (shown.clone(), presenter.hush.clone());
    let again = (presenter.clone(), stop.clone());
    presenter.tasks.spawn(async move {
        hush.run_until_cancelled(Box::pin(teller.show())).await;
        shown.lock().unwrap_or_else(PoisonError::into_inner).remove(&incident);
        // A change that came in while forgetting must not be lost.
        let (presenter, stop) = again;
        let untold = presenter.engine.store().untold(incident).await;
        if !stop.is_cancelled() && untold.is_ok_and(|untold| !untold.is_empty()) {
            show(&presenter, &shown, &stop, incident);
        }
    });
}

struct Teller {
    incident: IncidentId,
    presenter: Arc<Presenter>,
    stop: CancellationToken,
    wake: watch::Sender<()>,
}

impl Teller {
    async fn show(&self) {
        tokio::join!(self.persist(|| self.keep_post()), self.persist(|| self.keep_lines()));
    }

    async fn persist<F: Future<Output = anyhow::Result<()>>>(&self, work: impl Fn() -> F) {
        while let Err(error) = work().await {
            tracing::error!(incident = %self.incident.short(), error = format!("{error:#}"), "the incident cannot be shown");
            if !self.rest(AFTER_TROUBLE).await {
                return;
            }
        }
    }

    fn store(&self) -> &Store {
        self.presenter.engine.store()
    }

    fn clock(&self) -> &Clock {
        self.presenter.engine.clock()
    }

    async fn rest(&self, so_long: Duration) -> bool {
        tokio::select! {
            () = self.clock().sleep(so_long) => true,
            () = self.stop.cancelled() => false,
        }
    }

    async fn state(&self) -> anyhow::Result<Option<State>> {
        self.presenter.engine.incident(self.incident).await
    }

    /// Draws the post as the incident goes, until its last state is shown. What has happened is shown before clocks that went
    /// on: of a thousand incidents Discord takes one edit a second.
    async fn keep_post(&self) -> anyhow::Result<()> {
        let mut woken = self.wake.subscribe();
        let mut last: Option<Card> = None;
        let mut is_news = false;
        let mut turn: Option<Turn<'_>> = None;
        loop {
            woken.mark_unchanged();
            let Some(state) = self.state().await? else { return Ok(()) };
            let place = self.store().incident_post(self.incident).await?;
            let closed = state.closed.is_some();
            if closed && place.as_ref().is_some_and(|place| place.is_final) {
                return Ok(());
            }
            let card = incidents::card(&self.presenter.engine, &state).await;
            if last.as_ref() != Some(&card) {
                if let Some(place) = place.as_ref().filter(|_| !is_news && !closed && turn.is_none()) {
                    tokio::select! {
                        free = self.presenter.rest.turn_to_refresh(place.channel) => turn = Some(free),
                        _ = woken.changed() => is_news = true,
                        () = self.stop.cancelled() => return Ok(()),
                    }
                    // The wait may have been long.
                    continue;
                }
                let Some(mut place) = self.put(&state, &card, place, turn.take()).await? else { return Ok(()) };
                last = Some(card);
                if closed {
                    place.is_final = true;
                    self.store().put_incident_post(self.incident, &place).await?;
                    return Ok(());
                }
            }
            turn = None;
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let refresh = if state.is_over() { REFRESH_OVER } else { REFRESH };
            self.clock().sleep(self.presenter.timing.edit_every).await;
            tokio::select! {
                _ = woken.changed() => is_news = true,
                () = self.clock().sleep(refresh) => is_news = false,
                () = self.stop.cancelled() => is_news = woken.has_changed().unwrap_or(false),
            }
        }
    }

    /// Shows the post where it is, or anew where it can be; with its thread. `None` when drbot stops first.
    async fn put(
        &self,
        state: &State,
        card: &Card,
        place: Option<CardPlace>,
        turn: Option<Turn<'_>>,
    ) -> anyhow::Result<Option<CardPlace>> {
        let rest = &self.presenter.rest;
        if let Some(place) = place {
            let edit = Call::edit_message(place.channel, place.message, face(card));
            match until_done_from(rest, turn, "editing an incident's post", &edit).await {
                Ok(_) | Err(Refused::Rejected | Refused::ThreadExists | Refused::Forbidden) => return Ok(Some(place)),
                // The thread stays where it can still be read.
                Err(Refused::TooOld) => return self.post(state, card, place.thread).await,
                Err(Refused::Gone) => return self.post(state, card, None).await,
            }
        }
        self.post(state, card, None).await
    }

    async fn post(&self, state: &State, card: &Card, thread: Option<u64>) -> anyhow::Result<Option<CardPlace>> {
        let again = self.store().incident_post(self.incident).await?.is_some();
        let mut body = face(card);
        if let Some(thread) = thread {
            body["content"] = json!(words::log_is_in(thread));
        }
        body["nonce"] = json!(format!("I{}{:x}", self.incident.short(), if again { state.seq } else { 0 }));
        body["enforce_nonce"] = json!(true);
        let fallback = self.presenter.engine.configuration().settings.discord.channel.0;
        loop {
            let mut channels = vec![state.channel().0, fallback];
            channels.dedup();
            for channel in channels {
                let call = Call::post_message(channel, body.clone()).first();
                let Ok(message) = until_done(&self.presenter.rest, "posting an incident", &call).await else {
                    continue;
                };
                let Some(message) = id(&message) else { continue };
                let thread = match thread {
                    Some(thread) => Some(thread),
                    None => self.make_thread(state, channel, message).await,
                };
                let place = CardPlace { channel, message, thread, is_final: false };
                self.store().put_incident_post(self.incident, &place).await?;
                self.wake.send_replace(());
                return Ok(Some(place));
            }
            tracing::error!(incident = %self.incident.short(), "an incident cannot be posted anywhere; give drbot its permissions and channels back");
            if !self.rest(self.presenter.timing.patience).await {
                return Ok(None);
            }
        }
    }

    async fn make_thread(&self, state: &State, channel: u64, message: u64) -> Option<u64> {
        let name = words::incident_thread(state);
        let body = json!({"name": name, "auto_archive_duration": ARCHIVE_AFTER});
        let call = Call::thread_from_message(channel, message, body).first();
        match until_done(&self.presenter.rest, "making an incident's thread", &call).await {
            Ok(thread) => id(&thread),
            // Made by a request whose answer was lost: it has the message's id (Start Thread from Message).
            Err(Refused::ThreadExists) => Some(message),
            Err(_) => None,
        }
    }

    /// Says what happens, in order, until it is closed and all is said.
    async fn keep_lines(&self) -> anyhow::Result<()> {
        let mut woken = self.wake.subscribe();
        loop {
            woken.mark_unchanged();
            let untold = self.store().untold(self.incident).await?;
            let place = self.store().incident_post(self.incident).await?;
            let (Some(seq), Some(place)) = (untold.first(), place) else {
                let Some(state) = self.state().await? else { return Ok(()) };
                if untold.is_empty() && (state.closed.is_some() || self.stop.is_cancelled()) {
                    return Ok(());
                }
                tokio::select! {
                    _ = woken.changed() => {}
                    () = self.stop.cancelled() => return Ok(()),
                }
                continue;
            };
            let journal = self.store().incident_journal(self.incident).await?;
            let Some(state) = self.state().await? else { return Ok(()) };
            let entry = journal.iter().find(|entry| entry.seq == *seq);
            if let Some(entry) = entry
                && !self.say(entry, &state, &place).await
            {
                if !self.rest(self.presenter.timing.patience).await {
                    return Ok(());
                }
                continue;
            }
            self.store().told(self.incident, *seq, self.clock().now()).await?;
        }
    }

    /// What the incident was, as a picture. Without it the line is said all the same.
    async fn timeline(&self) -> Vec<Paper> {
        match papers::timeline(&self.presenter.engine, self.incident).await {
            Ok(picture) => vec![picture],
            Err(error) => {
                tracing::error!(incident = %self.incident.short(), error = format!("{error:#}"), "the timeline of an incident cannot be drawn");
                Vec::new()
            }
        }
    }

    /// Says one line; false when it has to wait.
    async fn say(&self, entry: &Entry, state: &State, place: &CardPlace) -> bool {
        let Some(line) = words::incident_line(entry, state, self.clock().now()) else { return true };
        let configuration = self.presenter.engine.configuration();
        let mut users = line.users.clone();
        users.truncate(MOST_MENTIONS);
        let named = line.roles.iter().filter_map(|name| configuration.settings.roles.get(name));
        let roles: Vec<u64> = named.map(|id| id.0).collect();
        let text = if roles.is_empty() { line.text } else { format!("{} {}", mentions("@&", &roles), line.text) };
        let button = IncidentButton::Acknowledge { incident: self.incident };
        let label =
            if entry.event.kind() == "still-asked" { words::still_on_it_label() } else { words::acknowledge_label() };
        let body = json!({
            "content": text,
            "allowed_mentions": {"parse": [], "users": ids(&users), "roles": ids(&roles)},
            "components": if line.asks { render::a_button(&button.to_string(), label) } else { Vec::new() },
            "nonce": format!("L{}{:x}", self.incident.short(), entry.seq),
            "enforce_nonce": true,
        });
        let channel = place.thread.unwrap_or(place.channel);
        let mut call = Call::post_message(channel, body.clone());
        if entry.event.kind() == "closed" {
            call = call.with_files(self.timeline().await);
        }
        // Said again from the state of then where Discord takes long: who is called for what is over by now, is called in vain.
        let told = until_done(&self.presenter.rest, "telling of an incident", &call);
        let Some(told) = self.clock().timeout(STALE, Box::pin(told)).await else { return false };
        match told {
            Ok(_) => true,
            // Nobody shall be left uncalled because a thread is gone or closed to drbot.
            Err(Refused::Gone | Refused::Forbidden) => {
                let fallback = configuration.settings.discord.channel.0;
                let call = Call::post_message(fallback, body);
                let told = until_done(&self.presenter.rest, "telling of an incident", &call);
                let told = self.clock().timeout(STALE, Box::pin(told)).await;
                matches!(told, Some(Ok(_) | Err(Refused::Rejected)))
            }
            Err(_) => {
                metrics::post_dropped();
                tracing::error!(incident = %self.incident.short(), seq = entry.seq, "a line of an incident is given up; the journal has it");
                true
            }
        }
    }
}

/// The post as Discord takes it.
fn face(card: &Card) -> Value {
    json!({
        "embeds": [render::embed(card)],
        "components": render::buttons(card),
        "allowed_mentions": {"parse": []},
    })
}

fn id(object: &Value) -> Option<u64> {
    object["id"].as_str()?.parse().ok()
}
