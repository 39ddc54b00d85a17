//! Threads: made from a message or alone, renamed, archived.
//!
//! A message has at most one thread, and the thread has the message's id.
//! <https://discord.com/developers/docs/resources/channel#start-thread-from-message>

use serde_json::{Value, json};

use super::{Answer, Request, created, messages, ok};
use crate::rehearsal::{
    compose,
    error::ApiError,
    model::{Channel, ChannelKind, Thread},
    permissions, render, shapes,
    state::{State, text},
    world,
};

pub fn from_message(state: &mut State, request: &Request, channel: u64, message: u64) -> Answer {
    state.check(&request.body, &shapes::THREAD_FROM_MESSAGE)?;
    state.bot_may(channel, permissions::CREATE_PUBLIC_THREADS)?;
    refuse_inside_thread(state, channel)?;
    let mut source = messages::reachable(state, channel, message)?.clone();
    if source.thread.is_some() {
        return Err(ApiError::new(400, 160_004, "A thread has already been created for this message"));
    }
    add(state, message, channel, &request.body, false)?;
    source.thread = Some(message);
    state.replace_message(source);

    let mut starter = compose::blank(state, message, world::BOT_USER);
    starter.kind = 21;
    starter.reference = Some(json!({
        "message_id": message.to_string(),
        "channel_id": channel.to_string(),
        "guild_id": world::GUILD.to_string(),
    }));
    state.add_message(starter);
    created(render::channel(state, state.channel(message)?))
}

pub fn create(state: &mut State, request: &Request, channel: u64) -> Answer {
    state.check(&request.body, &shapes::THREAD)?;
    // Without a type Discord makes a private thread.
    let private = request.body["type"].as_i64().unwrap_or(12) == 12;
    let needed = if private { permissions::CREATE_PRIVATE_THREADS } else { permissions::CREATE_PUBLIC_THREADS };
    state.bot_may(channel, needed)?;
    refuse_inside_thread(state, channel)?;
    let id = state.next_id();
    add(state, id, channel, &request.body, private)?;
    if !private {
        let mut notice = compose::blank(state, channel, world::BOT_USER);
        notice.kind = 18;
        notice.content = text(&request.body, "name").to_owned();
        notice.reference = Some(json!({"channel_id": id.to_string(), "guild_id": world::GUILD.to_string()}));
        state.add_message(notice);
    }
    created(render::channel(state, state.channel(id)?))
}

fn refuse_inside_thread(state: &State, channel: u64) -> Result<(), ApiError> {
    match state.channel(channel)?.kind {
        ChannelKind::Text { .. } => Ok(()),
        _ => Err(ApiError::new(400, 50024, "Cannot execute action on this channel type")),
    }
}

fn add(state: &mut State, id: u64, parent: u64, body: &Value, private: bool) -> Result<(), ApiError> {
    let now = state.now();
    let thread = Thread {
        parent,
        owner: world::BOT_USER,
        private,
        archived: false,
        locked: false,
        auto_archive: body["auto_archive_duration"].as_i64().unwrap_or(4320),
        archive_changed: now,
        active: now,
        created: now,
        messages: 0,
    };
    let name = text(body, "name").to_owned();
    let kind = ChannelKind::Thread(thread);
    state.channels.push(Channel { id, name, kind, overwrites: Vec::new(), last_message: None });
    state.announce_channel(id, "THREAD_CREATE");
    Ok(())
}

/// An archived thread takes no change but being opened again.
pub fn edit(state: &mut State, request: &Request, channel: u64) -> Answer {
    let body = &request.body;
    state.check(body, &shapes::THREAD_EDIT)?;
    state.bot_may(channel, permissions::MANAGE_THREADS)?;
    let now = state.now();
    let Some(thread) = state.thread_mut(channel) else { return Err(ApiError::unknown_channel()) };
    let archived = body["archived"].as_bool();
    if thread.archived && archived != Some(false) {
        return Err(ApiError::thread_archived());
    }
    if let Some(archived) = archived.filter(|archived| *archived != thread.archived) {
        thread.archived = archived;
        thread.archive_changed = now;
        thread.active = now;
    }
    if let Some(locked) = body["locked"].as_bool() {
        thread.locked = locked;
    }
    if let Some(minutes) = body["auto_archive_duration"].as_i64() {
        thread.auto_archive = minutes;
    }
    if let Some(name) = body["name"].as_str() {
        state.channel_mut(channel)?.name = name.to_owned();
    }
    state.announce_channel(channel, "THREAD_UPDATE");
    ok(render::channel(state, state.channel(channel)?))
}

pub fn archived(state: &mut State, parent: u64) -> Answer {
    state.bot_may(parent, permissions::READ_MESSAGE_HISTORY)?;
    let of_parent = |channel: &&Channel| matches!(&channel.kind, ChannelKind::Thread(thread) if thread.archived && !thread.private && thread.parent == parent);
    let threads: Vec<Value> =
        state.channels.iter().filter(of_parent).map(|channel| render::channel(state, channel)).collect();
    ok(json!({"threads": threads, "members": [], "has_more": false}))
}
