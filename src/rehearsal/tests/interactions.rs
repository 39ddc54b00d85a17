use super::*;

fn says(content: &str) -> Value {
    json!({"type": 4, "data": {"content": content}})
}

fn quietly(content: &str) -> Value {
    json!({"type": 4, "data": {"content": content, "flags": 64}})
}

fn modal() -> Value {
    let input = json!({"type": 4, "custom_id": "why", "style": 1, "label": "Why?", "max_length": 5});
    json!({"type": 9, "data": {"custom_id": "form", "title": "A form", "components": [row(vec![input])]}})
}

#[test]
fn an_answer_comes_once_and_within_three_seconds() {
    let mut play = Play::new();
    let prompt = play.go();
    play.pass(TimeDelta::seconds(3));
    play.ask("POST", &callback(&prompt), says("in time"));
    assert_eq!(play.code("POST", &callback(&prompt), says("twice")), 40060);
    let late = play.go();
    play.pass(TimeDelta::milliseconds(3001));
    assert_eq!(play.code("POST", &callback(&late), says("late")), 10062);
    assert_eq!(play.code("POST", "/interactions/1/token/callback", says("whose?")), 10062);
}

#[test]
fn a_token_lives_for_fifteen_minutes() {
    let mut play = Play::new();
    let prompt = play.go();
    assert_eq!(play.code("PATCH", &original(&prompt), json!({"content": "too early"})), 10015);
    play.ask("POST", &callback(&prompt), says("a"));
    play.pass(TimeDelta::minutes(15));
    play.ask("PATCH", &original(&prompt), json!({"content": "b"}));
    play.pass(TimeDelta::seconds(1));
    let error = play.send("POST", &webhook(&prompt), json!({"content": "c"}), vec![]).unwrap_err();
    assert_eq!((error.status, error.code), (401, 50027));
    assert_eq!(play.code("POST", "/webhooks/1/nobody", json!({"content": "c"})), 10015);
}

#[test]
fn a_type_must_fit_what_the_person_did() {
    let mut play = Play::new();
    let prompt = play.go();
    for kind in [6, 7, 8] {
        let body = json!({"type": kind, "data": {"content": "x", "choices": []}});
        assert_eq!(play.wrong("POST", &callback(&prompt), body, "type"), "INTERACTION_RESPONSE_TYPE_INVALID");
    }
    assert_eq!(play.wrong("POST", &callback(&prompt), json!({"type": 3}), "type"), "BASE_TYPE_CHOICES");
    play.ask("POST", &callback(&prompt), modal());
    let form = json!({"person": "Dana", "modal": prompt.id.to_string(), "values": {"why": "rain"}});
    let id = people::start_submit(&mut play.state, &form).unwrap().unwrap();
    let submitted = play.state.interactions[&id].clone();
    assert_eq!(play.wrong("POST", &callback(&submitted), modal(), "type"), "INTERACTION_RESPONSE_TYPE_INVALID");
    play.ask("POST", &callback(&submitted), says("thanks"));
    assert!(people::start_submit(&mut play.state, &form).unwrap_err().message.contains("submitted before"));
}

#[test]
fn a_form_is_checked_as_it_is_filled_in() {
    let mut play = Play::new();
    let prompt = play.go();
    play.ask("POST", &callback(&prompt), modal());
    let mut submit = |values: Value| {
        let body = json!({"person": "Dana", "modal": prompt.id.to_string(), "values": values});
        people::start_submit(&mut play.state, &body).unwrap_err().message
    };
    assert!(submit(json!({})).contains("is required"));
    assert!(submit(json!({"why": "too long"})).contains("0 to 5 characters"));
    assert!(submit(json!({"why": "a", "how": "b"})).contains("no field \"how\"; fields: why"));
}

#[test]
fn a_deferred_answer_is_filled_in_by_the_first_follow_up() {
    let mut play = Play::new();
    let prompt = play.go();
    play.ask("POST", &callback(&prompt), json!({"type": 5, "data": {"flags": 64}}));
    let waiting = play.ask("GET", &original(&prompt), Value::Null);
    assert_eq!(waiting["flags"], 64 | 128);
    let first = play.ask("POST", &webhook(&prompt), json!({"content": "done"}));
    assert_eq!((&first["id"], &first["flags"], &first["content"]), (&waiting["id"], &json!(64), &json!("done")));
    let second = play.ask("POST", &webhook(&prompt), json!({"content": "more"}));
    assert_ne!(second["id"], waiting["id"]);
    play.ask("DELETE", &format!("{}/messages/{}", webhook(&prompt), second["id"].as_str().unwrap()), Value::Null);
}

#[test]
fn an_ephemeral_message_is_beyond_the_bots_token() {
    let mut play = Play::new();
    let prompt = play.go();
    play.events();
    play.ask("POST", &callback(&prompt), quietly("psst"));
    let id = play.ask("GET", &original(&prompt), Value::Null)["id"].as_str().unwrap().to_owned();
    assert_eq!(play.code("GET", &message(&id), Value::Null), 10008);
    assert_eq!(play.code("PATCH", &message(&id), json!({"content": "x"})), 10008);
    assert_eq!(play.ask("GET", &messages(), Value::Null), json!([]));
    assert!(play.events().is_empty());
    play.ask("PATCH", &original(&prompt), json!({"content": "psst!"}));
}

#[test]
fn a_press_updates_its_message_now_or_later() {
    let mut play = Play::new();
    let id = play.posts(json!({"content": "card", "components": [row(vec![button("ok", "OK")])]}));
    let press = play.clicks("OK");
    let updated = play.ask(
        "POST",
        &format!("{}?with_response=true", callback(&press)),
        json!({
            "type": 7, "data": {"content": "pressed"},
        }),
    );
    assert_eq!(updated["resource"]["message"]["id"], *id);
    assert_eq!(updated["interaction"]["response_message_id"], *id);
    let press = play.clicks("OK");
    play.ask("POST", &callback(&press), json!({"type": 6}));
    assert_eq!(play.ask("GET", &original(&press), Value::Null)["id"], *id);
    let edited = play.ask("PATCH", &original(&press), json!({"content": "later", "components": []}));
    assert_eq!((&edited["content"], &edited["components"]), (&json!("later"), &json!([])));
}

#[test]
fn an_interaction_says_who_where_and_what_they_may() {
    let mut play = Play::new();
    play.registers(json!([{"name": "ask", "description": "Ask", "options": [
        {"type": 6, "name": "who", "description": "Who", "required": true},
        {"type": 7, "name": "where", "description": "Where"},
        {"type": 8, "name": "role", "description": "Role"},
        {"type": 4, "name": "count", "description": "How many", "max_value": 3},
    ]}]));
    let options = json!({"who": "Omar", "where": "#ops", "role": "dba", "count": 2});
    play.command(json!({"person": "Dana", "channel": "incidents", "command": "ask", "options": options})).unwrap();
    let (name, body) = play.events().pop().unwrap();
    assert_eq!(name, "INTERACTION_CREATE");
    assert_eq!(body["guild_id"], world::GUILD.to_string());
    assert_eq!(body["member"]["roles"], json!([world::ROLE_OPERATOR.to_string()]));
    assert!(body["member"]["permissions"].is_string() && body["app_permissions"].is_string());
    assert_eq!(body["data"]["options"][3], json!({"name": "count", "type": 4, "value": 2}));
    let resolved = &body["data"]["resolved"];
    assert_eq!(resolved["users"][world::OMAR.to_string()]["username"], "omar");
    assert_eq!(resolved["channels"][world::OPS.to_string()]["name"], "ops");
    assert_eq!(resolved["roles"][world::ROLE_DBA.to_string()]["name"], "dba");
}

#[test]
fn a_persons_mistake_is_told_with_what_to_do() {
    let mut play = Play::new();
    play.registers(json!([{"name": "restore", "description": "Restore", "options": [
        {"type": 3, "name": "target", "description": "What to restore", "required": true,
         "choices": [{"name": "Main", "value": "main"}]},
        {"type": 4, "name": "count", "description": "How many", "max_value": 3},
    ]}]));
    let mut told = |change: Value| {
        let mut body =
            json!({"person": "Dana", "channel": "incidents", "command": "restore", "options": {"target": "main"}});
        crate::rehearsal::render::merge(&mut body, change);
        play.command(body).unwrap_err().message
    };
    assert!(told(json!({"person": "Eve"})).contains("there are Dana, Omar, Lena, Gil"));
    assert!(told(json!({"channel": "#secret"})).contains("#incidents, #ops"));
    assert!(told(json!({"command": "restart"})).contains("commands: /restore"));
    assert!(told(json!({"options": {}})).contains("\"target\" is required: What to restore"));
    assert!(told(json!({"options": {"target": "other"}})).contains("is one of Main"));
    assert!(told(json!({"options": {"target": "main", "count": "two"}})).contains("takes a whole number, not \"two\""));
    assert!(told(json!({"options": {"target": "main", "count": 4}})).contains("to 3"));
    assert!(
        told(json!({"options": {"target": "main", "size": 4}})).contains("no option \"size\"; options: target, count")
    );
}

#[test]
fn choices_answer_an_option_that_is_being_typed() {
    let mut play = Play::new();
    play.registers(json!([{"name": "restore", "description": "Restore", "options": [
        {"type": 3, "name": "target", "description": "What", "autocomplete": true, "required": true},
    ]}]));
    let body = json!({"person": "Dana", "channel": "ops", "command": "restore", "options": {"target": "ma"}, "focused": "target"});
    let id = people::start_autocomplete(&mut play.state, &body).unwrap().unwrap();
    let typing = play.state.interactions[&id].clone();
    assert_eq!(play.events().pop().unwrap().1["data"]["options"][0]["focused"], true);
    let many: Vec<Value> = (0..26).map(|n| json!({"name": n.to_string(), "value": "v"})).collect();
    let many = json!({"type": 8, "data": {"choices": many}});
    assert_eq!(play.wrong("POST", &callback(&typing), many, "data.choices"), "BASE_TYPE_BAD_LENGTH");
    play.ask("POST", &callback(&typing), json!({"type": 8, "data": {"choices": [{"name": "Main", "value": "main"}]}}));
    assert_eq!(play.state.interactions[&id].choices.as_ref().unwrap().len(), 1);
}

#[test]
fn a_duplicated_interaction_has_one_id() {
    let mut play = Play::new();
    play.fault(json!({"kind": "duplicate_interactions"}));
    play.go();
    let events = play.events();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].1["id"], events[1].1["id"]);
}

#[test]
fn an_answer_and_its_edit_can_carry_files() {
    let mut play = Play::new();
    let prompt = play.go();
    let body = json!({"type": 4, "data": {"attachments": [{"id": 0, "filename": "plan.txt"}]}});
    play.send("POST", &callback(&prompt), body, vec![upload(0, "plan.txt", 3)]).unwrap();
    let edit = json!({"content": "without", "embeds": [{"image": {"url": "attachment://chart.png"}}], "attachments": [{"id": 0}]});
    let edited = play.send("PATCH", &original(&prompt), edit, vec![upload(0, "chart.png", 5)]).unwrap().body.unwrap();
    assert_eq!(edited["attachments"].as_array().unwrap().len(), 1);
    assert_eq!(edited["embeds"][0]["image"]["url"], edited["attachments"][0]["url"]);
    play.ask("DELETE", &original(&prompt), Value::Null);
    assert_eq!(play.code("GET", &original(&prompt), Value::Null), 10008);
}

#[test]
fn a_command_of_the_server_is_not_in_direct_messages() {
    let mut play = Play::new();
    play.go();
    play.ask("POST", "/users/@me/channels", json!({"recipient_id": world::DANA.to_string()}));
    let told = play.command(json!({"person": "Dana", "channel": "@dana", "command": "go"})).unwrap_err().message;
    assert!(told.contains("not there in direct messages"), "{told}");
    let told = play.command(json!({"person": "Gil", "channel": "@dana", "command": "go"})).unwrap_err().message;
    assert!(told.contains("does not see"), "{told}");
}

#[test]
fn a_deed_asked_for_again_by_its_nonce_is_done_once() {
    let mut play = Play::new();
    play.go();
    play.events();
    let mut again = |nonce: &str| {
        let body = json!({"person": "Dana", "channel": "#incidents", "command": "/go", "nonce": nonce});
        people::once(&mut play.state, &body, people::start_command).unwrap()
    };
    let (first, second, other) = (again("a"), again("a"), again("b"));
    assert_eq!(first, second);
    assert_ne!(first, other);
    assert_ne!(again(""), again(""));
    assert_eq!(play.events().len(), 4);
}
