//! What a run will do, filled in as far as it is known: what an approver reads, what `drbot plan` prints, and what an
//! approval is bound to.

use sha2::{Digest, Sha256};

use super::{
    context::{self, Scoped},
    state::{State, StepState},
};
use crate::runbook::{
    plan::{Plan, render_plan, sorted},
    template::TemplateError,
};

/// The plan as it is known when the approval is asked for: what was found out before is in it (the backup's name and
/// checksum among it), what comes behind is not, so that it is the same whenever it is rendered.
///
/// # Errors
/// When a template is wrong in itself.
pub fn plan(state: &State) -> Result<Plan, TemplateError> {
    let mut state = state.clone();
    let known = state.created.command.approval.as_ref().map_or(0, |approval| {
        let last = approval.after.as_deref().unwrap_or(&approval.before);
        let position = state.steps.iter().position(|step| step.definition.id == last);
        // At the gate itself everything before it is known, and nothing of it.
        position.map_or(0, |index| index + usize::from(approval.after.is_some()))
    });
    for step in state.steps.iter_mut().skip(known) {
        *step = StepState::new(step.definition.clone());
    }
    render_plan(&state.created.command, |step| context::of(&state, Scoped::Step(step)))
}

/// SHA-256, in hex, of everything that decides what the run does: the frozen definition, the options, the target, and
/// the plan that follows from them.
///
/// # Errors
/// When a template is wrong in itself.
pub fn hash(state: &State) -> Result<String, TemplateError> {
    let bound = serde_json::json!({
        "run": state.id,
        "definition": state.created.definition_hash,
        "options": state.created.options,
        "target": state.created.target,
        "plan": plan(state)?.hash(),
    });
    Ok(Sha256::digest(sorted(&bound).to_string()).iter().map(|byte| format!("{byte:02x}")).collect())
}
