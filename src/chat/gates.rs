//! When the next request may go, and which: what Discord's headers and 429s have said so far, and who waits.
//!
//! What must stay true: no request goes before the time that Discord named. Of a bucket of which nothing is known, or whose
//! time is over, one request goes ahead and the others wait for what its answer says: a thousand posts that wait to be
//! edited must not become a thousand requests in the moment in which five are allowed, for Discord bans who goes on asking.
//! Who waits is let through by urgency, then in order.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// Old buckets are forgotten when there are so many.
const KEPT: usize = 500;
/// How long the answer is waited for that will tell more of a bucket.
const PATIENCE: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(1);

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Nobody knows of it yet.
    First,
    Usual,
    /// What is there is true, and only its clock has gone on.
    Refresh,
}

impl Urgency {
    /// Requests in any second while others wait. Discord takes 50 of all kinds
    /// (<https://discord.com/developers/docs/topics/rate-limits#global-rate-limit>); there is always room for what is urgent.
    fn most_in_a_second(self) -> usize {
        match self {
            Self::First => 49,
            Self::Usual => 40,
            Self::Refresh => 25,
        }
    }
}

/// Where somebody stands in a bucket's queue.
pub(super) type Place = (Urgency, u64);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Now; it is counted, and has left the queue.
    Go,
    /// Look again then, or when woken.
    Wait(Duration),
    /// Somebody is before it, and will wake it.
    Behind,
}

#[derive(Debug, Default)]
pub(super) struct Gates {
    /// Everything but answers to interactions waits until then.
    all_shut_until: Option<Instant>,
    /// When requests went, within the last second.
    went: VecDeque<Instant>,
    buckets: HashMap<String, Bucket>,
    tickets: u64,
}

#[derive(Debug, Default)]
struct Bucket {
    /// How many may still go, and when it is filled again.
    known: Option<(u64, Instant)>,
    /// The answer of a request is waited for, until then.
    asking_until: Option<Instant>,
    waiting: BTreeMap<Place, Arc<Notify>>,
}

impl Bucket {
    fn wake_the_first(&self) {
        if let Some(first) = self.waiting.values().next() {
            first.notify_one();
        }
    }

    fn is_needed(&self, now: Instant) -> bool {
        let tells = self.known.is_some_and(|(_, opens)| opens > now);
        tells || self.asking_until.is_some() || !self.waiting.is_empty()
    }

    /// How long the first of the queue has to wait; when it need not, it is counted.
    fn wait(&mut self, now: Instant) -> Duration {
        if let Some((left, opens)) = self.known.filter(|(_, opens)| *opens > now) {
            if left == 0 {
                return opens - now;
            }
            self.known = Some((left - 1, opens));
            return Duration::ZERO;
        }
        self.known = None;
        match self.asking_until.filter(|until| *until > now) {
            Some(until) => until - now,
            None => {
                self.asking_until = Some(now + PATIENCE);
                Duration::ZERO
            }
        }
    }
}

impl Gates {
    /// Stands in a bucket's queue; woken by what is returned.
    pub(super) fn enter(&mut self, bucket: &str, urgency: Urgency, now: Instant) -> (Place, Arc<Notify>) {
        if self.buckets.len() >= KEPT {
            self.buckets.retain(|_, bucket| bucket.is_needed(now));
        }
        self.tickets += 1;
        let (place, wake) = ((urgency, self.tickets), Arc::new(Notify::new()));
        self.buckets.entry(bucket.to_owned()).or_default().waiting.insert(place, wake.clone());
        (place, wake)
    }

    /// Whether somebody who stands in a queue may go now.
    pub(super) fn may_go(&mut self, bucket: &str, place: Place, limited_with_all: bool, now: Instant) -> Verdict {
        let Some(found) = self.buckets.get_mut(bucket) else { return Verdict::Go };
        if found.waiting.keys().next() != Some(&place) {
            return Verdict::Behind;
        }
        if limited_with_all {
            while self.went.front().is_some_and(|at| *at + SECOND <= now) {
                self.went.pop_front();
            }
            let crowded = self.went.len() >= place.0.most_in_a_second();
            let room = self.went.front().filter(|_| crowded).map(|first| *first + SECOND);
            if let Some(until) = self.all_shut_until.max(room).filter(|until| *until > now) {
                return Verdict::Wait(until - now);
            }
        }
        let wait = found.wait(now);
        if !wait.is_zero() {
            return Verdict::Wait(wait);
        }
        if limited_with_all {
            self.went.push_back(now);
        }
        found.waiting.remove(&place);
        found.wake_the_first();
        Verdict::Go
    }

    /// Does not wait any more.
    pub(super) fn leave(&mut self, bucket: &str, place: Place) {
        if let Some(found) = self.buckets.get_mut(bucket) {
            found.waiting.remove(&place);
            found.wake_the_first();
        }
    }

    /// One that might have gone did not.
    pub(super) fn give_back(&mut self, bucket: &str) {
        let Some(found) = self.buckets.get_mut(bucket) else { return };
        match &mut found.known {
            Some((left, _)) => *left += 1,
            None => found.asking_until = None,
        }
        found.wake_the_first();
    }

    /// What the headers of an answer say: so many more until the bucket is filled again.
    pub(super) fn learn(&mut self, bucket: &str, left: u64, filled_in: Duration, now: Instant) {
        let found = self.buckets.entry(bucket.to_owned()).or_default();
        let there = found.known.filter(|(_, opens)| *opens > now);
        // Answers may overtake each other, and a 429 may have come in between.
        let left = there.map_or(left, |(there, _)| left.min(there));
        let opens = there.map_or(now + filled_in, |(_, opens)| opens.max(now + filled_in));
        found.known = Some((left, opens));
        found.asking_until = None;
        found.wake_the_first();
    }

    /// An answer that says nothing of the bucket, or none at all.
    pub(super) fn learned_nothing(&mut self, bucket: &str, now: Instant) {
        let Some(found) = self.buckets.get_mut(bucket) else { return };
        found.asking_until = None;
        found.wake_the_first();
        if !found.is_needed(now) {
            self.buckets.remove(bucket);
        }
    }

    /// A 429: nothing through this bucket (or any) until then.
    pub(super) fn shut(&mut self, bucket: &str, all: bool, for_so_long: Duration, now: Instant) {
        if all {
            self.all_shut_until = self.all_shut_until.max(Some(now + for_so_long));
        } else {
            self.learn(bucket, 0, for_so_long, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands in the queue and looks once.
    fn tries(gates: &mut Gates, bucket: &str, limited_with_all: bool, now: Instant) -> Duration {
        let (place, _) = gates.enter(bucket, Urgency::Usual, now);
        match gates.may_go(bucket, place, limited_with_all, now) {
            Verdict::Go => Duration::ZERO,
            Verdict::Wait(so_long) => {
                gates.leave(bucket, place);
                so_long
            }
            Verdict::Behind => panic!("nobody else is there"),
        }
    }

    #[test]
    fn what_the_headers_allow_goes_and_the_rest_waits() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        assert_eq!(tries(&mut gates, "post", true, now), Duration::ZERO);
        assert_eq!(tries(&mut gates, "post", true, now), PATIENCE, "its answer will tell more");
        gates.learn("post", 2, SECOND * 5, now);
        assert_eq!(tries(&mut gates, "post", true, now), Duration::ZERO);
        assert_eq!(tries(&mut gates, "post", true, now), Duration::ZERO);
        assert_eq!(tries(&mut gates, "post", true, now), SECOND * 5);
        assert_eq!(tries(&mut gates, "edit", true, now), Duration::ZERO, "another bucket is open");
        assert_eq!(tries(&mut gates, "post", true, now + SECOND * 5), Duration::ZERO);
        assert_eq!(tries(&mut gates, "post", true, now + SECOND * 5), PATIENCE, "one goes ahead");
        gates.learned_nothing("post", now + SECOND * 5);
        assert_eq!(tries(&mut gates, "post", true, now + SECOND * 5), Duration::ZERO);
    }

    #[test]
    fn after_a_429_nothing_goes_before_the_time_it_named() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        gates.shut("post", false, SECOND * 3, now);
        gates.learn("post", 4, SECOND, now);
        assert_eq!(tries(&mut gates, "post", true, now + SECOND), SECOND * 2, "a late answer does not open it");
        gates.shut("edit", true, SECOND * 2, now);
        assert_eq!(tries(&mut gates, "anything", true, now), SECOND * 2);
        assert_eq!(tries(&mut gates, "callback", false, now), Duration::ZERO, "interactions are exempt");
    }

    #[test]
    fn who_waits_goes_by_urgency_and_then_in_order() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        let kinds = [Urgency::Refresh, Urgency::Usual, Urgency::Refresh, Urgency::First, Urgency::Usual];
        let places: Vec<_> = kinds.iter().map(|kind| gates.enter("edit", *kind, now).0).collect();
        gates.learn("edit", 5, SECOND, now);
        let mut left: Vec<usize> = (0..places.len()).collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let at = left.iter().position(|who| gates.may_go("edit", places[*who], true, now) == Verdict::Go).unwrap();
            order.push(left.remove(at));
        }
        assert_eq!(order, [3, 1, 4, 0, 2]);
    }

    #[test]
    fn a_turn_that_is_not_used_is_the_next_ones() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        gates.learn("edit", 1, SECOND, now);
        assert_eq!(tries(&mut gates, "edit", true, now), Duration::ZERO);
        assert_eq!(tries(&mut gates, "edit", true, now), SECOND);
        gates.give_back("edit");
        assert_eq!(tries(&mut gates, "edit", true, now), Duration::ZERO);
    }

    #[test]
    fn there_is_always_room_for_what_is_urgent() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        let mut goes = |urgency, number: usize| {
            let bucket = format!("post {number}");
            let (place, _) = gates.enter(&bucket, urgency, now);
            gates.may_go(&bucket, place, true, now) == Verdict::Go
        };
        assert_eq!((0..1000).filter(|number| goes(Urgency::Refresh, *number)).count(), 25);
        assert_eq!((1000..2000).filter(|number| goes(Urgency::Usual, *number)).count(), 15);
        assert_eq!((2000..3000).filter(|number| goes(Urgency::First, *number)).count(), 9);
    }
}
