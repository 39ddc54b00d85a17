//! Messages of a channel: list, get, create, edit, delete.
//!
//! The bot reaches here what everyone sees. An ephemeral message does not exist on these routes.
//! <https://discord.com/developers/docs/resources/message>

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Answer, Request, nothing, ok};
use crate::{
    clock::elapsed,
    rehearsal::{
        compose,
        error::ApiError,
        form::snowflake,
        model::{ChannelKind, Message},
        permissions, render, shapes,
        state::State,
        world,
    },
};

/// Discord says "past few minutes". <https://discord.com/developers/docs/resources/message#create-message>
const NONCE_REMEMBERED: TimeDelta = TimeDelta::minutes(5);
/// Discord limits edits of messages older than this more tightly, and does not say how.
const OLD: TimeDelta = TimeDelta::hours(1);
/// The rehearsal's own rule for that: so many edits of one old message within an hour.
const LATE_EDITS: usize = 5;

/// A message that the bot can see at this place.
pub fn reachable(state: &State, channel: u64, message: u64) -> Result<&Message, ApiError> {
    let found = state.messages.get(&message).filter(|found| found.channel == channel && found.only_for.is_none());
    found.ok_or_else(ApiError::unknown_message)
}

pub fn get(state: &mut State, channel: u64, message: u64) -> Answer {
    state.bot_may(channel, permissions::READ_MESSAGE_HISTORY)?;
    ok(render::message(state, reachable(state, channel, message)?))
}

/// Newest first, as Discord lists them.
pub fn list(state: &mut State, request: &Request, channel: u64) -> Answer {
    state.bot_may(channel, permissions::READ_MESSAGE_HISTORY)?;
    let (after, before) = (request.query_id("after"), request.query_id("before"));
    let visible = state.messages.values().filter(|message| message.channel == channel && message.only_for.is_none());
    let mut found: Vec<&Message> = visible
        .filter(|message| after.is_none_or(|after| message.id > after))
        .filter(|message| before.is_none_or(|before| message.id < before))
        .collect();
    let limit = request.limit(50, 100);
    // After a message come the ones next to it, otherwise the latest.
    match after {
        Some(_) => found.truncate(limit),
        None => drop(found.drain(..found.len().saturating_sub(limit))),
    }
    ok(found.into_iter().rev().map(|message| render::message(state, message)).collect())
}

pub fn create(state: &mut State, request: &Request, channel: u64) -> Answer {
    let body = &request.body;
    compose::check(state, "", body, &request.files, &shapes::MESSAGE_CREATE)?;
    state.bot_may(channel, needed(state, channel, request))?;
    if let Some(twin) = twin(state, body) {
        return ok(render::message(state, twin));
    }
    open_for_messages(state, channel)?;
    let mut message = compose::blank(state, channel, world::BOT_USER);
    refer(state, &mut message, body)?;
    compose::apply(state, &mut message, body, &request.files)?;
    message.nonce = body.get("nonce").filter(|nonce| !nonce.is_null()).cloned();
    message.tts = body["tts"] == true;
    let id = message.id;
    state.add_message(message);
    get_any(state, id)
}

pub fn get_any(state: &State, message: u64) -> Answer {
    let found = state.messages.get(&message).ok_or_else(ApiError::unknown_message)?;
    ok(render::message(state, found))
}

/// The permissions that this message needs. Embeds without Embed Links are refused here; Discord drops them silently.
fn needed(state: &State, channel: u64, request: &Request) -> u64 {
    let in_thread = matches!(state.channel(channel).map(|channel| &channel.kind), Ok(ChannelKind::Thread(_)));
    let send = if in_thread { permissions::SEND_MESSAGES_IN_THREADS } else { permissions::SEND_MESSAGES };
    let embed = if request.body["embeds"].as_array().is_some_and(|list| !list.is_empty()) {
        permissions::EMBED_LINKS
    } else {
        0
    };
    let attach = if request.files.is_empty() { 0 } else { permissions::ATTACH_FILES };
    send | embed | attach
}

/// The message that was already made with this nonce, when the body asks not to make another.
fn twin<'a>(state: &'a State, body: &Value) -> Option<&'a Message> {
    let nonce = body.get("nonce").filter(|nonce| !nonce.is_null() && body["enforce_nonce"] == true)?;
    let now = state.now();
    let recent = state.messages.values().rev().take_while(|message| now - message.created < NONCE_REMEMBERED);
    recent.filter(|message| message.author == world::BOT_USER).find(|message| message.nonce.as_ref() == Some(nonce))
}

/// A message wakes an archived thread, unless it is locked and the bot may not unlock it.
fn open_for_messages(state: &mut State, channel: u64) -> Result<(), ApiError> {
    let now = state.now();
    let may_unlock = state.permissions(world::BOT_USER, channel) & permissions::MANAGE_THREADS != 0;
    let Some(thread) = state.thread_mut(channel) else { return Ok(()) };
    if thread.locked && !may_unlock {
        return Err(ApiError::thread_archived());
    }
    if thread.archived {
        thread.archived = false;
        thread.archive_changed = now;
        state.announce_channel(channel, "THREAD_UPDATE");
    }
    Ok(())
}

fn refer(state: &State, message: &mut Message, body: &Value) -> Result<(), ApiError> {
    let Some(reference) = body.get("message_reference").filter(|reference| !reference.is_null()) else { return Ok(()) };
    let id = reference.get("message_id").and_then(snowflake).unwrap_or(0);
    if reachable(state, message.channel, id).is_err() {
        if reference["fail_if_not_exists"] == false {
            return Ok(());
        }
        let error = json!([{"code": "REPLIES_UNKNOWN_MESSAGE", "message": "Unknown message"}]);
        return Err(ApiError::invalid_form(json!({"message_reference": {"_errors": error}})));
    }
    message.kind = 19;
    message.reference = Some(json!({
        "type": 0,
        "message_id": id.to_string(),
        "channel_id": message.channel.to_string(),
        "guild_id": state.guild_of(message.channel).map(|guild| guild.to_string()),
    }));
    Ok(())
}

pub fn edit(state: &mut State, request: &Request, channel: u64, message: u64) -> Answer {
    compose::check(state, "", &request.body, &request.files, &shapes::MESSAGE_EDIT)?;
    let found = reachable(state, channel, message)?;
    if found.author != world::BOT_USER {
        return Err(ApiError::other_author());
    }
    if state.thread_mut(channel).is_some_and(|thread| thread.archived) {
        return Err(ApiError::thread_archived());
    }
    revise(state, message, request)
}

/// Changes a message of the bot; the body has been checked.
pub fn revise(state: &mut State, message: u64, request: &Request) -> Answer {
    let mut changed = state.messages.get(&message).cloned().ok_or_else(ApiError::unknown_message)?;
    count_late_edit(state, &mut changed)?;
    compose::apply(state, &mut changed, &request.body, &request.files)?;
    changed.edited = Some(state.now());
    state.replace_message(changed);
    get_any(state, message)
}

fn count_late_edit(state: &mut State, message: &mut Message) -> Result<(), ApiError> {
    let now = state.now();
    if state.faults.old_messages.is_some_and(|last| message.id <= last) {
        return Err(ApiError::too_old_to_edit(OLD.as_seconds_f64()));
    }
    if now - message.created <= OLD {
        return Ok(());
    }
    message.late_edits.retain(|at| now - at < OLD);
    if let Some(first) = message.late_edits.first().filter(|_| message.late_edits.len() >= LATE_EDITS) {
        return Err(ApiError::too_old_to_edit(elapsed(now, *first + OLD).as_secs_f64()));
    }
    message.late_edits.push(now);
    Ok(())
}

pub fn delete(state: &mut State, channel: u64, message: u64) -> Answer {
    let foreign = reachable(state, channel, message)?.author != world::BOT_USER;
    if foreign {
        state.bot_may(channel, permissions::MANAGE_MESSAGES)?;
    }
    state.remove_message(message);
    nothing()
}
