//! What a run will do, filled in as far as it is known: what an approver reads, and what `drbot plan` prints.

use serde::Serialize;
use serde_json::Value;

use super::{
    context::{self, Scoped},
    state::{State, Status},
};
use crate::runbook::{
    definition::Effect,
    template::{self, TemplateError},
};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedStep {
    pub id: String,
    pub name: String,
    /// The rendered action; secrets are named in it. What is known later says so.
    pub action: Value,
    /// False when a part of the action is known only later.
    pub known: bool,
    pub effect: Effect,
    pub when: Option<String>,
    /// It waits for the approval.
    pub is_gate: bool,
    pub point_of_no_return: bool,
    /// It has been done already.
    pub is_done: bool,
}

/// All steps of a run, in order.
///
/// # Errors
/// When a template is wrong in itself.
pub fn plan(state: &State) -> Result<Vec<PlannedStep>, TemplateError> {
    let gate = state.gate().map(|gate| gate.definition.id.clone());
    state
        .steps
        .iter()
        .map(|step| {
            let definition = &step.definition;
            let planned = template::plan_action(&definition.action, &context::of(state, Scoped::Step(definition)))?;
            Ok(PlannedStep {
                id: definition.id.clone(),
                name: definition.name.clone(),
                action: planned.value,
                known: planned.known,
                effect: definition.effect(),
                when: definition.when.clone(),
                is_gate: gate.as_ref() == Some(&definition.id),
                point_of_no_return: definition.point_of_no_return,
                is_done: !matches!(step.status, Status::Pending),
            })
        })
        .collect()
}
