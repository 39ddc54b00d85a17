//! Everything an operator configured, read and checked in one go: `drbot.toml` and `commands/*.toml`.
//!
//! Either there is a whole configuration, or a list of all problems: drbot never starts on half of one. Commands come
//! out expanded, which is how runs freeze them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{check::check, environment, secrets::Secrets, settings::Settings};
use crate::runbook::{
    decode::decode,
    definition::Command,
    document::{Document, MOST_PROBLEMS},
    expand::expand,
    load::{CommandFile, decode_command, read_commands, read_text},
    problem::Problem,
    validate::{World, validate},
};

/// The settings file, in the configuration's folder.
pub const SETTINGS_FILE: &str = "drbot.toml";

/// The folder of commands, in the configuration's folder.
pub const COMMANDS_FOLDER: &str = "commands";

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
        Self::load_with(directory, |name| std::env::var(name).ok())
    }

    /// [`Configuration::load`] with an environment of the caller's own.
    ///
    /// # Errors
    /// As [`Configuration::load`].
    pub fn load_with(
        directory: &Path,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + Clone + 'static,
    ) -> Result<Self, Vec<Problem>> {
        let directory = &std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let mut loading = Loading::default();
        let settings = loading.settings(directory, &lookup);
        let (files, unreadable) = read_commands(&directory.join(COMMANDS_FOLDER), Path::new(COMMANDS_FOLDER));
        loading.problems.extend(unreadable);
        let commands = loading.commands(&files, settings.as_ref());
        loading.problems.sort();
        let Some(settings) = settings.filter(|_| loading.problems.is_empty()) else {
            return Err(loading.problems);
        };
        let secrets = Secrets::from_lookup(lookup);
        let unset = loading.secrets.iter().filter(|(name, _)| !secrets.is_set(name));
        let mut warnings = loading.warnings;
        warnings.extend(unset.map(|(_, problem)| problem.clone()));
        warnings.sort();
        let secrets = loading.secrets.into_keys().collect();
        Ok(Self { directory: directory.to_owned(), settings, commands, warnings, secrets })
    }
}

#[derive(Default)]
struct Loading {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    secrets: BTreeMap<String, Problem>,
}

impl Loading {
    fn settings(&mut self, directory: &Path, lookup: &dyn Fn(&str) -> Option<String>) -> Option<Settings> {
        let file = Path::new(SETTINGS_FILE);
        let text = match read_text(&directory.join(file), file) {
            Ok(text) => text,
            Err(problem) => {
                self.problems.push(problem);
                return None;
            }
        };
        let (mut document, mut problems) = Document::parse(file, &text);
        let missing = environment::fill_in(&mut document, lookup);
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
            resolve_paths(directory, settings);
        }
        // Half of the settings would make noise in every command that names the other half.
        let whole = problems.is_empty();
        problems.truncate(MOST_PROBLEMS);
        self.problems.extend(problems);
        settings.filter(|_| whole)
    }

    fn note_secrets(&mut self, document: &Document<'_>, settings: &Settings) {
        for (name, target) in &settings.target {
            let Some(postgres) = &target.postgres else { continue };
            let place = crate::runbook::document::Place::root().key("target").key(name).key("postgres").key("password");
            let secret = &postgres.password;
            let problem = document.problem(&place, format!("the secret {secret} is not set"));
            self.secrets.insert(secret.clone(), problem.with_help(format!("put {secret}=… into .env")));
        }
    }

    fn commands(&mut self, files: &[CommandFile], settings: Option<&Settings>) -> BTreeMap<String, Command> {
        let names: BTreeSet<String> = files.iter().map(|file| file.name.clone()).collect();
        let decoded: Vec<_> = files.iter().map(decode_command).collect();
        let commands: BTreeMap<String, Command> =
            decoded.iter().filter_map(|(_, command, _)| command.clone()).map(|command| (command.name.clone(), command)).collect();
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
        if files.len() > MOST_COMMANDS {
            let message = format!("Discord takes {MOST_COMMANDS} commands; these are {}", files.len());
            self.problems.push(Problem::of_file(Path::new(COMMANDS_FOLDER), message));
        }
        if !self.problems.is_empty() {
            return BTreeMap::new();
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
        expanded
    }
}

/// Paths in the file are relative to the file.
fn resolve_paths(directory: &Path, settings: &mut Settings) {
    for target in settings.target.values_mut() {
        if let Some(postgres) = &mut target.postgres {
            postgres.backups = directory.join(&postgres.backups);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Result<Configuration, Vec<Problem>> {
        let secrets = ["EMERGENCY_TOKEN", "ADMIN_TOKEN", "DB_PASSWORD"];
        Configuration::load_with(Path::new(env!("CARGO_MANIFEST_DIR")), move |name| {
            secrets.contains(&name).then(|| "a secret".to_owned())
        })
    }

    fn shown(problems: &[Problem]) -> String {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_shipped_files_have_no_problem() {
        let configuration = shipped().unwrap_or_else(|problems| panic!("{}", shown(&problems)));
        assert_eq!(shown(&configuration.warnings), "");
        assert_eq!(configuration.secrets.iter().collect::<Vec<_>>(), ["DB_PASSWORD", "EMERGENCY_TOKEN"]);
    }

    /// A folder with the shipped settings and the given commands.
    fn folder(commands: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(SETTINGS_FILE), folder.path().join(SETTINGS_FILE)).unwrap();
        std::fs::create_dir(folder.path().join(COMMANDS_FOLDER)).unwrap();
        for (name, text) in commands {
            std::fs::write(folder.path().join(COMMANDS_FOLDER).join(name), text).unwrap();
        }
        folder
    }

    fn problems(commands: &[(&str, &str)]) -> String {
        match Configuration::load_with(folder(commands).path(), |_| None) {
            Ok(_) => String::new(),
            Err(problems) => shown(&problems),
        }
    }

    #[test]
    fn ten_mistakes_are_ten_problems() {
        let text = r#"summary = "Ten mistakes"
sevrity = "x"
risk    = "dangerous"
roles   = ["operater"]
target  = "prod"

[approval]
before = "stop"
roles  = ["dba"]

[[steps]]
id   = "look"
name = "Look"
http = { get = "{{ target.aip }}/health" }
outputs = { rows = "integer" }

[[steps]]
id   = "stop"
name = "Stop"
docker.stop = { contaner = "{{ target.containers.bot }}" }
when = "steps.look.rowz > 5"
timeout = "20s"

[[steps]]
id   = "look"
name = "Look again"
host = {}
timeout = "5 parsecs"

[[steps]]
id   = "call"
name = "Call"
call = "hlat"
"#;
        insta::assert_snapshot!(problems(&[("ten.toml", text), ("halt.toml", HALT)]), @r#"
        commands/ten.toml:2:1: unknown key `sevrity`
            allowed: approval, lock, next, options, recovered, risk, roles, scenario, steps, summary, target
        commands/ten.toml:3:11: unknown value `dangerous`
            allowed: destructive, read, risky, safe
        commands/ten.toml:4:12: there is no role `operater`
            did you mean `operator`? allowed: dba, lead, operator
        commands/ten.toml:14:16: there is no `aip` in `target`
            did you mean `api`? allowed: api, containers, database, name, postgres, sample_every
        commands/ten.toml:15:13: `http` has no result `rows`
            allowed: body, json, latency_ms, status; or say where it is: { type = "…", from = "…" }
        commands/ten.toml:20:17: unknown key `contaner`
            did you mean `container`? allowed: container, grace
        commands/ten.toml:21:8: there is no `rowz` in `steps.look`
            did you mean `rows`? allowed: failed, ok, rows, skipped
        commands/ten.toml:25:8: two steps have the id `look`
            the journal knows steps by their ids
        commands/ten.toml:28:11: `5 parsecs` is not a length of time; write it like "30s", "5m" or "1h 30m"
        commands/ten.toml:33:8: there is no command `hlat`
            did you mean `halt`? allowed: halt, ten
        "#);
    }

    const HALT: &str = "summary = 'x'\nrisk = 'safe'\nroles = ['lead']\n[[steps]]\nid = 'a'\nname = 'A'\nhost = {}\n";

    #[test]
    fn commands_are_checked_against_each_other() {
        let call = |name: &str| format!("summary = 'x'\nrisk = 'read'\nroles = ['lead']\n[[steps]]\nid = 'a'\nname = 'A'\ncall = '{name}'\n");
        let approved = format!("{HALT}[approval]\nbefore = 'a'\nroles = ['dba']\n");
        insta::assert_snapshot!(problems(&[
            ("a.toml", &call("b")),
            ("b.toml", &call("a")),
            ("c.toml", &call("halt")),
            ("d.toml", &call("e")),
            ("e.toml", &approved),
            ("halt.toml", HALT),
        ]), @r#"
        commands/a.toml:7:8: the calls go round in a circle: /a → /b → /a
            a command cannot stand in itself
        commands/b.toml:7:8: the calls go round in a circle: /b → /a → /b
            a command cannot stand in itself
        commands/c.toml:7:8: /halt is riskier than this command says it is
            raise the `risk` of this command
        commands/d.toml:7:8: /e is riskier than this command says it is
            raise the `risk` of this command
        commands/d.toml:7:8: /e waits for an approval, and a call would go round it
            start it by itself
        "#);
    }

    #[test]
    fn files_that_are_none_are_named() {
        let folder = folder(&[("README.md", "# not a command"), (".hidden.toml", "x"), ("halt.toml", HALT)]);
        let commands = folder.path().join(COMMANDS_FOLDER);
        assert!(Configuration::load_with(folder.path(), |_| None).is_ok());
        std::fs::write(commands.join("bytes.toml"), b"summary = '\xff'").unwrap();
        std::fs::write(commands.join("huge.toml"), vec![b' '; 2_000_000]).unwrap();
        std::fs::create_dir(commands.join("folder.toml")).unwrap();
        std::os::unix::fs::symlink(commands.join("halt.toml"), commands.join("link.toml")).unwrap();
        std::os::unix::fs::symlink(commands.join("nowhere"), commands.join("lost.toml")).unwrap();
        let problems = Configuration::load_with(folder.path(), |_| None).unwrap_err();
        insta::assert_snapshot!(shown(&problems), @r#"
        commands/bytes.toml:1:12: this is not UTF-8 text
            save the file as UTF-8
        commands/folder.toml: this is not a file
        commands/huge.toml: larger than 1 MiB; no such file is that large
        commands/lost.toml: cannot be read: No such file or directory (os error 2)
        "#);
    }

    #[test]
    fn settings_are_checked_and_their_paths_resolved() {
        let folder = folder(&[("halt.toml", HALT)]);
        let load = || Configuration::load_with(folder.path(), |name| (name == "RANGE_PG_PORT").then(|| "15999".to_owned()));
        let configuration = load().unwrap();
        let postgres = configuration.settings.target["prod"].postgres.clone().unwrap();
        assert_eq!(postgres.port, 15999);
        assert_eq!(postgres.backups, folder.path().join("range/backups"));
        assert_eq!(shown(&configuration.warnings).matches("DB_PASSWORD is not set").count(), 1);
        let path = folder.path().join(SETTINGS_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text
            .replace("\"DB_PASSWORD\"", "\"hunter2 is it\"")
            .replace(":8080}", ":8080}/")
            .replace("rto      = \"15m\"", "rot = \"15m\"")
            .replace("${RANGE_PG_PORT:-15432}", "many");
        std::fs::write(&path, &text).unwrap();
        let problems = shown(&load().unwrap_err());
        assert!(!problems.contains("hunter2"));
        insta::assert_snapshot!(problems, @r#"
        drbot.toml:28:1: unknown key `rot`
            did you mean `rto`? allowed: name, priority, rpo, rto
        drbot.toml:79:13: invalid value: string "many", expected a port, 1 to 65535
        "#);
        std::fs::write(&path, text.replace("rot = ", "rto = ").replace("\"many\"", "5432")).unwrap();
        insta::assert_snapshot!(shown(&load().unwrap_err()), @r#"
        drbot.toml:76:13: this is not the name of a secret
            the name of a variable of .env, like "DB_PASSWORD"; never the password itself
        "#);
    }

    #[test]
    fn the_approver_reads_what_it_costs() {
        let command = shipped().unwrap().commands.remove("restore-db").unwrap();
        let cost = command.approval.unwrap().cost.unwrap();
        let with = |seconds: serde_json::Value, rows: serde_json::Value| {
            crate::runbook::template::render_text(&cost, &serde_json::json!({
                "scenario": { "rpo": 600 },
                "steps": { "verify": {
                    "loss_seconds": seconds, "loss_rows": rows, "backup": "b.dump", "age": 470, "integrity": "verified",
                }},
            }))
            .unwrap()
        };
        insta::assert_snapshot!(with(460.into(), 4600.into()), @"About 7 min 40 s of data will be lost, within the objective of 10 min (4,600 rows). The backup b.dump is 7 min 50 s old, its integrity is verified. The damaged database is kept.");
        insta::assert_snapshot!(with(serde_json::Value::Null, serde_json::Value::Null), @"How much will be lost is unknown. The backup b.dump is 7 min 50 s old, its integrity is verified. The damaged database is kept.");
    }

    mod hostile {
        use proptest::prelude::*;

        use super::*;

        const SHIPPED: [&str; 3] = [
            include_str!("../../commands/restore-db.toml"),
            include_str!("../../commands/halt.toml"),
            include_str!("../../commands/status.toml"),
        ];

        /// Bits of files that break things.
        fn bits() -> impl Strategy<Value = String> {
            prop_oneof![
                "\\PC{0,8}",
                "[\\[\\]{}=.\"',\\n#|%-]{1,12}",
                Just("{{".to_owned()),
                Just("}}".to_owned()),
                Just("[[steps]]\n".to_owned()),
                Just("a.".repeat(3000)),
                Just("((((".repeat(500)),
                Just("\u{0}".to_owned()),
                Just("= 99999999999999999999999\n".to_owned()),
                Just("id = nan\n".to_owned()),
            ]
        }

        proptest! {
            #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

            #[test]
            fn no_text_brings_the_loader_down(
                which in 0..SHIPPED.len(),
                cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, bits()), 1..6),
            ) {
                let mut text: Vec<char> = SHIPPED[which].chars().collect();
                for (at, length, bit) in cuts {
                    let at = at.index(text.len() + 1);
                    let end = (at + length).min(text.len());
                    text.splice(at..end, bit.chars());
                }
                let text: String = text.into_iter().collect();
                let file = CommandFile { path: "x.toml".into(), name: "x".to_owned(), text };
                let mut loading = Loading::default();
                let commands = loading.commands(&[file.clone()], None);
                prop_assert!(loading.problems.len() <= MOST_PROBLEMS);
                prop_assert!(commands.is_empty() || loading.problems.is_empty());
                for problem in &loading.problems {
                    prop_assert!(problem.line <= file.text.lines().count() + 1);
                }
            }
        }
    }
}
