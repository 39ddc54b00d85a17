//! Requests: limits, errors, answers that are slow or lost.

use drbot::clock::Timestamp;
use serde_json::{Value, json};

use super::{Day, bad_day};

const MESSAGES: &str = "/channels/*";

/// Requests to messages that were answered with 429, each with what came next to the same path.
async fn after_each_429(day: &Day) -> Vec<f64> {
    let log = day.stage.get("log?path=/channels/").await;
    let log = log.as_array().unwrap();
    let at = |entry: &Value| entry["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let refused = log.iter().enumerate().filter(|(_, entry)| entry["status"] == json!(429));
    let waits = refused.filter_map(|(index, entry)| {
        let same = |other: &&Value| other["method"] == entry["method"] && other["path"] == entry["path"];
        let next = log[index + 1..].iter().find(same)?;
        Some((at(next) - at(entry)).as_seconds_f64())
    });
    waits.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_obeyed() {
    let fault = json!({"kind": "rate_limit", "retry_after": 1.5, "path": MESSAGES, "times": 3});
    let figures = ["drbot_discord_refusals_total{status=\"429\",code=\"0\"}", "drbot_discord_retries_total"];
    let day = bad_day(&[fault], &["You are being rate limited."], &figures).await;
    let waits = after_each_429(&day).await;
    assert!(!waits.is_empty());
    assert!(waits.iter().all(|wait| *wait >= 1.5), "faster than asked: {waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_everything_is_obeyed_everywhere() {
    let fault = json!({"kind": "rate_limit", "retry_after": 2, "global": true, "path": MESSAGES, "times": 1});
    let day = bad_day(&[fault], &["You are being rate limited."], &[]).await;
    let log = day.stage.get("log").await;
    let log = log.as_array().unwrap();
    let at = |entry: &Value| entry["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let first = log.iter().position(|entry| entry["status"] == json!(429)).unwrap();
    let of_interaction = |path: &str| path.starts_with("/interactions/") || path.starts_with("/webhooks/");
    let next = log[first + 1..].iter().find(|entry| !of_interaction(entry["path"].as_str().unwrap())).unwrap();
    // What was on its way already may still arrive.
    assert!((at(next) - at(&log[first])).as_seconds_f64() >= 1.9, "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_does_not_say_for_how_long_is_met_with_patience() {
    let fault = json!({"kind": "rate_limit", "path": MESSAGES, "times": 1});
    let day = bad_day(&[fault], &["429"], &[]).await;
    let waits = after_each_429(&day).await;
    assert!(waits.iter().all(|wait| *wait >= 5.0), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_server_pass() {
    let fault = json!({"kind": "rest_status", "status": 503, "path": MESSAGES, "times": 4});
    let figures = ["drbot_discord_refusals_total{status=\"503\",code=\"0\"}"];
    bad_day(&[fault], &["503: a fault of the rehearsal"], &figures).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_are_no_json_pass() {
    let fault = json!({"kind": "html_error", "path": MESSAGES, "times": 4});
    bad_day(&[fault], &["502 (no JSON)"], &["drbot_discord_refusals_total{status=\"502\",code=\"0\"}"]).await;
}

/// All the while that the run goes on nothing can be posted; then everything is.
#[tokio::test(flavor = "multi_thread")]
async fn when_discord_is_down_nothing_is_lost() {
    let fault = json!({"kind": "html_error", "status": 500, "path": MESSAGES, "times": 0});
    let day = bad_day(&[fault], &["500 (no JSON)"], &["drbot_discord_retries_total"]).await;
    day.the_figures_say(&["drbot_posts_waiting 0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_answers_are_waited_for() {
    let day = bad_day(&[json!({"kind": "slow_ms", "ms": 800})], &[], &[]).await;
    day.stage.fault(json!({"kind": "slow_ms", "ms": 1500})).await;
    let answer = day.stage.person("Dana").types("drill", json!({})).await;
    assert_eq!(answer["acknowledged"], json!(true), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_makes_nothing_twice() {
    let fault = json!({"kind": "lost_answer", "path": MESSAGES, "times": 5});
    bad_day(&[fault], &["no answer"], &["drbot_discord_no_answers_total"]).await;
}

/// The same from the first message on: the card, the call, the thread.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_answers_that_are_lost_make_nothing_twice() {
    let day = Day::begins().await;
    day.drill.open_gate();
    for method in ["POST", "POST", "POST", "PATCH"] {
        day.stage.fault(json!({"kind": "lost_answer", "path": MESSAGES, "method": method})).await;
    }
    day.stage.person("Dana").types("drill", json!({})).await;
    let state = day.the_run_goes_on().await;
    day.all_is_said("drill").await;
    assert_eq!(day.cards_of(&state.id.short()).await.len(), 1);
    assert_eq!(day.count("incidents", "The drill is under way.").await, 1);
}
