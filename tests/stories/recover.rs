//! `/recover`: everything is killed, and comes up again. The judges are Docker, PostgreSQL and the trading bot.

use drbot::{
    clock::Clock,
    run::{
        outcome::Outcome,
        state::{State, Status},
    },
};
use serde_json::json;

use crate::support::{
    bot::Bot,
    engine::OwnEngine,
    passed_over,
    range::{MONITORING, Range},
    stage::Stage,
};

const CONTAINERS: [&str; 4] = ["trading-postgres", "trading-bot", "redis", "trading-backups"];

/// Everything that a good end means.
async fn assert_recovered(range: &Range, state: &State, since: &str) {
    let finished = state.finished.as_ref().unwrap();
    assert!(finished.outcome.is_success() && state.recovered_at.is_some(), "{finished:?}");
    for name in CONTAINERS {
        assert!(range.runs(name), "{name}");
    }
    assert_eq!(range.bot("/health").await["status"], "healthy");
    assert_eq!(range.bot("/status/trading").await["trading"], "halted", "trading must stay halted");
    assert_eq!(range.sql("SHOW default_transaction_read_only"), "off", "writes are allowed again");
    let since = range.sql(&format!("SELECT count(*) FROM trades WHERE created_at > '{since}'"));
    assert_eq!(since, "0", "no trade was made on the way");
}

async fn recovers(stage: &Stage, bot: &Bot) -> State {
    stage.person("Dana").types("recover", json!({})).await;
    stage.person("Omar").approves_by("recover", "prod").await;
    bot.finished("recover").await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_killed_comes_up_halted_with_its_data_and_its_version() {
    let more = [&MONITORING[..], &[("RANGE_FORGET_HALT", "1"), ("ANTBOT_VERSION", "v1.2.3")]].concat();
    let range = Range::up_with(&more);
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.knows("recover").await;
    let before: i64 = range.sql("SELECT count(*) FROM trades").parse().unwrap();
    range.breaks("complete-failure");
    assert!(!range.runs("prometheus") && !range.runs("trading-postgres"));
    let since = Clock::system().now().to_rfc3339();
    stage.person("Dana").types("status", json!({})).await;
    bot.finished("status").await;
    stage.shows("status", "This looks like **complete failure**").await;

    let state = recovers(&stage, &bot).await;
    assert_recovered(&range, &state, &since).await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Succeeded, "{state:#?}");
    assert!(range.sql("SELECT count(*) FROM trades").parse::<i64>().unwrap() >= before, "the volume was kept");
    assert_eq!(range.bot("/version").await["version"], "v1.2.3", "the version that was deployed");
    assert!(range.runs("prometheus") && range.runs("grafana"));
    assert!(state.step("known").unwrap().attempts == 0 && state.step("restart_docker").unwrap().attempts == 0);
    let card = stage.shows("recover", "positions, ").await;
    let offered = crate::support::stage::buttons(&card);
    assert!(offered.iter().any(|button| button["label"] == "/resume"), "{offered:?}");
    assert_eq!(bot.terminate().await.code(), Some(0));
    for secret in ["rehearsal-db-password", "rehearsal-admin-token", "rehearsal-emergency-token"] {
        assert!(!bot.log().contains(secret) && !card.to_string().contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_leaves_every_container_as_it_is_and_trading_halted() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.knows("recover").await;
    let ids = || {
        CONTAINERS.map(|name| range.docker(&["inspect", "-f", "{{.Id}} {{.State.StartedAt}}", &range.container(name)]))
    };
    let before = ids();
    stage.person("Dana").hears("recover", json!({})).await;
    let form = stage.person("Lena").clicks("recover", "Deny").await;
    stage.person("Lena").fills(&form["modal"], "only the network is away").await;
    let state = bot.finished("recover").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Refused);
    assert_eq!(ids(), before);
    assert_eq!(range.bot("/status/trading").await["trading"], "halted", "halting needs no approval");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_start_is_named_and_nothing_trades() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range).with_configuration(&[("timeout    = \"3m\"", "timeout    = \"5s\"")]);
    bot.start();
    stage.knows("recover").await;
    range.breaks("data-directory-unusable");
    stage.person("Dana").types("recover", json!({})).await;
    stage.person("Omar").approves_by("recover", "prod").await;
    stage.shows("recover", "trading-postgres is").await;
    stage.person("Dana").clicks("recover", "Abort").await;
    let state = bot.finished("recover").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Aborted, "{:?}", state.finished);
    let found = range.docker(&["ps", "-aq", "--filter", &format!("name={}", range.container("trading-bot"))]);
    assert_eq!(found, "", "the trading bot was not brought up");
    range.docker(&["volume", "inspect", &format!("{}_pgdata", range.project)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_the_way_it_comes_to_the_same_end() {
    let range = Range::up_with(&[("RANGE_FORGET_HALT", "1")]);
    for point in ["during:down:200", "after-effect:no_writes", "during:up:300"] {
        let stage = Stage::open().await;
        let mut bot = Bot::new(&stage, &range).with("DRBOT_FAILPOINT", point);
        bot.start();
        stage.knows("recover").await;
        range.breaks("complete-failure");
        let since = Clock::system().now().to_rfc3339();
        stage.person("Dana").types("recover", json!({})).await;
        stage.person("Omar").approves_by("recover", "prod").await;
        bot.dies().await;
        bot.unset("DRBOT_FAILPOINT");
        bot.start();
        let state = bot.finished("recover").await;
        assert_recovered(&range, &state, &since).await;
        bot.terminate().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_that_was_killed_is_restarted_after_an_approval() {
    let Some(engine) = OwnEngine::new() else { return };
    engine.start().await;
    engine.kill().await;
    let stage = Stage::open().await;
    let restart = format!("restart = {}\nrestart_from_container = true", json!(engine.restart()));
    let changes = [("restart = [\"systemctl\", \"restart\", \"docker\"]", restart.as_str())];
    let mut bot = Bot::alone(&stage).with_configuration(&changes);
    bot.set("DOCKER_HOST", &engine.host());
    for secret in ["EMERGENCY_TOKEN", "ADMIN_TOKEN", "ALERTS_TOKEN", "DB_PASSWORD"] {
        bot.set(secret, "rehearsal-secret");
    }
    bot.start();
    stage.knows("recover").await;
    stage.person("Dana").types("recover", json!({})).await;
    stage.shows("recover", "Docker is down and will be restarted").await;
    assert!(!engine.answers(), "nothing is restarted without a yes");
    stage.person("Omar").approves_by("recover", "prod").await;
    // The new engine has none of the range's images: the run is stopped once it is past what this is about. By then it
    // may be pulling in vain, or ask what to do about that.
    stage.shows("recover", "their volumes stay").await;
    let said = stage.person("Dana").hears("abort", json!({ "reason": "seen enough" })).await;
    assert!(said.contains("/recover"), "{said}");
    let state = bot.finished("recover").await;
    for step in ["restart_docker", "docker_answers", "down"] {
        assert_eq!(state.step(step).unwrap().status, Status::Succeeded, "{step}: {state:#?}");
    }
    assert!(engine.answers());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_container_docker_is_not_restarted_and_the_reason_is_said() {
    if !std::path::Path::new("/.dockerenv").exists() {
        passed_over("this machine is no container (a unit test looks for the signs of one)");
        return;
    }
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage);
    bot.set("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    for secret in ["EMERGENCY_TOKEN", "ADMIN_TOKEN", "ALERTS_TOKEN", "DB_PASSWORD"] {
        bot.set(secret, "rehearsal-secret");
    }
    bot.start();
    stage.knows("recover").await;
    stage.person("Dana").types("recover", json!({})).await;
    stage.person("Omar").approves_by("recover", "prod").await;
    stage.shows("recover", "drbot runs in a container (there is /.dockerenv)").await;
    stage.person("Dana").clicks("recover", "Abort").await;
    let state = bot.finished("recover").await;
    assert_ne!(state.step("restart_docker").unwrap().status, Status::Succeeded);
}
