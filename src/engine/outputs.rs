//! From an action's result fields to what the step promises: its `expect`, and its named, typed outputs.

use serde_json::{Map, Value};

use crate::{
    actions::{Done, Fields},
    clock::Timestamp,
    runbook::{
        action::Action,
        definition::{Step, ValueType},
        template,
    },
};

/// Judges the result by the step's `expect`, or by what success means for its kind of action.
///
/// # Errors
/// Why it is no success, in a sentence.
pub(super) fn judge(action: &Action, expect: Option<&str>, done: &Done) -> Result<(), String> {
    let fields = &done.fields;
    if let Some(expression) = expect {
        let context = Value::Object(fields.clone());
        return match template::holds(expression, &context) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{} (expected {expression})", seen(action, done))),
            Err(error) => {
                Err(format!("expected {expression}, but it cannot be told ({error}); {}", seen(action, done)))
            }
        };
    }
    match action {
        Action::Http(_) => match fields.get("status").and_then(Value::as_u64) {
            Some(200..=299) => Ok(()),
            _ => Err(seen(action, done)),
        },
        Action::Exec(_) if fields.get("exit_code") != Some(&Value::from(0)) => Err(seen(action, done)),
        _ => Ok(()),
    }
}

/// What a check says of an effect: there, not there, or it cannot tell. Only an expression can say that it is not there:
/// an answer that is no success may as well mean that the one who was asked is ill.
pub(super) fn tells(action: &Action, expect: Option<&str>, done: &Done) -> Option<bool> {
    match expect {
        Some(expression) => template::holds(expression, &Value::Object(done.fields.clone())).ok(),
        None => judge(action, None, done).ok().map(|()| true),
    }
}

/// The line that the file wants the card to show; what the action says itself where there is none, or no text comes of it.
pub(super) fn line(says: Option<&str>, done: &Done) -> String {
    let line = says.and_then(|says| template::eval(says, &Value::Object(done.fields.clone())).ok());
    match line {
        Some(Value::String(line)) if !line.is_empty() => line,
        _ => done.summary.clone(),
    }
}

/// What was seen, in a few words.
fn seen(action: &Action, done: &Done) -> String {
    let fields = &done.fields;
    let field = |name: &str| fields.get(name).map(short).unwrap_or_else(|| "nothing".to_owned());
    match action {
        Action::Http(_) => format!("the answer was {} {}", field("status"), field("body")),
        Action::Exec(_) => format!("it ended with {} {}", field("exit_code"), field("stderr")),
        _ if !done.summary.is_empty() => done.summary.clone(),
        _ => {
            let all: Vec<_> = fields.iter().map(|(name, value)| format!("{name} was {}", short(value))).collect();
            all.join(", ")
        }
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= 160 { text } else { text.chars().take(160).chain(['…']).collect() }
}

/// The outputs that a step declares, from its result fields; for a parallel step those of its branches too, by their ids.
///
/// # Errors
/// Which one is missing or of another type.
pub(super) fn outputs(step: &Step, fields: &Fields) -> Result<Map<String, Value>, String> {
    let context = Value::Object(fields.clone());
    let mut outputs = match step.action {
        Action::Parallel(_) => fields.clone(),
        _ => Map::new(),
    };
    for (name, output) in &step.outputs {
        let expression = output.from.as_deref().unwrap_or(name);
        let value =
            template::eval(expression, &context).map_err(|error| format!("the output {name} is missing: {error}"))?;
        if !is(output.kind, &value) {
            return Err(format!("the output {name} should be {:?}, but is {}", output.kind, short(&value)));
        }
        outputs.insert(name.clone(), value);
    }
    Ok(outputs)
}

fn is(kind: ValueType, value: &Value) -> bool {
    match kind {
        ValueType::String => value.is_string(),
        ValueType::Integer => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        ValueType::Number | ValueType::Duration => value.is_number(),
        ValueType::Boolean => value.is_boolean(),
        ValueType::Timestamp => value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok()),
        ValueType::List => value.is_array(),
        ValueType::Object => value.is_object(),
        ValueType::Any => true,
    }
}
