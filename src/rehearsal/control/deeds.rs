//! An interaction, from the person to the bot and back.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::Mistake;
use crate::{
    ids::random_token,
    rehearsal::{
        compose::FILE_LIMIT,
        gateway::session::intents,
        model::{Interaction, InteractionKind},
        render,
        server::Server,
        state::State,
        world,
    },
};

/// How long a person sees "thinking" before Discord says that the application did not respond.
pub const REACTION: Duration = Duration::from_secs(3);
pub const NO_RESPONSE: &str = "The application did not respond within 3 seconds.";
pub const NOT_CONNECTED: &str = "not connected: no bot is at the gateway, so nobody heard of it";

/// What a person did, ready to be sent.
#[derive(Debug)]
pub struct Deed {
    pub kind: InteractionKind,
    pub person: u64,
    pub channel: u64,
    pub message: Option<u64>,
    pub opened_by: Option<u64>,
    pub about: String,
    pub data: Value,
}

/// Sends the interaction to the bot; `None` when no bot is connected.
pub fn open(state: &mut State, deed: Deed) -> Option<u64> {
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
        opened_by: deed.opened_by,
        acknowledged: None,
        original: None,
        modal: None,
        choices: None,
    };
    let mut body = payload(state, &interaction, deed.data);
    if state.faults.unreadable_interactions.take()
        && let Some(fields) = body.as_object_mut()
    {
        fields.remove("attachment_size_limit");
    }
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
        "attachment_size_limit": FILE_LIMIT,
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
pub async fn reaction(server: &Arc<Server>, id: Option<u64>) -> Result<Value, Mistake> {
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
    let took = acknowledged.at - interaction.created;
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
