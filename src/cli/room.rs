//! One engine a store. A bot that starts takes the place of an engine that serves a terminal; nobody takes a bot's place.

use std::{path::Path, time::Duration};

use anyhow::Result;
use tokio::net::UnixStream;

use crate::{
    clock::Clock,
    console::{Ask, Asking, Reply, SOCKET},
    store::{Store, Taken},
};

/// Longer than an engine lets its steps end.
const PATIENCE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(100);
/// How long an answer may take; who has the store may hang.
const ANSWER: Duration = Duration::from_secs(5);

/// Opens the store, if need be after the engine that has it has made room.
pub(super) async fn store(folder: &Path, clock: &Clock) -> Result<Store> {
    let taken = match Store::open(folder).await {
        Err(error) if error.is::<Taken>() => error,
        opened => return opened,
    };
    if !clock.timeout(ANSWER, makes_room(folder)).await.unwrap_or(false) {
        return Err(taken);
    }
    tracing::info!("an engine without Discord has the store and makes room; its runs go on here");
    let begun = clock.monotonic();
    loop {
        match Store::open(folder).await {
            Err(error) if error.is::<Taken>() && clock.monotonic() - begun < PATIENCE => clock.sleep(AGAIN).await,
            opened => return opened,
        }
    }
}

async fn makes_room(folder: &Path) -> bool {
    let Ok(stream) = UnixStream::connect(folder.join(SOCKET)).await else { return false };
    let Ok(mut asking) = Asking::ask(stream, &Ask::MakeRoom).await else { return false };
    matches!(asking.next().await, Ok(Some(Reply::Said { .. })))
}
