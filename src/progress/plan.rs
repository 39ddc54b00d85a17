//! A run before anybody starts it, for people at a terminal: what the approver will see, and what each step would do.
//!
//! What the approver sees is said by the same functions as on the card, in the call for approval and behind "Show the
//! plan", so that the two cannot differ. Values that people gave are shown harmlessly: no control characters, no
//! changes of direction, no line that they could forge.

use serde_json::{Value, json};

use super::{
    outside::{harmless, readable},
    view, words,
};
use crate::{
    run::{
        history::Took,
        preview::{Preview, Probed},
    },
    runbook::{action::Action, definition::Step},
};

/// The preview as `drbot plan` prints it.
pub fn text(preview: &Preview) -> String {
    let mut lines = head(preview);
    lines.extend(for_approver(preview));
    lines.push(String::new());
    lines.push("Steps".to_owned());
    for number in 0..preview.plan.steps.len() {
        lines.extend(step(preview, number));
    }
    lines.push(String::new());
    lines.push(format!("plan {}", preview.plan.hash()));
    let lines: Vec<String> = lines.iter().map(|line| harmless(line)).collect();
    format!("{}\n", lines.join("\n"))
}

/// Who, with what, how long.
fn head(preview: &Preview) -> Vec<String> {
    let created = &preview.state.created;
    let command = &created.command;
    let mut lines = vec![format!("/{} — {}", command.name, command.summary)];
    let mut say = |what: &str, text: String| lines.push(format!("  {what:<18} {text}"));
    if let Some(scenario) = &created.scenario {
        say("scenario", format!("{}: RTO {}, RPO {}", scenario.name, scenario.rto, scenario.rpo));
    }
    say("may be started by", if command.roles.is_empty() { "nobody".to_owned() } else { command.roles.join(", ") });
    if let Some(approval) = &command.approval {
        let roles = approval.roles.join(" or ");
        let unless = approval.unless.as_ref().map(|proof| format!("; nobody, when {proof}")).unwrap_or_default();
        say(
            "must be approved",
            format!("by {} of {roles}, never the one who asked, within {}{unless}", approval.quorum, approval.expires),
        );
    }
    if let Some(lock) = &preview.lock {
        say("one at a time", lock.clone());
    }
    for (option, definition) in &command.options {
        let value = created.options.get(option).or(definition.default.as_ref());
        say("option", format!("{option} = {}", value.map_or("(not given)", String::as_str)));
    }
    let Some(history) = &preview.history else { return lines };
    match &history.whole {
        Some(whole) => say("takes", format!("{}, waiting for people included, by {} runs", range(whole), history.runs)),
        None => say("takes", "no history yet".to_owned()),
    }
    if let Some(recovery) = &history.recovery {
        say("is recovered after", range(recovery));
    }
    lines
}

/// The call for approval, the card's field, and what "Show the plan" says: by the very functions that say it then.
fn for_approver(preview: &Preview) -> Vec<String> {
    let state = &preview.state;
    let Some(asked) = &preview.asked else { return vec![String::new(), "No approval is needed.".to_owned()] };
    let roles = state.created.command.approval.iter().flat_map(|approval| &approval.roles);
    let mentions: Vec<_> = roles.map(|role| format!("@{role}")).collect();
    let view = view::of(state, state.created_at, None);
    let mut lines = vec![String::new(), "What an approver sees".to_owned()];
    let mut quote = |text: &str| lines.extend(readable_lines(text).into_iter().map(|line| format!("  │ {line}")));
    quote(&words::approval_call(&mentions.join(" "), state, asked, "(the card)"));
    quote("");
    quote(&words::approval(&view.approval).unwrap_or_default());
    if let Some(confirm) = &asked.confirm {
        quote(&format!("The form asks for: {confirm}"));
    }
    quote("");
    quote(&words::plan(state));
    lines
}

fn readable_lines(text: &str) -> Vec<String> {
    text.split('\n').map(|line| readable(line).replace("**", "")).collect()
}

fn step(preview: &Preview, number: usize) -> Vec<String> {
    let planned = &preview.plan.steps[number];
    let definition = &preview.state.steps[number].definition;
    let mut lines = Vec::new();
    if let Some(approval) = preview.state.created.command.approval.as_ref()
        && preview.state.gate().is_some_and(|gate| gate.definition.id == planned.id)
    {
        lines.push(format!("  ── waits here for the approval by {}", approval.roles.join(" or ")));
    }
    lines.push(format!("{:>3}. {}  [{}]", number + 1, planned.name, planned.id));
    let mut say = |text: String| lines.push(format!("     {text}"));
    say(one_line(&planned.action));
    if let Some(when) = &definition.when {
        say(format!("only when {when}"));
    }
    if definition.point_of_no_return {
        say("after this step nothing is undone without asking".to_owned());
    }
    if let Some(undo) = &planned.undo {
        say(format!("undo: {}", one_line(undo)));
    }
    if let Some(took) = preview.history.as_ref().and_then(|history| history.steps.get(&planned.id)) {
        say(format!("took {}", range(took)));
    }
    match preview.probes.get(&planned.id) {
        Some(Probed::Found(summary)) if has_branches(definition) => {
            say(format!("now: {summary}"));
            view::branches(&preview.state.steps[number]).iter().for_each(|branch| {
                let good = if matches!(branch.icon, view::Icon::Good) { "good" } else { "not good" };
                say(format!("  {}: {good} — {}", branch.name, branch.detail));
            });
        }
        Some(Probed::Found(summary)) if summary.is_empty() => say("now: good".to_owned()),
        Some(Probed::Found(summary)) => say(format!("now: {summary}")),
        Some(Probed::Failed(message)) => say(format!("now it fails: {message}")),
        Some(Probed::NotAsked(why)) => say(format!("not asked now: {why}")),
        None => {}
    }
    lines
}

fn has_branches(step: &Step) -> bool {
    matches!(step.action, Action::Parallel(_))
}

/// `41 s (nine of ten within 53 s)`.
fn range(took: &Took) -> String {
    format!("{} (nine of ten within {})", words::duration(took.p50), words::duration(took.p90))
}

/// The preview for programs.
pub fn json(preview: &Preview) -> Value {
    let created = &preview.state.created;
    let took = |took: &Took| json!({ "p50_seconds": took.p50.as_secs_f64(), "p90_seconds": took.p90.as_secs_f64() });
    let steps = preview.plan.steps.iter().map(|step| {
        let mut value = serde_json::to_value(step).unwrap_or_default();
        if let Some(probe) = preview.probes.get(&step.id) {
            value["probe"] = match probe {
                Probed::Found(summary) => json!({ "found": summary }),
                Probed::Failed(message) => json!({ "failed": message }),
                Probed::NotAsked(why) => json!({ "not_asked": why }),
            };
        }
        if let Some(times) = preview.history.as_ref().and_then(|history| history.steps.get(&step.id)) {
            value["took"] = took(times);
        }
        value
    });
    json!({
        "command": created.command.name,
        "definition_hash": created.definition_hash,
        "plan_hash": preview.plan.hash(),
        "options": created.options,
        "roles": created.command.roles,
        "lock": preview.lock,
        "approval": created.command.approval.as_ref().zip(preview.asked.as_ref()).map(|(approval, asked)| json!({
            "roles": approval.roles,
            "quorum": approval.quorum,
            "expires": approval.expires,
            "before": approval.before,
            "after": approval.after,
            "cost": asked.cost,
            "confirm": asked.confirm,
            "steps": asked.plan,
        })),
        "history": preview.history.as_ref().map(|history| json!({
            "runs": history.runs,
            "whole": history.whole.as_ref().map(took),
            "recovery": history.recovery.as_ref().map(took),
        })),
        "steps": steps.collect::<Vec<_>>(),
    })
}

/// `docker.stop container=trading-bot grace=10s`.
fn one_line(action: &Value) -> String {
    let Some((key, inner)) =
        action.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.iter().next())
    else {
        return action.to_string();
    };
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
