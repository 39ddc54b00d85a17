//! A local Discord: REST API v10, gateway, and a control API that plays the people.
//!
//! It exists so that a bot can be tried and tested whole, with its real client library, without an account and without
//! the internet. What must stay true: it knows nothing of the bot that uses it; it is as strict as Discord; it listens on
//! loopback alone; and everything that it makes up has ids and times from the clock that it is given.
//!
//! `state` is plain structs, `rest` and `gateway` are Discord's two faces of them, `control` is ours. Described for its
//! users in `docs/rehearsal.md`.

mod components;
mod compose;
mod control;
mod error;
mod faults;
mod form;
mod gateway;
mod limits;
mod log;
mod model;
mod page;
mod permissions;
mod render;
mod rest;
mod scene;
mod server;
mod shapes;
mod state;
#[cfg(test)]
mod tests;
mod tools;
mod wire;
pub mod world;

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use axum::{
    Router,
    extract::{
        DefaultBodyLimit, Query, State as Shared,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::scene::{Scene, Tool};
use self::{
    server::Server,
    state::State,
    wire::{Cut, Wires},
};
use crate::clock::Clock;

/// <https://discord.com/developers/docs/events/gateway#sending-heartbeats>
const HEARTBEAT: Duration = Duration::from_millis(41_250);
/// How long a shutdown waits for connections that are still open.
const GOODBYE: Duration = Duration::from_secs(3);

/// How a rehearsal is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A loopback address; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Refuse fields and routes that the rehearsal does not know, rather than only log them.
    pub strict: bool,
    /// Rate limits, with their headers and 429.
    pub limits: bool,
    pub clock: Clock,
    /// What the bot must log in with.
    pub token: String,
    /// The heartbeat interval that HELLO names.
    pub heartbeat: Duration,
    /// What the page shows and may start beside the chat.
    pub scene: Scene,
}

impl Settings {
    /// Any free port, the default token, rate limits; what is unknown is only logged.
    pub fn new(clock: Clock) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            strict: false,
            limits: true,
            clock,
            token: world::TOKEN.to_owned(),
            heartbeat: HEARTBEAT,
            scene: Scene::default(),
        }
    }

    /// As a test wants it: what is unknown is refused.
    pub fn strict(clock: Clock) -> Self {
        Self { strict: true, ..Self::new(clock) }
    }
}

/// A server that runs until it is shut down or dropped.
#[derive(Debug)]
pub struct Rehearsal {
    address: SocketAddr,
    server: Arc<Server>,
    task: JoinHandle<()>,
}

impl Rehearsal {
    /// Binds and serves. Refuses an address that other machines could reach.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let Settings { listen, strict, limits, clock, token, heartbeat, scene } = settings;
        ensure!(listen.ip().is_loopback(), "the rehearsal listens on loopback only, not on {listen}");
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("the rehearsal cannot listen on {listen}"))?;
        let address = listener.local_addr().context("the rehearsal's address")?;
        let state = State::new(clock, strict, token, format!("http://{address}"), limits).with_scene(scene);
        let server = Server::new(state, heartbeat);
        let stop = server.stop.clone();
        let app = router(server.clone());
        let task = tokio::spawn(async move {
            let serving = axum::serve(Wires(listener), app.into_make_service_with_connect_info::<Cut>())
                .with_graceful_shutdown(async move { stop.cancelled().await });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the rehearsal stopped serving");
            }
        });
        tracing::info!(%address, "rehearsal listens");
        Ok(Self { address, server, task })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`: what takes the place of `https://discord.com` in a client.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `ws://127.0.0.1:PORT`
    pub fn gateway_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// As if a bot had begun so many sessions today.
    pub fn use_up_identifies(&self, count: usize) {
        self.server.with(|state| (0..count).for_each(|_| gateway::events::count_identify(state)));
    }

    /// Closes every connection and waits for them to end.
    pub async fn shutdown(mut self) {
        self.server.stop.cancel();
        let clock = self.server.clock.clone();
        if clock.timeout(GOODBYE, &mut self.task).await.is_none() {
            self.task.abort();
        }
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}

fn router(server: Arc<Server>) -> Router {
    let page = Router::new()
        .route("/page/{name}", get(page::file))
        .layer(from_fn_with_state(server.clone(), control::own_pages_only));
    Router::new()
        .route("/", get(front))
        .merge(page)
        .route("/api/{*path}", any(rest::http::handle))
        .nest("/rehearsal/api", control::router(server.clone()))
        .layer(DefaultBodyLimit::max(rest::http::BODY_LIMIT))
        .with_state(server)
}

/// `GET /?v=10&encoding=json` as a websocket is the gateway; without an upgrade it is the page, for people.
async fn front(
    Shared(server): Shared<Arc<Server>>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => {
            if server.with(|state| state.faults.hang_upgrade.take()) {
                server.stop.cancelled().await;
            }
            let known = asked.get("v").is_some_and(|version| version == "10");
            upgrade.on_upgrade(move |socket| gateway::serve(socket, server, known))
        }
        Err(rejection) if headers.contains_key(header::UPGRADE) => rejection.into_response(),
        Err(_) => match control::for_own_pages(&server, &headers) {
            Ok(()) => page::index().await,
            Err(mistake) => mistake.into_response(),
        },
    }
}
