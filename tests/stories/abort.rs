//! `/abort`: whoever may stop a run does it by its name, wherever its card is.

use drbot::run::{event::Event, outcome::Outcome, state::Status};
use serde_json::{Value, json};

use crate::support::{bot::Bot, drill::Drill, stage::Stage, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_stopped_by_who_may_and_by_nobody_else() {
    let (stage, drill) = (Stage::open().await, Drill::start().await);
    let mut bot = Bot::for_drill(&stage, &drill);
    bot.start();
    stage.knows("abort").await;
    let [dana, omar, lena, gil] = ["Dana", "Omar", "Lena", "Gil"].map(|name| stage.person(name));
    let said = dana.hears("abort", json!({})).await;
    assert!(said.contains("Nothing is under way"), "{said}");

    dana.types("drill", json!({})).await;
    drill.has_done(1).await;
    dana.types("ask", json!({})).await;
    stage.shows("ask", "Waiting for approval").await;
    let [drill_run, ask_run] = runs(&bot, ["drill", "ask"]).await;

    for nobody in [&gil, &lena] {
        let said = nobody.hears("abort", json!({})).await;
        assert!(said.contains("dba, operator"), "{said}");
        let said = nobody.hears("abort", json!({ "run": drill_run })).await;
        assert!(said.contains("operator"), "{said}");
    }
    let said = dana.hears("abort", json!({})).await;
    assert!(said.contains("Say which") && said.contains(&drill_run) && said.contains(&ask_run), "{said}");
    let said = dana.hears("abort", json!({ "run": "12345678" })).await;
    assert!(said.contains("There is no run") && said.contains(&drill_run), "{said}");
    // Too short a name might be another run's tomorrow.
    let said = dana.hears("abort", json!({ "run": &drill_run[4..] })).await;
    assert!(said.contains("There is no run"), "{said}");
    assert_eq!(completed(&stage, "Gil").await, json!([]));
    let offered = completed(&stage, "Dana").await;
    assert_eq!([&offered[0]["value"], &offered[1]["value"]], [&json!(ask_run), &json!(drill_run)]);
    assert!(offered[1]["name"].as_str().unwrap().contains("/drill · Dana"), "{offered}");

    // A dba may approve /ask, so stop it, and not /drill: the choice is none.
    let said = omar.hears("abort", json!({})).await;
    assert!(said.contains("/ask") && said.contains(&ask_run), "{said}");
    let ended = bot.finished("ask").await;
    assert_eq!(ended.finished.unwrap().outcome, Outcome::Aborted);

    // Delivered twice, it acts and answers once; what is under way is stopped.
    stage.fault(json!({ "kind": "duplicate_interactions" })).await;
    let said = dana.hears("abort", json!({ "run": drill_run.to_uppercase(), "reason": "the wrong drill" })).await;
    assert!(said.contains("/drill") && said.contains("being stopped"), "{said}");
    let ended = bot.finished("drill").await;
    assert_eq!(ended.finished.as_ref().unwrap().outcome, Outcome::Aborted);
    assert!(matches!(ended.step("gate").unwrap().status, Status::Failed { .. }), "{ended:?}");
    let stops: Vec<_> = bot.journal("drill").await.into_iter().map(|entry| entry.event).collect();
    let stops: Vec<_> = stops.iter().filter(|event| matches!(event, Event::CancelAsked { .. })).collect();
    let [Event::CancelAsked { by, reason: Some(reason) }] = stops[..] else { panic!("{stops:?}") };
    assert_eq!((by.name.as_str(), reason.as_str()), ("Dana", "the wrong drill"));
    assert_eq!(drill.done(), ["one"], "nothing went on");

    let said = dana.hears("abort", json!({ "run": drill_run })).await;
    assert!(said.contains("ended") && said.contains("nothing to stop"), "{said}");
}

/// The short ids of the only run of each command.
async fn runs<const N: usize>(bot: &Bot, commands: [&str; N]) -> [String; N] {
    let store = bot.store().await;
    let runs = store.runs(10).await.unwrap();
    store.close().await;
    commands.map(|command| runs.iter().find(|run| run.command == command).unwrap().id.short())
}

async fn completed(stage: &Stage, person: &str) -> Value {
    until("completion", async || {
        let body = json!({
            "person": person, "channel": "incidents", "command": "abort", "focused": "run", "options": { "run": "" },
        });
        let answer = stage.post("autocomplete", body).await;
        answer["choices"].is_array().then(|| answer["choices"].clone())
    })
    .await
}
