//! Calls replaced by the steps they stand for.
//!
//! A run journals steps by their ids, so a called command's steps get ids of their own (`halt.stop`) and a scope in
//! which they still see themselves (`steps.stop`). What must stay true: an expanded command has no call left, and its
//! ids are unique when those of each file are.

use std::collections::BTreeMap;

use super::{
    action::Action,
    definition::{Command, Step},
};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    #[error("there is no command `{0}`")]
    Unknown(String),
    #[error("the calls go round in a circle: {}", .0.join(" → "))]
    Cycle(Vec<String>),
    #[error("the step `{step}` calls /{name} with `when`, which a call cannot have")]
    Conditional { step: String, name: String },
    #[error("/{0} has options, which a call cannot give")]
    Options(String),
    #[error("/{0} waits for an approval, and a call would go round it")]
    Approval(String),
    #[error("/{0} has more than {MOST_STEPS} steps with its calls")]
    TooLong(String),
}

/// Calls of calls multiply; a run of more steps than this is nobody's intention.
const MOST_STEPS: usize = 500;

/// The command with every call replaced.
///
/// # Errors
/// When a call cannot be replaced. The checker finds all of that, with its place; this is for whoever comes without.
pub fn expand(commands: &BTreeMap<String, Command>, name: &str) -> Result<Command, ExpandError> {
    let mut path = Vec::new();
    let (mut command, edges) = expand_within(commands, name, &mut path)?;
    // A gate at a call is a gate at its first step; what is asked after a call is asked after its last.
    if let Some(approval) = &mut command.approval {
        if let Some((first, _)) = edges.get(&approval.before) {
            approval.before.clone_from(first);
        }
        if let Some((_, last)) = approval.after.as_ref().and_then(|after| edges.get(after)) {
            approval.after = Some(last.clone());
        }
    }
    Ok(command)
}

/// The first and last step of each call, by the id of the calling step.
type Edges = BTreeMap<String, (String, String)>;

fn expand_within(
    commands: &BTreeMap<String, Command>,
    name: &str,
    path: &mut Vec<String>,
) -> Result<(Command, Edges), ExpandError> {
    let command = commands.get(name).ok_or_else(|| ExpandError::Unknown(name.to_owned()))?;
    let shown = format!("/{name}");
    let cycle = path.contains(&shown);
    path.push(shown);
    if cycle {
        return Err(ExpandError::Cycle(path.clone()));
    }
    let mut steps = Vec::new();
    let mut edges = Edges::new();
    for step in &command.steps {
        let Action::Call(called) = &step.action else {
            steps.push(step.clone());
            continue;
        };
        if step.when.is_some() {
            return Err(ExpandError::Conditional { step: step.id.clone(), name: called.clone() });
        }
        let (inner, _) = expand_within(commands, called, path)?;
        may_be_called(&inner)?;
        let inner: Vec<Step> = inner.steps.into_iter().map(|inner| nested(step, inner)).collect();
        if let (Some(first), Some(last)) = (inner.first(), inner.last()) {
            edges.insert(step.id.clone(), (first.id.clone(), last.id.clone()));
        }
        steps.extend(inner);
        if steps.len() > MOST_STEPS {
            return Err(ExpandError::TooLong(name.to_owned()));
        }
    }
    path.pop();
    Ok((Command { steps, ..command.clone() }, edges))
}

fn may_be_called(called: &Command) -> Result<(), ExpandError> {
    if called.approval.is_some() {
        return Err(ExpandError::Approval(called.name.clone()));
    }
    if !called.options.is_empty() {
        return Err(ExpandError::Options(called.name.clone()));
    }
    Ok(())
}

fn nested(call: &Step, inner: Step) -> Step {
    Step {
        id: format!("{}.{}", call.id, inner.id),
        scope: format!("{}.{}", call.id, inner.scope),
        on_failure: inner.on_failure.or(call.on_failure),
        ..inner
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn commands(files: &[(&str, serde_json::Value)]) -> BTreeMap<String, Command> {
        let command = |(name, steps): &(&str, serde_json::Value)| {
            let command = json!({ "name": name, "summary": "x", "risk": "safe", "steps": steps });
            ((*name).to_owned(), serde_json::from_value(command).unwrap())
        };
        files.iter().map(command).collect()
    }

    fn call(id: &str, name: &str) -> serde_json::Value {
        json!({ "id": id, "name": id, "action": { "call": name } })
    }

    fn host(id: &str) -> serde_json::Value {
        json!({ "id": id, "name": id, "action": { "host": {} } })
    }

    #[test]
    fn a_call_becomes_steps_with_ids_and_a_scope() {
        let commands = commands(&[
            ("outer", json!([host("a"), call("b", "middle"), call("b2", "middle")])),
            ("middle", json!([call("c", "inner"), host("d")])),
            ("inner", json!([host("e")])),
        ]);
        let steps = expand(&commands, "outer").unwrap().steps;
        let shown: Vec<_> = steps.iter().map(|step| (step.id.as_str(), step.scope.as_str())).collect();
        assert_eq!(shown, [("a", ""), ("b.c.e", "b.c."), ("b.d", "b."), ("b2.c.e", "b2.c."), ("b2.d", "b2.")]);
    }

    #[test]
    fn what_a_failure_does_is_the_callers_default() {
        let mut outer = call("b", "inner");
        outer["on_failure"] = json!("continue");
        let mut loud = host("e");
        loud["on_failure"] = json!("stop");
        let commands = commands(&[("outer", json!([outer])), ("inner", json!([loud, host("f")]))]);
        let steps = expand(&commands, "outer").unwrap().steps;
        let shown: Vec<_> = steps.iter().map(|step| serde_json::to_value(step.on_failure).unwrap()).collect();
        assert_eq!(shown, [json!("stop"), json!("continue")]);
    }

    #[test]
    fn a_circle_is_refused_with_its_path() {
        let commands =
            commands(&[("a", json!([call("x", "b")])), ("b", json!([call("y", "c")])), ("c", json!([call("z", "b")]))]);
        let error = expand(&commands, "a").unwrap_err();
        assert_eq!(error.to_string(), "the calls go round in a circle: /a → /b → /c → /b");
        assert_eq!(expand(&commands, "nothing").unwrap_err(), ExpandError::Unknown("nothing".to_owned()));
    }

    #[test]
    fn a_gate_at_a_call_is_at_its_first_step() {
        let mut commands = commands(&[
            ("outer", json!([call("a", "inner"), call("b", "inner")])),
            ("inner", json!([host("x"), host("y")])),
        ]);
        let approval = json!({ "before": "b", "after": "a", "roles": [] });
        commands.get_mut("outer").unwrap().approval = serde_json::from_value(approval).unwrap();
        let approval = expand(&commands, "outer").unwrap().approval.unwrap();
        assert_eq!((approval.before.as_str(), approval.after.as_deref()), ("b.x", Some("a.y")));
    }
}
