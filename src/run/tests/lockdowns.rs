//! What a lockdown does to an approval.

use super::build::*;
use crate::run::{
    event::Event,
    next::{Next, WaitingOn},
    state::ApprovalState,
};

fn expired(round: u32) -> Event {
    Event::ApprovalExpired { round }
}

fn again() -> Event {
    Event::ApprovalRenewed { by: dana() }
}

/// Neither a lockdown nor half of a quorum makes grounds for breaking the glass.
#[test]
fn only_a_call_that_could_be_answered_and_was_not_counts_as_unanswered() {
    let mut tale = Tale::of(command(vec![once("a")]).approved(None, "a").quorum(2));
    tale.asks_approval().put(given(1, omar())).later(301).put(expired(1));
    assert_eq!(tale.state.unanswered, 0, "somebody did answer");
    tale.put(again()).asks_approval().put(held()).later(301).put(expired(2));
    assert_eq!(tale.state.unanswered, 0, "nobody's yes counted");
    tale.put(released()).put(again()).asks_approval().put(held()).put(released()).later(301).put(expired(3));
    assert_eq!(tale.state.unanswered, 0, "nobody's yes counted for a while");
    tale.refused(broken(3, dana()));
    tale.put(again()).asks_approval().later(301).put(expired(4));
    assert_eq!(tale.state.unanswered, 1);
}

/// Whoever locks down may do so because of one of those who said yes.
#[test]
fn a_yes_from_before_a_lockdown_is_asked_for_again_after_it() {
    let waits = Next::Wait { until: None, on: WaitingOn::Lockdown };
    let mut tale = Tale::of(command(vec![read("a"), once("b"), once("c")]).approved(Some("a"), "b"));
    tale.does("a").asks_approval().put(given(1, omar())).put(held());
    assert_eq!(tale.next(), waits, "it is not asked for while nobody's yes counts");
    tale.refused(asked(2, tale.now));
    tale.put(released());
    tale.refused(started("b", 1));
    assert_eq!(tale.next(), Next::AskApproval { round: 2 });
    tale.asks_approval();
    tale.refused(given(1, omar()));
    tale.put(given(2, omar())).does("b");
    // What has begun is approved for good.
    tale.put(held()).put(released()).does("c");
}

#[test]
fn one_yes_of_two_is_void_too_and_the_call_stays_open() {
    let mut tale = Tale::of(command(vec![once("a")]).approved(None, "a").quorum(2));
    tale.asks_approval().put(given(1, omar())).put(held());
    assert!(matches!(&tale.state.approval, ApprovalState::Pending { yes, .. } if yes.is_empty()));
    tale.put(released()).put(given(1, lena()));
    assert!(matches!(tale.next(), Next::Wait { on: WaitingOn::Approval, .. }), "{:?}", tale.next());
    tale.put(given(1, omar())).does("a");
}
