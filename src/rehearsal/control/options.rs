//! From `{name: value}` to the options of an interaction, checked as Discord's client checks what a person types.
//!
//! <https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-option-type>

use serde_json::{Map, Value, json};

use super::{Mistake, find};
use crate::rehearsal::{
    form::snowflake,
    model::{Command, Upload},
    render,
    state::{State, items, text},
};

/// The options of an interaction and what their ids stand for.
#[derive(Debug, Default)]
pub struct Given {
    pub options: Vec<Value>,
    pub resolved: Map<String, Value>,
}

impl Given {
    pub fn resolve(&mut self, kind: &str, id: u64, value: Value) {
        let entry = self.resolved.entry(kind.to_owned()).or_insert_with(|| json!({}));
        entry[id.to_string()] = value;
    }

    pub fn resolve_person(&mut self, state: &State, id: u64) {
        if let Ok(person) = state.person(id) {
            self.resolve("users", id, render::user(person));
            let mut member = render::member(person);
            if let Some(object) = member.as_object_mut() {
                object.retain(|key, _| !matches!(key.as_str(), "user" | "deaf" | "mute"));
            }
            member["permissions"] = json!(crate::rehearsal::permissions::in_server(state, person).to_string());
            self.resolve("members", id, member);
        }
    }

    pub fn resolve_role(&mut self, state: &State, id: u64) {
        if let Ok(role) = state.role(id) {
            self.resolve("roles", id, render::role(role));
        }
    }

    pub fn resolve_channel(&mut self, state: &State, id: u64) {
        if let Ok(channel) = state.channel(id) {
            self.resolve("channels", id, render::channel(state, channel));
        }
    }
}

/// A command's own name and the subcommands that lead to its options.
pub fn command(state: &State, wanted: &str) -> Result<(Command, Vec<String>), Mistake> {
    let mut words = wanted.trim().trim_start_matches('/').split_whitespace().map(str::to_owned);
    let name = words.next().unwrap_or_default();
    // Where a global command and one of the server share a name, the server's is the one people get.
    let slash = || state.commands.iter().filter(|command| command.kind() == 1);
    let named = || slash().filter(|command| command.name() == name);
    let found = named().find(|command| command.guild.is_some()).or_else(|| named().next());
    let found = found.ok_or_else(|| {
        let names: Vec<String> = slash().map(|command| format!("/{}", command.name())).collect();
        let there = if names.is_empty() { "the bot has registered none".to_owned() } else { names.join(", ") };
        Mistake::unknown(format!("there is no command /{name}; commands: {there}"))
    })?;
    Ok((found.clone(), words.collect()))
}

/// Builds the options of a command. With `focused`, that option is still being typed and nothing is required yet.
pub fn build(
    state: &mut State,
    declared: &[Value],
    path: &[String],
    values: &Map<String, Value>,
    focused: Option<&str>,
) -> Result<Given, Mistake> {
    let nested: Vec<&Value> = declared.iter().filter(|option| matches!(option["type"].as_i64(), Some(1 | 2))).collect();
    if !nested.is_empty() {
        let name = path.first().map(String::as_str).unwrap_or_default();
        let chosen = nested.iter().find(|option| text(option, "name") == name).ok_or_else(|| {
            let names: Vec<&str> = nested.iter().map(|option| text(option, "name")).collect();
            Mistake::wrong(format!("name a subcommand after the command: {}", names.join(", ")))
        })?;
        let mut inner = build(state, items(chosen, "options"), &path[1..], values, focused)?;
        inner.options = vec![json!({"name": name, "type": chosen["type"], "options": inner.options})];
        return Ok(inner);
    }
    if let Some(extra) = path.first() {
        return Err(Mistake::wrong(format!("the command has no subcommand \"{extra}\"")));
    }
    leaves(state, declared, values, focused)
}

fn leaves(
    state: &mut State,
    declared: &[Value],
    values: &Map<String, Value>,
    focused: Option<&str>,
) -> Result<Given, Mistake> {
    let names = || declared.iter().map(|option| text(option, "name")).collect::<Vec<_>>().join(", ");
    let known = |name: &str| declared.iter().any(|option| text(option, "name") == name);
    if let Some(stranger) = values.keys().map(String::as_str).chain(focused).find(|name| !known(name)) {
        return Err(Mistake::wrong(format!("the command has no option \"{stranger}\"; options: {}", names())));
    }
    let mut given = Given::default();
    for option in declared {
        let name = text(option, "name");
        let typing = focused == Some(name);
        match values.get(name).filter(|value| !value.is_null()) {
            Some(value) if typing => {
                let typed = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                given.options.push(json!({"name": name, "type": option["type"], "value": typed, "focused": true}));
            }
            None if typing => {
                given.options.push(json!({"name": name, "type": option["type"], "value": "", "focused": true}));
            }
            Some(value) => {
                let value = typed(state, &mut given, option, value)?;
                given.options.push(json!({"name": name, "type": option["type"], "value": value}));
            }
            None if option["required"] == true && focused.is_none() => {
                return Err(Mistake::wrong(format!("option \"{name}\" is required: {}", text(option, "description"))));
            }
            None => {}
        }
    }
    Ok(given)
}

/// The value as the option's type has it.
fn typed(state: &mut State, given: &mut Given, option: &Value, value: &Value) -> Result<Value, Mistake> {
    let name = text(option, "name");
    let wrong = |kind: &str| Mistake::wrong(format!("option \"{name}\" takes {kind}, not {value}"));
    let kind = option["type"].as_i64().unwrap_or(3);
    match kind {
        3 => {
            let value = value.as_str().ok_or_else(|| wrong("text"))?;
            let value = choice(option, &json!(value))?;
            let length = value.as_str().map_or(0, |text| text.chars().count());
            let bound = |field: &str, default: u64| option[field].as_u64().unwrap_or(default);
            let (least, most) = (bound("min_length", 0), bound("max_length", 6000));
            if (length as u64) < least || length as u64 > most {
                return Err(wrong(&format!("text of {least} to {most} characters")));
            }
            Ok(value)
        }
        4 | 10 => {
            let whole = kind == 4;
            let chosen = choice(option, value)?;
            let number = chosen.as_f64().filter(|_| !whole || chosen.is_i64());
            let number = number.ok_or_else(|| wrong(if whole { "a whole number" } else { "a number" }))?;
            let low = option["min_value"].as_f64().is_some_and(|least| number < least);
            let high = option["max_value"].as_f64().is_some_and(|most| number > most);
            if low || high {
                let bounds = format!("a number from {} to {}", option["min_value"], option["max_value"]);
                return Err(wrong(&bounds));
            }
            Ok(chosen)
        }
        5 => value.as_bool().map(Value::Bool).ok_or_else(|| wrong("true or false")),
        6 => {
            let id = find::person(state, value)?;
            given.resolve_person(state, id);
            Ok(json!(id.to_string()))
        }
        7 => {
            let id = find::channel(state, value)?.id;
            given.resolve_channel(state, id);
            Ok(json!(id.to_string()))
        }
        8 => {
            let id = role(state, value)?;
            given.resolve_role(state, id);
            Ok(json!(id.to_string()))
        }
        9 => {
            let id = match role(state, value) {
                Ok(id) => id,
                Err(_) => find::person(state, value)?,
            };
            given.resolve_person(state, id);
            given.resolve_role(state, id);
            Ok(json!(id.to_string()))
        }
        _ => attach(state, given, value).ok_or_else(|| wrong("{\"filename\": …, \"content\": …}")),
    }
}

/// One of the option's choices, by its value or its name, when it has choices.
fn choice(option: &Value, value: &Value) -> Result<Value, Mistake> {
    let choices = items(option, "choices");
    if choices.is_empty() {
        return Ok(value.clone());
    }
    let found = choices.iter().find(|choice| choice["value"] == *value || choice["name"] == *value);
    found.map(|choice| choice["value"].clone()).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|choice| text(choice, "name")).collect();
        Mistake::wrong(format!("option \"{}\" is one of {}, not {value}", text(option, "name"), names.join(", ")))
    })
}

pub fn role(state: &State, wanted: &Value) -> Result<u64, Mistake> {
    let id = snowflake(wanted);
    let name = wanted.as_str().unwrap_or_default();
    let found = state.roles.iter().find(|role| Some(role.id) == id || role.name.eq_ignore_ascii_case(name));
    found.map(|role| role.id).ok_or_else(|| {
        let names: Vec<&str> = state.roles.iter().map(|role| role.name.as_str()).collect();
        Mistake::unknown(format!("there is no role {wanted}; there are {}", names.join(", ")))
    })
}

/// A file that a person attaches to a command.
fn attach(state: &mut State, given: &mut Given, value: &Value) -> Option<Value> {
    let upload = Upload {
        index: 0,
        filename: value["filename"].as_str()?.to_owned(),
        content_type: "text/plain; charset=utf-8".to_owned(),
        bytes: value["content"].as_str()?.to_owned().into(),
    };
    let id = state.next_id();
    let url = format!("{}/rehearsal/api/files/{id}/{}", state.url, upload.filename);
    given.resolve(
        "attachments",
        id,
        json!({
            "id": id.to_string(),
            "filename": upload.filename,
            "content_type": upload.content_type,
            "size": upload.bytes.len(),
            "url": url,
            "proxy_url": url,
            "ephemeral": true,
        }),
    );
    state.files.insert(id, (upload.content_type, upload.bytes));
    Some(json!(id.to_string()))
}
