//! `kill -9` at three points of every step of `/restore-db`, then a second start: the same end, and nothing of effect
//! `once` done twice. The judge is the world: PostgreSQL's log counts the renames, Docker the containers.

use std::time::Duration;

use drbot::{
    clock::Clock,
    run::{event::Event, state::State},
};
use serde_json::json;

use crate::support::{self, bot::Bot, range::Range, stage::Stage};

const STEPS: [&str; 20] = [
    "announce",
    "halt.request",
    "halt.verify",
    "halt.effective",
    "assess",
    "verify",
    "restore",
    "integrity",
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
    // These two are skipped when all is well; kept so that a change of the command is noticed.
    "halt.stop",
    "halt_again.stop",
];

/// One range serves all kills: each restores it again, which is a test in itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_restore_goes_on_to_the_same_end() {
    let range = Range::up();
    let points = ["after-intent", "during", "after-effect"];
    let mut kills = 0;
    for step in STEPS {
        for point in points {
            let skipped = step.ends_with(".stop");
            let stage = Stage::open().await;
            let failpoint = if point == "during" { format!("during:{step}:20") } else { format!("{point}:{step}") };
            let mut bot = Bot::new(&stage, &range).with("DRBOT_FAILPOINT", &failpoint);
            bot.start();
            stage.ready().await;
            let renames = renames(&range);
            stage.person("Dana").types("restore-db", json!({})).await;
            let behind_gate =
                STEPS.iter().position(|one| *one == step) >= STEPS.iter().position(|one| *one == "stop_bot");
            if behind_gate {
                stage.person("Omar").approves("restore-db").await;
            }
            if !skipped {
                // A step may be over before "during" comes; then the run simply ends.
                if point == "during" && ended_or_died(&mut bot).await {
                    continue;
                }
                bot.dies().await;
                kills += 1;
                bot.unset("DRBOT_FAILPOINT");
                bot.start();
                if !behind_gate {
                    stage.person("Omar").approves("restore-db").await;
                }
            }
            let state = bot.finished("restore-db").await;
            let finished = state.finished.as_ref().unwrap();
            assert!(finished.outcome.is_success() && state.recovered_at.is_some(), "{failpoint}: {finished:?}");
            assert_eq!(self::renames(&range) - renames, 2, "{failpoint}: the swap is two renames, once");
            let interrupted = bot
                .journal("restore-db")
                .await
                .iter()
                .any(|entry| matches!(&entry.event, Event::StepInterrupted { step: hit, .. } if hit == step));
            // In the middle of a short step the kill may come a moment late, into the next one.
            assert!(interrupted != skipped || point == "during", "{failpoint}");
            eprintln!("{failpoint}: {}", finished.outcome);
            bot.terminate().await;
            drop_kept(&range);
        }
    }
    assert!(kills >= 48, "only {kills} kills");
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

/// Renames of databases that PostgreSQL has carried out, by its own log (`log_statement=ddl`).
fn renames(range: &Range) -> usize {
    let log = range.docker_all(&["logs", &range.container("trading-postgres")]);
    log.lines().filter(|line| line.contains("ALTER DATABASE") && line.contains("RENAME TO")).count()
}

/// So that the disk does not fill with damaged databases.
fn drop_kept(range: &Range) {
    for name in range.sql("SELECT datname FROM pg_database WHERE datname LIKE '%damaged%'").lines() {
        range.sql(&format!("DROP DATABASE \"{name}\""));
    }
}
