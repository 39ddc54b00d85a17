//! What templates and expressions of a run see. One place, so that the plan that is approved, the step that is done
//! and the check of the file agree on every name.

use serde_json::{Map, Value, json};

use super::state::{State, Status, StepState};
use crate::runbook::definition::Step;

/// Whose eyes the context is for.
#[derive(Debug, Clone, Copy)]
pub enum Scoped<'a> {
    /// A step; one of a called command sees that command's steps only.
    Step(&'a Step),
    /// The command as a whole.
    Command,
}

/// The context of a run as it is now: `options`, `steps`, `target`, `run`, `scenario`.
pub fn of(state: &State, scoped: Scoped<'_>) -> Value {
    let scope = match scoped {
        Scoped::Step(step) => step.scope.as_str(),
        Scoped::Command => "",
    };
    let mut steps = Map::new();
    for step in &state.steps {
        if let Some(path) = step.definition.id.strip_prefix(scope) {
            insert(&mut steps, path, of_step(step));
        }
    }
    let mut context = json!({
        "options": options(state, scope),
        "steps": steps,
        "target": state.created.target,
        "run": {
            "id": state.id.to_string(),
            "short": state.id.short(),
            "scratch_database": scratch_database(state),
            "requester": state.created.requester.name,
        },
        "scenario": scenario(state),
    });
    if state.created.command.undoes.is_some() {
        // Empty where nobody has chosen a run yet: in a preview.
        let undone = state.created.undone.as_ref().map_or_else(|| json!({}), |undone| undone.context.clone());
        context["undone"] = undone;
    }
    context
}

/// What another run, which takes this one back, sees of it.
pub fn for_undoing(state: &State) -> Value {
    let mut context = of(state, Scoped::Command);
    let wanted = ["options", "steps", "run"].map(|name| (name.to_owned(), context[name].take()));
    Value::Object(wanted.into_iter().collect())
}

/// The name of the database that a run restores into.
pub fn scratch_database(state: &State) -> String {
    format!("drbot_{}", state.id.short())
}

/// Options as typed; those left out have their default, or null.
fn options(state: &State, scope: &str) -> Value {
    if !scope.is_empty() {
        // A called command runs with its defaults, which were filled in when it was expanded.
        return json!({});
    }
    let declared = state.created.command.options.iter().map(|(name, option)| {
        let value = state.created.options.get(name).or(option.default.as_ref());
        (name.clone(), value.map_or(Value::Null, |value| Value::from(value.clone())))
    });
    Value::Object(declared.collect())
}

fn of_step(step: &StepState) -> Value {
    let mut fields = step.outputs.clone();
    // What a step that is behind us did not find is null, so that later steps can say `is none`.
    if matches!(step.status, Status::Failed { .. } | Status::Skipped(_) | Status::Succeeded) {
        for name in step.definition.outputs.keys() {
            fields.entry(name.clone()).or_insert(Value::Null);
        }
    }
    fields.insert("ok".to_owned(), Value::from(step.status == Status::Succeeded));
    fields.insert("skipped".to_owned(), Value::from(matches!(step.status, Status::Skipped(_))));
    fields.insert("failed".to_owned(), Value::from(matches!(step.status, Status::Failed { .. })));
    Value::Object(fields)
}

fn scenario(state: &State) -> Value {
    match &state.created.scenario {
        Some(scenario) => json!({
            "name": scenario.name,
            "rto": scenario.rto.0.as_secs(),
            "rpo": scenario.rpo.0.as_secs(),
        }),
        None => Value::Null,
    }
}

/// Puts `value` at a path with dots: `halt.verify` is `verify` inside `halt`.
fn insert(tree: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            // A group may be there already, when an inner step came first.
            match (tree.get_mut(path), value) {
                (Some(Value::Object(there)), Value::Object(fields)) => there.extend(fields),
                (_, value) => {
                    tree.insert(path.to_owned(), value);
                }
            }
        }
        Some((head, rest)) => {
            let inner = tree.entry(head).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
