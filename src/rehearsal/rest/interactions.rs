//! The bot's answer to an interaction.
//!
//! Once, within three seconds, and of a type that fits what the person did.
//! <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response-object>

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Answer, Request, nothing, ok};
use crate::rehearsal::{
    compose,
    error::ApiError,
    form::{Problems, join},
    model::{Acknowledgement, FLAG_EPHEMERAL, FLAG_LOADING, Interaction, InteractionKind, Message, Modal},
    render, shapes,
    state::{State, items, text},
    world,
};

/// <https://discord.com/developers/docs/interactions/receiving-and-responding#responding-to-an-interaction>
pub const ACKNOWLEDGE_WITHIN: TimeDelta = TimeDelta::seconds(3);
pub const TOKEN_LIVES: TimeDelta = TimeDelta::minutes(15);

const MESSAGE: i64 = 4;
const DEFERRED_MESSAGE: i64 = 5;
const DEFERRED_UPDATE: i64 = 6;
const UPDATE: i64 = 7;
const CHOICES: i64 = 8;
const MODAL: i64 = 9;

pub fn callback(state: &mut State, request: &Request, id: u64, token: &str) -> Answer {
    let found = state.interactions.get(&id).filter(|found| found.token == token).cloned();
    let interaction = found.ok_or_else(ApiError::unknown_interaction)?;
    if interaction.acknowledged.is_some() {
        return Err(ApiError::already_acknowledged());
    }
    if state.now() - interaction.created > ACKNOWLEDGE_WITHIN {
        return Err(ApiError::unknown_interaction());
    }
    state.check(&request.body, &shapes::CALLBACK)?;
    let kind = request.body["type"].as_i64().unwrap_or(0);
    fits(&interaction, kind)?;
    let message = answer(state, &interaction, kind, request)?;
    let acknowledged = Acknowledgement { at: state.now(), kind };
    if let Some(interaction) = state.interactions.get_mut(&id) {
        interaction.acknowledged = Some(acknowledged);
        interaction.original = message;
    }
    if request.asks("with_response") { ok(with_response(state, id, kind)) } else { nothing() }
}

/// Updates are for components, choices for autocomplete, and a form cannot follow a form.
fn fits(interaction: &Interaction, kind: i64) -> Result<(), ApiError> {
    let on_message = interaction.on_message.is_some();
    let fits = match interaction.kind {
        InteractionKind::Autocomplete => kind == CHOICES,
        InteractionKind::Command => matches!(kind, MESSAGE | DEFERRED_MESSAGE | MODAL),
        InteractionKind::Component => matches!(kind, MESSAGE | DEFERRED_MESSAGE | DEFERRED_UPDATE | UPDATE | MODAL),
        InteractionKind::Modal => {
            matches!(kind, MESSAGE | DEFERRED_MESSAGE) || on_message && matches!(kind, DEFERRED_UPDATE | UPDATE)
        }
    };
    if fits {
        return Ok(());
    }
    let mut problems = Problems::default();
    let message = format!("A response of type {kind} does not fit an interaction of type {}.", interaction.kind as u8);
    problems.add("type", "INTERACTION_RESPONSE_TYPE_INVALID", message);
    problems.into_result(false)
}

/// Carries the answer out; returns what `@original` will name.
fn answer(state: &mut State, interaction: &Interaction, kind: i64, request: &Request) -> Result<Option<u64>, ApiError> {
    let data = &request.body["data"];
    match kind {
        MESSAGE => {
            checked_data(state, request)?;
            let mut message = response(state, interaction, data);
            compose::apply(state, &mut message, data, &request.files)?;
            Ok(Some(post(state, message)))
        }
        DEFERRED_MESSAGE => {
            let mut message = response(state, interaction, data);
            message.flags |= FLAG_LOADING;
            Ok(Some(post(state, message)))
        }
        UPDATE => {
            checked_data(state, request)?;
            let id = interaction.on_message.unwrap_or(0);
            let mut message = state.messages.get(&id).cloned().ok_or_else(ApiError::unknown_message)?;
            compose::apply(state, &mut message, data, &request.files)?;
            message.edited = Some(state.now());
            state.replace_message(message);
            Ok(Some(id))
        }
        CHOICES => {
            let mut problems = state.examine("data", data, &shapes::AUTOCOMPLETE);
            choice_values(&mut problems, items(data, "choices"));
            problems.into_result(state.strict)?;
            keep(state, interaction.id, |kept| kept.choices = Some(items(data, "choices").to_vec()));
            Ok(None)
        }
        MODAL => {
            let mut problems = state.examine("data", data, &shapes::MODAL);
            modal_rules(&mut problems, items(data, "components"));
            problems.into_result(state.strict)?;
            let modal = Modal {
                custom_id: text(data, "custom_id").to_owned(),
                title: text(data, "title").to_owned(),
                components: items(data, "components").to_vec(),
                submitted: false,
            };
            keep(state, interaction.id, |kept| kept.modal = Some(modal));
            Ok(None)
        }
        _ => Ok(interaction.on_message),
    }
}

fn keep(state: &mut State, id: u64, change: impl FnOnce(&mut Interaction)) {
    if let Some(interaction) = state.interactions.get_mut(&id) {
        change(interaction);
    }
}

fn checked_data(state: &mut State, request: &Request) -> Result<(), ApiError> {
    let data = request.body.get("data").filter(|data| !data.is_null()).cloned().unwrap_or_else(|| json!({}));
    compose::check(state, "data", &data, &request.files, &shapes::MESSAGE_RESPONSE)
}

/// A message that answers `interaction`, still empty.
pub fn response(state: &mut State, interaction: &Interaction, data: &Value) -> Message {
    let mut message = compose::blank(state, interaction.channel, world::BOT_USER);
    message.kind = if interaction.kind == InteractionKind::Command { 20 } else { 0 };
    message.answers = Some(interaction.id);
    message.tts = data["tts"] == true;
    if compose::is_ephemeral(data) {
        message.flags |= FLAG_EPHEMERAL;
        message.only_for = Some(interaction.person);
    }
    message
}

fn post(state: &mut State, message: Message) -> u64 {
    let id = message.id;
    state.add_message(message);
    id
}

fn choice_values(problems: &mut Problems, choices: &[Value]) {
    for (index, choice) in choices.iter().enumerate() {
        if choice["value"].as_str().is_some_and(|text| text.chars().count() > 100) {
            let at = join("data", &format!("choices.{index}.value"));
            problems.add(&at, "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.");
        }
    }
}

/// The fields of a form have ids of their own, and a field in a row has a label.
fn modal_rules(problems: &mut Problems, components: &[Value]) {
    let mut seen = std::collections::HashSet::new();
    for (index, component) in components.iter().enumerate() {
        let at = format!("data.components.{index}");
        let row = component.get("component").is_none();
        let inner = if row { &component["components"][0] } else { &component["component"] };
        let at = if row { join(&at, "components.0") } else { join(&at, "component") };
        if !text(inner, "custom_id").is_empty() && !seen.insert(text(inner, "custom_id")) {
            let message = "Component custom id cannot be duplicated";
            problems.add(&join(&at, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", message);
        }
        if row && component["type"] == 1 && text(inner, "label").is_empty() {
            problems.add(&join(&at, "label"), "BASE_TYPE_REQUIRED", "This field is required");
        }
    }
}

/// <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-callback-interaction-callback-object>
fn with_response(state: &State, id: u64, kind: i64) -> Value {
    let Some(interaction) = state.interactions.get(&id) else { return Value::Null };
    let mut body = json!({
        "interaction": {
            "id": id.to_string(),
            "type": interaction.kind as u8,
            "activity_instance_id": null,
            "response_message_id": interaction.original.map(|id| id.to_string()),
            "response_message_loading": kind == DEFERRED_MESSAGE,
            "channel_id": interaction.channel.to_string(),
            "guild_id": state.guild_of(interaction.channel).map(|guild| guild.to_string()),
        },
        "resource": {"type": kind},
    });
    let message = interaction.original.and_then(|id| state.messages.get(&id));
    if let Some(message) = message {
        let ephemeral = message.only_for.is_some();
        body["interaction"]["response_message_ephemeral"] = json!(ephemeral);
        if kind != DEFERRED_UPDATE {
            body["resource"]["message"] = render::message(state, message);
        }
    }
    body
}
