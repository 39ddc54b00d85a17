//! What changes, as a server-sent-events stream: messages as they come and change, lines of a tool, and for those who ask
//! the overview, whenever it is another than before.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, future, stream};
use serde_json::{Value, json};
use tokio::sync::{
    broadcast::{Receiver, error::RecvError},
    watch,
};

use super::overview;
use crate::rehearsal::{permissions::VIEW_CHANNEL, server::Server};

/// While nothing happens, a reader hears this often that the stream is alive.
const BEAT: Duration = Duration::from_secs(10);

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Change {
    /// `create`, `update` or `delete` of a message; `tool`.
    pub kind: &'static str,
    pub channel: Option<u64>,
    /// The one person that sees it.
    pub only_for: Option<u64>,
    /// Discord's message object; for `delete` its ids; for `tool` a line.
    pub data: Value,
}

/// The changes that `person` sees, in `channel` or everywhere; with `whole` the overview too. A reader that falls too far
/// behind is told so with the event `lost`, and should read everything again.
pub fn stream(
    server: &Arc<Server>,
    channel: Option<u64>,
    person: Option<u64>,
    whole: bool,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let changes = server.with(|state| state.changes.subscribe());
    let sees = {
        let server = server.clone();
        move |person, channel| server.look(|state| state.permissions(person, channel) & VIEW_CHANNEL != 0)
    };
    let wanted = move |change: &Change| match change.channel {
        // A line of a tool belongs to no channel: it is for those who want the whole.
        None => whole,
        Some(there) => {
            channel.is_none_or(|channel| channel == there)
                && (change.only_for.is_none() || change.only_for == person)
                && person.is_none_or(|person| sees(person, there))
        }
    };
    let changes = stream::unfold(changes, next).filter_map(move |event| {
        let event = match event {
            Ok(change) => wanted(&change).then(|| to_event(change.kind, &change.data)),
            Err(lost) => Some(to_event("lost", &json!({"changes": lost}))),
        };
        future::ready(event)
    });
    let overviews = match whole {
        true => overviews(server.clone()).left_stream(),
        false => stream::empty().right_stream(),
    };
    let stop = server.stop.clone();
    // The overview first: a message in a new thread comes after the thread.
    let events = stream::select_with_strategy(overviews, changes, |_: &mut ()| stream::PollNext::Left)
        .map(Ok)
        .take_until(async move { stop.cancelled().await });
    // An event, not a comment: a reader sees it, and knows by its absence that the connection is dead.
    let beat = KeepAlive::new().interval(BEAT).event(Event::default().event("beat").data("{}"));
    Sse::new(events).keep_alive(beat)
}

async fn next(mut changes: Receiver<Change>) -> Option<(Result<Change, u64>, Receiver<Change>)> {
    match changes.recv().await {
        Ok(change) => Some((Ok(change), changes)),
        Err(RecvError::Lagged(lost)) => Some((Err(lost), changes)),
        Err(RecvError::Closed) => None,
    }
}

/// The overview now, and each time that it is another one. Asking the state, rather than being told by whoever changes
/// it, cannot be forgotten.
fn overviews(server: Arc<Server>) -> impl Stream<Item = Event> {
    let changed = server.watch();
    stream::unfold((server, changed, Value::Null), |(server, mut changed, last)| async move {
        let seen = different(&server, &mut changed, &last).await?;
        Some((to_event("state", &seen), (server, changed, seen)))
    })
}

async fn different(server: &Server, changed: &mut watch::Receiver<u64>, last: &Value) -> Option<Value> {
    loop {
        changed.mark_unchanged();
        let seen = server.look(overview);
        if seen != *last {
            return Some(seen);
        }
        changed.changed().await.ok()?;
    }
}

fn to_event(kind: &str, data: &Value) -> Event {
    Event::default().event(kind).data(data.to_string())
}
