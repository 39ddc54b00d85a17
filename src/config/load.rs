//! Everything an operator configured, read and checked in one go: `drbot.toml` and `commands/*.toml`.
//!
//! Either there is a whole configuration, or a list of all problems: drbot never starts on half of one. Commands come
//! out expanded, which is how runs freeze them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    check::check,
    environment::{self, Answers},
    secrets::Secrets,
    settings::Settings,
};
use crate::runbook::{
    decode::decode,
    definition::Command,
    document::{Document, MOST_PROBLEMS, Place},
    expand::expand,
    is_secret_name,
    load::{CommandFile, decode_command, read_commands, read_text},
    problem::Problem,
    validate::{World, validate},
};

/// The settings file, in the configuration's folder.
pub const SETTINGS_FILE: &str = "drbot.toml";

/// The folder of commands, in the configuration's folder.
pub const COMMANDS_FOLDER: &str = "commands";

/// Commands of drbot's own, whose names no file may take.
pub const OWN_COMMANDS: [&str; 7] = ["abort", "contacts", "incident", "lockdown", "note", "postmortem", "undo"];

/// Discord: "Application Command Limits", chat input commands of a guild.
const MOST_COMMANDS: usize = 100;

#[derive(Debug, Clone)]
pub struct Configuration {
    /// The folder that was read.
    pub directory: PathBuf,
    /// Paths in it are absolute.
    pub settings: Settings,
    /// By name, with every call replaced by its steps.
    pub commands: BTreeMap<String, Command>,
    /// The same as their files say it: with their calls.
    pub written: BTreeMap<String, Command>,
    /// What works, but hardly as it was meant: a secret that is not set, a command that nobody may start.
    pub warnings: Vec<Problem>,
    /// The names of all secrets that are used anywhere.
    pub secrets: BTreeSet<String>,
}

impl Configuration {
    /// Reads the configuration of a folder, with the variables of the process's environment.
    ///
    /// # Errors
    /// All problems of all files, by file and line.
    pub fn load(directory: &Path) -> Result<Self, Vec<Problem>> {
        Self::inspect(directory).0
    }

    /// [`Configuration::load`], and what is to be said beside its problems.
    pub fn inspect(directory: &Path) -> (Result<Self, Vec<Problem>>, Vec<Problem>) {
        Self::inspect_with(directory, |name| std::env::var(name).ok())
    }

    /// [`Configuration::load`] with an environment of the caller's own.
    ///
    /// # Errors
    /// As [`Configuration::load`].
    pub fn load_with(
        directory: &Path,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + Clone + 'static,
    ) -> Result<Self, Vec<Problem>> {
        Self::inspect_with(directory, lookup).0
    }

    fn inspect_with(
        directory: &Path,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + Clone + 'static,
    ) -> (Result<Self, Vec<Problem>>, Vec<Problem>) {
        let directory = &std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let secrets = Secrets::from_lookup(lookup.clone());
        Self::read(directory, directory, &environment::of_process(lookup), &secrets)
    }

    /// The configuration as it is on every machine, for the runbook on paper: variables stand at their defaults, and paths
    /// as the file has them.
    ///
    /// # Errors
    /// As [`Configuration::load`].
    pub fn load_for_paper(directory: &Path) -> Result<Self, Vec<Problem>> {
        Self::read(directory, Path::new(""), &environment::of_no_machine, &Secrets::from_lookup(|_| None)).0
    }

    /// `base` is what paths in the file are relative to. What works, but hardly as it was meant, is told either way.
    fn read(
        directory: &Path,
        base: &Path,
        answers: &Answers<'_>,
        secrets: &Secrets,
    ) -> (Result<Self, Vec<Problem>>, Vec<Problem>) {
        let mut loading = Loading::default();
        let settings = loading.settings(directory, base, answers);
        let (files, unreadable) = read_commands(&directory.join(COMMANDS_FOLDER), Path::new(COMMANDS_FOLDER));
        loading.problems.extend(unreadable);
        let (written, commands) = loading.commands(&files, settings.as_ref());
        loading.problems.sort();
        let mut warnings = loading.warnings;
        warnings.extend(loading.secrets.iter().filter_map(|(name, place)| {
            match (secrets.lacks(name), secrets.shows(name)) {
                (Some(message), _) => Some(Problem { message, ..place.clone() }),
                (None, Some(message)) => {
                    Some(Problem { message, ..place.clone() }.with_help("give it a longer value, on both sides"))
                }
                (None, None) => None,
            }
        }));
        warnings.sort();
        let Some(settings) = settings.filter(|_| loading.problems.is_empty()) else {
            return (Err(loading.problems), warnings);
        };
        let secrets = loading.secrets.into_keys().collect();
        let directory = directory.to_owned();
        (Ok(Self { directory, settings, commands, written, warnings: warnings.clone(), secrets }), warnings)
    }
}

#[derive(Default)]
struct Loading {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    secrets: BTreeMap<String, Problem>,
}

impl Loading {
    fn settings(&mut self, directory: &Path, base: &Path, answers: &Answers<'_>) -> Option<Settings> {
        let file = Path::new(SETTINGS_FILE);
        let text = match read_text(&directory.join(file), file) {
            Ok(text) => text,
            Err(problem) => {
                self.problems.push(problem);
                return None;
            }
        };
        let (mut document, mut problems) = Document::parse(file, &text);
        let missing = environment::fill_in(&mut document, answers);
        // A text with a missing variable in it is not worth decoding: what is wrong with it is said.
        let filled = missing.is_empty();
        problems.extend(missing);
        let settings = filled.then(|| decode::<Settings>(&mut document, &|_| None));
        let mut settings = settings.and_then(|(settings, more)| {
            problems.extend(more);
            settings
        });
        if let Some(settings) = settings.as_mut().filter(|_| problems.is_empty()) {
            problems.extend(check(&document, settings));
            self.note_secrets(&document, settings);
            self.note_alert_secrets(&document, settings);
            resolve_paths(base, settings);
        }
        // Half of the settings would make noise in every command that names the other half.
        let whole = problems.is_empty();
        problems.truncate(MOST_PROBLEMS);
        self.problems.extend(problems);
        settings.filter(|_| whole)
    }

    fn note_secrets(&mut self, document: &Document<'_>, settings: &Settings) {
        for (name, target) in &settings.target {
            let place = Place::root().key("target").key(name);
            let password =
                target.postgres.iter().map(|postgres| (place.key("postgres").key("password"), &postgres.password));
            let of_compose = target.compose.iter().flat_map(|compose| &compose.secrets);
            let of_compose =
                of_compose.map(|(variable, secret)| (place.key("compose").key("secrets").key(variable), secret));
            // What is no name may be the secret itself, and is not repeated.
            for (place, secret) in password.chain(of_compose).filter(|(_, secret)| is_secret_name(secret)) {
                let problem = document.problem(&place, format!("the secret {secret} is not set"));
                self.secrets.entry(secret.clone()).or_insert(problem.with_help(where_to_put(secret)));
            }
        }
        for (table, key, secret) in settings.paging.secrets() {
            let place = Place::root().key("paging").key(table).key(key);
            let problem = document.problem(&place, format!("the secret {secret} is not set"));
            self.secrets.entry(secret.to_owned()).or_insert_with(|| problem.with_help(where_to_put(secret)));
        }
    }

    fn note_alert_secrets(&mut self, document: &Document<'_>, settings: &Settings) {
        for (key, secret) in [("bearer", &settings.alerts.bearer), ("hmac", &settings.alerts.hmac)] {
            let Some(secret) = secret else { continue };
            let place = Place::root().key("alerts").key(key);
            let problem = document.problem(&place, format!("the secret {secret} is not set"));
            self.secrets.entry(secret.clone()).or_insert(problem.with_help(where_to_put(secret)));
        }
    }

    /// All commands by name: with their calls, and with the steps in their place.
    fn commands(
        &mut self,
        files: &[CommandFile],
        settings: Option<&Settings>,
    ) -> (BTreeMap<String, Command>, BTreeMap<String, Command>) {
        let names: BTreeSet<String> = files.iter().map(|file| file.name.clone()).collect();
        let decoded: Vec<_> = files.iter().map(decode_command).collect();
        let commands: BTreeMap<String, Command> = decoded
            .iter()
            .filter_map(|(_, command, _)| command.clone())
            .map(|command| (command.name.clone(), command))
            .collect();
        for (document, command, mut problems) in decoded {
            if let Some(command) = command.filter(|_| !document.has_broken_lines()) {
                let findings = validate(&document, &command, World { settings, commands: &commands, names: &names });
                problems.extend(findings.problems);
                self.warnings.extend(findings.warnings);
                for (name, problem) in findings.secrets {
                    self.secrets.entry(name).or_insert(problem);
                }
            }
            problems.sort();
            problems.truncate(MOST_PROBLEMS);
            self.problems.extend(problems);
        }
        for file in files.iter().filter(|file| OWN_COMMANDS.contains(&file.name.as_str())) {
            let problem = Problem::of_file(&file.path, format!("/{} is a command of drbot's own", file.name));
            self.problems.push(problem.with_help("give the file another name"));
        }
        let most = MOST_COMMANDS - OWN_COMMANDS.len();
        if files.len() > most {
            let message = format!("Discord takes {most} commands beside drbot's own; these are {}", files.len());
            self.problems.push(Problem::of_file(Path::new(COMMANDS_FOLDER), message));
        }
        if !self.problems.is_empty() {
            return (commands, BTreeMap::new());
        }
        let mut expanded = BTreeMap::new();
        for name in commands.keys() {
            match expand(&commands, name) {
                Ok(command) => _ = expanded.insert(name.clone(), command),
                Err(error) => {
                    let file = Path::new(COMMANDS_FOLDER).join(format!("{name}.toml"));
                    self.problems.push(Problem::of_file(&file, error.to_string()));
                }
            }
        }
        (commands, expanded)
    }
}

/// What to do about a secret that is not there.
pub fn where_to_put(secret: &str) -> String {
    format!("put {secret}=… into .env, or name the file that holds it: {secret}_FILE=…")
}

/// Paths in the file are relative to the file.
fn resolve_paths(directory: &Path, settings: &mut Settings) {
    for target in settings.target.values_mut() {
        if let Some(postgres) = &mut target.postgres {
            postgres.backups = directory.join(&postgres.backups);
        }
        if let Some(compose) = &mut target.compose {
            compose.file = directory.join(&compose.file);
        }
        for program in target.programs.values_mut().filter(|program| program.components().count() > 1) {
            *program = directory.join(&program);
        }
    }
    if let Some(ca) = settings.paging.email.as_mut().and_then(|email| email.ca.as_mut()) {
        *ca = directory.join(&ca);
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod newcomer;
#[cfg(test)]
mod tests;
