//! What templates can name, besides options and steps.
//!
//! One place builds these values, for the engine that renders and for the checker that knows what may be asked for, so
//! that a name that passes the check is there at 03:00.

use serde_json::{Value, json};

use crate::{
    config::settings::{Scenario, Target},
    ids::RunId,
};

/// `target`: its settings, its `name`, and `database` (the name of its database).
pub fn target(name: &str, target: &Target) -> Value {
    let mut value = serde_json::to_value(target).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("name".to_owned(), json!(name));
        if let Some(postgres) = &target.postgres {
            fields.insert("database".to_owned(), json!(postgres.database));
        } else {
            fields.remove("postgres");
        }
    }
    value
}

/// `scenario`: its name and its objectives in seconds.
pub fn scenario(scenario: &Scenario) -> Value {
    json!({ "name": scenario.name, "rto": scenario.rto.0.as_secs(), "rpo": scenario.rpo.0.as_secs() })
}

/// `run`: who it is and what it may call its own. `requester` is shown to people.
pub fn run(id: RunId, requester: &str) -> Value {
    let short = id.short();
    json!({
        "id": id.to_string(),
        "scratch_database": format!("drbot_{short}"),
        "short": short,
        "requester": requester,
    })
}
