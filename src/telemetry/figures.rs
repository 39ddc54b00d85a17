//! Figures: whoever does something counts it with the macros of the crate `metrics`; here they are kept for Prometheus.
//!
//! Names begin with `drbot_`; each folder describes its own. Labels have few values: names from files, never text of
//! people or targets.

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds in seconds: a durable write takes tenths of a millisecond, an answer of Discord up to seconds.
const SECONDS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// All figures of this process.
#[derive(Debug, Clone)]
pub struct Figures(PrometheusHandle);

impl Figures {
    /// Keeps the process's figures from now on; once per process.
    ///
    /// # Errors
    /// When they are kept already.
    pub fn keep() -> Result<Self> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .install_recorder()
            .context("figures are kept already")?;
        Ok(Self(handle))
    }

    /// As Prometheus reads them.
    pub fn text(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}
