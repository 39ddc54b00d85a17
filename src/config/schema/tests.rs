//! The schema of `drbot.toml` and the decoder agree, references to the environment included.

use std::{collections::BTreeSet, path::Path};

use serde::de::DeserializeOwned;

use super::*;
use crate::{
    config::{
        alerts::{AlertRule, AlertSettings},
        paging::{
            EmailSettings, NtfySettings, PagerdutySettings, PagingSettings, Security, TwilioSettings, WebhookSettings,
        },
        settings::{
            BreakGlassSettings, ComposeTarget, ContactSettings, Discord, DockerTarget, DrillSettings, Heartbeat,
            HostPerson, IncidentSettings, Limits, LockdownSettings, NetworkTarget, PostgresTarget, Priority, Provider,
            RungSettings, Scenario, Target, VersionsTarget, Web,
        },
    },
    runbook::{decode::decode, document::Document},
};

fn root_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped() -> String {
    std::fs::read_to_string(root_folder().join("drbot.toml")).unwrap()
}

fn known_to_serde<T: DeserializeOwned>(wrong: Value) -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(wrong).err().expect("nobody knows this word").to_string();
    assert!(error.starts_with("unknown"), "{error}");
    error.split('`').skip(1).step_by(2).skip(1).map(str::to_owned).collect()
}

fn fields<T: DeserializeOwned>() -> BTreeSet<String> {
    known_to_serde::<T>(json!({ "no such word": 0 }))
}

fn keys(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

#[test]
fn every_key_that_the_decoder_knows_is_in_the_schema_and_the_reverse() {
    let schema = settings();
    let known = [
        ("AlertRule", fields::<AlertRule>()),
        ("AlertSettings", fields::<AlertSettings>()),
        ("BreakGlassSettings", fields::<BreakGlassSettings>()),
        ("ComposeTarget", fields::<ComposeTarget>()),
        ("ContactSettings", fields::<ContactSettings>()),
        ("Discord", fields::<Discord>()),
        ("DiscordId", BTreeSet::new()),
        ("DockerTarget", fields::<DockerTarget>()),
        ("EmailSettings", fields::<EmailSettings>()),
        ("Heartbeat", fields::<Heartbeat>()),
        ("HostPerson", fields::<HostPerson>()),
        ("DrillSettings", fields::<DrillSettings>()),
        ("IncidentSettings", fields::<IncidentSettings>()),
        ("Level", BTreeSet::new()),
        ("Limits", fields::<Limits>()),
        ("LockdownSettings", fields::<LockdownSettings>()),
        ("NetworkTarget", fields::<NetworkTarget>()),
        ("NtfySettings", fields::<NtfySettings>()),
        ("PagerdutySettings", fields::<PagerdutySettings>()),
        ("PagingSettings", fields::<PagingSettings>()),
        ("PostgresTarget", fields::<PostgresTarget>()),
        ("Priority", BTreeSet::new()),
        ("Provider", fields::<Provider>()),
        ("RungSettings", fields::<RungSettings>()),
        ("Scenario", fields::<Scenario>()),
        ("Security", BTreeSet::new()),
        ("Span", BTreeSet::new()),
        ("Target", fields::<Target>()),
        ("TwilioSettings", fields::<TwilioSettings>()),
        ("VersionsTarget", fields::<VersionsTarget>()),
        ("Web", fields::<Web>()),
        ("WebhookSettings", fields::<WebhookSettings>()),
    ];
    assert_eq!(schema["definitions"].as_object().unwrap().len(), known.len());
    for (name, known) in known {
        assert_eq!(keys(&schema["definitions"][name]), known, "{name}");
    }
    assert_eq!(keys(&schema), fields::<Settings>());
    let securities = known_to_serde::<Security>(json!("no such word"));
    assert_eq!(securities.iter().collect::<Vec<_>>(), ["none", "starttls", "tls"]);
    let words = known_to_serde::<Priority>(json!("no such word"));
    let words: Vec<&String> = words.iter().collect();
    let mut listed: Vec<String> =
        serde_json::from_value(schema["definitions"]["Priority"]["anyOf"][0]["enum"].clone()).unwrap();
    listed.sort();
    assert_eq!(listed.iter().collect::<Vec<_>>(), words);
}

#[test]
fn the_committed_schema_is_the_one_of_these_types() {
    let committed = std::fs::read_to_string(root_folder().join("docs/schema/drbot.schema.json")).unwrap();
    assert!(
        committed == schema::text(&settings()),
        "mend it: cargo run -- schema settings > docs/schema/drbot.schema.json"
    );
}

fn complaints(text: &str) -> Vec<String> {
    let value: Value = toml::from_str(text).unwrap();
    let validator = jsonschema::draft7::new(&settings()).unwrap();
    validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn decoder(text: &str) -> Vec<String> {
    let (mut document, mut problems) = Document::parse(Path::new("drbot.toml"), text);
    problems
        .extend(crate::config::environment::fill_in(&mut document, &crate::config::environment::of_process(|_| None)));
    let (decoded, more) = decode::<Settings>(&mut document, &|_| None);
    problems.extend(more);
    if let Some(settings) = decoded.filter(|_| problems.is_empty()) {
        problems.extend(crate::config::check::check(&document, &settings));
    }
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_shipped_settings_name_it_and_pass() {
    let text = shipped();
    assert_eq!(text.lines().next(), Some("#:schema docs/schema/drbot.schema.json"));
    assert_eq!((complaints(&text), decoder(&text)), (Vec::new(), Vec::new()));
    let plain = text.replacen("\"${RANGE_PG_PORT:-15432}\"", "15432", 1).replace("\"15m\"", "\"${RTO:-15m}\"");
    let plain = plain.replacen("\"critical\"", "\"${PRIORITY:-critical}\"", 1);
    assert!(plain != text);
    assert_eq!((complaints(&plain), decoder(&plain)), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_wrong_is_refused_by_the_schema_and_by_the_decoder() {
    let good = shipped();
    let wrong = [
        ("a misspelt key", "sample_every", "sample_evry"),
        ("a misspelt table", "[limits]", "[limit]"),
        ("a wrong type", "command_channels = [", "command_channels = \"x\"\nx = ["),
        ("an id without quotes", "\"${DRBOT_GUILD:-100000000000000001}\"", "100000000000000001"),
        ("an id that is none", "\"${DRBOT_GUILD:-100000000000000001}\"", "\"the-guild\""),
        ("a bad length of time", "\"15m\"", "\"a quarter\""),
        ("an unknown priority", "\"critical\"", "\"very\""),
        ("a password", "\"DB_PASSWORD\"", "\"hunter2\""),
        ("a reference for a password", "\"DB_PASSWORD\"", "\"${DB_PASSWORD:-X}\""),
        ("a port that is none", "\"${RANGE_PG_PORT:-15432}\"", "70000"),
        ("a share that is none", "0.8", "8.0"),
        ("nothing allowed", "burst               = 10", "burst = 0"),
        ("a token", "bearer = \"ALERTS_TOKEN\"", "bearer = \"hunter2\""),
        ("a reference for a token", "bearer = \"ALERTS_TOKEN\"", "bearer = \"${ALERTS_TOKEN:-X}\""),
        ("a rule for everything", "match    = { alertname = \"TradingBotDown\" }", "match = {}"),
        ("no URL", "\"http://127.0.0.1:${RANGE_API_PORT:-8080}\"", "\"127.0.0.1\""),
        ("a missing key", "user      = \"antbot\"\n", ""),
    ];
    for (what, old, new) in wrong {
        assert!(good.contains(old), "{what}");
        let text = good.replacen(old, new, 1);
        assert!(!complaints(&text).is_empty(), "the schema lets pass: {what}");
        assert!(!decoder(&text).is_empty(), "the decoder lets pass: {what}");
    }
}
