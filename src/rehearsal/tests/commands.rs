use super::*;

#[test]
fn a_bulk_overwrite_keeps_the_ids_of_namesakes() {
    let mut play = Play::new();
    let first = play.registers(json!([{"name": "a", "description": "A"}, {"name": "b", "description": "B"}]));
    let second = play.registers(json!([{"name": "b", "description": "B"}, {"name": "c", "description": "C"}]));
    assert_eq!(second[0]["id"], first[1]["id"]);
    assert_eq!(second[0]["version"], first[1]["version"]);
    assert_eq!(play.ask("GET", &commands_path(), Value::Null), second);
    let third = play.registers(json!([{"name": "b", "description": "Better"}]));
    assert_eq!(third[0]["id"], first[1]["id"]);
    assert_ne!(third[0]["version"], first[1]["version"]);
}

#[test]
fn registration_has_limits() {
    let mut play = Play::new();
    let wrong = |play: &mut Play, body: Value, field: &str| play.wrong("PUT", &commands_path(), json!([body]), field);
    let option =
        |name: &str, required: bool| json!({"type": 3, "name": name, "description": "d", "required": required});
    let body = json!({"name": "Upper", "description": "d"});
    assert_eq!(wrong(&mut play, body, "0.name"), "APPLICATION_COMMAND_INVALID_NAME");
    assert_eq!(wrong(&mut play, json!({"name": "a", "description": ""}), "0.description"), "BASE_TYPE_REQUIRED");
    let body = json!({"name": "a", "description": "x".repeat(101)});
    assert_eq!(wrong(&mut play, body, "0.description"), "BASE_TYPE_MAX_LENGTH");
    let options: Vec<Value> = (0..26).map(|n| option(&n.to_string(), false)).collect();
    let body = json!({"name": "a", "description": "d", "options": options});
    assert_eq!(wrong(&mut play, body, "0.options"), "BASE_TYPE_BAD_LENGTH");
    let body = json!({"name": "a", "description": "d", "options": [option("x", false), option("y", true)]});
    assert_eq!(wrong(&mut play, body, "0.options.1"), "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID");
    let choices: Vec<Value> =
        (0..25).map(|n| json!({"name": format!("{n}{}", "x".repeat(98)), "value": "v".repeat(100)})).collect();
    let heavy = |name: &str| json!({"type": 3, "name": name, "description": "d", "choices": choices.clone()});
    let body = json!({"name": "a", "description": "d", "options": [heavy("x"), heavy("y")]});
    assert_eq!(wrong(&mut play, body, "0"), "APPLICATION_COMMAND_TOO_LARGE");
    let twice = json!([{"name": "a", "description": "d"}, {"name": "a", "description": "d"}]);
    assert_eq!(play.wrong("PUT", &commands_path(), twice, "1.name"), "APPLICATION_COMMANDS_DUPLICATE_NAME");
    let many: Vec<Value> = (0..101).map(|n| json!({"name": format!("c{n}"), "description": "d"})).collect();
    assert_eq!(play.code("PUT", &commands_path(), json!(many)), 30032);
}

#[test]
fn two_hundred_commands_are_created_a_day() {
    let mut play = Play::new();
    let batch = |prefix: &str| {
        let commands: Vec<Value> =
            (0..100).map(|n| json!({"name": format!("{prefix}{n}"), "description": "d"})).collect();
        json!(commands)
    };
    play.registers(batch("a"));
    play.registers(batch("b"));
    play.registers(batch("b"));
    assert_eq!(play.code("PUT", &commands_path(), batch("c")), 30034);
    play.pass(TimeDelta::days(1));
    play.registers(batch("c"));
}

#[test]
fn a_command_can_be_kept_from_people() {
    let mut play = Play::new();
    play.registers(json!([{"name": "go", "description": "Go", "default_member_permissions": "8"}]));
    let told = play.command(json!({"person": "Gil", "channel": "ops", "command": "go"})).unwrap_err().message;
    assert!(told.contains("may not use /go"), "{told}");
}

#[test]
fn subcommands_are_named_after_the_command() {
    let mut play = Play::new();
    play.registers(json!([{"name": "db", "description": "Databases", "options": [
        {"type": 1, "name": "drop", "description": "Drop", "options": [
            {"type": 5, "name": "sure", "description": "Sure", "required": true},
        ]},
    ]}]));
    let body = json!({"person": "Dana", "channel": "ops", "command": "db drop", "options": {"sure": true}});
    play.command(body).unwrap();
    let data = play.events().pop().unwrap().1["data"]["options"].clone();
    assert_eq!(data, json!([{"name": "drop", "type": 1, "options": [{"name": "sure", "type": 5, "value": true}]}]));
}
