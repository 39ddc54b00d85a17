//! drbot's own HTTP listener: figures for Prometheus.
//!
//! It only shows; nothing can be done through it. What must stay true: that it cannot listen (a port that is taken) never
//! keeps the bot from serving: it is said in the log, and tried again.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::State,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{clock::Clock, telemetry::Figures};

/// How long it is left alone when it cannot listen.
const REST: Duration = Duration::from_secs(10);

/// The text format of Prometheus: <https://prometheus.io/docs/instrumenting/exposition_formats/>
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Web(JoinHandle<()>);

impl Web {
    pub fn start(listen: SocketAddr, figures: Figures, clock: Clock) -> Self {
        Self(tokio::spawn(serve(listen, figures, clock)))
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(listen: SocketAddr, figures: Figures, clock: Clock) {
    let app = Router::new().route("/metrics", get(metrics)).with_state(figures);
    loop {
        let ended = match TcpListener::bind(listen).await {
            Ok(listener) => {
                let address = listener.local_addr().unwrap_or(listen);
                tracing::info!(url = format!("http://{address}/metrics"), "figures are served");
                axum::serve(listener, app.clone()).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::error!(%listen, %error, "figures cannot be served; trying again. [web] listen in drbot.toml is another address");
        }
        clock.sleep(REST).await;
    }
}

async fn metrics(State(figures): State<Figures>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT_FORMAT), (CACHE_CONTROL, "no-store")], figures.text())
}
