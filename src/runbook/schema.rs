//! JSON schemas of the files that operators edit, so that an editor completes and explains what they write.
//!
//! They are made from the very types that the files are decoded into, doc comments included, so they cannot drift: what
//! is by hand here is only the difference between a file and its types (an action stands beside its step's other keys).
//! Draft 7, because that is what editors for TOML know.

use std::collections::BTreeSet;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{definition::Command, plan};

/// The schema of a file in `commands/`.
pub fn command() -> Value {
    let mut schema = root::<Command>("A command of drbot");
    let actions = schema["definitions"]["Action"].clone();
    for step_like in ["Step", "Check"] {
        with_action(&mut schema["definitions"][step_like], &actions);
    }
    schema
}

/// The schema of a file that is decoded into `T`.
pub fn root<T: JsonSchema>(title: &str) -> Value {
    let schema = SchemaGenerator::new(SchemaSettings::draft07()).into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    tidy(&mut schema);
    schema["title"] = title.into();
    schema
}

/// A schema as its file holds it: with sorted keys, whatever order they were made in, so that files can be compared.
pub fn text(schema: &Value) -> String {
    format!("{:#}\n", plan::sorted(schema))
}

/// Puts the key of each action beside the others, exactly one of them.
fn with_action(schema: &mut Value, actions: &Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    let Some(actions) = actions["properties"].as_object() else { return };
    let keys: BTreeSet<&String> = actions.keys().collect();
    let one_of: Vec<Value> = keys.into_iter().map(|key| json!({ "required": [key] })).collect();
    fields.insert("oneOf".to_owned(), one_of.into());
    let properties = fields.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        properties.extend(actions.clone());
    }
}

/// Says the same in the words that editors show best, everywhere in a schema.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            without_null(fields);
            one_word(fields);
            one_key(fields);
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// TOML has no null: what is not given is left out.
fn without_null(fields: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if fields.get("default") == Some(&Value::Null) {
        fields.remove("default");
    }
    let Some(Value::Array(forms)) = fields.get_mut("anyOf") else { return };
    forms.retain(|form| form["type"] != "null");
    if let [only] = forms.as_slice() {
        // Beside a reference nothing else is read in draft 7, so it stays in a list of its own.
        let only = json!([only]);
        fields.remove("anyOf");
        fields.insert("allOf".to_owned(), only);
    }
}

/// A choice of words is one list of words, with what each means in the description.
fn one_word(fields: &mut Map<String, Value>) {
    let Some(Value::Array(forms)) = fields.get("oneOf") else { return };
    let mut words = Vec::new();
    let mut meanings = Vec::new();
    for form in forms {
        let Some(word) = form.get("const").cloned() else { return };
        if let (Some(word), Some(meaning)) = (word.as_str(), form["description"].as_str()) {
            meanings.push(format!("- `{word}`: {meaning}"));
        }
        words.push(word);
    }
    fields.remove("oneOf");
    let said = fields.get("description").and_then(Value::as_str).map(|said| format!("{said}\n\n")).unwrap_or_default();
    fields.insert("description".to_owned(), format!("{said}{}", meanings.join("\n")).into());
    fields.insert("type".to_owned(), "string".into());
    fields.insert("enum".to_owned(), words.into());
}

/// A choice of tables with one key each is one table with exactly one of these keys: an editor completes the keys then,
/// and says which of them is wrong.
fn one_key(fields: &mut Map<String, Value>) {
    let Some(Value::Array(forms)) = fields.get("oneOf") else { return };
    let mut keys = Map::new();
    for form in forms {
        let Some(properties) = form["properties"].as_object().filter(|properties| properties.len() == 1) else {
            return;
        };
        for (key, value) in properties {
            let mut value = value.clone();
            if let Some(description) = form.get("description") {
                value = match value.get("$ref") {
                    Some(_) => json!({ "allOf": [value] }),
                    None => value,
                };
                value["description"] = description.clone();
            }
            keys.insert(key.clone(), value);
        }
    }
    fields.remove("oneOf");
    let rest = json!({ "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1 });
    fields.extend(rest.as_object().cloned().unwrap_or_default());
    fields.insert("properties".to_owned(), keys.into());
}

#[cfg(test)]
mod tests;
