//! Shows runs: one card a run, edited as it goes; calls for approval; the log in the run's thread.
//!
//! It reacts to state, and changes only wake it: what was missed while Discord was away is read again from the store.
//! Edits of a card are merged, so that no limit is hit and the last state is always shown. Messages that cannot be drawn
//! again come from the outbox, in order, each with a nonce, so that a crash between sending and remembering it does not
//! say it twice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use serenity::all::{
    AutoArchiveDuration, ChannelId, CreateAllowedMentions, CreateAttachment, CreateMessage, CreateThread, EditMessage,
    Http, MessageId, Nonce, RoleId, UserId,
};
use tokio::sync::{Notify, broadcast::error::RecvError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    call::{Refused, until_done},
    render,
};
use crate::{
    engine::{Engine, Snapshot},
    ids::RunId,
    progress::{self, card::Card, words},
    run::{
        delivery::Delivery,
        event::{Entry, Event, Paged},
        state::{State, Status},
    },
    store::messages::{CardPlace, Waiting},
};

/// A card is drawn again this often while its run goes on, so that clocks on it move.
const REFRESH: Duration = Duration::from_secs(5);
/// … and this often while it waits for people, which may be all night.
const REFRESH_WAITING: Duration = Duration::from_secs(60);
/// How long a run is left alone that could not be shown.
const AFTER_TROUBLE: Duration = Duration::from_secs(30);
/// Longest text of one message in a thread; Discord's own limit is 2000 (Create Message).
const LONGEST: usize = 1900;
/// Mentions in one message; Discord's own limit is 100 (Allowed Mentions), and the text must fit in beside them.
const MOST_MENTIONS: usize = 30;
/// How long the last words may take when drbot stops.
const LAST_WORDS: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Presenter {
    engine: Engine,
    edit_every: Duration,
    http: OnceLock<Arc<Http>>,
    shown: Mutex<HashMap<RunId, Arc<Notify>>>,
    tasks: TaskTracker,
    stop: OnceLock<CancellationToken>,
}

impl Presenter {
    pub(super) fn new(engine: Engine, edit_every: Duration) -> Arc<Self> {
        Arc::new(Self {
            engine,
            edit_every,
            http: OnceLock::new(),
            shown: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: OnceLock::new(),
        })
    }

    /// Shows whatever changes until told to stop.
    pub(super) async fn run(self: Arc<Self>, http: Arc<Http>, stop: CancellationToken) {
        let mut changes = self.engine.changes();
        let _ = self.http.set(http);
        let _ = self.stop.set(stop.clone());
        self.catch_up().await;
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
    }

    /// Shows every run that has something left to be shown.
    pub(super) async fn catch_up(self: &Arc<Self>) {
        match self.engine.store().runs_to_show().await {
            Ok(runs) => runs.into_iter().for_each(|run| self.show(run)),
            Err(error) => tracing::error!(error = format!("{error:#}"), "what is left to be shown cannot be read"),
        }
    }

    fn show(self: &Arc<Self>, run: RunId) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wake) = shown.get(&run) {
            wake.notify_one();
            return;
        }
        let (Some(http), Some(stop)) = (self.http.get(), self.stop.get()) else { return };
        let wake = Arc::new(Notify::new());
        shown.insert(run, wake.clone());
        let shower = Shower { run, wake, http: http.clone(), stop: stop.clone(), presenter: self.clone() };
        self.tasks.spawn(shower.show());
    }

    fn forget(&self, run: RunId) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
    }
}

/// Shows one run.
struct Shower {
    run: RunId,
    wake: Arc<Notify>,
    http: Arc<Http>,
    stop: CancellationToken,
    presenter: Arc<Presenter>,
}

impl Shower {
    async fn show(self) {
        if let Err(error) = self.until_shown().await {
            tracing::error!(run = %self.run.short(), error = format!("{error:#}"), "the run cannot be shown");
            // Discord bans an address for ten minutes' worth of refused requests; so not at once again.
            tokio::select! {
                () = self.presenter.engine.clock().sleep(AFTER_TROUBLE) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.presenter.forget(self.run);
        // A change that came in while forgetting must not be lost.
        if !self.stop.is_cancelled() && self.has_more().await {
            self.presenter.show(self.run);
        }
    }

    async fn has_more(&self) -> bool {
        let store = self.presenter.engine.store();
        let is_final = store.card(self.run).await.ok().flatten().is_some_and(|place| place.is_final);
        !is_final || store.waiting(self.run).await.is_ok_and(|waiting| !waiting.is_empty())
    }

    async fn until_shown(&self) -> anyhow::Result<()> {
        let engine = &self.presenter.engine;
        let mut last: Option<Card> = None;
        loop {
            let Some(snapshot) = engine.snapshot(self.run).await? else { return Ok(()) };
            let finished = snapshot.state.finished.is_some();
            let under_way = snapshot.state.steps.iter().any(|step| step.status == Status::Running);
            let refresh = if under_way { REFRESH } else { REFRESH_WAITING };
            let card = self.draw(&snapshot);
            if last.as_ref() != Some(&card) {
                self.put(&snapshot, &card).await?;
                last = Some(card);
            }
            self.deliver(&snapshot.state).await?;
            if finished {
                if let Some(place) = engine.store().card(self.run).await? {
                    engine.store().put_card(self.run, &CardPlace { is_final: true, ..place }).await?;
                }
                return Ok(());
            }
            if self.stop.is_cancelled() {
                return Ok(());
            }
            engine.clock().sleep(self.presenter.edit_every).await;
            tokio::select! {
                () = self.wake.notified() => {}
                () = engine.clock().sleep(refresh) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    fn draw(&self, snapshot: &Snapshot) -> Card {
        let live = snapshot.progress.as_ref().map(live);
        let view = progress::view::of(&snapshot.state, self.presenter.engine.clock().now(), live.as_ref());
        progress::card::of(&view)
    }

    /// Posts the card, or edits the one that is there. A card that is gone, or too old to be edited, is posted anew.
    async fn put(&self, snapshot: &Snapshot, card: &Card) -> anyhow::Result<()> {
        let engine = &self.presenter.engine;
        let Some(place) = engine.store().card(self.run).await? else {
            return self.post(snapshot, card, 0).await;
        };
        let edit = || async {
            let message = EditMessage::new()
                .embed(render::embed(card))
                .components(render::buttons(card))
                .allowed_mentions(CreateAllowedMentions::new());
            ChannelId::new(place.channel).edit_message(&self.http, MessageId::new(place.message), message).await
        };
        match until_done(engine.clock(), "editing a card", edit).await {
            Ok(_) | Err(Refused::Other | Refused::ThreadExists) => Ok(()),
            Err(Refused::Gone | Refused::TooOld) => self.post(snapshot, card, snapshot.state.seq).await,
        }
    }

    async fn post(&self, snapshot: &Snapshot, card: &Card, edition: u64) -> anyhow::Result<()> {
        let engine = &self.presenter.engine;
        let asked_in = snapshot.state.created.channel.0;
        let fallback = engine.configuration().settings.discord.channel.0;
        for channel in [asked_in, fallback] {
            let post = || async {
                let message = CreateMessage::new()
                    .embed(render::embed(card))
                    .components(render::buttons(card))
                    .allowed_mentions(CreateAllowedMentions::new())
                    .nonce(self.nonce("c", edition))
                    .enforce_nonce(true);
                ChannelId::new(channel).send_message(&self.http, message).await
            };
            if let Ok(message) = until_done(engine.clock(), "posting a card", post).await {
                let place = CardPlace { channel, message: message.id.get(), thread: None, is_final: false };
                return engine.store().put_card(self.run, &place).await;
            }
        }
        anyhow::bail!("its card can be posted neither where it was asked for nor in the channel of drbot.toml")
    }

    /// At most 25 characters (Create Message); the same for the same message, whoever sends it again.
    fn nonce(&self, kind: &str, number: u64) -> Nonce {
        Nonce::String(format!("{kind}{}{number:x}", self.run.short()))
    }

    /// Says what waits in the outbox, in order.
    async fn deliver(&self, state: &State) -> anyhow::Result<()> {
        let engine = &self.presenter.engine;
        let waiting = engine.store().waiting(self.run).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let journal = engine.store().journal(self.run).await?;
        let entry = |row: &Waiting| journal.iter().find(|entry| entry.seq == row.seq);
        for row in waiting.iter().filter(|row| row.delivery == Delivery::Channel) {
            if let Some(entry) = entry(row) {
                self.call_people(state, entry).await?;
            }
            engine.store().delivered(std::slice::from_ref(row), engine.clock().now()).await?;
        }
        let rows: Vec<Waiting> = waiting.into_iter().filter(|row| row.delivery == Delivery::Thread).collect();
        self.log(state, &journal, &rows).await
    }

    /// A message into the channel, for people to look.
    async fn call_people(&self, state: &State, entry: &Entry) -> anyhow::Result<()> {
        let engine = &self.presenter.engine;
        let Some(place) = engine.store().card(self.run).await? else { return Ok(()) };
        let settings = &engine.configuration().settings;
        let link =
            format!("https://discord.com/channels/{}/{}/{}", settings.discord.guild, place.channel, place.message);
        let (text, roles) = match &entry.event {
            Event::ApprovalAsked(asked) => {
                // An approval that is not open any more calls nobody.
                let open = state.approval.asked().is_some_and(|open| open.token == asked.token);
                if !open || state.finished.is_some() {
                    return Ok(());
                }
                let roles = role_ids(settings, state.created.command.approval.iter().flat_map(|one| &one.roles));
                let mentions = mentions(&roles);
                (words::approval_call(&mentions, state, asked, &link), roles)
            }
            Event::QuestionAsked { question, .. } => {
                if state.question.is_none() {
                    return Ok(());
                }
                (words::question_call(&state.created.requester.name, state, question, &link), Vec::new())
            }
            Event::Paged(paged) => {
                // Over by now, or another rung has been used since: this would be a false alarm.
                let over = state.finished.is_some() || state.recovered_at.is_some();
                if over || state.rung_used() != Some(paged.percent) {
                    return Ok(());
                }
                return self.page(state, entry, paged, &place, &link).await;
            }
            Event::StepSucceeded { step, .. } => match state.step(step).and_then(|step| step.action.as_ref()) {
                Some(crate::runbook::action::Action::Notify(notify)) => {
                    let roles = role_ids(settings, &notify.mention);
                    (words::announcement(&mentions(&roles), &notify.message), roles)
                }
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        let post = || async {
            let message = CreateMessage::new()
                .content(&text)
                .allowed_mentions(CreateAllowedMentions::new().roles(roles.iter().map(|id| RoleId::new(*id))))
                .nonce(self.nonce("m", entry.seq))
                .enforce_nonce(true);
            ChannelId::new(place.channel).send_message(&self.http, message).await
        };
        // What Discord refuses for good is in its log and on the card; it must not hold up what comes behind it.
        let _ = until_done(engine.clock(), "calling people", post).await;
        Ok(())
    }

    /// Calls the people of a rung; as many messages as it takes to mention them all.
    async fn page(
        &self,
        state: &State,
        entry: &Entry,
        paged: &Paged,
        place: &CardPlace,
        link: &str,
    ) -> anyhow::Result<()> {
        let engine = &self.presenter.engine;
        let users: Vec<_> = paged.called.iter().map(|called| called.user.0).collect();
        let mut groups: Vec<&[u64]> = users.chunks(MOST_MENTIONS).collect();
        if groups.is_empty() {
            groups.push(&[]);
        }
        for (number, group) in groups.into_iter().enumerate() {
            let mentions = group.iter().map(|id| format!("<@{id}>")).collect::<Vec<_>>().join(" ");
            let text = words::page(&mentions, state, paged, entry.at, engine.clock().now(), link);
            let post = || async {
                let message = CreateMessage::new()
                    .content(&text)
                    .allowed_mentions(CreateAllowedMentions::new().users(group.iter().map(|id| UserId::new(*id))))
                    .nonce(self.nonce(&format!("p{number}"), entry.seq))
                    .enforce_nonce(true);
                ChannelId::new(place.channel).send_message(&self.http, message).await
            };
            let _ = until_done(engine.clock(), "calling people", post).await;
        }
        Ok(())
    }

    /// Lines into the thread, several in one message, long output as files.
    async fn log(&self, state: &State, journal: &[Entry], rows: &[Waiting]) -> anyhow::Result<()> {
        let engine = &self.presenter.engine;
        let mut left = rows;
        while let Some(first) = left.first() {
            let batch = batch(left, state, journal);
            let (now, later) = left.split_at(batch);
            if now.iter().any(|row| row.batch != Some(first.seq)) {
                engine.store().batch(now, first.seq).await?;
            }
            let posts: Vec<_> = now
                .iter()
                .filter_map(|row| journal.iter().find(|entry| entry.seq == row.seq))
                .filter_map(|entry| words::thread_line(entry, state))
                .collect();
            if !posts.is_empty()
                && let Some(thread) = self.thread(state).await?
            {
                let text = posts.iter().map(|post| post.text.as_str()).collect::<Vec<_>>().join("\n");
                let files: Vec<_> = posts.iter().filter_map(|post| post.file.clone()).collect();
                let post = || async {
                    let files = files.iter().map(|(name, content)| CreateAttachment::bytes(content.as_bytes(), name));
                    let message = CreateMessage::new()
                        .content(&text)
                        .files(files)
                        .allowed_mentions(CreateAllowedMentions::new())
                        .nonce(self.nonce("t", first.seq))
                        .enforce_nonce(true);
                    thread.send_message(&self.http, message).await
                };
                let _ = until_done(engine.clock(), "writing into a thread", post).await;
            }
            engine.store().delivered(now, engine.clock().now()).await?;
            left = later;
        }
        Ok(())
    }

    /// The run's thread, made when it is needed first. `None` where there cannot be one.
    async fn thread(&self, state: &State) -> anyhow::Result<Option<ChannelId>> {
        let engine = &self.presenter.engine;
        let Some(place) = engine.store().card(self.run).await? else { return Ok(None) };
        if let Some(thread) = place.thread {
            return Ok(Some(ChannelId::new(thread)));
        }
        let name = words::thread_name(state);
        let make = || async {
            let thread = CreateThread::new(&name).auto_archive_duration(AutoArchiveDuration::OneWeek);
            ChannelId::new(place.channel)
                .create_thread_from_message(&self.http, MessageId::new(place.message), thread)
                .await
        };
        let thread = match until_done(engine.clock(), "making a thread", make).await {
            Ok(thread) => thread.id,
            // A thread made from a message has the message's id (Start Thread from Message).
            Err(Refused::ThreadExists) => ChannelId::new(place.message),
            Err(_) => return Ok(None),
        };
        engine.store().put_card(self.run, &CardPlace { thread: Some(thread.get()), ..place }).await?;
        Ok(Some(thread))
    }
}

/// How many of the rows go into the next message: those tied together before, else as many as fit.
fn batch(rows: &[Waiting], state: &State, journal: &[Entry]) -> usize {
    if let Some(tied) = rows.first().and_then(|row| row.batch) {
        return rows.iter().take_while(|row| row.batch == Some(tied)).count();
    }
    let mut length = 0;
    let mut files = 0;
    let fits = rows.iter().take_while(|row| {
        let post = journal.iter().find(|entry| entry.seq == row.seq).and_then(|entry| words::thread_line(entry, state));
        if let Some(post) = post {
            length += post.text.chars().count() + 1;
            files += usize::from(post.file.is_some());
        }
        length <= LONGEST && files <= 10 && row.batch.is_none()
    });
    fits.count().max(1)
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

fn role_ids<'a>(settings: &crate::config::settings::Settings, names: impl IntoIterator<Item = &'a String>) -> Vec<u64> {
    names.into_iter().filter_map(|name| settings.roles.get(name)).map(|id| id.0).collect()
}

fn mentions(roles: &[u64]) -> String {
    roles.iter().map(|id| format!("<@&{id}>")).collect::<Vec<_>>().join(" ")
}
