//! The brake: nothing begins but what reads and what always helps.

use drbot::{
    access,
    engine::{AnswerError, LockdownError, RequestError},
    run::{
        event::{Choice, Event},
        outcome::Outcome,
        state::{State, Status},
    },
    runbook::definition::{Effect, OnFailure, Risk},
};
use futures::future::join_all;

use super::faults::in_the_file;
use crate::support::{
    commands::{StepWords, approved, command, idempotent, once, read},
    house::{Bot, House, LIMIT, dana, gil, lena, omar},
    scripted::Deed,
};

fn house() -> House {
    let work = command("work", vec![read("look"), idempotent("first"), read("see"), once("second")]);
    let asks = approved(command("asks", vec![read("look"), once("swap")]), Some("look"), "swap");
    let mut halt = command("halt", vec![idempotent("stop")]);
    halt.risk = Risk::Safe;
    let mut status = command("status", vec![read("look")]);
    status.risk = Risk::Read;
    let back = command("back", vec![once("do").undoable(), once("fail").failing(OnFailure::Undo)]);
    let mut house = House::new([work, asks, halt, status, back]);
    house.configuration.settings.lockdown.roles = vec!["operator".to_owned()];
    house
}

fn keeper(bot: &Bot) -> access::Keeper {
    access::keeper(&bot.0.configuration().settings, None, true, "root").unwrap()
}

#[tokio::test]
async fn a_lockdown_holds_what_changes_something_and_nothing_else() {
    let house = house();
    house.world.tell("do first", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("work").await;
    bot.until(run, "the first step is under way", |state| state.steps[1].status == Status::Running).await;
    assert!(matches!(bot.0.lock_down(&gil(), "why").await, Err(LockdownError::Refused(_))));
    assert!(matches!(bot.0.lock_down(&dana(), "  ").await, Err(LockdownError::ReasonNeeded)));
    bot.0.lock_down(&dana(), "a stranger has Omar's account").await.unwrap();
    assert!(matches!(
        bot.0.lock_down(&omar(), "again").await,
        Err(LockdownError::Refused(_) | LockdownError::Already(_))
    ));
    // The step under way ends, what reads goes on, and the run stands before the next that changes something.
    house.world.let_go("do first");
    let state = bot.until(run, "the run is held", |state| state.held.is_some()).await;
    assert_eq!(state.steps[2].status, Status::Succeeded);
    assert_eq!(state.steps[3].status, Status::Pending);
    match bot.ask(&dana(), "work", "2").await {
        Err(RequestError::LockedDown(lockdown)) => assert_eq!(lockdown.by, "Dana"),
        other => panic!("{other:?}"),
    }
    let halted = bot.run("halt").await;
    let halted = bot.ends(halted, Outcome::Succeeded).await;
    assert_eq!(halted.created.locked_down.as_ref().unwrap().by, "Dana", "its card says so");
    let looked = bot.run("status").await;
    bot.ends(looked, Outcome::Succeeded).await;
    assert_eq!(house.world.times("do second"), 0);
    assert!(!bot.0.is_at_work().await, "what is held keeps nothing up");
    bot.0.lift_lockdown(&keeper(&bot), "it was Omar").await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(house.world.times("do second"), 1);
    let journal = bot.journal(run).await;
    let held = journal.iter().position(|event| matches!(event, Event::Held { .. })).unwrap();
    match &journal[held + 1] {
        Event::Released { by, reason } => assert_eq!((by.as_str(), reason.as_str()), ("root (host)", "it was Omar")),
        other => panic!("{other:?}"),
    }
    assert!(matches!(bot.0.lift_lockdown(&keeper(&bot), "again").await, Err(LockdownError::None)));
}

#[tokio::test]
async fn in_a_lockdown_no_yes_counts_and_every_no_does() {
    let house = house();
    let bot = house.start().await;
    let (first, second) = (bot.run("asks").await, bot.run("asks").await);
    let (token, other) = (bot.call_for_approval(first).await, bot.call_for_approval(second).await);
    bot.0.lock_down(&dana(), "why").await.unwrap();
    for refused in [
        bot.0.approve(first, &omar(), &token, None).await.unwrap_err(),
        bot.0.may_approve(first, &omar(), &token).await.unwrap_err(),
    ] {
        assert!(matches!(refused, AnswerError::LockedDown(_)), "{refused:?}");
    }
    bot.0.deny(second, &omar(), &other, "no").await.unwrap();
    bot.ends(second, Outcome::Refused).await;
    bot.0.lift_lockdown(&keeper(&bot), "over").await.unwrap();
    bot.0.approve(first, &omar(), &token, None).await.unwrap();
    bot.ends(first, Outcome::Succeeded).await;
}

#[tokio::test]
async fn what_is_to_be_taken_back_waits_and_stopping_is_recorded() {
    let house = house();
    house.world.tell("do fail", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("back").await;
    bot.until(run, "the second step is under way", |state| state.steps[1].status == Status::Running).await;
    bot.0.lock_down(&dana(), "why").await.unwrap();
    bot.0.stop_run(run, &dana(), None).await.unwrap();
    let state = bot.until(run, "something waits", |state| state.held.is_some() || state.question.is_some()).await;
    if state.question.is_some() {
        // Of a step that may have happened: what ends the run may be answered.
        bot.answers(run, Choice::DidNotHappen).await;
    }
    assert_eq!(house.world.times("undo do"), 0);
    assert!(state.ending.is_some());
    bot.0.lift_lockdown(&keeper(&bot), "over").await.unwrap();
    bot.ends(run, Outcome::Aborted).await;
    assert_eq!(house.world.times("undo do"), 1);
}

#[tokio::test]
async fn a_lockdown_outlives_drbot() {
    let house = house();
    house.world.tell("do first", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("work").await;
    bot.until(run, "the first step is under way", |state| state.steps[1].status == Status::Running).await;
    bot.0.lock_down(&dana(), "why").await.unwrap();
    house.world.let_go("do first");
    bot.until(run, "the run is held", |state| state.held.is_some()).await;
    bot.0.stop().await;
    drop(bot);
    let bot = house.start().await;
    assert_eq!(bot.0.lockdown().await.unwrap().reason, "why");
    bot.until(run, "the run is held", |state| state.held.is_some()).await;
    assert!(matches!(bot.ask(&dana(), "work", "2").await, Err(RequestError::LockedDown(_))));
    assert_eq!(house.world.times("do second"), 0);
    // Lifted while nobody serves; the next drbot lets go of what was held.
    bot.0.stop().await;
    drop(bot);
    let lift = drbot::store::lockdown::Lift { by: "root".to_owned(), reason: "over".to_owned() };
    let store = house.store().await;
    store.lift_lockdown(&lift, house.clock.now()).await.unwrap().unwrap();
    assert_eq!(store.waiting_notices().await.unwrap().len(), 2, "both are told");
    store.close().await;
    drop(store);
    let bot = house.start().await;
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(house.world.times("do second"), 1);
}

/// Whatever was decided in the moment of the lockdown: once it stands, nothing begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_begins_behind_a_lockdown_that_stands() {
    for round in 0..20 {
        let steps = (0..50).map(|number| idempotent(&format!("s{number}"))).collect();
        let mut house = House::new([command("long", steps)]);
        house.configuration.settings.lockdown.roles = vec!["operator".to_owned()];
        let bot = house.start().await;
        let runs = join_all((0..4).map(|_| bot.run("long"))).await;
        let begins = async || {
            let mut begun = 0;
            for run in &runs {
                let journal = bot.journal(*run).await;
                begun += journal.iter().filter(|event| matches!(event, Event::StepStarted { .. })).count();
            }
            begun
        };
        bot.until(runs[0], "it goes", |state| state.steps[round % 5].status == Status::Succeeded).await;
        bot.0.lock_down(&dana(), "why").await.unwrap();
        let at_once = begins().await;
        for run in &runs {
            bot.until(*run, "it is held", |state| state.held.is_some() || state.finished.is_some()).await;
        }
        assert_eq!(begins().await, at_once);
        assert!(at_once < 4 * 50, "the lockdown came in time");
        assert!(house.configuration.commands["long"].steps.iter().all(|step| step.effect() == Effect::Idempotent));
    }
}

/// The emergency was proved, then drbot stood still for a while: nobody knows whether it is still so.
#[tokio::test]
async fn what_was_proved_before_a_lockdown_is_asked_after_it() {
    let mut switch = approved(command("switch", vec![read("look"), once("swap")]), Some("look"), "swap");
    switch.approval.as_mut().unwrap().unless = Some("steps.look.ok".to_owned());
    let mut house = House::new([switch]);
    house.configuration.settings.lockdown.roles = vec!["operator".to_owned()];
    house.world.tell("do look", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("switch").await;
    house.world.sees("do look").await;
    bot.0.lock_down(&dana(), "why").await.unwrap();
    house.world.let_go("do look");
    bot.until(run, "the run is held", |state| state.held.is_some()).await;
    // Lifted and pulled again before the run has looked: it is held by the second one.
    bot.0.lift_lockdown(&keeper(&bot), "over").await.unwrap();
    bot.0.lock_down(&dana(), "again").await.unwrap();
    bot.until(run, "the run is held again", |state| state.held.as_ref().is_some_and(|held| held.reason == "again"))
        .await;
    bot.0.lift_lockdown(&keeper(&bot), "over").await.unwrap();
    let token = bot.call_for_approval(run).await;
    assert_eq!(house.world.times("do swap"), 0);
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
}

/// The yes was given while the restore went on: by whom, if not by the account that somebody else has?
#[tokio::test]
async fn a_yes_from_before_a_lockdown_does_not_count_after_it() {
    let steps = vec![read("look"), idempotent("restore"), once("swap")];
    let mut house = House::new([approved(command("restore", steps), Some("look"), "swap")]);
    house.configuration.settings.lockdown.roles = vec!["operator".to_owned()];
    house.world.tell("do restore", [Deed::Hold, Deed::Hold]);
    let bot = house.start().await;
    let approved = async || {
        let run = bot.run("restore").await;
        let token = bot.call_for_approval(run).await;
        house.world.sees("do restore").await;
        bot.0.approve(run, &omar(), &token, None).await.unwrap();
        (run, token)
    };
    for quick in [false, true] {
        let (run, token) = approved().await;
        bot.0.lock_down(&dana(), "a stranger has Omar's account").await.unwrap();
        // Also one that is over before the run could be held by it.
        if !quick {
            bot.until(run, "the run is held", |state| state.held.is_some()).await;
        }
        bot.0.lift_lockdown(&keeper(&bot), "the account is closed").await.unwrap();
        house.world.let_go("do restore");
        let asked = |state: &State| state.approval.asked().is_some_and(|asked| asked.token != token);
        let state = bot.until(run, "it is asked for again", asked).await;
        assert_eq!(house.world.times("do swap"), usize::from(quick));
        assert!(state.steps[2].attempts == 0 && state.unanswered == 0);
        assert!(matches!(bot.0.approve(run, &lena(), &token, None).await, Err(AnswerError::Stale)));
        let token = bot.call_for_approval(run).await;
        bot.0.approve(run, &lena(), &token, None).await.unwrap();
        bot.ends(run, Outcome::Succeeded).await;
    }
}

/// Nobody can tell whether it is stored: the brake holds all the same, and is stored when somebody says it again.
#[tokio::test]
async fn a_lockdown_holds_although_the_store_fails_twice() {
    let house = house();
    house.world.tell("do first", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("work").await;
    bot.until(run, "the first step is under way", |state| state.steps[1].status == Status::Running).await;
    let store = |statement| in_the_file(house.folder.path(), statement);
    store("ALTER TABLE lockdowns RENAME TO away").await;
    for _ in 0..2 {
        match bot.0.lock_down(&dana(), "why").await {
            Err(LockdownError::NotDurable(lockdown, _)) => assert_eq!(lockdown.reason, "why"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(bot.ask(&dana(), "work", "2").await, Err(RequestError::LockedDown(_))));
    }
    house.world.let_go("do first");
    bot.until(run, "the run is held", |state| state.held.is_some()).await;
    assert!(matches!(bot.0.lift_lockdown(&keeper(&bot), "over").await, Err(LockdownError::Store(_))));
    store("ALTER TABLE away RENAME TO lockdowns").await;
    // What only a run's journal remembers stands again after a start.
    bot.0.stop().await;
    drop(bot);
    let bot = house.start().await;
    let stands = async {
        while bot.0.lockdown().await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, stands).await.expect("it stands again");
    match bot.0.lock_down(&dana(), "again").await {
        Err(LockdownError::Already(lockdown)) => assert_eq!(lockdown.reason, "why"),
        other => panic!("{other:?}"),
    }
    assert_eq!(house.world.times("do second"), 0);
    assert!(bot.0.store().lockdown().await.unwrap().is_some());
    bot.0.lift_lockdown(&keeper(&bot), "over").await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
}
