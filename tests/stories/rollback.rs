//! `/rollback`: a version with a bug is really deployed, and really replaced by the last that drbot saw to be good.

use std::time::Duration;

use drbot::run::{outcome::Outcome, state::State};
use serde_json::{Value, json};

use crate::support::{
    LIMIT,
    bot::Bot,
    range::Range,
    stage::{Stage, has_button},
    until, within, within_or_none,
};

/// A range on which `v1.2.3` has been healthy for long enough, in front of a bot that has seen it.
async fn with_a_good_version() -> (Range, Stage, Bot) {
    let range = Range::up_with(&[("ANTBOT_VERSION", "v1.2.3")]);
    let stage = Stage::open().await;
    let mut bot = quick(Bot::new(&stage, &range));
    bot.start();
    stage.ready().await;
    until("v1.2.3 to be recorded good", async || {
        let known = bot.store().await.versions("prod").await.ok()?;
        known.iter().any(|version| version.name == "v1.2.3" && version.is_good()).then_some(())
    })
    .await;
    (range, stage, bot)
}

/// A bot for which seconds are a while.
fn quick(bot: Bot) -> Bot {
    bot.with("DRBOT_HEALTHY_FOR", "2s").with("DRBOT_SAMPLE_EVERY", "1s")
}

async fn approves(stage: &Stage, version: &str) {
    let answer = stage.person("Omar").clicks("rollback", "Approve").await;
    assert!(!answer["modal"].is_null(), "no form opened: {answer}");
    stage.person("Omar").fills(&answer["modal"], version).await;
}

/// What is offered for the version, once anything is.
async fn completed(stage: &Stage) -> Vec<Value> {
    until("versions to choose from", async || {
        let body = json!({"person": "Dana", "channel": "incidents", "command": "rollback", "focused": "version", "options": {"version": ""}});
        let answer = stage.post("autocomplete", body).await;
        answer["choices"].as_array().filter(|choices| !choices.is_empty()).cloned()
    })
    .await
}

fn outcome(state: &State) -> Outcome {
    state.finished.as_ref().unwrap().outcome
}

async fn attachments(stage: &Stage) -> Vec<String> {
    let thread = stage.card("rollback").await.unwrap()["thread"]["id"].as_str().unwrap_or_default().to_owned();
    let messages = stage.messages(&thread, "Dana").await;
    let files = messages.iter().flat_map(|message| message["attachments"].as_array().cloned().unwrap_or_default());
    files.filter_map(|file| file["filename"].as_str().map(str::to_owned)).collect()
}

/// Asks until the answer is that the application has a bug: on a busy machine a probe may be out of time once, and then
/// something else fits better.
async fn says_that_it_is_the_application(stage: &Stage, bot: &Bot) -> Value {
    let seen = std::sync::Mutex::new(Vec::new());
    until("/status to say that this is an application bug", async || {
        stage.person("Dana").hears("status", json!({})).await;
        let before = seen.lock().unwrap().clone();
        let run = bot.finished_after("status", &before).await.id;
        seen.lock().unwrap().push(run);
        let of_it = [format!("run {}", run.short()), "This looks like **application bug**".to_owned()];
        // The run has ended, so its card is there in a moment.
        within_or_none(Duration::from_secs(10), async || {
            let card = stage.card("status").await?;
            let shown = card["embeds"][0].to_string();
            of_it.iter().all(|text| shown.contains(text)).then_some(card)
        })
        .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_leaks_gives_way_to_the_last_good_one() {
    let (range, stage, bot) = with_a_good_version().await;
    range.breaks("bad-version");
    assert_eq!(range.bot("/version").await["version"], "v1.3.0");
    until("the bug to show", async || {
        (range.bot("/status/trading").await["insert_errors"].as_u64()? > 0).then_some(())
    })
    .await;

    // The symptoms say which scenario it is.
    until("a panic in the log", async || {
        range.docker_all(&["logs", &range.container("trading-bot")]).contains("panic").then_some(())
    })
    .await;
    let card = says_that_it_is_the_application(&stage, &bot).await;
    assert!(card.to_string().contains("the order book is torn") && has_button(&card, "/rollback"), "{card}");

    // Completion says what is known of each.
    let choices = completed(&stage).await;
    let label = |version: &str| {
        let found = choices.iter().find(|choice| choice["value"] == version);
        found.unwrap_or_else(|| panic!("{version}: {choices:?}"))["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(choices[0]["value"], "v1.2.3", "the good one first: {choices:?}");
    assert!(label("v1.2.3").contains("good 20") && label("v1.2.3").contains("schema fits"), "{}", label("v1.2.3"));
    assert!(label("v1.3.0").contains("running now"), "{}", label("v1.3.0"));
    assert!(label("v2.0.0").contains("schema does not fit"), "{}", label("v2.0.0"));

    stage.person("Dana").types("rollback", json!({})).await;
    approves(&stage, "v1.2.3").await;
    let state = bot.finished("rollback").await;
    assert_eq!(outcome(&state), Outcome::Succeeded, "{:?}", state.finished);
    assert!(state.recovered_at.is_some());
    assert_eq!(range.bot("/version").await["version"], "v1.2.3");
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");
    assert_eq!(range.bot("/health").await["status"], "healthy");

    // What the bad version could tell is kept, from before it was replaced.
    let wanted = ["memory.json", "goroutines.json", "metrics.txt", "trading-bot.log"];
    until("the evidence in the thread", async || {
        let files = attachments(&stage).await;
        wanted.iter().all(|name| files.iter().any(|file| file == name)).then_some(())
    })
    .await;
    let journal = bot.journal("rollback").await;
    let log = serde_json::to_string(&journal).unwrap();
    assert!(log.contains("panic in the matcher"), "the log of the version that was replaced");

    // It is bad now, and not gone back to.
    let known = bot.store().await.versions("prod").await.unwrap();
    let bad = known.iter().find(|version| version.name == "v1.3.0").unwrap();
    assert!(bad.is_bad() && bad.why.as_ref().unwrap().contains("Dana"), "{bad:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_healthy_is_taken_back_and_nothing_trades() {
    let (range, stage, bot) = with_a_good_version().await;
    // A schema that does not fit is refused before anything is replaced.
    stage.person("Dana").types("rollback", json!({"version": "v2.0.0"})).await;
    let refused = bot.finished("rollback").await;
    assert_eq!(outcome(&refused), Outcome::Refused, "{:?}", refused.finished);
    assert!(refused.finished.unwrap().message.contains("schema"));
    assert_eq!(range.bot("/version").await["version"], "v1.2.3");
    let said = stage.person("Dana").hears("rollback", json!({"version": "v9"})).await;
    assert!(said.contains("v9") && said.contains("v1.2.3"), "{said}");

    stage.person("Dana").types("rollback", json!({"version": "v1.3.1"})).await;
    approves(&stage, "v1.3.1").await;
    // It is given a minute to be healthy.
    within(2 * LIMIT, "the question what to do", async || {
        stage.card("rollback").await.filter(|card| has_button(card, "Undo to here"))
    })
    .await;
    stage.person("Dana").clicks("rollback", "Undo to here").await;
    let state = bot.finished_after("rollback", &[refused.id]).await;
    assert_eq!(outcome(&state), Outcome::RolledBack, "{:?}", state.finished);
    assert!(!range.runs("trading-bot"), "the version from before is there again, and not started");
    let image = range.docker(&["inspect", "-f", "{{.Config.Image}}", &range.container("trading-bot")]);
    assert!(image.ends_with(":v1.2.3"), "{image}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_is_killed_goes_on() {
    let (range, stage, mut bot) = with_a_good_version().await;
    range.breaks("bad-version");
    bot.terminate().await;
    bot.set("DRBOT_FAILPOINT", "after-intent:deploy");
    bot.start();
    stage.ready().await;
    stage.person("Dana").types("rollback", json!({})).await;
    approves(&stage, "v1.2.3").await;
    bot.dies().await;
    bot.unset("DRBOT_FAILPOINT");
    bot.start();
    let state = bot.finished("rollback").await;
    assert_eq!(outcome(&state), Outcome::Succeeded, "{:?}", state.finished);
    assert_eq!(range.bot("/version").await["version"], "v1.2.3");
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_version_somebody_has_to_choose() {
    let range = Range::up_with(&[("ANTBOT_VERSION", "v1.2.3")]);
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    stage.person("Dana").types("rollback", json!({})).await;
    let state = bot.finished("rollback").await;
    assert_eq!(outcome(&state), Outcome::Refused);
    let said = state.finished.unwrap().message;
    assert!(said.contains("choose one by hand"), "{said}");
    assert_eq!(range.bot("/version").await["version"], "v1.2.3", "nothing was replaced");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_taken_back() {
    let (range, stage, bot) = with_a_good_version().await;
    range.breaks("bad-version");
    stage.person("Dana").types("rollback", json!({})).await;
    approves(&stage, "v1.2.3").await;
    let state = bot.finished("rollback").await;
    assert_eq!(outcome(&state), Outcome::Succeeded, "{:?}", state.finished);
    stage.person("Dana").hears("undo", json!({})).await;
    stage.shows("undo", "RECORDED BAD").await;
    let answer = stage.person("Omar").clicks("undo", "Approve").await;
    stage.person("Omar").fills(&answer["modal"], "v1.3.0").await;
    let undone = bot.finished("undo-rollback").await;
    assert_eq!(outcome(&undone), Outcome::Succeeded, "{:?}", undone.finished);
    assert_eq!(range.bot("/version").await["version"], "v1.3.0");
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");
}
