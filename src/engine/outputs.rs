//! From an action's result fields to what the step promises: its `expect`, and its named, typed outputs. Pure.

use serde_json::{Map, Value};

use crate::{
    actions::{Done, Failure, Fields},
    clock::Timestamp,
    runbook::{
        action::Action,
        definition::{OnFailure, Step, ValueType},
        template,
    },
};

/// Judges the result by the step's `expect`, or by what success means for its kind of action. What is told of a result
/// that is no success is what the file `says` of it, where it has a word for it.
///
/// # Errors
/// Why it is no success, in a sentence.
pub fn judge(action: &Action, expect: Option<&str>, says: Option<&str>, done: &Done) -> Result<(), String> {
    let fields = &done.fields;
    let own = || line(says, done);
    if let Some(expression) = expect {
        let context = Value::Object(fields.clone());
        return match template::holds(expression, &context) {
            Ok(true) => Ok(()),
            Ok(false) => Err(own().unwrap_or_else(|| format!("{} (expected {expression})", seen(action, done)))),
            Err(error) => {
                Err(format!("expected {expression}, but it cannot be told ({error}); {}", seen(action, done)))
            }
        };
    }
    match action {
        Action::Http(_) => match fields.get("status").and_then(Value::as_u64) {
            Some(200..=299) => Ok(()),
            _ => Err(own().unwrap_or_else(|| seen(action, done))),
        },
        Action::Exec(_) if fields.get("exit_code") != Some(&Value::from(0)) => {
            Err(own().unwrap_or_else(|| seen(action, done)))
        }
        _ => Ok(()),
    }
}

/// What a check says of an effect: there, not there, or it cannot tell. Only an expression can say that it is not there:
/// an answer that is no success may as well mean that the one who was asked is ill.
pub(super) fn tells(action: &Action, expect: Option<&str>, done: &Done) -> Option<bool> {
    match expect {
        Some(expression) => template::holds(expression, &Value::Object(done.fields.clone())).ok(),
        None => judge(action, None, None, done).ok().map(|()| true),
    }
}

/// The line that the file wants the card to show, when one comes of it.
pub fn line(says: Option<&str>, done: &Done) -> Option<String> {
    match template::eval(says?, &Value::Object(done.fields.clone())) {
        Ok(Value::String(line)) if !line.is_empty() => Some(line),
        _ => None,
    }
}

/// All that came back, line by line: a body, what a program wrote, the lines of a log, else every field.
pub(super) fn evidence(done: &Done) -> Vec<String> {
    let text = |name: &str| done.fields.get(name).and_then(Value::as_str);
    let lines = |text: &str| text.lines().map(str::to_owned).collect();
    if let Some(text) = text("body").or_else(|| text("stdout")) {
        return lines(text);
    }
    match done.fields.get("lines") {
        Some(Value::Array(found)) => found.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => lines(&format!("{:#}", Value::Object(done.fields.clone()))),
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
pub fn outputs(step: &Step, fields: &Fields) -> Result<Map<String, Value>, String> {
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

/// What one branch of a `parallel` leaves for later, as far as it was found, and how it went: what fails its `expect` was
/// seen, too.
///
/// The verdict is that of [`judge`].
pub fn of_branch(branch: &Step, done: Done, verdict: Result<(), String>) -> (Fields, Result<Done, Failure>) {
    // Missing outputs are this branch's failure alone.
    match (outputs(branch, &done.fields), verdict) {
        (Ok(fields), Ok(())) => (fields, Ok(done)),
        (Ok(fields), Err(message)) => (fields, Err(Failure::Failed { message, log: done.log })),
        (Err(_), Err(message)) | (Err(message), Ok(())) => {
            (Fields::new(), Err(Failure::Failed { message, log: done.log }))
        }
    }
}

/// What a `parallel` comes to, from what each of its branches left.
///
/// # Errors
/// When a branch failed that is not passed over; with what the others found.
pub fn of_branches(branches: &[Step], results: Vec<(Fields, Result<Done, Failure>)>) -> Result<Done, Failure> {
    let mut all = Done::default();
    let mut failed = Vec::new();
    for (branch, (mut fields, result)) in branches.iter().zip(results) {
        let (ok, summary, error) = match result {
            Ok(done) => {
                all.log.extend(done.log.iter().map(|line| format!("{}: {line}", branch.id)));
                (true, done.summary, Value::Null)
            }
            Err(failure) => {
                let message = failure.to_string();
                if let Failure::Failed { log, .. } = failure {
                    all.log.extend(log.iter().map(|line| format!("{}: {line}", branch.id)));
                }
                if branch.on_failure() != OnFailure::Continue {
                    failed.push(format!("{}: {message}", branch.name));
                }
                (false, String::new(), Value::from(message))
            }
        };
        // What it did not find is null, so that later steps can say `is none`.
        for name in branch.outputs.keys() {
            fields.entry(name.clone()).or_insert(Value::Null);
        }
        fields.extend([
            ("ok".to_owned(), Value::from(ok)),
            ("summary".to_owned(), Value::from(summary)),
            ("error".to_owned(), error),
        ]);
        all.fields.insert(branch.id.clone(), Value::Object(fields));
    }
    let good = all.fields.values().filter(|branch| branch["ok"] == true).count();
    all.summary = format!("{good} of {} good", branches.len());
    if failed.is_empty() {
        return Ok(all);
    }
    Err(Failure::Found { message: failed.join("; "), log: all.log, found: all.fields })
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
