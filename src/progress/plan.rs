//! A plan for people: what each step would do, in the order of the steps.

use serde_json::Value;

use crate::{run::state::State, runbook::plan::Plan};

/// The plan as `drbot plan` prints it.
pub fn text(state: &State, plan: &Plan) -> String {
    let command = &state.created.command;
    let mut text = format!("/{} — {}\n", command.name, command.summary);
    if let Some(scenario) = &state.created.scenario {
        text.push_str(&format!("scenario {}: RTO {}, RPO {}\n", scenario.name, scenario.rto, scenario.rpo));
    }
    text.push_str(&format!("may be started by: {}\n", command.roles.join(", ")));
    for (option, definition) in &command.options {
        let value = state.created.options.get(option).or(definition.default.as_ref());
        text.push_str(&format!("option {option} = {}\n", value.map_or("(not given)", String::as_str)));
    }
    for (number, step) in plan.steps.iter().enumerate() {
        if let Some(approval) = command.approval.as_ref().filter(|approval| approval.before == step.id) {
            text.push_str(&format!(
                "\n── approval by {} of {} (never the one who asked), within {}\n",
                approval.quorum,
                approval.roles.join(" or "),
                approval.expires
            ));
        }
        text.push_str(&format!("\n{:>3}. {}  [{}]\n", number + 1, step.name, step.id));
        text.push_str(&format!("     {}\n", one_line(&step.action)));
        if let Some(when) = step.terms.get("when").and_then(Value::as_str) {
            text.push_str(&format!("     only when {when}\n"));
        }
        if step.terms.get("point_of_no_return") == Some(&Value::from(true)) {
            text.push_str("     after this step nothing is undone without asking\n");
        }
        if let Some(undo) = &step.undo {
            text.push_str(&format!("     undo: {}\n", one_line(undo)));
        }
    }
    text
}

/// `docker.stop container=trading-bot grace=10s`.
fn one_line(action: &Value) -> String {
    match action {
        Value::Object(fields) if fields.len() == 1 => {
            let Some((key, inner)) = fields.iter().next() else { return String::new() };
            match inner {
                Value::Object(more) if more.len() == 1 && more.values().all(Value::is_object) => {
                    let (verb, fields) = more.iter().next().map_or(("", &Value::Null), |(verb, fields)| (verb, fields));
                    format!("{key}.{verb} {}", pairs(fields))
                }
                Value::Array(branches) => {
                    let names: Vec<_> = branches.iter().filter_map(|branch| branch["name"].as_str()).collect();
                    format!("{key}: {}", names.join("; "))
                }
                other => format!("{key} {}", pairs(other)),
            }
        }
        other => other.to_string(),
    }
}

fn pairs(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let shown = fields.iter().map(|(name, value)| match value {
                Value::String(text) => format!("{name}={text}"),
                other => format!("{name}={other}"),
            });
            shown.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
