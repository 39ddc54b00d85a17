//! The contacts table as a file: comma-separated values, with the columns of the written runbook and two more.
//!
//! `Role, Name, Discord, Primary, Secondary, Emergency`, in any order, the names in any case. What must stay true: a file
//! with mistakes changes nothing, and every mistake is named with its line and column.

use std::path::Path;

use super::{Address, Contact, Phone, Unusable};
use crate::{config::settings::DiscordId, runbook::problem::Problem};

/// Each column, and what else people call it.
const COLUMNS: [(&str, &[&str]); 6] = [
    ("Role", &[]),
    ("Name", &["contact", "person"]),
    ("Discord", &["discord user", "discord id", "discord user id"]),
    ("Primary", &["primary phone", "phone"]),
    ("Secondary", &["secondary phone"]),
    ("Emergency", &["emergency address", "emergency e-mail", "emergency email", "e-mail", "email"]),
];
const ROLE: usize = 0;
const NAME: usize = 1;
const DISCORD: usize = 2;
const PRIMARY: usize = 3;
const SECONDARY: usize = 4;
const EMERGENCY: usize = 5;

/// The longest role or name.
const LONGEST: usize = 80;
/// More rows than anybody can call.
const MOST: usize = 200;

/// The contacts of a file.
///
/// # Errors
/// Every mistake in it.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Contact>, Vec<Problem>> {
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
        let row = Row { path, text, line, record: &record, columns: &columns };
        let known = contacts.len();
        let contact = row.contact(&mut problems);
        let Some(contact) = contact else { continue };
        if contacts.iter().any(|one| one.role == contact.role && one.name == contact.name) {
            problems.push(row.problem(NAME, format!("{} ({}) is there twice", contact.name, contact.role), ""));
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
    if problems.is_empty() { Ok(contacts) } else { Err(problems) }
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
        writer.write_record([&contact.role, &contact.name, &discord, &primary, &secondary, &emergency])?;
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
        for (which, text) in [(ROLE, &role), (NAME, &name)] {
            if text.chars().count() > LONGEST || text.chars().any(char::is_control) {
                problems.push(self.problem(which, format!("this is not one line of at most {LONGEST} characters"), ""));
            }
        }
        let discord = self.parsed(DISCORD, problems, |text| {
            // As it is copied, or as a mention.
            let id = text.trim_start_matches("<@").trim_start_matches('!').trim_end_matches('>');
            let id = id
                .parse()
                .ok()
                .filter(|id| *id != 0 && (15..=20).contains(&text.trim_matches(|one| "<@!>".contains(one)).len()));
            id.map(DiscordId)
                .ok_or(Unusable("this is no Discord user's id, a number of 17 to 20 digits (Discord: Copy User ID)"))
        });
        let primary = self.parsed(PRIMARY, problems, Phone::parse);
        let secondary = self.parsed(SECONDARY, problems, Phone::parse);
        let emergency = self.parsed(EMERGENCY, problems, Address::parse);
        if problems.len() > before {
            return None;
        }
        if discord.is_none() && primary.is_none() && secondary.is_none() && emergency.is_none() {
            let help = "a Discord user, a number or an address";
            problems.push(self.problem(ROLE, format!("{name} ({role}) cannot be reached by anything"), help));
            return None;
        }
        Some(Contact { role, name, discord, primary, secondary, emergency })
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
