//! drbot's own HTTP listener: figures for Prometheus, and the place that alerts are posted to.
//!
//! An alert starts nothing in the world by itself: it is remembered. What must stay true: an alert is answered with 2xx
//! only after it is durable, and nothing is read of who has not proved who they are, but what the proof needs; that drbot
//! cannot listen (a port that is taken) never keeps the bot from serving: it is said in the log, and tried again.

mod acknowledge;
mod alerts;
mod body;
mod failures;
mod heartbeat;
mod metrics;
mod proof;

pub use acknowledge::{Linked, Links};
pub use alerts::Alerts;
pub use heartbeat::{Health, Heart};
pub use metrics::describe;

use std::{net::SocketAddr, sync::Arc, time::Duration};

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
    /// Takes no alerts without `alerts`, and follows no links of pages without `links`.
    pub fn start(
        listen: SocketAddr,
        figures: Figures,
        alerts: Option<Alerts>,
        links: Option<Arc<dyn Links>>,
        clock: Clock,
    ) -> Self {
        let app = Router::new().route("/metrics", get(text)).with_state(figures);
        let app = app.merge(alert_routes(alerts, &clock)).merge(links.map_or_else(Router::new, acknowledge::routes));
        Self(tokio::spawn(serve(listen, app, clock)))
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What alerts are posted to; nothing of it is there where none are taken.
fn alert_routes(alerts: Option<Alerts>, clock: &Clock) -> Router {
    alerts.map_or_else(Router::new, |alerts| alerts::routes(Arc::new(alerts), clock.clone()))
}

async fn serve(listen: SocketAddr, app: Router, clock: Clock) {
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
            tracing::error!(%listen, %error, "nobody can reach drbot's listener; trying again. [web] listen in drbot.toml is another address");
        }
        clock.sleep(REST).await;
    }
}

async fn text(State(figures): State<Figures>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT_FORMAT), (CACHE_CONTROL, "no-store")], figures.text())
}

#[cfg(test)]
mod tests;
