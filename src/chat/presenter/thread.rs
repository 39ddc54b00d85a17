//! The log of a run in its thread: lines, several in one message, long output as files.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{
    super::{
        call::{Refused, until_done},
        rest::Call,
    },
    posts::Fate,
    shower::Shower,
};
use crate::{
    progress::words,
    run::{event::Entry, state::State},
    store::messages::{CardPlace, Waiting},
};

/// Longest text of one message in a thread; Discord's own limit is 2000 (Create Message).
const LONGEST: usize = 1900;
/// Most files of one message (Create Message).
const FILES: usize = 10;
/// A week: the longest that Discord keeps a silent thread open, in minutes.
const ARCHIVE_AFTER: u32 = 10_080;
const PUBLIC_THREAD: u8 = 11;

impl Shower {
    /// Says the next message of the log.
    pub(super) async fn log(
        &self,
        state: &State,
        journal: &[Entry],
        rows: &[Waiting],
        place: &CardPlace,
    ) -> anyhow::Result<Fate> {
        let (now, _) = rows.split_at(batch(rows, state, journal));
        let Some(first) = now.first() else { return Ok(Fate::Done) };
        let posts: Vec<_> = now
            .iter()
            .filter_map(|row| journal.iter().find(|entry| entry.seq == row.seq))
            .filter_map(|entry| words::thread_line(entry, state))
            .collect();
        if posts.is_empty() {
            return self.delivered(now).await;
        }
        let thread = match self.thread(state, place).await? {
            Ok(thread) => thread,
            Err(fate) => return Ok(fate),
        };
        if now.iter().any(|row| row.batch != Some(first.seq)) {
            self.store().batch(now, first.seq).await?;
        }
        let text = posts.iter().map(|post| post.text.as_str()).collect::<Vec<_>>().join("\n");
        let files = posts.iter().filter_map(|post| post.file.clone()).collect();
        let body = json!({
            "content": text,
            "allowed_mentions": {"parse": []},
            "nonce": self.nonce("t", first.seq),
            "enforce_nonce": true,
        });
        let call = Call::post_message(thread, body).with_files(files);
        match until_done(&self.presenter.rest, "writing into a thread", &call).await {
            Ok(_) => self.delivered(now).await,
            Err(Refused::Gone) => self.thread_is_gone(thread).await,
            Err(Refused::Forbidden) => Ok(Fate::NotNow),
            Err(_) => {
                self.give_up(first.seq);
                self.delivered(now).await
            }
        }
    }

    /// The run's thread, made when it is needed first; or why there cannot be one now.
    async fn thread(&self, state: &State, place: &CardPlace) -> anyhow::Result<Result<u64, Fate>> {
        if let Some(thread) = place.thread {
            return Ok(Ok(thread));
        }
        let rest = &self.presenter.rest;
        let mut body = json!({"name": words::thread_name(state), "auto_archive_duration": ARCHIVE_AFTER});
        let call = Call::thread_from_message(place.channel, place.message, body.clone());
        let thread = match until_done(rest, "making a thread", &call).await {
            Ok(thread) => id(&thread),
            // A thread made from a message has the message's id (Start Thread from Message). It was made by a request
            // whose answer was lost, or it was deleted, and then the message can have no other.
            Err(Refused::ThreadExists) => {
                match until_done(rest, "looking for a thread", &exists(place.message)).await {
                    Ok(_) => Some(place.message),
                    Err(Refused::Gone) => {
                        body["type"] = json!(PUBLIC_THREAD);
                        let call = Call::thread(place.channel, body);
                        until_done(rest, "making a thread of its own", &call).await.ok().and_then(|thread| id(&thread))
                    }
                    Err(_) => None,
                }
            }
            Err(Refused::Gone) => {
                self.doubt_card();
                return Ok(Err(Fate::Elsewhere));
            }
            Err(_) => None,
        };
        if let Some(thread) = thread {
            let message = place.message;
            self.change_place(|place| {
                if place.message == message {
                    place.thread = Some(thread);
                }
            })
            .await?;
        }
        Ok(thread.ok_or(Fate::NotNow))
    }

    /// Deleted, alone or with its channel. The next line makes another, under the card, wherever that is then.
    async fn thread_is_gone(&self, thread: u64) -> anyhow::Result<Fate> {
        self.doubt_card();
        self.change_place(|place| place.thread = place.thread.filter(|there| *there != thread)).await?;
        Ok(Fate::Elsewhere)
    }

    fn doubt_card(&self) {
        self.look_after_card.store(true, Ordering::Relaxed);
        self.wake.send_replace(());
    }
}

fn exists(channel: u64) -> Call {
    Call::get(&format!("/channels/{channel}"))
}

fn id(object: &Value) -> Option<u64> {
    object["id"].as_str()?.parse().ok()
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
        length <= LONGEST && files <= FILES && row.batch.is_none()
    });
    fits.count().max(1)
}
