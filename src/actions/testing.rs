//! What the tests of actions share: a context, and waiting for a state.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Context, Fields, Labels, Progress};
use crate::{clock::Clock, config::secrets::Secrets};

pub const TOKEN: &str = "canary-7f3a9c";

/// A context whose only secret is `TOKEN`.
pub fn context() -> Context {
    Context {
        labels: Labels::default(),
        target: None,
        secrets: Secrets::from_lookup(|name| (name == "TOKEN").then(|| TOKEN.to_owned())),
        clock: Clock::system(),
        cancel: CancellationToken::new(),
        timeout: Duration::from_secs(20),
        progress: Progress::default(),
        sample: None,
        facts: Fields::new(),
    }
}

pub fn context_with_timeout(timeout: Duration) -> Context {
    Context { timeout, ..context() }
}

/// Looks again and again until `state` gives something; panics when it does not within 10 s.
pub async fn until<T>(clock: &Clock, mut state: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            match state() {
                Some(found) => return found,
                None => clock.sleep(Duration::from_millis(10)).await,
            }
        }
    };
    clock.timeout(Duration::from_secs(10), looking).await.expect("the state was not reached within 10 s")
}
