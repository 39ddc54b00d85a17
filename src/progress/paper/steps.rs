//! The steps of a command as paper numbers them, and what an expression says of them by those numbers.
//!
//! A call stands with the steps of the called command under it (`3`, `3.1`, `3.2`), so that nobody turns pages. What must
//! stay true: the order is the one in which the bot does them.

use std::collections::BTreeMap;

use crate::runbook::{
    action::Action,
    definition::{Command, Effect, OnFailure, Step},
};

/// A step on paper.
#[derive(Debug)]
pub struct Item<'a> {
    pub number: String,
    /// As a run knows it: `halt.stop`.
    pub id: String,
    /// Where its expressions look for steps: empty, or `halt.` in a called command.
    pub scope: String,
    pub step: &'a Step,
    /// The command that it calls.
    pub called: Option<&'a str>,
    pub on_failure: OnFailure,
}

/// Every step of a command, in order, with those that it calls.
pub fn of<'a>(written: &'a BTreeMap<String, Command>, command: &'a Command) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    collect(written, command, ("", ""), None, &mut items);
    items
}

fn collect<'a>(
    written: &'a BTreeMap<String, Command>,
    command: &'a Command,
    (prefix, scope): (&str, &str),
    inherited: Option<OnFailure>,
    items: &mut Vec<Item<'a>>,
) {
    for (index, step) in command.steps.iter().enumerate() {
        let number = format!("{prefix}{}", index + 1);
        let id = format!("{scope}{}", step.id);
        let said = step.on_failure.or(inherited);
        let on_failure = said.unwrap_or(if step.effect() == Effect::Read { OnFailure::Stop } else { OnFailure::Ask });
        let called = if let Action::Call(name) = &step.action { Some(name.as_str()) } else { None };
        items.push(Item { number: number.clone(), id: id.clone(), scope: scope.to_owned(), step, called, on_failure });
        if let Some(called) = called.and_then(|name| written.get(name)) {
            collect(written, called, (&format!("{number}."), &format!("{id}.")), said, items);
        }
    }
}

/// An expression with its steps by their numbers: `not steps.verify.ok` is `step 2 did not go well`.
pub fn said(expression: &str, scope: &str, items: &[Item<'_>]) -> String {
    let mut said = String::new();
    let mut rest = expression;
    while let Some(at) = next_reference(rest) {
        let (before, reference) = rest.split_at(at);
        let path = path_of(reference);
        said.push_str(before);
        rest = &reference[path.len()..];
        match meaning(path, scope, items) {
            Some(Meaning { step, asks }) => {
                let no = said.strip_suffix("not ").map(str::to_owned);
                let (yes, denied) = match asks.as_str() {
                    "ok" => (format!("{step} went well"), format!("{step} did not go well")),
                    "failed" => (format!("{step} failed"), format!("{step} did not fail")),
                    "skipped" => (format!("{step} was skipped"), format!("{step} was not skipped")),
                    "" => (step, String::new()),
                    asks => (format!("`{asks}` of {step}"), String::new()),
                };
                match no.filter(|_| !denied.is_empty()) {
                    Some(without) => said = without + denied.as_str(),
                    None => said.push_str(&yes),
                }
            }
            None => said.push_str(path),
        }
    }
    said.push_str(rest);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a text that is known later is made from: `version of step 4`.
pub fn sources(text: &str, scope: &str, items: &[Item<'_>]) -> String {
    let mut found: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(at) = next_reference(rest) {
        let path = path_of(&rest[at..]);
        rest = &rest[at + path.len()..];
        let source = match meaning(path, scope, items) {
            Some(Meaning { step, asks }) if asks.is_empty() => step,
            Some(Meaning { step, asks }) if ["ok", "failed", "skipped"].contains(&asks.as_str()) => {
                format!("how {step} went")
            }
            Some(Meaning { step, asks }) => format!("{asks} of {step}"),
            None => path.to_owned(),
        };
        if !found.contains(&source) {
            found.push(source);
        }
    }
    found.join(" or ")
}

struct Meaning {
    /// `step 4`, or `step 4 (Docker)` of several at once.
    step: String,
    /// What is asked of it: `ok`, `version`, or nothing.
    asks: String,
}

fn meaning(path: &str, scope: &str, items: &[Item<'_>]) -> Option<Meaning> {
    let parts: Vec<&str> = path.split('.').skip(1).collect();
    let (first, mut rest) = parts.split_first()?;
    let mut id = format!("{scope}{first}");
    let mut item = items.iter().find(|item| item.id == id)?;
    while item.called.is_some() && !rest.is_empty() {
        id = format!("{id}.{}", rest[0]);
        item = items.iter().find(|item| item.id == id)?;
        rest = &rest[1..];
    }
    let mut step = format!("step {}", item.number);
    if let (Action::Parallel(branches), Some(name)) = (&item.step.action, rest.first())
        && let Some(branch) = branches.iter().find(|branch| branch.id == *name)
    {
        step.push_str(&format!(" ({})", branch.name));
        rest = &rest[1..];
    }
    Some(Meaning { step, asks: rest.join(".") })
}

/// Where the next `steps.` begins that is a name of its own.
fn next_reference(text: &str) -> Option<usize> {
    text.match_indices("steps.").map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        before.is_none_or(|letter| !(letter.is_alphanumeric() || "_.".contains(letter)))
    })
}

fn path_of(reference: &str) -> &str {
    let end = reference.find(|letter: char| !(letter.is_alphanumeric() || "_.".contains(letter)));
    reference[..end.unwrap_or(reference.len())].trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn commands() -> BTreeMap<String, Command> {
        let halt = json!({ "name": "halt", "summary": "x", "risk": "safe", "steps": [
            { "id": "ask", "name": "Ask", "action": { "host": {} } },
            { "id": "stop", "name": "Stop", "when": "not steps.ask.ok", "action": { "docker": { "stop": { "container": "bot" } } } },
        ]});
        let outer = json!({ "name": "outer", "summary": "x", "risk": "risky", "steps": [
            { "id": "look", "name": "Look", "action": { "parallel": [{ "id": "docker", "name": "Docker", "action": { "docker": { "engine": {} } } }] } },
            { "id": "halt", "name": "Halt", "action": { "call": "halt" }, "on_failure": "continue" },
            { "id": "last", "name": "Last", "action": { "host": {} } },
        ]});
        [halt, outer]
            .map(|one| serde_json::from_value::<Command>(one).unwrap())
            .map(|one| (one.name.clone(), one))
            .into()
    }

    #[test]
    fn called_steps_stand_under_the_call() {
        let commands = commands();
        let items = of(&commands, &commands["outer"]);
        let shown: Vec<_> =
            items.iter().map(|item| (item.number.as_str(), item.id.as_str(), item.on_failure)).collect();
        assert_eq!(
            shown,
            [
                ("1", "look", OnFailure::Stop),
                ("2", "halt", OnFailure::Continue),
                ("2.1", "halt.ask", OnFailure::Continue),
                ("2.2", "halt.stop", OnFailure::Continue),
                ("3", "last", OnFailure::Stop),
            ]
        );
    }

    #[test]
    fn expressions_speak_of_steps_by_number() {
        let commands = commands();
        let items = of(&commands, &commands["outer"]);
        for (expression, scope, expected) in [
            ("not steps.ask.ok", "halt.", "step 2.1 did not go well"),
            ("steps.halt.stop.ok and steps.last.failed", "", "step 2.2 went well and step 3 failed"),
            ("not steps.look.docker.down", "", "not `down` of step 1 (Docker)"),
            ("not steps.last.skipped or mysteps.x", "", "step 3 was not skipped or mysteps.x"),
            ("steps.nobody.ok", "", "steps.nobody.ok"),
        ] {
            assert_eq!(said(expression, scope, &items), expected);
        }
        assert_eq!(
            sources("{{ steps.look.docker.version or steps.last.x }}", "", &items),
            "version of step 1 (Docker) or x of step 3"
        );
    }
}
