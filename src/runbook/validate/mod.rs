//! Whether a command file makes sense: everything that can be known before 03:00 is checked here.
//!
//! Decoding has seen to the shape. This looks at what the values mean together: names that exist, limits of Discord,
//! steps that can be done as they say. What must stay true: a file without problems never fails for a name, and every
//! problem says what to do.

mod actions;
mod command;
mod names;
mod risk;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    action::Action,
    definition::Command,
    document::{Document, Place},
    known::{self, Known},
    problem::Problem,
};
use crate::config::settings::Settings;

/// What a command may refer to.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// `None` when they could not be read: nothing is said about names in them then.
    pub settings: Option<&'a Settings>,
    /// All commands that could be decoded, by name, with their calls.
    pub commands: &'a BTreeMap<String, Command>,
    /// The names of all command files, those included that could not be decoded.
    pub names: &'a BTreeSet<String>,
}

/// What was found in one file.
#[derive(Debug, Default)]
pub struct Findings {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// Secrets that the command names, and where it does so first.
    pub secrets: BTreeMap<String, Problem>,
}

/// Checks one command, as its file says it: with its calls.
pub fn validate(document: &Document<'_>, command: &Command, world: World<'_>) -> Findings {
    let mut checker = Checker { document, command, world, findings: Findings::default() };
    checker.check_command();
    checker.check_steps();
    checker.findings.problems.sort();
    checker.findings.problems.dedup();
    checker.findings
}

/// What templates see of a run.
const RUN_NAMES: [&str; 4] = ["id", "short", "scratch_database", "requester"];

struct Checker<'a> {
    document: &'a Document<'a>,
    command: &'a Command,
    world: World<'a>,
    findings: Findings,
}

impl Checker<'_> {
    fn problem(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        let problem = self.document.problem(place, message);
        self.add(place, problem, help.into());
    }

    /// A problem with a key, or with a key that is not there.
    fn problem_at_key(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        let problem = self.document.problem_at_key(place, message);
        self.add(place, problem, help.into());
    }

    fn add(&mut self, place: &Place, mut problem: Problem, help: String) {
        if self.document.is_repaired(place) || self.document.is_consequence(&problem) {
            return;
        }
        problem.help = (!help.is_empty()).then_some(help);
        self.findings.problems.push(problem);
    }

    fn warning(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        let warning = self.document.problem(place, message).with_help(help);
        self.findings.warnings.push(warning);
    }

    /// Names that stand for something in the settings or among the commands.
    fn check_name<'n>(&mut self, place: &Place, kind: &str, name: &str, known: impl IntoIterator<Item = &'n str>) {
        let known: Vec<&str> = known.into_iter().collect();
        if !known.contains(&name) {
            let help = super::suggest::help(name, known);
            self.problem(place, format!("there is no {kind} `{name}`"), help);
        }
    }

    fn check_role(&mut self, place: &Place, role: &str) {
        if let Some(settings) = self.world.settings {
            self.check_name(place, "role", role, settings.roles.keys().map(String::as_str));
        }
    }

    fn check_command_name(&mut self, place: &Place, name: &str) {
        let names = self.world.names;
        self.check_name(place, "command", name, names.iter().map(String::as_str));
    }

    /// The names of every template and expression of this command, but for `steps`.
    fn known(&self) -> Known {
        let options = self.command.options.keys().fold(Known::none(), |known, name| known.with(name, Known::Plain));
        let run = RUN_NAMES.into_iter().fold(Known::none(), |known, name| known.with(name, Known::Plain));
        let mut known = Known::none().with("options", options).with("run", run);
        if self.command.scenario.is_some() {
            let scenario = ["name", "rto", "rpo"].into_iter();
            known.insert("scenario", scenario.fold(Known::none(), |known, name| known.with(name, Known::Plain)));
        }
        if let Some(name) = &self.command.target {
            let target = self.world.settings.and_then(|settings| settings.target.get(name));
            let target = target.map_or(Known::Open, |target| Known::of_json(&super::context::target(name, target)));
            known.insert("target", target);
        }
        if let Some(undoes) = &self.command.undoes {
            known.insert("undone", self.known_of_undone(undoes));
        }
        known
    }

    /// What is known of a run that is taken back.
    fn known_of_undone(&self, undoes: &str) -> Known {
        // That there is none is said elsewhere.
        let Some(undone) = self.world.commands.get(undoes) else { return Known::Open };
        let options = undone.options.keys().fold(Known::none(), |known, name| known.with(name, Known::Plain));
        let run = RUN_NAMES.into_iter().fold(Known::none(), |known, name| known.with(name, Known::Plain));
        let steps = undone.steps.iter().fold(Known::none(), |known, step| {
            let of_step = match step.action {
                Action::Call(_) => Known::Open,
                _ => known::of_step(step),
            };
            known.with(&step.id, of_step)
        });
        Known::none().with("options", options).with("run", run).with("steps", steps)
    }
}
