use serde_json::{Value, json};

use super::*;
use crate::{clock::Clock, rehearsal::permissions};

fn state() -> State {
    State::new(Clock::system(), true, "token".to_owned(), "http://127.0.0.1:1".to_owned(), false)
}

fn active(state: &State) -> Vec<String> {
    let kinds = kinds(state);
    let on = kinds.as_array().unwrap().iter().filter(|kind| kind["active"] == true);
    on.map(|kind| kind["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_rest_fault_is_used_up() {
    let mut state = state();
    let fault = json!({"kind": "rest_status", "path": "/users/*", "status": 503, "times": 2, "method": "GET"});
    set(&mut state, &fault).unwrap();
    assert_eq!(active(&state), ["rest_status"]);
    let faults = &mut state.faults;
    assert!(faults.rest("POST", "/users/@me").is_none());
    assert_eq!(faults.rest("GET", "/users/@me"), Some(How::Status { status: 503, code: 0, after: false }));
    assert!(faults.rest("GET", "/users/1").is_some());
    assert!(faults.rest("GET", "/users/1").is_none());
    assert!(active(&state).is_empty());
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    let says = |body: Value| set(&mut state(), &body).unwrap_err();
    assert!(says(json!({})).contains("say \"kind\": one of drop_gateway"));
    assert!(says(json!({"kind": "flood"})).contains("there is no fault \"flood\""));
    assert!(says(json!({"kind": "slow_ms"})).contains("slow_ms needs \"ms\", a number from 0"));
    assert!(says(json!({"kind": "slow_ms", "ms": -1})).contains("a number from 0"));
    assert!(says(json!({"kind": "deny", "channel": "ops", "permission": "all"})).contains("one of view"));
    assert!(says(json!({"kind": "deny", "channel": "nowhere", "permission": "view"})).contains("no channel"));
    assert!(says(json!({"kind": "reconnect", "on": true})).contains("no field \"on\"; it has: none"));
    assert!(says(json!({"kind": "close_gateway", "code": 1000})).contains("one of 4000"));
}

/// What a page's form sends: everything as text, and what was left empty as an empty text.
#[test]
fn texts_of_a_form_are_numbers_and_switches_too() {
    let mut state = state();
    let body = json!({"kind": "rate_limit", "retry_after": "1.5", "global": "true", "path": "", "times": "0"});
    set(&mut state, &body).unwrap();
    let expected = How::RateLimit { retry_after: Some(1.5), global: true };
    for _ in 0..3 {
        assert_eq!(state.faults.rest("GET", "/anything"), Some(expected.clone()));
    }
    set(&mut state, &json!({"kind": "close_gateway", "code": 4004, "again": true})).unwrap();
    assert_eq!(active(&state), ["close_gateway", "rate_limit"]);
    set(&mut state, &json!({"kind": "clear"})).unwrap();
    assert!(active(&state).is_empty());
}

#[test]
fn every_permission_can_be_taken_and_given_back() {
    let mut state = state();
    for (name, _) in permissions::NAMED {
        set(&mut state, &json!({"kind": "deny", "channel": "#ops", "permission": name})).unwrap();
    }
    assert_eq!(active(&state), ["deny"]);
    for (name, _) in permissions::NAMED {
        set(&mut state, &json!({"kind": "deny", "channel": "#ops", "permission": name, "on": false})).unwrap();
    }
    assert!(active(&state).is_empty());
}

#[test]
fn a_deleted_channel_is_gone_with_its_messages_until_all_is_cleared() {
    let mut state = state();
    let say = json!({"person": "Dana", "channel": "ops", "content": "hello"});
    crate::rehearsal::control::people::say(&mut state, &say).unwrap();
    set(&mut state, &json!({"kind": "delete_channel", "channel": "#ops"})).unwrap();
    assert!(state.channel(crate::rehearsal::world::OPS).is_err());
    assert!(state.messages.is_empty());
    assert_eq!(active(&state), ["delete_channel"]);
    set(&mut state, &json!({"kind": "clear"})).unwrap();
    assert!(state.channel(crate::rehearsal::world::OPS).is_ok());
}

/// The table in docs/rehearsal.md has a row for each kind, with its fields.
#[test]
fn the_document_describes_every_fault() {
    let document = include_str!("../../../docs/rehearsal.md");
    for (kind, fields) in described() {
        let row = document.lines().find(|line| line.starts_with(&format!("| `{kind}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/rehearsal.md has no row for {kind}"));
        let with = row.split('|').nth(2).unwrap();
        let named: Vec<_> = with.split('`').skip(1).step_by(2).collect();
        let fields: Vec<_> = fields.as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect();
        assert_eq!(named, fields, "the fields of {kind}");
    }
    let rows = document.split("### `POST fault`").nth(1).unwrap().split("\n## ").next().unwrap();
    // The head of the table is one of them.
    let rows = rows.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, described().len() + 1, "docs/rehearsal.md describes a fault that is not there");
}
