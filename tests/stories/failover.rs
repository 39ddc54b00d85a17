//! `/failover`: providers that are really gone, slow, wrong, nameless or cut off, and a trading bot that really goes to another.

use std::time::Duration;

use drbot::{
    clock::Clock,
    run::{event::Event, outcome::Outcome, state::State},
};
use serde_json::{Value, json};

use crate::support::{
    bot::Bot,
    range::Range,
    stage::{Stage, has_button},
    until,
};

/// What is promised: from the click until the trading bot works with the other provider, and the run has ended.
const PROMISED: Duration = Duration::from_secs(10);

async fn on_duty() -> (Range, Stage, Bot) {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    stage.knows("failover").await;
    (range, stage, bot)
}

fn outcome(state: &State) -> Outcome {
    state.finished.as_ref().unwrap().outcome
}

async fn primary(range: &Range) -> String {
    range.bot("/config").await["primary_rpc"].as_str().unwrap_or_default().to_owned()
}

/// What the trading bot sees of its first provider: 1 is available.
async fn availability(range: &Range) -> Option<String> {
    let url = format!("http://127.0.0.1:{}/metrics", range.api_port);
    let text = reqwest::get(url).await.ok()?.text().await.ok()?;
    let line = text.lines().find(|line| line.starts_with("api_availability{role=\"primary\""))?;
    line.rsplit(' ').next().map(str::to_owned)
}

async fn sees_it_down(range: &Range) {
    until("the trading bot to see it", async || (availability(range).await? == "0").then_some(())).await;
}

/// Heals whatever `api-outage` did to the first provider by way of its faults.
async fn heals(range: &Range) {
    let url = format!("http://127.0.0.1:{}/standin/faults", range.helius_port);
    reqwest::Client::new().post(url).json(&json!({})).send().await.unwrap().error_for_status().unwrap();
}

async fn status_fits(stage: &Stage, text: &str) -> Value {
    stage.person("Dana").hears("status", json!({})).await;
    let card = stage.shows("status", text).await;
    assert!(has_button(&card, "/failover"), "{card}");
    card
}

/// One click on the card of `/status`; the run, which has ended as soon after it as is promised.
async fn one_click_is_enough(stage: &Stage, bot: &Bot) -> State {
    stage.offers("status", "/failover").await;
    let clicked = Clock::system().now();
    stage.person("Dana").clicks("status", "/failover").await;
    let state = bot.finished("failover").await;
    let ended = state.finished.as_ref().unwrap();
    assert_eq!(ended.outcome, Outcome::Succeeded, "{ended:?}");
    let took = (ended.at - clicked).to_std().unwrap();
    assert!(took < PROMISED, "{took:?} from the click to the end: {:#?}", pace(&state, clicked));
    state
}

/// Each step, and how long after the click it began and ended.
fn pace(state: &State, clicked: chrono::DateTime<chrono::Utc>) -> Vec<String> {
    let after = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| (at - clicked).num_milliseconds());
    let steps = state.steps.iter();
    steps
        .map(|step| format!("{}: {:?} to {:?} ms", step.definition.id, after(step.started_at), after(step.ended_at)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_gone_gives_way_at_once_and_is_gone_back_to_after_a_yes() {
    let (range, stage, bot) = on_duty().await;
    range.script("break", &["api-outage", "wrong"]);
    sees_it_down(&range).await;
    status_fits(&stage, "This looks like **external api outage**").await;

    let state = one_click_is_enough(&stage, &bot).await;
    assert!(state.recovered_at.is_some());
    assert_eq!(primary(&range).await, "quicknode_endpoint");
    assert_eq!(availability(&range).await.as_deref(), Some("1"));
    let kinds: Vec<&str> = bot.journal("failover").await.iter().map(|entry| entry.event.kind()).collect();
    assert!(kinds.contains(&"approval-waived") && !kinds.contains(&"approval-asked"), "{kinds:?}");
    let card = stage.shows("failover", "Nobody is asked").await;
    assert!(card.to_string().contains("Node is behind"), "the proof is on the card: {card}");
    let mut seen = vec![state.id];

    // While it is ill, nobody goes back to it, wished or not.
    for options in [json!({}), json!({"to": "helius"}), json!({"to": "quicknode"})] {
        stage.person("Dana").types("failover", options.clone()).await;
        let refused = bot.finished_after("failover", &seen).await;
        seen.push(refused.id);
        assert!(matches!(outcome(&refused), Outcome::Refused), "{options}: {:?}", refused.finished);
        // Discord takes only so many posts at once: a card that still waits would come after the next run's.
        stage.shows("failover", &format!("run {}", refused.id.short())).await;
        assert_eq!(primary(&range).await, "quicknode_endpoint");
    }

    // Healthy again: back by the same command, which is a choice, and waits for somebody else's yes.
    heals(&range).await;
    let said = stage.person("Dana").hears("failover", json!({})).await;
    assert!(said.contains("has started"), "{said}");
    let card = stage.shows("failover", "may approve").await;
    assert!(card.to_string().contains("NOT PROVED TO BE DOWN"), "{card}");
    assert_eq!(primary(&range).await, "quicknode_endpoint", "nothing before the yes");
    stage.person("Omar").clicks("failover", "Approve").await;
    let back = bot.finished_after("failover", &seen).await;
    assert_eq!(outcome(&back), Outcome::Succeeded, "{:?}", back.finished);
    assert_eq!(primary(&range).await, "helius_endpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_cut_is_seen_from_the_inside() {
    let (range, stage, bot) = on_duty().await;
    range.breaks("network-partition");
    sees_it_down(&range).await;
    let card = status_fits(&stage, "This looks like **network partition**").await;
    assert!(card.to_string().contains("and drbot does"), "{card}");
    one_click_is_enough(&stage, &bot).await;
    assert_eq!(primary(&range).await, "quicknode_endpoint");
    let looked = bot.journal("failover").await.into_iter().find_map(|entry| match entry.event {
        Event::StepSucceeded { step, log, .. } if step == "choose" => Some(log.join("\n")),
        _ => None,
    });
    let looked = looked.unwrap();
    assert!(looked.contains("helius: not healthy") && looked.contains("drbot reaches it"), "{looked}");
    assert!(looked.contains("quicknode: healthy; name ") && looked.contains("ping "), "{looked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_slow_provider_nor_a_database_that_hangs_keeps_it_back() {
    let (range, stage, bot) = on_duty().await;
    // Each look at it is out of time, and it is looked at twice, from two places.
    range.script("break", &["api-outage", "slow"]);
    sees_it_down(&range).await;
    status_fits(&stage, "This looks like **external api outage**").await;
    // Which server this is cannot be told then; that is tried for as long as it may take.
    range.docker(&["pause", &range.container("trading-postgres")]);
    let state = one_click_is_enough(&stage, &bot).await;
    range.docker(&["unpause", &range.container("trading-postgres")]);
    assert!(state.recovered_at.is_some());
    assert_eq!(primary(&range).await, "quicknode_endpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outage_is_named_and_without_a_healthy_provider_nothing_is_changed() {
    let (range, stage, bot) = on_duty().await;
    let mut seen = Vec::new();
    // What is wrong with it, and what is said of that. Both providers are ill, so that nothing is switched meanwhile.
    range.script("break", &["api-outage", "refused", "quicknode"]);
    for (how, said) in [
        ("slow", "no answer within 1s 500ms"),
        ("refused", "503"),
        ("dns", "its name is not found"),
        ("down", "its name is not found"),
    ] {
        range.script("break", &["api-outage", how]);
        stage.person("Dana").types("failover", json!({})).await;
        let state = bot.finished_after("failover", &seen).await;
        seen.push(state.id);
        assert_eq!(outcome(&state), Outcome::Failed, "{how}: {:?}", state.finished);
        let message = &state.finished.as_ref().unwrap().message;
        assert!(message.contains(said) && message.contains("no other provider is healthy"), "{how}: {message}");
        assert_eq!(primary(&range).await, "helius_endpoint", "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_choice_waits_and_one_that_does_not_work_is_asked_about() {
    let (range, stage, bot) = on_duty().await;
    // Nothing is wrong: there is nothing to do.
    stage.person("Dana").types("failover", json!({})).await;
    let state = bot.finished("failover").await;
    assert_eq!(outcome(&state), Outcome::Refused);
    assert!(state.finished.as_ref().unwrap().message.contains("in use and healthy"), "{:?}", state.finished);

    // A no changes nothing.
    let body = json!({"person": "Dana", "channel": "incidents", "command": "failover", "focused": "to", "options": {"to": ""}});
    let choices = stage.post("autocomplete", body).await["choices"].clone();
    assert_eq!(choices[1]["value"], "quicknode", "{choices}");
    stage.person("Dana").types("failover", json!({"to": "quicknode"})).await;
    stage.shows("failover", "may approve").await;
    let answer = stage.person("Omar").clicks("failover", "Deny").await;
    stage.person("Omar").fills(&answer["modal"], "not now").await;
    let denied = bot.finished_after("failover", &[state.id]).await;
    assert_eq!(outcome(&denied), Outcome::Refused, "{:?}", denied.finished);
    assert_eq!(primary(&range).await, "helius_endpoint");

    // A configuration that is not taken is asked about, and undone it is as it was.
    range.script("break", &["api-outage", "down"]);
    range.faults(json!({ "status": { "/config/update": 500 } })).await;
    stage.person("Dana").types("failover", json!({})).await;
    until("the question", async || has_button(&stage.card("failover").await?, "Retry").then_some(())).await;
    range.faults(json!({})).await;
    stage.person("Dana").clicks("failover", "Retry").await;
    let state = bot.finished_after("failover", &[state.id, denied.id]).await;
    assert_eq!(outcome(&state), Outcome::Succeeded, "{:?}", state.finished);
    assert_eq!(primary(&range).await, "quicknode_endpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_the_way_it_comes_to_the_same_end() {
    let (range, stage, mut bot) = on_duty().await;
    range.script("break", &["api-outage", "down"]);
    bot.set("DRBOT_FAILPOINT", "after-effect:switch");
    bot.kill().await;
    bot.start();
    stage.ready().await;
    stage.person("Dana").types("failover", json!({})).await;
    bot.dies().await;
    assert_eq!(primary(&range).await, "quicknode_endpoint", "it was switched, and nobody knows yet");
    bot.unset("DRBOT_FAILPOINT");
    bot.start();
    let state = bot.finished("failover").await;
    assert_eq!(outcome(&state), Outcome::Succeeded, "{:?}", state.finished);
    assert_eq!(primary(&range).await, "quicknode_endpoint");
    assert_eq!(availability(&range).await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_taken_back_once_and_only_while_nothing_was_built_on_it() {
    let (range, stage, mut bot) = on_duty().await;
    let nothing = stage.person("Dana").hears("undo", json!({})).await;
    assert!(nothing.contains("nothing that you could take back"), "{nothing}");
    let direct = stage.person("Dana").types("undo-failover", json!({})).await;
    assert!(!direct["error"].is_null(), "it is no command of its own: {direct}");
    let before = range.bot("/config").await;
    range.script("break", &["api-outage", "wrong"]);
    sees_it_down(&range).await;
    stage.person("Dana").types("failover", json!({})).await;
    let state = bot.finished("failover").await;
    assert_eq!(outcome(&state), Outcome::Succeeded, "{:?}", state.finished);
    let left = range.bot("/config").await;
    assert_ne!(left["primary_rpc"], before["primary_rpc"]);
    heals(&range).await;

    let body =
        json!({"person": "Dana", "channel": "incidents", "command": "undo", "focused": "run", "options": {"run": ""}});
    let offered = stage.post("autocomplete", body).await;
    assert_eq!(offered["choices"][0]["value"], json!(state.id.short()), "{offered}");
    let lena = stage.person("Gil").hears("undo", json!({})).await;
    assert!(lena.contains("nothing that you could take back"), "{lena}");
    stage.person("Dana").hears("undo", json!({"run": state.id.short()})).await;
    let own = stage.person("Dana").clicks("undo", "Approve").await;
    assert!(own["modal"].is_null(), "{own}");
    assert_eq!(range.bot("/config").await, left, "nothing before the yes");
    // Killed while it waits.
    bot.kill().await;
    bot.start();
    stage.connected().await;
    stage.person("Omar").clicks("undo", "Approve").await;
    let undone = bot.finished("undo-failover").await;
    assert_eq!(outcome(&undone), Outcome::Succeeded, "{:?}", undone.finished);
    assert_eq!(range.bot("/config").await, before, "all of it is as it was");
    let card = stage.shows("undo", "Done").await;
    let title = card["embeds"][0]["title"].as_str().unwrap();
    assert!(title.contains("/failover") && title.contains(&state.id.short()), "{title}");

    let again = stage.person("Dana").hears("undo", json!({"run": state.id.short()})).await;
    assert!(again.contains("cannot be taken back any more"), "{again}");
    let unknown = stage.person("Dana").hears("undo", json!({"run": "ffffffff"})).await;
    assert!(unknown.contains("There is no run"), "{unknown}");
}
