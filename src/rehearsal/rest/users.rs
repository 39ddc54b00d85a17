//! The bot's own account, other users, and where the gateway is.
//!
//! <https://discord.com/developers/docs/resources/user>, <https://discord.com/developers/docs/events/gateway#get-gateway>

use serde_json::json;

use super::{Answer, Request, id, ok, unknown};
use crate::rehearsal::{
    error::ApiError,
    form::snowflake,
    gateway,
    model::{Channel, ChannelKind},
    render, shapes,
    state::State,
    world,
};

pub fn route(state: &mut State, request: &Request, route: &[&str]) -> Answer {
    match (request.method.as_str(), route) {
        ("GET", ["gateway", ..]) if state.faults.no_gateway_address => {
            Err(ApiError::new(503, 0, "503: Service Unavailable"))
        }
        ("GET", ["gateway"]) => ok(json!({"url": gateway_url(state)})),
        ("GET", ["gateway", "bot"]) => ok(json!({
            "url": gateway_url(state),
            "shards": 1,
            "session_start_limit": {
                "total": gateway::events::IDENTIFIES_A_DAY,
                "remaining": gateway::events::identifies_left(state),
                "reset_after": 86_400_000,
                "max_concurrency": 1,
            },
        })),
        ("GET", ["oauth2" | "applications", "@me"] | ["oauth2", "applications", "@me"]) => ok(render::application()),
        ("GET", ["users", "@me"]) => {
            let mut user = render::user(state.person(world::BOT_USER)?);
            render::merge(&mut user, json!({"mfa_enabled": true, "verified": true, "email": null, "locale": "en-US"}));
            ok(user)
        }
        ("GET", ["users", "@me", "guilds"]) => ok(json!([{
            "id": world::GUILD.to_string(),
            "name": "Rehearsal",
            "icon": null,
            "banner": null,
            "owner": false,
            "permissions": crate::rehearsal::permissions::in_server(state, state.person(world::BOT_USER)?).to_string(),
            "features": [],
        }])),
        ("POST", ["users", "@me", "channels"]) => open_direct(state, request),
        ("GET", ["users", user]) => ok(render::user(state.person(id(user)?)?)),
        _ => unknown(state, request),
    }
}

fn gateway_url(state: &State) -> String {
    state.url.replacen("http", "ws", 1)
}

/// Opens the bot's direct messages with a person, or finds them open.
fn open_direct(state: &mut State, request: &Request) -> Answer {
    state.check(&request.body, &shapes::DIRECT_CHANNEL)?;
    let with = request.body.get("recipient_id").and_then(snowflake).unwrap_or(0);
    if !state.cast().any(|person| person.id == with) {
        return Err(ApiError::new(400, 50033, "Invalid Recipient(s)"));
    }
    let open = |channel: &&Channel| matches!(channel.kind, ChannelKind::Direct { with: person } if person == with);
    if let Some(channel) = state.channels.iter().find(open) {
        return ok(render::channel(state, channel));
    }
    let channel = Channel {
        id: state.next_id(),
        name: format!("@{}", state.person(with)?.username),
        kind: ChannelKind::Direct { with },
        overwrites: Vec::new(),
        last_message: None,
    };
    let body = render::channel(state, &channel);
    state.channels.push(channel);
    ok(body)
}
