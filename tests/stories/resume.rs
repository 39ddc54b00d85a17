//! `/resume`: trading again in stages, and everything that keeps it from being resumed. The judge is the trading bot:
//! what it was asked (its ledger), and what it does.

use drbot::run::{
    event::Event,
    outcome::Outcome,
    state::{ApprovalState, State},
};
use serde_json::{Value, json};

use crate::support::{bot::Bot, range::Range, stage::Stage, until};

const RESUME: &str = "POST /trading/resume";

async fn halted(stage: &Stage, bot: &Bot) {
    stage.person("Dana").hears("halt", json!({})).await;
    assert!(bot.finished("halt").await.finished.unwrap().outcome.is_success());
}

fn resumed(range: &Range) -> usize {
    range.requests().iter().filter(|request| *request == RESUME).count()
}

async fn both_approve(stage: &Stage) {
    stage.person("Omar").approves_by("resume", "prod").await;
    stage.person("Lena").approves_by("resume", "prod").await;
}

/// Mode and size while trading is on.
async fn trading(range: &Range) -> (Value, Value, Value) {
    let state = range.bot("/status/trading").await;
    (state["trading"].clone(), state["mode"].clone(), state["max_position_size"].clone())
}

fn on(mode: &str, size: f64) -> (Value, Value, Value) {
    (json!("active"), json!(mode), json!(size))
}

#[tokio::test(flavor = "multi_thread")]
async fn trading_is_resumed_by_two_people_and_widened_click_by_click() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.knows("resume").await;
    halted(&stage, &bot).await;
    let (dana, omar) = (stage.person("Dana"), stage.person("Omar"));
    dana.hears("resume", json!({ "mode": "normal" })).await;
    // One yes is not two, nor is the same one twice, nor the requester's.
    omar.approves_by("resume", "prod").await;
    assert!(dana.clicks("resume", "Approve").await["modal"].is_null());
    assert!(omar.clicks("resume", "Approve").await["modal"].is_null());
    let state = State::replay(&bot.journal("resume").await).unwrap();
    assert!(matches!(state.approval, ApprovalState::Pending { .. }), "{:?}", state.approval);
    assert_eq!((resumed(&range), range.bot("/status/trading").await["trading"].clone()), (0, json!("halted")));
    stage.person("Lena").approves_by("resume", "prod").await;

    stage.offers("resume", "Widen to 0.01").await;
    assert_eq!(trading(&range).await, on("conservative", 0.005), "it begins conservative whatever the mode");
    // It goes on at the question, whatever becomes of drbot.
    bot.kill().await;
    bot.start();
    dana.clicks("resume", "Widen to 0.01").await;
    stage.offers("resume", "Normal, 0.02").await;
    assert_eq!(trading(&range).await, on("conservative", 0.01));
    dana.clicks("resume", "Normal, 0.02").await;
    let state = bot.finished("resume").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Succeeded, "{:?}", state.finished);
    assert_eq!(trading(&range).await, on("normal", 0.02));
    assert_eq!(resumed(&range), 3, "each stage once");
    assert_eq!(bot.terminate().await.code(), Some(0));
    assert!(!bot.log().contains("rehearsal-admin-token"), "no secret in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_halts_and_no_click_goes_over_that() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.knows("resume").await;
    halted(&stage, &bot).await;
    let dana = stage.person("Dana");

    dana.hears("resume", json!({})).await;
    both_approve(&stage).await;
    stage.offers("resume", "Widen to 0.01").await;
    dana.clicks("resume", "Halt again").await;
    let state = bot.finished("resume").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Succeeded);
    assert!(state.step("halt_verify").unwrap().summary.contains("halted"));
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");

    // Somebody halts while the question is open: the old button widens nothing, and resumes nothing.
    let first = state.id;
    dana.hears("resume", json!({})).await;
    both_approve(&stage).await;
    let second = async || State::replay(&bot.journal("resume").await).ok().filter(|state| state.id != first);
    until("the question of the second run", async || second().await?.question.map(|_| ())).await;
    stage.person("Lena").hears("halt", json!({})).await;
    until("the second halt", async || (range.bot("/status/trading").await["trading"] == "halted").then_some(())).await;
    let before = resumed(&range);
    dana.clicks("resume", "Widen to 0.01").await;
    let state = until("the second run to end", async || second().await.filter(|state| state.finished.is_some())).await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Failed);
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");
    assert_eq!(resumed(&range), before, "nothing was asked of the trading bot");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_known_halt_or_with_a_difference_nothing_is_resumed() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.knows("resume").await;
    let dana = stage.person("Dana");
    let refused = async |because: &str| {
        let before = bot.journal("resume").await.first().map(|entry| entry.run);
        dana.types("resume", json!({})).await;
        let state = until(&format!("a refusal because of {because}"), async || {
            let state = State::replay(&bot.journal("resume").await).ok()?;
            (Some(state.id) != before && state.finished.is_some()).then_some(state)
        })
        .await;
        let finished = state.finished.as_ref().unwrap();
        assert_eq!(finished.outcome, Outcome::Refused, "{finished:?}");
        assert!(finished.message.contains(because), "{finished:?}");
        assert!(matches!(state.approval, ApprovalState::NotAsked { .. }), "nobody was asked");
        stage.shows("resume", because).await;
    };
    refused("active since").await;
    range.faults(json!({ "status": { "/status/trading": 500 } })).await;
    refused("the answer was 500").await;
    range.faults(json!({})).await;
    halted(&stage, &bot).await;
    range.breaks("rows-damaged");
    refused("positions differ from their trades").await;
    assert_eq!(resumed(&range), 0);
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");
    range.docker(&["stop", &range.container("trading-bot")]);
    refused("Trading is known to be halted").await;
    // Somebody without a role is not heard at all.
    assert!(stage.person("Gil").hears("resume", json!({})).await.contains("operator"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_was_meant_halts_trading_again() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.knows("resume").await;
    halted(&stage, &bot).await;
    stage.person("Dana").hears("resume", json!({})).await;
    stage.person("Omar").approves_by("resume", "prod").await;
    // The checks before it do not ask for this any more; what is seen after it is not what was meant.
    range.faults(json!({ "status": { "/risk/current": 500 } })).await;
    stage.person("Lena").approves_by("resume", "prod").await;
    let state = bot.finished("resume").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::SucceededWithSkips, "never green");
    assert_eq!(resumed(&range), 1);
    assert!(state.step("wider").unwrap().attempts == 0, "no wider stage is offered");
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_while_resuming_it_asks_a_person_and_a_stop_takes_it_back() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range).with("DRBOT_FAILPOINT", "after-effect:resume");
    bot.start();
    stage.knows("resume").await;
    halted(&stage, &bot).await;
    let dana = stage.person("Dana");
    dana.hears("resume", json!({})).await;
    both_approve(&stage).await;
    bot.dies().await;
    bot.unset("DRBOT_FAILPOINT");
    bot.start();
    dana.clicks("resume", "It happened").await;
    stage.offers("resume", "Widen to 0.01").await;
    assert_eq!(resumed(&range), 1, "it was not done twice");
    let form = dana.clicks("resume", "Stop").await;
    dana.fills(&form["modal"], "the market is closing").await;
    let state = bot.finished("resume").await;
    assert_eq!(range.bot("/status/trading").await["trading"], "halted", "{:?}", state.finished);
    let undone = |entry: &drbot::run::event::Entry| matches!(&entry.event, Event::UndoSucceeded { step, .. } if step == "resume");
    assert!(bot.journal("resume").await.iter().any(undone));
}
