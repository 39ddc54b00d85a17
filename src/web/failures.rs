//! Requests that prove nothing: counted, so that who tries a thousand tokens neither fills the log nor gets many answers.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const WINDOW: Duration = Duration::from_secs(60);

/// In one window; from then on they are told to wait. Who proves something is never counted.
const MOST: u32 = 30;

pub(super) struct Failures(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    window: Option<Instant>,
    in_window: u32,
    unsaid: u32,
}

/// What is to be done about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted {
    /// It is to be said, and that there were so many more since it was said last.
    pub to_say: Option<u32>,
    pub too_many: bool,
}

impl Failures {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    pub(super) fn note(&self, now: Instant) -> Noted {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = seen.window.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW);
        if is_over {
            let before = std::mem::take(&mut seen.unsaid);
            (seen.window, seen.in_window) = (Some(now), 1);
            return Noted { to_say: Some(before), too_many: false };
        }
        seen.in_window = seen.in_window.saturating_add(1);
        seen.unsaid = seen.unsaid.saturating_add(1);
        Noted { to_say: None, too_many: seen.in_window > MOST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_failures_are_one_line_a_minute_and_thirty_answers() {
        let (failures, begin) = (Failures::new(), Instant::now());
        assert_eq!(failures.note(begin), Noted { to_say: Some(0), too_many: false });
        let rest: Vec<_> = (0..1000).map(|_| failures.note(begin + WINDOW / 2)).collect();
        assert_eq!(rest.iter().filter(|noted| noted.to_say.is_some()).count(), 0);
        assert_eq!(rest.iter().filter(|noted| !noted.too_many).count(), 29);
        assert_eq!(failures.note(begin + WINDOW), Noted { to_say: Some(1000), too_many: false });
    }
}
