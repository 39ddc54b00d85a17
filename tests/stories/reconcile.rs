//! `/reconcile`: what agrees, what differs, and what could not be looked at, against a range that is really damaged.

use drbot::run::{outcome::Outcome, state::State};
use serde_json::json;

use crate::support::{bot::Bot, range::Range, stage::Stage, until};

const BRANCHES: [&str; 6] = ["health", "targets", "reconcile", "verify", "integrity", "history"];

/// The branches that were not good.
fn bad(state: &State) -> Vec<&'static str> {
    let found = &state.step("checks").unwrap().outputs;
    BRANCHES.into_iter().filter(|branch| found[*branch]["ok"] != json!(true)).collect()
}

async fn run(stage: &Stage, bot: &Bot) -> State {
    let before = bot.journal("reconcile").await.first().map(|entry| entry.run);
    stage.person("Dana").types("reconcile", json!({})).await;
    until("another /reconcile to end", async || {
        let state = State::replay(&bot.journal("reconcile").await).ok()?;
        (Some(state.id) != before && state.finished.is_some()).then_some(state)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_named_and_nothing_is_touched() {
    let range = Range::up_with_monitoring();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.knows("reconcile").await;

    // While it trades, all is good, once Prometheus has read every target.
    let state = until("Prometheus to have read every target", async || {
        let state = run(&stage, &bot).await;
        (!bad(&state).contains(&"targets")).then_some(state)
    })
    .await;
    assert_eq!(bad(&state), Vec::<&str>::new(), "{:?}", state.step("checks").unwrap().outputs);
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Succeeded);
    stage.shows("reconcile", "4 targets up").await;
    stage.shows("reconcile", "positions agree").await;

    // A target that is away, and a monitoring that is away, are told apart.
    stage.person("Dana").hears("halt", json!({})).await;
    bot.finished("halt").await;
    range.docker(&["stop", &range.container("redis")]);
    range.docker(&["stop", &range.container("prometheus")]);
    let state = run(&stage, &bot).await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Failed);
    assert_eq!(bad(&state), ["targets"], "{:?}", state.step("checks").unwrap().outputs);
    stage.shows("reconcile", "Prometheus reports every target").await;
    range.docker(&["start", &range.container("prometheus"), &range.container("redis")]);

    // Damage that `/health` does not see.
    range.breaks("rows-damaged");
    assert_eq!(range.bot("/health").await["status"], "healthy");
    let before = range.checksum();
    let state = until("Prometheus to be back, and the damage alone to be named", async || {
        let state = run(&stage, &bot).await;
        (!bad(&state).contains(&"targets")).then_some(state)
    })
    .await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Failed);
    assert_eq!(bad(&state), ["reconcile", "verify", "integrity", "history"]);
    stage.shows("reconcile", "positions differ from their trades").await;
    stage.shows("reconcile", "filled orders without a trade").await;
    assert_eq!(range.checksum(), before, "it only looks");
    // The whole report is in the thread.
    let thread = stage.card("reconcile").await.unwrap()["thread"]["id"].clone();
    assert!(!thread.is_null(), "{}", stage.card("reconcile").await.unwrap());
    assert_eq!(bot.terminate().await.code(), Some(0));
    assert!(!bot.log().contains("rehearsal-db-password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_is_looked_at_again() {
    let range = Range::up_with_monitoring();
    for point in ["after-intent:checks", "during:checks:20", "after-effect:checks"] {
        let stage = Stage::open().await;
        let mut bot = Bot::new(&stage, &range).with("DRBOT_FAILPOINT", point);
        bot.start();
        stage.knows("reconcile").await;
        stage.person("Dana").types("reconcile", json!({})).await;
        bot.dies().await;
        bot.unset("DRBOT_FAILPOINT");
        bot.start();
        let state = bot.finished("reconcile").await;
        assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Succeeded, "{point}: {state:?}");
        assert_eq!(bad(&state), Vec::<&str>::new(), "{point}");
        assert_eq!(state.step("checks").unwrap().attempts, 2, "{point}");
        bot.terminate().await;
    }
}
