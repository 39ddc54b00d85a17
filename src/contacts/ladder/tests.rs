use std::collections::BTreeMap;

use super::*;
use crate::{
    clock::Timestamp,
    config::settings::{DiscordId, Priority, RungSettings, Scenario},
    contacts::Phone,
    run::{event::Person, rungs},
};

fn created(responsible: &[&str], ladder: &[(u8, &[&str])]) -> Created {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let scenario = Scenario {
        name: "Corruption".to_owned(),
        rto: "30m".parse().unwrap(),
        rpo: "10m".parse().unwrap(),
        priority: Priority::Critical,
        responsible: names(responsible),
    };
    let ladder: Vec<_> =
        ladder.iter().map(|(at, page)| RungSettings { at: *at, page: names(page), reach: None }).collect();
    let command = serde_json::from_value(serde_json::json!({
        "name": "restore-db", "summary": "Restores", "risk": "destructive", "roles": [], "steps": [],
    }));
    Created {
        command: command.unwrap(),
        definition_hash: String::new(),
        options: BTreeMap::new(),
        requester: Person { id: DiscordId(1), name: "Dana".to_owned() },
        requester_roles: Vec::new(),
        channel: DiscordId(2),
        target: serde_json::Value::Null,
        rungs: rungs::of(Some(&scenario), &ladder, Timestamp::from_timestamp_micros(0).unwrap()),
        scenario: Some(scenario),
        incident: None,
        lock: None,
        glass: None,
        undone: None,
        locked_down: None,
    }
}

fn contact(role: &str, name: &str, user: u64) -> Contact {
    Contact {
        role: role.to_owned(),
        name: name.to_owned(),
        discord: (user > 0).then_some(DiscordId(user)),
        primary: Some(Phone::parse("+49 30 1234567").unwrap()),
        secondary: None,
        emergency: None,
        prefers: Vec::new(),
        verified: None,
    }
}

fn names(callout: &Callout) -> Vec<&str> {
    callout.called.iter().map(|called| called.name.as_str()).collect()
}

const LADDER: &[(u8, &[&str])] = &[(50, &["responsible"]), (75, &["Business"]), (100, &["everyone"])];

#[test]
fn a_rung_calls_its_own_people_and_those_below() {
    let contacts = [contact("DBA", "Omar", 3), contact("Business", "Gil", 4), contact("Lead", "Lena", 5)];
    let run = created(&["dba"], LADDER);
    assert_eq!(names(&callout(&run, 50, None, &contacts).unwrap()), ["Omar"]);
    let later = callout(&run, 75, None, &contacts).unwrap();
    assert_eq!((names(&later), &*later.passed_over), (vec!["Omar", "Gil"], &[50][..]));
    let last = callout(&run, 100, Some(75), &contacts).unwrap();
    assert_eq!((names(&last), &*last.passed_over), (vec!["Omar", "Gil", "Lena"], &[][..]));
    assert_eq!(callout(&run, 60, None, &contacts), None);
}

#[test]
fn where_nobody_is_responsible_everybody_is() {
    let contacts = [contact("DBA", "Omar", 3), contact("Lead", "Lena", 5), contact("Second", "Lena", 5)];
    assert_eq!(names(&callout(&created(&[], LADDER), 50, None, &contacts).unwrap()), ["Omar", "Lena"]);
}

#[test]
fn a_rung_without_anybody_to_reach_gives_way_to_the_next_at_once() {
    let contacts = [contact("DBA", "Omar", 0), contact("Lead", "Lena", 5)];
    let used = callout(&created(&["DBA"], LADDER), 50, None, &contacts).unwrap();
    assert_eq!((used.percent, names(&used), &*used.passed_over), (100, vec!["Lena"], &[50, 75][..]));
    assert_eq!(used.unreachable, ["Omar (DBA)", "Business"]);
}

#[test]
fn with_nobody_at_all_the_rung_itself_is_used_and_says_so() {
    let used = callout(&created(&["DBA"], LADDER), 50, None, &[]).unwrap();
    assert_eq!((used.percent, names(&used), &*used.unreachable), (50, vec![], &["DBA".to_owned()][..]));
}

#[test]
fn what_a_policy_names_and_no_contact_has_is_found() {
    let named = ["everyone", "responsible", "dba", "Security", "Security"].map(str::to_owned);
    assert_eq!(gaps(&named, &[contact("DBA", "Omar", 0)]), ["Security"]);
}
