//! Messages that cannot be drawn again: calls to people, and lines of the log. They come from the outbox, in order.

use std::time::Duration;

use serde_json::{Value, json};
use serenity::all::CreateActionRow;

use super::{
    super::{
        call::{Refused, until_done},
        metrics, render,
        rest::Call,
    },
    notices::RED,
    shower::Shower,
};
use crate::{
    clock::Timestamp,
    config::settings::Settings,
    progress::{button::ButtonId, words},
    run::{
        delivery::Delivery,
        event::{Entry, Event},
        state::State,
    },
    runbook::action::Action,
    store::messages::{CardPlace, Waiting},
};

/// How long a card may take, at first, to find another place.
const MOVING: Duration = Duration::from_secs(1);

/// What came of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Said, or nothing to be said, or given up for good.
    Done,
    /// Not now: a permission is missing.
    NotNow,
    /// Not there: the place is gone, and the card is on its way to another.
    Elsewhere,
}

impl Shower {
    /// Says what waits, until the run has ended and all is said.
    pub(super) async fn keep_posts(&self, delivery: Delivery) -> anyhow::Result<()> {
        let mut woken = self.wake.subscribe();
        let mut wait = self.presenter.timing.patience;
        let mut moving = MOVING;
        loop {
            woken.mark_unchanged();
            // The rows first: an older state would not know what they are about, and they would be passed over.
            let mut waiting = self.waiting(delivery).await?;
            let Some(snapshot) = self.engine().snapshot(self.run).await? else { return Ok(()) };
            let state = &snapshot.state;
            if waiting.is_empty() && state.finished.is_some() {
                waiting = self.waiting(delivery).await?;
            }
            self.presenter.count_waiting().await;
            match (waiting.is_empty(), self.place().await?) {
                (true, _) if state.finished.is_some() || self.stop.is_cancelled() => return Ok(()),
                (false, Some(place)) => {
                    let journal = self.store().journal(self.run).await?;
                    let fate = match delivery {
                        Delivery::Channel => self.call(state, &journal, &waiting[0], &place).await?,
                        Delivery::Thread => self.log(state, &journal, &waiting, &place).await?,
                    };
                    let what = if delivery == Delivery::Channel { "calling people" } else { "writing the log" };
                    let goes_on = match fate {
                        Fate::Done => {
                            (wait, moving) = (self.presenter.timing.patience, MOVING);
                            true
                        }
                        Fate::NotNow => self.be_patient(&mut wait, what).await,
                        Fate::Elsewhere => {
                            let so_long = moving;
                            moving = (moving * 2).min(self.presenter.timing.patience);
                            self.rest(so_long).await
                        }
                    };
                    if !goes_on {
                        return Ok(());
                    }
                    continue;
                }
                _ => {}
            }
            tokio::select! {
                _ = woken.changed() => {}
                () = self.stop.cancelled() => {
                    if waiting.is_empty() || self.place().await?.is_none() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn waiting(&self, delivery: Delivery) -> anyhow::Result<Vec<Waiting>> {
        let mut waiting = self.store().waiting(self.run).await?;
        waiting.retain(|row| row.delivery == delivery);
        Ok(waiting)
    }

    /// A message into the channel, for people to look.
    async fn call(&self, state: &State, journal: &[Entry], row: &Waiting, place: &CardPlace) -> anyhow::Result<Fate> {
        let entry = journal.iter().find(|entry| entry.seq == row.seq);
        let settings = &self.engine().configuration().settings;
        let now = self.clock().now();
        let messages = entry.map(|entry| messages_for(settings, state, entry, place, now)).unwrap_or_default();
        for (number, message) in messages.into_iter().enumerate() {
            let body = json!({
                "content": message.text,
                "embeds": message.embeds,
                "components": message.components,
                "allowed_mentions": {"parse": [], "roles": ids(&message.roles), "users": ids(&message.users)},
                "nonce": self.nonce(["m", "m1", "m2", "m3", "m4", "m5", "m6"][number.min(6)], row.seq),
                "enforce_nonce": true,
            });
            let mut channels = vec![place.channel, self.fallback()];
            channels.dedup();
            let mut fate = Fate::NotNow;
            for channel in channels {
                let call = Call::post_message(channel, body.clone());
                match until_done(&self.presenter.rest, "calling people", &call).await {
                    Err(Refused::Gone | Refused::Forbidden) => continue,
                    Ok(_) => {}
                    Err(_) => self.give_up(row.seq),
                }
                fate = Fate::Done;
                break;
            }
            if fate == Fate::NotNow {
                return Ok(fate);
            }
        }
        self.delivered(std::slice::from_ref(row)).await
    }

    pub(super) async fn delivered(&self, rows: &[Waiting]) -> anyhow::Result<Fate> {
        self.store().delivered(rows, self.clock().now()).await?;
        self.wake.send_replace(());
        Ok(Fate::Done)
    }

    /// What Discord will not take as it is must not hold up what comes behind it; it stays in the journal.
    pub(super) fn give_up(&self, seq: u64) {
        metrics::post_dropped();
        tracing::error!(run = %self.run, seq, "a message is given up; the journal has it (`drbot runs`)");
    }
}

/// A message into the channel, and whom it may notify.
struct Message {
    text: String,
    roles: Vec<u64>,
    users: Vec<u64>,
    embeds: Vec<Value>,
    components: Vec<CreateActionRow>,
}

/// Mentions of people in one message. Discord's own limit is 100 (Allowed Mentions); the text must fit in beside them.
pub(super) const MOST_MENTIONS: usize = 30;

/// What an entry of the journal says to people in the channel. Nothing when it is not true any more: who is called in
/// vain does not come the next time.
fn messages_for(settings: &Settings, state: &State, entry: &Entry, place: &CardPlace, now: Timestamp) -> Vec<Message> {
    let link = format!("https://discord.com/channels/{}/{}/{}", settings.discord.guild, place.channel, place.message);
    let over = state.finished.is_some();
    match &entry.event {
        Event::ApprovalAsked(asked) => {
            let open = state.approval.asked().is_some_and(|open| open.token == asked.token);
            let roles = role_ids(settings, state.created.command.approval.iter().flat_map(|one| &one.roles));
            let text = words::approval_call(&mentions("@&", &roles), state, asked, &link);
            when(open && !over, text, roles)
        }
        Event::QuestionAsked { question, .. } => {
            let name = &state.created.requester.name;
            when(state.question.is_some(), words::question_call(name, state, question, &link), Vec::new())
        }
        Event::Paged(paged) => {
            // A later rung was used since: it calls these people too.
            let current = state.rung_used() == Some(paged.percent);
            if over || state.recovered_at.is_some() || !current {
                return Vec::new();
            }
            let users: Vec<_> = paged.called.iter().map(|called| called.user.0).collect();
            let groups: Vec<&[u64]> = if users.is_empty() { vec![&[]] } else { users.chunks(MOST_MENTIONS).collect() };
            let message = |users: &&[u64]| Message {
                text: words::page(&mentions("@", users), state, paged, entry.at, now, &link),
                roles: Vec::new(),
                users: users.to_vec(),
                embeds: Vec::new(),
                components: Vec::new(),
            };
            groups.iter().map(message).collect()
        }
        // True whatever has become of the run: it has to be reviewed.
        Event::GlassBroken(broken) => {
            let (title, text) = words::glass_call(state, broken, &link);
            let mut users = words::users(&broken.called);
            users.truncate(MOST_MENTIONS);
            vec![Message {
                text: mentions("@", &users),
                roles: Vec::new(),
                users,
                embeds: vec![json!({"title": title, "description": text, "color": RED})],
                components: render::one_button(&ButtonId::Review { run: state.id }, words::review_label()),
            }]
        }
        Event::StepSucceeded { step, .. } => match state.step(step).and_then(|step| step.action.as_ref()) {
            Some(Action::Notify(notify)) => {
                let roles = role_ids(settings, &notify.mention);
                when(true, words::announcement(&mentions("@&", &roles), &notify.message), roles)
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn when(holds: bool, text: String, roles: Vec<u64>) -> Vec<Message> {
    let message = Message { text, roles, users: Vec::new(), embeds: Vec::new(), components: Vec::new() };
    if holds { vec![message] } else { Vec::new() }
}

fn role_ids<'a>(settings: &Settings, names: impl IntoIterator<Item = &'a String>) -> Vec<u64> {
    names.into_iter().filter_map(|name| settings.roles.get(name)).map(|id| id.0).collect()
}

pub(super) fn ids(ids: &[u64]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

pub(super) fn mentions(sign: &str, ids: &[u64]) -> String {
    ids.iter().map(|id| format!("<{sign}{id}>")).collect::<Vec<_>>().join(" ")
}
