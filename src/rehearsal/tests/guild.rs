use super::*;
use crate::rehearsal::{permissions, render, rest::guilds::give_role};

#[test]
fn a_person_can_be_written_to_directly() {
    let mut play = Play::new();
    let open = json!({"recipient_id": world::LENA.to_string()});
    let channel = play.ask("POST", "/users/@me/channels", open.clone());
    assert_eq!((&channel["type"], &channel["recipients"][0]["username"]), (&json!(1), &json!("lena")));
    assert_eq!(play.ask("POST", "/users/@me/channels", open)["id"], channel["id"]);
    play.events();
    let path = format!("/channels/{}/messages", channel["id"].as_str().unwrap());
    play.ask("POST", &path, json!({"content": "You are paged"}));
    let (name, message) = play.events().pop().unwrap();
    assert_eq!((name.as_str(), message.get("guild_id")), ("MESSAGE_CREATE", None));
    let nobody = json!({"recipient_id": world::BOT_USER.to_string()});
    assert_eq!(play.code("POST", "/users/@me/channels", nobody), 50033);
}

#[test]
fn roles_and_members_are_listed() {
    let mut play = Play::new();
    let guild = format!("/guilds/{}", world::GUILD);
    let roles = play.ask("GET", &format!("{guild}/roles"), Value::Null);
    let names: Vec<&str> = roles.as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["@everyone", "operator", "dba", "lead", "bot"]);
    let members = play.ask("GET", &format!("{guild}/members?limit=1000"), Value::Null);
    assert_eq!(members.as_array().unwrap().len(), play.state.people.len());
    let omar = play.ask("GET", &format!("{guild}/members/{}", world::OMAR), Value::Null);
    assert_eq!(omar["roles"], json!([world::ROLE_DBA.to_string()]));
}

#[test]
fn a_role_given_is_in_the_next_interaction() {
    let mut play = Play::new();
    give_role(&mut play.state, world::DANA, world::ROLE_LEAD, true);
    assert_eq!(play.events().pop().unwrap().0, "GUILD_MEMBER_UPDATE");
    play.go();
    let roles = play.events().pop().unwrap().1["member"]["roles"].clone();
    assert_eq!(roles, json!([world::ROLE_OPERATOR.to_string(), world::ROLE_LEAD.to_string()]));
}

#[test]
fn the_bot_has_what_it_needs_and_no_more() {
    let play = Play::new();
    let held = play.state.permissions(world::BOT_USER, world::INCIDENTS);
    for needed in [permissions::SEND_MESSAGES, permissions::EMBED_LINKS, permissions::CREATE_PUBLIC_THREADS] {
        assert_ne!(held & needed, 0);
    }
    for spared in [permissions::ADMINISTRATOR, permissions::MANAGE_ROLES, permissions::MENTION_EVERYONE] {
        assert_eq!(held & spared, 0);
    }
}

#[test]
fn a_channel_that_the_bot_does_not_see_is_not_in_its_guild() {
    let mut play = Play::new();
    play.fault(json!({"kind": "deny", "channel": "ops", "permission": "view"}));
    let guild = render::guild_create(&play.state);
    let names: Vec<&str> =
        guild["channels"].as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["incidents"]);
}
