//! The end of an incident: the timeline in its thread, once, and the post-mortem for whoever asks, in Discord and on the
//! host. With the real bot, killed in between.

use serde_json::{Value, json};

use crate::support::{bot::Bot, drill::Drill, stage::Stage, until};

/// A stage, and a bot whose `/drill` verifies a recovery.
async fn set() -> (Stage, Drill, Bot) {
    let (stage, drill) = (Stage::open().await, Drill::start().await);
    let append = |file: &str, text: &str| {
        let file = drill.folder().join(file);
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, before + text).unwrap();
    };
    append("drbot.toml", "\n[incidents]\nroles = [\"operator\"]\n");
    append("commands/drill.toml", "\n[recovered]\nwhen = \"steps.three.ok\"\n");
    let bot = Bot::for_drill(&stage, &drill);
    (stage, drill, bot)
}

/// What was said in the incident's thread.
async fn thread(stage: &Stage) -> Vec<Value> {
    let state = stage.get("state").await;
    let threads = state["channels"].as_array().unwrap().iter().filter(|channel| {
        channel["type"] == json!(11) && channel["name"].as_str().is_some_and(|name| name.starts_with("Drill"))
    });
    let ids: Vec<_> = threads.map(|channel| channel["id"].as_str().unwrap().to_owned()).collect();
    let [only] = ids.as_slice() else { return Vec::new() };
    stage.messages(only, "Lena").await
}

fn files(message: &Value) -> Vec<&Value> {
    message["attachments"].as_array().map(|files| files.iter().collect()).unwrap_or_default()
}

/// The messages in the thread that have files.
async fn with_files(stage: &Stage) -> Vec<Value> {
    thread(stage).await.into_iter().filter(|message| !files(message).is_empty()).collect()
}

async fn content(file: &Value) -> Vec<u8> {
    reqwest::get(file["url"].as_str().unwrap()).await.unwrap().bytes().await.unwrap().to_vec()
}

fn is_picture(content: &[u8]) -> bool {
    // 1200 pixels wide, as the header says.
    content.starts_with(b"\x89PNG\r\n\x1a\n") && content[16..20] == [0, 0, 4, 176]
}

async fn drbot(bot: &Bot, arguments: &[&str]) -> String {
    let program = tokio::process::Command::new(env!("CARGO_BIN_EXE_drbot"))
        .args(arguments)
        .env_clear()
        .env("DRBOT_DATA", &bot.data)
        .output();
    let output = program.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_incident_leaves_its_timeline_once_and_a_post_mortem_for_whoever_asks() {
    let (stage, drill, mut bot) = set().await;
    bot.start();
    stage.knows("postmortem").await;
    let nothing = stage.person("Dana").hears("postmortem", json!({})).await;
    assert!(nothing.contains("No incident is open"), "{nothing}");
    let text = "@everyone the `disk` is full";
    stage.person("Dana").hears("incident open", json!({ "scenario": "drill", "target": "drill", "text": text })).await;
    stage.person("Dana").types("drill", json!({})).await;
    drill.open_gate();
    bot.finished("drill").await;
    until("the recovery in the thread", async || {
        let said = thread(&stage).await;
        said.iter()
            .any(|message| message["content"].as_str().is_some_and(|text| text.contains("is verified")))
            .then_some(())
    })
    .await;

    // Lost between the closing and the picture, or just behind it.
    stage.person("Dana").hears("incident close", json!({})).await;
    bot.kill().await;
    bot.start();
    let closing = until("the timeline", async || with_files(&stage).await.into_iter().next()).await;
    assert!(closing["content"].as_str().unwrap().contains("Dana closed it"), "{closing}");
    let [picture] = files(&closing)[..] else { panic!("one file: {closing}") };
    let name = picture["filename"].as_str().unwrap();
    assert!(name.starts_with("timeline-") && name.ends_with(".png"), "{name}");
    assert_eq!(picture["content_type"], json!("image/png"));
    assert!(is_picture(&content(picture).await));

    // By whom it is asked for matters; which one is meant need not be said.
    let refused = stage.person("Gil").hears("postmortem", json!({})).await;
    assert!(refused.contains("operator"), "{refused}");
    let posted = stage.person("Dana").hears("postmortem", json!({})).await;
    assert!(posted.contains("is in <#"), "{posted}");
    let messages = with_files(&stage).await;
    assert_eq!(messages.len(), 2, "the timeline came once: {messages:?}");
    let [draft, timeline] = files(&messages[1])[..] else { panic!("two files: {}", messages[1]) };
    assert!(is_picture(&content(timeline).await));
    let draft_text = String::from_utf8(content(draft).await).unwrap();
    for fact in [
        "# Post-mortem: Drill · drill",
        "Dana said when opening it: @\u{200b}everyone the \u{2bc}disk\u{2bc} is full",
        "MTTR, from the failure to verified recovery: not known",
        "Data lost: unknown, because no run measured it",
        "✅ **The third effect**",
        "Dana closes it",
    ] {
        assert!(draft_text.contains(fact), "{fact}: {draft_text}");
    }

    // On the host beside the bot: the same, but for the moment.
    let rest = |text: &str| text.split("## Summary").nth(1).unwrap().to_owned();
    assert_eq!(rest(&drbot(&bot, &["postmortem"]).await), rest(&draft_text));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let short = name.trim_start_matches("timeline-").trim_end_matches(".png");
    let written = drbot(&bot, &["postmortem", short, "--out", &out]).await;
    assert_eq!(written.lines().count(), 2, "{written}");
    assert!(is_picture(&std::fs::read(folder.path().join(name)).unwrap()));
    let draft_file = folder.path().join(format!("postmortem-{short}.md"));
    assert_eq!(rest(&std::fs::read_to_string(draft_file).unwrap()), rest(&draft_text));
}
