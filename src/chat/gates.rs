//! When the next request may go: what Discord's headers and 429s have said so far.
//!
//! Nothing is assumed about Discord's numbers. What must stay true: no request goes before the time that Discord named.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Old buckets are forgotten when there are so many.
const KEPT: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Gates {
    /// Everything but answers to interactions waits until then.
    all_shut_until: Option<Instant>,
    buckets: HashMap<String, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u64,
    opens: Instant,
}

impl Gates {
    /// How long a request has to wait; zero when it may go now, and then it is counted.
    pub(super) fn wait(&mut self, bucket: &str, limited_with_all: bool, now: Instant) -> Duration {
        let all = self.all_shut_until.filter(|_| limited_with_all).map_or(Duration::ZERO, |until| until - now);
        if all > Duration::ZERO {
            return all;
        }
        let Some(found) = self.buckets.get_mut(bucket) else { return Duration::ZERO };
        if found.opens <= now {
            self.buckets.remove(bucket);
        } else if found.left == 0 {
            return found.opens - now;
        } else {
            found.left -= 1;
        }
        Duration::ZERO
    }

    /// What the headers of an answer say: so many more until the bucket is filled again.
    pub(super) fn learn(&mut self, bucket: &str, left: u64, filled_in: Duration, now: Instant) {
        if self.buckets.len() >= KEPT {
            self.buckets.retain(|_, bucket| bucket.opens > now);
        }
        let there = self.buckets.get(bucket).filter(|there| there.opens > now);
        // Answers may overtake each other, and a 429 may have come in between.
        let left = there.map_or(left, |there| left.min(there.left));
        let opens = there.map_or(now + filled_in, |there| there.opens.max(now + filled_in));
        self.buckets.insert(bucket.to_owned(), Bucket { left, opens });
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

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_the_headers_allow_goes_and_the_rest_waits() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        assert_eq!(gates.wait("post", true, now), Duration::ZERO);
        gates.learn("post", 2, SECOND * 5, now);
        assert_eq!(gates.wait("post", true, now), Duration::ZERO);
        assert_eq!(gates.wait("post", true, now), Duration::ZERO);
        assert_eq!(gates.wait("post", true, now), SECOND * 5);
        assert_eq!(gates.wait("edit", true, now), Duration::ZERO, "another bucket is open");
        assert_eq!(gates.wait("post", true, now + SECOND * 5), Duration::ZERO);
    }

    #[test]
    fn after_a_429_nothing_goes_before_the_time_it_named() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        gates.shut("post", false, SECOND * 3, now);
        gates.learn("post", 4, SECOND, now);
        assert_eq!(gates.wait("post", true, now + SECOND), SECOND * 2, "a late answer does not open it");
        gates.shut("edit", true, SECOND * 2, now);
        assert_eq!(gates.wait("anything", true, now), SECOND * 2);
        assert_eq!(gates.wait("callback", false, now), Duration::ZERO, "interactions are exempt");
    }
}
