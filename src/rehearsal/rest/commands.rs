//! Registration of application commands, global ones and those of the server.
//!
//! <https://discord.com/developers/docs/interactions/application-commands>

use std::collections::HashSet;

use chrono::TimeDelta;
use serde_json::Value;

use super::{Answer, Reply, Request, id, nothing, ok, unknown};
use crate::rehearsal::{
    error::ApiError,
    form::{Problems, join},
    model::Command,
    render, shapes,
    state::{State, items, map, text},
    world,
};

const SLASH_COMMANDS: usize = 100;
const CREATES_A_DAY: usize = 200;
/// Names, descriptions and values of a command together.
const CHARACTERS: usize = 8000;

pub fn route(state: &mut State, request: &Request, application: &str, rest: &[&str]) -> Answer {
    if id(application)? != world::APPLICATION {
        return Err(ApiError::unknown_application());
    }
    let (guild, rest) = match rest {
        ["guilds", guild, "commands", rest @ ..] => (Some(id(guild)?), rest),
        ["commands", rest @ ..] => (None, rest),
        _ => return unknown(state, request),
    };
    if guild.is_some_and(|guild| guild != world::GUILD) {
        return Err(ApiError::unknown_guild());
    }
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            ok(state.commands.iter().filter(|command| command.guild == guild).map(render::command).collect())
        }
        ("PUT", []) => overwrite(state, guild, &request.body),
        ("POST", []) => {
            check(state, "", &request.body)?;
            let known = find(state, guild, &request.body).is_some();
            let slash = state.commands.iter().filter(|command| command.guild == guild && command.kind() == 1);
            if !known && slash.count() >= SLASH_COMMANDS {
                return Err(too_many());
            }
            let id = register(state, guild, &request.body)?;
            let status = if known { 200 } else { 201 };
            Ok(Reply { status, body: Some(render::command(by_id(state, guild, id)?)) })
        }
        ("GET", [command]) => ok(render::command(by_id(state, guild, id(command)?)?)),
        ("PATCH", [command]) => edit(state, guild, id(command)?, &request.body),
        ("DELETE", [command]) => {
            let id = by_id(state, guild, id(command)?)?.id;
            state.commands.retain(|command| command.id != id);
            nothing()
        }
        _ => unknown(state, request),
    }
}

fn by_id(state: &State, guild: Option<u64>, id: u64) -> Result<&Command, ApiError> {
    let found = state.commands.iter().find(|command| command.id == id && command.guild == guild);
    found.ok_or_else(ApiError::unknown_command)
}

/// The command that a body would replace: same place, type and name.
fn find<'a>(state: &'a State, guild: Option<u64>, body: &Value) -> Option<&'a Command> {
    let kind = body["type"].as_i64().unwrap_or(1);
    let same = |command: &&Command| command.name() == text(body, "name") && command.kind() == kind;
    state.commands.iter().filter(|command| command.guild == guild).find(same)
}

/// Replaces all commands of the place: those not named are gone.
fn overwrite(state: &mut State, guild: Option<u64>, body: &Value) -> Answer {
    let Some(bodies) = body.as_array() else {
        let mut problems = Problems::default();
        problems.add("", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
        return Err(problems.into_result(false).err().unwrap_or_else(ApiError::not_found));
    };
    let mut problems = Problems::default();
    let mut seen = HashSet::new();
    for (index, body) in bodies.iter().enumerate() {
        let path = index.to_string();
        examine(state, &path, body, &mut problems);
        if !seen.insert((text(body, "name"), body["type"].as_i64().unwrap_or(1))) {
            let message = "Application command names must be unique";
            problems.add(&join(&path, "name"), "APPLICATION_COMMANDS_DUPLICATE_NAME", message);
        }
    }
    problems.into_result(state.strict)?;
    if bodies.iter().filter(|body| body["type"].as_i64().unwrap_or(1) == 1).count() > SLASH_COMMANDS {
        return Err(too_many());
    }
    let mut kept = Vec::new();
    for body in bodies {
        kept.push(register(state, guild, body)?);
    }
    state.commands.retain(|command| command.guild != guild || kept.contains(&command.id));
    let registered: Result<Value, ApiError> =
        kept.into_iter().map(|id| by_id(state, guild, id).map(render::command)).collect();
    ok(registered?)
}

fn too_many() -> ApiError {
    ApiError::new(400, 30032, format!("Maximum number of application commands reached ({SLASH_COMMANDS})"))
}

/// Creates a command, or replaces its namesake, which keeps its id. The version changes only with the body.
fn register(state: &mut State, guild: Option<u64>, body: &Value) -> Result<u64, ApiError> {
    let fresh = state.next_id();
    let mut kept = map(body);
    kept.retain(|_, value| !value.is_null());
    kept.remove("id");
    if let Some(known) = find(state, guild, body).map(|command| command.id) {
        if let Some(command) = state.commands.iter_mut().find(|command| command.id == known && command.body != kept) {
            command.version = fresh;
            command.body = kept;
        }
        return Ok(known);
    }
    let now = state.now();
    state.command_creates.retain(|at| now - at < TimeDelta::days(1));
    if state.command_creates.len() >= CREATES_A_DAY {
        let message = format!("Max number of daily application command creates has been reached ({CREATES_A_DAY})");
        return Err(ApiError::new(400, 30034, message));
    }
    state.command_creates.push_back(now);
    state.commands.push(Command { id: fresh, guild, version: fresh, body: kept });
    Ok(fresh)
}

fn edit(state: &mut State, guild: Option<u64>, id: u64, changes: &Value) -> Answer {
    let mut body = Value::Object(by_id(state, guild, id)?.body.clone());
    render::merge(&mut body, changes.clone());
    check(state, "", &body)?;
    let version = state.next_id();
    if let Some(command) = state.commands.iter_mut().find(|command| command.id == id) {
        command.version = version;
        command.body = map(&body);
        command.body.retain(|_, value| !value.is_null());
    }
    ok(render::command(by_id(state, guild, id)?))
}

fn check(state: &mut State, path: &str, body: &Value) -> Result<(), ApiError> {
    let mut problems = Problems::default();
    examine(state, path, body, &mut problems);
    problems.into_result(state.strict)
}

fn examine(state: &mut State, path: &str, body: &Value, problems: &mut Problems) {
    let known_before = problems.unknown.len();
    problems.object(path, body, &shapes::COMMAND);
    for unknown in &problems.unknown[known_before..] {
        tracing::warn!(field = unknown, "the rehearsal does not know a field of this command");
        state.unknown_fields.push(unknown.clone());
    }
    let slash = body["type"].as_i64().unwrap_or(1) == 1;
    if slash && !is_name(text(body, "name")) {
        problems.add(&join(path, "name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
    }
    if slash && text(body, "description").is_empty() {
        problems.add(&join(path, "description"), "BASE_TYPE_REQUIRED", "This field is required");
    }
    options(problems, path, items(body, "options"));
    if characters(body) > CHARACTERS {
        let message = format!("Command exceeds maximum size ({CHARACTERS})");
        problems.add(path, "APPLICATION_COMMAND_TOO_LARGE", message);
    }
}

/// Discord's pattern is `^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$`, in lower case where there is one.
fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.chars().count())
        && name.chars().all(|c| (c.is_alphanumeric() || "-_'".contains(c)) && !c.is_uppercase())
}

fn options(problems: &mut Problems, path: &str, list: &[Value]) {
    let (mut names, mut optional_seen) = (HashSet::new(), false);
    let nested = list.iter().filter(|option| matches!(option["type"].as_i64(), Some(1 | 2))).count();
    if nested > 0 && nested < list.len() {
        let message = "Sub-command and sub-command group option types are mutually exclusive to all other types";
        problems.add(&join(path, "options"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message);
    }
    for (index, option) in list.iter().enumerate() {
        let at = join(path, &format!("options.{index}"));
        if !is_name(text(option, "name")) {
            problems.add(&join(&at, "name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
        }
        if !names.insert(text(option, "name")) {
            let message = "Option name must be unique";
            problems.add(&join(&at, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", message);
        }
        let required = option["required"] == true;
        if required && optional_seen {
            let message = "Required options must be placed before non-required options";
            problems.add(&at, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message);
        }
        optional_seen |= !required;
        if option["autocomplete"] == true && !items(option, "choices").is_empty() {
            let message = "autocomplete may not be set to true if choices are present";
            problems.add(&join(&at, "autocomplete"), "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_CHOICES", message);
        }
        choices(problems, &at, option);
        options(problems, &at, items(option, "options"));
    }
}

/// A choice has its option's type.
fn choices(problems: &mut Problems, at: &str, option: &Value) {
    for (index, choice) in items(option, "choices").iter().enumerate() {
        let value = &choice["value"];
        let fits = match option["type"].as_i64() {
            Some(3) => value.as_str().is_some_and(|text| (1..=100).contains(&text.chars().count())),
            Some(4) => value.is_i64(),
            _ => value.is_number(),
        };
        if !fits {
            let at = join(at, &format!("choices.{index}.value"));
            problems.add(&at, "APPLICATION_COMMAND_OPTION_CHOICE_VALUE", "The value does not have the option's type");
        }
    }
}

/// What Discord counts: names, descriptions, and the values of choices, of the command and of all its options.
fn characters(body: &Value) -> usize {
    let own = [text(body, "name"), text(body, "description")];
    let choices = items(body, "choices").iter().flat_map(|choice| [text(choice, "name"), text(choice, "value")]);
    let here: usize = own.into_iter().chain(choices).map(|text| text.chars().count()).sum();
    here + items(body, "options").iter().map(characters).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_have_no_space() {
        assert!(is_name("restore-db"));
        assert!(is_name("durée"));
        assert!(!is_name("Restore"));
        assert!(!is_name("restore db"));
        assert!(!is_name(&"a".repeat(33)));
    }
}
