//! REST v10, without HTTP: a [`Request`] goes in, a [`Reply`] comes out, and the state has changed.
//!
//! One file for each group of Discord's documentation. A route that none of them has is answered with 404 and logged.

pub mod channels;
pub mod commands;
pub mod guilds;
pub mod http;
pub mod interactions;
pub mod messages;
pub mod threads;
pub mod users;
pub mod webhooks;

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{error::ApiError, model::Upload, state::State};

#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    /// Below `/api/v10`.
    pub path: String,
    pub query: HashMap<String, String>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// `null` when there is none.
    pub body: Value,
    pub files: Vec<Upload>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub body: Option<Value>,
}

pub type Answer = Result<Reply, ApiError>;

pub fn ok(body: Value) -> Answer {
    Ok(Reply { status: 200, body: Some(body) })
}

pub fn created(body: Value) -> Answer {
    Ok(Reply { status: 201, body: Some(body) })
}

pub fn nothing() -> Answer {
    Ok(Reply { status: 204, body: None })
}

/// An id out of a path.
pub fn id(segment: &str) -> Result<u64, ApiError> {
    segment.parse().map_err(|_| {
        let message = format!("Value \"{segment}\" is not snowflake.");
        ApiError::invalid_form(json!({"id": {"_errors": [{"code": "NUMBER_TYPE_COERCE", "message": message}]}}))
    })
}

impl Request {
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// A number of the query, held within Discord's bounds for it.
    pub fn limit(&self, default: usize, most: usize) -> usize {
        let asked = self.query.get("limit").and_then(|text| text.parse().ok());
        asked.unwrap_or(default).clamp(1, most)
    }

    /// A switch of the query. Libraries write `true`, `True` or `1`.
    pub fn asks(&self, name: &str) -> bool {
        self.query.get(name).is_some_and(|text| matches!(text.to_lowercase().as_str(), "true" | "1"))
    }

    pub fn query_id(&self, name: &str) -> Option<u64> {
        self.query.get(name).and_then(|text| text.parse().ok())
    }
}

/// Routes that need no token: the gateway's address, and those that have an interaction's token in their path.
fn is_public(route: &[&str]) -> bool {
    matches!(route, ["gateway"] | ["interactions", ..] | ["webhooks", _, _, ..])
}

/// Does what `request` asks.
pub fn dispatch(state: &mut State, request: &Request) -> Answer {
    let route = request.segments();
    let token = request.authorization.as_deref().and_then(|header| header.strip_prefix("Bot "));
    if !is_public(&route) && token.map(str::trim) != Some(state.token.as_str()) {
        return Err(ApiError::unauthorized());
    }
    state.archive_silent_threads();
    match route.as_slice() {
        ["gateway" | "users" | "oauth2", ..] | ["applications", "@me"] => users::route(state, request, &route),
        ["applications", application, rest @ ..] => commands::route(state, request, application, rest),
        ["guilds", guild, rest @ ..] => guilds::route(state, request, guild, rest),
        ["channels", channel, rest @ ..] => channels::route(state, request, id(channel)?, rest),
        ["interactions", interaction, token, "callback"] if request.method == "POST" => {
            interactions::callback(state, request, id(interaction)?, token)
        }
        ["webhooks", application, token, rest @ ..] => webhooks::route(state, request, id(application)?, token, rest),
        _ => unknown(state, request),
    }
}

/// A route that the rehearsal does not have.
pub fn unknown(state: &mut State, request: &Request) -> Answer {
    tracing::warn!(method = request.method, path = request.path, "the rehearsal does not know this route");
    state.unknown_fields.push(format!("route {} {}", request.method, request.path));
    Err(ApiError::not_found())
}
