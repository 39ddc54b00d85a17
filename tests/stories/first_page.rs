//! The first page: contacts, and the people who are called when a recovery uses up its RTO. With the real bot, killed and
//! started again.

use std::{path::Path, process::Output};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{bot::Bot, stage::Stage, until};

/// A recovery that waits for somebody, with an RTO of twelve seconds.
const RESTORE: &str = r#"
summary  = "Restore it"
scenario = "database-corruption"
risk     = "safe"
roles    = ["operator"]

[[steps]]
id   = "which"
name = "Decide what is restored"
ask  = { question = "Which backup?", choices = ["Old", "Older"] }
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir(folder.path().join("commands")).unwrap();
    std::fs::write(folder.path().join("commands/restore-db.toml"), RESTORE).unwrap();
    let settings = std::fs::read_to_string(source.join("drbot.toml")).unwrap();
    let hasty = settings.replacen("rto      = \"30m\"", "rto      = \"12s\"", 1);
    assert_ne!(hasty, settings);
    std::fs::write(folder.path().join("drbot.toml"), hasty).unwrap();
    folder
}

async fn drbot(bot: &Bot, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_drbot"))
        .args(arguments)
        .env_clear()
        .env("DRBOT_DATA", &bot.data)
        .output()
        .await
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What was said in the channel that mentions somebody because of the RTO.
async fn calls(stage: &Stage) -> Vec<Value> {
    let messages = stage.messages("incidents", "Lena").await;
    let calls =
        |message: &Value| message["content"].as_str().is_some_and(|text| text.contains("recovery is not verified"));
    messages.into_iter().filter(calls).collect()
}

fn mentioned(call: &Value) -> Vec<&str> {
    let mut names: Vec<_> =
        call["mentions"].as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

async fn call(stage: &Stage, count: usize) -> Value {
    until(&format!("call number {count}"), async || calls(stage).await.get(count - 1).cloned()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_called_on_time_and_after_a_crash_once_and_late() {
    let folder = folder();
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage).with("DRBOT_CONFIG", &folder.path().display().to_string());
    bot.start();
    stage.ready().await;
    // Beside the bot that serves.
    let contacts = concat!(env!("CARGO_MANIFEST_DIR"), "/contacts.csv");
    let imported = drbot(&bot, &["contacts", "import", contacts]).await;
    assert!(imported.status.success() && said(&imported).contains("4 contacts"), "{}", said(&imported));

    stage.person("Dana").types("restore-db", json!({})).await;
    let first = call(&stage, 1).await;
    let text = first["content"].as_str().unwrap();
    assert!(text.contains("50 % of the RTO is used**") && text.contains("waits for a decision"), "{text}");
    assert!(text.contains("Left: 0:0") && !text.contains("late"), "{text}");
    assert_eq!(mentioned(&first), ["dana", "omar"]);

    bot.kill().await;
    let late = async || {
        let journal = bot.journal("restore-db").await;
        let created = journal.first()?.at;
        (drbot::clock::Clock::system().now() > created + chrono::TimeDelta::seconds(15)).then_some(())
    };
    until("the whole RTO to pass while drbot is away", late).await;
    bot.start();
    let second = call(&stage, 2).await;
    let text = second["content"].as_str().unwrap();
    assert!(text.contains("**The RTO is used up** (late by 3"), "{text}");
    assert!(text.contains("This call is late") && text.contains("is missed by"), "{text}");
    assert_eq!(mentioned(&second), ["dana", "gil", "lena", "omar"]);
    stage.shows("restore-db", "at 100 %: Omar, Dana, Gil, Lena").await;

    bot.kill().await;
    bot.start();
    stage.person("Dana").clicks("restore-db", "Old").await;
    bot.finished("restore-db").await;
    stage.shows("restore-db", "Done").await;
    assert_eq!(calls(&stage).await.len(), 2, "nobody is called twice, or after the end");
    let figures = bot.figures().await;
    assert!(figures.contains("drbot_rung_overdue_seconds 0"), "{figures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_shown_to_whom_they_may_be_and_numbers_to_fewer() {
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage);
    bot.start();
    stage.ready().await;
    let contacts = async |person: &str, options: Value| {
        stage.person(person).types("contacts list", options).await["response"].clone()
    };
    let none = contacts("Dana", json!({})).await;
    assert!(none["embeds"][0]["description"].as_str().unwrap().contains("drbot contacts import"), "{none}");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/contacts.csv");
    assert!(drbot(&bot, &["contacts", "import", file]).await.status.success());

    let description = |answer: &Value| answer["embeds"][0]["description"].as_str().unwrap().to_owned();
    let masked = contacts("Dana", json!({})).await;
    assert_eq!(masked["flags"], json!(64), "only Dana sees it: {masked}");
    assert!(description(&masked).contains("<@400000000000000002> · ☎ `+1-5••-•••-••11`"), "{masked}");
    assert!(!masked.to_string().contains("010-0111") && !masked.to_string().contains("dba@antbot"), "{masked}");

    let whole = contacts("Lena", json!({})).await;
    assert_eq!(whole["flags"], json!(64), "{whole}");
    assert!(description(&whole).contains("`+1-555-010-0111`") && description(&whole).contains("`dba@antbot.local`"));

    let shared = contacts("Lena", json!({ "share": true })).await;
    assert_ne!(shared["flags"], json!(64), "{shared}");
    assert!(!shared.to_string().contains("010-0111"), "a channel sees no number: {shared}");
    assert!(shared["mentions"].as_array().unwrap().is_empty(), "nobody is called by a table");

    let refused = contacts("Gil", json!({})).await;
    assert!(refused["content"].as_str().unwrap().contains("operator"), "{refused}");
    assert!(!refused.to_string().contains("+1"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_mistakes_changes_nothing_and_the_table_comes_back_as_it_went_in() {
    let stage = Stage::open().await;
    let bot = Bot::alone(&stage);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/contacts.csv");
    let tried = drbot(&bot, &["contacts", "import", "--dry-run", file]).await;
    assert!(tried.status.success() && said(&tried).contains("+ Omar (Database Administrator)"), "{}", said(&tried));
    assert!(!bot.data.exists());
    assert!(drbot(&bot, &["contacts", "import", file]).await.status.success());
    let bad = bot.data.join("bad.csv");
    std::fs::write(&bad, "Role,Discord,Primary\nLead,lena,\nDBA,,+1-XXX-XXX-XXXX\n").unwrap();
    let refused = drbot(&bot, &["contacts", "import", &bad.display().to_string()]).await;
    assert_eq!(refused.status.code(), Some(1));
    for wanted in ["bad.csv:2:6: this is no Discord user's id", "bad.csv:3:6: this is a placeholder", "2 mistakes"] {
        assert!(said(&refused).contains(wanted), "{wanted}: {}", said(&refused));
    }
    let printed = drbot(&bot, &["contacts", "export"]).await;
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), std::fs::read_to_string(file).unwrap());
    let listed = said(&drbot(&bot, &["contacts", "list"]).await);
    assert!(listed.contains("Security Team: Lena") && listed.contains("+1-555-010-0121"), "{listed}");
    assert!(listed.contains("⚠ not verified"), "{listed}");
}
