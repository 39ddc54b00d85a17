//! The contacts table as a file: comma-separated values, with the columns of the written runbook and four more.
//!
//! `Role, Name, Discord, Primary, Secondary, Emergency, Preferred, Verified`, in any order, the names in any case. What must
//! stay true: a file with mistakes changes nothing, every mistake is named with its line and column, and what a file does not
//! speak of it does not change.

use std::path::Path;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};

use super::{Address, Contact, MOST, Phone, Unusable, Verified, edit::label, prefer};
use crate::{clock::Timestamp, config::settings::DiscordId, runbook::problem::Problem};

/// Each column, and what else people call it.
const COLUMNS: [(&str, &[&str]); 8] = [
    ("Role", &[]),
    ("Name", &["contact", "person"]),
    ("Discord", &["discord user", "discord id", "discord user id"]),
    ("Primary", &["primary phone", "phone"]),
    ("Secondary", &["secondary phone"]),
    ("Emergency", &["emergency address", "emergency e-mail", "emergency email", "e-mail", "email"]),
    ("Preferred", &["prefers", "preferred ways"]),
    ("Verified", &["last verified", "verified at"]),
];
const ROLE: usize = 0;
const NAME: usize = 1;
const DISCORD: usize = 2;
const PRIMARY: usize = 3;
const SECONDARY: usize = 4;
const EMERGENCY: usize = 5;
const PREFERRED: usize = 6;
const VERIFIED: usize = 7;

/// Who a file says verified a contact: it has no column for that.
const BY_A_FILE: &str = "a file";
/// A date that somebody wrote where it is tomorrow already.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub contacts: Vec<Contact>,
    speaks_of_preferences: bool,
    speaks_of_verifications: bool,
}

impl Table {
    /// The table that is to be in the place of `old`. A verification is of the addresses that were there: it stays where
    /// they do, and one that a file carries along with other addresses is void.
    pub fn over(self, old: &[Contact]) -> Vec<Contact> {
        let mut contacts = self.contacts;
        for contact in &mut contacts {
            let Some(before) = old.iter().find(|before| before.is_row(contact)) else { continue };
            if !self.speaks_of_preferences {
                contact.prefers = before.prefers.iter().copied().filter(|way| contact.has(*way)).collect();
            }
            let is_known = |verified: &Verified| before.verified.as_ref().is_some_and(|known| verified.at <= known.at);
            let same_addresses = before.has_addresses_of(contact);
            contact.verified = match contact.verified.take() {
                None if self.speaks_of_verifications || !same_addresses => None,
                None => before.verified.clone(),
                Some(verified) if is_known(&verified) && !same_addresses => None,
                // The store knows who it was.
                Some(verified) => {
                    let known = before.verified.as_ref().filter(|known| known.at == verified.at);
                    Some(known.cloned().unwrap_or(verified))
                }
            };
        }
        contacts
    }
}

/// The contacts of a file.
///
/// # Errors
/// Every mistake in it.
pub fn parse(path: &Path, text: &str, now: Timestamp) -> Result<Table, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut problems = Vec::new();
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Err(vec![unreadable(path, text, &error)]),
    };
    let Some(columns) = columns(path, text, &header, &mut problems) else { return Err(problems) };
    let mut contacts: Vec<Contact> = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                problems.push(unreadable(path, text, &error));
                continue;
            }
        };
        let line = record.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(1));
        let row = Row { path, text, line, now, record: &record, columns: &columns };
        let known = contacts.len();
        let contact = row.contact(&mut problems);
        let Some(contact) = contact else { continue };
        if contacts.iter().any(|one| one.role == contact.role && one.name == contact.name) {
            problems.push(row.problem(NAME, format!("{} is there twice", contact.title()), ""));
        } else if known == MOST {
            problems.push(row.problem(ROLE, format!("a table has at most {MOST} contacts"), ""));
            break;
        } else {
            contacts.push(contact);
        }
    }
    if contacts.is_empty() && problems.is_empty() {
        problems
            .push(Problem::of_file(path, "there is no contact in it").with_help("one row a person, below the header"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Table {
        contacts,
        speaks_of_preferences: columns[PREFERRED].is_some(),
        speaks_of_verifications: columns[VERIFIED].is_some(),
    })
}

/// The contacts as a file that [`parse`] reads, with every number whole.
///
/// # Errors
/// Never in practice; the writer's own.
pub fn print(contacts: &[Contact]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS.map(|(name, _)| name))?;
    for contact in contacts {
        let discord = contact.discord.map(|id| id.to_string()).unwrap_or_default();
        let phone = |phone: &Option<Phone>| phone.as_ref().map(|phone| phone.0.clone()).unwrap_or_default();
        let emergency = contact.emergency.as_ref().map(|address| address.0.clone()).unwrap_or_default();
        let (primary, secondary) = (phone(&contact.primary), phone(&contact.secondary));
        let preferred = prefer::print(&contact.prefers);
        let verified = contact.verified.as_ref();
        let verified = verified.map(|verified| verified.at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        writer.write_record([
            &contact.role,
            &contact.name,
            &discord,
            &primary,
            &secondary,
            &emergency,
            &preferred,
            &verified.unwrap_or_default(),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// For each of [`COLUMNS`], where the file has it.
type Places = [Option<usize>; COLUMNS.len()];

fn columns(path: &Path, text: &str, header: &csv::StringRecord, problems: &mut Vec<Problem>) -> Option<Places> {
    let mut places = Places::default();
    let names = || COLUMNS.map(|(name, _)| name).join(", ");
    for (place, title) in header.iter().enumerate() {
        let title = title.to_lowercase().replace('_', " ");
        let found =
            COLUMNS.iter().position(|(name, others)| title == name.to_lowercase() || others.contains(&title.as_str()));
        let problem = |message: String| {
            Problem::at(path, text, offset(text, 1, place), message).with_help(format!("the columns are {}", names()))
        };
        match found {
            Some(found) if places[found].is_some() => {
                problems.push(problem(format!("the column `{title}` is there twice")))
            }
            Some(found) => places[found] = Some(place),
            None => problems.push(problem(format!("there is no column `{title}`"))),
        }
    }
    if places[ROLE].is_none() {
        problems.push(
            Problem::at(path, text, 0, "the column `Role` is missing")
                .with_help(format!("the columns are {}", names())),
        );
    }
    places[ROLE].map(|_| places)
}

struct Row<'a> {
    path: &'a Path,
    text: &'a str,
    line: usize,
    now: Timestamp,
    record: &'a csv::StringRecord,
    columns: &'a Places,
}

impl Row<'_> {
    /// What stands in one of [`COLUMNS`]; `None` when nothing does.
    fn field(&self, which: usize) -> Option<&str> {
        self.columns[which].and_then(|place| self.record.get(place)).filter(|text| !text.is_empty())
    }

    fn problem(&self, which: usize, message: impl Into<String>, help: &str) -> Problem {
        let place = offset(self.text, self.line, self.columns[which].unwrap_or(0));
        let problem = Problem::at(self.path, self.text, place, message);
        if help.is_empty() { problem } else { problem.with_help(help) }
    }

    fn contact(&self, problems: &mut Vec<Problem>) -> Option<Contact> {
        let before = problems.len();
        let most = self.columns.iter().flatten().max().map_or(0, |last| last + 1);
        if self.record.len() > most.max(COLUMNS.len()) {
            let message = format!("this row has {} fields", self.record.len());
            problems.push(self.problem(ROLE, message, "a field with a comma in it stands in double quotes"));
        }
        let role = self.field(ROLE).unwrap_or_default().to_owned();
        if role.is_empty() {
            problems.push(self.problem(ROLE, "the role is missing", "ladders call people by their role"));
        }
        // The written runbook has roles only.
        let name = self.field(NAME).unwrap_or(&role).to_owned();
        // That the role is missing is said already, and that it cannot be a name, too, where there is none.
        for which in [ROLE, NAME] {
            if let Some(Err(unusable)) = self.field(which).map(label) {
                problems.push(self.problem(which, unusable.0, ""));
            }
        }
        let discord = self.parsed(DISCORD, problems, discord_user);
        let primary = self.parsed(PRIMARY, problems, Phone::parse);
        let secondary = self.parsed(SECONDARY, problems, Phone::parse);
        let emergency = self.parsed(EMERGENCY, problems, Address::parse);
        let prefers = self.parsed(PREFERRED, problems, prefer::parse).unwrap_or_default();
        let at = self.parsed(VERIFIED, problems, |text| moment(text, self.now));
        let verified = at.map(|at| Verified { at, by: BY_A_FILE.to_owned() });
        if problems.len() > before {
            return None;
        }
        if discord.is_none() && primary.is_none() && secondary.is_none() && emergency.is_none() {
            let help = "a Discord user, a number or an address";
            problems.push(self.problem(ROLE, format!("{name} ({role}) cannot be reached by anything"), help));
            return None;
        }
        let contact = Contact { role, name, discord, primary, secondary, emergency, prefers, verified };
        if let Err(unusable) = contact.fits_its_preferences() {
            problems.push(self.problem(PREFERRED, unusable.0, ""));
            return None;
        }
        Some(contact)
    }

    fn parsed<T>(
        &self,
        which: usize,
        problems: &mut Vec<Problem>,
        parse: impl Fn(&str) -> Result<T, Unusable>,
    ) -> Option<T> {
        // The text may be somebody's number, and is not repeated.
        parse(self.field(which)?).map_err(|unusable| problems.push(self.problem(which, unusable.0, ""))).ok()
    }
}

/// A Discord user, as the id is copied, or as a mention.
///
/// # Errors
/// When it is none.
pub(super) fn discord_user(text: &str) -> Result<DiscordId, Unusable> {
    let id = text.trim_start_matches("<@").trim_start_matches('!').trim_end_matches('>');
    let id = id
        .parse()
        .ok()
        .filter(|id| *id != 0 && (15..=20).contains(&text.trim_matches(|one| "<@!>".contains(one)).len()));
    id.map(DiscordId)
        .ok_or(Unusable("this is no Discord user's id, a number of 17 to 20 digits (Discord: Copy User ID)"))
}

/// When somebody verified it: a date, or a date with a time.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Unusable> {
    let date = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| date.and_time(NaiveTime::MIN));
    let at = DateTime::parse_from_rfc3339(text)
        .map(|at| at.with_timezone(&Utc))
        .or_else(|_| date(text).map(|at| at.and_utc()))
        .map_err(|_| Unusable("this is no date, like 2026-11-23 or 2026-11-23T06:08:58Z"))?;
    if at > now + AHEAD {
        return Err(Unusable("this has not come yet: it is when somebody last saw that the contact is reached"));
    }
    // What the store keeps.
    DateTime::from_timestamp_micros(at.timestamp_micros()).ok_or(Unusable("this is no date, like 2026-11-23"))
}

fn unreadable(path: &Path, text: &str, error: &csv::Error) -> Problem {
    let line = error.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(1));
    Problem::at(path, text, offset(text, line, 0), format!("this is not comma-separated text: {error}"))
}

/// Where the field `place` of a line begins, in bytes of the whole text.
fn offset(text: &str, line: usize, place: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let (mut quoted, mut commas) = (false, 0);
    for (index, letter) in text[start..].char_indices() {
        match letter {
            '\n' if !quoted => break,
            letter if commas == place && !letter.is_whitespace() => return start + index,
            '"' => quoted = !quoted,
            ',' if !quoted => commas += 1,
            _ => {}
        }
    }
    start
}

#[cfg(test)]
mod tests;
