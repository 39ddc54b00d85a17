//! A stand-in for an RPC provider: it answers `getHealth` and `getSlot` as a Solana node does, or as badly as it is told to.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use drbot::clock::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A slot takes 400 ms.
const SLOT_MS: i64 = 400;

/// As its users see it.
const TOO_SLOW_MS: u64 = 1000;

/// What goes wrong on request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Faults {
    /// Answers later by so many milliseconds.
    slow_ms: u64,
    /// Answers with an error of its own: it is behind.
    wrong: bool,
    /// Answers with this status.
    status: Option<u16>,
}

struct Provider {
    name: String,
    clock: Clock,
    started_at: Timestamp,
    faults: std::sync::Mutex<Faults>,
}

/// Serves until the process is told to stop.
pub async fn run(clock: Clock) -> Result<(), String> {
    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "0.0.0.0:8899".into());
    let listener = TcpListener::bind(&listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let provider = Provider {
        name: std::env::var("PROVIDER").unwrap_or_else(|_| "provider".into()),
        started_at: clock.now(),
        clock,
        faults: std::sync::Mutex::default(),
    };
    tracing::info!("{} answers on {listen}", provider.name);
    let router = Router::new()
        .route("/", post(answer).get(hello))
        .route("/metrics", get(metrics))
        .route("/standin/faults", get(faults).post(set_faults))
        .with_state(Arc::new(provider));
    let stop = async {
        let _ = crate::asked_to_stop().await;
    };
    axum::serve(listener, router).with_graceful_shutdown(stop).await.map_err(|error| error.to_string())
}

impl Provider {
    fn faults(&self) -> Faults {
        crate::desk::lock(&self.faults).clone()
    }
}

async fn hello(State(provider): State<Arc<Provider>>) -> String {
    format!("{}: a stand-in for an RPC provider. POST JSON-RPC here.\n", provider.name)
}

async fn answer(State(provider): State<Arc<Provider>>, Json(call): Json<Value>) -> Response {
    let faults = provider.faults();
    provider.clock.sleep(Duration::from_millis(faults.slow_ms)).await;
    if let Some(status) = faults.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        return (status, "a fault that was asked for").into_response();
    }
    let slots = (provider.clock.now() - provider.started_at).num_milliseconds() / SLOT_MS;
    let outcome = match call["method"].as_str() {
        // The words of a node that is behind: https://solana.com/docs/rpc/http/gethealth
        Some("getHealth") if faults.wrong => {
            json!({ "error": { "code": -32005, "message": "Node is behind by 4213 slots", "data": { "numSlotsBehind": 4213 } } })
        }
        Some("getHealth") => json!({ "result": "ok" }),
        Some("getSlot") => json!({ "result": 250_000_000 + slots - if faults.wrong { 4213 } else { 0 } }),
        _ => json!({ "error": { "code": -32601, "message": "Method not found" } }),
    };
    let mut answer = outcome;
    answer["jsonrpc"] = json!("2.0");
    answer["id"] = call["id"].clone();
    Json(answer).into_response()
}

/// How the provider itself sees it, for who can reach it.
async fn metrics(State(provider): State<Arc<Provider>>) -> Response {
    let Faults { slow_ms, wrong, status } = provider.faults();
    let healthy = u8::from(slow_ms < TOO_SLOW_MS && !wrong && status.is_none());
    let text = format!(
        "# HELP rpc_provider_healthy Whether it answers as it should.\n# TYPE rpc_provider_healthy gauge\n\
         rpc_provider_healthy {healthy}\n"
    );
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn faults(State(provider): State<Arc<Provider>>) -> Json<Faults> {
    Json(provider.faults())
}

async fn set_faults(State(provider): State<Arc<Provider>>, Json(faults): Json<Faults>) -> Json<Faults> {
    *crate::desk::lock(&provider.faults) = faults.clone();
    Json(faults)
}
