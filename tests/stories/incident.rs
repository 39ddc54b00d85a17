//! An incident in the chat: opened, followed in its thread, acknowledged, recovered by a run, closed. With the real bot,
//! killed and started again.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{
    bot::Bot,
    stage::{Stage, has_button},
    until,
};

/// A recovery that waits for somebody.
const RESTORE: &str = r#"
summary  = "Restore it"
scenario = "database-corruption"
risk     = "safe"
roles    = ["operator"]
target   = "prod"

[[steps]]
id    = "which"
name  = "Decide what is restored"
takes = "20s"
ask   = { question = "Which backup?", choices = ["Old", "Older"] }

[recovered]
when = "steps.which.ok"
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir(folder.path().join("commands")).unwrap();
    std::fs::write(folder.path().join("commands/restore-db.toml"), RESTORE).unwrap();
    std::fs::copy(source.join("drbot.toml"), folder.path().join("drbot.toml")).unwrap();
    folder
}

/// The newest message in a channel whose embed's title has this text.
async fn post(stage: &Stage, channel: &str, title: &str) -> Option<Value> {
    let messages = stage.messages(channel, "Lena").await;
    messages
        .into_iter()
        .rev()
        .find(|message| message["embeds"][0]["title"].as_str().is_some_and(|there| there.contains(title)))
}

async fn shows(stage: &Stage, channel: &str, title: &str, text: &str) -> Value {
    until(&format!("the post {title:?} to show {text:?}"), async || {
        post(stage, channel, title).await.filter(|post| post["embeds"][0].to_string().contains(text))
    })
    .await
}

async fn said(stage: &Stage, channel: &str, text: &str) -> Value {
    until(&format!("{text:?} in the thread"), async || {
        let messages = stage.messages(channel, "Lena").await;
        messages.into_iter().find(|message| message["content"].as_str().is_some_and(|there| there.contains(text)))
    })
    .await
}

async fn thread(stage: &Stage, post: &Value) -> String {
    let id = post["id"].clone();
    until("the thread of the incident", async || {
        let state = stage.get("state").await;
        let threads = state["channels"].as_array()?.iter();
        threads.filter(|channel| channel["id"] == id).find_map(|channel| Some(channel["id"].as_str()?.to_owned()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disaster_has_a_thread_a_clock_and_somebody_who_has_it() {
    let folder = folder();
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage).with("DRBOT_CONFIG", &folder.path().display().to_string());
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;

    // Who may not, is told so; who may, opens it once.
    let refused = stage.person("Gil").hears("incident open", json!({"scenario": "database-corruption"})).await;
    assert!(refused.contains("roles"), "{refused}");
    let opened = stage
        .person("Dana")
        .hears("incident open", json!({"scenario": "database-corruption", "text": "rows are gone @everyone"}))
        .await;
    assert!(opened.contains("is open: Database corruption · prod"), "{opened}");
    let absurd = json!({"in": "99999999d", "reason": "never"});
    let refused = stage.person("Lena").hears("incident deadline", absurd).await;
    assert!(refused.contains("up to a week"), "{refused}");
    let refused = stage.person("Gil").hears("incident ack", json!({})).await;
    assert!(refused.contains("roles") && !refused.contains("Database corruption"), "{refused}");
    let again = stage.person("Dana").hears("incident open", json!({"scenario": "database-corruption"})).await;
    assert!(again.contains("was not opened twice"), "{again}");
    let first = shows(&stage, "incidents", "Database corruption", "Dana has it").await;
    assert!(first["embeds"][0].to_string().contains("left of 30 min"), "{first}");
    assert!(first["mention_everyone"] != json!(true));
    let thread = thread(&stage, &first).await;

    // The responsible are told in the thread, and mentioned.
    let call = said(&stage, &thread, "a disaster").await;
    let called: Vec<_> =
        call["mentions"].as_array().unwrap().iter().filter_map(|one| one["username"].as_str()).collect();
    assert!(called.contains(&"omar"), "{call}");

    // Somebody else takes it, notes something, and runs what fits by the post's button.
    stage.person("Omar").clicks_on(&first, "Still on it").await;
    shows(&stage, "incidents", "Database corruption", "Omar has it").await;
    assert_eq!(
        stage.person("Omar").hears("note", json!({"text": "the disk was full `"})).await,
        "Noted in the timeline."
    );
    said(&stage, &thread, "📝 Omar: the disk was full").await;
    stage.person("Dana").clicks_on(&first, "/restore-db").await;
    let card = until("the run's card in the incident's thread", async || {
        post(&stage, &thread, "/restore-db").await.filter(|card| has_button(card, "Old"))
    })
    .await;
    // The clock is the incident's, and what is still needed is an estimate of the file's.
    shows(&stage, &thread, "/restore-db", "estimated").await;
    shows(&stage, "incidents", "Database corruption", "waits for people").await;

    // Killed meanwhile; it goes on, is answered, and recovery is verified.
    bot.kill().await;
    bot.start();
    stage.connected().await;
    stage.person("Dana").clicks_on(&card, "Old").await;
    let recovered = shows(&stage, "incidents", "Database corruption", "Recovered, verified").await;
    assert!(recovered["embeds"][0].to_string().contains("recovered in"), "{recovered}");
    said(&stage, &thread, "recovery is verified").await;
    let listed = stage.person("Dana").types("incident list", json!({})).await;
    assert_eq!(listed["acknowledged"], json!(true));
    stage.person("Dana").clicks_on(&recovered, "Close").await;
    let closed = shows(&stage, "incidents", "Database corruption", "Closed").await;
    assert!(!has_button(&closed, "Close"));
    said(&stage, &thread, "🏁 Dana closed it").await;
    let calls = stage.messages(&thread, "Lena").await;
    let calls =
        calls.iter().filter(|message| message["content"].as_str().is_some_and(|text| text.contains("a disaster")));
    assert_eq!(calls.count(), 1, "nobody is called twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_recovers_offers_an_incident_and_an_unrecovered_one_is_closed_with_a_reason() {
    let folder = folder();
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage).with("DRBOT_CONFIG", &folder.path().display().to_string());
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    stage.person("Dana").types("restore-db", json!({})).await;
    stage.person("Dana").clicks("restore-db", "Open an incident").await;
    let post = shows(&stage, "incidents", "Database corruption", "/restore-db").await;
    assert!(post["embeds"][0].to_string().contains("opened it while /restore-db was under way"), "{post}");
    let form = stage.person("Dana").clicks_on(&post, "Close").await;
    assert!(!form["modal"].is_null(), "what is not recovered is closed with a reason: {form}");
    let answer = stage.person("Dana").fills(&form["modal"], "it was a drill").await;
    assert!(answer.contains("is closed"), "{answer}");
    shows(&stage, "incidents", "Database corruption", "it was a drill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_marked_wherever_it_is_heard_of_and_offers_nothing_to_run() {
    let folder = folder();
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage).with("DRBOT_CONFIG", &folder.path().display().to_string());
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    let begun = stage.person("Omar").hears("incident drill", json!({"scenario": "database-corruption"})).await;
    assert!(begun.contains("[DRILL] Database corruption"), "{begun}");
    let post = shows(&stage, "incidents", "[DRILL] Database corruption", "nothing has happened").await;
    assert!(has_button(&post, "Acknowledge") && !has_button(&post, "/restore-db"), "{post}");
    let thread = thread(&stage, &post).await;
    let called = said(&stage, &thread, "does anybody have it?").await;
    let text = called["content"].as_str().unwrap();
    // The drill's contact, who is Dana, and nobody who is responsible for such a disaster.
    assert!(text.contains("[DRILL]") && text.contains("<@400000000000000001>"), "{text}");
    assert!(!text.contains("<@400000000000000002>"), "{text}");
    until("the direct message", async || {
        let messages = stage.messages("@dana", "Dana").await;
        messages
            .into_iter()
            .find(|message| message["content"].as_str().is_some_and(|text| text.starts_with("[DRILL] ")))
    })
    .await;
    stage.person("Dana").clicks_on(&post, "Acknowledge").await;
    said(&stage, &thread, "[DRILL] 👍 Dana has it").await;
    stage.person("Dana").clicks_on(&post, "Close").await;
    shows(&stage, "incidents", "[DRILL] Database corruption", "Closed").await;
    let figures = bot.figures().await;
    assert!(!figures.contains("drbot_incidents_open 1"), "{figures}");
}
