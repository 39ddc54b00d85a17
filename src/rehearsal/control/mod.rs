//! The control API: how tests, demos and the page play people. It is not part of Discord.
//!
//! JSON under `/rehearsal/api`, described in `docs/rehearsal.md`. A mistake of the caller is answered with a sentence
//! that says what to do. A page of another site cannot use it.

pub mod deeds;
pub mod events;
pub mod find;
pub mod forms;
pub mod options;
pub mod people;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, Request, State as Shared},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    faults,
    model::Message,
    render,
    rest::guilds::give_role,
    server::Server,
    state::{State, text},
    tools::{self, ToolRun},
    world,
};

/// What the caller got wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    status: StatusCode,
    pub message: String,
}

impl Mistake {
    pub fn wrong(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    pub fn unknown(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.into() }
    }

    pub fn busy(message: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, message: message.into() }
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, message: message.into() }
    }
}

impl IntoResponse for Mistake {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.message}))).into_response()
    }
}

type Held = Shared<Arc<Server>>;
type Asked = Query<HashMap<String, String>>;
type Told = Result<Json<Value>, Mistake>;

pub fn router(server: Arc<Server>) -> Router<Arc<Server>> {
    Router::new()
        .route("/state", get(state))
        .route("/messages", get(messages))
        .route("/log", get(log))
        .route("/events", get(events))
        .route("/files/{id}/{name}", get(file))
        .route("/command", post(command))
        .route("/autocomplete", post(autocomplete))
        .route("/click", post(click))
        .route("/submit", post(submit))
        .route("/say", post(say))
        .route("/person", post(person))
        .route("/role", post(role))
        .route("/fault", post(fault))
        .route("/limits", post(limits))
        .route("/tool", get(tool).post(start_tool))
        .fallback(async || Mistake::unknown("there is no such call; docs/rehearsal.md lists them"))
        .layer(from_fn_with_state(server, own_pages_only))
}

/// Refuses what a page of another site asks.
pub async fn own_pages_only(Shared(server): Held, request: Request, next: Next) -> Response {
    match for_own_pages(&server, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(mistake) => mistake.into_response(),
    }
}

pub fn for_own_pages(server: &Server, headers: &HeaderMap) -> Result<(), Mistake> {
    let own = server.look(|state| state.url.clone());
    match is_foreign(headers, &own) {
        true => Err(Mistake::refused("the rehearsal is not for pages of other sites")),
        false => Ok(()),
    }
}

/// A page of another site says so in `Origin`; one that has pointed its own name at loopback says so in `Host`.
fn is_foreign(headers: &HeaderMap, own: &str) -> bool {
    let own = [own.to_owned(), own.replacen("127.0.0.1", "localhost", 1)];
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let foreign_page = header(header::ORIGIN).is_some_and(|origin| !own.iter().any(|own| own == origin));
    let foreign_name =
        header(header::HOST).is_some_and(|host| !own.iter().any(|own| own.ends_with(&format!("/{host}"))));
    foreign_page || foreign_name
}

fn parse(body: &Bytes) -> Result<Value, Mistake> {
    let parsed = serde_json::from_slice(body).ok().filter(Value::is_object);
    parsed.ok_or_else(|| Mistake::wrong("the body is a JSON object"))
}

async fn command(Shared(server): Held, body: Bytes) -> Told {
    people::command(&server, &parse(&body)?).await.map(Json)
}

async fn autocomplete(Shared(server): Held, body: Bytes) -> Told {
    people::autocomplete(&server, &parse(&body)?).await.map(Json)
}

async fn click(Shared(server): Held, body: Bytes) -> Told {
    people::click(&server, &parse(&body)?).await.map(Json)
}

async fn submit(Shared(server): Held, body: Bytes) -> Told {
    people::submit(&server, &parse(&body)?).await.map(Json)
}

async fn say(Shared(server): Held, body: Bytes) -> Told {
    let body = parse(&body)?;
    server.with(|state| people::say(state, &body)).map(Json)
}

/// Somebody new joins the server.
async fn person(Shared(server): Held, body: Bytes) -> Told {
    let body = parse(&body)?;
    server.with(|state| {
        people::join(state, &body)?;
        Ok(Json(overview(state)["people"].clone()))
    })
}

/// Gives a person a role or takes it away, as an administrator of the server would.
async fn role(Shared(server): Held, body: Bytes) -> Told {
    let body = parse(&body)?;
    server.with(|state| {
        let person = find::person(state, &body["person"])?;
        let role = options::role(state, &body["role"])?;
        let held = body["held"].as_bool().ok_or_else(|| Mistake::wrong("say \"held\": true or false"))?;
        give_role(state, person, role, held);
        Ok(Json(overview(state)["people"].clone()))
    })
}

async fn fault(Shared(server): Held, body: Bytes) -> Told {
    let body = parse(&body)?;
    server.with(|state| {
        faults::set(state, &body).map_err(Mistake::wrong)?;
        Ok(Json(state.faults.to_json()))
    })
}

/// Rate limits on or off, so that a test need not wait for as long as it takes to post a thousand messages.
async fn limits(Shared(server): Held, body: Bytes) -> Told {
    let on = parse(&body)?["on"].as_bool().ok_or_else(|| Mistake::wrong("say \"on\": true or false"))?;
    server.with(|state| state.limits.enabled = on);
    Ok(Json(json!({"on": on})))
}

/// Starts a tool of the scene.
async fn start_tool(Shared(server): Held, body: Bytes) -> Told {
    let body = parse(&body)?;
    tools::start(&server, text(&body, "name")).map(Json)
}

/// The tool that runs or ran last, with what it printed; null when none ever did.
async fn tool(Shared(server): Held) -> Json<Value> {
    Json(server.look(|state| state.tool.as_ref().map(ToolRun::to_json).unwrap_or_default()))
}

async fn state(Shared(server): Held) -> Json<Value> {
    Json(server.look(overview))
}

/// Everything but messages.
pub fn overview(state: &State) -> Value {
    let people = state.cast().map(|person| {
        let roles = state.roles.iter().filter(|role| person.roles.contains(&role.id));
        json!({
            "id": person.id.to_string(),
            "name": person.name,
            "roles": roles.map(|role| role.name.as_str()).collect::<Vec<_>>(),
        })
    });
    let roles =
        state.roles.iter().map(|role| json!({"id": role.id.to_string(), "name": role.name, "color": role.color}));
    json!({
        "guild": world::GUILD.to_string(),
        "application": world::APPLICATION.to_string(),
        "bot": world::BOT_USER.to_string(),
        "bot_name": state.person(world::BOT_USER).map(|bot| bot.name.as_str()).unwrap_or_default(),
        "connected": state.heard(),
        "people": people.collect::<Vec<_>>(),
        "roles": roles.collect::<Vec<_>>(),
        "channels": state.channels.iter().map(|channel| render::channel(state, channel)).collect::<Vec<_>>(),
        "commands": state.commands.iter().map(render::command).collect::<Vec<_>>(),
        "faults": state.faults.to_json(),
        "fault_kinds": faults::kinds(state),
        "scene": state.scene.to_json(),
        "tool": state.tool.as_ref().map(ToolRun::summary),
    })
}

async fn messages(Shared(server): Held, Query(asked): Asked) -> Told {
    server.with(|state| {
        let (channel, person) = viewpoint(state, &asked)?;
        let channel = channel.ok_or_else(|| Mistake::wrong("say which: ?channel=NAME_OR_ID"))?;
        let seen = |message: &&Message| message.channel == channel && find::visible(message, person);
        Ok(Json(state.messages.values().filter(seen).map(|message| render::message(state, message)).collect()))
    })
}

/// The channel and the person of a query, where it names them.
fn viewpoint(state: &State, asked: &HashMap<String, String>) -> Result<(Option<u64>, Option<u64>), Mistake> {
    let person = asked.get("person").map(|name| find::person(state, &json!(name))).transpose()?;
    let channel = asked.get("channel").map(|name| match person {
        Some(person) => find::channel_for(state, person, &json!(name)),
        None => find::channel(state, &json!(name)).map(|channel| channel.id),
    });
    Ok((channel.transpose()?, person))
}

async fn events(Shared(server): Held, Query(asked): Asked) -> Result<impl IntoResponse, Mistake> {
    let (channel, person) = server.with(|state| viewpoint(state, &asked))?;
    let whole = asked.get("state").is_some_and(|wanted| wanted == "true");
    Ok(events::stream(&server, channel, person, whole))
}

async fn log(Shared(server): Held, Query(asked): Asked) -> Json<Value> {
    let part = asked.get("path").cloned().unwrap_or_default();
    Json(server.with(|state| {
        state.log.entries.iter().filter(|entry| entry.path.contains(&part)).map(|entry| json!(entry)).collect()
    }))
}

async fn file(Shared(server): Held, Path((id, name)): Path<(u64, String)>) -> Response {
    match server.with(|state| state.files.get(&id).cloned()) {
        // Never run as part of a page, whatever a file says it is.
        Some((kind, bytes)) => {
            let sandbox = (header::CONTENT_SECURITY_POLICY, "sandbox".to_owned());
            let sniff = (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned());
            ([(header::CONTENT_TYPE, kind), sandbox, sniff], bytes).into_response()
        }
        None => Mistake::unknown(format!("there is no file {id}/{name}")).into_response(),
    }
}
