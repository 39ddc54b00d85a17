//! The schema says what the decoder does: every key of the one is a key of the other, the shipped files pass, and what
//! is wrong is refused by both.

use std::{collections::BTreeSet, path::Path};

use serde::de::DeserializeOwned;

use super::*;
use crate::runbook::{
    action::{
        ACTION_KEYS, Action, Ask, Compose, Docker, Escalation, Exec, Host, Http, Metrics, Network, Notify, Postgres,
        Verdict, Versions, Wait,
    },
    definition::*,
    load::{CommandFile, decode_command},
    prepare::{CHECK_KEYS, COMMAND_KEYS, STEP_KEYS},
};

type Words = BTreeSet<String>;

/// Reads the words that serde would have taken out of what it says of one that it does not know.
fn known_to_serde<T: DeserializeOwned>(wrong: Value) -> Words {
    let error = serde_json::from_value::<T>(wrong).err().expect("nobody knows this word").to_string();
    assert!(error.starts_with("unknown"), "{error}");
    error.split('`').skip(1).step_by(2).skip(1).map(str::to_owned).collect()
}

fn fields<T: DeserializeOwned>() -> Words {
    known_to_serde::<T>(json!({ "no such word": 0 }))
}

fn variants<T: DeserializeOwned>() -> Words {
    known_to_serde::<T>(json!("no such word"))
}

fn in_schema(schema: &Value) -> Words {
    let keys = schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone());
    let words = schema["enum"].as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned));
    keys.chain(words).collect()
}

fn words<const N: usize>(words: [&str; N]) -> Words {
    words.map(str::to_owned).into()
}

#[test]
fn every_key_that_the_decoder_knows_is_in_the_schema_and_the_reverse() {
    let schema = command();
    let actions = words(ACTION_KEYS);
    let known: Vec<(&str, Words)> = vec![
        ("Action", actions.clone()),
        ("Approval", fields::<Approval>()),
        ("Ask", fields::<Ask>()),
        ("Check", &words(CHECK_KEYS) | &actions),
        ("ChoicesFrom", variants::<ChoicesFrom>()),
        ("Compose", variants::<Compose>()),
        ("Docker", variants::<Docker>()),
        ("Effect", variants::<Effect>()),
        ("Exec", fields::<Exec>()),
        ("Fit", fields::<Fit>()),
        ("Host", fields::<Host>()),
        ("Http", fields::<Http>()),
        ("LongOutput", fields::<LongOutput>()),
        ("Escalation", variants::<Escalation>()),
        ("Metrics", variants::<Metrics>()),
        ("Network", variants::<Network>()),
        ("NextCommands", fields::<NextCommands>()),
        ("Notify", fields::<Notify>()),
        ("OnFailure", variants::<OnFailure>()),
        ("OptionSpec", fields::<OptionSpec>()),
        ("Output", Words::new()),
        ("Postgres", variants::<Postgres>()),
        ("Recovered", fields::<Recovered>()),
        ("Retry", fields::<Retry>()),
        ("Risk", variants::<Risk>()),
        ("Span", Words::new()),
        ("Step", &words(STEP_KEYS) | &actions),
        ("UndoWhen", variants::<UndoWhen>()),
        ("ValueType", variants::<ValueType>()),
        ("Verdict", variants::<Verdict>()),
        ("Versions", variants::<Versions>()),
        ("Wait", fields::<Wait>()),
    ];
    let listed: Words = known.iter().map(|(name, _)| (*name).to_owned()).collect();
    let definitions: Words = schema["definitions"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(definitions, listed);
    for (name, known) in known {
        assert_eq!(in_schema(&schema["definitions"][name]), known, "{name}");
    }
    assert_eq!(in_schema(&schema), words(COMMAND_KEYS));
    for (name, verbs) in [
        ("Compose", variants::<Compose>()),
        ("Docker", variants::<Docker>()),
        ("Metrics", variants::<Metrics>()),
        ("Postgres", variants::<Postgres>()),
    ] {
        for verb in verbs {
            let wrong = json!({ verb.as_str(): { "no such word": 0 } });
            let known = match name {
                "Docker" if ["engine", "restart-engine"].contains(&verb.as_str()) => Words::new(),
                "Docker" => known_to_serde::<Docker>(wrong),
                _ if ["backups", "down"].contains(&verb.as_str()) => Words::new(),
                "Compose" => known_to_serde::<Compose>(wrong),
                "Metrics" => known_to_serde::<Metrics>(wrong),
                _ => known_to_serde::<Postgres>(wrong),
            };
            assert_eq!(in_schema(&schema["definitions"][name]["properties"][&verb]), known, "{name} {verb}");
        }
    }
}

#[test]
fn what_is_moved_in_a_file_is_all_that_differs_from_the_types() {
    let moved = |known: Words, file: &[&str], types: &[&str]| -> Words {
        known
            .into_iter()
            .filter(|key| !types.contains(&key.as_str()))
            .chain(file.iter().map(|key| (*key).to_owned()))
            .collect()
    };
    assert_eq!(moved(fields::<Command>(), &[], &["name"]), words(COMMAND_KEYS));
    assert_eq!(moved(fields::<Step>(), &[], &["action", "scope"]), words(STEP_KEYS));
    assert_eq!(moved(fields::<Check>(), &[], &["action"]), words(CHECK_KEYS));
    assert_eq!(variants::<Action>(), words(ACTION_KEYS));
}

#[test]
fn the_committed_schema_is_the_one_of_these_types() {
    let committed = std::fs::read_to_string(root_folder().join("docs/schema/command.schema.json")).unwrap();
    assert!(committed == text(&command()), "mend it: cargo run -- schema command > docs/schema/command.schema.json");
}

fn root_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn complaints(text: &str) -> Vec<String> {
    let value: Value = toml::from_str(text).unwrap();
    let validator = jsonschema::draft7::new(&command()).unwrap();
    validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// What the decoder and the checker say of the shape; names of other files are nothing that a schema could know.
fn decoder(text: &str) -> Vec<String> {
    let file = CommandFile { path: "c.toml".into(), name: "c".to_owned(), text: text.to_owned() };
    let (document, command, mut problems) = decode_command(&file);
    if let Some(command) = &command {
        let world = crate::runbook::validate::World {
            settings: None,
            commands: &Default::default(),
            names: &Default::default(),
        };
        problems.extend(crate::runbook::validate::validate(&document, command, world).problems);
    }
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_shipped_commands_name_it_and_pass() {
    let folder = root_folder().join("commands");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let schema = text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).expect("the first line");
        assert!(folder.join(schema).ends_with("docs/schema/command.schema.json") && folder.join(schema).exists());
        assert_eq!(complaints(&text), Vec::<String>::new(), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 3);
}

const GOOD: &str = "summary = 'x'\nrisk = 'risky'\n[options.o]\ntype = 'string'\nhelp = 'x'\n\
                    [[steps]]\nid = 'a'\nname = 'A'\nhost = {}\ntimeout = '1h30m'\noutputs.problems = 'any'\n\
                    outputs.load = { type = 'number', from = 'load_per_core' }\n\
                    [[steps]]\nid = 'b'\nname = 'B'\nhttp.post = 'http://x'\ntimeout = '5s'\n\
                    check = { http.get = 'http://x', expect = 'status == 200' }\nundo.docker.start.container = 'c'\n";

#[test]
fn what_is_wrong_is_refused_by_the_schema_and_by_the_decoder() {
    assert_eq!((complaints(GOOD), decoder(GOOD)), (Vec::new(), Vec::new()));
    let wrong = [
        ("a misspelt key", "summary =", "sumary ="),
        ("a misspelt key of a step", "name = 'A'", "nmae = 'A'"),
        ("a misspelt action", "host = {}", "hots = {}"),
        ("two actions in a step", "host = {}", "host = {}\ncall = 'x'"),
        ("no action in a step", "host = {}\n", ""),
        ("two actions in a check", "check = { http.get = 'http://x',", "check = { http.get = 'http://x', host = {},"),
        ("two methods", "http.post = 'http://x'", "http = { post = 'http://x', get = 'http://x' }"),
        ("a wrong type", "name = 'A'", "name = 5"),
        ("a text for a table", "host = {}", "host = 'x'"),
        ("a text for a list", "risk = 'risky'", "risk = 'risky'\nroles = 'operator'"),
        ("an unknown risk", "'risky'", "'dangerous'"),
        ("an unknown type of an option", "type = 'string'", "type = 'txet'"),
        ("a type that nobody can type", "type = 'string'", "type = 'list'"),
        ("an unknown type of an output", "problems = 'any'", "problems = 'whatever'"),
        ("a bad length of time", "'1h30m'", "'5 parsecs'"),
        ("a number for a length of time", "'1h30m'", "5"),
        ("an unknown verb", "undo.docker.start", "undo.docker.begin"),
        ("a key of the engine's own", "id = 'a'", "id = 'a'\nscope = 'x'"),
        ("a name in the file", "summary =", "name = 'c'\nsummary ="),
        ("an id that templates cannot name", "id = 'a'", "id = 'a-b'"),
        ("a secret in its name's place", "http.post = 'http://x'", "http = { post = 'http://x', bearer = 'hunter2' }"),
        ("no steps", GOOD.split_once("[[steps]]").unwrap().1, ""),
        ("a summary that is too long", "'x'\nrisk", &format!("'{}'\nrisk", "x".repeat(101))),
        ("no attempt", "timeout = '1h30m'", "timeout = '1m'\nretry.attempts = 0"),
        ("no quorum", "[options.o]", "approval = { before = 'b', roles = ['x'], quorum = 0 }\n[options.o]"),
    ];
    for (what, old, new) in wrong {
        assert!(GOOD.contains(old), "{what}");
        let text = GOOD.replacen(old, new, 1).replace("[[steps]]\n\n", "");
        let text = if what == "no steps" { text.replace("[[steps]]", "") } else { text };
        assert!(!complaints(&text).is_empty(), "the schema lets pass: {what}");
        assert!(!decoder(&text).is_empty(), "the decoder lets pass: {what}");
    }
}
