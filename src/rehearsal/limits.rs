//! Rate limits: a bucket for each route and its channel, and one for everything.
//!
//! Discord does not publish its numbers and may change them, so a bot must go by the headers. The ones here are those
//! that people observe. <https://discord.com/developers/docs/topics/rate-limits>

use std::collections::HashMap;

use crate::clock::{Timestamp, elapsed};

const GLOBAL: u32 = 50;

#[derive(Debug)]
pub struct Limits {
    pub enabled: bool,
    windows: HashMap<String, Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    opened: Timestamp,
    used: u32,
}

/// How many requests in how many seconds, for the routes that share `bucket`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub bucket: String,
    pub requests: u32,
    pub seconds: f64,
    /// Counts towards the 50 a second. Answers to interactions do not.
    pub global: bool,
}

/// What a response's headers say.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub rule: Rule,
    pub remaining: u32,
    /// Seconds until the bucket is full again.
    pub reset_after: f64,
    /// Set when the request is refused.
    pub refused: Option<Scope>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    User,
    Global,
}

/// The bucket of a route; `None` for the callback of an interaction, which has no limit.
pub fn rule(method: &str, route: &[&str]) -> Option<Rule> {
    let rule = |name: &str, key: &str, requests, seconds, global| {
        Some(Rule { bucket: format!("{name}:{key}"), requests, seconds, global })
    };
    match (method, route) {
        (_, ["interactions", ..]) => None,
        (_, ["webhooks", _, token, ..]) => rule("webhook", token, 5, 2.0, false),
        ("POST", ["channels", channel, "messages"]) => rule("create-message", channel, 5, 5.0, true),
        ("PATCH", ["channels", channel, "messages", _]) => rule("edit-message", channel, 5, 5.0, true),
        ("DELETE", ["channels", channel, "messages", _]) => rule("delete-message", channel, 5, 1.0, true),
        (_, ["channels", channel, ..]) => rule("channel", &format!("{method}:{channel}"), 20, 5.0, true),
        (_, ["applications", id, ..]) => rule("application", &format!("{method}:{id}"), 20, 10.0, true),
        (_, [first, ..]) => rule(first, method, 40, 5.0, true),
        (_, []) => None,
    }
}

impl Limits {
    pub fn new(enabled: bool) -> Self {
        Self { enabled, windows: HashMap::new() }
    }

    /// Counts one request. `None` when the route has no limit or limits are off.
    pub fn take(&mut self, rule: Option<Rule>, now: Timestamp) -> Option<Standing> {
        let rule = rule.filter(|_| self.enabled)?;
        if rule.global {
            let all = Rule { bucket: "global".to_owned(), requests: GLOBAL, seconds: 1.0, global: true };
            let standing = self.count(all, Scope::Global, now);
            if standing.refused.is_some() {
                return Some(standing);
            }
        }
        Some(self.count(rule, Scope::User, now))
    }

    fn count(&mut self, rule: Rule, scope: Scope, now: Timestamp) -> Standing {
        let window = self.windows.entry(rule.bucket.clone()).or_insert(Window { opened: now, used: 0 });
        let mut age = elapsed(window.opened, now).as_secs_f64();
        if age >= rule.seconds {
            *window = Window { opened: now, used: 0 };
            age = 0.0;
        }
        let refused = (window.used >= rule.requests).then_some(scope);
        if refused.is_none() {
            window.used += 1;
        }
        let remaining = rule.requests - window.used;
        Standing { reset_after: rule.seconds - age, remaining, refused, rule }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn the_sixth_message_in_five_seconds_is_refused_and_the_next_window_is_open() {
        let (mut limits, start) = (Limits::new(true), Timestamp::UNIX_EPOCH);
        let post = || rule("POST", &["channels", "7", "messages"]);
        for left in [4, 3, 2, 1, 0] {
            let standing = limits.take(post(), start).unwrap();
            assert_eq!((standing.remaining, standing.refused), (left, None));
        }
        let later = start + TimeDelta::seconds(2);
        let refused = limits.take(post(), later).unwrap();
        assert_eq!(refused.refused, Some(Scope::User));
        assert_eq!(refused.reset_after, 3.0);
        let elsewhere = limits.take(rule("POST", &["channels", "8", "messages"]), later).unwrap();
        assert_eq!(elsewhere.refused, None);
        assert_eq!(limits.take(post(), start + TimeDelta::seconds(5)).unwrap().refused, None);
    }

    #[test]
    fn fifty_a_second_hold_for_all_but_interactions() {
        let (mut limits, now) = (Limits::new(true), Timestamp::UNIX_EPOCH);
        for channel in 0..50 {
            let channel = channel.to_string();
            let standing = limits.take(rule("POST", &["channels", &channel, "messages"]), now).unwrap();
            assert_eq!(standing.refused, None);
        }
        let refused = limits.take(rule("GET", &["users", "@me"]), now).unwrap();
        assert_eq!(refused.refused, Some(Scope::Global));
        assert_eq!(limits.take(rule("POST", &["interactions", "1", "t", "callback"]), now), None);
        assert_eq!(limits.take(rule("POST", &["webhooks", "1", "t"]), now).unwrap().refused, None);
    }
}
