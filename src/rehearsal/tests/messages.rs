use super::*;

#[test]
fn ids_rise_and_come_from_the_clock() {
    let mut play = Play::new();
    let first: u64 = play.posts(json!({"content": "a"})).parse().unwrap();
    let second: u64 = play.posts(json!({"content": "b"})).parse().unwrap();
    assert!(second > first && first > world::GIL);
    let made = i64::try_from(first >> 22).unwrap() + 1_420_070_400_000;
    assert_eq!(made, play.state.now().timestamp_millis());
}

#[test]
fn a_message_has_limits() {
    let mut play = Play::new();
    let post = |play: &mut Play, body: Value, field: &str| play.wrong("POST", &messages(), body, field);
    let long = |length: usize| "x".repeat(length);
    assert_eq!(post(&mut play, json!({"content": long(2001)}), "content"), "BASE_TYPE_MAX_LENGTH");
    assert_eq!(post(&mut play, json!({"content": "a", "nonce": long(26)}), "nonce"), "BASE_TYPE_MAX_LENGTH");
    assert_eq!(post(&mut play, json!({"content": "a", "colour": 1}), "colour"), "UNKNOWN_FIELD");
    let embeds: Vec<Value> = (0..11).map(|_| json!({"title": "t"})).collect();
    assert_eq!(post(&mut play, json!({"embeds": embeds}), "embeds"), "BASE_TYPE_BAD_LENGTH");
    let big = json!({"embeds": [{"description": long(4000)}, {"description": long(2001)}]});
    assert_eq!(post(&mut play, big, "embeds"), "MAX_EMBED_SIZE_EXCEEDED");
    let field = json!({"embeds": [{"fields": [{"name": "n", "value": long(1025)}]}]});
    assert_eq!(post(&mut play, field, "embeds.0.fields.0.value"), "BASE_TYPE_BAD_LENGTH");
    assert_eq!(play.code("POST", &messages(), json!({})), 50006);
    assert_eq!(play.code("POST", &messages(), json!({"content": " \n"})), 50006);
}

#[test]
fn components_have_limits() {
    let mut play = Play::new();
    let post = |play: &mut Play, components: Value, field: &str| {
        play.wrong("POST", &messages(), json!({"content": "a", "components": components}), field)
    };
    let six: Vec<Value> = (0..6).map(|n| button(&n.to_string(), "x")).collect();
    assert_eq!(post(&mut play, json!([row(six)]), "components.0.components"), "BASE_TYPE_BAD_LENGTH");
    let rows: Vec<Value> = (0..6).map(|n| row(vec![button(&n.to_string(), "x")])).collect();
    assert_eq!(post(&mut play, json!(rows), "components"), "BASE_TYPE_BAD_LENGTH");
    let twice = json!([row(vec![button("a", "x"), button("a", "y")])]);
    assert_eq!(post(&mut play, twice, "components.0.components.1.custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED");
    let select = json!({"type": 3, "custom_id": "s", "options": [{"label": "a", "value": "a"}]});
    let mixed = json!([row(vec![button("a", "x"), select])]);
    assert_eq!(post(&mut play, mixed, "components.0.components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED");
    let link = json!([row(vec![json!({"type": 2, "style": 5, "label": "x"})])]);
    assert_eq!(post(&mut play, link, "components.0.components.0.url"), "BASE_TYPE_REQUIRED");
    let v2 = json!([{"type": 10, "content": "text"}]);
    assert_eq!(post(&mut play, v2, "components.0.type"), "BASE_TYPE_CHOICES");
}

#[test]
fn an_enforced_nonce_makes_one_message_for_five_minutes() {
    let mut play = Play::new();
    let body = json!({"content": "once", "nonce": "run-1", "enforce_nonce": true});
    let first = play.posts(body.clone());
    assert_eq!(play.posts(body.clone()), first);
    assert_ne!(play.posts(json!({"content": "once", "nonce": "run-1"})), first);
    play.pass(TimeDelta::minutes(6));
    assert_ne!(play.posts(body), first);
}

#[test]
fn an_old_message_takes_few_edits() {
    let mut play = Play::new();
    let id = play.posts(json!({"content": "card"}));
    for _ in 0..20 {
        play.ask("PATCH", &message(&id), json!({"content": "young"}));
    }
    play.pass(TimeDelta::minutes(61));
    for _ in 0..5 {
        play.ask("PATCH", &message(&id), json!({"content": "old"}));
    }
    let error = play.send("PATCH", &message(&id), json!({"content": "too much"}), vec![]).unwrap_err();
    assert_eq!((error.status, error.code, error.retry_after), (429, 30046, Some(3600.0)));
    play.pass(TimeDelta::minutes(61));
    play.ask("PATCH", &message(&id), json!({"content": "again"}));
}

#[test]
fn errors_have_discords_numbers() {
    let mut play = Play::new();
    assert_eq!(play.code("PATCH", &message("1"), json!({"content": "x"})), 10008);
    assert_eq!(play.code("GET", "/channels/1", Value::Null), 10003);
    assert_eq!(play.code("GET", &format!("/guilds/{}/members/1", world::GUILD), Value::Null), 10007);
    assert_eq!(play.code("GET", "/guilds/1", Value::Null), 10004);
    let gil = people::say(&mut play.state, &json!({"person": "Gil", "channel": "ops", "content": "hello"})).unwrap();
    let path = format!("/channels/{}/messages/{}", world::OPS, gil["id"].as_str().unwrap());
    assert_eq!(play.code("PATCH", &path, json!({"content": "mine"})), 50005);
    let unknown = play.send("GET", "/nowhere", Value::Null, vec![]).unwrap_err();
    assert_eq!((unknown.status, unknown.code), (404, 0));
    assert_eq!(play.state.unknown_fields, ["route GET /nowhere"]);
}

#[test]
fn a_token_is_needed() {
    let mut play = Play::new();
    let request = Request { method: "GET".to_owned(), path: "/users/@me".to_owned(), ..Request::default() };
    assert_eq!(rest::dispatch(&mut play.state, &request).unwrap_err().status, 401);
}

#[test]
fn permissions_are_kept() {
    let mut play = Play::new();
    play.fault(json!({"kind": "deny", "channel": "#incidents", "permission": "send"}));
    assert_eq!(play.code("POST", &messages(), json!({"content": "a"})), 50013);
    play.fault(json!({"kind": "deny", "channel": "#incidents", "permission": "view"}));
    assert_eq!(play.code("POST", &messages(), json!({"content": "a"})), 50001);
    play.fault(json!({"kind": "clear"}));
    play.posts(json!({"content": "a"}));
    let role = format!("/guilds/{}/members/{}/roles/{}", world::GUILD, world::GIL, world::ROLE_DBA);
    assert_eq!(play.code("PUT", &role, Value::Null), 50013);
}

#[test]
fn attachments_are_kept_only_when_listed() {
    let mut play = Play::new();
    let files = vec![upload(0, "a.txt", 3), upload(1, "b b.txt", 4)];
    let body = json!({"attachments": [{"id": 0, "description": "first"}, {"id": 1}]});
    let sent = play.send("POST", &messages(), body, files).unwrap().body.unwrap();
    assert_eq!(sent["attachments"][0]["description"], "first");
    assert_eq!(sent["attachments"][1]["filename"], "b_b.txt");
    let (id, keep) = (sent["id"].as_str().unwrap(), sent["attachments"][1]["id"].clone());
    let plain = play.ask("PATCH", &message(id), json!({"content": "text"}));
    assert_eq!(plain["attachments"].as_array().unwrap().len(), 2);
    let body = json!({"attachments": [{"id": keep}, {"id": "0", "filename": "c.txt"}]});
    let edited = play.send("PATCH", &message(id), body, vec![upload(0, "c.txt", 1)]).unwrap().body.unwrap();
    let names: Vec<&str> =
        edited["attachments"].as_array().unwrap().iter().map(|file| file["filename"].as_str().unwrap()).collect();
    assert_eq!(names, ["b_b.txt", "c.txt"]);

    let missing = json!({"content": "a", "attachments": [{"id": 0}]});
    assert_eq!(play.wrong("POST", &messages(), missing, "attachments.0.id"), "ATTACHMENT_NOT_FOUND");
    let large = vec![upload(0, "large", 10 * 1024 * 1024 + 1)];
    assert_eq!(play.send("POST", &messages(), json!({}), large).unwrap_err().code, 40005);
}

#[test]
fn only_allowed_mentions_ping() {
    let mut play = Play::new();
    let content = format!("<@{}> <@&{}> @everyone", world::DANA, world::ROLE_DBA);
    let loud = play.ask("POST", &messages(), json!({"content": content}));
    assert_eq!(loud["mentions"][0]["username"], "dana");
    assert_eq!(loud["mention_roles"][0], world::ROLE_DBA.to_string());
    assert_eq!(loud["mention_everyone"], false);
    let quiet = play.ask("POST", &messages(), json!({"content": content, "allowed_mentions": {"parse": []}}));
    assert_eq!((&quiet["mentions"], &quiet["mention_roles"]), (&json!([]), &json!([])));
    let both = json!({"content": "a", "allowed_mentions": {"parse": ["users"], "users": ["1"]}});
    assert_eq!(play.wrong("POST", &messages(), both, "allowed_mentions"), "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE");
}

#[test]
fn the_gateway_tells_of_messages() {
    let mut play = Play::new();
    let id = play.posts(json!({"content": "a"}));
    play.ask("PATCH", &message(&id), json!({"content": "b"}));
    play.ask("DELETE", &message(&id), Value::Null);
    let names: Vec<String> = play.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE"]);
}
