//! Interactions: delivered twice, unreadable, too late to be answered.

use serde_json::json;

use super::{Day, bad_day};
use crate::support::until;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_twice_is_done_once() {
    let day = Day::begins().await;
    day.drill.open_gate();
    day.stage.fault(json!({"kind": "duplicate_interactions"})).await;
    day.a_new_command_works().await;
    day.stage.person("Dana").types("ask", json!({})).await;
    let said = day.stage.person("Omar").clicks("ask", "Approve").await;
    assert_eq!(said["acknowledged"], json!(true), "{said}");
    day.bot.finished("ask").await;
    assert_eq!(day.drill.done(), ["one", "two", "three", "approved"]);
    day.all_is_said("ask").await;
    let store = day.bot.store().await;
    assert_eq!(store.runs(10).await.unwrap().len(), 2);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interaction_that_cannot_be_read_is_answered() {
    let day = Day::begins().await;
    day.with_a_run().await;
    day.stage.fault(json!({"kind": "unreadable_interactions", "times": 2})).await;
    let said = day.stage.person("Dana").hears("drill", json!({})).await;
    assert!(said.contains("I could not read what Discord sent me"), "{said}");
    let answer = day.stage.person("Dana").clicks("drill", "Stop").await;
    assert!(answer["response"]["content"].as_str().is_some_and(|said| said.contains("could not read")), "{answer}");
    day.the_log_says(&["an interaction could not be read and was not acted upon"]).await;
    day.the_figures_say(&["drbot_discord_unreadable_interactions_total 2"]).await;
    day.the_run_goes_on().await;
    day.all_is_said("drill").await;
    day.a_new_command_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_and_events_that_nobody_knows_do_no_harm() {
    let day = bad_day(&[json!({"kind": "unknown_fields"}), json!({"kind": "drop_gateway"})], &[], &[]).await;
    day.stage.fault(json!({"kind": "unknown_fields"})).await;
    day.a_new_command_works().await;
    day.the_figures_say(&["drbot_discord_up 1"]).await;
}

/// With the token too old, the result is on the card; a refusal is written into the channel.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_is_too_old_for_is_said_in_the_channel() {
    for code in ["50027", "10015"] {
        let day = Day::begins().await;
        day.with_a_run().await;
        day.stage.fault(json!({"kind": "old_tokens", "code": code})).await;
        day.stage.person("Gil").types("drill", json!({})).await;
        refusal_in_channel(&day, "Gil").await;
        day.stage.person("Dana").types("ask", json!({})).await;
        day.stage.person("Omar").clicks("ask", "Approve").await;
        day.bot.finished("ask").await;
        day.the_log_says(&[code, "the answer is written into the channel instead"]).await;
        day.the_figures_say(&["drbot_discord_unanswered_interactions_total 1"]).await;
        day.stage.fault(json!({"kind": "clear"})).await;
        day.drill.open_gate();
        day.bot.finished("drill").await;
        day.all_is_said("drill").await;
        day.a_new_command_works().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_acknowledgement_the_command_is_done_and_a_refusal_is_said() {
    let day = Day::begins().await;
    day.drill.open_gate();
    day.stage.fault(json!({"kind": "rest_status", "status": 500, "path": "/interactions/*", "times": 0})).await;
    day.stage.person("Gil").types("drill", json!({})).await;
    refusal_in_channel(&day, "Gil").await;
    day.stage.person("Dana").types("drill", json!({})).await;
    day.the_run_goes_on().await;
    day.all_is_said("drill").await;
    day.the_log_says(&["an interaction could not be acknowledged"]).await;
    day.stage.fault(json!({"kind": "clear"})).await;
    day.a_new_command_works().await;
}

/// Discord has it, and only its answer was lost: nobody notices.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_whose_answer_is_lost_counts() {
    let day = Day::begins().await;
    day.drill.open_gate();
    day.stage.fault(json!({"kind": "lost_answer", "path": "/interactions/*", "times": 1})).await;
    day.a_new_command_works().await;
    day.stage.fault(json!({"kind": "lost_answer", "path": "/interactions/*", "times": 1})).await;
    let said = day.stage.person("Gil").hears("drill", json!({})).await;
    assert!(said.contains("operator"), "{said}");
    assert_eq!(day.count("incidents", "For Gil").await, 0);
    assert_eq!(day.count("incidents", "For Dana").await, 0);
}

async fn refusal_in_channel(day: &Day, name: &str) {
    let said = until("the refusal in the channel", async || {
        let messages = day.stage.messages("incidents", "Lena").await;
        let starts = |text: &str| text.starts_with(&format!("For {name}, "));
        messages.into_iter().find(|message| message["content"].as_str().is_some_and(starts))
    })
    .await;
    assert!(said["content"].as_str().unwrap().contains("operator"), "{said}");
    assert_eq!(said["mentions"], json!([]), "nobody is called for it");
}
