//! From a parsed file to typed values, with every mistake and not only the first.
//!
//! serde stops at the first mistake. So the mistake is noted, repaired in the tree (a misspelt key gets its right name,
//! a wrong value is taken out or replaced by a stand-in), and the tree is decoded again. What must stay true: a problem
//! is reported once, and never because of an earlier repair; and each round changes the tree, so that the loop ends.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeValue, ValueDeserializer},
};

use super::{
    document::{Document, MOST_PROBLEMS, Place},
    problem::Problem,
    suggest,
};

/// What stands in for a value that is wrong or missing, so that the rest can be looked at. `None`: the nearest thing
/// around it that can be left out is left out.
pub type StandIn = dyn Fn(&Place) -> Option<DeValue<'static>>;

/// Decodes the whole file. There is a value whenever one can be made of what is right; use it only to look for more
/// problems when there are any.
pub fn decode<T: DeserializeOwned>(document: &mut Document<'_>, stand_in: &StandIn) -> (Option<T>, Vec<Problem>) {
    let mut decoding = Decoding { document, stand_in, problems: Vec::new() };
    for _ in 0..2 * MOST_PROBLEMS {
        let tree = Spanned::new(0..0, DeValue::Table(decoding.document.root.clone()));
        let error = match T::deserialize(ValueDeserializer::from(tree)) {
            Ok(value) => return (Some(value), decoding.problems),
            Err(error) => error,
        };
        let place = error.span().map_or_else(Place::root, |span| decoding.document.find(&span));
        if !decoding.settle(&place, &Mistake::of(error.message())) {
            break;
        }
    }
    (None, decoding.problems)
}

/// What serde says, read back from its words: it has no other way to tell.
#[derive(Debug, PartialEq)]
enum Mistake {
    /// A key or a variant that is not among the allowed.
    Unknown {
        what: &'static str,
        word: String,
        allowed: Vec<String>,
    },
    Missing(String),
    Wrong(String),
}

impl Mistake {
    fn of(message: &str) -> Self {
        let mut words = message.split('`').skip(1).step_by(2).map(str::to_owned);
        for (start, what) in [("unknown field", "key"), ("unknown variant", "value")] {
            if message.starts_with(start) {
                let word = words.next().unwrap_or_default();
                return Self::Unknown { what, word, allowed: words.collect() };
            }
        }
        if message.starts_with("missing field") {
            return Self::Missing(words.next().unwrap_or_default());
        }
        let list = |text: &str| text.split(", ").map(str::to_owned).collect::<Vec<_>>();
        if let Some((unknown, allowed)) =
            message.strip_prefix("unexpected keys in table: ").and_then(|rest| rest.split_once(", available keys: "))
        {
            let word = list(unknown).into_iter().next().unwrap_or_default();
            return Self::Unknown { what: "key", word, allowed: list(allowed) };
        }
        Self::Wrong(message.to_owned())
    }
}

struct Decoding<'d, 't> {
    document: &'d mut Document<'t>,
    stand_in: &'d StandIn,
    problems: Vec<Problem>,
}

impl Decoding<'_, '_> {
    /// Notes a mistake and repairs the tree. False when nothing more can be done.
    fn settle(&mut self, place: &Place, mistake: &Mistake) -> bool {
        match mistake {
            Mistake::Unknown { what, word, allowed } => {
                let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
                let is_key = place.last_key() == Some(word.as_str());
                let what = if is_key { "key" } else { *what };
                self.report(place, is_key, format!("unknown {what} `{word}`"), Some(unknown(word, &allowed)));
                if is_key { self.rename(place, word, &allowed) } else { self.replace(place) }
            }
            Mistake::Missing(field) => {
                let missing = place.key(field);
                if !self.document.repaired.contains(&missing) && !self.document.has_broken_lines() {
                    self.report(place, true, format!("`{field}` is missing{}", within(place)), None);
                }
                self.fill(&missing) || self.replace(place)
            }
            Mistake::Wrong(message) => {
                // Without a place it is about what was put in for something else, which was reported.
                if !place.segments().is_empty() || self.document.repaired.is_empty() {
                    let help = self.shape(place, message);
                    self.report(place, false, plain(message), help);
                }
                self.replace(place)
            }
        }
    }

    fn report(&mut self, place: &Place, at_key: bool, message: String, help: Option<String>) {
        if self.document.repaired.contains(place) {
            return;
        }
        let mut problem =
            if at_key { self.document.problem_at_key(place, message) } else { self.document.problem(place, message) };
        problem.help = help;
        if !self.document.is_consequence(&problem) && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Gives a misspelt key its right name, so that what it says is looked at too. Takes it out when there is none.
    fn rename(&mut self, place: &Place, word: &str, allowed: &[&str]) -> bool {
        let Some(parent) = place.parent() else { return false };
        let Some(table) = self.document.table_mut(&parent) else { return false };
        let Some((key, value)) = table.remove_entry(word) else { return false };
        match suggest::nearest(word, allowed.iter().copied()) {
            Some(right) if !table.contains_key(right) => {
                table.insert(Spanned::new(key.span(), Cow::Owned(right.to_owned())), value);
                true
            }
            // An action or verb that nobody knows: its table is empty now, and so no action any more.
            _ if table.is_empty() => {
                self.document.repaired.insert(place.clone());
                self.document.repaired.insert(parent.clone());
                self.replace(&parent)
            }
            _ => true,
        }
    }

    /// Puts a stand-in where something is missing.
    fn fill(&mut self, missing: &Place) -> bool {
        if self.document.repaired.contains(missing) {
            return false;
        }
        let Some(value) = (self.stand_in)(missing) else { return false };
        let (Some(parent), Some(key)) = (missing.parent(), missing.last_key()) else { return false };
        let Some(table) = self.document.table_mut(&parent) else { return false };
        table.insert(Spanned::new(0..0, Cow::Owned(key.to_owned())), Spanned::new(0..0, value));
        self.document.repaired.insert(missing.clone());
        true
    }

    /// Replaces what is wrong by a stand-in, or takes it out; then what is around it may be the next to go.
    fn replace(&mut self, place: &Place) -> bool {
        let first_time = self.document.repaired.insert(place.clone());
        if place.segments().is_empty() {
            return false;
        }
        if first_time && let Some(value) = (self.stand_in)(place) {
            let (Some(parent), Some(key)) = (place.parent(), place.last_key()) else { return false };
            let Some(table) = self.document.table_mut(&parent) else { return false };
            let Some((key, old)) = table.remove_entry(key) else { return false };
            table.insert(key, Spanned::new(old.span(), value));
            return true;
        }
        // Elements after a removed one would change places; the list goes as a whole unless it is empty anyway.
        if place.last_key().is_none()
            && let Some(parent) = place.parent()
        {
            return self.replace(&parent);
        }
        if !self.document.remove(place) {
            return false;
        }
        // An action or a verb whose value was wrong: what is left of it is none any more.
        if let Some(parent) = place.parent().filter(|parent| parent.last_key().is_some_and(is_choice))
            && self.document.value(&parent).and_then(DeValue::as_table).is_some_and(|table| table.is_empty())
        {
            return self.replace(&parent);
        }
        true
    }

    /// How a value is written whose type is wrong.
    fn shape(&self, place: &Place, message: &str) -> Option<String> {
        // A list of tables and the first of them stand at the same place.
        let parent = place.parent()?;
        let place = if place.last_key().is_none() { &parent } else { place };
        let key = place.last_key()?;
        let value = self.document.value(place)?;
        let is_list = message.contains("expected a sequence");
        Some(match (key, value) {
            ("steps" | "parallel", DeValue::Table(_)) if is_list => format!("write [[{key}]], with two brackets"),
            ("options", DeValue::Array(_)) => "write [options.NAME] for each".to_owned(),
            (_, DeValue::String(text)) if is_list => format!("write it as a list: [\"{}\"]", short(text)),
            _ => return None,
        })
    }
}

/// Whether a table with this key is a choice of one among several.
fn is_choice(key: &str) -> bool {
    ["action", "compose", "docker", "metrics", "postgres", "undo", "until"].contains(&key)
}

/// What to do about a key or word that is none.
fn unknown(word: &str, allowed: &[&str]) -> String {
    let help = suggest::help(word, allowed.iter().copied());
    match word {
        "url" | "uri" | "method" if allowed.contains(&"get") => {
            format!("the method is the key of the URL: `get = \"https://…\"`; {help}")
        }
        _ => help,
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// ` in …` for messages about something that is not there.
fn within(place: &Place) -> String {
    match place.last_key() {
        Some(key) if key != "action" => format!(" in `{key}`"),
        _ => String::new(),
    }
}

/// What serde calls by the names of types, as a file writes it.
const SHAPES: [(&str, &str); 7] = [
    ("expected struct Http", "expected a table like { get = \"https://…\" }"),
    ("expected struct Exec", "expected a table like { program = \"systemctl\", args = [\"restart\", \"…\"] }"),
    ("expected struct Notify", "expected a table like { message = \"…\" }"),
    ("expected struct Ask", "expected a table like { question = \"…\", choices = [\"…\"] }"),
    ("expected struct Wait", "expected a table like { for = \"10s\" }"),
    ("expected struct Host", "expected a table, like {}"),
    ("expected struct Retry", "expected a table like { attempts = 3 }"),
];

/// The same where serde goes on with the name of a variant or type.
const VARIANTS: [(&str, &str); 3] = [
    ("expected struct variant Docker::Ps", "expected a table like { containers = [\"…\"] }"),
    ("expected struct variant Docker::", "expected a table like { container = \"…\" }"),
    ("expected struct", "expected a table"),
];

/// serde's words for types, in words for people.
fn plain(message: &str) -> String {
    let mut message = message.to_owned();
    for (of_types, shape) in SHAPES {
        message = message.replace(of_types, shape);
    }
    for (of_types, shape) in VARIANTS {
        if let Some((before, _)) = message.split_once(of_types) {
            message = format!("{before}{shape}");
        }
    }
    message
        .replace("wanted exactly 1 element, found 0 elements", "expected one action, found none")
        .replace("wanted exactly 1 element, more than 1 element", "expected one action, found several")
        .replace("wanted string or table", "expected a text or a table")
        .replace("expected u8", "expected a whole number from 0 to 255")
        .replace("expected u16", "expected a whole number from 0 to 65535")
        .replace("expected u32", "expected a whole number")
        .replace("expected f64", "expected a number")
        .replace("a sequence", "a list")
        .replace("type: sequence", "type: a list")
        .replace("expected a string", "expected a text in quotes")
        .replace("expected a boolean", "expected true or false")
        .replace(": map,", ": a table,")
        .replace("expected a map", "expected a table")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only decoded")]
    struct Toy {
        name: String,
        #[serde(default)]
        size: Option<u8>,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        parts: BTreeMap<String, Part>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Soft,
        Hard,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only decoded")]
    struct Part {
        weight: u8,
    }

    fn problems(text: &str) -> Vec<String> {
        let (mut document, mut problems) = Document::parse(Path::new("toy.toml"), text);
        problems.extend(decode::<Toy>(&mut document, &|_| None).1);
        problems.sort();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_file_has_no_problem() {
        assert!(problems("name = 'bear'\nkind = 'soft'\nparts.eye.weight = 1").is_empty());
    }

    #[test]
    fn all_mistakes_are_reported_once() {
        let text = "nmae = 'bear'\nsize = 'big'\nkind = 'sofd'\nparts.eye.weight = 1\nparts.ear.wight = 'x'\nparts.leg = {}\ncolour = 1\n";
        insta::assert_snapshot!(problems(text).join("\n"), @r#"
        toy.toml:1:1: unknown key `nmae`
            did you mean `name`? allowed: kind, name, parts, size
        toy.toml:2:8: invalid type: string "big", expected a whole number from 0 to 255
        toy.toml:3:8: unknown value `sofd`
            did you mean `soft`? allowed: hard, soft
        toy.toml:5:11: unknown key `wight`
            did you mean `weight`? allowed: weight
        toy.toml:5:19: invalid type: string "x", expected a whole number from 0 to 255
        toy.toml:6:7: `weight` is missing in `leg`
        toy.toml:7:1: unknown key `colour`
            allowed: kind, name, parts, size
        "#);
    }

    #[test]
    fn a_broken_line_causes_no_follow_up() {
        assert_eq!(problems("name = \nsize = 1\n").len(), 1);
        assert_eq!(problems("name\nsize = 'x'\n").len(), 1);
    }

    #[test]
    fn what_is_missing_is_said_once() {
        insta::assert_snapshot!(problems("size = 1").join("\n"), @"toy.toml: `name` is missing");
    }
}
