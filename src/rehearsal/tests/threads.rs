use super::*;

fn thread_of(play: &mut Play, id: &str) -> Value {
    play.ask("POST", &format!("{}/threads", message(id)), json!({"name": "Details", "auto_archive_duration": 60}))
}

#[test]
fn a_message_has_one_thread_of_its_own_id() {
    let mut play = Play::new();
    let id = play.posts(json!({"content": "card"}));
    let thread = thread_of(&mut play, &id);
    assert_eq!((&thread["id"], &thread["type"]), (&json!(id), &json!(11)));
    assert_eq!(play.code("POST", &format!("{}/threads", message(&id)), json!({"name": "Again"})), 160_004);
    assert_eq!(play.ask("GET", &message(&id), Value::Null)["thread"]["name"], "Details");
    let inside = play.ask("POST", &format!("/channels/{id}/messages"), json!({"content": "step 1"}));
    assert_eq!(inside["channel_id"], *id);
}

#[test]
fn names_and_archive_times_are_checked() {
    let mut play = Play::new();
    let id = play.posts(json!({"content": "card"}));
    let path = format!("{}/threads", message(&id));
    assert_eq!(play.wrong("POST", &path, json!({"name": ""}), "name"), "BASE_TYPE_REQUIRED");
    assert_eq!(play.wrong("POST", &path, json!({"name": "x".repeat(101)}), "name"), "BASE_TYPE_BAD_LENGTH");
    let odd = json!({"name": "x", "auto_archive_duration": 90});
    assert_eq!(play.wrong("POST", &path, odd, "auto_archive_duration"), "BASE_TYPE_CHOICES");
}

#[test]
fn an_archived_thread_takes_no_edits_and_a_message_opens_it() {
    let mut play = Play::new();
    let id = play.posts(json!({"content": "card"}));
    thread_of(&mut play, &id);
    let thread = format!("/channels/{id}");
    let inside =
        play.ask("POST", &format!("{thread}/messages"), json!({"content": "a"}))["id"].as_str().unwrap().to_owned();
    play.ask("PATCH", &thread, json!({"archived": true}));
    assert_eq!(play.code("PATCH", &format!("{thread}/messages/{inside}"), json!({"content": "b"})), 50083);
    assert_eq!(play.code("PATCH", &thread, json!({"name": "Other"})), 50083);
    play.ask("POST", &format!("{thread}/messages"), json!({"content": "c"}));
    assert_eq!(play.ask("GET", &thread, Value::Null)["thread_metadata"]["archived"], false);
}

#[test]
fn a_silent_thread_archives_itself() {
    let mut play = Play::new();
    let id = play.posts(json!({"content": "card"}));
    thread_of(&mut play, &id);
    play.pass(TimeDelta::minutes(60));
    play.events();
    assert_eq!(play.ask("GET", &format!("/channels/{id}"), Value::Null)["thread_metadata"]["archived"], true);
    assert_eq!(play.events()[0].0, "THREAD_UPDATE");
}
