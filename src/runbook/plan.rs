//! What a command will do, step by step, before it does it: what `drbot plan` shows and an approver agrees to.
//!
//! A plan is a pure function of a definition and of what is known when it is made; its hash is what is approved. What
//! must stay true: two plans with the same hash do the same, so everything that decides what a step does is in it, in
//! one canonical form.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    definition::{Command, Step},
    template::{self, TemplateError},
};

/// A command with its templates filled in as far as they are known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub command: String,
    pub steps: Vec<PlannedStep>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedStep {
    pub id: String,
    pub name: String,
    /// The action, filled in; what a later step will find shows as `⟨steps.verify.path: known later⟩`.
    pub action: Value,
    /// False when a part of the action is known later.
    pub known: bool,
    /// What undoes it, filled in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Value>,
    /// The rest of the step as its file says it: conditions, limits, what happens on failure.
    pub terms: Value,
}

impl Plan {
    /// SHA-256, in hex, of the plan's canonical JSON.
    pub fn hash(&self) -> String {
        let text = sorted(&serde_json::to_value(self).unwrap_or_default()).to_string();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The same with the keys of every object in order: whatever order they came in, equal values are equal texts.
pub fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<&String, &Value> = fields.iter().collect();
            Value::Object(fields.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// The plan of an expanded command. `context_of` gives the context that a step sees: its scope differs from step to
/// step, and secrets are in none.
///
/// # Errors
/// When a template is wrong in itself; a checked file has no such template.
pub fn render_plan(command: &Command, context_of: impl Fn(&Step) -> Value) -> Result<Plan, TemplateError> {
    let steps = command.steps.iter().map(|step| planned(step, &context_of(step))).collect::<Result<_, _>>()?;
    Ok(Plan { command: command.name.clone(), steps })
}

fn planned(step: &Step, context: &Value) -> Result<PlannedStep, TemplateError> {
    let action = template::plan_action(&step.action, context)?;
    let undo = step.undo.as_ref().map(|undo| template::plan_action(undo, context)).transpose()?;
    let known = action.known && undo.as_ref().is_none_or(|undo| undo.known);
    let mut terms = serde_json::to_value(step).unwrap_or_default();
    if let Some(fields) = terms.as_object_mut() {
        for shown in ["id", "name", "why", "action", "undo"] {
            fields.remove(shown);
        }
    }
    Ok(PlannedStep {
        id: step.id.clone(),
        name: step.name.clone(),
        action: action.value,
        known,
        undo: undo.map(|undo| undo.value),
        terms,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn command() -> Command {
        serde_json::from_value(json!({
            "name": "restore", "summary": "x", "risk": "safe",
            "steps": [
                { "id": "verify", "name": "Verify", "action": { "postgres": { "verify": { "backup": "{{ options.backup }}", "database": "d" } } } },
                { "id": "stop", "name": "Stop", "action": { "docker": { "stop": { "container": "bot" } } }, "timeout": "5s" },
                { "id": "drop", "name": "Drop", "action": { "postgres": { "drop": { "database": "{{ steps.verify.path }}" } } } },
            ],
        }))
        .unwrap()
    }

    #[test]
    fn a_plan_shows_what_is_known_and_says_what_is_not() {
        let plan = render_plan(&command(), |_| json!({ "options": { "backup": "b.dump" }, "steps": {} })).unwrap();
        assert_eq!(plan.steps[0].action["postgres"]["verify"]["backup"], "b.dump");
        assert_eq!(plan.steps[2].action["postgres"]["drop"]["database"], "⟨steps.verify.path: known later⟩");
        assert_eq!(plan.steps.iter().map(|step| step.known).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn the_hash_is_of_everything_that_decides() {
        let context = json!({ "options": { "backup": "b.dump" }, "steps": {} });
        let hash = |command: &Command, context: &Value| render_plan(command, |_| context.clone()).unwrap().hash();
        let first = hash(&command(), &context);
        assert_eq!(first.len(), 64);
        assert_eq!(first, hash(&command(), &context));
        assert_ne!(first, hash(&command(), &json!({ "options": { "backup": "c.dump" }, "steps": {} })));
        let known = json!({ "options": { "backup": "b.dump" }, "steps": { "verify": { "path": "/b" } } });
        assert_ne!(first, hash(&command(), &known));
        let mut changed = command();
        changed.steps[1].timeout = None;
        assert_ne!(first, hash(&changed, &context));
        changed = command();
        changed.steps[1].why = Some("words".to_owned());
        assert_eq!(first, hash(&changed, &context));
    }
}
