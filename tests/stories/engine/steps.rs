//! Steps that go well, that fail, that hang, and whose answer is lost.

use std::time::Duration;

use drbot::{
    engine::AnswerError,
    run::{
        delivery::Delivery,
        event::{Choice, Event, FailureKind},
        outcome::Outcome,
        state::Status,
    },
    runbook::definition::{OnFailure, ValueType},
};
use serde_json::json;

use crate::support::{
    clock::HandClock,
    commands::{StepWords, command, idempotent, once, parallel, program, question, read},
    house::{House, dana, gil, omar},
    scripted::Deed,
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_run_goes_from_its_first_step_to_its_last() {
    let house =
        House::new([command("go", vec![read("a").gives("rows", ValueType::Integer), idempotent("b"), once("c")])]);
    house.world.tell("do a", [Deed::Succeed(json!({ "rows": 7, "more": "not asked for" }))]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    let state = bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(house.world.ledger(), ["do a", "do b", "do c"]);
    assert_eq!(json!(state.step("a").unwrap().outputs), json!({ "rows": 7 }));
    let steps = ["a", "b", "c"].map(|id| [format!("step-started {id}"), format!("step-succeeded {id}")]);
    let mut kinds = vec!["run-created".to_owned()];
    kinds.extend(steps.into_iter().flatten());
    kinds.push("finished".to_owned());
    assert_eq!(bot.kinds(run).await, kinds);
    let told = bot.0.store().waiting(run).await.unwrap();
    assert_eq!(told.len(), 7, "each event but the first is told");
    assert!(told.iter().all(|row| row.delivery == Delivery::Thread));
}

#[tokio::test]
async fn a_promised_output_that_is_missing_fails_the_step_that_promised_it() {
    let house = House::new([command("go", vec![read("a").gives("rows", ValueType::Integer), once("b")])]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    let state = bot.ends(run, Outcome::Failed).await;
    assert!(state.finished.unwrap().message.contains("the output rows is missing"));
    assert_eq!(house.world.times("do b"), 0);
}

#[tokio::test]
async fn a_retry_waits_and_tries_again() {
    let hand = HandClock::new();
    let house = House::new([command("go", vec![idempotent("a").retrying(3)])]).on(hand.clock());
    house.world.tell("do a", [Deed::Fail("busy"), Deed::Fail("busy")]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    hand.pass(2 * SECOND).await;
    hand.pass(6 * SECOND).await;
    let state = bot.ends(run, Outcome::Succeeded).await;
    assert_eq!((state.steps[0].attempts, house.world.times("do a")), (3, 1));
}

#[tokio::test]
async fn a_step_over_its_time_is_really_stopped() {
    let hand = HandClock::new();
    let house = House::new([command("go", vec![idempotent("a").within(10)])]).on(hand.clock());
    house.world.tell("do a", [Deed::Tell("asking the disk")]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    hand.pass(10 * SECOND).await;
    let state = bot.ends(run, Outcome::Failed).await;
    assert_eq!(house.world.seen_times("stopped a"), 1);
    let Status::Failed { kind, message } = &state.steps[0].status else { panic!("{:?}", state.steps[0].status) };
    assert_eq!(*kind, FailureKind::TimedOut);
    assert_eq!(message, "not done within 10s; last seen: asking the disk");
}

#[tokio::test]
async fn a_step_that_does_not_even_stop_holds_the_run_no_longer() {
    let hand = HandClock::new();
    let house = House::new([command("go", vec![once("a").within(10)])]).on(hand.clock());
    house.world.tell("do a", [Deed::HangDeaf]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    hand.pass(10 * SECOND).await;
    hand.pass(15 * SECOND).await;
    let state = bot.ends(run, Outcome::Failed).await;
    assert!(state.finished.unwrap().message.contains("it has not happened"));
    assert_eq!(house.world.seen_times("probe a"), 1);
}

#[tokio::test]
async fn a_once_step_over_its_time_is_probed() {
    let hand = HandClock::new();
    let house = House::new([command("go", vec![once("a").within(10)])]).on(hand.clock());
    house.world.tell("do a", [Deed::Hang]).tell("probe a", [Deed::Succeed(json!({ "found": true }))]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    hand.pass(10 * SECOND).await;
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!((house.world.seen_times("do a"), house.world.seen_times("probe a")), (1, 1));
}

#[tokio::test]
async fn a_once_step_whose_answer_is_lost_is_probed_and_not_repeated() {
    for (happened, outcome) in [(true, Outcome::Succeeded), (false, Outcome::Failed)] {
        let house = House::new([command("go", vec![once("a")])]);
        house.world.tell("do a", [Deed::LoseAnswer { happened }]);
        let bot = house.start().await;
        let run = bot.run("go").await;
        bot.ends(run, outcome).await;
        assert_eq!((house.world.seen_times("do a"), house.world.seen_times("probe a")), (1, 1));
    }
}

#[tokio::test]
async fn what_nobody_can_tell_is_asked_of_a_person() {
    for (choice, times) in [(Choice::Happened, 1), (Choice::DidNotHappen, 2)] {
        let house = House::new([command("go", vec![once("a"), read("b")])]);
        house.world.opaque("a");
        house.world.tell("do a", [Deed::LoseAnswer { happened: true }]);
        let bot = house.start().await;
        let run = bot.run("go").await;
        let state = bot.until(run, "a question is asked", |state| state.question.is_some()).await;
        let question = state.question.unwrap();
        assert!(question.question.contains("the answer was lost"), "{}", question.question);
        let refused = bot.0.answer(run, &gil(), &question.token, 0, None).await.unwrap_err();
        assert!(matches!(refused, AnswerError::Refused(_)), "{refused:?}");
        let stale = bot.0.answer(run, &dana(), "another", 0, None).await.unwrap_err();
        assert!(matches!(stale, AnswerError::Stale), "{stale:?}");
        bot.answers(run, choice).await;
        bot.ends(run, Outcome::Succeeded).await;
        assert_eq!(house.world.times("do a"), times);
    }
}

#[tokio::test]
async fn the_check_of_a_step_settles_what_its_action_cannot() {
    for happened in [true, false] {
        let house = House::new([command("go", vec![once("a").checked(Some("there"))])]);
        house.world.opaque("a");
        house.world.tell("do a", [Deed::LoseAnswer { happened }]);
        let bot = house.start().await;
        let run = bot.run("go").await;
        bot.ends(run, if happened { Outcome::Succeeded } else { Outcome::Failed }).await;
        assert_eq!(house.world.seen_times("do a"), 1);
    }
}

#[tokio::test]
async fn a_check_that_cannot_be_had_or_told_proves_nothing() {
    let ill: [(Option<&str>, Deed); 4] = [
        (Some("there"), Deed::Fail("no answer")),
        (Some("typo.there"), Deed::Succeed(json!({}))),
        (None, Deed::Succeed(json!({ "exit_code": 7 }))),
        (Some("there"), Deed::Succeed(json!({ "there": "perhaps" }))),
    ];
    for (expect, deed) in ill {
        let house = House::new([command("go", vec![once("a").checked(expect)])]);
        house.world.opaque("a");
        house.world.tell("do a", [Deed::LoseAnswer { happened: true }]).tell("check a", [deed]);
        let bot = house.start().await;
        let run = bot.run("go").await;
        bot.answers(run, Choice::Happened).await;
        bot.ends(run, Outcome::Succeeded).await;
        assert_eq!(house.world.times("do a"), 1);
    }
}

#[tokio::test]
async fn the_check_is_filled_in_and_made_after_the_step() {
    let checked = once("a").checked(Some("there")).change(|step| {
        let drbot::runbook::action::Action::Exec(exec) = &mut step.check.as_mut().unwrap().action else { panic!() };
        exec.args = vec!["{{ run.requester }}".to_owned()];
    });
    let house = House::new([command("go", vec![checked])]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(house.world.seen_times("check a Dana"), 1);

    let house = House::new([command("go", vec![once("a").checked(Some("not there"))])]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    let state = bot.ends(run, Outcome::Failed).await;
    assert!(state.finished.unwrap().message.contains("its effect is not there"));
}

#[tokio::test]
async fn what_is_refused_is_not_tried_again_and_what_was_done_is_taken_back() {
    let steps = vec![
        idempotent("a").undoable(),
        idempotent("b").undoable(),
        idempotent("c").half_undoable().retrying(5).failing(OnFailure::Undo),
    ];
    let house = House::new([command("go", steps)]);
    house.world.tell("do c", [Deed::Refuse("this is no backup")]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    let state = bot.ends(run, Outcome::Refused).await;
    assert!(state.finished.unwrap().message.contains("this is no backup"));
    assert_eq!(house.world.ledger(), ["do a", "do b", "undo c", "undo b", "undo a"]);
}

#[tokio::test]
async fn an_undo_that_fails_three_times_is_stuck() {
    let hand = HandClock::new();
    let steps = vec![idempotent("a").undoable().within(10), read("b").failing(OnFailure::Undo)];
    let house = House::new([command("go", steps)]).on(hand.clock());
    house.world.tell("do b", [Deed::Fail("no")]);
    house.world.tell("undo a", [Deed::Fail("no"), Deed::HangDeaf, Deed::Hang]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    hand.pass(2 * SECOND).await;
    hand.pass(10 * SECOND).await;
    hand.pass(15 * SECOND).await;
    hand.pass(2 * SECOND).await;
    hand.pass(10 * SECOND).await;
    bot.ends(run, Outcome::Stuck).await;
    assert_eq!((house.world.seen_times("undo a"), house.world.seen_times("stopped a")), (3, 1));
}

#[tokio::test]
async fn stop_stops_the_step_and_takes_back_what_was_done() {
    let house = House::new([command("go", vec![idempotent("a").undoable(), idempotent("b"), once("c")])]);
    house.world.tell("do b", [Deed::Hang]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    house.world.sees("do b").await;
    let refused = bot.0.stop_run(run, &gil(), None).await.unwrap_err();
    assert!(matches!(refused, AnswerError::Refused(_)), "{refused:?}");
    bot.0.stop_run(run, &omar(), Some("enough")).await.unwrap_err();
    bot.0.stop_run(run, &dana(), Some("enough")).await.unwrap();
    let state = bot.ends(run, Outcome::Aborted).await;
    assert_eq!(state.finished.unwrap().message, "Dana stopped it");
    assert_eq!(house.world.ledger(), ["do a", "undo a"]);
    let late = bot.0.stop_run(run, &dana(), None).await.unwrap_err();
    assert!(matches!(late, AnswerError::Ended | AnswerError::TooLate(_)), "{late:?}");
}

#[tokio::test]
async fn a_once_step_that_is_stopped_is_looked_at_before_anything_is_taken_back() {
    let house = House::new([command("go", vec![once("a").undoable()])]);
    house.world.tell("do a", [Deed::Hang]).tell("probe a", [Deed::Succeed(json!({ "found": true }))]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    house.world.sees("do a").await;
    bot.0.stop_run(run, &dana(), None).await.unwrap();
    bot.ends(run, Outcome::Aborted).await;
    assert_eq!(house.world.ledger(), ["undo a"], "it had happened, so it is taken back");

    // The stop that ended the step does not end the look at what became of it.
    let house = House::new([command("go", vec![once("a")])]);
    house.world.tell("do a", [Deed::Hang]).tell("probe a", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    house.world.sees("do a").await;
    bot.0.stop_run(run, &dana(), None).await.unwrap();
    house.world.sees("probe a").await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    house.world.let_go("probe a");
    let state = bot.ends(run, Outcome::Aborted).await;
    assert_eq!(state.finished.unwrap().message, "Dana stopped it", "and somebody knows that it has not happened");
}

#[tokio::test]
async fn stop_is_heard_before_the_first_byte_and_by_the_deaf() {
    // While the action looks at what is there, and does not answer.
    let hand = HandClock::new();
    let house = House::new([command("go", vec![once("a").within(1000)])]).on(hand.clock());
    house.world.tell("prepare a", [Deed::HangDeaf]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    house.world.sees("prepare a").await;
    bot.0.stop_run(run, &dana(), None).await.unwrap();
    bot.ends(run, Outcome::Aborted).await;
    assert_eq!(house.world.seen_times("do a"), 0);

    // While it does what it cannot be stopped in.
    let house = House::new([command("go", vec![idempotent("a").within(1000)])]).on(hand.clock());
    house.world.tell("do a", [Deed::HangDeaf]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    house.world.sees("do a").await;
    bot.0.stop_run(run, &dana(), None).await.unwrap();
    hand.pass(15 * SECOND).await;
    bot.ends(run, Outcome::Aborted).await;
}

#[tokio::test]
async fn a_stop_at_any_instant_ends_the_run_as_it_says() {
    for delay in 0..40 {
        let house = House::new([command("go", vec![idempotent("a").undoable(), once("b").undoable()])]);
        let bot = house.start().await;
        let run = bot.run("go").await;
        for _ in 0..delay * 20 {
            tokio::task::yield_now().await;
        }
        match bot.0.stop_run(run, &dana(), None).await {
            Ok(()) => {
                bot.ends(run, Outcome::Aborted).await;
                for step in ["a", "b"] {
                    let (done, undone) = (format!("do {step}"), format!("undo {step}"));
                    assert_eq!(house.world.times(&done), house.world.times(&undone), "{:?}", house.world.ledger());
                }
            }
            Err(AnswerError::Ended | AnswerError::TooLate(_)) => drop(bot.ends(run, Outcome::Succeeded).await),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_question_of_the_file_waits_for_its_answer_and_is_ended_by_a_stop() {
    let steps = || vec![question("which"), once("b")];
    let house = House::new([command("go", steps())]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    bot.answers(run, Choice::Answer("right".to_owned())).await;
    let state = bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(state.step("which").unwrap().outputs["answer"], "right");

    let run = bot.run("go").await;
    bot.until(run, "a question is asked", |state| state.question.is_some()).await;
    bot.0.stop_run(run, &dana(), None).await.unwrap();
    bot.ends(run, Outcome::Aborted).await;
    let journal = bot.journal(run).await;
    assert!(!journal.iter().any(|event| matches!(event, Event::StepInterrupted { .. })), "nobody was interrupted");
}

#[tokio::test]
async fn a_branch_that_hangs_delays_nothing() {
    let hand = HandClock::new();
    let branches = vec![
        read("good").gives("rows", ValueType::Integer),
        read("deaf").within(2).failing(OnFailure::Continue),
        read("vague").gives("rows", ValueType::Integer).failing(OnFailure::Continue),
    ];
    let probes = parallel("probes", branches).within(3);
    let house = House::new([command("go", vec![probes])]).on(hand.clock());
    house.world.tell("do probes.good", [Deed::Succeed(json!({ "rows": 1 }))]).tell("do probes.deaf", [Deed::HangDeaf]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    hand.pass(2 * SECOND).await;
    hand.pass(SECOND / 4).await;
    let state = bot.ends(run, Outcome::Succeeded).await;
    let outputs = &state.steps[0].outputs;
    assert_eq!(json!([outputs["good"]["ok"], outputs["good"]["rows"]]), json!([true, 1]));
    assert_eq!(outputs["deaf"]["error"], "no answer within 2s");
    assert_eq!(outputs["vague"]["ok"], false, "what it lacks is its own failure");
}

#[tokio::test]
async fn a_parallel_step_succeeds_by_its_own_expectation() {
    let halted = parallel(
        "halted",
        vec![read("api").failing(OnFailure::Continue), read("container").failing(OnFailure::Continue)],
    )
    .change(|step| step.expect = Some("api.ok or container.ok".to_owned()));
    let house = House::new([command("go", vec![halted])]);
    house.world.tell("do halted.api", [Deed::Fail("no answer"), Deed::Fail("no answer")]);
    house.world.tell("do halted.container", [Deed::Succeed(json!({})), Deed::Fail("it runs")]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    bot.ends(run, Outcome::Succeeded).await;
    let run = bot.run("go").await;
    bot.ends(run, Outcome::Failed).await;
}

#[tokio::test]
async fn a_parallel_step_that_fails_leaves_what_was_found_and_refuses_where_its_file_says_so() {
    let branches = vec![
        read("good").gives("rows", ValueType::Integer),
        read("bad").change(|step| {
            step.expect = Some("exit_code == 0".to_owned());
            step.says = Some("seen ~ ' of 7 differ'".to_owned());
        }),
    ];
    let look = parallel("look", branches).failing(OnFailure::Refuse);
    let house = House::new([command("go", vec![look, once("b")])]);
    house.world.tell("do look.good", [Deed::Succeed(json!({ "rows": 3 }))]);
    house.world.tell("do look.bad", [Deed::Succeed(json!({ "exit_code": 1, "seen": 2 }))]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    let state = bot.ends(run, Outcome::Refused).await;
    assert_eq!(house.world.times("do b"), 0);
    let found = &state.step("look").unwrap().outputs;
    assert_eq!(found["good"]["rows"], json!(3));
    assert_eq!(found["bad"]["error"], json!("2 of 7 differ"));
    assert!(state.finished.unwrap().message.contains("2 of 7 differ"));
}

#[tokio::test]
async fn a_wait_wants_its_probe_to_hold_several_times_in_a_row() {
    let hand = HandClock::new();
    let wait = read("healthy").within(60).change(|step| {
        let wait = json!({ "until": program("do"), "every": "1s", "times": 2 });
        step.action = drbot::runbook::action::Action::Wait(serde_json::from_value(wait).unwrap());
    });
    let house = House::new([command("go", vec![wait])]).on(hand.clock());
    let good = || Deed::Succeed(json!({}));
    house.world.tell("do healthy", [Deed::Fail("ill"), good(), Deed::HangDeaf, good(), good()]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    hand.pass(SECOND).await;
    hand.pass(SECOND).await;
    hand.pass(5 * SECOND).await;
    hand.pass(SECOND / 4).await;
    hand.pass(SECOND).await;
    hand.pass(SECOND).await;
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(house.world.seen_times("do healthy"), 5);
}
