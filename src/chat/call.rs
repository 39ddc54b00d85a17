//! Requests to Discord that may be repeated until they go through: posts with a nonce, edits.
//!
//! What must stay true: a request is repeated only for reasons that pass by themselves, and each repetition is the same
//! request, so that Discord sees one message (`nonce` with `enforce_nonce`).

use std::time::Duration;

use serde_json::Value;

use super::{
    metrics,
    rest::{Call, Rest, Trouble, Turn},
};

const FIRST_REST: Duration = Duration::from_millis(300);
const LONGEST_REST: Duration = Duration::from_secs(20);
/// After a 429 that does not say for how long; an address that goes on asking is banned.
const AFTER_A_WORDLESS_429: Duration = Duration::from_secs(5);

/// Why a request will not go through as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// 10008, 10003: the message or its channel is not there (any more).
    Gone,
    /// 30046: too many edits of a message older than an hour.
    TooOld,
    /// 160004: the message has a thread already.
    ThreadExists,
    /// A permission or the token is missing: people can mend it, and then it goes through.
    Forbidden,
    /// Discord will never take it; logged with its words.
    Rejected,
}

/// Repeats the request until it succeeds or is refused.
pub(super) async fn until_done(rest: &Rest, what: &str, call: &Call) -> Result<Value, Refused> {
    until_done_from(rest, None, what, call).await
}

/// As [`until_done`], for the first time in a turn that was waited for.
pub(super) async fn until_done_from(
    rest: &Rest,
    mut turn: Option<Turn<'_>>,
    what: &str,
    call: &Call,
) -> Result<Value, Refused> {
    let mut pause = FIRST_REST;
    loop {
        let sent = match turn.take() {
            Some(turn) => rest.send_at(turn, call).await,
            None => rest.send(call).await,
        };
        let trouble = match sent {
            Ok(done) => return Ok(done),
            Err(trouble) => trouble,
        };
        if let Some(refused) = refused(&trouble) {
            tracing::error!(what, error = %trouble, "Discord refuses this");
            return Err(refused);
        }
        tracing::warn!(what, error = %trouble, "Discord did not take this; trying again");
        metrics::retried();
        match trouble {
            // The next one waits by itself for as long as it was told.
            Trouble::Refused { retry_after: Some(_), .. } => continue,
            Trouble::Refused { status: 429, .. } => pause = pause.max(AFTER_A_WORDLESS_429),
            _ => {}
        }
        rest.clock().sleep(jittered(pause)).await;
        pause = (pause * 2).min(LONGEST_REST);
    }
}

/// Up to a quarter more, so that many who were refused together do not come back together.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + rand::random::<f64>() / 4.0)
}

/// `None` when it may go through later by itself.
fn refused(trouble: &Trouble) -> Option<Refused> {
    let Trouble::Refused { status, code, .. } = trouble else { return None };
    if trouble.passes() {
        return None;
    }
    match (*status, *code) {
        (_, 10_008 | 10_003) => Some(Refused::Gone),
        (_, 30_046) => Some(Refused::TooOld),
        (_, 160_004) => Some(Refused::ThreadExists),
        // 50001 and 50013 come with 403; 10004: not in the server any more; 50083: a thread that is locked.
        (401 | 403, _) | (_, 10_004 | 50_083) => Some(Refused::Forbidden),
        _ => Some(Refused::Rejected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_by_itself_is_repeated() {
        let said =
            |status, code| refused(&Trouble::Refused { status, code, message: String::new(), retry_after: None });
        assert_eq!(refused(&Trouble::NoAnswer("timed out".to_owned())), None);
        for (status, code) in [(429, 0), (500, 0), (502, 0), (503, 0)] {
            assert_eq!(said(status, code), None);
        }
        assert_eq!(said(429, 30_046), Some(Refused::TooOld));
        assert_eq!(said(404, 10_003), Some(Refused::Gone));
        assert_eq!(said(403, 50_013), Some(Refused::Forbidden));
        assert_eq!(said(401, 0), Some(Refused::Forbidden));
        assert_eq!(said(400, 160_004), Some(Refused::ThreadExists));
        assert_eq!(said(400, 50_035), Some(Refused::Rejected));
    }
}
