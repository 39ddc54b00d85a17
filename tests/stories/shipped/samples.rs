//! What the actions of the shipped commands bring back when all is well.
//!
//! Made from what a step asks for: its `expect`, its outputs and their types, what it `says`. Only what cannot be told
//! from those stands in a table. What must stay true: no step is passed over because its sample is missing.

use std::collections::BTreeMap;

use drbot::{
    actions::{Done, Fields},
    engine::outputs,
    ids::RunId,
    run::event::Undone,
    runbook::{
        action::Action,
        definition::{Command, Step, ValueType},
        template,
    },
};
use minijinja::Environment;
use serde_json::{Map, Value, json};

/// What a step's action brings back besides what can be told from the step: command, step (`step.branch` of a
/// `parallel`), fields.
pub const SAMPLES: &[(&str, &str, &str)] = &[
    ("reconcile", "checks.targets", TARGETS),
    ("recover", "prometheus", TARGETS),
    ("rollback", "choose", r#"{ "version": "v1", "running": "v2", "verdict": "good", "schema": "fits" }"#),
    ("rollback", "errors.log", r#"{ "lines": [], "matched": 0 }"#),
    (
        "status",
        "probes.escalation",
        r#"{ "open": 0, "incidents": [], "unanswered": 0, "overdue_seconds": 0, "gaps": [] }"#,
    ),
    // As the run left it.
    ("undo-failover", "before", r#"{ "json": { "primary_rpc": "sample" } }"#),
    ("undo-restore-db", "there", r#"{ "rows": [{ "there": 2 }] }"#),
    (
        "undo-rollback",
        "choose",
        r#"{ "version": "v2", "running": "v1", "verdict": "bad", "why": "it leaks", "schema": "fits" }"#,
    ),
];

const TARGETS: &str =
    r#"{ "json": { "data": { "activeTargets": [{ "health": "up", "labels": { "job": "bot" } }] } } }"#;

/// How a step is reached that is passed over when all is well: what people type, what fails before it, what is seen
/// before it. A step whose `when` wants one other step to fail (`not steps.verify.ok`) needs no line here.
pub const WAYS: &[(&str, &str, Way)] = &[
    ("recover", "known", Way { seen: &[("look.engine", r#"{ "state": "denied", "down": false }"#)], ..Way::USUAL }),
    (
        "recover",
        "restart_docker",
        Way { seen: &[("look.engine", r#"{ "state": "missing", "down": true }"#)], ..Way::USUAL },
    ),
    (
        "undo-failover",
        "changed",
        Way { seen: &[("before", r#"{ "json": { "primary_rpc": "by hand" } }"#)], ..Way::USUAL },
    ),
    ("resume", "normal", Way { typed: &[("mode", "normal")], ..Way::USUAL }),
    ("resume", "still_wider", Way { typed: &[("mode", "normal")], ..Way::USUAL }),
    ("resume", "to_normal", Way { typed: &[("mode", "normal")], ..Way::USUAL }),
    ("resume", "watch_normal", Way { typed: &[("mode", "normal")], ..Way::USUAL }),
    ("resume", "halt_request", Way { fails: &["watch"], ..Way::USUAL }),
    ("resume", "halt_verify", Way { fails: &["watch"], ..Way::USUAL }),
    ("resume", "halt_stop", Way { fails: &["watch", "halt_verify"], ..Way::USUAL }),
    ("status", "old_backup", Way { seen: &[("probes.backups", r#"{ "age": 1000000000 }"#)], ..Way::USUAL }),
];

#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub typed: &'static [(&'static str, &'static str)],
    pub fails: &'static [&'static str],
    pub seen: &'static [(&'static str, &'static str)],
}

impl Way {
    pub const USUAL: Self = Self { typed: &[], fails: &[], seen: &[] };
}

/// By `step`, or `step.branch` of a `parallel`.
pub type Samples = BTreeMap<String, Fields>;

/// What each action of a command brings back.
///
/// # Panics
/// When a step has no fitting sample; it says what to add where.
pub fn of(command: &Command, way: Way) -> Samples {
    let mut samples = Samples::new();
    for step in &command.steps {
        match &step.action {
            Action::Parallel(branches) => {
                for branch in branches {
                    let place = format!("{}.{}", step.id, branch.id);
                    samples.insert(place.clone(), of_step(command, &place, branch, way));
                }
            }
            Action::Ask(_) => {}
            _ => drop(samples.insert(step.id.clone(), of_step(command, &step.id, step, way))),
        }
    }
    samples
}

fn of_step(command: &Command, place: &str, step: &Step, way: Way) -> Fields {
    let mut sample = Value::Object(told(&step.action));
    let expressions = step.expect.iter().chain(&step.says).chain(step.outputs.values().flat_map(|output| &output.from));
    for path in expressions.clone().flat_map(|expression| paths(expression)) {
        put_new(&mut sample, &path, json!(7));
    }
    for (name, output) in &step.outputs {
        match &output.from {
            None => put(&mut sample, name, of_type(output.kind)),
            Some(from) if is_path(from) => put(&mut sample, from, of_type(output.kind)),
            Some(_) => {}
        }
    }
    for (path, value) in step.expect.iter().flat_map(|expect| wanted(expect)) {
        put(&mut sample, &path, value);
    }
    let table = SAMPLES.iter().filter(|(name, at, _)| *name == command.name && *at == place).map(|(.., text)| *text);
    let seen = way.seen.iter().filter(|(at, _)| *at == place).map(|(_, text)| *text);
    for text in table.chain(seen) {
        merge(&mut sample, serde_json::from_str(text).unwrap());
    }
    let Value::Object(fields) = sample else { unreachable!("it began as one") };
    if let Err(why) = fits(step, &fields) {
        panic!(
            "no sample fits the step {place} of commands/{}.toml: {why}.\nIt would be {}.\nAdd to SAMPLES in \
             tests/stories/shipped/samples.rs what its action brings back when all is well: \
             (\"{}\", \"{place}\", r#\"{{ … }}\"#)",
            command.name,
            Value::Object(fields),
            command.name,
        );
    }
    fields
}

/// Whether the step takes this for a success, and has a word for it.
fn fits(step: &Step, fields: &Fields) -> Result<(), String> {
    let done = Done { fields: fields.clone(), ..Done::default() };
    outputs::judge(&step.action, step.expect.as_deref(), None, &done)?;
    outputs::outputs(step, fields)?;
    match &step.says {
        Some(says) => template::eval(says, &Value::Object(fields.clone())).map(drop).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

/// A run that ended well, as the run sees it that takes it back.
pub fn undone(command: &Command) -> Undone {
    let samples = of(command, Way::USUAL);
    let options = command.options.iter().map(|(name, option)| {
        (name.clone(), Value::from(option.default.clone().unwrap_or_else(|| "sample".to_owned())))
    });
    // Of called commands nothing is asked for.
    let own = command.steps.iter().filter(|step| !step.id.contains('.'));
    let steps = own.map(|step| {
        let mut seen = samples.get(&step.id).map(|fields| outputs::outputs(step, fields).unwrap()).unwrap_or_default();
        seen.insert("ok".to_owned(), json!(true));
        (step.id.clone(), Value::Object(seen))
    });
    let context = json!({
        "options": options.collect::<Map<_, _>>(),
        "steps": steps.collect::<Map<_, _>>(),
        "run": { "id": "sample", "short": "sample", "scratch_database": "sample", "requester": "Dana" },
    });
    let run = RunId::generate();
    Undone { run, command: command.name.clone(), context, newest: run }
}

/// What is there whatever the step asks for.
fn told(action: &Action) -> Map<String, Value> {
    let fields = match action {
        Action::Http(_) => json!({ "status": 200, "body": "", "latency_ms": 3, "json": {} }),
        Action::Exec(_) => json!({ "exit_code": 0, "stdout": "", "stderr": "" }),
        Action::Wait(wait) => return wait.until.as_deref().map(told).unwrap_or_default(),
        _ => json!({}),
    };
    fields.as_object().cloned().unwrap_or_default()
}

fn of_type(kind: ValueType) -> Value {
    match kind {
        ValueType::String => json!("sample"),
        ValueType::Integer | ValueType::Number | ValueType::Duration | ValueType::Any => json!(7),
        ValueType::Boolean => json!(true),
        ValueType::Timestamp => json!("2026-01-31T12:00:00Z"),
        ValueType::List => json!([]),
        ValueType::Object => json!({}),
    }
}

fn paths(expression: &str) -> Vec<String> {
    let environment = Environment::new();
    let expression = environment.compile_expression(expression).unwrap();
    let mut paths: Vec<String> = expression.undeclared_variables(true).into_iter().collect();
    paths.sort();
    paths
}

fn is_path(expression: &str) -> bool {
    expression.chars().all(|letter| letter.is_ascii_alphanumeric() || "._".contains(letter))
}

/// What the parts of an `expect` say that there must be, as far as they are of a simple form.
fn wanted(expect: &str) -> Vec<(String, Value)> {
    let of_part = |part: &str| -> Option<(String, Value)> {
        let part = part.split(" or ").next().unwrap_or(part).trim();
        let value = |text: &str| serde_json::from_str::<Value>(&text.trim().replace('\'', "\"")).ok();
        if let Some((path, literal)) = part.split_once(" == ") {
            return match path.trim().split_once('|') {
                None => Some((path.trim().to_owned(), value(literal)?)),
                Some((list, filter)) => {
                    (filter.trim() == "length" && literal.trim() == "0").then(|| (list.trim().to_owned(), json!([])))
                }
            };
        }
        if let Some((path, least)) = part.split_once(" > ") {
            return Some((path.trim().to_owned(), json!(value(least)?.as_i64()? + 1)));
        }
        if let Some((path, most)) = part.split_once(" < ") {
            return Some((path.trim().to_owned(), json!(value(most)?.as_f64()? / 2.0)));
        }
        match part.strip_prefix("not ") {
            Some(path) if is_path(path) => Some((path.to_owned(), json!(false))),
            None if is_path(part) => Some((part.to_owned(), json!(true))),
            _ => None,
        }
    };
    expect.split(" and ").filter_map(of_part).filter(|(path, _)| is_path(path)).collect()
}

fn put(tree: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        None => tree[path] = value,
        Some((head, rest)) => {
            if !tree[head].is_object() {
                tree[head] = json!({});
            }
            put(&mut tree[head], rest, value);
        }
    }
}

fn put_new(tree: &mut Value, path: &str, value: Value) {
    let pointer = format!("/{}", path.replace('.', "/"));
    if tree.pointer(&pointer).is_none() {
        put(tree, path, value);
    }
}

fn merge(tree: &mut Value, more: Value) {
    match (tree, more) {
        (Value::Object(there), Value::Object(more)) => {
            for (name, value) in more {
                merge(there.entry(name).or_insert(Value::Null), value);
            }
        }
        (there, more) => *there = more,
    }
}
