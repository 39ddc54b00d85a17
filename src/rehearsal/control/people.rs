//! What people do: run a command, type in an option, press a button, choose, fill in a form.
//!
//! Each makes an interaction, as Discord's own client would, and waits until the bot has reacted.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Mistake,
    deeds::{Deed, NO_RESPONSE, NOT_CONNECTED, REACTION, open, reaction},
    find,
    forms::{choose, fill_in},
    options::{self, Given},
};
use crate::rehearsal::{
    compose,
    form::snowflake,
    gateway::events::announce_member,
    model::{Command, InteractionKind, Person},
    permissions, render,
    server::Server,
    state::{State, items, map, text},
};

/// Nonces that are remembered.
const DEEDS: usize = 200;

/// A client that lost the answer asks again with the same `nonce`: nothing is done twice, and it gets the same answer.
pub fn once(
    state: &mut State,
    body: &Value,
    start: fn(&mut State, &Value) -> Result<Option<u64>, Mistake>,
) -> Result<Option<u64>, Mistake> {
    let nonce = text(body, "nonce");
    if let Some((_, id)) = state.deeds.iter().find(|(known, _)| !nonce.is_empty() && known == nonce) {
        return Ok(*id);
    }
    let id = start(state, body)?;
    if !nonce.is_empty() {
        state.deeds.truncate(DEEDS - 1);
        state.deeds.push_front((nonce.to_owned(), id));
    }
    Ok(id)
}

pub async fn command(server: &Arc<Server>, body: &Value) -> Result<Value, Mistake> {
    let id = server.with(|state| once(state, body, start_command))?;
    reaction(server, id).await
}

/// Makes the interaction; `None` when no bot is connected.
pub fn start_command(state: &mut State, body: &Value) -> Result<Option<u64>, Mistake> {
    let (person, channel) = place(state, body)?;
    let (command, given) = typed_command(state, person, channel, body, None)?;
    let about = text(body, "command").trim_start_matches('/').to_owned();
    let deed = Deed {
        kind: InteractionKind::Command,
        person,
        channel,
        message: None,
        opened_by: None,
        about,
        data: data(command, given),
    };
    Ok(open(state, deed))
}

pub async fn autocomplete(server: &Arc<Server>, body: &Value) -> Result<Value, Mistake> {
    let id = server.with(|state| start_autocomplete(state, body))?;
    let Some(id) = id else { return Ok(json!({"choices": [], "error": NOT_CONNECTED})) };
    let choices = server.wait(REACTION, |state| state.interactions.get(&id)?.choices.clone()).await;
    Ok(match choices {
        Some(choices) => json!({"choices": choices}),
        None => json!({"choices": [], "error": NO_RESPONSE}),
    })
}

/// As [`start_command`].
pub fn start_autocomplete(state: &mut State, body: &Value) -> Result<Option<u64>, Mistake> {
    let (person, channel) = place(state, body)?;
    let focused = text(body, "focused");
    if focused.is_empty() {
        return Err(Mistake::wrong("say which option is being typed: \"focused\""));
    }
    let (command, given) = typed_command(state, person, channel, body, Some(focused))?;
    if !offers_choices(&Value::Object(command.body.clone()), focused) {
        return Err(Mistake::wrong(format!("option \"{focused}\" has no autocomplete")));
    }
    let about = text(body, "command").to_owned();
    let kind = InteractionKind::Autocomplete;
    Ok(open(state, Deed { kind, person, channel, message: None, opened_by: None, about, data: data(command, given) }))
}

pub async fn click(server: &Arc<Server>, body: &Value) -> Result<Value, Mistake> {
    let id = server.with(|state| once(state, body, start_click))?;
    reaction(server, id).await
}

/// As [`start_command`].
pub fn start_click(state: &mut State, body: &Value) -> Result<Option<u64>, Mistake> {
    let person = find::person(state, &body["person"])?;
    let message = find::message(state, person, body)?;
    let component = find::component(message, body)?;
    let (channel, message) = (message.channel, message.id);
    let mut data = json!({
        "custom_id": component["custom_id"],
        "component_type": component["type"],
        "id": component["id"],
    });
    if component["type"] != 2 {
        let given = choose(state, component, items(body, "values"))?;
        data["values"] = json!(given.options);
        if !given.resolved.is_empty() {
            data["resolved"] = Value::Object(given.resolved);
        }
    }
    let about = text(component, "custom_id").to_owned();
    let kind = InteractionKind::Component;
    Ok(open(state, Deed { kind, person, channel, message: Some(message), opened_by: None, about, data }))
}

pub async fn submit(server: &Arc<Server>, body: &Value) -> Result<Value, Mistake> {
    let id = server.with(|state| once(state, body, start_submit))?;
    reaction(server, id).await
}

/// As [`start_command`].
pub fn start_submit(state: &mut State, body: &Value) -> Result<Option<u64>, Mistake> {
    let person = find::person(state, &body["person"])?;
    let wanted = body.get("modal").and_then(snowflake);
    let mut opened = state.interactions.values_mut().rev().filter(|interaction| interaction.person == person);
    let source = opened.find(|interaction| match wanted {
        Some(id) => interaction.id == id && interaction.modal.is_some(),
        None => interaction.modal.as_ref().is_some_and(|modal| !modal.submitted),
    });
    let source = source.ok_or_else(|| Mistake::unknown("this person has no such form open; \"modal\" is its id"))?;
    let (channel, message, opened_by) = (source.channel, source.on_message, Some(source.id));
    let Some(modal) = source.modal.as_mut().filter(|modal| !modal.submitted) else {
        return Err(Mistake::refused("this form was submitted before"));
    };
    let values = map(&body["values"]);
    let components = fill_in(&modal.components, &values)?;
    modal.submitted = true;
    let about = modal.custom_id.clone();
    let data = json!({"custom_id": about, "components": components});
    Ok(open(state, Deed { kind: InteractionKind::Modal, person, channel, message, opened_by, about, data }))
}

/// More people than a list of people shows.
const MOST_PEOPLE: usize = 100;

/// Somebody new, with these roles.
pub fn join(state: &mut State, body: &Value) -> Result<(), Mistake> {
    let name = text(body, "name").trim();
    if !(1..=32).contains(&name.chars().count()) || state.people.len() >= MOST_PEOPLE {
        return Err(Mistake::wrong(format!(
            "\"name\" has 1 to 32 characters, and there are at most {MOST_PEOPLE} people"
        )));
    }
    if state.people.iter().any(|person| person.name.eq_ignore_ascii_case(name)) {
        return Err(Mistake::refused(format!("{name} is here already")));
    }
    let roles = items(body, "roles").iter().map(|role| options::role(state, role)).collect::<Result<Vec<_>, _>>()?;
    let (id, joined) = (state.next_id(), state.now());
    let person = Person { id, username: name.to_lowercase(), name: name.to_owned(), bot: false, roles, joined };
    state.people.push(person);
    announce_member(state, id, "GUILD_MEMBER_ADD");
    Ok(())
}

/// An ordinary message of a person.
pub fn say(state: &mut State, body: &Value) -> Result<Value, Mistake> {
    let (person, channel) = place(state, body)?;
    let content = text(body, "content");
    if !(1..=2000).contains(&content.chars().count()) {
        return Err(Mistake::wrong("\"content\" has 1 to 2000 characters"));
    }
    let mut message = compose::blank(state, channel, person);
    let body = json!({"content": content});
    compose::apply(state, &mut message, &body, &[]).map_err(|error| Mistake::wrong(error.message))?;
    let id = message.id;
    state.add_message(message);
    Ok(state.messages.get(&id).map(|message| render::message(state, message)).unwrap_or_default())
}

fn place(state: &State, body: &Value) -> Result<(u64, u64), Mistake> {
    let person = find::person(state, &body["person"])?;
    Ok((person, find::channel_for(state, person, &body["channel"])?))
}

fn typed_command(
    state: &mut State,
    person: u64,
    channel: u64,
    body: &Value,
    focused: Option<&str>,
) -> Result<(Command, Given), Mistake> {
    let (command, path) = options::command(state, text(body, "command"))?;
    if state.guild_of(channel).is_none() && command.guild.is_some() {
        return Err(Mistake::refused("a command of the server is not there in direct messages"));
    }
    let held = state.permissions(person, channel);
    // Who may see a command. An administrator of the server can change it, so a bot must not rely on it.
    let needed = command.body.get("default_member_permissions").and_then(snowflake).unwrap_or(0);
    let shut = command.body.get("default_member_permissions").is_some_and(|bits| bits == "0" || bits == 0);
    if held & permissions::USE_APPLICATION_COMMANDS == 0 || held & needed != needed || shut {
        return Err(Mistake::refused(format!("this person may not use /{} here", command.name())));
    }
    let declared = items(&Value::Object(command.body.clone()), "options").to_vec();
    let given = options::build(state, &declared, &path, &map(&body["options"]), focused)?;
    Ok((command, given))
}

fn offers_choices(command: &Value, option: &str) -> bool {
    items(command, "options").iter().any(|declared| {
        text(declared, "name") == option && declared["autocomplete"] == true || offers_choices(declared, option)
    })
}

fn data(command: Command, given: Given) -> Value {
    let mut data = json!({
        "id": command.id.to_string(),
        "name": command.name(),
        "type": command.kind(),
        "options": given.options,
    });
    if let Some(guild) = command.guild {
        data["guild_id"] = json!(guild.to_string());
    }
    if !given.resolved.is_empty() {
        data["resolved"] = Value::Object(given.resolved);
    }
    data
}
