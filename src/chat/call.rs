//! Calls to Discord that may be repeated until they go through: posts with a nonce, edits.
//!
//! What must stay true: a call is repeated only for reasons that pass by themselves, and each repetition is the same
//! call, so that Discord sees one message (`nonce` with `enforce_nonce`).

use std::time::Duration;

use serenity::all::HttpError;

use super::client::describe;
use crate::clock::Clock;

const FIRST_REST: Duration = Duration::from_millis(300);
const LONGEST_REST: Duration = Duration::from_secs(20);

/// Why a call will never go through as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// 10008, 10003: the message or its channel is not there (any more).
    Gone,
    /// 30046: too many edits of a message older than an hour.
    TooOld,
    /// 160004: the message has a thread already.
    ThreadExists,
    /// Anything else that Discord will not do; logged with its words.
    Other,
}

/// Repeats `call` until it succeeds or is refused for good.
pub(super) async fn until_done<T, F>(clock: &Clock, what: &str, mut call: impl FnMut() -> F) -> Result<T, Refused>
where
    F: Future<Output = serenity::Result<T>>,
{
    let mut rest = FIRST_REST;
    loop {
        match call().await {
            Ok(done) => return Ok(done),
            Err(error) => match refused(&error) {
                Some(refused) => {
                    tracing::error!(what, error = describe(&error), "Discord refuses this");
                    return Err(refused);
                }
                None => tracing::warn!(what, error = describe(&error), "Discord did not take this; trying again"),
            },
        }
        clock.sleep(rest).await;
        rest = (rest * 2).min(LONGEST_REST);
    }
}

/// `None` when it may go through later: no answer, 429, 5xx.
fn refused(error: &serenity::Error) -> Option<Refused> {
    let serenity::Error::Http(HttpError::UnsuccessfulRequest(response)) = error else {
        return matches!(error, serenity::Error::Model(_)).then_some(Refused::Other);
    };
    match (response.status_code.as_u16(), response.error.code) {
        (_, 10_008 | 10_003) => Some(Refused::Gone),
        (_, 30_046) => Some(Refused::TooOld),
        (_, 160_004) => Some(Refused::ThreadExists),
        (429 | 500..=599, _) => None,
        _ => Some(Refused::Other),
    }
}
