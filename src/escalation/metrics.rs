//! What escalation counts.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const PAGES: &str = "drbot_pages_total";
const LATE: &str = "drbot_page_claim_seconds";
const OVERDUE: &str = "drbot_rung_overdue_seconds";

pub fn describe() {
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
