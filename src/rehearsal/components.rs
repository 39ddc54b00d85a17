//! The rules for buttons and selects that a table of fields cannot state.
//!
//! <https://discord.com/developers/docs/components/reference>

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    form::{Problems, join},
    state::{items, text},
};

/// Buttons and selects do not share a row, a custom id is used once, a link has a URL and nothing else has.
pub fn check(problems: &mut Problems, path: &str, rows: &[Value]) {
    let mut seen = HashSet::new();
    for (index, row) in rows.iter().enumerate() {
        let at = join(path, &format!("components.{index}.components"));
        let inside = items(row, "components");
        if inside.len() > 1 && inside.iter().any(|component| component["type"] != 2) {
            let message = "The specified component exceeds the maximum width";
            problems.add(&at, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message);
        }
        for (place, component) in inside.iter().enumerate() {
            let at = join(&at, &place.to_string());
            component_rules(problems, &at, component);
            if let Some(id) = component["custom_id"].as_str().filter(|id| !seen.insert(id.to_string())) {
                let message = format!("Component custom id cannot be duplicated: {id}");
                problems.add(&join(&at, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", message);
            }
        }
    }
}

fn component_rules(problems: &mut Problems, at: &str, component: &Value) {
    let has = |field: &str| component.get(field).is_some_and(|value| !value.is_null() && value != "");
    let mut need = |field: &str| problems.add(&join(at, field), "BASE_TYPE_REQUIRED", "This field is required");
    match (component["type"].as_i64(), component["style"].as_i64()) {
        (Some(2), Some(5)) if !has("url") => need("url"),
        (Some(2), Some(5)) if has("custom_id") => {
            let message = "A custom id and url cannot both be specified";
            problems.add(&join(at, "custom_id"), "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", message);
        }
        (Some(2), Some(1..=4)) if !has("custom_id") => need("custom_id"),
        (Some(2), _) if !has("label") && !has("emoji") => need("label"),
        (Some(3), _) => select_rules(problems, at, component),
        _ => {}
    }
}

fn select_rules(problems: &mut Problems, at: &str, component: &Value) {
    let mut values = HashSet::new();
    for (index, option) in items(component, "options").iter().enumerate() {
        if !values.insert(text(option, "value")) {
            let message = "The specified option value is already used";
            let at = join(at, &format!("options.{index}.value"));
            problems.add(&at, "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message);
        }
    }
}

/// Components as Discord gives them back: each with a number.
pub fn numbered(rows: &[Value]) -> Vec<Value> {
    let mut number = 0;
    let mut count = |component: &mut Value| {
        number += 1;
        if let Some(object) = component.as_object_mut() {
            object.retain(|_, value| !value.is_null());
            object.entry("id").or_insert_with(|| json!(number));
        }
    };
    let mut rows = rows.to_vec();
    for row in &mut rows {
        count(row);
        row["components"].as_array_mut().into_iter().flatten().for_each(&mut count);
    }
    rows
}
