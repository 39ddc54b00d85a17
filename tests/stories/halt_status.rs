//! `/halt` and `/status`: what must always work, also when half of the system hangs.

use std::{path::Path, time::Duration};

use drbot::{
    clock::Clock,
    run::{outcome::Outcome, state::State},
    runbook::action::Action,
};
use serde_json::json;

use crate::support::{
    bot::Bot,
    range::Range,
    stage::{Stage, has_button},
    until,
};

#[tokio::test(flavor = "multi_thread")]
async fn halt_is_effective_when_the_api_says_so() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    stage.person("Dana").hears("halt", json!({})).await;
    let state = bot.finished("halt").await;
    assert_eq!(state.finished.unwrap().outcome, Outcome::Succeeded);
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");
    assert!(range.runs("trading-bot"), "the container was not touched");
    // Somebody without a role is told which roles may.
    let said = stage.person("Gil").hears("halt", json!({})).await;
    assert!(said.contains("operator"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn halt_stops_the_container_when_the_api_does_not_answer() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    range.faults(json!({ "hang": ["/emergency/halt", "/status/trading"] })).await;
    stage.person("Dana").hears("halt", json!({})).await;
    let state = bot.finished("halt").await;
    assert!(state.finished.unwrap().outcome.is_success());
    assert!(!range.runs("trading-bot"));
}

#[tokio::test(flavor = "multi_thread")]
async fn halt_believes_nobody_who_only_says_so() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    range.faults(json!({ "status": { "/emergency/halt": 500 } })).await;
    stage.person("Lena").hears("halt", json!({})).await;
    bot.finished("halt").await;
    assert!(!range.runs("trading-bot"), "a 500 is no halt: the container is stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_there_within_three_seconds_whatever_hangs() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    range.faults(json!({ "hang": ["/health", "/status/trading"] })).await;
    range.docker(&["pause", &range.container("trading-postgres")]);
    let clock = Clock::system();
    let begin = clock.monotonic();
    stage.person("Dana").types("status", json!({})).await;
    until("the final card of /status", async || {
        let card = stage.card("status").await?;
        card["embeds"][0].to_string().contains("Backups").then_some(())
    })
    .await;
    let state = bot.finished("status").await;
    let took = state.finished.as_ref().unwrap().at - state.created_at;
    range.docker(&["unpause", &range.container("trading-postgres")]);
    // The file's own limits are 2 s a probe and 3 s together; the machine that runs this may be busy.
    assert!(took.to_std().unwrap() < Duration::from_secs(5), "{took}");
    // Generous: the machine is shared, and what is measured is that nothing waits for what hangs.
    assert!(begin.elapsed() < Duration::from_secs(10));
    let probes = &state.step("probes").unwrap().outputs;
    assert_eq!(probes["health"]["ok"], json!(false));
    // Its figures, not its verdict: the machine may be too busy for the limits of the file.
    let host = probes["host"]["error"].as_str().or(probes["host"]["summary"].as_str()).unwrap_or_default();
    assert!(host.contains("load"), "{probes:?}");
    assert!(probes["containers"]["error"].as_str().unwrap().contains("paused"), "{probes:?}");
}

/// What `/status` promises.
const WITHIN: Duration = Duration::from_secs(3);

/// A Docker engine that takes every connection and answers none.
fn mute_docker(folder: &Path) -> String {
    let socket = folder.join("docker.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    format!("unix://{}", socket.display())
}

/// Docker, the whole API, the database and both providers take connections and say nothing.
#[tokio::test(flavor = "multi_thread")]
async fn status_is_there_within_three_seconds_when_everything_hangs() {
    let range = Range::up();
    let stage = Stage::open().await;
    let folder = tempfile::tempdir().unwrap();
    let mut bot = Bot::new(&stage, &range).with("DOCKER_HOST", &mute_docker(folder.path()));
    bot.start();
    stage.ready().await;
    let paths = ["/health", "/status/trading", "/config", "/portfolio/verify", "/portfolio/reconcile"];
    range.faults(json!({ "hang": paths })).await;
    let paused = ["trading-postgres", "provider-helius", "provider-quicknode"].map(|name| range.container(name));
    for container in &paused {
        range.docker(&["pause", container]);
    }
    let mut seen = Vec::new();
    let mut took = Vec::new();
    // A busy machine may be late once; what waits for something that hangs is late each time.
    while took.len() < 3 && took.iter().all(|took| *took > WITHIN) {
        stage.person("Dana").types("status", json!({})).await;
        let state = until("the next /status", async || {
            let state = bot.finished("status").await;
            (!seen.contains(&state.id)).then_some(state)
        })
        .await;
        seen.push(state.id);
        took.push((state.finished.as_ref().unwrap().at - state.created_at).to_std().unwrap());
        assert_hung(&state);
    }
    for container in &paused {
        range.docker(&["unpause", container]);
    }
    assert!(took.iter().any(|took| *took <= WITHIN), "{took:?}");
}

/// Each probe was given up by its own limit, none of which leaves the promise.
fn assert_hung(state: &State) {
    let probes = state.step("probes").unwrap();
    assert!(probes.definition.timeout.unwrap().0 <= WITHIN);
    let Action::Parallel(branches) = &probes.definition.action else { panic!("{probes:?}") };
    for branch in branches {
        assert!(branch.timeout.unwrap().0 < WITHIN, "{} may take all of the time", branch.id);
        let found = &probes.outputs[branch.id.as_str()];
        // These look at this machine and at drbot itself alone.
        if !["host", "backups", "escalation"].contains(&branch.id.as_str()) {
            assert_eq!(found["ok"], json!(false), "{} answered: {found}", branch.id);
        }
    }
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_docker_the_answers_say_so() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range).with("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    bot.start();
    stage.ready().await;
    range.faults(json!({ "hang": ["/emergency/halt", "/status/trading"] })).await;
    stage.person("Dana").hears("halt", json!({})).await;
    let state = bot.finished("halt").await;
    assert_eq!(state.finished.unwrap().outcome, Outcome::Failed, "neither the API nor Docker: loud");
    stage.shows("halt", "TRADING MAY STILL BE RUNNING").await;
    stage.shows("halt", "Docker").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_which_scenario_fits_and_offers_its_command() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    stage.person("Dana").hears("status", json!({})).await;
    let well = bot.finished("status").await;
    let card = stage.shows("status", "Done").await;
    assert!(!card.to_string().contains("looks like"), "nothing is broken: {card}");
    assert!(!has_button(&card, "/restore-db"), "{card}");

    range.breaks("rows-damaged");
    stage.person("Dana").hears("status", json!({})).await;
    let ill = until("the second /status", async || {
        let state = bot.finished("status").await;
        (state.id != well.id).then_some(state)
    })
    .await;
    let card = stage.shows("status", "This looks like **database corruption**").await;
    let evidence = card["embeds"][0].to_string();
    let records = &ill.step("probes").unwrap().outputs["records"];
    assert_eq!(records["ok"], json!(false));
    let orphans = records["positions"].as_i64().unwrap();
    assert!(orphans > 0, "what failed its expectation has its outputs all the same: {records}");
    let counted = drbot::progress::words::count(orphans);
    assert!(evidence.contains(&format!("{counted} positions refer to a trade that is not there")), "{evidence}");
    // One click is enough.
    stage.person("Dana").clicks("status", "/restore-db").await;
    stage.shows("restore-db", "Approval").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_the_way_they_come_to_the_same_end() {
    let range = Range::up();
    let kills = [
        ("halt", "before-intent:request"),
        ("halt", "after-intent:request"),
        ("halt", "after-effect:request"),
        ("halt", "after-outcome:verify"),
        ("status", "after-intent:probes"),
        ("status", "after-effect:probes"),
    ];
    for (command, failpoint) in kills {
        let stage = Stage::open().await;
        let mut bot = Bot::new(&stage, &range).with("DRBOT_FAILPOINT", failpoint);
        bot.start();
        stage.ready().await;
        stage.person("Dana").types(command, json!({})).await;
        bot.dies().await;
        bot.unset("DRBOT_FAILPOINT");
        bot.start();
        let state = bot.finished(command).await;
        assert_eq!(state.finished.unwrap().outcome, Outcome::Succeeded, "{failpoint}");
        assert_eq!(range.bot("/status/trading").await["trading"], "halted", "{failpoint}");
        stage.shows(command, "Done").await;
        bot.terminate().await;
    }
}
