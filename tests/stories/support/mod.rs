//! What stories stand on: the real program in a process of its own, a rehearsal to talk through, a range to act on.
//!
//! A story reads like a chat. Nothing here sleeps to wait: it waits for a state, with a limit.

pub mod acting;
pub mod alarm;
pub mod bot;
pub mod browser;
pub mod clock;
pub mod commands;
pub mod drill;
pub mod engine;
pub mod host;
pub mod house;
pub mod mail;
pub mod pages;
pub mod range;
pub mod scripted;
pub mod services;
pub mod silent;
pub mod stage;

use std::{future::Future, time::Duration};

use drbot::clock::Clock;

/// Says that this machine cannot tell a story, past the capture of libtest. Where all of them must be told (`CI=true`), that is a
/// failure.
#[track_caller]
pub fn passed_over(why: &str) {
    use std::io::Write;
    let name = std::thread::current().name().unwrap_or("a story").to_owned();
    let said = format!("PASSED OVER: {name}: {why}\n");
    // Nobody to hear it is no matter.
    let _ = std::io::stderr().write_all(said.as_bytes());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{said}");
}

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
