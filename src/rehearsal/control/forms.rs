//! What people choose in a select and write into a form, checked as Discord's client checks it.
//!
//! <https://discord.com/developers/docs/components/reference>

use serde_json::{Map, Value, json};

use super::{
    Mistake, find,
    options::{self, Given},
};
use crate::rehearsal::state::{State, items, text};

/// What a person chose in a select, by value or by what is written there.
pub fn choose(state: &State, select: &Value, chosen: &[Value]) -> Result<Given, Mistake> {
    let least = select["min_values"].as_u64().unwrap_or(1);
    let most = select["max_values"].as_u64().unwrap_or(1);
    if (chosen.len() as u64) < least || chosen.len() as u64 > most {
        return Err(Mistake::wrong(format!("choose {least} to {most} of this select with \"values\"")));
    }
    let mut given = Given::default();
    for wanted in chosen {
        let id = match select["type"].as_i64() {
            Some(3) => {
                let all = items(select, "options");
                let found = all.iter().find(|option| option["value"] == *wanted || option["label"] == *wanted);
                let found = found.ok_or_else(|| {
                    let labels: Vec<&str> = all.iter().map(|option| text(option, "label")).collect();
                    Mistake::wrong(format!("{wanted} is not in this select; there is: {}", labels.join(", ")))
                })?;
                given.options.push(found["value"].clone());
                continue;
            }
            Some(6) => options::role(state, wanted)?,
            Some(8) => find::channel(state, wanted)?.id,
            Some(7) => options::role(state, wanted).or_else(|_| find::person(state, wanted))?,
            _ => find::person(state, wanted)?,
        };
        match select["type"].as_i64() {
            Some(8) => given.resolve_channel(state, id),
            _ => {
                given.resolve_person(state, id);
                given.resolve_role(state, id);
            }
        }
        given.options.push(json!(id.to_string()));
    }
    Ok(given)
}

/// The fields of a form with what was written into them, checked as the client checks.
pub fn fill_in(components: &[Value], values: &Map<String, Value>) -> Result<Vec<Value>, Mistake> {
    let mut known = Vec::new();
    let mut filled = Vec::new();
    for component in components {
        let label = text(component, "label");
        let inner = component.get("component").unwrap_or(&component["components"][0]);
        if inner.is_null() {
            continue;
        }
        let label = if label.is_empty() { text(inner, "label") } else { label };
        known.push((text(inner, "custom_id"), label));
        let field = field(inner, label, values)?;
        filled.push(match component["type"].as_i64() {
            Some(18) => json!({"type": 18, "id": 0, "component": field}),
            _ => json!({"type": 1, "id": 0, "components": [field]}),
        });
    }
    let stranger = values.keys().find(|key| !known.iter().any(|(id, label)| key == id || key == label));
    if let Some(stranger) = stranger {
        let ids: Vec<&str> = known.iter().map(|(id, _)| *id).collect();
        return Err(Mistake::wrong(format!("the form has no field \"{stranger}\"; fields: {}", ids.join(", "))));
    }
    Ok(filled)
}

fn field(input: &Value, label: &str, values: &Map<String, Value>) -> Result<Value, Mistake> {
    let id = text(input, "custom_id");
    let given = values.get(id).or_else(|| values.get(label));
    if input["type"] != 4 {
        let chosen = given.cloned().unwrap_or_else(|| json!([]));
        return Ok(json!({"type": input["type"], "id": 0, "custom_id": id, "values": chosen}));
    }
    let written = given.unwrap_or(&input["value"]).as_str().unwrap_or_default();
    let length = written.chars().count() as u64;
    let required = input["required"].as_bool().unwrap_or(true);
    let (least, most) = (input["min_length"].as_u64().unwrap_or(0), input["max_length"].as_u64().unwrap_or(4000));
    if required && length == 0 {
        return Err(Mistake::wrong(format!("field \"{id}\" ({label}) is required")));
    }
    if length > 0 && length < least || length > most {
        return Err(Mistake::wrong(format!("field \"{id}\" ({label}) takes {least} to {most} characters")));
    }
    Ok(json!({"type": 4, "id": 0, "custom_id": id, "value": written}))
}
