//! The webhook of Prometheus Alertmanager, version 4:
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>. Grafana's own alerting sends the same.
//!
//! Lenient where the sender may grow (keys that are not known are passed over), because Alertmanager does not repeat what
//! was refused.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde::Deserialize;

use super::{
    Unreadable,
    alert::{self, Alert, Raw, Status},
};

/// Which way the alert came.
pub const SOURCE: &str = "alertmanager";

const VERSION: &str = "4";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    version: String,
    alerts: Vec<Entry>,
    /// How many were left out because of `max_alerts`.
    #[serde(default)]
    truncated_alerts: u64,
    #[serde(default, rename = "externalURL")]
    external_url: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    status: Status,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: String,
    #[serde(default)]
    ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
    #[serde(default)]
    fingerprint: String,
}

/// What a body held.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    pub alerts: Vec<Alert>,
    /// How many the sender left out.
    pub left_out: u64,
}

/// # Errors
/// When the body is not of this format.
pub fn read(body: &[u8]) -> Result<Read, Unreadable> {
    let body: Body = serde_json::from_slice(body).map_err(|error| Unreadable::json(&error))?;
    if body.version != VERSION {
        let version = alert::line(&body.version, 20);
        return Err(Unreadable(format!("version {version} of the webhook is not known; drbot reads {VERSION}")));
    }
    let left_out = body.truncated_alerts;
    let entries = body.alerts.into_iter().enumerate();
    let alerts = entries.map(|(index, entry)| entry.into_alert(index, &body.external_url)).collect::<Result<_, _>>()?;
    Ok(Read { alerts, left_out })
}

impl Entry {
    fn into_alert(mut self, index: usize, external_url: &str) -> Result<Alert, Unreadable> {
        let starts_at = time(index, "startsAt", &self.starts_at)?;
        let ends_at = self.ends_at.as_deref().map(|text| time(index, "endsAt", text)).transpose()?.flatten();
        let mut annotation = |name: &str| self.annotations.remove(name).unwrap_or_default();
        let (summary, description) = (annotation("summary"), annotation("description"));
        let url = if self.generator_url.is_empty() { external_url.to_owned() } else { self.generator_url };
        Ok(Alert::of(Raw {
            source: SOURCE,
            fingerprint: self.fingerprint,
            name: self.labels.get("alertname").cloned().unwrap_or_default(),
            status: self.status,
            // No time: always the same, so that it stays the same alert.
            starts_at: starts_at.unwrap_or(DateTime::UNIX_EPOCH),
            ends_at,
            labels: self.labels,
            summary,
            description,
            url,
        }))
    }
}

fn time(index: usize, key: &str, text: &str) -> Result<Option<crate::clock::Timestamp>, Unreadable> {
    alert::time(text).map_err(|error| Unreadable::at(index, format!("{key} is no time as RFC 3339 has it: {error}")))
}
