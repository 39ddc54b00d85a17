//! How Discord spells the rehearsal's structs in JSON.
//!
//! Clients are strict readers: one missing field and a library drops the whole event without a word. So every field that
//! Discord documents as always present is present here.

mod message;

use chrono::SecondsFormat;
use serde_json::{Value, json};

pub use self::message::{add_gateway_fields, message};
use super::{
    model::{Channel, ChannelKind, Command, Person, Role},
    state::State,
    world,
};
use crate::clock::Timestamp;

pub fn time(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, false)
}

pub fn ids(ids: &[u64]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// <https://discord.com/developers/docs/resources/user#user-object>
pub fn user(person: &Person) -> Value {
    json!({
        "id": person.id.to_string(),
        "username": person.username,
        "discriminator": "0",
        "global_name": if person.bot { Value::Null } else { json!(person.name) },
        "avatar": null,
        "banner": null,
        "accent_color": null,
        "avatar_decoration_data": null,
        "bot": person.bot,
        "system": false,
        "public_flags": 0,
        "flags": 0,
    })
}

/// <https://discord.com/developers/docs/resources/guild#guild-member-object>
pub fn member(person: &Person) -> Value {
    json!({
        "user": user(person),
        "nick": null,
        "avatar": null,
        "banner": null,
        "roles": ids(&person.roles),
        "joined_at": time(person.joined),
        "premium_since": null,
        "deaf": false,
        "mute": false,
        "flags": 0,
        "pending": false,
        "communication_disabled_until": null,
    })
}

/// <https://discord.com/developers/docs/topics/permissions#role-object>
pub fn role(role: &Role) -> Value {
    let mut body = json!({
        "id": role.id.to_string(),
        "name": role.name,
        "description": null,
        "color": role.color,
        "colors": {"primary_color": role.color, "secondary_color": null, "tertiary_color": null},
        "hoist": false,
        "icon": null,
        "unicode_emoji": null,
        "position": role.position,
        "permissions": role.permissions.to_string(),
        "managed": role.managed,
        "mentionable": role.mentionable,
        "flags": 0,
    });
    if role.managed {
        body["tags"] = json!({"bot_id": world::BOT_USER.to_string()});
    }
    body
}

/// <https://discord.com/developers/docs/resources/channel#channel-object>
pub fn channel(state: &State, channel: &Channel) -> Value {
    let mut body = json!({
        "id": channel.id.to_string(),
        "last_message_id": channel.last_message.map(|id| id.to_string()),
        "flags": 0,
    });
    match &channel.kind {
        ChannelKind::Text { topic } => {
            merge(
                &mut body,
                json!({
                    "type": 0,
                    "guild_id": world::GUILD.to_string(),
                    "name": channel.name,
                    "topic": topic,
                    "position": state.channels.iter().position(|other| other.id == channel.id),
                    "permission_overwrites": overwrites(channel),
                    "nsfw": false,
                    "parent_id": null,
                    "rate_limit_per_user": 0,
                    "last_pin_timestamp": null,
                }),
            );
        }
        ChannelKind::Thread(thread) => merge(
            &mut body,
            json!({
                "type": if thread.private { 12 } else { 11 },
                "guild_id": world::GUILD.to_string(),
                "name": channel.name,
                "parent_id": thread.parent.to_string(),
                "owner_id": thread.owner.to_string(),
                "rate_limit_per_user": 0,
                "message_count": thread.messages,
                "total_message_sent": thread.messages,
                "member_count": 1,
                "thread_metadata": {
                    "archived": thread.archived,
                    "archive_timestamp": time(thread.archive_changed),
                    "auto_archive_duration": thread.auto_archive,
                    "locked": thread.locked,
                    "create_timestamp": time(thread.created),
                },
                "member": {
                    "id": channel.id.to_string(),
                    "user_id": world::BOT_USER.to_string(),
                    "join_timestamp": time(thread.created),
                    "flags": 1,
                },
            }),
        ),
        ChannelKind::Direct { with } => merge(
            &mut body,
            json!({
                "type": 1,
                "recipients": state.person(*with).map(|person| vec![user(person)]).unwrap_or_default(),
            }),
        ),
    }
    body
}

fn overwrites(channel: &Channel) -> Vec<Value> {
    let overwrite = |overwrite: &super::model::Overwrite| {
        let of_member =
            [world::BOT_USER, world::DANA, world::OMAR, world::LENA, world::GIL].contains(&overwrite.target);
        json!({
            "id": overwrite.target.to_string(),
            "type": i32::from(of_member),
            "allow": overwrite.allow.to_string(),
            "deny": overwrite.deny.to_string(),
        })
    };
    channel.overwrites.iter().map(overwrite).collect()
}

/// <https://discord.com/developers/docs/resources/guild#guild-object>
pub fn guild(state: &State) -> Value {
    json!({
        "id": world::GUILD.to_string(),
        "name": "Rehearsal",
        "icon": null,
        "splash": null,
        "discovery_splash": null,
        "description": null,
        "banner": null,
        "owner_id": world::OWNER.to_string(),
        "afk_channel_id": null,
        "afk_timeout": 300,
        "verification_level": 1,
        "default_message_notifications": 1,
        "explicit_content_filter": 2,
        "roles": state.roles.iter().map(role).collect::<Vec<_>>(),
        "emojis": [],
        "stickers": [],
        "features": [],
        "mfa_level": 1,
        "application_id": null,
        "system_channel_id": null,
        "system_channel_flags": 0,
        "rules_channel_id": null,
        "public_updates_channel_id": null,
        "safety_alerts_channel_id": null,
        "vanity_url_code": null,
        "max_presences": null,
        "max_members": 500_000,
        "max_video_channel_users": 25,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": false,
        "preferred_locale": "en-US",
        "nsfw": false,
        "nsfw_level": 0,
        "incidents_data": null,
    })
}

/// The guild as `GUILD_CREATE` sends it: with everything in it that the bot can see.
pub fn guild_create(state: &State) -> Value {
    let mut body = guild(state);
    let visible =
        |channel: &&Channel| state.permissions(world::BOT_USER, channel.id) & super::permissions::VIEW_CHANNEL != 0;
    let in_server = |thread: bool| {
        let wanted = state.channels.iter().filter(visible).filter(move |channel| match channel.kind {
            ChannelKind::Text { .. } => !thread,
            ChannelKind::Thread(ref kind) => thread && !kind.archived,
            ChannelKind::Direct { .. } => false,
        });
        wanted.map(|found| channel(state, found)).collect::<Vec<_>>()
    };
    merge(
        &mut body,
        json!({
            "joined_at": time(state.started),
            "large": false,
            "unavailable": false,
            "member_count": state.people.len(),
            "voice_states": [],
            "members": state.people.iter().map(member).collect::<Vec<_>>(),
            "channels": in_server(false),
            "threads": in_server(true),
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }),
    );
    body
}

/// <https://discord.com/developers/docs/interactions/application-commands#application-command-object>
pub fn command(command: &Command) -> Value {
    let mut body = json!({
        "id": command.id.to_string(),
        "application_id": world::APPLICATION.to_string(),
        "version": command.version.to_string(),
        "type": 1,
        "name": "",
        "name_localizations": null,
        "description": "",
        "description_localizations": null,
        "default_member_permissions": null,
        "dm_permission": true,
        "nsfw": false,
        "contexts": null,
        "integration_types": [0],
    });
    merge(&mut body, Value::Object(command.body.clone()));
    body["id"] = json!(command.id.to_string());
    if let Some(guild) = command.guild {
        body["guild_id"] = json!(guild.to_string());
    }
    if let Some(permissions) = body["default_member_permissions"].as_u64() {
        body["default_member_permissions"] = json!(permissions.to_string());
    }
    body
}

/// <https://discord.com/developers/docs/resources/application#application-object>
pub fn application() -> Value {
    json!({
        "id": world::APPLICATION.to_string(),
        "name": "Bot",
        "icon": null,
        "description": "",
        "rpc_origins": [],
        "bot_public": false,
        "bot_require_code_grant": false,
        "terms_of_service_url": null,
        "privacy_policy_url": null,
        "owner": {"id": world::OWNER.to_string(), "username": "owner", "discriminator": "0", "avatar": null},
        "verify_key": "0".repeat(64),
        "team": null,
        "summary": "",
        "flags": APPLICATION_FLAGS,
        "redirect_uris": [],
        "interactions_endpoint_url": null,
        "role_connections_verification_url": null,
        "tags": [],
    })
}

/// Presence, members and message content are allowed, as for a bot in few servers that ticked all boxes.
pub const APPLICATION_FLAGS: u64 = (1 << 13) | (1 << 15) | (1 << 19);

pub fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}
