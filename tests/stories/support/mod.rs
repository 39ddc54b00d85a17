//! What stories stand on: the real program in a process of its own, a rehearsal to talk through, a range to act on.
//!
//! A story reads like a chat. Nothing here sleeps to wait: it waits for a state, with a limit.

pub mod acting;
pub mod bot;
pub mod browser;
pub mod clock;
pub mod commands;
pub mod drill;
pub mod engine;
pub mod host;
pub mod house;
pub mod range;
pub mod scripted;
pub mod stage;

use std::{future::Future, time::Duration};

use drbot::clock::Clock;

/// How long a story waits for a state before it fails.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Waits until `look` returns something, and fails with `what` when it does not within [`LIMIT`].
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl FnMut() -> F) -> T {
    within(LIMIT, what, look).await
}

pub async fn within<T, F: Future<Output = Option<T>>>(limit: Duration, what: &str, look: impl FnMut() -> F) -> T {
    let found = within_or_none(limit, look).await;
    found.unwrap_or_else(|| panic!("waited {limit:?} in vain for {what}"))
}

/// As [`within`], for who has more to say of the failure.
pub async fn within_or_none<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> Option<T> {
    let clock = Clock::system();
    let begin = clock.monotonic();
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if begin.elapsed() >= limit {
            return None;
        }
        clock.sleep(Duration::from_millis(50)).await;
    }
}
