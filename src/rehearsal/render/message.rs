//! A message and its attachments.

use serde_json::{Value, json};

use super::{channel, ids, member, time, user};
use crate::rehearsal::{
    form::snowflake,
    model::{Attachment, FLAG_HAS_THREAD, Interaction, InteractionKind, Message},
    state::State,
    world,
};

/// <https://discord.com/developers/docs/resources/message#message-object>
pub fn message(state: &State, shown: &Message) -> Value {
    let users = |ids: &[u64]| ids.iter().filter_map(|id| state.person(*id).ok()).map(user).collect::<Vec<_>>();
    let mut body = json!({
        "id": shown.id.to_string(),
        "channel_id": shown.channel.to_string(),
        "type": shown.kind,
        "author": users(&[shown.author]).pop(),
        "content": shown.content,
        "timestamp": time(shown.created),
        "edited_timestamp": shown.edited.map(time),
        "tts": shown.tts,
        "mention_everyone": shown.mention_everyone,
        "mentions": users(&shown.mentions),
        "mention_roles": ids(&shown.mention_roles),
        "attachments": shown.attachments.iter().map(|file| attachment(state, file)).collect::<Vec<_>>(),
        "embeds": shown.embeds,
        "components": shown.components,
        "pinned": shown.pinned,
        "flags": shown.flags,
    });
    if let Some(nonce) = &shown.nonce {
        body["nonce"] = nonce.clone();
    }
    if let Some(reference) = &shown.reference {
        body["message_reference"] = reference.clone();
        let replied = reference.get("message_id").and_then(snowflake);
        let replied = replied.and_then(|id| state.messages.get(&id)).filter(|_| shown.kind == 19);
        if let Some(replied) = replied {
            body["referenced_message"] = message(state, &Message { reference: None, ..replied.clone() });
        }
    }
    if let Some(thread) = shown.thread.and_then(|id| state.channel(id).ok()) {
        body["thread"] = channel(state, thread);
        body["flags"] = json!(shown.flags | FLAG_HAS_THREAD);
    }
    if let Some(interaction) = shown.answers.and_then(|id| state.interactions.get(&id)) {
        let person = users(&[interaction.person]).pop();
        let kind = interaction.kind as u8;
        body["webhook_id"] = json!(world::APPLICATION.to_string());
        body["application_id"] = json!(world::APPLICATION.to_string());
        body["interaction_metadata"] = metadata(state, interaction);
        if kind == 2 {
            body["interaction"] = json!({
                "id": interaction.id.to_string(),
                "type": kind,
                "name": interaction.about,
                "user": person,
            });
        }
    }
    body
}

/// <https://discord.com/developers/docs/resources/message#message-interaction-metadata-object>
fn metadata(state: &State, interaction: &Interaction) -> Value {
    let mut metadata = json!({
        "id": interaction.id.to_string(),
        "type": interaction.kind as u8,
        "user": state.person(interaction.person).ok().map(user),
        "authorizing_integration_owners": {"0": world::GUILD.to_string()},
    });
    if let (InteractionKind::Component, Some(message)) = (interaction.kind, interaction.on_message) {
        metadata["interacted_message_id"] = json!(message.to_string());
    }
    if let Some(opener) = interaction.opened_by.and_then(|id| state.interactions.get(&id)) {
        metadata["triggering_interaction_metadata"] = self::metadata(state, opener);
    }
    metadata
}

/// What a message has over the gateway and not in an answer: where it was written, and the author's roles.
pub fn add_gateway_fields(state: &State, message: &Message, body: &mut Value) {
    if let (Some(guild), Ok(author)) = (state.guild_of(message.channel), state.person(message.author)) {
        body["guild_id"] = json!(guild.to_string());
        body["member"] = member(author);
        if let Some(object) = body["member"].as_object_mut() {
            object.remove("user");
        }
    }
}

fn attachment(state: &State, file: &Attachment) -> Value {
    let url = format!("{}/rehearsal/api/files/{}/{}", state.url, file.id, file.filename);
    let mut body = json!({
        "id": file.id.to_string(),
        "filename": file.filename,
        "content_type": file.content_type,
        "size": file.size,
        "url": url,
        "proxy_url": url,
    });
    if let Some(description) = &file.description {
        body["description"] = json!(description);
    }
    body
}
