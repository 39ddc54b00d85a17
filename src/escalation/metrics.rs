//! What escalation counts.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const PAGES: &str = "drbot_pages_total";
const LATE: &str = "drbot_page_claim_seconds";
const OVERDUE: &str = "drbot_rung_overdue_seconds";

const INCIDENT_PAGES: &str = "drbot_incident_pages_total";
const INCIDENT_LATE: &str = "drbot_incident_claim_seconds";
const INCIDENT_OVERDUE: &str = "drbot_incident_overdue_seconds";

pub(super) const LEFT: &str = "drbot_incident_seconds_left";
const BROKE: &str = "drbot_escalation_breaks_total";
const JUMPS: &str = "drbot_clock_jumps_total";

pub fn describe() {
    describe_gauge!(
        LEFT,
        Unit::Seconds,
        "Until the deadline, least of the open incidents of a scenario and target; negative behind it, NaN where none is open."
    );
    describe_counter!(BROKE, "Times that looking for whom to call broke and began again.");
    describe_counter!(JUMPS, "Times that the wall clock was found set.");
    describe_counter!(INCIDENT_PAGES, "Times that people were called for an incident.");
    describe_histogram!(
        INCIDENT_LATE,
        Unit::Seconds,
        "Time from when a call of an incident was due until it was durable."
    );
    describe_gauge!(
        INCIDENT_OVERDUE,
        Unit::Seconds,
        "For how long the oldest call of an incident is due; 0 when none is."
    );
    describe_counter!(PAGES, "Rungs that were used, by percent of the RTO.");
    describe_histogram!(LATE, Unit::Seconds, "Time from when a rung was due until it was durable that it is used.");
    describe_gauge!(
        OVERDUE,
        Unit::Seconds,
        "For how long the oldest rung is due that is not used; 0 when there is none."
    );
}

pub(super) fn paged(percent: u8, late: Duration) {
    counter!(PAGES, "percent" => percent.to_string()).increment(1);
    histogram!(LATE).record(late.as_secs_f64());
}

pub(super) fn overdue(span: Duration) {
    gauge!(OVERDUE).set(span.as_secs_f64());
}

pub(super) fn incident_paged(late: Duration) {
    counter!(INCIDENT_PAGES).increment(1);
    histogram!(INCIDENT_LATE).record(late.as_secs_f64());
}

pub(super) fn incident_overdue(span: Duration) {
    gauge!(INCIDENT_OVERDUE).set(span.as_secs_f64());
}

pub(super) fn broke() {
    counter!(BROKE).increment(1);
}

pub(super) fn jumped() {
    counter!(JUMPS).increment(1);
}
