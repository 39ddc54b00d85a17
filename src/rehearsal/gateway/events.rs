//! What the gateway says of its own accord: READY, changed members, and how often a bot may still identify.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::session::intents;
use crate::rehearsal::{render, state::State, world};

/// <https://discord.com/developers/docs/events/gateway#session-start-limit-object>
pub const IDENTIFIES_A_DAY: usize = 1000;
/// Sessions without a connection that are kept for RESUME.
const SESSIONS_KEPT: usize = 20;

pub fn ready(state: &State, session: &str) -> Value {
    let bot = state.person(world::BOT_USER).map(render::user).unwrap_or_default();
    json!({
        "v": 10,
        "user": bot,
        "guilds": [{"id": world::GUILD.to_string(), "unavailable": true}],
        "session_id": session,
        "resume_gateway_url": state.url.replacen("http", "ws", 1),
        "shard": [0, 1],
        "application": {"id": world::APPLICATION.to_string(), "flags": render::APPLICATION_FLAGS},
        "private_channels": [],
        "relationships": [],
        "presences": [],
        "user_settings": {},
        "_trace": ["rehearsal"],
    })
}

pub fn forget_old_sessions(state: &mut State) {
    let away = state.sessions.iter().filter(|session| !session.connected()).count();
    if away >= SESSIONS_KEPT
        && let Some(oldest) = state.sessions.iter().position(|session| !session.connected())
    {
        state.sessions.remove(oldest);
    }
}

pub fn count_identify(state: &mut State) {
    let now = state.now();
    state.identifies.retain(|at| now - at < TimeDelta::days(1));
    state.identifies.push_back(now);
}

/// How often a bot may still identify today, for `GET /gateway/bot`.
pub fn identifies_left(state: &State) -> usize {
    let now = state.now();
    let today = state.identifies.iter().filter(|at| now - *at < TimeDelta::days(1)).count();
    IDENTIFIES_A_DAY.saturating_sub(today)
}

/// The event of a list of roles or people that changed, for those who asked.
pub fn announce_member(state: &mut State, person: u64, event: &str) {
    let Ok(found) = state.person(person) else { return };
    let mut data = render::member(found);
    data["guild_id"] = json!(world::GUILD.to_string());
    state.dispatch(event, &data, intents::GUILD_MEMBERS);
}
