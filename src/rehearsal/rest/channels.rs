//! One channel: itself, its pins, and the way to its messages and threads.
//!
//! <https://discord.com/developers/docs/resources/channel>

use serde_json::json;

use super::{Answer, Request, id, messages, nothing, ok, threads, unknown};
use crate::rehearsal::{
    error::ApiError,
    model::{ChannelKind, Message},
    permissions, render, shapes,
    state::{State, text},
    world,
};

/// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json>, 30003
const PINS: usize = 50;

pub fn route(state: &mut State, request: &Request, channel: u64, rest: &[&str]) -> Answer {
    state.bot_may(channel, 0)?;
    match (request.method.as_str(), rest) {
        ("GET", []) => ok(render::channel(state, state.channel(channel)?)),
        ("PATCH", []) if state.thread_mut(channel).is_some() => threads::edit(state, request, channel),
        ("PATCH", []) => edit(state, request, channel),
        ("POST", ["typing"]) => {
            state.bot_may(channel, permissions::SEND_MESSAGES)?;
            nothing()
        }
        ("GET", ["messages"]) => messages::list(state, request, channel),
        ("POST", ["messages"]) => messages::create(state, request, channel),
        ("GET", ["messages", "pins"]) => {
            let items = pinned(state, channel).into_iter().map(|message| {
                json!({"pinned_at": render::time(message.created), "message": render::message(state, message)})
            });
            ok(json!({"items": items.collect::<Vec<_>>(), "has_more": false}))
        }
        ("GET", ["pins"]) => {
            ok(pinned(state, channel).into_iter().map(|message| render::message(state, message)).collect())
        }
        ("PUT", ["pins", message] | ["messages", "pins", message]) => pin(state, channel, id(message)?, true),
        ("DELETE", ["pins", message] | ["messages", "pins", message]) => pin(state, channel, id(message)?, false),
        ("GET", ["messages", message]) => messages::get(state, channel, id(message)?),
        ("PATCH", ["messages", message]) => messages::edit(state, request, channel, id(message)?),
        ("DELETE", ["messages", message]) => messages::delete(state, channel, id(message)?),
        ("POST", ["messages", message, "threads"]) => threads::from_message(state, request, channel, id(message)?),
        ("POST", ["threads"]) => threads::create(state, request, channel),
        ("GET", ["threads", "archived", "public"]) => threads::archived(state, channel),
        ("PUT" | "DELETE", ["thread-members", _]) if state.thread_mut(channel).is_some() => nothing(),
        _ => unknown(state, request),
    }
}

fn edit(state: &mut State, request: &Request, channel: u64) -> Answer {
    state.bot_may(channel, permissions::MANAGE_CHANNELS)?;
    state.check(&request.body, &shapes::CHANNEL_EDIT)?;
    let found = state.channel_mut(channel)?;
    if request.body.get("name").is_some() {
        found.name = text(&request.body, "name").to_owned();
    }
    if let (ChannelKind::Text { topic }, Some(_)) = (&mut found.kind, request.body.get("topic")) {
        *topic = text(&request.body, "topic").to_owned();
    }
    state.announce_channel(channel, "CHANNEL_UPDATE");
    ok(render::channel(state, state.channel(channel)?))
}

fn pinned(state: &State, channel: u64) -> Vec<&Message> {
    state.messages.values().rev().filter(|message| message.channel == channel && message.pinned).collect()
}

/// Since 2026 pinning has a permission of its own; before, it was Manage Messages. Either will do here.
fn pin(state: &mut State, channel: u64, message: u64, pinned_now: bool) -> Answer {
    let held = state.permissions(world::BOT_USER, channel);
    if held & (permissions::PIN_MESSAGES | permissions::MANAGE_MESSAGES) == 0 {
        return Err(ApiError::missing_permissions());
    }
    let mut found = messages::reachable(state, channel, message)?.clone();
    if pinned_now && !found.pinned && pinned(state, channel).len() >= PINS {
        return Err(ApiError::new(400, 30003, format!("Maximum number of pins reached for the channel ({PINS})")));
    }
    found.pinned = pinned_now;
    state.replace_message(found);
    nothing()
}
