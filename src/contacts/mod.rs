//! The contacts table: who is called in a disaster, and how.
//!
//! One row a person (or a desk): a role, a name, a Discord user, two telephone numbers, an emergency address, the ways that
//! they prefer, and when somebody last saw that they are reached. What must stay true: numbers and addresses are masked
//! wherever more than one person reads them, and a verification is of the addresses that are there.

pub mod dial;
pub mod differences;
pub mod edit;
pub mod file;
pub mod ladder;
pub mod prefer;
pub mod reach;
pub mod way;

use std::fmt;

use chrono::TimeDelta;

use self::way::Way;
use crate::{clock::Timestamp, config::settings::DiscordId};

/// More rows than anybody can call.
pub const MOST: usize = 200;
/// The longest role or name.
pub const LONGEST: usize = 80;
/// A verification is good for so long: numbers change, and nobody says so.
pub const VERIFIED_FOR: TimeDelta = TimeDelta::days(90);

/// A row of the contacts table. Role and name together name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// As ladders name it ("Database Administrator").
    pub role: String,
    pub name: String,
    pub discord: Option<DiscordId>,
    pub primary: Option<Phone>,
    pub secondary: Option<Phone>,
    pub emergency: Option<Address>,
    /// The ways that they want to be paged by, first things first; empty when they do not care.
    pub prefers: Vec<Way>,
    /// Void when one of the addresses is changed.
    pub verified: Option<Verified>,
}

/// Somebody has seen that a contact is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub at: Timestamp,
    pub by: String,
}

impl Contact {
    /// `Omar (Database Administrator)`.
    pub fn title(&self) -> String {
        format!("{} ({})", self.name, self.role)
    }

    /// Whether it is the same row: role and name together name it.
    pub fn is_row(&self, other: &Self) -> bool {
        self.role == other.role && self.name == other.name
    }

    /// Whether it is reached where the other is.
    pub fn has_addresses_of(&self, other: &Self) -> bool {
        self.discord == other.discord
            && self.primary == other.primary
            && self.secondary == other.secondary
            && self.emergency == other.emergency
    }

    /// Whether somebody should see to it that they are still reached.
    pub fn is_to_be_verified(&self, now: Timestamp) -> bool {
        self.verified.as_ref().is_none_or(|verified| now - verified.at > VERIFIED_FOR)
    }
}

/// A telephone number in the international form.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(pub(crate) String);

/// An address of electronic mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(pub(crate) String);

/// What cannot be a number or an address, and what can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub &'static str);

impl Phone {
    /// # Errors
    /// When nobody could be called by it.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        if text.contains(['x', 'X']) {
            return Err(Unusable("this is a placeholder: put in the number, or leave it empty"));
        }
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let shaped =
            text.starts_with('+') && text[1..].chars().all(|one| one.is_ascii_digit() || " -.()/".contains(one));
        // E.164: at most 15 digits with the country's code.
        if shaped && (7..=15).contains(&digits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Unusable("this is no number in the international form, like +49 30 1234567"))
        }
    }

    /// For a person who has the right to it. Everywhere else it is shown masked.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Address {
    /// # Errors
    /// When nothing could be sent to it.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        let good = text.split_once('@').is_some_and(|(box_, domain)| {
            let clean = |part: &str| {
                !part.is_empty()
                    && !part.contains(|one: char| one.is_whitespace() || one.is_control() || "@<>,;\"`".contains(one))
            };
            clean(box_) && clean(domain) && text.len() <= 254
        });
        if good { Ok(Self(text.to_owned())) } else { Err(Unusable("this is no mail address, like ops@example.org")) }
    }

    /// For a person who has the right to it. Everywhere else it is shown masked.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// `+49 •• •••••67`: the country and the last two digits, enough to recognise it, too little to call it.
impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.chars().filter(char::is_ascii_digit).count();
        let mut seen = 0;
        for letter in self.0.chars() {
            let shown = match letter {
                one if one.is_ascii_digit() => {
                    seen += 1;
                    if seen <= 2 || seen > digits - 2 { one } else { '•' }
                }
                one => one,
            };
            write!(f, "{shown}")?;
        }
        Ok(())
    }
}

/// `o••@example.org`
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (box_, domain) = self.0.split_once('@').unwrap_or(("", ""));
        write!(f, "{}••@{domain}", box_.chars().next().unwrap_or('•'))
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({self})")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_can_be_recognised_and_not_called() {
        assert_eq!(Phone::parse("+49 30 1234567").unwrap().to_string(), "+49 •• •••••67");
        assert_eq!(Phone::parse("+1-555-010-0199").unwrap().to_string(), "+1-5••-•••-••99");
        assert_eq!(Address::parse("ops@antbot.local").unwrap().to_string(), "o••@antbot.local");
        assert_eq!(format!("{:?}", Phone::parse("+1-555-010-0199").unwrap()), "Phone(+1-5••-•••-••99)");
    }

    #[test]
    fn what_nobody_can_be_reached_by_is_refused() {
        for bad in ["+1-XXX-XXX-XXXX", "030 1234567", "+12", "+49 30 1234567 89012345", "call me", "+1;rm", ""] {
            assert!(Phone::parse(bad).is_err(), "{bad}");
        }
        for bad in ["ops", "@x", "ops@", "a@b@c", "a b@c", "<a@b>", "a@b\n"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
