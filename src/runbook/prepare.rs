//! What a command file looks like, turned into what its types look like.
//!
//! In a file the action's key stands beside the step's own (`http = {…}`), because that reads best; in the types it is
//! `action: Action`. Here it is moved, and everything about the choice of the action is said in the words of the file:
//! none, several, misspelt.

use std::borrow::Cow;

use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{
    action::ACTION_KEYS,
    document::{Document, Place},
    problem::Problem,
    suggest,
};

pub(super) const COMMAND_KEYS: [&str; 12] = [
    "summary",
    "scenario",
    "risk",
    "roles",
    "lock",
    "target",
    "options",
    "approval",
    "undoes",
    "steps",
    "recovered",
    "next",
];

/// What may stand in a step beside its action.
pub(crate) const STEP_KEYS: [&str; 17] = [
    "id",
    "name",
    "why",
    "when",
    "takes",
    "timeout",
    "retry",
    "effect",
    "check",
    "expect",
    "says",
    "keep",
    "outputs",
    "undo",
    "undo_when",
    "on_failure",
    "point_of_no_return",
];

pub(super) const CHECK_KEYS: [&str; 1] = ["expect"];

/// Moves the action of every step and check under the key `action`.
pub fn prepare(document: &mut Document<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = Place::root().key("name");
    if document.value(&name).is_some() {
        problems.push(
            document
                .problem_at_key(&name, "unknown key `name`")
                .with_help("a command is named by its file: `commands/halt.toml` is `/halt`"),
        );
        document.remove(&name);
    }
    correct_keys(document, &Place::root(), &COMMAND_KEYS, &mut problems);
    steps(document, &Place::root().key("steps"), &mut problems);
    problems.retain(|problem| !document.is_consequence(problem));
    problems
}

/// What stands in for a value of a command file that is wrong.
pub fn stand_in(place: &Place) -> Option<DeValue<'static>> {
    let text = |text: &'static str| Some(DeValue::String(Cow::Borrowed(text)));
    let depth = place.segments().len();
    let parent = place.parent().and_then(|parent| parent.last_key().map(str::to_owned));
    match (place.last_key()?, parent.as_deref(), depth) {
        ("action", ..) => Some(table([("notify", table([("message", DeValue::String(Cow::Borrowed("")))]))])),
        ("steps", _, 1) => Some(DeValue::Array(DeArray::new())),
        ("summary", _, 1) | ("id" | "name", None, _) | ("help", _, 3) => text("?"),
        ("risk", _, 1) => text("safe"),
        ("type", _, 3) => text("string"),
        (_, Some("options"), 2) => Some(table([
            ("type", DeValue::String(Cow::Borrowed("string"))),
            ("help", DeValue::String(Cow::Borrowed("?"))),
        ])),
        (_, Some("outputs"), _) => text("any"),
        _ => None,
    }
}

fn table<const N: usize>(entries: [(&'static str, DeValue<'static>); N]) -> DeValue<'static> {
    let entry = |(key, value)| (Spanned::new(0..0, Cow::Borrowed(key)), Spanned::new(0..0, value));
    DeValue::Table(entries.into_iter().map(entry).collect())
}

fn steps(document: &mut Document<'_>, list: &Place, problems: &mut Vec<Problem>) {
    let count = document.value(list).and_then(DeValue::as_array).map_or(0, |steps| steps.len());
    for index in 0..count {
        let step = list.index(index);
        nest_action(document, &step, "step", &STEP_KEYS, problems);
        let check = step.key("check");
        if document.value(&check).is_some() {
            nest_action(document, &check, "check", &CHECK_KEYS, problems);
        }
        steps(document, &step.key("action").key("parallel"), problems);
    }
}

/// Sees to it that a table has exactly one action, and moves it.
fn nest_action(document: &mut Document<'_>, place: &Place, what: &str, own: &[&str], problems: &mut Vec<Problem>) {
    let allowed: Vec<&str> = own.iter().copied().chain(ACTION_KEYS).collect();
    let unknown = correct_keys(document, place, &allowed, problems);
    let mut found: Vec<(usize, String)> = {
        let Some(table) = document.table_mut(place) else { return };
        let actions = table.keys().filter(|key| ACTION_KEYS.contains(&key.get_ref().as_ref()));
        actions.map(|key| (key.span().start, key.get_ref().to_string())).collect()
    };
    found.sort();
    if let [_, (_, second), ..] = found.as_slice() {
        let names: Vec<String> = found.iter().map(|(_, key)| format!("`{key}`")).collect();
        let message = format!("a {what} has exactly one action; this one has {}", names.join(" and "));
        problems.push(document.problem_at_key(&place.key(second), message).with_help("make a step of each"));
    }
    if found.is_empty() && !unknown && !document.has_broken_lines() {
        let help = format!("one of: {}", ACTION_KEYS.join(", "));
        let undo = place.key("undo");
        let problem = match document.value(&undo).is_some() {
            true => document.problem_at_key(&undo, "there is an `undo`, and no action that it takes back"),
            false => document.problem(place, format!("this {what} has no action")),
        };
        problems.push(problem.with_help(help));
    }
    let Some(table) = document.table_mut(place) else { return };
    let mut taken: Vec<_> = found.iter().filter_map(|(_, key)| table.remove_entry(key.as_str())).collect();
    let action = if taken.is_empty() {
        stand_in(&place.key("action"))
    } else {
        let (key, value) = taken.swap_remove(0);
        let mut action = DeTable::new();
        action.insert(key, value);
        Some(DeValue::Table(action))
    };
    if let Some(action) = action {
        table.insert(Spanned::new(0..0, Cow::Borrowed("action")), Spanned::new(0..0, action));
    }
    if found.is_empty() {
        document.repaired.insert(place.key("action"));
    }
}

/// Reports keys that may not stand in a table; gives misspelt ones their right name. True when one had
/// to be taken out.
fn correct_keys(document: &mut Document<'_>, place: &Place, allowed: &[&str], problems: &mut Vec<Problem>) -> bool {
    let Some(table) = document.table_mut(place) else { return false };
    let unknown: Vec<String> =
        table.keys().map(|key| key.get_ref().to_string()).filter(|key| !allowed.contains(&key.as_str())).collect();
    let mut taken_out = false;
    for key in unknown {
        problems.push(document.problem_at_key(&place.key(&key), format!("unknown key `{key}`")).with_help(
            match COMMAND_KEYS.contains(&key.as_str()) {
                true => format!("`{key}` is of the whole command: write it above the first [[steps]]"),
                false => suggest::help(&key, allowed.iter().copied()),
            },
        ));
        let Some(table) = document.table_mut(place) else { continue };
        let Some((written, value)) = table.remove_entry(key.as_str()) else { continue };
        match suggest::nearest(&key, allowed.iter().copied()) {
            Some(right) if !table.contains_key(right) => {
                table.insert(Spanned::new(written.span(), Cow::Owned(right.to_owned())), value);
            }
            _ => taken_out = true,
        }
    }
    taken_out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::runbook::{action::Action, decode::decode, definition::Command};

    fn read(text: &str) -> (Option<Command>, Vec<String>) {
        let (mut document, mut problems) = Document::parse(Path::new("c.toml"), text);
        problems.extend(prepare(&mut document));
        let (command, more) = decode::<Command>(&mut document, &stand_in);
        problems.extend(more);
        problems.sort();
        (command, problems.iter().map(ToString::to_string).collect())
    }

    const HEAD: &str = "summary = 'x'\nrisk = 'safe'\n";

    #[test]
    fn the_action_is_moved() {
        let text = format!(
            "{HEAD}[[steps]]\nid = 'a'\nname = 'A'\nwait = {{ until.http = {{ get = 'u' }}, times = 3 }}\n\
             undo.postgres.drop = {{ database = 'd' }}\ncheck = {{ host = {{}}, expect = 'true' }}\n\
             [[steps]]\nid = 'b'\nname = 'B'\nparallel = [ {{ id = 'c', name = 'C', host = {{}} }} ]\n"
        );
        let (command, problems) = read(&text);
        assert!(problems.is_empty(), "{problems:?}");
        let steps = command.unwrap().steps;
        assert!(matches!(&steps[0].action, Action::Wait(wait) if wait.times == 3 && wait.until.is_some()));
        assert!(matches!(&steps[0].undo, Some(Action::Postgres(_))));
        assert!(matches!(&steps[1].action, Action::Parallel(branches) if branches[0].id == "c"));
        let json = serde_json::to_string(&steps).unwrap();
        assert_eq!(serde_json::from_str::<Vec<crate::runbook::definition::Step>>(&json).unwrap(), steps);
    }

    #[test]
    fn the_choice_of_the_action_is_checked_at_its_place() {
        let text = format!(
            "{HEAD}[[steps]]\nid = 'a'\nname = 'A'\nhtpp.get = 'u'\n\
             [[steps]]\nid = 'b'\nname = 'B'\n\
             [[steps]]\nid = 'c'\nname = 'C'\nhost = {{}}\nexec.program = 'x'\n\
             [[steps]]\nid = 'd'\nname = 'D'\ndocker.strat.container = 'x'\n\
             [[steps]]\nid = 'e'\nname = 'E'\nhost = {{}}\nundo = {{ nothing = 1 }}\nscope = 'x'\n"
        );
        insta::assert_snapshot!(read(&text).1.join("\n"), @"
        c.toml:6:1: unknown key `htpp`
            did you mean `http`? allowed: ask, call, check, compose, docker, effect, escalation, exec, expect, host, http, id, keep, metrics, name, network, notify, on_failure, outputs, parallel, point_of_no_return, postgres, retry, says, takes, timeout, undo, undo_when, versions, wait, when, why
        c.toml:7:1: this step has no action
            one of: http, docker, compose, versions, postgres, host, metrics, network, escalation, exec, wait, ask, notify, parallel, call
        c.toml:14:1: a step has exactly one action; this one has `host` and `exec`
            make a step of each
        c.toml:18:8: unknown key `strat`
            did you mean `start`? allowed: connect, disconnect, engine, exec, images, inspect, kill, logs, ps, pull, restart, restart-engine, start, stop
        c.toml:23:10: unknown key `nothing`
            allowed: ask, call, compose, docker, escalation, exec, host, http, metrics, network, notify, parallel, postgres, versions, wait
        c.toml:24:1: unknown key `scope`
            allowed: ask, call, check, compose, docker, effect, escalation, exec, expect, host, http, id, keep, metrics, name, network, notify, on_failure, outputs, parallel, point_of_no_return, postgres, retry, says, takes, timeout, undo, undo_when, versions, wait, when, why
        ");
    }
}
