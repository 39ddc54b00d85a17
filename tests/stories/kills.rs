//! `kill -9` at three points of every step of `/restore-db`, then a second start: the same end, and nothing of effect
//! `once` done twice. The judge is the world: PostgreSQL's log counts the renames, Docker the containers.

use std::time::Duration;

use drbot::{
    clock::Clock,
    run::{event::Event, state::State},
};
use serde_json::json;

use crate::support::{self, bot::Bot, range::Range, stage::Stage};

const BEFORE_THE_GATE: [&str; 9] = [
    "announce",
    "halt.request",
    "halt.verify",
    // Only done when the API does not prove the halt.
    "halt.stop",
    "halt.effective",
    "assess",
    "verify",
    "restore",
    "integrity",
];

/// `halt_again.stop` is missing: it is done only by a bot that comes up deaf, and is the same step as `halt.stop`.
const BEHIND_THE_GATE: [&str; 10] = [
    "stop_bot",
    "swap",
    "loss",
    "start_bot",
    "bot_answers",
    "halt_again.request",
    "halt_again.verify",
    "halt_again.effective",
    "allow_writes",
    "healthy",
];

const POINTS: [&str; 3] = ["after-intent", "during", "after-effect"];

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_before_the_gate_goes_on_to_the_same_end() {
    // One range serves all kills: each restores it again, which is a test in itself.
    let range = Range::up();
    for step in BEFORE_THE_GATE {
        for point in POINTS {
            kill_at(&range, step, point, false).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_behind_the_gate_goes_on_to_the_same_end() {
    let range = Range::up();
    for step in BEHIND_THE_GATE {
        for point in POINTS {
            kill_at(&range, step, point, true).await;
        }
    }
}

/// One restore, killed at a point of a step, started again, and seen to its end.
async fn kill_at(range: &Range, step: &str, point: &str, behind_gate: bool) {
    let stage = Stage::open().await;
    let failpoint = if point == "during" { format!("during:{step}:20") } else { format!("{point}:{step}") };
    let mut bot = Bot::new(&stage, range).with("DRBOT_FAILPOINT", &failpoint);
    bot.start();
    stage.ready().await;
    if step == "halt.stop" {
        range.faults(json!({ "status": { "/emergency/halt": 500, "/status/trading": 500 } })).await;
    }
    let renames = renames(range);
    stage.person("Dana").types("restore-db", json!({})).await;
    if behind_gate {
        stage.person("Omar").approves("restore-db").await;
    }
    // A short step may be over before "during" comes; then the kill comes in the next one, or the run simply ends.
    let killed = point != "during" || !ended_or_died(&mut bot).await;
    if killed {
        bot.dies().await;
        bot.unset("DRBOT_FAILPOINT");
        bot.start();
        if !behind_gate {
            stage.person("Omar").approves("restore-db").await;
        }
    }
    let state = bot.finished("restore-db").await;
    let finished = state.finished.as_ref().unwrap();
    assert!(finished.outcome.is_success() && state.recovered_at.is_some(), "{failpoint}: {finished:?}");
    assert_eq!(self::renames(range) - renames, 2, "{failpoint}: the swap is two renames, once");
    let journal = bot.journal("restore-db").await;
    let interrupted =
        journal.iter().any(|entry| matches!(&entry.event, Event::StepInterrupted { step: hit, .. } if hit == step));
    assert!(interrupted || point == "during", "{failpoint}: the kill was not where it was meant to be");
    let left = range.docker(&[
        "ps",
        "-aq",
        "--filter",
        "label=drbot.kind=tool",
        "--filter",
        &format!("name={}", range.prefix),
    ]);
    assert_eq!(left, "", "{failpoint}: one-shot containers are left behind");
    bot.terminate().await;
    drop_kept(range);
}

/// Whether the run ended before the kill came.
async fn ended_or_died(bot: &mut Bot) -> bool {
    let clock = Clock::system();
    let begin = clock.monotonic();
    while begin.elapsed() < support::LIMIT {
        if bot.is_gone() {
            return false;
        }
        let state = State::replay(&bot.journal("restore-db").await);
        if state.is_ok_and(|state| state.finished.is_some()) {
            return true;
        }
        clock.sleep(Duration::from_millis(50)).await;
    }
    panic!("neither did the bot die nor did the run end");
}

/// Renames of databases that PostgreSQL has carried out, by its own log (`log_statement=ddl`). A swap is logged with its
/// two renames before it is tried; one that failed is logged once more, behind its error.
fn renames(range: &Range) -> usize {
    let log = range.docker_all(&["logs", &range.container("trading-postgres")]);
    let logged = log.matches("RENAME TO").count();
    let refused = log.matches("is being accessed by other users").count();
    logged - 4 * refused
}

/// So that the disk does not fill with damaged databases.
fn drop_kept(range: &Range) {
    for name in range.sql("SELECT datname FROM pg_database WHERE datname LIKE '%damaged%'").lines() {
        range.sql(&format!("DROP DATABASE \"{name}\""));
    }
}
