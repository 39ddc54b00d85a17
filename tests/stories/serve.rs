//! The program as its operator meets it: what it refuses to start with, what it does when files are edited, and that it
//! dials nothing but the Discord it is told to.

use std::{path::Path, process::Output};

use serde_json::json;
use tokio::process::Command;

use crate::support::{bot::Bot, stage::Stage, until};

fn serve(folder: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drbot"));
    command
        .arg("serve")
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("DRBOT_DATA", folder.join("data"))
        .env("DRBOT_CONFIG", env!("CARGO_MANIFEST_DIR"))
        .env("DISCORD_TOKEN", "not-a-real-token")
        .envs(variables.iter().copied())
        .current_dir(folder)
        .kill_on_drop(true);
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_machine_is_taken_for_a_rehearsal() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["https://discord.com", "http://192.0.2.1:80", "nonsense"] {
        let output = serve(folder.path(), &[("DISCORD_API_URL", url)]).output().await.unwrap();
        assert!(!output.status.success());
        assert!(text(&output).contains("not an address of this machine"), "{}", text(&output));
        assert!(!text(&output).contains("not-a-real-token"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_gateway_of_the_rehearsal_is_dialled() {
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage);
    bot.start();
    stage.ready().await;
    let log = stage.get("log").await.to_string();
    assert!(log.contains("/gateway"), "the local server was asked for its gateway: {log}");
    assert!(bot.log().contains("connected to Discord"));
    assert_eq!(bot.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_served_and_a_taken_port_keeps_nobody_from_serving() {
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage);
    bot.start();
    stage.ready().await;
    stage.person("Dana").types("status", json!({})).await;
    bot.finished("status").await;
    let figures = until("the figures of the run", async || {
        let figures = bot.figures().await;
        figures.contains("drbot_runs_finished_total{command=\"status\"").then_some(figures)
    })
    .await;
    assert!(figures.contains("# HELP drbot_runs_started_total"), "{figures}");
    assert!(figures.contains("drbot_runs_unfinished 0"), "{figures}");
    assert!(figures.contains("drbot_journal_append_seconds_bucket{le=\"0.001\"}"), "{figures}");
    bot.terminate().await;

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    bot.set("DRBOT_LISTEN", &taken.local_addr().unwrap().to_string());
    bot.start();
    until("the taken port to be said", async || bot.log().contains("nobody can reach drbot's listener").then_some(()))
        .await;
    stage.person("Dana").types("status", json!({})).await;
    bot.finished("status").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_reported_and_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("commands")).unwrap();
    std::fs::write(folder.path().join("drbot.toml"), "[discord]\nguild = 5\nchanel = \"1\"\n").unwrap();
    let config = folder.path().display().to_string();
    let output = serve(folder.path(), &[("DRBOT_CONFIG", &config)]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output);
    assert!(text.contains("drbot.toml:2:9") && text.contains("drbot.toml:3:1"), "{text}");
    assert!(text.contains("did you mean `channel`"), "{text}");
    assert!(!folder.path().join("data").exists(), "nothing is started on half a configuration");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_on_one_store_are_one_too_many() {
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage);
    bot.start();
    stage.ready().await;
    let data = bot.data.display().to_string();
    let variables = [("DISCORD_API_URL", stage.url()), ("DRBOT_DATA", data)];
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let output = serve(bot.data.parent().unwrap(), &variables).output().await.unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains("another drbot uses the store"), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_file_is_registered_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir(folder.path().join("commands")).unwrap();
    std::fs::copy(source.join("drbot.toml"), folder.path().join("drbot.toml")).unwrap();
    for file in std::fs::read_dir(source.join("commands")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join("commands").join(file.file_name())).unwrap();
    }
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage).with("DRBOT_CONFIG", &folder.path().display().to_string());
    bot.start();
    stage.ready().await;
    let status = folder.path().join("commands/status.toml");
    let text = std::fs::read_to_string(&status).unwrap();
    let summary = text.lines().find(|line| line.starts_with("summary")).unwrap();
    std::fs::write(&status, text.replace(summary, "summary = \"How it is now\"")).unwrap();
    let registered = async |words: &str| {
        let state = stage.get("state").await;
        state["commands"].to_string().contains(words).then_some(())
    };
    until("the edited command to be registered", async || registered("How it is now").await).await;
    std::fs::write(&status, "sumary = 3\n").unwrap();
    until("the mistake to be logged", async || {
        bot.log().contains("a mistake in the edited configuration").then_some(())
    })
    .await;
    assert!(registered("How it is now").await.is_some(), "the one before stays in use");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_delivered_twice_is_one_run() {
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage);
    bot.start();
    stage.ready().await;
    let answer = stage.post("fault", json!({ "kind": "duplicate_interactions", "on": true })).await;
    assert!(answer["error"].is_null(), "{answer}");
    stage.person("Dana").types("status", json!({})).await;
    bot.finished("status").await;
    let store = bot.store().await;
    assert_eq!(store.runs(10).await.unwrap().len(), 1);
    store.close().await;
}
