//! Messages as they come and change, as a server-sent-events stream.

use std::{convert::Infallible, sync::Arc};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::rehearsal::server::Server;

/// One message that was created, updated or deleted.
#[derive(Debug, Clone)]
pub struct Change {
    /// `create`, `update` or `delete`.
    pub kind: &'static str,
    pub channel: u64,
    /// The one person that sees it.
    pub only_for: Option<u64>,
    /// Discord's message object; for `delete` its ids.
    pub data: Value,
}

/// The changes that `person` sees, in `channel` or everywhere. A reader that falls too far behind is told so with the
/// event `lost`, and should read the messages again.
pub fn stream(
    server: &Arc<Server>,
    channel: Option<u64>,
    person: Option<u64>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let changes = server.with(|state| state.changes.subscribe());
    let wanted = move |change: &Change| {
        channel.is_none_or(|channel| channel == change.channel)
            && (change.only_for.is_none() || change.only_for == person)
    };
    let stop = server.stop.clone();
    let events = stream::unfold(changes, next)
        .filter_map(move |event| {
            let event = match event {
                Ok(change) => wanted(&change).then(|| to_event(change.kind, &change.data)),
                Err(lost) => Some(to_event("lost", &json!({"changes": lost}))),
            };
            async move { event.map(Ok) }
        })
        .take_until(async move { stop.cancelled().await });
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn next(mut changes: Receiver<Change>) -> Option<(Result<Change, u64>, Receiver<Change>)> {
    match changes.recv().await {
        Ok(change) => Some((Ok(change), changes)),
        Err(RecvError::Lagged(lost)) => Some((Err(lost), changes)),
        Err(RecvError::Closed) => None,
    }
}

fn to_event(kind: &str, data: &Value) -> Event {
    Event::default().event(kind).data(data.to_string())
}
