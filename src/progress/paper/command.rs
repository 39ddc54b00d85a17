//! One command on paper: who may give it, what it waits for, and every step with its reason, its limit, its measure of
//! success, and the way to do it by hand.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    hand::{self, Around, Deed},
    mark::{block, code, duration, list, plain},
    steps::{self, Item},
};
use crate::{
    config::{
        load::Configuration,
        settings::{Settings, Target},
    },
    runbook::{
        action::{Action, Wait},
        context,
        definition::{Approval, Command, Effect, OnFailure, OptionSpec, Risk, Step, UndoWhen},
        template,
    },
};

/// Of a step, and of a step of a called command.
const HEADING: [&str; 2] = ["####", "#####"];

/// The lines of one command.
pub fn lines(configuration: &Configuration, command: &Command) -> Vec<String> {
    let paper = Paper::of(configuration, command);
    let mut lines = vec![format!("## /{}", command.name), String::new(), format!("{}.", plain(&command.summary))];
    lines.push(String::new());
    lines.extend(paper.head());
    lines.push(String::new());
    lines.extend(paper.fits());
    lines.push(format!("### Steps of /{}", command.name));
    lines.push(String::new());
    for item in &paper.items {
        lines.extend(paper.gate(item));
        lines.extend(paper.step(item));
        lines.extend(paper.question(item));
    }
    lines
}

struct Paper<'a> {
    settings: &'a Settings,
    command: &'a Command,
    items: Vec<Item<'a>>,
    target: Option<&'a Target>,
    context: Value,
    /// The command as its file says it, and those that it calls.
    written: String,
}

impl<'a> Paper<'a> {
    fn of(configuration: &'a Configuration, command: &'a Command) -> Self {
        let settings = &configuration.settings;
        let target = command.target.as_ref().and_then(|name| settings.target.get(name));
        let named = command.target.as_ref().zip(target);
        let scenario = command.scenario.as_ref().and_then(|name| settings.scenario.get(name));
        let options: BTreeMap<&String, String> = command
            .options
            .iter()
            .map(|(name, option)| (name, option.default.clone().unwrap_or_else(|| format!("⟨{name}⟩"))))
            .collect();
        let context = json!({
            "options": options,
            "steps": {},
            "target": named.map(|(name, target)| context::target(name, target)),
            "run": {
                "id": "⟨run⟩",
                "short": "⟨run⟩",
                "scratch_database": "drbot_⟨run⟩",
                "requester": "⟨you⟩",
            },
            "scenario": scenario.map(|scenario| json!({
                "name": scenario.name,
                "rto": scenario.rto.0.as_secs(),
                "rpo": scenario.rpo.0.as_secs(),
            })),
        });
        let items = steps::of(&configuration.written, command);
        let called = items.iter().filter_map(|item| configuration.written.get(item.called?));
        let all = std::iter::once(command).chain(called);
        let written = all.map(|one| serde_json::to_string(one).unwrap_or_default()).collect();
        Self { settings, command, items, target, context, written }
    }

    /// What is to be known before it is given.
    fn head(&self) -> Vec<String> {
        let command = self.command;
        let mut lines = Vec::new();
        let mut say = |what: &str, text: String| lines.push(format!("- **{what}:** {text}"));
        say("Give it as", self.usage());
        for (name, option) in &command.options {
            say(&format!("Option `{name}`"), of_option(option));
        }
        if let Some(scenario) = command.scenario.as_ref().and_then(|name| self.settings.scenario.get(name)) {
            let (rto, rpo) = (duration(scenario.rto.0), duration(scenario.rpo.0));
            say("Scenario", format!("{}, to be over within {rto}, losing at most {rpo}", plain(&scenario.name)));
        }
        say("Risk", of_risk(command.risk).to_owned());
        say("May be started by", roles(&command.roles, "nobody"));
        match &command.approval {
            Some(approval) => say("Approval", self.approval(approval)),
            None => say("Approval", "none is needed".to_owned()),
        }
        if let Some(lock) = command.lock.as_ref().map(|lock| self.text(lock, "")) {
            say("One at a time", format!("no other command with {} meanwhile", code(&lock)));
        }
        if let Some(target) = &command.target {
            say("Acts on", format!("the target `{target}`"));
        }
        if let Some(recovered) = &command.recovered {
            say("Recovered when", self.expression(&recovered.when, ""));
        }
        let offered = command.next.as_ref().map(|next| next.offer.as_slice()).unwrap_or_default();
        if !offered.is_empty() {
            let offered: Vec<String> = offered.iter().map(|name| format!("[/{name}](#{name})")).collect();
            say("Offered afterwards", list(&offered));
        }
        lines
    }

    fn usage(&self) -> String {
        let options = self
            .command
            .options
            .iter()
            .map(|(name, option)| if option.required { format!(" {name}:…") } else { format!(" [{name}:…]") });
        code(&format!("/{}{}", self.command.name, options.collect::<String>()))
    }

    fn approval(&self, approval: &Approval) -> String {
        let people = match approval.quorum {
            1 => "one person".to_owned(),
            more => format!("{more} different people"),
        };
        let mut text = format!(
            "by {people} of {}, never the one who asked, within {}",
            roles(&approval.roles, "nobody"),
            duration(approval.expires.0)
        );
        if let Some(confirm) = &approval.confirm {
            text.push_str(&format!("; whoever approves types {}", code(&self.text(confirm, ""))));
        }
        let number = |id: &str| self.items.iter().find(|item| item.id == id).map(|item| item.number.clone());
        if let Some(before) = number(&approval.before) {
            text.push_str(&format!("; step {before} waits for it"));
        }
        if let Some(unless) = &approval.unless {
            text.push_str(&format!("; none is needed when {}", self.expression(unless, "")));
        }
        text
    }

    /// Which scenario the symptoms fit.
    fn fits(&self) -> Vec<String> {
        let fits = self.command.next.as_ref().map(|next| next.fits.as_slice()).unwrap_or_default();
        if fits.is_empty() {
            return Vec::new();
        }
        let mut lines =
            vec!["What it finds, and which command that asks for; the first that holds:".to_owned(), String::new()];
        for (index, fit) in fits.iter().enumerate() {
            let scenario = self.settings.scenario.get(&fit.scenario).map_or(&fit.scenario, |scenario| &scenario.name);
            let when = self.expression(&fit.when, "");
            lines.push(format!("{}. **{}** → [/{2}](#{2}), when {when}", index + 1, plain(scenario), fit.command));
        }
        lines.push(String::new());
        lines
    }

    /// What waits before a step.
    fn gate(&self, item: &Item<'_>) -> Vec<String> {
        let Some(approval) = self.command.approval.as_ref().filter(|approval| approval.before == item.id) else {
            return Vec::new();
        };
        let cost = approval.cost.as_ref().map(|cost| self.text(cost, "")).filter(|cost| !cost.contains('⟨'));
        let cost = cost.map(|cost| format!(" What it costs: {}", plain(&cost))).unwrap_or_default();
        vec![format!("> **Wait here for the approval:** {}.{cost}", self.approval(approval)), String::new()]
    }

    /// Where the approval is asked for, ahead of its gate.
    fn question(&self, item: &Item<'_>) -> Vec<String> {
        let is_last_of = |call: &str| {
            let inside = |one: &&Item<'_>| one.id == call || one.id.starts_with(&format!("{call}."));
            self.items.iter().rev().find(inside).is_some_and(|last| last.id == item.id)
        };
        let asked = self.command.approval.as_ref().filter(|one| one.after.as_deref().is_some_and(is_last_of));
        let Some(approval) = asked else { return Vec::new() };
        let whom = roles(&approval.roles, "nobody");
        vec![format!("> **Ask {whom} for the approval now;** the next steps go on meanwhile."), String::new()]
    }

    fn step(&self, item: &Item<'_>) -> Vec<String> {
        let step = item.step;
        let depth = item.number.matches('.').count().min(HEADING.len() - 1);
        let mut lines = vec![format!("{} {}. {}", HEADING[depth], item.number, plain(&step.name)), String::new()];
        if let Some(why) = &step.why {
            lines.extend([plain(why), String::new()]);
        }
        if let Some(called) = item.called {
            lines.extend([format!("All steps of [/{called}](#{called}):"), String::new()]);
            return lines;
        }
        if let Some(when) = &step.when {
            lines.push(format!("- **Only when** {}", self.expression(when, &item.scope)));
        }
        let deed = self.deed(&step.action, step.timeout().0, &item.scope);
        lines.push(format!("- **Does:** {}. {}", plain(&deed.words), limits(step)));
        self.by_hand(&deed, "  ", &mut lines);
        if let Action::Parallel(branches) = &step.action {
            branches.iter().for_each(|branch| self.branch(branch, &item.scope, &mut lines));
        }
        lines.extend(self.success(step).map(|success| format!("- **Good when** {success}")));
        if let Some(check) = &step.check {
            let seen = self.deed(&check.action, step.timeout().0, &item.scope);
            let expected =
                check.expect.as_ref().map(|expect| format!(", good when {}", code(expect))).unwrap_or_default();
            lines.push(format!("- **Seen by:** {}{expected}", plain(&seen.words)));
            self.by_hand(&seen, "  ", &mut lines);
        }
        if let Some(keep) = &step.keep {
            lines.push(format!("- **Keep** what comes back, as {}", code(keep)));
        }
        let names: Vec<String> =
            step.outputs.keys().filter(|name| self.is_used(step, name)).map(|name| code(name)).collect();
        if !names.is_empty() {
            lines.push(format!("- **Note down** {}, for later steps", list(&names)));
        }
        lines.push(format!("- **If it fails,** {}", self.on_failure(item)));
        if let Some(undo) = &step.undo {
            let deed = self.deed(undo, step.timeout().0, &item.scope);
            let also = if step.undo_when == UndoWhen::Started { ", also when it failed half-way" } else { "" };
            lines.push(format!("- **Taken back by:** {}{also}", plain(&deed.words)));
            self.by_hand(&deed, "  ", &mut lines);
        }
        if step.point_of_no_return {
            lines.push("- **Point of no return:** after this step nothing is undone without asking".to_owned());
        }
        lines.push(String::new());
        lines
    }

    /// One of several things that are looked at at once.
    fn branch(&self, branch: &Step, scope: &str, lines: &mut Vec<String>) {
        let deed = self.deed(&branch.action, branch.timeout().0, scope);
        let good = self.success(branch).map(|success| format!("; good when {success}")).unwrap_or_default();
        let passes = if branch.on_failure == Some(OnFailure::Continue) { "; may fail" } else { "" };
        lines.push(format!("  - *{}:* {}{good}{passes}", plain(&branch.name), plain(&deed.words)));
        self.by_hand(&deed, "    ", lines);
    }

    /// Whether anything of the command asks for an output.
    fn is_used(&self, step: &Step, output: &str) -> bool {
        let asked = format!("steps.{}.{output}", step.id);
        self.written.contains(&asked)
    }

    fn by_hand(&self, deed: &Deed, indent: &str, lines: &mut Vec<String>) {
        if !deed.shell.is_empty() {
            lines.extend(block(&deed.shell, indent));
        }
    }

    fn success(&self, step: &Step) -> Option<String> {
        let times = match &step.action {
            Action::Wait(Wait { times: 2.., .. }) => " each time",
            _ => "",
        };
        let expected = step.expect.as_ref().map(|expect| code(expect));
        let by_itself = match &step.action {
            Action::Wait(wait) => wait.until.as_deref().and_then(usual),
            Action::Parallel(branches) if branches.iter().all(|one| one.on_failure == Some(OnFailure::Continue)) => {
                None
            }
            action => usual(action),
        };
        expected.or(by_itself.map(str::to_owned)).map(|good| format!("{good}{times}"))
    }

    fn on_failure(&self, item: &Item<'_>) -> String {
        match item.on_failure {
            OnFailure::Stop => "stop: nothing further is done, and the run has failed".to_owned(),
            OnFailure::Refuse => "stop: what it needs is not there".to_owned(),
            OnFailure::Continue => "go on: it is passed over".to_owned(),
            OnFailure::Ask => {
                "a person decides: try again, skip it with a reason, take back what was done, or stop".to_owned()
            }
            OnFailure::Undo => {
                let before = self.items.iter().take_while(|other| other.id != item.id);
                let mut undone: Vec<String> =
                    before.filter(|other| other.step.undo.is_some()).map(|other| other.number.clone()).collect();
                if item.step.undo.is_some() && item.step.undo_when == UndoWhen::Started {
                    undone.push(item.number.clone());
                }
                undone.reverse();
                match undone.as_slice() {
                    [one] => format!("take back step {one}, and stop"),
                    several => format!("take back steps {}, in this order, and stop", list(several)),
                }
            }
        }
    }

    /// An action with everything filled in that paper can know.
    fn deed(&self, action: &Action, limit: Duration, scope: &str) -> Deed {
        let raw = serde_json::to_value(action).unwrap_or_default();
        let filled = self.fill(&raw, scope);
        // What does not fit its type any more stands as its file has it.
        let action = serde_json::from_value(filled).unwrap_or_else(|_| action.clone());
        hand::of(&action, Around { target: self.target, limit })
    }

    fn fill(&self, value: &Value, scope: &str) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text, scope)),
            Value::Array(items) => items.iter().map(|item| self.fill(item, scope)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(key, field)| (key.clone(), self.fill(field, scope))).collect())
            }
            other => other.clone(),
        }
    }

    /// A template, with what an earlier step finds as `⟨version of step 4⟩`.
    fn text(&self, text: &str, scope: &str) -> String {
        if !template::is_template(text) {
            return text.to_owned();
        }
        // A sentence is filled in piece by piece, so that what is known of it is shown; one that branches is not.
        if text.contains("{%") || text.contains("{#") {
            return self.piece(text, scope);
        }
        let mut filled = String::new();
        let mut rest = text;
        while let Some(end) = rest.find("{{").and_then(|start| Some(start + rest[start..].find("}}")? + 2)) {
            let start = rest.find("{{").unwrap_or_default();
            filled.push_str(&rest[..start]);
            filled.push_str(&self.piece(&rest[start..end], scope));
            rest = &rest[end..];
        }
        filled + rest
    }

    fn piece(&self, text: &str, scope: &str) -> String {
        match template::plan_text(text, &self.context) {
            Ok(planned) if planned.known => planned.value,
            Ok(planned) if planned.value != template::LATER => self.named(&planned.value, scope),
            _ => format!("⟨{}⟩", steps::sources(text, scope, &self.items)),
        }
    }

    /// `⟨steps.verify.backup: known later⟩` as `⟨backup of step 4⟩`.
    fn named(&self, text: &str, scope: &str) -> String {
        let mut named = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('⟨') {
            let Some((inside, after)) = after.split_once('⟩') else { break };
            let path = inside.strip_suffix(": known later").filter(|path| path.starts_with("steps."));
            let inside = path.map_or_else(|| inside.to_owned(), |path| steps::sources(path, scope, &self.items));
            named.push_str(&format!("{before}⟨{inside}⟩"));
            rest = after;
        }
        named + rest
    }

    /// A condition: in words where it speaks of steps, else as it is.
    fn expression(&self, expression: &str, scope: &str) -> String {
        let said = steps::said(expression, scope, &self.items);
        if expression.contains("steps.") { said.split('`').enumerate().map(of_piece).collect() } else { code(&said) }
    }
}

/// Pieces between backticks are code; the others are text.
fn of_piece((index, piece): (usize, &str)) -> String {
    if index % 2 == 1 {
        return code(piece);
    }
    let (start, end) = (piece.len() - piece.trim_start().len(), piece.trim_end().len());
    if start >= end { piece.to_owned() } else { format!("{}{}{}", &piece[..start], plain(piece), &piece[end..]) }
}

/// What counts as success when the file does not say.
fn usual(action: &Action) -> Option<&'static str> {
    match action {
        Action::Http(_) => Some("the answer is a 2xx"),
        Action::Exec(_) => Some("the program ends with 0"),
        Action::Parallel(_) => Some("all of them are good that may not fail"),
        _ => None,
    }
}

fn limits(step: &Step) -> String {
    if let Action::Ask(_) = step.action {
        return "It waits as long as they take.".to_owned();
    }
    let mut text = format!("At most {}", duration(step.timeout().0));
    if let Some(retry) = step.retry.as_ref().filter(|retry| retry.attempts > 1) {
        text.push_str(&format!(", up to {} times", retry.attempts));
    }
    if step.effect() == Effect::Once {
        text.push_str(". Never twice: see first whether it has happened");
    }
    text + "."
}

fn roles(roles: &[String], none: &str) -> String {
    match roles {
        [] => none.to_owned(),
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        roles => roles.join(""),
    }
}

fn of_option(option: &OptionSpec) -> String {
    let mut text = plain(&option.help);
    if !option.choices.is_empty() {
        text.push_str(&format!("; one of {}", option.choices.join(", ")));
    }
    if let Some(default) = &option.default {
        text.push_str(&format!("; {} when left out", code(default)));
    }
    text
}

fn of_risk(risk: Risk) -> &'static str {
    match risk {
        Risk::Read => "none, it only looks",
        Risk::Safe => "none, it always helps",
        Risk::Risky => "may do harm",
        Risk::Destructive => "something is gone afterwards",
    }
}
