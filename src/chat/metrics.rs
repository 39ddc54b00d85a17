//! What chat counts: how the connection to Discord fares, and what Discord refuses.

use metrics::{counter, describe_counter, describe_gauge, gauge};

const UP: &str = "drbot_discord_up";
const CONNECTS: &str = "drbot_discord_connects_total";
const DISCONNECTS: &str = "drbot_discord_disconnects_total";
const IDENTIFIES_LEFT: &str = "drbot_discord_identifies_left";
const PROBE_FAILURES: &str = "drbot_discord_probe_failures_total";
const RESTARTS: &str = "drbot_discord_client_restarts_total";
const REFUSALS: &str = "drbot_discord_refusals_total";
const NO_ANSWERS: &str = "drbot_discord_no_answers_total";
const RETRIES: &str = "drbot_discord_retries_total";
const UNREADABLE: &str = "drbot_discord_unreadable_interactions_total";
const UNANSWERED: &str = "drbot_discord_unanswered_interactions_total";
const POSTS_WAITING: &str = "drbot_posts_waiting";
const POSTS_DROPPED: &str = "drbot_posts_dropped_total";
const CARDS_MOVED: &str = "drbot_cards_moved_total";

pub fn describe() {
    describe_gauge!(UP, "1 while Discord's gateway is heard, 0 while commands cannot reach drbot.");
    describe_counter!(
        CONNECTS,
        "Sessions with Discord, by how: identify is a new one, resume goes on with the old one."
    );
    describe_counter!(DISCONNECTS, "Ends of connections to the gateway, by cause.");
    describe_gauge!(IDENTIFIES_LEFT, "New sessions that Discord still allows today.");
    describe_counter!(PROBE_FAILURES, "Questions over the gateway that were not answered in time.");
    describe_counter!(RESTARTS, "Clients that were thrown away and started anew, by cause.");
    describe_counter!(
        REFUSALS,
        "REST requests that Discord answered with an error, by HTTP status and Discord's code."
    );
    describe_counter!(NO_ANSWERS, "REST requests that got no answer.");
    describe_counter!(RETRIES, "REST requests that were repeated.");
    describe_counter!(UNREADABLE, "Interactions that could not be read; drbot is too old for Discord.");
    describe_counter!(UNANSWERED, "Interactions whose answer Discord did not take; it was written into the channel.");
    describe_gauge!(POSTS_WAITING, "Messages of runs that are not delivered yet.");
    describe_counter!(POSTS_DROPPED, "Messages of runs that Discord will not take as they are.");
    describe_counter!(CARDS_MOVED, "Cards that were posted anew, by why.");
}

pub(super) fn up(up: bool) {
    gauge!(UP).set(if up { 1.0 } else { 0.0 });
}

pub(super) fn connected(how: &'static str) {
    counter!(CONNECTS, "how" => how).increment(1);
}

pub(super) fn disconnected(cause: &'static str) {
    counter!(DISCONNECTS, "cause" => cause).increment(1);
}

pub(super) fn identifies_left(left: u64) {
    gauge!(IDENTIFIES_LEFT).set(u32::try_from(left).unwrap_or(u32::MAX));
}

pub(super) fn probe_failed() {
    counter!(PROBE_FAILURES).increment(1);
}

pub(super) fn restarted(cause: &'static str) {
    counter!(RESTARTS, "cause" => cause).increment(1);
}

pub(super) fn refused(status: u16, code: u64) {
    counter!(REFUSALS, "status" => status.to_string(), "code" => code.to_string()).increment(1);
}

pub(super) fn no_answer() {
    counter!(NO_ANSWERS).increment(1);
}

pub(super) fn retried() {
    counter!(RETRIES).increment(1);
}

pub(super) fn unreadable() {
    counter!(UNREADABLE).increment(1);
}

pub(super) fn unanswered() {
    counter!(UNANSWERED).increment(1);
}

pub(super) fn posts_waiting(count: u64) {
    gauge!(POSTS_WAITING).set(u32::try_from(count).unwrap_or(u32::MAX));
}

pub(super) fn post_dropped() {
    counter!(POSTS_DROPPED).increment(1);
}

pub(super) fn card_moved(why: &'static str) {
    counter!(CARDS_MOVED, "why" => why).increment(1);
}
