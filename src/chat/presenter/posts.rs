//! Messages that cannot be drawn again: calls to people, and lines of the log. They come from the outbox, in order.

use std::time::Duration;

use serde_json::json;

use super::{
    super::{
        call::{Refused, until_done},
        metrics,
        rest::Call,
    },
    shower::Shower,
};
use crate::{
    config::settings::Settings,
    progress::words,
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
            let Some(snapshot) = self.engine().snapshot(self.run).await? else { return Ok(()) };
            let state = &snapshot.state;
            let mut waiting = self.store().waiting(self.run).await?;
            waiting.retain(|row| row.delivery == delivery);
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

    /// A message into the channel, for people to look.
    async fn call(&self, state: &State, journal: &[Entry], row: &Waiting, place: &CardPlace) -> anyhow::Result<Fate> {
        let entry = journal.iter().find(|entry| entry.seq == row.seq);
        let settings = &self.engine().configuration().settings;
        if let Some((text, roles)) = entry.and_then(|entry| call_for(settings, state, entry, place)) {
            let roles: Vec<_> = roles.iter().map(ToString::to_string).collect();
            let body = json!({
                "content": text,
                "allowed_mentions": {"parse": [], "roles": roles},
                "nonce": self.nonce("m", row.seq),
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

/// What an entry of the journal says to people in the channel, and the roles it mentions. `None`: nothing (any more).
fn call_for(settings: &Settings, state: &State, entry: &Entry, place: &CardPlace) -> Option<(String, Vec<u64>)> {
    let link = format!("https://discord.com/channels/{}/{}/{}", settings.discord.guild, place.channel, place.message);
    match &entry.event {
        Event::ApprovalAsked(asked) => {
            // An approval that is not open any more calls nobody.
            let open = state.approval.asked().is_some_and(|open| open.token == asked.token);
            let roles = role_ids(settings, state.created.command.approval.iter().flat_map(|one| &one.roles));
            (open && state.finished.is_none())
                .then(|| (words::approval_call(&mentions(&roles), state, asked, &link), roles))
        }
        Event::QuestionAsked { question, .. } => {
            let name = &state.created.requester.name;
            state.question.is_some().then(|| (words::question_call(name, state, question, &link), Vec::new()))
        }
        Event::StepSucceeded { step, .. } => match state.step(step)?.action.as_ref()? {
            Action::Notify(notify) => {
                let roles = role_ids(settings, &notify.mention);
                Some((words::announcement(&mentions(&roles), &notify.message), roles))
            }
            _ => None,
        },
        _ => None,
    }
}

fn role_ids<'a>(settings: &Settings, names: impl IntoIterator<Item = &'a String>) -> Vec<u64> {
    names.into_iter().filter_map(|name| settings.roles.get(name)).map(|id| id.0).collect()
}

fn mentions(roles: &[u64]) -> String {
    roles.iter().map(|id| format!("<@&{id}>")).collect::<Vec<_>>().join(" ")
}
