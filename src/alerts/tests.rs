//! Alerts as they come: good ones, and what a system in distress, or somebody who wishes drbot ill, may send.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    alert::{Alert, Status},
    alertmanager, generic,
    rules::Rules,
};
use crate::{clock::Timestamp, config::settings::Settings};

fn at(text: &str) -> Timestamp {
    DateTime::parse_from_rfc3339(text).unwrap().into()
}

/// As Alertmanager 0.25 sends it.
fn webhook(alert: Value) -> Vec<u8> {
    let body = json!({
        "receiver": "drbot", "status": "firing", "alerts": [alert], "groupLabels": { "alertname": "DatabaseDown" },
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://127.0.0.1:9093", "version": "4",
        "groupKey": "{}:{alertname=\"DatabaseDown\"}", "truncatedAlerts": 0,
    });
    body.to_string().into_bytes()
}

fn database_down() -> Value {
    json!({
        "status": "firing",
        "labels": { "alertname": "DatabaseDown", "service": "postgres", "scenario": "database-corruption" },
        "annotations": { "summary": "The database is not reachable.", "description": "for 2 s\nby the trading bot" },
        "startsAt": "2026-11-26T03:00:00.123456789Z", "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=x", "fingerprint": "c17b1e0fd9a9c7a1",
    })
}

fn read_one(alert: Value) -> Alert {
    alertmanager::read(&webhook(alert)).unwrap().alerts.remove(0)
}

#[test]
fn what_alertmanager_sends_is_understood() {
    let alert = read_one(database_down());
    assert_eq!(alert.key(), ("alertmanager", "c17b1e0fd9a9c7a1", at("2026-11-26T03:00:00.123456Z")));
    assert_eq!((alert.name.as_str(), alert.status, alert.ends_at), ("DatabaseDown", Status::Firing, None));
    assert_eq!(alert.summary, "The database is not reachable.");
    assert_eq!(alert.description, "for 2 s\nby the trading bot");
    assert_eq!(alert.url, "http://127.0.0.1:9090/graph?g0.expr=x");
    assert_eq!(alert.labels["service"], "postgres");
    assert_eq!((alert.scenario, alert.target), (None, None));
}

#[test]
fn an_alert_is_the_same_each_time() {
    let mut over = database_down();
    over["status"] = "resolved".into();
    over["endsAt"] = "2026-11-26T03:05:00Z".into();
    let (first, last) = (read_one(database_down()), read_one(over));
    assert_eq!(first.key(), last.key());
    assert_eq!(last.ends_at, Some(at("2026-11-26T03:05:00Z")));
    // Without a fingerprint it is what its labels say.
    let without = |labels: Value| {
        let mut alert = database_down();
        alert["fingerprint"] = "".into();
        alert["labels"] = labels;
        read_one(alert).fingerprint
    };
    let (one, other) = (without(json!({ "a": "bc" })), without(json!({ "ab": "c" })));
    assert_eq!((one.len(), one == other, one == without(json!({ "a": "bc" }))), (32, false, true));
}

#[test]
fn hostile_texts_become_small_and_harmless() {
    let mut hostile = database_down();
    hostile["labels"]["alertname"] = format!("\u{1b}[2J{}\n\0", "é".repeat(100_000)).into();
    hostile["fingerprint"] = "x\u{0}y".into();
    hostile["generatorURL"] = "javascript:alert(1)".into();
    for number in 0..1000 {
        hostile["labels"][format!("label{number:04}\u{7}")] = "v".repeat(5000).into();
    }
    hostile["annotations"] = json!({ "summary": "one\r\ntwo\u{0}", "description": "d".repeat(50_000) });
    let alert = read_one(hostile);
    assert!(alert.name.starts_with("[2Jéé") && alert.name.ends_with('…') && alert.name.chars().count() == 150);
    assert_eq!((alert.summary.as_str(), alert.url.as_str()), ("one  two", ""));
    assert_eq!((alert.labels.len(), alert.description.chars().count()), (64, 2000));
    assert_eq!(alert.fingerprint.len(), 32);
    let whole = serde_json::to_string(&alert).unwrap();
    assert!(whole.len() < 40_000, "{}", whole.len());
    for control in ["\\u0000", "\\u0007", "\\u001b"] {
        assert!(!whole.contains(control), "{control}");
    }
}

#[test]
fn times_that_are_none_do_not_move_the_clock() {
    let now = at("2026-11-26T04:00:00Z");
    let began = |text: &str| {
        let mut alert = database_down();
        alert["startsAt"] = text.into();
        read_one(alert).began(now)
    };
    assert_eq!(began("2026-11-26T03:00:00Z"), at("2026-11-26T03:00:00Z"));
    for wrong in ["0001-01-01T00:00:00Z", "2126-01-01T00:00:00Z", "1969-12-31T23:59:59Z"] {
        assert_eq!(began(wrong), now, "{wrong}");
    }
    let mut alert = database_down();
    alert["startsAt"] = "yesterday".into();
    let said = alertmanager::read(&webhook(alert)).unwrap_err().to_string();
    assert!(said.starts_with("alerts[0]: startsAt is no time as RFC 3339 has it"), "{said}");
    let future = Alert { starts_at: now + TimeDelta::hours(1), ..read_one(database_down()) };
    assert_eq!(future.began(now), now);
}

#[test]
fn another_version_of_the_webhook_is_refused() {
    let body = String::from_utf8(webhook(database_down())).unwrap().replace("\"4\"", "\"5\"");
    let said = alertmanager::read(body.as_bytes()).unwrap_err().to_string();
    assert_eq!(said, "version 5 of the webhook is not known; drbot reads 4");
}

#[test]
fn the_generic_format_is_strict_and_says_what_is_wrong() {
    let good = json!({
        "id": "disk-db1", "name": "Disk full", "status": "firing", "starts_at": "2026-11-26T04:00:00+01:00",
        "labels": { "service": "postgres" }, "scenario": "database-corruption",
    });
    let alert = generic::read(good.to_string().as_bytes()).unwrap().remove(0);
    assert_eq!(alert.key(), ("generic", "disk-db1", at("2026-11-26T03:00:00Z")));
    assert_eq!((alert.summary.as_str(), alert.labels["alertname"].as_str()), ("Disk full", "Disk full"));
    assert_eq!(alert.labels["scenario"], "database-corruption");
    let wrong = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        generic::read(json!({ "alerts": [good, body] }).to_string().as_bytes()).unwrap_err().to_string()
    };
    let said = [
        wrong("sumary", "x".into()),
        wrong("status", "on".into()),
        wrong("id", "".into()),
        wrong("name", " ".into()),
        wrong("starts_at", "tomorrow".into()),
        wrong("starts_at", "0001-01-01T00:00:00Z".into()),
        wrong("labels", json!({ "a": 1 })),
    ];
    for (said, wanted) in said.iter().zip([
        "unknown field `sumary`",
        "unknown variant `on`, expected `firing` or `resolved`",
        "`id` is 1 to 200 bytes",
        "`name` is what people read",
        "`starts_at` is no time (",
        "`starts_at` is before the year 2000",
        "invalid type: integer `1`, expected a string",
    ]) {
        assert!(said.starts_with("alerts[1]: ") && said.contains(wanted), "{said}");
    }
    let said = |text: &str| generic::read(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(said("[]"), "the body is one alert, or {\"alerts\": […]}");
    assert_eq!(said(r#"{"alerts": {}}"#), "`alerts` is a list of alerts");
    assert_eq!(said(r#"{"alerts": [], "x": 1}"#), "beside `alerts` there is nothing else");
    assert!(said(&"[".repeat(100_000)).starts_with("the body does not fit: recursion limit"));
}

fn settings(alerts: &str) -> Settings {
    let text = format!(
        r#"
        [discord]
        guild = "1"
        channel = "1"
        [roles]
        [scenario.database-corruption]
        name = "d"
        rto = "30m"
        rpo = "10m"
        priority = "critical"
        [scenario.application-bug]
        name = "a"
        rto = "10m"
        rpo = "2m"
        priority = "high"
        [target.prod]
        api = "http://127.0.0.1:1"
        {alerts}
        "#
    );
    toml::from_str(&text).unwrap()
}

#[test]
fn the_first_rule_that_fits_says_what_an_alert_is_about() {
    let settings = settings(
        r#"
        [alerts]
        scenario = "application-bug"
        [[alerts.rule]]
        match = { alertname = "/Database.*/", service = "postgres" }
        scenario = "database-corruption"
        target = "prod"
        [[alerts.rule]]
        match = { alertname = "/.*/", team = "" }
        target = "prod"
        "#,
    );
    let rules = Rules::of(&settings).unwrap();
    let about = |labels: &[(&str, &str)]| {
        let labels: BTreeMap<_, _> = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let mut alert = Alert { labels, ..read_one(database_down()) };
        rules.assign(&mut alert);
        (alert.scenario.unwrap_or_default(), alert.target.unwrap_or_default())
    };
    let (database, bug) = ("database-corruption".to_owned(), "application-bug".to_owned());
    let prod = "prod".to_owned();
    assert_eq!(about(&[("alertname", "DatabaseDown"), ("service", "postgres")]), (database.clone(), prod.clone()));
    // The whole value has to fit, and every label; a label that is not there is an empty one.
    assert_eq!(about(&[("alertname", "NoDatabaseDown"), ("service", "postgres")]), (bug.clone(), prod.clone()));
    assert_eq!(about(&[("alertname", "DatabaseDown"), ("team", "x")]), (bug.clone(), String::new()));
    // An alert may say it itself, of what is known.
    assert_eq!(about(&[("scenario", "database-corruption")]), (database, prod.clone()));
    assert_eq!(about(&[("scenario", "end-of-the-world"), ("target", "../prod")]), (bug, prod));
}

proptest! {
    #[test]
    fn no_body_makes_a_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        _ = alertmanager::read(&body);
        _ = generic::read(&body);
    }

    #[test]
    fn no_alert_breaks_its_bounds(name in "\\PC*", value in any::<String>(), time in "[0-9]{4}-1[0-2]-2[0-8]T0[0-9]:00:00Z") {
        let mut given = database_down();
        given["labels"][name.as_str()] = value.clone().into();
        given["annotations"]["summary"] = value.clone().into();
        given["startsAt"] = time.into();
        given["generatorURL"] = value.into();
        let alert = read_one(given);
        prop_assert!(alert.summary.chars().count() <= 500 && !alert.summary.contains(char::is_control));
        prop_assert!(alert.labels.iter().all(|(name, value)| !name.contains(char::is_control) && value.chars().count() <= 300));
        let text = serde_json::to_string(&alert).unwrap();
        prop_assert_eq!(serde_json::from_str::<Alert>(&text).unwrap(), alert);
    }
}
