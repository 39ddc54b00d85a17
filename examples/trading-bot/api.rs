//! The endpoints that the runbook calls, and the stand-in's own under `/standin`.

use std::{fmt::Write as _, sync::Arc, time::Instant};

use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use drbot::clock::{Clock, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    database::{Database, LONG, SHORT},
    desk::Desk,
    faults::{CurrentFaults, Faults},
    ledger::{Ledger, Noted},
    portfolio,
    providers::Providers,
    settings::{Defect, Settings},
    watch::Watch,
};

const BODY_LIMIT: usize = 64 * 1024;
/// Failures to write a trade, one after the other, that make the system unhealthy.
const TOO_MANY_ERRORS: u64 = 3;

pub struct Bot {
    pub settings: Settings,
    pub clock: Clock,
    pub started_at: Timestamp,
    pub desk: Arc<Desk>,
    pub database: Arc<Database>,
    pub ledger: Ledger,
    pub faults: CurrentFaults,
    pub providers: Arc<Providers>,
    pub watch: Watch,
}

type Answer = (StatusCode, Json<Value>);

pub fn router(bot: Arc<Bot>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/emergency/halt", post(halt))
        .route("/status/trading", get(trading))
        .route("/trading/resume", post(resume))
        .route("/portfolio/status", get(portfolio_status))
        .route("/portfolio/reconcile", get(portfolio_reconcile))
        .route("/portfolio/verify", get(portfolio_verify))
        .route("/risk/current", get(risk))
        .route("/config", get(config))
        .route("/config/update", post(config_update))
        .route("/metrics", get(metrics))
        .route("/debug/memory", get(debug_memory))
        .route("/debug/goroutines", get(debug_goroutines))
        .route("/version", get(version))
        .route("/standin/faults", get(faults).post(set_faults))
        .route("/standin/ledger", get(ledger))
        .layer(middleware::from_fn_with_state(bot.clone(), attend))
        .with_state(bot)
}

/// Around every request: the token, the faults, the ledger.
async fn attend(State(bot): State<Arc<Bot>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let authorised =
        token_for(&bot.settings, request.method().as_str(), &path).map(|token| bears(request.headers(), token));
    if path.starts_with("/standin/") {
        return if authorised == Some(false) { unauthorised() } else { next.run(request).await };
    }

    let at = bot.ledger.now();
    let method = request.method().as_str().to_owned();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large").into_response();
    };
    let mut noted = Noted {
        ledger: &bot.ledger,
        at,
        method,
        path,
        authorised,
        body: serde_json::from_slice(&body).ok(),
        status: None,
    };
    let faults = bot.faults.get();
    if faults.hangs(&noted.path) {
        std::future::pending::<()>().await;
    }
    if let Some(delay) = faults.delay(&noted.path) {
        bot.clock.sleep(delay).await;
    }
    let forced = faults.status.get(&noted.path).and_then(|status| StatusCode::from_u16(*status).ok());
    let response = if let Some(status) = forced {
        problem(status, "a fault that was asked for").into_response()
    } else if authorised == Some(false) {
        unauthorised()
    } else {
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        if faults.garbles(&noted.path) {
            (response.status(), [(header::CONTENT_TYPE, "application/json")], "{\"trading\": \"ha").into_response()
        } else {
            response
        }
    };
    noted.status = Some(response.status().as_u16());
    response
}

/// The token that a request needs, if any.
fn token_for<'a>(settings: &'a Settings, method: &str, path: &str) -> Option<&'a str> {
    match (method, path) {
        ("POST", "/emergency/halt") => Some(&settings.emergency_token),
        ("POST", "/trading/resume" | "/config/update" | "/standin/faults") => Some(&settings.admin_token),
        _ => None,
    }
}

fn bears(headers: &HeaderMap, token: &str) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|given| given == token)
}

fn unauthorised() -> Response {
    let answer = problem(StatusCode::UNAUTHORIZED, "a valid token is needed");
    ([(header::WWW_AUTHENTICATE, "Bearer")], answer).into_response()
}

fn problem(status: StatusCode, error: impl Into<String>) -> Answer {
    (status, Json(json!({ "error": error.into() })))
}

/// The body as JSON whatever its content type: the runbook's curl does not say it. No body is an empty object.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Answer> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| problem(StatusCode::BAD_REQUEST, error.to_string()))
}

async fn health(State(bot): State<Arc<Bot>>) -> Answer {
    let begin = bot.clock.monotonic();
    let (alive, redis) = tokio::join!(database_answers(&bot), redis_answers(&bot));
    let trouble = trouble(&bot, alive);
    let mut answer = json!({
        "status": if trouble.is_some() { "unhealthy" } else { "healthy" },
        "database": if trouble.is_some() { "down" } else { "up" },
        "redis": if redis { "up" } else { "down" },
        "version": bot.settings.version,
        "checked_in_ms": millis_since(&bot.clock, begin),
    });
    match trouble {
        Some(reason) => {
            answer["reason"] = reason.into();
            (StatusCode::SERVICE_UNAVAILABLE, Json(answer))
        }
        None => (StatusCode::OK, Json(answer)),
    }
}

/// Over a fresh connection, and within a second.
pub async fn database_answers(bot: &Bot) -> Result<(), String> {
    match bot.clock.timeout(SHORT, bot.database.ask(portfolio::ALIVE, SHORT)).await {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(error),
        None => Err("the database does not answer".into()),
    }
}

/// Why the bot is unhealthy, if it is.
pub fn trouble(bot: &Bot, alive: Result<(), String>) -> Option<String> {
    let counts = bot.desk.counts();
    match (alive, counts.last_error) {
        _ if bot.settings.defect == Some(Defect::Unhealthy) => Some("the matcher did not start".to_owned()),
        (Err(error), _) => Some(format!("database: {error}")),
        (Ok(()), Some(error)) if bot.desk.state().active && counts.errors_in_a_row >= TOO_MANY_ERRORS => {
            Some(format!("trades cannot be written: {error}"))
        }
        _ => None,
    }
}

async fn redis_answers(bot: &Bot) -> bool {
    let Some(address) = &bot.settings.redis else {
        return false;
    };
    let ping = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(&answer == b"+PONG\r\n")
    };
    matches!(bot.clock.timeout(SHORT / 2, ping).await, Some(Ok(true)))
}

fn millis_since(clock: &Clock, begin: Instant) -> u64 {
    u64::try_from((clock.monotonic() - begin).as_millis()).unwrap_or(u64::MAX)
}

async fn halt(State(bot): State<Arc<Bot>>) -> Answer {
    if bot.faults.get().ignore_halt {
        tracing::warn!("a halt was ignored, as asked for");
        return (StatusCode::OK, Json(json!({"trading": "halted", "since": bot.clock.now()})));
    }
    // In a task of its own: it takes place also when the caller hangs up.
    let desk = bot.desk.clone();
    match tokio::spawn(async move { desk.halt().await }).await {
        Ok(state) => {
            tracing::warn!("trading is halted");
            (StatusCode::OK, Json(json!({"trading": "halted", "since": state.since})))
        }
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn trading(State(bot): State<Arc<Bot>>) -> Json<Value> {
    let state = bot.desk.state();
    let counts = bot.desk.counts();
    Json(json!({
        "trading": if state.active { "active" } else { "halted" },
        "mode": state.mode,
        "max_position_size": state.max_position_size,
        "since": state.since,
        "last_trade_at": counts.last_trade_at,
        "trades_inserted": counts.inserted,
        "insert_errors": counts.errors,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resume {
    mode: Option<String>,
    max_position_size: Option<f64>,
}

async fn resume(State(bot): State<Arc<Bot>>, body: Bytes) -> Answer {
    let wanted: Resume = match parse(&body) {
        Ok(wanted) => wanted,
        Err(answer) => return answer,
    };
    if let Some(mode) = wanted.mode.as_deref()
        && !["conservative", "normal"].contains(&mode)
    {
        return problem(StatusCode::BAD_REQUEST, format!("mode is conservative or normal, not {mode}"));
    }
    if let Some(size) = wanted.max_position_size
        && !(size > 0.0 && size <= 1.0)
    {
        return problem(StatusCode::BAD_REQUEST, "max_position_size lies above 0 and not above 1");
    }
    let state = bot.desk.resume(wanted.mode, wanted.max_position_size);
    tracing::info!("trading is on: {}, at most {}", state.mode, state.max_position_size);
    let answer = json!({
        "trading": "active",
        "mode": state.mode,
        "max_position_size": state.max_position_size,
        "since": state.since,
    });
    (StatusCode::OK, Json(answer))
}

async fn from_database(bot: &Bot, query: &'static str) -> Answer {
    match bot.database.ask_json(query, LONG).await {
        Ok(mut answer) => {
            answer["as_of"] = json!(bot.clock.now());
            (StatusCode::OK, Json(answer))
        }
        Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, format!("database: {error}")),
    }
}

async fn portfolio_status(State(bot): State<Arc<Bot>>) -> Answer {
    from_database(&bot, portfolio::STATUS).await
}

async fn portfolio_reconcile(State(bot): State<Arc<Bot>>) -> Answer {
    from_database(&bot, portfolio::RECONCILE).await
}

async fn portfolio_verify(State(bot): State<Arc<Bot>>) -> Answer {
    from_database(&bot, portfolio::VERIFY).await
}

async fn risk(State(bot): State<Arc<Bot>>) -> Answer {
    let (status, Json(mut answer)) = from_database(&bot, portfolio::RISK).await;
    let state = bot.desk.state();
    answer["mode"] = state.mode.into();
    answer["max_position_size"] = state.max_position_size.into();
    (status, Json(answer))
}

async fn config(State(bot): State<Arc<Bot>>) -> Json<Value> {
    Json(json!(bot.desk.state().config))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigUpdate {
    primary_rpc: Option<String>,
    backup_rpc: Option<String>,
    failover_enabled: Option<bool>,
}

async fn config_update(State(bot): State<Arc<Bot>>, body: Bytes) -> Answer {
    let wanted: ConfigUpdate = match parse(&body) {
        Ok(wanted) => wanted,
        Err(answer) => return answer,
    };
    let state = bot.desk.configure(|config| {
        if let Some(rpc) = wanted.primary_rpc {
            config.primary_rpc = rpc;
        }
        if let Some(rpc) = wanted.backup_rpc {
            config.backup_rpc = rpc;
        }
        if let Some(enabled) = wanted.failover_enabled {
            config.failover_enabled = enabled;
        }
    });
    tracing::info!("configuration: {} first, then {}", state.config.primary_rpc, state.config.backup_rpc);
    (StatusCode::OK, Json(json!(state.config)))
}

async fn metrics(State(bot): State<Arc<Bot>>) -> Response {
    let state = bot.desk.state();
    let counts = bot.desk.counts();
    let endpoints = [("primary", &state.config.primary_rpc), ("backup", &state.config.backup_rpc)];
    // One that was not asked yet is left out: nothing is known of it.
    let seen = endpoints.map(|(role, endpoint)| (role, endpoint, bot.providers.sight(endpoint)));
    let seen = || seen.iter().filter_map(|(role, endpoint, sight)| Some((role, endpoint, (*sight)?)));
    let mut text = String::from(
        "# HELP api_availability Whether an RPC endpoint answers.\n\
         # TYPE api_availability gauge\n",
    );
    for (role, endpoint, sight) in seen() {
        let up = u8::from(sight.available);
        let _ = writeln!(text, "api_availability{{role=\"{role}\",endpoint={endpoint:?}}} {up}");
    }
    text += "# HELP rpc_latency_seconds How long an RPC endpoint takes to answer.\n\
             # TYPE rpc_latency_seconds gauge\n";
    for (role, endpoint, sight) in seen() {
        let seconds = sight.latency.as_secs_f64();
        let _ = writeln!(text, "rpc_latency_seconds{{role=\"{role}\",endpoint={endpoint:?}}} {seconds:.4}");
    }
    let database_up = u8::from(counts.errors_in_a_row == 0);
    for (name, kind, help, value) in [
        ("trading_active", "gauge", "Whether trading is on.", u64::from(state.active)),
        ("trades_inserted_total", "counter", "Trades written since the start.", counts.inserted),
        ("insert_errors_total", "counter", "Trades that could not be written since the start.", counts.errors),
        ("database_up", "gauge", "Whether the last trade could be written.", u64::from(database_up)),
        (
            "trading_bot_write_errors_in_a_row",
            "gauge",
            "Trades that could not be written, since the last one that could.",
            counts.errors_in_a_row,
        ),
        ("process_resident_memory_bytes", "gauge", "Memory in use.", resident_memory()),
    ]
    .into_iter()
    .chain(bot.watch.seen().into_iter().flat_map(|seen| {
        let reachable = "Whether a fresh connection to the database was answered within a second.";
        [
            ("database_reachable", "gauge", reachable, u64::from(seen.database_reachable)),
            ("trading_bot_healthy", "gauge", "Whether the bot would say that it is healthy.", u64::from(seen.healthy)),
        ]
    })) {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// The lines of `/proc/self/status` that begin with one of these names, as numbers.
fn process_status(names: &[&str]) -> Value {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        let value: u64 = value.split_whitespace().next()?.parse().ok()?;
        names.contains(&name).then(|| (name.to_owned(), Value::from(value)))
    });
    Value::Object(found.collect())
}

fn resident_memory() -> u64 {
    process_status(&["VmRSS"])["VmRSS"].as_u64().unwrap_or_default() * 1024
}

async fn debug_memory() -> Json<Value> {
    Json(json!({"unit": "kB", "process": process_status(&["VmRSS", "VmHWM", "VmSize", "VmData"])}))
}

async fn debug_goroutines() -> Json<Value> {
    let metrics = tokio::runtime::Handle::current().metrics();
    Json(json!({
        "tasks": metrics.num_alive_tasks(),
        "workers": metrics.num_workers(),
        "process": process_status(&["Threads"]),
    }))
}

async fn version(State(bot): State<Arc<Bot>>) -> Json<Value> {
    Json(json!({"name": "trading-bot", "version": bot.settings.version, "started_at": bot.started_at}))
}

async fn faults(State(bot): State<Arc<Bot>>) -> Json<Faults> {
    Json(bot.faults.get())
}

async fn set_faults(State(bot): State<Arc<Bot>>, body: Bytes) -> Answer {
    let faults: Faults = match parse(&body) {
        Ok(faults) => faults,
        Err(answer) => return answer,
    };
    bot.faults.set(faults.clone());
    (StatusCode::OK, Json(json!(faults)))
}

async fn ledger(State(bot): State<Arc<Bot>>) -> Json<Value> {
    Json(bot.ledger.entries().into())
}
