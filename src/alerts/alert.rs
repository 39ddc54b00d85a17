//! One alert, whoever sent it.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;

/// Labels of one alert; what is beyond is left out, in the order of their names.
const MOST_LABELS: usize = 64;
/// Characters of a label's name, its value, a name, a one-line text, a longer text.
const LABEL_NAME: usize = 100;
const LABEL_VALUE: usize = 300;
const NAME: usize = 150;
const SUMMARY: usize = 500;
const DESCRIPTION: usize = 2000;
const URL: usize = 1000;

/// Whether it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Firing,
    Resolved,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// Something is wrong, or is not wrong any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Which way it came: `alertmanager` or `generic`.
    pub source: String,
    /// What it is to the sender: the same for each time that the same thing is wrong.
    pub fingerprint: String,
    pub name: String,
    pub status: Status,
    /// Since when, as the sender says. It may be in the year 1, or in the future: [`Alert::began`] is for calculating.
    pub starts_at: Timestamp,
    pub ends_at: Option<Timestamp>,
    pub labels: BTreeMap<String, String>,
    /// One line: what is wrong.
    pub summary: String,
    /// The evidence. May be empty.
    pub description: String,
    /// Where to look: `http` or `https`, else empty.
    pub url: String,
    /// Of the settings; assigned by [`super::rules::Rules`].
    pub scenario: Option<String>,
    /// Of the settings; assigned by [`super::rules::Rules`].
    pub target: Option<String>,
}

/// What an alert was to the store before, and is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It fires, and did not before.
    New,
    /// It fired, and does not any more.
    Resolved,
    /// It is over, and was not heard of while it fired. That it fired is not believed afterwards.
    Missed,
    /// Known.
    Repeated,
}

/// An alert as it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertChange {
    pub alert: Alert,
    pub change: Change,
}

/// An alert as its sender words it, before it is made small and harmless.
#[derive(Debug)]
pub(super) struct Raw {
    pub source: &'static str,
    pub fingerprint: String,
    pub name: String,
    pub status: Status,
    pub starts_at: Timestamp,
    pub ends_at: Option<Timestamp>,
    pub labels: BTreeMap<String, String>,
    pub summary: String,
    pub description: String,
    pub url: String,
}

impl Alert {
    pub(super) fn of(raw: Raw) -> Self {
        let fingerprint = fingerprint(&raw);
        let name = Some(line(&raw.name, NAME)).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| "unnamed alert".to_owned());
        let summary = Some(line(&raw.summary, SUMMARY)).filter(|summary| !summary.is_empty());
        Self {
            source: raw.source.to_owned(),
            fingerprint,
            status: raw.status,
            starts_at: to_the_microsecond(raw.starts_at),
            ends_at: raw.ends_at.filter(|_| raw.status == Status::Resolved).map(to_the_microsecond),
            labels: labels(&raw.labels),
            summary: summary.unwrap_or_else(|| name.clone()),
            name,
            description: lines(&raw.description, DESCRIPTION),
            url: url(&raw.url),
            scenario: None,
            target: None,
        }
    }

    /// What makes it this alert and no other.
    pub fn key(&self) -> (&str, &str, Timestamp) {
        (&self.source, &self.fingerprint, self.starts_at)
    }

    /// Since when it is to be counted: never later than it was received, and that moment when the sender's is no
    /// plausible time.
    pub fn began(&self, received_at: Timestamp) -> Timestamp {
        if self.starts_at.year() < FIRST_YEAR { received_at } else { self.starts_at.min(received_at) }
    }
}

/// Before it nobody's monitoring has fired; Alertmanager's "no time" is in the year 1.
const FIRST_YEAR: i32 = 2000;

/// A time of the sender's; `None` for Alertmanager's "no time".
pub(super) fn time(text: &str) -> Result<Option<Timestamp>, chrono::ParseError> {
    let at: Timestamp = DateTime::parse_from_rfc3339(text)?.into();
    Ok((at.year() >= FIRST_YEAR).then_some(at))
}

/// What the store keeps.
fn to_the_microsecond(at: Timestamp) -> Timestamp {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// The sender's own, when it is there and fits; else a digest of what it is of.
fn fingerprint(raw: &Raw) -> String {
    let fits = |text: &str| (1..=LABEL_VALUE).contains(&text.len()) && !text.contains(char::is_control);
    if fits(&raw.fingerprint) {
        return raw.fingerprint.clone();
    }
    let mut hash = Sha256::new();
    let labels = raw.labels.iter().flat_map(|(name, value)| [name, value]);
    for part in std::iter::once(&raw.fingerprint).chain(labels) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn labels(given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let cut = |(name, value): (&String, &String)| (line(name, LABEL_NAME), line(value, LABEL_VALUE));
    given.iter().take(MOST_LABELS).map(cut).filter(|(name, _)| !name.is_empty()).collect()
}

fn url(text: &str) -> String {
    let is_url = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    let is_plain = text.chars().all(|letter| letter.is_ascii_graphic());
    if is_url && is_plain && text.len() <= URL { text.to_owned() } else { String::new() }
}

/// One line of at most so many characters, without control characters.
pub(super) fn line(text: &str, most: usize) -> String {
    lines(text, most).replace('\n', " ")
}

/// As [`line`], with its ends of lines.
fn lines(text: &str, most: usize) -> String {
    let text: String = text.chars().map(harmless).collect();
    let text = text.trim();
    let mut kept: String = text.chars().take(most).collect();
    if text.chars().nth(most).is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

fn harmless(letter: char) -> char {
    if letter.is_control() && letter != '\n' { ' ' } else { letter }
}
