//! The JSON schema of `drbot.toml`. Every text in it may hold references to the environment, but for the
//! names of secrets.

use serde_json::{Map, Value, json};

use super::{environment::SECRET_KEYS, settings::Settings};
use crate::runbook::schema;

/// The schema of `drbot.toml`.
pub fn settings() -> Value {
    let mut schema = schema::root::<Settings>("The settings of drbot");
    allow_references(&mut schema);
    schema
}

/// A text with `${NAME}` in it is whatever the environment makes of it: nothing more can be said of it beforehand.
fn allow_references(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("type") == Some(&Value::from("string")) {
                with_references(fields);
                return;
            }
            for (key, value) in fields {
                // The texts that take none: the names of secrets, and never the secrets.
                if !SECRET_KEYS.contains(&key.as_str()) {
                    allow_references(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(allow_references),
        _ => {}
    }
}

fn with_references(fields: &mut Map<String, Value>) {
    let mut rules = Map::new();
    for rule in ["pattern", "enum", "minLength", "maxLength"] {
        if let Some(value) = fields.remove(rule) {
            rules.insert(rule.to_owned(), value);
        }
    }
    if !rules.is_empty() {
        fields.insert("anyOf".to_owned(), json!([rules, { "pattern": r"\$\{[A-Za-z0-9_]+(:-[^}]*)?\}" }]));
    }
}

#[cfg(test)]
mod tests;
