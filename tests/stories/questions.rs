//! What a person is asked when a step has failed: all four answers, on one card, each as it is clicked.

use drbot::run::{
    event::SkipReason,
    outcome::Outcome,
    state::{State, Status, Undo},
};
use serde_json::json;

use crate::support::{
    bot::Bot,
    drill::Drill,
    stage::{Stage, buttons},
};

/// An effect that can be taken back, the gate (closed, it fails), another effect.
const ASKS: &str = r#"
summary = "A step that asks when it fails"
risk    = "risky"
roles   = ["operator"]
target  = "drill"

[[steps]]
id        = "one"
name      = "The first effect"
http      = { post = "{{ target.api }}/one" }
undo.http = { post = "{{ target.api }}/taken-back" }
effect    = "idempotent"
timeout   = "5s"

[[steps]]
id         = "gate"
name       = "The gate is open"
http       = { get = "{{ target.api }}/gate" }
timeout    = "5s"
on_failure = "ask"

[[steps]]
id      = "two"
name    = "The second effect"
http    = { post = "{{ target.api }}/two" }
effect  = "idempotent"
timeout = "5s"
"#;

const FOUR: [&str; 4] = ["Retry", "Skip with a reason", "Undo to here", "Abort"];

/// Dana starts a command, and it asks.
async fn asks(stage: &Stage, command: &str) {
    stage.person("Dana").types(command, json!({})).await;
    let card = stage.offers(command, "Retry").await;
    let offered: Vec<_> = buttons(&card).iter().map(|button| button["label"].as_str().unwrap().to_owned()).collect();
    let answers: Vec<_> = offered.iter().filter(|label| FOUR.contains(&label.as_str())).collect();
    assert_eq!(answers, FOUR, "all four, in this order: {offered:?}");
}

fn outcome(state: &State) -> Outcome {
    state.finished.as_ref().unwrap().outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_offers_four_answers_and_each_does_as_it_says() {
    let (stage, drill) = (Stage::open().await, Drill::start().await);
    let commands = ["taken-back", "stopped", "passed-over", "tried-again"];
    for command in commands {
        std::fs::write(drill.folder().join(format!("commands/{command}.toml")), ASKS).unwrap();
    }
    let mut bot = Bot::for_drill(&stage, &drill);
    bot.start();
    for command in commands {
        stage.knows(command).await;
    }
    let dana = stage.person("Dana");

    asks(&stage, "taken-back").await;
    dana.clicks("taken-back", "Undo to here").await;
    let state = bot.finished("taken-back").await;
    assert_eq!(outcome(&state), Outcome::RolledBack);
    assert!(matches!(state.step("one").unwrap().undo, Undo::Done { .. }));
    assert_eq!(drill.done(), ["one", "taken-back"]);

    asks(&stage, "stopped").await;
    dana.clicks("stopped", "Abort").await;
    assert_eq!(outcome(&bot.finished("stopped").await), Outcome::Aborted);
    assert_eq!(drill.done(), ["one", "taken-back", "one"], "nothing is taken back, nothing goes on");

    // A skip is nobody's without a reason, and who may not start the command may not pass over its steps.
    asks(&stage, "passed-over").await;
    let refused = stage.person("Gil").clicks("passed-over", "Skip with a reason").await;
    assert!(refused["modal"].is_null(), "{refused}");
    let form = dana.clicks("passed-over", "Skip with a reason").await;
    assert!(!form["modal"].is_null(), "no form opened: {form}");
    let said = dana.fills(&form["modal"], "   ").await;
    assert!(said.contains("reason"), "{said}");
    let form = dana.clicks("passed-over", "Skip with a reason").await;
    dana.fills(&form["modal"], "the gate is *open* by hand").await;
    let state = bot.finished("passed-over").await;
    assert_eq!(outcome(&state), Outcome::SucceededWithSkips, "what was passed over never ends green");
    match &state.step("gate").unwrap().status {
        Status::Skipped(SkipReason::Person { by, reason }) => {
            assert_eq!((by.name.as_str(), reason.as_str()), ("Dana", "the gate is *open* by hand"));
        }
        other => panic!("{other:?}"),
    }
    stage.shows("passed-over", "skipped by Dana").await;
    assert_eq!(drill.done().last().unwrap(), "two", "it went on");

    asks(&stage, "tried-again").await;
    drill.open_gate();
    dana.clicks("tried-again", "Retry").await;
    let state = bot.finished("tried-again").await;
    assert_eq!((outcome(&state), state.step("gate").unwrap().attempts), (Outcome::Succeeded, 2));
}
