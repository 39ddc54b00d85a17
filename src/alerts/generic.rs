//! A small format of drbot's own, for scripts and for monitoring that is not Alertmanager. `docs/alerts.md` describes it.
//!
//! Strict: it is written for drbot, so a key that is not known is a mistake of who wrote it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    Unreadable,
    alert::{self, Alert, Raw, Status},
};

/// Which way the alert came.
pub const SOURCE: &str = "generic";

/// Bytes of an `id`.
const LONGEST_ID: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    name: String,
    status: Status,
    starts_at: String,
    ends_at: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    url: String,
    scenario: Option<String>,
    target: Option<String>,
}

/// One alert, or `{"alerts": […]}`.
///
/// # Errors
/// When the body is not of this format: which alert, and what is wrong with it.
pub fn read(body: &[u8]) -> Result<Vec<Alert>, Unreadable> {
    let body: Value = serde_json::from_slice(body).map_err(|error| Unreadable::json(&error))?;
    let Value::Object(mut fields) = body else {
        return Err(Unreadable("the body is one alert, or {\"alerts\": […]}".to_owned()));
    };
    let entries = match fields.remove("alerts") {
        None => vec![Value::Object(fields)],
        Some(Value::Array(entries)) if fields.is_empty() => entries,
        Some(Value::Array(_)) => return Err(Unreadable("beside `alerts` there is nothing else".to_owned())),
        Some(_) => return Err(Unreadable("`alerts` is a list of alerts".to_owned())),
    };
    entries.into_iter().enumerate().map(|(index, entry)| one(index, entry)).collect()
}

fn one(index: usize, entry: Value) -> Result<Alert, Unreadable> {
    let entry: Entry = serde_json::from_value(entry).map_err(|error| Unreadable::at(index, error))?;
    if entry.id.is_empty() || entry.id.len() > LONGEST_ID || entry.id.contains(char::is_control) {
        let help = format!("`id` is 1 to {LONGEST_ID} bytes without control characters, the same each time");
        return Err(Unreadable::at(index, help));
    }
    if entry.name.trim().is_empty() {
        return Err(Unreadable::at(index, "`name` is what people read, and is empty"));
    }
    let time = |key: &str, text: &str| {
        let like = "like 2026-11-26T03:00:00Z";
        match alert::time(text) {
            Ok(Some(at)) => Ok(at),
            Ok(None) => Err(Unreadable::at(index, format!("`{key}` is before the year 2000"))),
            Err(error) => Err(Unreadable::at(index, format!("`{key}` is no time ({error}); {like}"))),
        }
    };
    let mut labels = entry.labels;
    // What the rules look at, whichever way the alert came.
    labels.entry("alertname".to_owned()).or_insert_with(|| entry.name.clone());
    for (name, value) in [("scenario", entry.scenario), ("target", entry.target)] {
        labels.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(Alert::of(Raw {
        source: SOURCE,
        starts_at: time("starts_at", &entry.starts_at)?,
        ends_at: entry.ends_at.as_deref().map(|text| time("ends_at", text)).transpose()?,
        fingerprint: entry.id,
        name: entry.name,
        status: entry.status,
        labels,
        summary: entry.summary,
        description: entry.description,
        url: entry.url,
    }))
}
