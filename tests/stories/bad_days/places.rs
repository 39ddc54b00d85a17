//! Places: messages too old to be edited, channels that are deleted, permissions that are taken.

use serde_json::json;

use super::Day;
use crate::support::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_too_old_is_posted_anew() {
    let day = Day::begins().await;
    day.with_a_run().await;
    let old = day.stage.card("drill").await.unwrap();
    day.stage.fault(json!({"kind": "old_messages"})).await;
    let state = day.the_run_goes_on().await;
    day.all_is_said("drill").await;
    until("the old card to be gone", async || {
        let cards = day.cards_of(&state.id.short()).await;
        (cards.len() == 1 && cards[0]["id"] != old["id"]).then_some(())
    })
    .await;
    let fresh = day.stage.card("drill").await.unwrap();
    let log = format!("<#{}>", old["id"].as_str().unwrap());
    assert!(fresh["content"].as_str().unwrap().contains(&log), "it shows where the log is: {fresh}");
    day.the_log_says(&["30046", "the card is posted anew"]).await;
    day.the_figures_say(&["drbot_cards_moved_total{why=\"too old\"} 1"]).await;
    day.stage.fault(json!({"kind": "clear"})).await;
    day.a_new_command_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_its_channel_deleted_a_run_goes_on_elsewhere() {
    let day = Day::begins().await;
    day.with_a_run().await;
    day.stage.fault(json!({"kind": "delete_channel", "channel": "incidents"})).await;
    let state = day.the_run_goes_on().await;
    until("the card in the channel of drbot.toml", async || {
        let messages = day.stage.messages("ops", "Lena").await;
        let run = state.id.short();
        let shown = |text: String| text.contains(&run) && text.contains("Done");
        messages.into_iter().find(|message| shown(message["embeds"].to_string()))
    })
    .await;
    // What the deleted thread held is gone with it; what came after is there.
    until("the rest of the log", async || {
        let log = day.log_of(&state.id.short()).await;
        (log.contains("The second effect") && log.contains("The third effect")).then_some(())
    })
    .await;
    day.the_log_says(&["10003", "the card is posted anew"]).await;
    day.the_figures_say(&["drbot_cards_moved_total{why=\"gone\"} 1", "drbot_posts_waiting 0"]).await;
    day.stage.fault(json!({"kind": "clear"})).await;
    day.a_new_command_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_is_deleted_is_made_again() {
    let day = Day::begins().await;
    day.with_a_run().await;
    let card = day.stage.card("drill").await.unwrap();
    until("the thread", async || {
        let log = day.stage.messages(card["id"].as_str().unwrap(), "Lena").await;
        (log.len() > 1).then_some(())
    })
    .await;
    day.stage.fault(json!({"kind": "delete_channel", "channel": card["id"]})).await;
    let state = day.the_run_goes_on().await;
    until("the rest of the log", async || {
        let log = day.log_of(&state.id.short()).await;
        (log.contains("The second effect") && log.contains("The third effect")).then_some(())
    })
    .await;
    day.a_new_command_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_cannot_be_seen_any_more_is_left_for_another() {
    let day = Day::begins().await;
    day.with_a_run().await;
    day.stage.fault(json!({"kind": "deny", "channel": "incidents", "permission": "view"})).await;
    let state = day.the_run_goes_on().await;
    until("the card in the channel of drbot.toml", async || {
        let messages = day.stage.messages("ops", "Lena").await;
        messages.into_iter().find(|message| message["embeds"].to_string().contains(&state.id.short()))
    })
    .await;
    day.the_log_says(&["50001", "the card is posted anew"]).await;
    day.the_figures_say(&["drbot_cards_moved_total{why=\"forbidden\"} 1"]).await;
    day.all_is_said("drill").await;
    day.stage.fault(json!({"kind": "clear"})).await;
    day.a_new_command_works().await;
}

/// The log waits for its permission, loudly; the card goes on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_may_not_be_written_waits_and_holds_up_nothing() {
    for permission in ["send_in_threads", "threads"] {
        let day = Day::begins().await;
        day.stage.fault(json!({"kind": "deny", "channel": "incidents", "permission": permission})).await;
        day.with_a_run().await;
        day.the_run_goes_on().await;
        day.stage.shows("drill", "Done").await;
        day.the_log_says(&["50013", "Discord does not let me"]).await;
        let figures = day.bot.figures().await;
        assert!(!figures.contains("drbot_posts_waiting 0"), "{figures}");
        day.stage.fault(json!({"kind": "clear"})).await;
        day.all_is_said("drill").await;
        day.a_new_command_works().await;
    }
}

/// There is no other channel to go to, so the card waits for its permission.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_can_go_nowhere_else_waits() {
    let day = Day::begins().await;
    let command = json!({"person": "Dana", "channel": "ops", "command": "drill"});
    day.stage.post("command", command).await;
    day.drill.has_done(1).await;
    let shown = async || (!day.stage.messages("ops", "Lena").await.is_empty()).then_some(());
    until("the card", shown).await;
    day.stage.fault(json!({"kind": "deny", "channel": "ops", "permission": "view"})).await;
    day.the_run_goes_on().await;
    day.the_log_says(&["50001", "editing a card", "Discord does not let me"]).await;
    day.stage.fault(json!({"kind": "clear"})).await;
    day.all_is_said("drill").await;
    let state = day.bot.finished("drill").await;
    assert_eq!(day.cards_of(&state.id.short()).await.len(), 1);
    day.a_new_command_works().await;
}

/// People are called elsewhere when they cannot be called here.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_to_approve_is_called_where_that_can_be_done() {
    let day = Day::begins().await;
    day.stage.person("Dana").types("ask", json!({})).await;
    until("the call", async || (day.count("incidents", "<@&300000000000000002>").await == 1).then_some(())).await;
    day.stage.person("Omar").clicks("ask", "Approve").await;
    day.bot.finished("ask").await;
    day.stage.fault(json!({"kind": "deny", "channel": "incidents", "permission": "send"})).await;
    day.stage.person("Dana").types("ask", json!({})).await;
    until("the call in the other channel", async || {
        (day.count("ops", "<@&300000000000000002>").await == 1).then_some(())
    })
    .await;
    day.stage.fault(json!({"kind": "clear"})).await;
    day.drill.open_gate();
    day.a_new_command_works().await;
}
