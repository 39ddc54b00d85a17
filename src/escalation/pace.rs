//! How many pages go by a way at once: as many as the other side takes.
//!
//! A service that is asked for too much at once says 429, and when to come back. That is no failure of a page: it waits, and the
//! way goes on with half as many, then slowly with more. What must stay true: a way that is held back holds up no other, and
//! one that takes nothing for long is a way that fails.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    clock::{Timestamp, elapsed},
    contacts::way::Way,
};

/// So many are begun at once by a way that has never said no.
const MOST: usize = 16;
/// One more at once, after so many times as many were taken without a no.
const PROVED: usize = 8;
/// Whoever is to be reached is tried by other ways as well, when a page has been held back for so long …
const BEARABLE: Duration = Duration::from_secs(15);
/// … and after this long the way is one that fails.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<Way, Lane>>);

#[derive(Debug)]
struct Lane {
    room: usize,
    taken: usize,
    shut_until: Option<Timestamp>,
}

impl Default for Lane {
    fn default() -> Self {
        Self { room: MOST, taken: 0, shut_until: None }
    }
}

/// What becomes of a page whose way is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// It waits.
    Wait,
    /// It waits, and other ways are tried beside.
    Beside,
    /// It has failed.
    Fail,
}

impl Pace {
    /// How many pages may be begun by this way now.
    pub(super) fn room(&self, way: Way, now: Timestamp) -> usize {
        self.with(way, |lane| if lane.shut_until.is_some_and(|until| until > now) { 0 } else { lane.room })
    }

    /// One was taken.
    pub(super) fn taken(&self, way: Way) {
        self.with(way, |lane| {
            lane.taken += 1;
            if lane.taken >= PROVED * lane.room && lane.room < MOST {
                (lane.room, lane.taken) = (lane.room + 1, 0);
            }
        });
    }

    /// Too many: nothing goes by this way until then. The page was called for at `since`.
    pub(super) fn too_many(&self, way: Way, until: Timestamp, since: Timestamp, now: Timestamp) -> Hold {
        self.with(way, |lane| {
            // Those that were begun together are told no together: that is one no.
            if lane.shut_until.is_none_or(|shut| shut <= now) {
                (lane.room, lane.taken) = ((lane.room / 2).max(1), 0);
            }
            // Not for longer than anybody can wait: what comes then is told no as well, and goes other ways.
            lane.shut_until = lane.shut_until.max(Some(until.min(now + BEARABLE)));
        });
        match (elapsed(since, now), elapsed(since, until)) {
            (held, _) if held >= PATIENCE => Hold::Fail,
            (_, will_be) if will_be >= BEARABLE => Hold::Beside,
            _ => Hold::Wait,
        }
    }

    fn with<T>(&self, way: Way, look: impl FnOnce(&mut Lane) -> T) -> T {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(lanes.entry(way).or_default())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_way_that_says_no_goes_on_with_half_as_many_and_holds_up_no_other() {
        let (pace, now) = (Pace::default(), Timestamp::UNIX_EPOCH);
        let until = now + TimeDelta::seconds(1);
        assert_eq!(pace.room(Way::Sms, now), MOST);
        for _ in 0..27 {
            assert_eq!(pace.too_many(Way::Sms, until, now, now), Hold::Wait);
        }
        assert_eq!((pace.room(Way::Sms, now), pace.room(Way::Voice, now)), (0, MOST));
        assert_eq!(pace.room(Way::Sms, until), MOST / 2, "one no, however many said it");
        (0..PROVED * MOST / 2).for_each(|_| pace.taken(Way::Sms));
        assert_eq!(pace.room(Way::Sms, until), MOST / 2 + 1);
        for second in 1..10 {
            let now = now + TimeDelta::seconds(second);
            pace.too_many(Way::Sms, now + TimeDelta::milliseconds(900), now, now);
        }
        assert_eq!(pace.room(Way::Sms, now + TimeDelta::seconds(10)), 1, "never none");
    }

    #[test]
    fn a_way_that_asks_for_long_is_passed_by_at_once_and_is_not_shut_for_the_others() {
        let (pace, now) = (Pace::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(pace.too_many(Way::Sms, now + TimeDelta::seconds(600), now, now), Hold::Beside);
        assert_eq!(pace.room(Way::Sms, now), 0);
        assert!(pace.room(Way::Sms, now + TimeDelta::seconds(15)) > 0);
    }

    #[test]
    fn what_is_held_back_for_long_is_tried_elsewhere_and_then_fails() {
        let (pace, since) = (Pace::default(), Timestamp::UNIX_EPOCH);
        let held = |seconds| {
            let now = since + TimeDelta::seconds(seconds);
            pace.too_many(Way::Sms, now + TimeDelta::seconds(1), since, now)
        };
        assert_eq!(
            [held(0), held(13), held(14), held(599), held(600)],
            [Hold::Wait, Hold::Wait, Hold::Beside, Hold::Beside, Hold::Fail]
        );
    }
}
