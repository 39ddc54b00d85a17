//! The table of what may happen when.

use super::build::*;
use crate::run::{
    event::{Choice, Event, FailureKind, SkipReason},
    next::{Next, WaitingOn},
    outcome::Outcome,
    state::{ApprovalState, State, Status},
};

/// A step in each of its states, and which events are legal there.
#[test]
fn a_step_goes_only_where_it_may() {
    let way = |status: &str| -> Tale {
        let mut tale = Tale::of(command(vec![idempotent("a").retrying(2)]));
        match status {
            "pending" => {}
            "running" => drop(tale.put(started("a", 1))),
            "interrupted" => {
                tale.put(started("a", 1)).put(Event::StepInterrupted { step: "a".to_owned(), attempt: 1 });
            }
            "again" => drop(tale.put(started("a", 1)).put(Event::StepNotDone { step: "a".to_owned(), attempt: 1 })),
            "failed" => drop(tale.put(started("a", 1)).put(failed("a", 1, FailureKind::Failed))),
            "unknown" => drop(tale.put(started("a", 1)).put(unknown("a", 1))),
            "succeeded" => drop(tale.put(started("a", 1)).put(succeeded("a", 1))),
            "skipped" => drop(tale.put(skipped("a"))),
            other => panic!("{other}"),
        }
        tale
    };
    let begun = |tale: &Tale| tale.state.steps[0].attempts;
    let all = ["pending", "running", "interrupted", "again", "failed", "unknown", "succeeded", "skipped"];
    type Make = fn(u32) -> Event;
    let table: [(&str, Make, &[&str]); 8] = [
        ("started", |attempts| started("a", attempts + 1), &["pending", "again", "failed"]),
        ("succeeded", |attempts| succeeded("a", attempts), &["running", "interrupted"]),
        ("failed", |attempts| failed("a", attempts, FailureKind::Failed), &["running", "interrupted"]),
        (
            "interrupted",
            |attempt| Event::StepInterrupted { step: "a".to_owned(), attempt },
            &["running", "interrupted"],
        ),
        ("not done", |attempt| Event::StepNotDone { step: "a".to_owned(), attempt }, &["running", "interrupted"]),
        ("unknown", |attempts| unknown("a", attempts), &["running", "interrupted"]),
        ("skipped", |_| skipped("a"), &["pending"]),
        (
            "asked about",
            |_| Event::QuestionAsked {
                step: "a".to_owned(),
                token: String::new(),
                question: String::new(),
                choices: vec![Choice::Abort],
            },
            &["again", "failed", "unknown"],
        ),
    ];
    for (name, event, legal) in table {
        for status in all {
            let mut tale = way(status);
            let event = event(begun(&tale));
            if legal.contains(&status) {
                tale.put(event);
            } else {
                assert!(!tale.refused(event).is_empty(), "{name} when {status}");
            }
        }
    }
}

fn skipped(id: &str) -> Event {
    Event::StepSkipped { step: id.to_owned(), reason: SkipReason::Condition }
}

#[test]
fn the_journal_begins_once_and_has_no_gaps() {
    let mut tale = Tale::of(command(vec![read("a")]));
    let mut entry = tale.journal[0].clone();
    assert!(State::replay(&[]).is_err());
    entry.seq = 2;
    assert!(tale.state.apply(&entry).is_err(), "created twice");
    entry.event = started("a", 1);
    assert!(State::begin(&entry).is_err());
    entry.seq = 3;
    assert!(tale.state.apply(&entry).unwrap_err().why.contains("number 3"));
    entry.seq = 1;
    assert!(tale.state.apply(&entry).is_err());
}

#[test]
fn attempts_are_counted_without_gaps() {
    let mut tale = Tale::of(command(vec![idempotent("a").retrying(3)]));
    for attempt in [0, 2] {
        tale.refused(started("a", attempt));
    }
    tale.put(started("a", 1));
    tale.refused(succeeded("a", 2));
    tale.refused(started("nothing", 1));
}

#[test]
fn steps_go_one_at_a_time_and_in_order() {
    let mut tale = Tale::of(command(vec![read("a"), read("b")]));
    tale.refused(started("b", 1));
    tale.put(started("a", 1));
    tale.refused(started("b", 1));
    tale.put(succeeded("a", 1)).put(started("b", 1));
}

#[test]
fn a_once_step_that_failed_is_begun_again_only_by_a_persons_word() {
    let mut tale = Tale::of(command(vec![once("a").retrying(5).failing(crate::runbook::definition::OnFailure::Ask)]));
    tale.fails("a");
    tale.refused(started("a", 2));
    tale.asks().answers(Choice::Retry).does("a");
}

#[test]
fn nothing_begins_behind_the_gate_without_approval() {
    let mut tale = Tale::of(command(vec![read("a"), once("b")]).approved(Some("a"), "b"));
    tale.does("a").asks_approval();
    tale.refused(started("b", 1));
    tale.put(given(1, omar()));
    tale.clone().put(started("b", 1));
    tale.put(withdrawn(1, omar()));
    assert_eq!(tale.refused(started("b", 1)), "the approval is pending");
}

#[test]
fn a_gate_that_is_skipped_still_guards_what_comes_after_it() {
    let steps = vec![idempotent("a").when("false"), read("b"), once("c")];
    let mut tale = Tale::of(command(steps).approved(None, "a"));
    tale.put(skipped("a")).does("b").asks_approval();
    assert!(matches!(tale.next(), Next::Wait { on: WaitingOn::Approval, .. }));
    tale.refused(started("c", 1));
    tale.put(given(1, omar())).does("c");
}

#[test]
fn a_gate_that_is_no_step_guards_everything() {
    let mut tale = Tale::of(command(vec![read("a"), once("b")]).approved(None, "typo"));
    tale.does("a").asks_approval();
    tale.refused(started("b", 1));
}

#[test]
fn who_approves() {
    let mut tale = Tale::of(command(vec![once("a")]).approved(None, "a").quorum(2));
    tale.refused(given(1, omar()));
    tale.asks_approval();
    assert_eq!(tale.refused(given(1, dana())), "the requester never approves");
    tale.refused(given(2, omar()));
    tale.refused(Event::ApprovalGiven { round: 1, by: omar(), plan_hash: "another".to_owned() });
    tale.put(given(1, omar()));
    tale.refused(given(1, omar()));
    assert!(matches!(tale.state.approval, ApprovalState::Pending { .. }), "two are needed");
    tale.put(given(1, lena()));
    assert!(matches!(tale.state.approval, ApprovalState::Given { .. }));
    tale.refused(given(1, lena()));
}

#[test]
fn the_glass_is_broken_only_for_what_is_asked_and_when_nobody_answered() {
    let mut tale = Tale::of(command(vec![once("a")]).approved(None, "a"));
    tale.refused(broken(1, dana()));
    tale.asks_approval();
    assert_eq!(tale.refused(broken(1, dana())), "the deadline is not near, and nobody has let the question expire");
    tale.later(300).put(Event::ApprovalExpired { round: 1 });
    tale.refused(broken(1, dana()));
    tale.put(Event::ApprovalRenewed { by: dana() }).asks_approval();
    tale.refused(broken(1, dana()));
    let mut of_another = broken(2, dana());
    if let Event::GlassBroken(broken) = &mut of_another {
        broken.plan_hash = "another".to_owned();
    }
    assert_eq!(tale.refused(of_another), "it is of another plan");
    let mut quiet = broken(2, dana());
    if let Event::GlassBroken(broken) = &mut quiet {
        broken.reason = "because".to_owned();
    }
    assert_eq!(tale.refused(quiet), "it needs a reason");
    tale.put(broken(2, dana()));
    assert!(matches!(&tale.state.approval, ApprovalState::Given { yes, forced: Some(_), .. } if yes.is_empty()));
    tale.refused(broken(2, dana()));
    tale.clone().put(withdrawn(2, dana())).refused(started("a", 1));
    tale.begins("a").refused(withdrawn(2, dana()));
}

#[test]
fn a_yes_after_the_time_is_none() {
    let mut tale = Tale::of(command(vec![once("a")]).approved(None, "a"));
    tale.asks_approval().later(299).clone().put(given(1, omar()));
    tale.later(1);
    assert_eq!(tale.refused(given(1, omar())), "it has expired");
}

#[test]
fn an_approval_is_taken_back_or_denied_until_the_step_begins() {
    let mut tale = Tale::of(command(vec![once("a"), once("b")]).approved(None, "a"));
    tale.asks_approval();
    tale.refused(withdrawn(1, omar()));
    tale.put(given(1, omar()));
    tale.refused(withdrawn(1, lena()));
    tale.refused(withdrawn(2, omar()));
    tale.clone().put(denied(1, lena()));
    tale.clone().put(Event::ApprovalVoided { round: 1, reason: "changed".to_owned() });
    tale.clone().put(withdrawn(1, omar())).put(given(1, omar()));
    tale.begins("a");
    for event in
        [withdrawn(1, omar()), denied(1, lena()), Event::ApprovalVoided { round: 1, reason: "changed".to_owned() }]
    {
        assert_eq!(tale.refused(event), "the step has begun");
    }
}

#[test]
fn nothing_is_asked_or_approved_in_a_run_that_is_being_ended() {
    let mut tale = Tale::of(command(vec![idempotent("a"), once("b")]).approved(Some("a"), "b"));
    tale.does("a").asks_approval().put(stopped());
    for event in [
        given(1, omar()),
        denied(1, omar()),
        stopped(),
        Event::ApprovalExpired { round: 1 },
        started("b", 1),
        asked(2, tale.now),
    ] {
        assert_eq!(tale.refused(event), "the run is being ended");
    }
}

#[test]
fn a_question_takes_only_its_own_answers() {
    let mut tale = Tale::of(command(vec![once("a").failing(crate::runbook::definition::OnFailure::Ask)]));
    let answer = |choice: Choice, reason: Option<&str>| Event::QuestionAnswered {
        step: "a".to_owned(),
        choice,
        by: dana(),
        reason: reason.map(str::to_owned),
    };
    tale.refused(answer(Choice::Retry, None));
    tale.fails("a").asks();
    tale.refused(answer(Choice::Happened, None));
    tale.refused(answer(Choice::Skip, None));
    tale.refused(started("a", 2));
    tale.put(answer(Choice::Skip, Some("it is done by hand")));
    tale.refused(answer(Choice::Retry, None));
    assert!(matches!(tale.status("a"), Status::Skipped(_)));
}

#[test]
fn an_end_is_the_end_and_the_one_that_was_announced() {
    let finish = |outcome| Event::Finished { outcome, message: String::new() };
    let mut tale = Tale::of(command(vec![read("a"), read("b")]));
    tale.begins("a");
    tale.refused(finish(Outcome::Failed));
    tale.put(succeeded("a", 1));
    assert_eq!(tale.refused(finish(Outcome::Succeeded)), "step b is waiting");
    tale.put(stopped());
    assert_eq!(tale.refused(finish(Outcome::Failed)), "it ends as aborted");
    tale.put(finish(Outcome::Aborted));
    for event in [started("b", 1), stopped(), finish(Outcome::Aborted), Event::Recovered] {
        assert_eq!(tale.refused(event), "the run has ended");
    }
}

#[test]
fn undos_are_counted_and_done_once() {
    let undo = |attempt| Event::UndoStarted { step: "a".to_owned(), attempt };
    let undone = || Event::UndoSucceeded { step: "a".to_owned(), summary: String::new() };
    let broke = |attempt| Event::UndoFailed { step: "a".to_owned(), attempt, message: String::new() };
    let mut tale = Tale::of(command(vec![idempotent("a").undoable()]));
    tale.does("a");
    assert_eq!(tale.refused(undo(1)), "the run is not being ended");
    tale.put(stopped());
    tale.refused(undo(2));
    tale.refused(undone());
    tale.refused(broke(1));
    tale.put(undo(1));
    tale.refused(undo(1));
    tale.refused(broke(2));
    tale.put(broke(1)).put(undo(2)).put(undone());
    tale.refused(undo(3));
    tale.refused(undone());
}

#[test]
fn rungs_are_used_upwards_and_never_once_recovery_is_verified() {
    let mut tale = Tale::of(command(vec![idempotent("a")]));
    tale.refused(paged(60));
    tale.put(paged(50));
    tale.refused(paged(50));
    tale.put(paged(100));
    tale.refused(paged(75));
    assert_eq!(tale.state.rung_used(), Some(100));

    let mut tale = Tale::of(command(vec![idempotent("a")]));
    tale.put(started("a", 1)).put(succeeded("a", 1)).put(Event::Recovered);
    tale.refused(paged(50));
}

#[test]
fn a_lockdown_holds_what_changes_something() {
    let mut tale = Tale::of(command(vec![read("a"), once("b").undoable()]));
    assert!(tale.offer(released()).is_err(), "nothing is held");
    tale.put(held());
    assert!(tale.offer(held()).is_err());
    assert_eq!(tale.next(), Next::Begin { step: 0 }, "what only reads goes on");
    tale.put(started("a", 1)).put(succeeded("a", 1));
    assert_eq!(tale.next(), Next::Wait { until: None, on: WaitingOn::Lockdown });
    assert!(tale.offer(started("b", 1)).is_err());
    tale.put(released()).put(started("b", 1)).put(held());
    // What is under way ends; taking it back waits, and being stopped does not.
    tale.put(succeeded("b", 1));
    let mut stopped_then = Tale::of(command(vec![once("b").undoable(), once("c")]));
    stopped_then.put(started("b", 1)).put(succeeded("b", 1)).put(held()).put(stopped());
    assert_eq!(stopped_then.next(), Next::Wait { until: None, on: WaitingOn::Lockdown });
    assert!(stopped_then.offer(Event::UndoStarted { step: "b".to_owned(), attempt: 1 }).is_err());
    stopped_then.put(released());
    assert_eq!(stopped_then.next(), Next::Undo { step: 0, attempt: 1 });
    let mut halt = command(vec![once("a")]);
    halt.risk = crate::runbook::definition::Risk::Safe;
    assert!(Tale::of(halt).offer(held()).is_err(), "what always helps is never held");
}
