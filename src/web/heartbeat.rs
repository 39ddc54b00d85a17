//! A dead man's switch: somebody outside is told again and again that drbot is well, and raises the alarm when they hear
//! nothing any more. The one failure that drbot cannot tell of is its own.
//!
//! What must stay true: nothing is sent unless the engine has answered and the store has taken a write just before. The
//! URL may hold a token, and is never in a log.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::metrics;
use crate::{clock::Clock, config::settings::Heartbeat};

/// How long drbot may take to show that it is well, and who hears it to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether drbot is well.
#[async_trait]
pub trait Health: Send + Sync {
    /// # Errors
    /// What is not well.
    async fn look(&self) -> anyhow::Result<()>;
}

/// Beats until it is dropped.
#[derive(Debug)]
pub struct Heart(JoinHandle<()>);

impl Heart {
    /// # Errors
    /// When this machine's TLS cannot be used.
    pub fn start(settings: Heartbeat, health: Arc<dyn Health>, clock: Clock) -> anyhow::Result<Self> {
        // A redirect could lead a token elsewhere.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        let client = client.build().context("the heartbeat cannot be sent")?;
        Ok(Self(tokio::spawn(async move {
            let mut was_good = true;
            loop {
                let good = beat(&client, &settings.url, health.as_ref(), &clock).await;
                if let Err(error) = &good
                    && was_good
                {
                    tracing::error!(error = format!("{error:#}"), "no heartbeat: who waits for it raises the alarm");
                } else if good.is_ok() && !was_good {
                    tracing::info!("the heartbeat is sent again");
                }
                was_good = good.is_ok();
                clock.sleep(settings.every.0).await;
            }
        })))
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn beat(client: &reqwest::Client, url: &str, health: &dyn Health, clock: &Clock) -> anyhow::Result<()> {
    let well = clock.timeout(PATIENCE, health.look()).await.unwrap_or_else(|| Err(anyhow::anyhow!("no answer")));
    metrics::healthy(well.is_ok());
    if let Err(error) = well {
        metrics::beat("withheld");
        return Err(error.context("drbot is not well"));
    }
    let sent = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
    metrics::beat(if sent.is_ok() { "sent" } else { "failed" });
    let status =
        sent.map_err(reqwest::Error::without_url).context("the heartbeat's receiver did not take it")?.status();
    anyhow::ensure!(status.is_success(), "the heartbeat's receiver answered {status}");
    Ok(())
}
