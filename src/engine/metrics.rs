//! What the engine counts.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::{
    clock::elapsed,
    contacts::way::Way,
    incident::event::Delivery,
    run::{
        event::Event,
        state::{ApprovalState, State},
    },
};

const STARTED: &str = "drbot_runs_started_total";
const FINISHED: &str = "drbot_runs_finished_total";
const UNFINISHED: &str = "drbot_runs_unfinished";
const STEPS: &str = "drbot_steps_total";
const APPROVALS: &str = "drbot_approvals_total";
const APPROVAL_WAIT: &str = "drbot_approval_wait_seconds";
const APPEND: &str = "drbot_journal_append_seconds";
const LOCKED_DOWN: &str = "drbot_locked_down";
const GLASS_BROKEN: &str = "drbot_glass_broken_total";
const REVIEWS_OPEN: &str = "drbot_reviews_open";
const INCIDENTS_OPEN: &str = "drbot_incidents_open";
const DELIVERIES: &str = "drbot_page_deliveries_total";
const REFUSED_APPENDS: &str = "drbot_journal_errors_total";

pub fn describe() {
    describe_counter!(STARTED, "Runs that were started, by command.");
    describe_counter!(FINISHED, "Runs that have ended, by command and outcome.");
    describe_gauge!(UNFINISHED, "Runs that are under way or wait for people.");
    describe_counter!(STEPS, "Attempts of steps that have ended, by command and how.");
    describe_counter!(
        APPROVALS,
        "Approvals, by command and what became of them: asked, given (by each person), denied, withdrawn, expired, voided, waived, renewed."
    );
    describe_histogram!(
        APPROVAL_WAIT,
        Unit::Seconds,
        "Time from when an approval was asked for until all had given it."
    );
    describe_histogram!(APPEND, Unit::Seconds, "Time until an event was durable in the journal.");
    describe_gauge!(LOCKED_DOWN, "1 while nothing may begin but reads and halts.");
    describe_counter!(GLASS_BROKEN, "Runs that one person let go on unapproved, by command.");
    describe_gauge!(REVIEWS_OPEN, "Broken glasses that nobody has reviewed yet.");
    describe_gauge!(INCIDENTS_OPEN, "Incidents that are not closed.");
    describe_counter!(DELIVERIES, "What became of attempts to send a page, by way and outcome.");
    describe_counter!(REFUSED_APPENDS, "Events that could not be written; nothing proceeds meanwhile.");
}

pub(super) fn started(command: &str) {
    counter!(STARTED, "command" => command.to_owned()).increment(1);
}

pub(super) fn unfinished(count: usize) {
    gauge!(UNFINISHED).set(u32::try_from(count).unwrap_or(u32::MAX));
}

/// An event is durable.
pub(super) fn appended(state: &State, event: &Event, took: Duration) {
    histogram!(APPEND).record(took.as_secs_f64());
    let command = || state.created.command.name.clone();
    if let Some(what) = event.kind().strip_prefix("approval-") {
        counter!(APPROVALS, "command" => command(), "what" => what).increment(1);
    }
    if let (Event::ApprovalGiven { .. }, ApprovalState::Given { asked_at, given_at, .. }) = (event, &state.approval) {
        histogram!(APPROVAL_WAIT).record(elapsed(*asked_at, *given_at).as_secs_f64());
    }
    let how = match event {
        Event::StepSucceeded { .. } => "succeeded",
        Event::StepFailed { .. } => "failed",
        Event::StepInterrupted { .. } => "interrupted",
        Event::StepUnknown { .. } => "unknown",
        Event::StepSkipped { .. } => "skipped",
        Event::Finished { outcome, .. } => {
            counter!(FINISHED, "command" => command(), "outcome" => outcome.to_string()).increment(1);
            return;
        }
        _ => return,
    };
    counter!(STEPS, "command" => command(), "how" => how).increment(1);
}

pub(super) fn locked_down(is: bool) {
    gauge!(LOCKED_DOWN).set(if is { 1.0 } else { 0.0 });
}

pub(super) fn glass_broken(command: &str) {
    counter!(GLASS_BROKEN, "command" => command.to_owned()).increment(1);
}

pub(super) fn reviews_open(count: usize) {
    gauge!(REVIEWS_OPEN).set(u32::try_from(count).unwrap_or(u32::MAX));
}

pub(super) fn incidents_open(count: usize) {
    gauge!(INCIDENTS_OPEN).set(u32::try_from(count).unwrap_or(u32::MAX));
}

pub(super) fn page_settled(way: Way, outcome: &Delivery) {
    let outcome = match outcome {
        Delivery::Delivered => "delivered",
        Delivery::Unknown { .. } => "unknown",
        Delivery::Failed { .. } => "failed",
        Delivery::Undeliverable { .. } => "undeliverable",
        Delivery::Cancelled => "cancelled",
    };
    counter!(DELIVERIES, "way" => way.name(), "outcome" => outcome).increment(1);
}

pub(super) fn not_appended() {
    counter!(REFUSED_APPENDS).increment(1);
}
