//! The server, its channels, roles and members.
//!
//! <https://discord.com/developers/docs/resources/guild>

use serde_json::{Value, json};

use super::{Answer, Request, id, nothing, ok, unknown};
use crate::rehearsal::{
    error::ApiError,
    gateway::events::announce_member,
    model::{ChannelKind, Person},
    permissions, render,
    state::State,
    world,
};

pub fn route(state: &mut State, request: &Request, guild: &str, rest: &[&str]) -> Answer {
    if id(guild)? != world::GUILD {
        return Err(ApiError::unknown_guild());
    }
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let mut guild = render::guild(state);
            if request.asks("with_counts") {
                guild["approximate_member_count"] = json!(state.people.len());
                guild["approximate_presence_count"] = json!(state.people.len());
            }
            ok(guild)
        }
        ("GET", ["channels"]) => ok(channels(state, |kind| matches!(kind, ChannelKind::Text { .. }))),
        ("GET", ["threads", "active"]) => {
            let active = |kind: &ChannelKind| matches!(kind, ChannelKind::Thread(thread) if !thread.archived);
            ok(json!({"threads": channels(state, active), "members": []}))
        }
        ("GET", ["roles"]) => ok(state.roles.iter().map(render::role).collect()),
        ("GET", ["roles", role]) => ok(render::role(state.role(id(role)?)?)),
        ("GET", ["members"]) => {
            let after = request.query_id("after").unwrap_or(0);
            let mut people: Vec<&Person> = state.people.iter().filter(|person| person.id > after).collect();
            people.sort_by_key(|person| person.id);
            ok(people.into_iter().take(request.limit(1, 1000)).map(render::member).collect())
        }
        ("GET", ["members", "search"]) => {
            let query = request.query.get("query").map(|text| text.to_lowercase()).unwrap_or_default();
            let found = state.people.iter().filter(|person| person.username.starts_with(&query));
            ok(found.take(request.limit(1, 1000)).map(render::member).collect())
        }
        ("GET", ["members", person]) => ok(render::member(member(state, person)?)),
        ("PUT", ["members", person, "roles", role]) => set_role(state, person, role, true),
        ("DELETE", ["members", person, "roles", role]) => set_role(state, person, role, false),
        _ => unknown(state, request),
    }
}

fn member<'a>(state: &'a State, person: &str) -> Result<&'a Person, ApiError> {
    let id = if person == "@me" { world::BOT_USER } else { id(person)? };
    state.person(id).map_err(|_| ApiError::unknown_member())
}

fn channels(state: &State, wanted: impl Fn(&ChannelKind) -> bool) -> Value {
    let visible = |id| state.permissions(world::BOT_USER, id) & permissions::VIEW_CHANNEL != 0;
    let found = state.channels.iter().filter(|channel| wanted(&channel.kind) && visible(channel.id));
    found.map(|channel| render::channel(state, channel)).collect()
}

/// Needs Manage Roles, and only reaches roles below the bot's own.
fn set_role(state: &mut State, person: &str, role: &str, held: bool) -> Answer {
    let person = member(state, person)?.id;
    let (role, position) = state.role(id(role)?).map(|role| (role.id, role.position))?;
    let bot = state.person(world::BOT_USER)?;
    let own = state.roles.iter().filter(|role| bot.roles.contains(&role.id)).map(|role| role.position).max();
    let allowed = permissions::in_server(state, bot) & permissions::MANAGE_ROLES != 0;
    if !allowed || own.unwrap_or(0) <= position {
        return Err(ApiError::missing_permissions());
    }
    give_role(state, person, role, held);
    nothing()
}

/// Gives a role or takes it, and tells about it.
pub fn give_role(state: &mut State, person: u64, role: u64, held: bool) {
    if let Some(found) = state.people.iter_mut().find(|found| found.id == person) {
        found.roles.retain(|other| *other != role);
        if held {
            found.roles.push(role);
        }
    }
    announce_member(state, person, "GUILD_MEMBER_UPDATE");
}
