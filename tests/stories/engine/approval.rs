//! Who approves what, when.

use std::time::Duration;

use drbot::{
    access::Refusal,
    engine::AnswerError,
    run::{
        outcome::Outcome,
        state::{ApprovalState, Status},
    },
    runbook::definition::{Command, Output, ValueType},
};
use serde_json::json;
use tokio::join;

use crate::support::{
    clock::HandClock,
    commands::{StepWords, approved, command, idempotent, once, read},
    house::{Bot, House, dana, gil, lena, omar},
    scripted::Deed,
};

/// Approval is asked for while the restore goes on beside, and gates the swap.
fn restore() -> Command {
    let steps = vec![read("verify"), idempotent("restore").half_undoable(), once("swap")];
    approved(command("restore", steps), Some("verify"), "swap")
}

async fn until_gate(bot: &Bot) -> (drbot::ids::RunId, String) {
    let run = bot.run("restore").await;
    let token = bot.call_for_approval(run).await;
    (run, token)
}

#[tokio::test]
async fn the_gate_opens_for_one_other_person_of_the_role_who_types_the_name() {
    let mut restore = restore();
    restore.approval.as_mut().unwrap().confirm = Some("trading of {{ run.requester }}".to_owned());
    let house = House::new([restore]);
    let bot = house.start().await;
    let (run, token) = until_gate(&bot).await;
    let typed = Some("trading of Dana");
    let mut robot = omar();
    robot.is_bot = true;
    for (caller, wanted) in [
        (gil(), Refusal::Role { roles: vec!["dba".to_owned()] }),
        (dana(), Refusal::OwnApproval),
        (robot, Refusal::Bot),
    ] {
        match bot.0.approve(run, &caller, &token, typed).await.unwrap_err() {
            AnswerError::Refused(refusal) => assert_eq!(refusal, wanted),
            other => panic!("{other:?}"),
        }
        assert!(bot.0.may_approve(run, &caller, &token).await.is_err());
    }
    for wrong in [None, Some(""), Some("trading of Omar")] {
        match bot.0.approve(run, &omar(), &token, wrong).await.unwrap_err() {
            AnswerError::WrongConfirmation { expected } => assert_eq!(Some(&*expected), typed),
            other => panic!("{other:?}"),
        }
    }
    let stale = bot.0.approve(run, &omar(), "of yesterday", typed).await.unwrap_err();
    assert!(matches!(stale, AnswerError::Stale), "{stale:?}");
    bot.0.may_approve(run, &omar(), &token).await.unwrap();
    assert_eq!(house.world.times("do swap"), 0);
    assert_eq!(bot.0.approve(run, &omar(), &token, Some(" trading of Dana ")).await.unwrap(), 0);
    bot.ends(run, Outcome::Succeeded).await;
    let late = bot.0.approve(run, &lena(), &token, typed).await.unwrap_err();
    assert!(matches!(late, AnswerError::Ended), "{late:?}");
}

#[tokio::test]
async fn a_quorum_counts_people_once() {
    let mut restore = restore();
    restore.approval.as_mut().unwrap().quorum = 2;
    let house = House::new([restore]);
    let bot = house.start().await;
    let (run, token) = until_gate(&bot).await;
    assert_eq!(bot.0.approve(run, &omar(), &token, None).await.unwrap(), 1);
    let again = bot.0.approve(run, &omar(), &token, None).await.unwrap_err();
    assert!(matches!(again, AnswerError::Refused(Refusal::AlreadyApproved)), "{again:?}");
    assert_eq!(bot.0.approve(run, &lena(), &token, None).await.unwrap(), 0);
    bot.ends(run, Outcome::Succeeded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_clicks_at_once_one_counts() {
    for _ in 0..20 {
        let house = House::new([restore()]);
        let bot = house.start().await;
        let (run, token) = until_gate(&bot).await;
        let (omar, lena) = (omar(), lena());
        let (one, two) = join!(bot.0.approve(run, &omar, &token, None), bot.0.approve(run, &lena, &token, None));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        bot.ends(run, Outcome::Succeeded).await;
        let yes = bot.kinds(run).await.iter().filter(|kind| *kind == "approval-given").count();
        assert_eq!((yes, house.world.times("do swap")), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn yes_and_no_at_once_is_no_or_it_had_begun() {
    for _ in 0..30 {
        let house = House::new([restore()]);
        let bot = house.start().await;
        let (run, token) = until_gate(&bot).await;
        bot.until(run, "the gate waits", |state| state.steps[1].status == Status::Succeeded).await;
        let (omar, lena) = (omar(), lena());
        let (yes, no) = join!(bot.0.approve(run, &omar, &token, None), bot.0.deny(run, &lena, &token, "no"));
        assert!(yes.is_ok() || no.is_ok(), "{yes:?} {no:?}");
        let outcome = if no.is_ok() { Outcome::Refused } else { Outcome::Succeeded };
        bot.ends(run, outcome).await;
        assert_eq!(house.world.times("do swap"), usize::from(no.is_err()));
        assert_eq!(house.world.times("undo restore"), usize::from(no.is_ok()));
    }
}

#[tokio::test]
async fn a_no_stops_the_step_that_is_under_way_and_takes_back() {
    let house = House::new([restore()]);
    house.world.tell("do restore", [Deed::Hang]);
    let bot = house.start().await;
    let (run, token) = until_gate(&bot).await;
    house.world.sees("do restore").await;
    let reasonless = bot.0.deny(run, &omar(), &token, "  ").await.unwrap_err();
    assert!(matches!(reasonless, AnswerError::ReasonNeeded), "{reasonless:?}");
    let stranger = bot.0.deny(run, &gil(), &token, "no").await.unwrap_err();
    assert!(matches!(stranger, AnswerError::Refused(Refusal::Role { .. })), "{stranger:?}");
    bot.0.deny(run, &omar(), &token, "the disk is fine again").await.unwrap();
    let state = bot.ends(run, Outcome::Refused).await;
    assert_eq!(state.finished.unwrap().message, "Omar denied it: the disk is fine again");
    assert_eq!(house.world.ledger(), ["do verify", "undo restore"]);
    assert_eq!(house.world.seen_times("stopped restore"), 1);
}

#[tokio::test]
async fn a_no_counts_after_a_yes_until_the_step_has_begun() {
    let house = House::new([restore()]);
    house.world.tell("do restore", [Deed::Hold]).tell("do swap", [Deed::Hold]);
    let bot = house.start().await;
    let (run, token) = until_gate(&bot).await;
    house.world.sees("do restore").await;
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    bot.0.deny(run, &lena(), &token, "wait").await.unwrap();
    bot.ends(run, Outcome::Refused).await;
    assert_eq!(house.world.seen_times("do swap"), 0);

    let house = House::new([restore()]);
    house.world.tell("do swap", [Deed::Hold]);
    let bot = house.start().await;
    let (run, token) = until_gate(&bot).await;
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    house.world.sees("do swap").await;
    let late = bot.0.deny(run, &lena(), &token, "wait").await.unwrap_err();
    assert!(matches!(late, AnswerError::TooLate(_)), "{late:?}");
    let late = bot.0.withdraw(run, &omar(), &token).await.unwrap_err();
    assert!(matches!(late, AnswerError::TooLate(_)), "{late:?}");
    house.world.let_go("do swap");
    bot.ends(run, Outcome::Succeeded).await;
}

#[tokio::test]
async fn a_yes_that_is_taken_back_while_the_gate_gets_ready_is_none() {
    let house = House::new([restore()]);
    house.world.tell("prepare swap", [Deed::Hold]);
    let bot = house.start().await;
    let (run, token) = until_gate(&bot).await;
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    house.world.sees("prepare swap").await;
    bot.0.withdraw(run, &omar(), &token).await.unwrap();
    house.world.let_go("prepare swap");
    let pending = |state: &drbot::run::state::State| matches!(state.approval, ApprovalState::Pending { .. });
    bot.until(run, "it waits for approval again", pending).await;
    bot.0.approve(run, &lena(), &token, None).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!((house.world.seen_times("prepare swap"), house.world.times("do swap")), (2, 1));
}

#[tokio::test]
async fn after_its_time_it_is_asked_for_again_by_a_person() {
    let hand = HandClock::new();
    let house = House::new([restore()]).on(hand.clock());
    let bot = house.start().await;
    let (run, token) = until_gate(&bot).await;
    let early = bot.0.ask_again(run, &dana()).await.unwrap_err();
    assert!(matches!(early, AnswerError::Stale), "{early:?}");
    hand.pass(Duration::from_secs(300)).await;
    // Whoever is faster, the click or the clock: it has expired.
    let late = bot.0.approve(run, &omar(), &token, None).await.unwrap_err();
    assert!(matches!(late, AnswerError::Expired), "{late:?}");
    let lapsed = |state: &drbot::run::state::State| matches!(state.approval, ApprovalState::Lapsed { .. });
    bot.until(run, "it has lapsed", lapsed).await;
    for late in [
        bot.0.approve(run, &omar(), &token, None).await.unwrap_err(),
        bot.0.deny(run, &omar(), &token, "no").await.unwrap_err(),
    ] {
        assert!(matches!(late, AnswerError::Expired), "{late:?}");
    }
    assert!(matches!(bot.0.ask_again(run, &gil()).await.unwrap_err(), AnswerError::Refused(_)));
    bot.0.ask_again(run, &dana()).await.unwrap();
    let again = bot.call_for_approval(run).await;
    assert_ne!(again, token);
    let stale = bot.0.approve(run, &omar(), &token, None).await.unwrap_err();
    assert!(matches!(stale, AnswerError::Stale), "{stale:?}");
    assert_eq!(house.world.times("do swap"), 0);
    bot.0.approve(run, &omar(), &again, None).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
}

#[tokio::test]
async fn it_expires_while_a_step_is_under_way_too() {
    let hand = HandClock::new();
    let mut restore = restore();
    restore.steps[1].timeout = Some(drbot::runbook::span::Span::from_secs(1000));
    let house = House::new([restore]).on(hand.clock());
    house.world.tell("do restore", [Deed::Hold]);
    let bot = house.start().await;
    let (run, _) = until_gate(&bot).await;
    house.world.sees("do restore").await;
    hand.pass(Duration::from_secs(300)).await;
    let lapsed = |state: &drbot::run::state::State| matches!(state.approval, ApprovalState::Lapsed { .. });
    let state = bot.until(run, "it has lapsed", lapsed).await;
    assert_eq!(state.steps[1].status, Status::Running);
    bot.0.ask_again(run, &dana()).await.unwrap();
    let token = bot.call_for_approval(run).await;
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    house.world.let_go("do restore");
    bot.ends(run, Outcome::Succeeded).await;
}

#[tokio::test]
async fn a_role_that_is_taken_away_in_between_is_asked_for_when_the_step_starts() {
    let house = House::new([restore()]);
    house.world.tell("do restore", [Deed::Hold]);
    let bot = house.start().await;
    let (run, token) = until_gate(&bot).await;
    house.world.sees("do restore").await;
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    let mut stricter = house.configuration.clone();
    stricter.settings.roles.insert("operator".to_owned(), drbot::config::settings::DiscordId(77));
    bot.0.reconfigure(stricter);
    house.world.let_go("do restore");
    let state = bot.ends(run, Outcome::Refused).await;
    assert!(state.finished.unwrap().message.contains("it may not be done"));
    assert_eq!(house.world.seen_times("do swap"), 0);
}

#[tokio::test]
async fn nobody_is_asked_where_the_emergency_is_proved() {
    let proving = |unless: &str| {
        let mut restore = restore();
        restore.steps[0].outputs = [("down".to_owned(), Output { kind: ValueType::Any, from: None })].into();
        let approval = restore.approval.as_mut().unwrap();
        approval.unless = Some(unless.to_owned());
        approval.because = Some("it answers {{ steps.verify.down }} to {{ run.requester }}".to_owned());
        restore
    };
    let house = House::new([proving("steps.verify.down == true")]);
    house.world.tell("do verify", [Deed::Succeed(json!({ "down": true })), Deed::Succeed(json!({ "down": false }))]);
    let bot = house.start().await;
    let run = bot.run("restore").await;
    let state = bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(state.approval, ApprovalState::Waived { round: 1, because: "it answers True to Dana".to_owned() });
    assert!(!bot.kinds(run).await.contains(&"approval-asked".to_owned()));

    // Not proved: as ever.
    let run = bot.run("restore").await;
    let token = bot.call_for_approval(run).await;
    assert_eq!(house.world.times("do swap"), 1);
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    drop(bot);

    // What cannot be told proves nothing.
    let house = House::new([proving("steps.verify.down.by > 5")]);
    house.world.tell("do verify", [Deed::Succeed(json!({ "down": "much" }))]);
    let bot = house.start().await;
    let run = bot.run("restore").await;
    bot.call_for_approval(run).await;
}
