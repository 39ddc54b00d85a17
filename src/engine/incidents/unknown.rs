//! Alerts that no rule says anything of: they open nothing, and are told in the channel, so that nobody believes that drbot
//! has taken care of them. What must stay true: however many come, the channel stays readable.

use std::{collections::VecDeque, time::Duration};

use crate::clock::{Timestamp, elapsed};

/// One of a name is told once in so long …
const SAME: Duration = Duration::from_secs(3600);
/// … and of all together so many within …
const MOST: usize = 5;
/// … so long.
const WITHIN: Duration = Duration::from_secs(600);

/// What was told lately, oldest first.
#[derive(Debug, Default)]
pub(super) struct Told(VecDeque<(String, Timestamp)>);

impl Told {
    /// Whether this one is to be told; it counts as told then.
    pub(super) fn is_news(&mut self, name: &str, now: Timestamp) -> bool {
        while self.0.front().is_some_and(|(_, at)| elapsed(*at, now) >= SAME) {
            self.0.pop_front();
        }
        let lately = self.0.iter().filter(|(_, at)| elapsed(*at, now) < WITHIN).count();
        let is_news = lately < MOST && !self.0.iter().any(|(told, _)| told == name);
        if is_news {
            self.0.push_back((name.to_owned(), now));
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_an_hour_and_a_flood_is_not() {
        let (mut told, start) = (Told::default(), Timestamp::UNIX_EPOCH);
        assert!(told.is_news("a", start) && !told.is_news("a", start + Duration::from_secs(3599)));
        assert!(told.is_news("a", start + SAME));
        let flood =
            |told: &mut Told, at| (0..1000).filter(|number| told.is_news(&format!("{at} {number}"), at)).count();
        assert_eq!(flood(&mut told, start + SAME), MOST - 1);
        assert_eq!(flood(&mut told, start + SAME + WITHIN), MOST);
    }
}
