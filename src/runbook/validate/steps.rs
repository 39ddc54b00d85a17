//! The steps: each can be done as it says, with names that are known by then.

use std::collections::BTreeSet;

use super::{Checker, command::is_plain_name};
use crate::runbook::{
    action::{Action, Wait},
    definition::{Command, Effect, OnFailure, Step, UndoWhen, is_kept_name},
    document::Place,
    known::{self, Known, STEP_NAMES},
    template,
};

/// What a card shows of a step's name: Discord takes so much in a line that still has its figures behind it.
const LONGEST_STEP: usize = 100;

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

    pub(super) fn check_ids(&mut self, list: &Place, steps: &[Step]) {
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
                self.problem(
                    &place,
                    format!("two steps have the id `{}`", step.id),
                    "the journal knows steps by their ids",
                );
            }
        }
    }

    pub(super) fn check_step(&mut self, place: &Place, step: &Step, known: &Known) {
        if step.name.trim().is_empty() {
            self.problem(&place.key("name"), "the name is empty", "");
        }
        let length = step.name.chars().count();
        if length > LONGEST_STEP {
            let message = format!("the step's name has {length} characters; the card shows {LONGEST_STEP}");
            self.problem(&place.key("name"), message, "what else there is to say is the step's `why`");
        }
        for (key, text) in [("name", Some(&step.name)), ("why", step.why.as_ref())] {
            if text.is_some_and(|text| template::is_template(text)) {
                self.problem(&place.key(key), format!("`{key}` is no template"), "only actions have templates");
            }
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
        if let Some(keep) = step.keep.as_ref().filter(|name| !is_kept_name(name)) {
            let message = format!("`{keep}` is no name of a file");
            self.problem(&place.key("keep"), message, "letters, digits, `.`, `_` and `-`, at most 64: \"memory.json\"");
        }
        if let Some(says) = &step.says {
            self.check_expression(&place.key("says"), says, &result);
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
                let help =
                    "1 to 32 of a-z, 0-9 and `_`, beginning with a letter; `ok`, `skipped` and `failed` are taken";
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
        // What should not be in a `parallel` at all is said there.
        let several = matches!(step.action, Action::Parallel(_));
        if !limited && !several && (waits || !step.action.only_reads()) {
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
            self.problem_at_key(&place.key("action").key("wait"), message, "give it a longer `timeout`");
        }
        let claims_to_read = step.effect == Some(Effect::Read);
        let cannot_read =
            matches!(step.action, Action::Docker(_) | Action::Postgres(_)) && !step.action.is_vouched_for();
        if claims_to_read && !step.action.only_reads() && cannot_read {
            self.problem(
                &place.key("effect"),
                "this action changes something: it is no `read`",
                "`idempotent` or `once`",
            );
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
        // Where there is no action, something else stands in for it.
        let reads = step.effect() == Effect::Read && !self.document.is_repaired(&place.key("action"));
        let place = place.key("undo");
        self.check_action(&place, undo, &with_step(known.clone(), step));
        if reads {
            self.problem_at_key(&place, "a step that only reads leaves nothing to undo", "leave out `undo`");
        }
        if step.point_of_no_return {
            self.problem_at_key(&place, "a point of no return is never undone", "leave out one of the two");
        }
        if matches!(undo, Action::Call(_) | Action::Parallel(_) | Action::Ask(_) | Action::Wait(_) | Action::Notify(_))
        {
            let message = format!("`{}` cannot undo anything", undo.key());
            self.problem_at_key(&place, message, "http, docker, postgres or exec");
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
            ("says", step.says.is_some()),
            ("keep", step.keep.is_some()),
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
        if called.undoes.is_some() {
            let help = "only /undo knows which run it is about";
            self.problem(place, format!("/{name} takes a run back, and a call names none"), help);
        }
        if called.approval.is_some() {
            self.problem(
                place,
                format!("/{name} waits for an approval, and a call would go round it"),
                "start it by itself",
            );
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
