//! What people do: run a command, type in an option, press a button, choose, fill in a form.
//!
//! Each makes an interaction, as Discord's own client would, and waits until the bot has reacted.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{
    Mistake, find,
    options::{self, Given},
};
use crate::{
    ids::random_token,
    rehearsal::{
        form::snowflake,
        gateway::session::intents,
        model::{Interaction, InteractionKind},
        permissions, render,
        server::Server,
        state::{State, items, map, text},
        world,
    },
};

/// How long a person sees "thinking" before Discord says that the application did not respond.
const REACTION: Duration = Duration::from_secs(3);
const NO_RESPONSE: &str = "The application did not respond within 3 seconds.";
const NOT_CONNECTED: &str = "not connected: no bot is at the gateway, so nobody heard of it";

/// What a person did, ready to be sent.
struct Deed {
    kind: InteractionKind,
    person: u64,
    channel: u64,
    message: Option<u64>,
    about: String,
    data: Value,
}

pub async fn command(server: &Arc<Server>, body: &Value) -> Result<Value, Mistake> {
    let id = server.with(|state| {
        let (person, channel) = place(state, body)?;
        let (command, given) = typed_command(state, person, channel, body, None)?;
        let about = text(body, "command").trim_start_matches('/').to_owned();
        let deed =
            Deed { kind: InteractionKind::Command, person, channel, message: None, about, data: data(command, given) };
        Ok(open(state, deed))
    })?;
    reaction(server, id).await
}

pub async fn autocomplete(server: &Arc<Server>, body: &Value) -> Result<Value, Mistake> {
    let id = server.with(|state| {
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
        Ok(open(state, Deed { kind, person, channel, message: None, about, data: data(command, given) }))
    })?;
    let Some(id) = id else { return Ok(json!({"choices": [], "error": NOT_CONNECTED})) };
    let choices = server.wait(REACTION, |state| state.interactions.get(&id)?.choices.clone()).await;
    Ok(match choices {
        Some(choices) => json!({"choices": choices}),
        None => json!({"choices": [], "error": NO_RESPONSE}),
    })
}

pub async fn click(server: &Arc<Server>, body: &Value) -> Result<Value, Mistake> {
    let id = server.with(|state| {
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
        Ok(open(state, Deed { kind, person, channel, message: Some(message), about, data }))
    })?;
    reaction(server, id).await
}

pub async fn submit(server: &Arc<Server>, body: &Value) -> Result<Value, Mistake> {
    let id = server.with(|state| {
        let person = find::person(state, &body["person"])?;
        let wanted = body.get("modal").and_then(snowflake);
        let mut opened = state.interactions.values_mut().rev().filter(|interaction| interaction.person == person);
        let source = opened.find(|interaction| match wanted {
            Some(id) => interaction.id == id && interaction.modal.is_some(),
            None => interaction.modal.as_ref().is_some_and(|modal| !modal.submitted),
        });
        let source =
            source.ok_or_else(|| Mistake::unknown("this person has no such form open; \"modal\" is its id"))?;
        let (channel, message) = (source.channel, source.on_message);
        let Some(modal) = source.modal.as_mut().filter(|modal| !modal.submitted) else {
            return Err(Mistake::refused("this form was submitted before"));
        };
        let values = map(&body["values"]);
        let components = fill_in(&modal.components, &values)?;
        modal.submitted = true;
        let about = modal.custom_id.clone();
        let data = json!({"custom_id": about, "components": components});
        Ok(open(state, Deed { kind: InteractionKind::Modal, person, channel, message, about, data }))
    })?;
    reaction(server, id).await
}

/// An ordinary message of a person.
pub fn say(state: &mut State, body: &Value) -> Result<Value, Mistake> {
    let (person, channel) = place(state, body)?;
    let content = text(body, "content");
    if !(1..=2000).contains(&content.chars().count()) {
        return Err(Mistake::wrong("\"content\" has 1 to 2000 characters"));
    }
    let mut message = crate::rehearsal::compose::blank(state, channel, person);
    let body = json!({"content": content});
    crate::rehearsal::compose::apply(state, &mut message, &body, &[]).map_err(|error| Mistake::wrong(error.message))?;
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
) -> Result<(crate::rehearsal::model::Command, Given), Mistake> {
    let (command, path) = options::command(state, text(body, "command"))?;
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

fn data(command: crate::rehearsal::model::Command, given: Given) -> Value {
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

/// What a person chose in a select, by value or by what is written there.
fn choose(state: &State, select: &Value, chosen: &[Value]) -> Result<Given, Mistake> {
    let least = select["min_values"].as_u64().unwrap_or(1);
    let most = select["max_values"].as_u64().unwrap_or(1);
    if (chosen.len() as u64) < least || chosen.len() as u64 > most {
        return Err(Mistake::wrong(format!("choose {least} to {most} of this select with \"values\"")));
    }
    let mut given = Given::default();
    for wanted in chosen {
        let id = match select["type"].as_i64() {
            Some(3) => {
                let all = items(select, "options");
                let found = all.iter().find(|option| option["value"] == *wanted || option["label"] == *wanted);
                let found = found.ok_or_else(|| {
                    let labels: Vec<&str> = all.iter().map(|option| text(option, "label")).collect();
                    Mistake::wrong(format!("{wanted} is not in this select; there is: {}", labels.join(", ")))
                })?;
                given.options.push(found["value"].clone());
                continue;
            }
            Some(6) => options::role(state, wanted)?,
            Some(8) => find::channel(state, wanted)?.id,
            Some(7) => options::role(state, wanted).or_else(|_| find::person(state, wanted))?,
            _ => find::person(state, wanted)?,
        };
        match select["type"].as_i64() {
            Some(8) => given.resolve_channel(state, id),
            _ => {
                given.resolve_person(state, id);
                given.resolve_role(state, id);
            }
        }
        given.options.push(json!(id.to_string()));
    }
    Ok(given)
}

/// The fields of a form with what was written into them, checked as the client checks.
fn fill_in(components: &[Value], values: &Map<String, Value>) -> Result<Vec<Value>, Mistake> {
    let mut known = Vec::new();
    let mut filled = Vec::new();
    for component in components {
        let label = text(component, "label");
        let inner = component.get("component").unwrap_or(&component["components"][0]);
        if inner.is_null() {
            continue;
        }
        let label = if label.is_empty() { text(inner, "label") } else { label };
        known.push((text(inner, "custom_id"), label));
        let field = field(inner, label, values)?;
        filled.push(match component["type"].as_i64() {
            Some(18) => json!({"type": 18, "id": 0, "component": field}),
            _ => json!({"type": 1, "id": 0, "components": [field]}),
        });
    }
    let stranger = values.keys().find(|key| !known.iter().any(|(id, label)| key == id || key == label));
    if let Some(stranger) = stranger {
        let ids: Vec<&str> = known.iter().map(|(id, _)| *id).collect();
        return Err(Mistake::wrong(format!("the form has no field \"{stranger}\"; fields: {}", ids.join(", "))));
    }
    Ok(filled)
}

fn field(input: &Value, label: &str, values: &Map<String, Value>) -> Result<Value, Mistake> {
    let id = text(input, "custom_id");
    let given = values.get(id).or_else(|| values.get(label));
    if input["type"] != 4 {
        let chosen = given.cloned().unwrap_or_else(|| json!([]));
        return Ok(json!({"type": input["type"], "id": 0, "custom_id": id, "values": chosen}));
    }
    let written = given.unwrap_or(&input["value"]).as_str().unwrap_or_default();
    let length = written.chars().count() as u64;
    let required = input["required"].as_bool().unwrap_or(true);
    let (least, most) = (input["min_length"].as_u64().unwrap_or(0), input["max_length"].as_u64().unwrap_or(4000));
    if required && length == 0 {
        return Err(Mistake::wrong(format!("field \"{id}\" ({label}) is required")));
    }
    if length > 0 && length < least || length > most {
        return Err(Mistake::wrong(format!("field \"{id}\" ({label}) takes {least} to {most} characters")));
    }
    Ok(json!({"type": 4, "id": 0, "custom_id": id, "value": written}))
}

/// Sends the interaction to the bot; `None` when no bot is connected.
fn open(state: &mut State, deed: Deed) -> Option<u64> {
    if !state.connected() {
        return None;
    }
    let interaction = Interaction {
        id: state.next_id(),
        token: random_token(),
        kind: deed.kind,
        person: deed.person,
        channel: deed.channel,
        created: state.now(),
        about: deed.about,
        on_message: deed.message,
        acknowledged: None,
        original: None,
        modal: None,
        choices: None,
    };
    let body = payload(state, &interaction, deed.data);
    let id = interaction.id;
    state.interactions.insert(id, interaction);
    state.dispatch("INTERACTION_CREATE", &body, intents::ALWAYS);
    if state.faults.duplicate_interactions {
        state.dispatch("INTERACTION_CREATE", &body, intents::ALWAYS);
    }
    Some(id)
}

/// <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-object>
fn payload(state: &State, interaction: &Interaction, data: Value) -> Value {
    let mut body = json!({
        "id": interaction.id.to_string(),
        "application_id": world::APPLICATION.to_string(),
        "type": interaction.kind as u8,
        "token": interaction.token,
        "version": 1,
        "data": data,
        "channel_id": interaction.channel.to_string(),
        "locale": "en-US",
        "entitlements": [],
        "attachment_size_limit": crate::rehearsal::compose::FILE_LIMIT,
        "app_permissions": state.permissions(world::BOT_USER, interaction.channel).to_string(),
        "authorizing_integration_owners": {"0": world::GUILD.to_string()},
    });
    if let Ok(channel) = state.channel(interaction.channel) {
        body["channel"] = render::channel(state, channel);
        body["channel"]["permissions"] = json!(state.permissions(interaction.person, channel.id).to_string());
    }
    if let Ok(person) = state.person(interaction.person) {
        if let Some(guild) = state.guild_of(interaction.channel) {
            body["guild_id"] = json!(guild.to_string());
            body["guild"] = json!({"id": guild.to_string(), "locale": "en-US", "features": []});
            body["guild_locale"] = json!("en-US");
            body["context"] = json!(0);
            body["member"] = render::member(person);
            body["member"]["permissions"] = json!(state.permissions(person.id, interaction.channel).to_string());
        } else {
            body["context"] = json!(1);
            body["user"] = render::user(person);
        }
    }
    if let Some(message) = interaction.on_message.and_then(|id| state.messages.get(&id)) {
        body["message"] = render::message(state, message);
    }
    body
}

/// Waits for the bot and says what came of it.
async fn reaction(server: &Arc<Server>, id: Option<u64>) -> Result<Value, Mistake> {
    let Some(id) = id else {
        return Ok(json!({
            "interaction": null, "acknowledged": false, "acknowledge_ms": null,
            "response": null, "modal": null, "error": NOT_CONNECTED,
        }));
    };
    let known = |state: &State| {
        let interaction = state.interactions.get(&id)?;
        interaction.acknowledged.map(|acknowledged| (interaction.clone(), acknowledged))
    };
    let Some((interaction, acknowledged)) = server.wait(REACTION, known).await else {
        return Ok(json!({
            "interaction": id.to_string(), "acknowledged": false, "acknowledge_ms": null,
            "response": null, "modal": null, "error": NO_RESPONSE,
        }));
    };
    let took: TimeDelta = acknowledged.at - interaction.created;
    let modal = interaction.modal.as_ref().map(|modal| {
        json!({
            "id": id.to_string(), "custom_id": modal.custom_id, "title": modal.title, "components": modal.components,
        })
    });
    // A deferred update changes nothing yet, so there is no response to show.
    let shown = interaction.original.filter(|_| acknowledged.kind != 6);
    let response = server
        .with(|state| shown.and_then(|id| state.messages.get(&id)).map(|message| render::message(state, message)));
    Ok(json!({
        "interaction": id.to_string(),
        "acknowledged": true,
        "acknowledge_ms": took.as_seconds_f64() * 1000.0,
        "response": response,
        "modal": modal,
        "error": null,
    }))
}
