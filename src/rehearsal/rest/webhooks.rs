//! What an interaction's token still allows after the first answer: `@original` and follow-ups, for 15 minutes.
//!
//! Only here can a bot reach an ephemeral message.
//! <https://discord.com/developers/docs/interactions/receiving-and-responding#followup-messages>

use super::{
    Answer, Request, id,
    interactions::{TOKEN_LIVES, response},
    messages, nothing, ok, unknown,
};
use crate::rehearsal::{
    compose,
    error::ApiError,
    model::{FLAG_LOADING, Interaction},
    render, shapes,
    state::State,
    world,
};

/// Follow-ups that one interaction may have is not limited for a bot that is a member of the server.
pub fn route(state: &mut State, request: &Request, application: u64, token: &str, rest: &[&str]) -> Answer {
    let found = state.interactions.values().find(|found| found.token == token).cloned();
    let interaction = found.filter(|_| application == world::APPLICATION).ok_or_else(ApiError::unknown_webhook)?;
    if state.now() - interaction.created > TOKEN_LIVES {
        return Err(ApiError::token_expired());
    }
    if interaction.acknowledged.is_none() {
        return Err(ApiError::unknown_webhook());
    }
    match state.faults.old_tokens {
        Some(50_027) => return Err(ApiError::token_expired()),
        Some(_) => return Err(ApiError::unknown_webhook()),
        None => {}
    }
    let message = match rest {
        [] => None,
        ["messages", "@original"] => Some(interaction.original.ok_or_else(ApiError::unknown_message)?),
        ["messages", message] => Some(id(message)?),
        _ => return unknown(state, request),
    };
    match (request.method.as_str(), message) {
        ("POST", None) => follow_up(state, request, &interaction),
        ("GET", Some(message)) => {
            own(state, &interaction, message)?;
            messages::get_any(state, message)
        }
        ("PATCH", Some(message)) => {
            own(state, &interaction, message)?;
            edit(state, request, message)
        }
        ("DELETE", Some(message)) => {
            own(state, &interaction, message)?;
            state.remove_message(message);
            nothing()
        }
        _ => unknown(state, request),
    }
}

/// A token reaches the answers to its interaction, and the message whose button it was.
fn own(state: &State, interaction: &Interaction, message: u64) -> Result<(), ApiError> {
    let found = state.messages.get(&message).ok_or_else(ApiError::unknown_message)?;
    let reachable = found.answers == Some(interaction.id) || interaction.on_message == Some(message);
    if reachable { Ok(()) } else { Err(ApiError::unknown_message()) }
}

/// The first edit of a deferred answer is the answer itself: it does not count as an edit.
fn edit(state: &mut State, request: &Request, message: u64) -> Answer {
    compose::check(state, "", &request.body, &request.files, &shapes::MESSAGE_RESPONSE)?;
    let waiting = state.messages.get(&message).filter(|found| found.flags & FLAG_LOADING != 0).cloned();
    let Some(mut answer) = waiting else { return messages::revise(state, message, request) };
    compose::apply(state, &mut answer, &request.body, &request.files)?;
    answer.flags &= !FLAG_LOADING;
    answer.edited = Some(state.now());
    state.replace_message(answer);
    messages::get_any(state, message)
}

/// The first follow-up to a deferred answer takes its place, ephemeral or not as that was.
fn follow_up(state: &mut State, request: &Request, interaction: &Interaction) -> Answer {
    compose::check(state, "", &request.body, &request.files, &shapes::MESSAGE_RESPONSE)?;
    let original = interaction.original.and_then(|id| state.messages.get(&id));
    if let Some(waiting) = original.filter(|message| message.flags & FLAG_LOADING != 0).map(|message| message.id) {
        return edit(state, request, waiting);
    }
    let mut message = response(state, interaction, &request.body);
    message.kind = if interaction.original.is_some() { 19 } else { 0 };
    message.reference = interaction.original.map(|id| {
        serde_json::json!({"type": 0, "message_id": id.to_string(), "channel_id": interaction.channel.to_string()})
    });
    compose::apply(state, &mut message, &request.body, &request.files)?;
    let body = {
        let id = message.id;
        state.add_message(message);
        state.messages.get(&id).map(|message| render::message(state, message))
    };
    ok(body.unwrap_or_default())
}
