//! What is broken: the store, an action, a journal. And what must not be told.

use std::{path::Path, time::Duration};

use drbot::{
    config::secrets::Secrets,
    engine::RequestError,
    run::{
        event::{Choice, Event},
        outcome::Outcome,
        state::Status,
    },
    runbook::definition::{OnFailure, ValueType},
};
use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::{
    clock::HandClock,
    commands::{StepWords, approved, command, idempotent, once, read},
    house::{House, dana, omar},
    scripted::Deed,
};

pub async fn in_the_file(folder: &Path, statement: &str) {
    let options = SqliteConnectOptions::new().filename(folder.join("drbot.sqlite"));
    let mut file = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut file).await.unwrap();
}

#[tokio::test]
async fn an_outcome_that_cannot_be_journaled_is_held_on_to() {
    let hand = HandClock::new();
    let house = House::new([command("go", vec![once("a"), once("b")])]).on(hand.clock());
    house.world.opaque("a");
    house.world.tell("do a", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    house.world.sees("do a").await;
    let refuse = "CREATE TRIGGER ill BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'the disk is ill'); END";
    in_the_file(house.folder.path(), refuse).await;
    house.world.let_go("do a");
    for _ in 0..3 {
        hand.pass(Duration::from_secs(1)).await;
        assert_eq!(house.world.seen_times("do b"), 0, "nothing proceeds");
    }
    hand.is_slept_on(Duration::from_secs(1)).await;
    assert!(bot.0.stop_run(run, &dana(), None).await.is_err(), "and a click says so");
    in_the_file(house.folder.path(), "DROP TRIGGER ill").await;
    hand.pass(Duration::from_secs(1)).await;
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(house.world.ledger(), ["do a", "do b"]);
}

#[tokio::test]
async fn nothing_is_begun_whose_intent_cannot_be_journaled() {
    let hand = HandClock::new();
    let house = House::new([command("go", vec![once("a")])]).on(hand.clock());
    house.world.tell("prepare a", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    house.world.sees("prepare a").await;
    let refuse = "CREATE TRIGGER ill BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'the disk is ill'); END";
    in_the_file(house.folder.path(), refuse).await;
    house.world.let_go("prepare a");
    hand.pass(Duration::from_secs(1)).await;
    hand.is_slept_on(Duration::from_secs(1)).await;
    assert_eq!(house.world.seen_times("do a"), 0);
    match bot.ask(&dana(), "go", "2").await.unwrap_err() {
        RequestError::Store(error) => assert!(format!("{error:#}").contains("the disk is ill"), "{error:#}"),
        other => panic!("{other:?}"),
    }
    in_the_file(house.folder.path(), "DROP TRIGGER ill").await;
    hand.pass(Duration::from_secs(1)).await;
    bot.ends(run, Outcome::Succeeded).await;
}

#[tokio::test]
async fn a_run_that_another_drbot_has_taken_over_is_left_alone() {
    let house = House::new([command("go", vec![once("a"), once("b")])]);
    house.world.tell("do a", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    house.world.sees("do a").await;
    bot.0.store().take_over("another").await.unwrap();
    let before = bot.kinds(run).await;
    house.world.let_go("do a");
    let error = bot.0.stop_run(run, &dana(), None).await.unwrap_err().to_string();
    assert!(!error.is_empty());
    let mut changes = bot.0.changes();
    let left = tokio::time::timeout(crate::support::house::LIMIT, async {
        while !matches!(bot.0.stop_run(run, &dana(), None).await, Err(drbot::engine::AnswerError::Ended)) {
            let _ = changes.try_recv();
            tokio::task::yield_now().await;
        }
    });
    left.await.expect("the run is left alone");
    assert_eq!(bot.kinds(run).await, before);
    assert_eq!(house.world.seen_times("do b"), 0);
}

#[tokio::test]
async fn an_action_that_panics_is_settled_like_a_crash() {
    let house = House::new([command("go", vec![once("a"), once("b")])]);
    house.world.tell("do a", [Deed::Panic]).tell("prepare b", [Deed::Panic]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    let state = bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(state.steps[0].interruptions, 1);
    assert_eq!(house.world.ledger(), ["do a", "do b"]);
}

#[tokio::test]
async fn a_probe_that_breaks_drbot_each_time_ends_in_a_question() {
    let hand = HandClock::new();
    let house = House::new([command("go", vec![once("a")])]).on(hand.clock());
    house.world.tell("do a", [Deed::Panic]).tell("probe a", std::iter::repeat_n(Deed::Panic, 4));
    let bot = house.start().await;
    let run = bot.run("go").await;
    for _ in 0..5 {
        hand.pass(Duration::from_secs(1)).await;
    }
    bot.answers(run, Choice::DidNotHappen).await;
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(house.world.seen_times("probe a"), 4);
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_keeps_no_other_from_going_on() {
    let mut locked = command("broken", vec![once("a")]);
    locked.lock = Some("database".to_owned());
    let hand = HandClock::new();
    let house = House::new([locked, command("good", vec![once("b")])]).on(hand.clock());
    house.world.tell("do a", [Deed::Hold]).tell("do b", [Deed::Hold]);
    let bot = house.start().await;
    let (broken, good) = (bot.run("broken").await, bot.run("good").await);
    house.world.sees("do a").await;
    house.world.sees("do b").await;
    let parked = tokio::spawn(async move { bot.0.stop().await });
    hand.pass(Duration::from_secs(8)).await;
    parked.await.unwrap();
    in_the_file(house.folder.path(), "UPDATE journal SET event = '{}' WHERE seq = 2 AND event LIKE '%\"a\"%'").await;
    let bot = house.start().await;
    bot.ends(good, Outcome::Succeeded).await;
    match bot.ask(&dana(), "broken", "2").await.unwrap_err() {
        RequestError::Broken(message) => assert!(message.contains(&broken.short()), "{message}"),
        other => panic!("{other:?}"),
    }
}

const CANARY: &str = "canary-5ecret/of-the-story+1";

fn keeps_silent(folder: &Path) {
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(CANARY) && !text.contains("5ecret"), "the secret is in {}", path.display());
        files += usize::from(text.contains("[TOKEN]"));
    }
    assert!(files > 0, "the stories told nothing");
}

#[tokio::test]
async fn a_secret_is_never_in_the_journal() {
    let steps = vec![
        read("outputs").gives("text", ValueType::String).gives("tree", ValueType::Any),
        read("failure").failing(OnFailure::Continue),
        read("misfit").gives("rows", ValueType::Integer).failing(OnFailure::Continue),
        once("lost").gives("rows", ValueType::Integer),
        idempotent("undone").undoable(),
        once("told").within(1000),
    ];
    let mut house = House::new([approved(command("go", steps), Some("lost"), "told")]);
    // Named by a file, and used by nobody so far.
    house.secrets = Secrets::from_lookup(|name| (name == "TOKEN").then(|| CANARY.to_owned()));
    house.configuration.secrets.insert("TOKEN".to_owned());
    house
        .world
        .tell("prepare outputs", [Deed::Succeed(json!({ "fact": CANARY }))])
        .tell("do outputs", [Deed::Succeed(json!({ "text": format!("a {CANARY} b"), "tree": { CANARY: [CANARY] } }))])
        .tell("do failure", [Deed::Fail(CANARY)])
        .tell("do misfit", [Deed::Succeed(json!({ "rows": CANARY }))])
        .tell("do lost", [Deed::LoseAnswer { happened: true }])
        .tell("probe lost", [Deed::Succeed(json!({ "rows": CANARY }))])
        .tell("do told", [Deed::Tell(CANARY)])
        .tell("undo undone", [Deed::Fail(CANARY)]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    let state = bot.until(run, "a question is asked", |state| state.question.is_some()).await;
    assert!(matches!(state.step("lost").unwrap().status, Status::Unknown { .. }));
    bot.answers(run, Choice::Happened).await;
    let token = bot.call_for_approval(run).await;
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    house.world.sees("do told").await;
    let told = loop {
        bot.until(run, "it is told how far it is", |_| true).await;
        if let Some(progress) = bot.0.snapshot(run).await.unwrap().unwrap().progress {
            break progress;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(told.value.doing, "[TOKEN]");
    bot.0.stop_run(run, &dana(), Some(CANARY)).await.unwrap();
    bot.ends(run, Outcome::Aborted).await;
    keeps_silent(house.folder.path());
}

/// A fresh drbot posts the log of a trading bot that wrote its tokens into it: nothing has needed them yet.
#[tokio::test]
async fn a_log_that_is_kept_shows_no_secret_that_nobody_has_used() {
    let log = read("log").change(|step| step.keep = Some("trading-bot.log".to_owned()));
    let mut house = House::new([command("rollback", vec![log])]);
    house.secrets = Secrets::from_lookup(|name| match name {
        "ADMIN_TOKEN" => Some("adm1n-token".to_owned()),
        "NEW_TOKEN" => Some("n3w/token".to_owned()),
        _ => None,
    });
    house.configuration.secrets.insert("ADMIN_TOKEN".to_owned());
    let told = json!({ "stdout": "Authorization: Bearer adm1n-token\nnew=n3w%2ftoken" });
    house.world.tell("do log", [Deed::Succeed(told.clone()), Deed::Succeed(told)]);
    let bot = house.start().await;
    let kept = async |run| {
        bot.ends(run, Outcome::Succeeded).await;
        let journal = bot.journal(run).await;
        let logs = journal.into_iter().filter_map(|event| match event {
            Event::StepSucceeded { log, .. } => Some(log.join("\n")),
            _ => None,
        });
        logs.collect::<String>()
    };
    let first = kept(bot.run("rollback").await).await;
    assert!(first.contains("Bearer [ADMIN_TOKEN]") && first.contains("n3w%2ftoken"), "{first}");
    let mut edited = house.configuration.clone();
    edited.secrets.insert("NEW_TOKEN".to_owned());
    bot.0.reconfigure(edited);
    let second = kept(bot.run("rollback").await).await;
    assert!(second.contains("Bearer [ADMIN_TOKEN]") && second.contains("new=[NEW_TOKEN]"), "{second}");
}
