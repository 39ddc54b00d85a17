//! What the listener counts.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::alerts::{alert::Status, receiver::Counts};

const RECEIVED: &str = "drbot_alerts_received_total";
const CHANGES: &str = "drbot_alerts_changes_total";
const LEFT_OUT: &str = "drbot_alerts_left_out_total";
const REQUESTS: &str = "drbot_alert_requests_total";
const HEARTBEATS: &str = "drbot_heartbeats_total";
const HEALTHY: &str = "drbot_healthy";

pub fn describe() {
    describe_counter!(RECEIVED, "Alerts that were taken, repeated ones too, by source and status.");
    describe_counter!(CHANGES, "Alerts that were taken, by what they changed: new, resolved, missed, repeated.");
    describe_counter!(LEFT_OUT, "Alerts that their sender left out of a request, because there were too many.");
    describe_counter!(REQUESTS, "Requests that were to bring alerts, by the status that they were answered with.");
    describe_counter!(
        HEARTBEATS,
        "Heartbeats that were due, by result: sent, failed, withheld because drbot is not well."
    );
    describe_gauge!(HEALTHY, "1 when the engine answered and the store took a write at the last heartbeat.");
}

pub(super) fn received(source: &str, status: Status) {
    counter!(RECEIVED, "source" => source.to_owned(), "status" => status.name()).increment(1);
}

pub(super) fn changed(counts: Counts, left_out: u64) {
    let Counts { new, resolved, missed, repeated } = counts;
    for (change, count) in [("new", new), ("resolved", resolved), ("missed", missed), ("repeated", repeated)] {
        counter!(CHANGES, "change" => change).increment(u64::try_from(count).unwrap_or(u64::MAX));
    }
    counter!(LEFT_OUT).increment(left_out);
}

pub(super) fn answered(status: u16) {
    counter!(REQUESTS, "status" => status.to_string()).increment(1);
}

pub(super) fn beat(result: &'static str) {
    counter!(HEARTBEATS, "result" => result).increment(1);
}

pub(super) fn healthy(is: bool) {
    gauge!(HEALTHY).set(if is { 1.0 } else { 0.0 });
}
