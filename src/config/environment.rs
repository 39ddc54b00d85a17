//! `${NAME}` and `${NAME:-default}` in the texts of `drbot.toml`.
//!
//! So one shipped file serves the practice system, tests and production, which differ in ports and folders. Only whole
//! texts are looked at, after parsing: a value from the environment can never become a key or another line. `$${` is a
//! plain `${`.

use std::borrow::Cow;

use toml::de::DeValue;

use crate::runbook::{
    document::{Document, Place, Segment},
    problem::Problem,
};

/// What stands for a reference: by its place, the name of the variable, and the default that is written beside it.
pub type Answers<'a> = dyn Fn(&Place, &str, Option<&str>) -> Option<String> + 'a;

/// What a process's environment says; an empty variable is none.
pub fn of_process(lookup: impl Fn(&str) -> Option<String>) -> impl Fn(&Place, &str, Option<&str>) -> Option<String> {
    move |_, name, default| lookup(name).filter(|value| !value.is_empty()).or_else(|| default.map(str::to_owned))
}

/// The same on every machine: the default, and where there is none the reference as it is written.
pub fn of_no_machine(place: &Place, name: &str, default: Option<&str>) -> Option<String> {
    let first = place.segments().first();
    // Ids are numbers, and nobody reads them on paper.
    let is_id = matches!(first, Some(Segment::Key(key)) if ["discord", "roles"].contains(&key.as_str()));
    Some(match default {
        Some(default) => default.to_owned(),
        None if is_id => "1".to_owned(),
        None => format!("${{{name}}}"),
    })
}

/// Fills in every reference of the file.
pub fn fill_in(document: &mut Document<'_>, answers: &Answers<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut filled = Vec::new();
    for (key, value) in &document.root {
        walk(value.get_ref(), &Place::root().key(key.get_ref()), &mut |place, text| {
            if !text.contains("${") {
                return;
            }
            if names_a_secret(place) {
                problems.push(
                    document
                        .problem(place, "this is the name of a secret, not the secret")
                        .with_help("write the variable's name alone, like \"DB_PASSWORD\""),
                );
                return;
            }
            match expand(text, &|name, default| answers(place, name, default)) {
                Ok(text) => filled.push((place.clone(), text)),
                Err(message) => problems.push(document.problem(place, message)),
            }
        });
    }
    for (place, text) in filled {
        set(document, &place, text);
    }
    problems
}

/// Keys whose text is the name of a secret, and never the secret: it takes no reference.
pub const SECRET_KEYS: [&str; 6] = ["password", "bearer", "hmac", "secret", "token", "routing_key"];

/// Whether the text at a place is the name of a secret. What a target calls a variable of its own is none.
fn names_a_secret(place: &Place) -> bool {
    let is_paging = matches!(place.segments().first(), Some(Segment::Key(key)) if key == "paging");
    match place.last_key() {
        Some("password" | "bearer" | "hmac") => true,
        Some(key) => is_paging && SECRET_KEYS.contains(&key),
        None => false,
    }
}

fn walk(value: &DeValue<'_>, place: &Place, found: &mut dyn FnMut(&Place, &str)) {
    match value {
        DeValue::String(text) => found(place, text),
        DeValue::Table(table) => {
            for (key, inner) in table {
                walk(inner.get_ref(), &place.key(key.get_ref()), found);
            }
        }
        DeValue::Array(array) => {
            for (index, inner) in array.iter().enumerate() {
                walk(inner.get_ref(), &place.index(index), found);
            }
        }
        _ => {}
    }
}

fn set(document: &mut Document<'_>, place: &Place, text: String) {
    if let Some(value) = document.value_mut(place) {
        *value = DeValue::String(Cow::Owned(text));
    }
}

fn expand(text: &str, answer: &dyn Fn(&str, Option<&str>) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = &reference[2..];
            continue;
        }
        expanded.push_str(before);
        let end = reference.find('}').ok_or_else(|| format!("`{reference}` has no `}}`"))?;
        let inside = &reference[2..end];
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let good = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if name.is_empty() || !name.chars().all(good) {
            return Err(format!("`{name}` cannot be the name of a variable; write ${{NAME}} or ${{NAME:-default}}"));
        }
        match answer(name, default) {
            Some(value) => expanded.push_str(&value),
            None => {
                return Err(format!("the variable {name} is not set; put it into .env, or write ${{{name}:-default}}"));
            }
        }
        rest = &reference[end + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "PORT").then(|| "8081\"\n[roles]".to_owned())
    }

    #[test]
    fn references_are_filled_in() {
        let environment = of_process(|name| (name == "A").then(|| "1".to_owned()));
        let set = |name: &str, default: Option<&str>| environment(&Place::root(), name, default);
        assert_eq!(expand("x${A}y${B:-2}z$${A}${C:-}", &set).unwrap(), "x1y2z${A}");
        assert!(expand("${B}", &set).unwrap_err().contains("B is not set"));
        assert!(expand("${A", &set).is_err() && expand("${A B}", &set).is_err());
        assert_eq!(expand("costs $5", &set).unwrap(), "costs $5");
    }

    #[test]
    fn a_value_stays_a_value_and_a_problem_has_its_place() {
        let text = "a = \"${PORT}\"\nb = [\"x\", \"${NOTHING}\"]\npassword = \"${PORT}\"\n";
        let (mut document, _) = Document::parse(Path::new("drbot.toml"), text);
        let problems = fill_in(&mut document, &of_process(lookup));
        let places: Vec<_> = problems.iter().map(|problem| (problem.line, problem.column)).collect();
        assert_eq!(places, [(2, 11), (3, 12)]);
        assert_eq!(document.value(&Place::root().key("a")).unwrap().as_str(), Some("8081\"\n[roles]"));
        assert_eq!(document.root.len(), 3);
    }

    #[test]
    fn paper_knows_no_machine() {
        let text = "a = \"${PORT:-80}\"\nb = \"http://${HOST}\"\n[discord]\nguild = \"${GUILD}\"\n";
        let (mut document, _) = Document::parse(Path::new("drbot.toml"), text);
        assert_eq!(fill_in(&mut document, &of_no_machine), []);
        let root = Place::root();
        let text = |place: &Place| document.value(place).unwrap().as_str().unwrap().to_owned();
        assert_eq!((text(&root.key("a")), text(&root.key("b"))), ("80".to_owned(), "http://${HOST}".to_owned()));
        assert_eq!(text(&root.key("discord").key("guild")), "1");
    }
}
