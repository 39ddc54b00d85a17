//! What templates see as `target`.
//!
//! One place builds it, for the engine that renders and for the checker that knows what may be asked for, so that a
//! name that passes the check is there at 03:00.

use serde_json::{Value, json};

use crate::config::settings::Target;

/// The target's settings, its `name`, and `database`: the name of its database, or null.
pub fn target(name: &str, target: &Target) -> Value {
    let mut value = serde_json::to_value(target).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("name".to_owned(), json!(name));
        fields.insert("database".to_owned(), json!(target.postgres.as_ref().map(|postgres| &postgres.database)));
    }
    value
}
