//! The steps: each can be done as it says, with names that are known by then.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Checker, command::is_plain_name};
use crate::runbook::{
    action::{Action, Ask, Exec, Http, Notify, Wait},
    definition::{Command, Effect, OnFailure, Step, UndoWhen},
    document::Place,
    known::{self, Known, STEP_NAMES},
};

/// Discord: a button's label, and buttons of a message.
const LONGEST_LABEL: usize = 80;
const MOST_BUTTONS: usize = 25;

impl Checker<'_> {
    pub(super) fn check_steps(&mut self) {
        let command = self.command;
        let list = Place::root().key("steps");
        if command.steps.is_empty() {
            self.problem_at_key(&list, "the command has no steps", "add one: [[steps]]");
        }
        self.check_ids(&list, &command.steps);
        let mut undoable = false;
        for (index, step) in command.steps.iter().enumerate() {
            let place = list.index(index);
            let known = self.known().with("steps", self.known_steps(index));
            self.check_step(&place, step, &known);
            undoable |= step.undo.is_some();
            if step.on_failure == Some(OnFailure::Undo) && !undoable {
                let message = "there is nothing to undo: no step so far has an `undo`";
                self.problem(&place.key("on_failure"), message, "give a step an `undo`, or stop or ask instead");
            }
        }
    }

    fn check_ids(&mut self, list: &Place, steps: &[Step]) {
        let mut seen = BTreeSet::new();
        for (index, step) in steps.iter().enumerate() {
            let place = list.index(index).key("id");
            if !is_plain_name(&step.id) {
                let help = "1 to 32 of a-z, 0-9 and `_`, beginning with a letter";
                self.problem(&place, format!("`{}` cannot be the id of a step", step.id), help);
            } else if STEP_NAMES.contains(&step.id.as_str()) {
                let help = "`ok`, `skipped` and `failed` are what every step has";
                self.problem(&place, format!("`{}` cannot be the id of a step", step.id), help);
            } else if !seen.insert(&step.id) {
                self.problem(&place, format!("two steps have the id `{}`", step.id), "the journal knows steps by their ids");
            }
        }
    }

    fn check_step(&mut self, place: &Place, step: &Step, known: &Known) {
        if step.name.trim().is_empty() {
            self.problem(&place.key("name"), "the name is empty", "");
        }
        if let Some(when) = &step.when {
            self.check_expression(&place.key("when"), when, known);
        }
        if let Action::Call(name) = &step.action {
            self.check_call(place, step, name);
            return;
        }
        self.check_action(&place.key("action"), &step.action, known);
        let result = known::of_result(&step.action);
        if let Some(expect) = &step.expect {
            self.check_expression(&place.key("expect"), expect, &result);
        }
        self.check_outputs(place, step, &result);
        self.check_effect(place, step);
        self.check_undo(place, step, known);
        if let Some(check) = &step.check {
            let place = place.key("check");
            self.check_action(&place.key("action"), &check.action, known);
            self.check_reads(&place.key("action"), "a check", &check.action);
            if let Some(expect) = &check.expect {
                let result = known::of_result(&check.action);
                self.check_expression(&place.key("expect"), expect, &result);
            }
        }
    }

    fn check_outputs(&mut self, place: &Place, step: &Step, result: &Known) {
        for (name, output) in &step.outputs {
            let place = place.key("outputs").key(name);
            if !is_plain_name(name) || STEP_NAMES.contains(&name.as_str()) {
                let help = "1 to 32 of a-z, 0-9 and `_`, beginning with a letter; `ok`, `skipped` and `failed` are taken";
                self.problem_at_key(&place, format!("`{name}` cannot be the name of an output"), help);
                continue;
            }
            match &output.from {
                Some(from) => self.check_expression(&place.key("from"), from, result),
                None => {
                    let fields = known::of_result(&step.action);
                    if let Err((_, help)) = fields.look_up(name) {
                        let message = format!("`{}` has no result `{name}`", step.action.key());
                        let help = format!("{help}; or say where it is: {{ type = \"…\", from = \"…\" }}");
                        self.problem_at_key(&place, message, help);
                    }
                }
            }
        }
    }

    /// Timeouts, retries and what the step says about its effect.
    fn check_effect(&mut self, place: &Place, step: &Step) {
        let waits = matches!(&step.action, Action::Wait(wait) if wait.until.is_some());
        let limited = step.timeout.is_some();
        if !limited && (waits || !step.action.only_reads()) {
            let message = format!("the step `{}` has no timeout", step.id);
            self.problem_at_key(place, message, "everything but a read says how long it may take: `timeout = \"30s\"`");
        }
        if step.timeout.is_some_and(|timeout| timeout.0.is_zero()) {
            self.problem(&place.key("timeout"), "a timeout of nothing stops the step at once", "");
        }
        if let Action::Wait(Wait { duration: Some(duration), .. }) = &step.action
            && *duration >= step.timeout()
        {
            let message = format!("it waits for {duration} and is stopped after {}", step.timeout());
            self.problem(&place.key("action"), message, "give it a longer `timeout`");
        }
        let claims_to_read = step.effect == Some(Effect::Read);
        if claims_to_read && !step.action.only_reads() && matches!(step.action, Action::Docker(_) | Action::Postgres(_)) {
            self.problem(&place.key("effect"), "this action changes something: it is no `read`", "`idempotent` or `once`");
        }
        let Some(retry) = &step.retry else { return };
        let place = place.key("retry");
        if step.effect() == Effect::Once {
            let help = "say `effect = \"idempotent\"` if doing it twice is as good as once, or leave out `retry`";
            self.problem_at_key(&place, "what must not be done twice cannot be retried", help);
        }
        if retry.attempts == 0 {
            self.problem(&place.key("attempts"), "attempts count the first one too: at least 1", "");
        }
        if !(1.0..=10.0).contains(&retry.backoff) {
            self.problem(&place.key("backoff"), "each delay is `backoff` times the one before: 1 to 10", "");
        }
    }

    fn check_undo(&mut self, place: &Place, step: &Step, known: &Known) {
        let Some(undo) = &step.undo else {
            if step.undo_when == UndoWhen::Started {
                self.problem(&place.key("undo_when"), "there is no `undo` that this could be about", "");
            }
            return;
        };
        let place = place.key("undo");
        self.check_action(&place, undo, &with_step(known.clone(), step));
        if step.effect() == Effect::Read {
            self.problem_at_key(&place, "a step that only reads leaves nothing to undo", "leave out `undo`");
        }
        if step.point_of_no_return {
            self.problem_at_key(&place, "a point of no return is never undone", "leave out one of the two");
        }
        if matches!(undo, Action::Call(_) | Action::Parallel(_) | Action::Ask(_) | Action::Wait(_) | Action::Notify(_)) {
            let message = format!("`{}` cannot undo anything", undo.key());
            self.problem_at_key(&place, message, "http, docker, postgres or exec");
        }
    }

    fn check_action(&mut self, place: &Place, action: &Action, known: &Known) {
        let inside = place.key(action.key());
        match action {
            Action::Http(http) => self.check_http(&inside, http),
            Action::Exec(exec) => self.check_exec(&inside, exec),
            Action::Wait(wait) => self.check_wait(&inside, wait),
            Action::Ask(ask) => self.check_ask(&inside, ask),
            Action::Notify(Notify { mention, .. }) => {
                for (index, role) in mention.iter().enumerate() {
                    self.check_role(&inside.key("mention").index(index), role);
                }
            }
            Action::Parallel(branches) => return self.check_branches(&inside, branches, known),
            Action::Docker(_) | Action::Postgres(_) if self.command.target.is_none() => {
                if matches!(action, Action::Postgres(_)) {
                    self.problem_at_key(&inside, "which database server? the command has no target", "`target = \"…\"`");
                }
            }
            _ => {}
        }
        let json = serde_json::to_value(action).unwrap_or_default();
        self.check_texts(place, &json, known);
    }

    /// Every template in an action. Names of secrets are none.
    fn check_texts(&mut self, place: &Place, value: &Value, known: &Known) {
        match value {
            Value::String(text) => self.check_template(place, text, known),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.check_texts(&place.index(index), item, known);
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    let inside_body = place.segments().iter().any(|segment| {
                        matches!(segment, crate::runbook::document::Segment::Key(key) if key == "json")
                    });
                    if inside_body || !["bearer", "secrets"].contains(&key.as_str()) {
                        self.check_texts(&place.key(key), field, known);
                    }
                }
            }
            _ => {}
        }
    }

    fn check_http(&mut self, place: &Place, http: &Http) {
        let methods = [("get", &http.get), ("post", &http.post), ("put", &http.put), ("delete", &http.delete)];
        let given: Vec<&str> = methods.iter().filter(|(_, url)| url.is_some()).map(|(name, _)| *name).collect();
        match given.as_slice() {
            [_] => {}
            [] => self.problem(place, "a request has a method with its URL", "`get`, `post`, `put` or `delete` = \"https://…\""),
            [_, second, ..] => {
                let message = format!("a request has exactly one method; this one has {}", given.join(" and "));
                self.problem_at_key(&place.key(second), message, "");
            }
        }
        if http.get.is_some() && http.json.is_some() {
            self.problem_at_key(&place.key("json"), "a `get` sends no body", "`post` or `put`, or leave out `json`");
        }
        if let Some(secret) = &http.bearer {
            self.check_secret(&place.key("bearer"), secret);
        }
        let written = http.headers.keys().find(|name| name.eq_ignore_ascii_case("authorization"));
        if let Some(name) = written {
            let help = "name the secret instead: `bearer = \"EMERGENCY_TOKEN\"`";
            self.problem_at_key(&place.key("headers").key(name), "secrets do not stand in files", help);
        }
    }

    fn check_exec(&mut self, place: &Place, exec: &Exec) {
        if exec.program.trim().is_empty() {
            self.problem(&place.key("program"), "which program?", "");
        }
        for (variable, secret) in &exec.secrets {
            self.check_secret(&place.key("secrets").key(variable), secret);
        }
    }

    fn check_secret(&mut self, place: &Place, name: &str) {
        if !crate::runbook::is_secret_name(name) {
            // The text itself may be a secret, and is not repeated.
            let help = "the name of a variable of .env, like EMERGENCY_TOKEN; never the secret itself, and no template";
            self.problem(place, "this is not the name of a secret", help);
            return;
        }
        let message = format!("the secret {name} is not set");
        let here = self.document.problem(place, message).with_help(format!("put {name}=… into .env"));
        self.findings.secrets.entry(name.to_owned()).or_insert(here);
    }

    fn check_wait(&mut self, place: &Place, wait: &Wait) {
        match (&wait.until, &wait.duration) {
            (None, None) | (Some(_), Some(_)) => {
                self.problem(place, "it waits either until a probe holds or for a time", "`until.http = {…}` or `for = \"10s\"`");
            }
            (Some(until), None) => self.check_reads(&place.key("until"), "a probe", until),
            (None, Some(_)) => {}
        }
        if wait.times == 0 {
            self.problem(&place.key("times"), "a probe that need not hold is none: at least 1", "");
        }
        if let Some(until) = &wait.until
            && let Action::Http(http) = until.as_ref()
        {
            self.check_http(&place.key("until").key("http"), http);
        }
    }

    fn check_ask(&mut self, place: &Place, ask: &Ask) {
        if ask.choices.is_empty() || ask.choices.len() > MOST_BUTTONS {
            self.problem(&place.key("choices"), format!("a question has 1 to {MOST_BUTTONS} buttons"), "");
        }
        for (index, choice) in ask.choices.iter().enumerate() {
            if choice.is_empty() || choice.chars().count() > LONGEST_LABEL {
                let message = format!("a button has 1 to {LONGEST_LABEL} characters for Discord");
                self.problem(&place.key("choices").index(index), message, "");
            }
        }
    }

    fn check_reads(&mut self, place: &Place, what: &str, action: &Action) {
        let probes = matches!(action, Action::Http(_) | Action::Docker(_) | Action::Postgres(_) | Action::Host(_) | Action::Exec(_));
        if !probes || (!action.only_reads() && !matches!(action, Action::Exec(_))) {
            self.problem(place, format!("{what} only reads"), "http get, docker ps, inspect or logs, a reading verb of postgres, host, or exec");
        }
    }

    fn check_branches(&mut self, place: &Place, branches: &[Step], known: &Known) {
        if branches.is_empty() {
            self.problem(place, "there is nothing to do at once", "");
        }
        self.check_ids(place, branches);
        for (index, branch) in branches.iter().enumerate() {
            let place = place.index(index);
            let claims = branch.effect == Some(Effect::Read) && matches!(branch.action, Action::Http(_) | Action::Exec(_));
            let inner = matches!(branch.action, Action::Parallel(_) | Action::Call(_) | Action::Ask(_) | Action::Notify(_));
            if inner || !(branch.action.only_reads() || claims) {
                let help = "make it a step of its own; `effect = \"read\"` for a program or request that changes nothing";
                self.problem_at_key(&place.key("action"), "what is done at once only reads", help);
                continue;
            }
            for (key, given) in [("undo", branch.undo.is_some()), ("point_of_no_return", branch.point_of_no_return)] {
                if given {
                    self.problem_at_key(&place.key(key), format!("a read has no `{key}`"), "");
                }
            }
            self.check_step(&place, branch, known);
        }
    }

    fn check_call(&mut self, place: &Place, step: &Step, name: &str) {
        let at = place.key("action").key("call");
        self.check_command_name(&at, name);
        let given = [
            ("when", step.when.is_some()),
            ("timeout", step.timeout.is_some()),
            ("retry", step.retry.is_some()),
            ("effect", step.effect.is_some()),
            ("check", step.check.is_some()),
            ("expect", step.expect.is_some()),
            ("outputs", !step.outputs.is_empty()),
            ("undo", step.undo.is_some()),
            ("point_of_no_return", step.point_of_no_return),
        ];
        for (key, _) in given.iter().filter(|(_, given)| *given) {
            let message = format!("a call has no `{key}`: the steps of /{name} have their own");
            self.problem_at_key(&place.key(key), message, "leave it out, or write the steps here");
        }
        if let Some(called) = self.world.commands.get(name) {
            self.check_called(&at, called);
        }
    }

    /// Whether another command can stand in this one.
    fn check_called(&mut self, place: &Place, called: &Command) {
        let command = self.command;
        let name = &called.name;
        if let Err(cycle) = super::super::expand::expand(self.world.commands, &command.name)
            && let super::super::expand::ExpandError::Cycle(_) = cycle
        {
            self.problem(place, cycle.to_string(), "a command cannot stand in itself");
        }
        if !called.options.is_empty() {
            let help = "a command that is called has no options of its own";
            self.problem(place, format!("/{name} has options, which a call cannot give"), help);
        }
        if called.approval.is_some() {
            self.problem(place, format!("/{name} waits for an approval, and a call would go round it"), "start it by itself");
        }
        if called.risk > command.risk {
            let message = format!("/{name} is riskier than this command says it is");
            self.problem(place, message, "raise the `risk` of this command");
        }
        if called.target.is_some() && called.target != command.target {
            self.problem(place, format!("/{name} acts on another target"), "give both commands the same `target`");
        }
        if called.scenario.is_some() && command.scenario.is_none() {
            self.problem(place, format!("/{name} needs a scenario"), "give this command a `scenario`");
        }
    }
}

/// With the step's own outputs, which its undo may use.
fn with_step(known: Known, step: &Step) -> Known {
    let Known::Fields(mut fields) = known else { return known };
    if let Some(steps) = fields.get_mut("steps") {
        steps.insert(&step.id, known::of_step(step));
    }
    Known::Fields(fields)
}
