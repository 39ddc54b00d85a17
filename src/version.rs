//! What is known of a deployed version: seen from when to when, healthy since, recorded good or bad.
//!
//! A version is good once it has been healthy for a while, by drbot's own looks, and nothing else makes it good. A bad one
//! stays bad until somebody says otherwise: a rollback does not go back to what was rolled back from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Timestamp, elapsed};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The tag of its image, which it answers as its version.
    pub name: String,
    /// The image's id: a tag may be given to another image.
    pub image: String,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Since when each look found it healthy.
    pub healthy_since: Option<Timestamp>,
    pub good_at: Option<Timestamp>,
    pub bad_at: Option<Timestamp>,
    /// Why it is bad.
    pub why: Option<String>,
}

/// When a version counts as good.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub healthy_for: Duration,
    /// Looks further apart than this say nothing of the time between them.
    pub blind_for: Duration,
}

impl Version {
    /// What is known after one more look at the deployed version.
    #[must_use]
    pub fn seen(before: Option<Self>, name: &str, image: &str, healthy: bool, at: Timestamp, rule: Rule) -> Self {
        let mut version = before.unwrap_or_else(|| Self {
            name: name.to_owned(),
            image: image.to_owned(),
            first_seen: at,
            last_seen: at,
            healthy_since: None,
            good_at: None,
            bad_at: None,
            why: None,
        });
        let was_blind = elapsed(version.last_seen, at) > rule.blind_for;
        version.healthy_since = match version.healthy_since.filter(|_| !was_blind) {
            _ if !healthy => None,
            Some(since) => Some(since),
            None => Some(at),
        };
        version.last_seen = at;
        let long_enough = version.healthy_since.is_some_and(|since| elapsed(since, at) >= rule.healthy_for);
        if long_enough && !version.is_bad() {
            version.good_at = Some(at);
        }
        version
    }

    pub fn is_bad(&self) -> bool {
        self.bad_at.is_some()
    }

    /// Recorded good, and not recorded bad since.
    pub fn is_good(&self) -> bool {
        self.good_at.is_some() && !self.is_bad()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { healthy_for: Duration::from_secs(600), blind_for: Duration::from_secs(90) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    /// What is known after looks every 30 s, healthy but for some.
    fn after(seconds: i64, ill_at: &[i64], blind: std::ops::Range<i64>) -> Version {
        let mut known = None;
        for second in (0..=seconds).step_by(30).filter(|second| !blind.contains(second)) {
            known = Some(Version::seen(known, "v1", "sha256:1", !ill_at.contains(&second), at(second), RULE));
        }
        known.unwrap()
    }

    #[test]
    fn it_is_good_once_it_was_healthy_for_long_enough() {
        assert!(!after(570, &[], 0..0).is_good());
        assert!(after(600, &[], 0..0).is_good());
        assert!(!after(600, &[300], 0..0).is_good(), "it was ill in between");
        assert!(after(930, &[300], 0..0).is_good());
        assert!(!after(600, &[], 200..400).is_good(), "nobody looked in between");
        assert!(after(990, &[], 200..380).is_good());
    }

    #[test]
    fn what_was_good_stays_so_when_it_falls_ill_and_what_is_bad_does_not_heal() {
        assert!(after(900, &[870, 900], 0..0).is_good());
        let bad = Version { bad_at: Some(at(700)), ..after(690, &[], 0..0) };
        assert!(!bad.is_good());
        assert!(!Version::seen(Some(bad), "v1", "sha256:1", true, at(720), RULE).is_good());
    }
}
