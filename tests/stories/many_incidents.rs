//! A thousand incidents are open and the next alert is a post all the same, at once, and behind a `kill -9` as well: what the
//! thousand want of Discord holds up nobody. With the real bot, and with Discord's rate limits.

use std::{collections::HashMap, time::Duration};

use drbot::{
    clock::{Clock, Timestamp},
    config::{load::Configuration, settings::DiscordId},
    ids::IncidentId,
    incident::{
        event::{Because, Entry, Event, Kind, Opened, Seen},
        ladder,
        state::State,
    },
    rehearsal::world,
    run::event::Person,
    runbook::span::Span,
    store::{Store, incidents::Opening, messages::CardPlace},
};
use serde_json::{Value, json};

use crate::support::{
    alarm::{TOKEN, database_down},
    bot::Bot,
    stage::{Stage, has_button},
    until, within,
};

const OPEN: usize = 1000;
const SCENARIO: &str = "database-corruption";

/// Far less than the thousand take, of which Discord lets one be edited or posted a second.
const SOON: Duration = Duration::from_secs(60);

/// Discord bans an address after 10,000 of them in ten minutes.
const MOST_REFUSALS: usize = 20;

fn targets() -> String {
    let names = (0..OPEN).map(|number| format!("shard-{number}")).chain(["north", "south"].map(str::to_owned));
    names.map(|name| format!("[target.{name}]\napi = \"http://127.0.0.1:9\"\n\n")).collect()
}

/// What somebody took on a while ago: nothing of it is due.
fn opened(configuration: &Configuration, number: usize, at: Timestamp) -> [Entry; 2] {
    let mut scenario = configuration.settings.scenario[SCENARIO].clone();
    scenario.rto = Span(Duration::from_secs(24 * 3600));
    let detected = Seen { at, source: "Dana opened it".to_owned() };
    let dana = Person { id: DiscordId(400_000_000_000_000_001), name: "Dana".to_owned() };
    let rungs = ladder::rungs(&configuration.settings.escalation, at, at + scenario.rto.0);
    let opened = Opened {
        rungs: rungs.into_iter().filter(|rung| rung.percent > 0).collect(),
        ack: ladder::ack_policy(&scenario),
        repeat_every: ladder::repeat_every(scenario.rto.0),
        kind: Kind { key: SCENARIO.to_owned(), scenario },
        target: Some(format!("shard-{number}")),
        because: Because::Person { by: dana.clone(), text: None },
        failure: None,
        detected,
        channel: DiscordId(world::INCIDENTS),
        resolves_within: drbot::incident::event::USUAL_RESOLVING,
        drill: None,
    };
    let incident = IncidentId::generate();
    let taken =
        Event::Acknowledged { by: dana, until: at + Duration::from_secs(12 * 3600), how: "by the button".to_owned() };
    let events = [(1, Event::Opened(Box::new(opened))), (2, taken)];
    events.map(|(seq, event)| Entry { incident, seq, at, event })
}

/// Puts a thousand incidents into the store, each with its post and its thread, as a bot would have left them.
async fn fill(stage: &Stage, bot: &Bot, configuration: &Configuration) {
    stage.post("limits", json!({"on": false})).await;
    let store = Store::open(&bot.data).await.unwrap();
    let http = reqwest::Client::new();
    let asks = async |path: String, body: Value| -> u64 {
        let url = format!("{}/api/v10/channels/{}/{path}", stage.url(), world::INCIDENTS);
        let request = http.post(url).header("authorization", format!("Bot {}", world::TOKEN)).json(&body);
        let answer: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        answer["id"].as_str().unwrap().parse().unwrap()
    };
    let now = Clock::system().now();
    for number in 0..OPEN {
        let [first, second] = opened(configuration, number, now);
        let mut state = State::begin(&first).unwrap();
        assert_eq!(store.open_incident(&format!("seed-{number}"), &first, &state).await.unwrap(), Opening::Opened);
        state.apply(&second).unwrap();
        store.append_to_incident(&second, &state).await.unwrap();
        let title = format!("Database corruption · shard-{number}");
        let message = asks("messages".to_owned(), json!({"embeds": [{"title": title}]})).await;
        let thread = asks(format!("messages/{message}/threads"), json!({"name": title})).await;
        let place = CardPlace { channel: world::INCIDENTS, message, thread: Some(thread), is_final: false };
        store.put_incident_post(first.incident, &place).await.unwrap();
        for seq in [1, 2] {
            store.told(first.incident, seq, now).await.unwrap();
        }
    }
    store.close().await;
    stage.post("limits", json!({"on": true})).await;
}

fn title(message: &Value) -> &str {
    message["embeds"][0]["title"].as_str().unwrap_or_default()
}

/// The post of a target's incident, with something to press.
async fn posted(stage: &Stage, target: &str) -> Value {
    within(SOON, &format!("the post of {target}"), async || {
        let messages = stage.messages("incidents", "Lena").await;
        messages.into_iter().rev().find(|message| title(message).contains(target) && has_button(message, "Acknowledge"))
    })
    .await
}

/// Requests that Discord refused because there were too many, from the beginning.
async fn refused(stage: &Stage) -> usize {
    let log = stage.get("log?path=").await;
    log.as_array().unwrap().iter().filter(|entry| entry["status"] == json!(429)).count()
}

async fn listens(bot: &mut Bot) {
    let before = bot.log().matches("figures are served").count();
    bot.start();
    until("the listener", async || (bot.log().matches("figures are served").count() > before).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_thousand_open_the_next_one_is_posted_and_none_twice() {
    let stage = Stage::open().await;
    let mark = "# Figures for Prometheus";
    let mut bot =
        Bot::alone(&stage).with("ALERTS_TOKEN", TOKEN).with_configuration(&[(mark, &format!("{}{mark}", targets()))]);
    let configuration = Configuration::load_with(std::path::Path::new(env!("CARGO_MANIFEST_DIR")), |_| None).unwrap();
    fill(&stage, &bot, &configuration).await;

    listens(&mut bot).await;
    stage.connected().await;
    database_down(&bot, "north").await;
    let north = posted(&stage, "north").await;
    // Not only posted: what happens to it is shown before the thousand clocks that go on.
    stage.person("Omar").clicks_on(&north, "Acknowledge").await;
    within(SOON, "who has it", async || {
        let messages = stage.messages("incidents", "Lena").await;
        messages.into_iter().find(|message| message["id"] == north["id"] && message.to_string().contains("Omar has it"))
    })
    .await;

    bot.kill().await;
    listens(&mut bot).await;
    stage.connected().await;
    database_down(&bot, "south").await;
    posted(&stage, "south").await;

    // One post each, and in no thread of the thousand a word that was not there.
    let mut posts: HashMap<String, usize> = HashMap::new();
    for message in stage.messages("incidents", "Lena").await {
        *posts.entry(title(&message).to_owned()).or_default() += 1;
    }
    assert_eq!(posts.len(), OPEN + 2, "{posts:#?}");
    let twice: Vec<_> = posts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let state = stage.get("state").await;
    let threads = state["channels"].as_array().unwrap().iter().filter(|channel| channel["type"] == json!(11));
    // The first message of a thread is the post.
    let talked_in = threads.filter(|thread| thread["message_count"].as_u64() > Some(1)).count();
    assert!(talked_in <= 2, "the thousand have nothing to say, and {talked_in} threads were written into");
    assert!(refused(&stage).await < MOST_REFUSALS, "{} requests too many", refused(&stage).await);
    bot.terminate().await;
}
