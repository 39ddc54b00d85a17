//! What comes next, told as short tales.

use super::build::*;
use crate::{
    run::{
        event::{Choice, Event, FailureKind},
        next::{About, INTERRUPTIONS, Next, UNDO_ATTEMPTS, WaitingOn},
        outcome::Outcome,
        state::{ApprovalState, Status},
    },
    runbook::definition::OnFailure,
};

#[track_caller]
fn finishes(tale: &Tale, outcome: Outcome) -> String {
    match tale.next() {
        Next::Finish { outcome: there, message } if there == outcome => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn steps_in_order_then_the_end() {
    let mut tale = Tale::of(command(vec![read("a"), idempotent("b").when("false"), once("c")]));
    tale.does("a");
    assert_eq!(tale.next(), Next::Skip { step: 1 });
    tale.put(Event::StepSkipped { step: "b".to_owned(), reason: crate::run::event::SkipReason::Condition });
    tale.does("c");
    finishes(&tale, Outcome::Succeeded);
    tale.put(Event::Finished { outcome: Outcome::Succeeded, message: String::new() });
    assert_eq!(tale.next(), Next::Ended);
}

#[test]
fn retries_wait_longer_each_time() {
    let mut tale = Tale::of(command(vec![idempotent("a").retrying(3)]));
    for delay in [2, 6] {
        tale.fails("a");
        let due = tale.now + chrono::TimeDelta::seconds(delay);
        assert_eq!(tale.next(), Next::Wait { until: Some(due), on: WaitingOn::Retry });
        tale.later(delay);
    }
    tale.fails("a");
    assert_eq!(finishes(&tale, Outcome::Failed), "a: it broke");
}

#[test]
fn what_was_refused_or_stopped_is_not_tried_again() {
    for (kind, outcome) in [(FailureKind::Refused, Outcome::Refused), (FailureKind::Cancelled, Outcome::Failed)] {
        let mut tale = Tale::of(command(vec![idempotent("a").retrying(3)]));
        tale.begins("a").put(failed("a", 1, kind));
        finishes(&tale, outcome);
    }
}

#[test]
fn a_once_step_is_never_retried_by_itself() {
    let mut tale = Tale::of(command(vec![once("a").retrying(3)]));
    tale.fails("a");
    finishes(&tale, Outcome::Failed);
}

#[test]
fn a_failure_that_is_passed_over_never_ends_green() {
    let mut tale = Tale::of(command(vec![read("a").failing(OnFailure::Continue), read("b")]));
    tale.fails("a").does("b");
    finishes(&tale, Outcome::SucceededWithSkips);
}

#[test]
fn a_failure_asks_and_each_answer_counts() {
    let ready = || {
        let mut tale = Tale::of(command(vec![idempotent("a").undoable(), once("b").failing(OnFailure::Ask)]));
        tale.does("a").fails("b");
        assert_eq!(tale.next(), Next::Ask { step: 1, about: About::Failure });
        tale.asks();
        assert!(matches!(tale.next(), Next::Wait { on: WaitingOn::Answer, .. }));
        tale
    };
    finishes(ready().answers(Choice::Retry).does("b"), Outcome::Succeeded);
    finishes(ready().answers(Choice::Skip), Outcome::SucceededWithSkips);
    finishes(ready().answers(Choice::Undo).undoes("a"), Outcome::RolledBack);
    finishes(ready().answers(Choice::Abort), Outcome::Aborted);
}

#[test]
fn undoing_goes_backwards_over_what_was_done() {
    let steps = vec![
        idempotent("a").undoable(),
        idempotent("b"),
        idempotent("c").half_undoable(),
        idempotent("d").undoable(),
        idempotent("e").half_undoable().failing(OnFailure::Undo),
        idempotent("f").undoable(),
    ];
    let mut tale = Tale::of(command(steps));
    tale.does("a").does("b").does("c").does("d").fails("e");
    tale.undoes("e");
    tale.refused(started("e", 2));
    tale.undoes("d").undoes("c").undoes("a");
    assert_eq!(finishes(&tale, Outcome::RolledBack), "e: it broke");
}

#[test]
fn a_step_that_failed_is_undone_only_when_it_says_so() {
    let mut tale = Tale::of(command(vec![idempotent("a").undoable().failing(OnFailure::Undo)]));
    tale.fails("a");
    finishes(&tale, Outcome::RolledBack);
}

#[test]
fn nothing_is_undone_behind_a_point_of_no_return() {
    let steps = || vec![idempotent("a").undoable(), once("b").no_return(), idempotent("c").undoable()];
    let mut tale = Tale::of(command(steps()));
    tale.does("a").does("b").does("c").put(stopped()).undoes("c");
    finishes(&tale, Outcome::Aborted);

    let mut asks = steps();
    asks[2] = idempotent("c").failing(OnFailure::Undo);
    let mut tale = Tale::of(command(asks));
    tale.does("a").does("b").fails("c");
    assert_eq!(tale.next(), Next::Ask { step: 2, about: About::Failure });
    tale.asks();
    assert!(!tale.state.question.as_ref().unwrap().choices.contains(&Choice::Undo));
}

#[test]
fn a_point_of_no_return_that_may_have_been_passed_counts_as_passed() {
    let steps = || vec![idempotent("a").undoable(), once("b").no_return().failing(OnFailure::Ask), read("c")];
    for choice in [Choice::Skip, Choice::Retry] {
        let mut tale = Tale::of(command(steps()));
        tale.does("a").fails("b").asks().answers(choice).put(stopped());
        finishes(&tale, Outcome::Aborted);
    }
    let mut tale = Tale::of(command(steps()));
    tale.does("a").begins("b").put(unknown("b", 1)).put(stopped());
    assert!(finishes(&tale, Outcome::Aborted).contains("Nobody knows whether \"b\" happened"));

    // What was refused, or was seen not to have happened, has passed nothing.
    let mut tale = Tale::of(command(steps()));
    tale.does("a").is_interrupted_at("b").put(stopped()).undoes("a");
    let mut tale = Tale::of(command(steps()));
    tale.does("a").begins("b").put(failed("b", 1, FailureKind::Refused)).put(stopped()).undoes("a");
}

#[test]
fn only_a_persons_word_undoes_a_point_of_no_return() {
    let steps = || vec![idempotent("a").undoable(), once("b").no_return().half_undoable().failing(OnFailure::Ask)];
    let mut tale = Tale::of(command(steps()));
    tale.does("a").fails("b").clone().put(stopped());
    let mut halted = tale.clone();
    halted.put(stopped());
    finishes(&halted, Outcome::Aborted);
    tale.asks().answers(Choice::Undo).undoes("b").undoes("a");
    finishes(&tale, Outcome::RolledBack);
}

#[test]
fn an_undo_is_tried_three_times_then_the_run_is_stuck() {
    for interrupted in [false, true] {
        let mut tale = Tale::of(command(vec![idempotent("a").undoable()]));
        tale.does("a").put(stopped());
        for attempt in 1..=UNDO_ATTEMPTS {
            assert_eq!(tale.next(), Next::Undo { step: 0, attempt });
            tale.put(Event::UndoStarted { step: "a".to_owned(), attempt });
            if !interrupted {
                tale.put(Event::UndoFailed { step: "a".to_owned(), attempt, message: "it broke".to_owned() });
            }
            if attempt < UNDO_ATTEMPTS {
                assert!(matches!(tale.next(), Next::Wait { until: Some(_), on: WaitingOn::Retry }));
                tale.later(2);
            }
        }
        let message = finishes(&tale, Outcome::Stuck);
        assert!(message.starts_with("a could not be taken back"), "{message}");
        tale.put(Event::Finished { outcome: Outcome::Stuck, message });
    }
}

#[test]
fn approval_is_asked_for_early_and_the_work_goes_on() {
    let steps = vec![read("a"), idempotent("b"), once("c")];
    let mut tale = Tale::of(command(steps).approved(Some("a"), "c"));
    tale.does("a").asks_approval().does("b");
    assert!(matches!(tale.next(), Next::Wait { on: WaitingOn::Approval, .. }));
    tale.put(given(1, omar())).does("c");
    finishes(&tale, Outcome::Succeeded);
}

#[test]
fn approval_is_asked_for_at_the_gate_when_nothing_else_is_said() {
    let mut tale = Tale::of(command(vec![read("a"), once("b")]).approved(None, "b"));
    tale.does("a").asks_approval().put(given(1, omar())).does("b");
}

#[test]
fn a_yes_that_came_early_waits_for_its_step() {
    let mut tale = Tale::of(command(vec![read("a"), idempotent("b"), once("c")]).approved(Some("a"), "c"));
    tale.does("a").asks_approval().begins("b").put(given(1, omar())).later(3600).put(succeeded("b", 1)).does("c");
}

#[test]
fn a_yes_that_is_taken_back_late_has_expired() {
    let mut tale = Tale::of(command(vec![once("a")]).approved(None, "a"));
    tale.asks_approval().put(given(1, omar())).later(400).put(withdrawn(1, omar()));
    assert_eq!(tale.next(), Next::ExpireApproval { round: 1 });
}

#[test]
fn an_approval_that_expires_is_asked_for_again_by_a_person() {
    let mut tale = Tale::of(command(vec![once("a")]).approved(None, "a").quorum(2));
    tale.asks_approval().put(given(1, omar())).later(300);
    assert_eq!(tale.next(), Next::ExpireApproval { round: 1 });
    tale.put(Event::ApprovalExpired { round: 1 });
    assert_eq!(tale.next(), Next::Wait { until: None, on: WaitingOn::AskAgain });
    tale.refused(given(1, lena()));
    tale.put(Event::ApprovalRenewed { by: dana() });
    tale.refused(Event::ApprovalRenewed { by: dana() });
    assert_eq!(tale.next(), Next::AskApproval { round: 2 });
    tale.asks_approval();
    tale.refused(given(1, lena()));
    tale.put(given(2, lena()));
    assert!(matches!(tale.state.approval, ApprovalState::Pending { .. }), "the first yes was of another round");
    tale.put(given(2, omar())).does("a");
}

#[test]
fn a_denial_takes_back_what_was_done() {
    let steps = vec![read("a"), idempotent("b").half_undoable(), once("c")];
    let mut tale = Tale::of(command(steps).approved(Some("a"), "c"));
    tale.does("a").asks_approval().begins("b").put(denied(1, omar()));
    tale.put(failed("b", 1, FailureKind::Cancelled)).undoes("b");
    assert_eq!(finishes(&tale, Outcome::Refused), "Omar denied it: not now");
}

#[test]
fn a_denial_ends_a_run_that_waits_for_an_answer() {
    let mut tale = Tale::of(command(vec![read("a"), question("b"), once("c")]).approved(Some("a"), "c"));
    tale.does("a").asks_approval().begins("b");
    let choices = vec![Choice::Answer("left".to_owned())];
    let asks = Event::QuestionAsked { step: "b".to_owned(), token: String::new(), question: String::new(), choices };
    let mut unasked = tale.clone();
    for tale in [tale.put(asks), &mut unasked] {
        tale.put(denied(1, omar()));
        let message = finishes(tale, Outcome::Refused);
        tale.put(Event::Finished { outcome: Outcome::Refused, message });
    }
}

#[test]
fn an_interrupted_question_is_asked_again() {
    let mut tale = Tale::of(command(vec![question("a")]));
    tale.begins("a");
    assert_eq!(tale.next(), Next::Settle { step: 0 }, "it was lost before it was asked");
    tale.is_interrupted_between("a").begins("a");
    let choices = vec![Choice::Answer("left".to_owned())];
    tale.put(Event::QuestionAsked { step: "a".to_owned(), token: String::new(), question: String::new(), choices });
    assert!(matches!(tale.next(), Next::Wait { on: WaitingOn::Answer, .. }));
    tale.answers(Choice::Answer("left".to_owned()));
    assert_eq!(tale.state.step("a").unwrap().outputs["answer"], "left");
    finishes(&tale, Outcome::Succeeded);
}

impl Tale {
    fn is_interrupted_between(&mut self, id: &str) -> &mut Self {
        let attempt = self.state.step(id).unwrap().attempts;
        self.put(Event::StepInterrupted { step: id.to_owned(), attempt });
        self.put(Event::StepNotDone { step: id.to_owned(), attempt })
    }
}

#[test]
fn a_stop_takes_back_what_was_done() {
    let mut tale = Tale::of(command(vec![idempotent("a").undoable(), idempotent("b").undoable(), read("c")]));
    tale.does("a").does("b").begins("c").put(stopped());
    tale.put(failed("c", 1, FailureKind::Cancelled)).undoes("b").undoes("a");
    assert_eq!(finishes(&tale, Outcome::Aborted), "Dana stopped it");
}

#[test]
fn what_was_under_way_is_settled_before_anything_else() {
    for step in [read("a"), idempotent("a"), once("a")] {
        let mut tale = Tale::of(command(vec![step]));
        tale.begins("a");
        assert_eq!(tale.next(), Next::Settle { step: 0 });
        tale.put(Event::StepInterrupted { step: "a".to_owned(), attempt: 1 });
        assert_eq!(tale.next(), Next::Settle { step: 0 }, "the settling was interrupted too");
        tale.clone().put(stopped());
        let mut happened = tale.clone();
        finishes(happened.put(succeeded("a", 1)), Outcome::Succeeded);
        finishes(tale.put(Event::StepNotDone { step: "a".to_owned(), attempt: 1 }).does("a"), Outcome::Succeeded);
    }
}

#[test]
fn an_unknown_outcome_is_asked_of_a_person() {
    let ready = || {
        let mut tale = Tale::of(command(vec![once("a")]));
        tale.begins("a").put(unknown("a", 1));
        assert_eq!(tale.next(), Next::Ask { step: 0, about: About::UnknownOutcome });
        tale.asks();
        tale
    };
    finishes(ready().answers(Choice::Happened), Outcome::Succeeded);
    finishes(ready().answers(Choice::DidNotHappen).does("a"), Outcome::Succeeded);
    assert!(finishes(ready().answers(Choice::Abort), Outcome::Aborted).contains("Nobody knows"));
}

#[test]
fn a_step_that_is_interrupted_too_often_asks() {
    let mut tale = Tale::of(command(vec![idempotent("a")]));
    for _ in 0..=INTERRUPTIONS {
        tale.is_interrupted_at("a");
    }
    assert_eq!(tale.next(), Next::Ask { step: 0, about: About::Interruptions });
    tale.asks().answers(Choice::Retry);
    assert_eq!(*tale.status("a"), Status::Again);
    finishes(tale.does("a"), Outcome::Succeeded);
}

#[test]
fn recovery_is_journaled_once_when_it_is_verified() {
    let steps = vec![read("a"), read("b"), read("c")];
    let mut tale = Tale::of(command(steps).recovered("steps.b.ok"));
    tale.does("a").does("b");
    assert_eq!(tale.next(), Next::Recover);
    tale.put(Event::Recovered);
    let at = tale.state.recovered_at;
    tale.later(5).does("c");
    assert_eq!(tale.state.recovered_at, at);
    finishes(&tale, Outcome::Succeeded);
}

#[test]
fn a_condition_that_cannot_be_told_fails_the_run() {
    let tale = Tale::of(command(vec![read("a").when("steps.typo.ok")]));
    assert!(finishes(&tale, Outcome::Failed).contains("cannot be told"));
}

#[test]
fn an_approval_that_expires_in_a_run_being_ended_is_nobodys_business() {
    let mut tale = Tale::of(command(vec![idempotent("a"), once("b")]).approved(Some("a"), "b"));
    tale.does("a").asks_approval().put(stopped()).later(600);
    assert_eq!(crate::run::next::approval_expiry(&tale.state), None);
    finishes(&tale, Outcome::Aborted);
}

#[test]
fn on_other_servers_a_run_ends_and_takes_nothing_back() {
    for on_failure in [OnFailure::Continue, OnFailure::Ask, OnFailure::Undo, OnFailure::Stop] {
        let mut tale = Tale::of(command(vec![once("a").undoable(), idempotent("b").retrying(3).failing(on_failure)]));
        tale.does("a").begins("b").put(failed("b", 1, FailureKind::WrongTarget));
        match tale.next() {
            Next::Finish { outcome, .. } => assert_eq!(outcome, Outcome::Refused),
            other => panic!("{on_failure:?}: {other:?}"),
        }
        assert!(tale.offer(Event::UndoStarted { step: "a".to_owned(), attempt: 1 }).is_err());
    }
}
