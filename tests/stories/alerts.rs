//! Alerts: from a broken system, by real monitoring, into drbot's store; and what a sender is answered.

use std::time::Duration;

use drbot::{alerts::alert::Status, store::alerts::StoredAlert};
use serde_json::{Value, json};

use crate::support::{
    bot::Bot,
    range::{MONITORING, Range},
    stage::{Stage, has_button},
    until, within,
};

const TOKEN: &str = "rehearsal-alerts-token";

/// Detection itself takes some seconds; a machine that runs other stories beside needs longer.
const SOON: Duration = Duration::from_secs(60);

async fn stored(bot: &Bot, name: &str) -> Option<StoredAlert> {
    let store = bot.store().await;
    let alerts = store.recent_alerts(100).await.unwrap();
    store.close().await;
    alerts.into_iter().find(|stored| stored.alert.name == name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_database_is_an_alert_and_its_return_the_end_of_it() {
    let range = Range::up_with(&MONITORING);
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range).with("DRBOT_LISTEN", &format!("127.0.0.1:{}", range.alerts_port));
    bot.start();
    until("the listener", async || bot.log().contains("figures are served").then_some(())).await;
    assert!(stored(&bot, "DatabaseDown").await.is_none());

    range.breaks("container-killed");
    let down = within(SOON, "the alert", async || stored(&bot, "DatabaseDown").await).await;
    assert_eq!(down.alert.status, Status::Firing);
    assert_eq!(down.alert.scenario.as_deref(), Some("database-corruption"));
    assert_eq!(down.alert.target.as_deref(), Some("prod"));
    assert_eq!(down.alert.labels["service"], "postgres");
    assert_eq!(down.alert.summary, "The database is not reachable.");
    assert!(down.received_at >= down.alert.starts_at, "{down:?}");
    // Nobody has typed anything: the post is there, with the evidence and what can be done.
    let post = within(SOON, "the post", async || {
        let posts = stage.messages("incidents", "Dana").await;
        posts
            .into_iter()
            .find(|post| post["embeds"][0]["title"].as_str().is_some_and(|title| title.contains("Database corruption")))
    })
    .await;
    assert!(post.to_string().contains("The database is not reachable."), "{post}");
    for button in ["Acknowledge", "/restore-db", "Not now"] {
        assert!(has_button(&post, button), "{button}: {post}");
    }

    range.docker(&["start", &range.container("trading-postgres")]);
    let over = within(SOON, "the end of it", async || {
        stored(&bot, "DatabaseDown").await.filter(|stored| stored.alert.status == Status::Resolved)
    })
    .await;
    assert!(over.resolved_at > Some(down.received_at));
    assert_eq!(over.alert.starts_at, down.alert.starts_at);
    let figures = bot.figures().await;
    assert!(figures.contains(r#"drbot_alerts_received_total{source="alertmanager",status="firing"}"#), "{figures}");
    assert!(figures.contains(r#"drbot_alert_requests_total{status="200"}"#), "{figures}");
    assert!(!bot.log().contains(TOKEN));
    bot.terminate().await;
}

/// A bot that nothing but alerts come to.
struct Listening {
    bot: Bot,
    url: String,
    stage: Stage,
}

impl Listening {
    async fn new() -> Self {
        Self::with(|bot| bot).await
    }

    async fn with(change: impl FnOnce(Bot) -> Bot) -> Self {
        let stage = Stage::open().await;
        let bot = change(Bot::alone(&stage).with("ALERTS_TOKEN", TOKEN));
        let mut listening = Self { bot, url: String::new(), stage };
        listening.start().await;
        listening
    }

    async fn start(&mut self) {
        let before = self.bot.log().matches("figures are served").count();
        self.bot.start();
        self.url = until("the listener", async || {
            let log = self.bot.log();
            let line = log.lines().filter(|line| line.contains("figures are served")).nth(before)?;
            let url = line.split_once("url=\"")?.1.split('"').next()?;
            Some(url.replace("/metrics", "/alerts/generic"))
        })
        .await;
    }

    async fn posts(&self, body: &Value) -> (u16, Value) {
        let request = reqwest::Client::new().post(&self.url).bearer_auth(TOKEN).json(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

fn alert(id: &str, status: &str) -> Value {
    json!({ "id": id, "name": "DatabaseDown", "status": status, "starts_at": "2026-11-26T03:00:00Z" })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_outlives_a_kill() {
    let mut here = Listening::new().await;
    let counts = |new: usize, resolved: usize, missed: usize, repeated: usize| {
        (200, json!({ "new": new, "resolved": resolved, "missed": missed, "repeated": repeated, "left_out": 0 }))
    };
    assert_eq!(here.posts(&alert("a", "firing")).await, counts(1, 0, 0, 0));
    here.bot.kill().await;
    here.start().await;
    assert_eq!(here.posts(&alert("a", "firing")).await, counts(0, 0, 0, 1));
    assert_eq!(here.posts(&alert("a", "resolved")).await, counts(0, 1, 0, 0));
    // In the wrong order, and twice in one body.
    let both = json!({ "alerts": [alert("b", "resolved"), alert("b", "firing"), alert("b", "firing")] });
    assert_eq!(here.posts(&both).await, counts(0, 0, 1, 2));
    let known = stored(&here.bot, "DatabaseDown").await.unwrap();
    assert_eq!(known.alert.scenario.as_deref(), Some("database-corruption"));
    here.bot.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_alerts_are_taken_and_the_bot_goes_on() {
    let mut here = Listening::new().await;
    // As many as fit into a body.
    for body in 0..2 {
        let alerts: Vec<_> = (0..5000).map(|number| alert(&format!("{body}-{number}"), "firing")).collect();
        let (status, said) = here.posts(&json!({ "alerts": alerts })).await;
        assert_eq!((status, &said["new"]), (200, &json!(5000)), "{said}");
    }
    let store = here.bot.store().await;
    assert_eq!(store.firing_alerts().await.unwrap(), 10_000);
    store.close().await;
    assert!(!here.bot.is_gone());
    assert_eq!(here.posts(&alert("0-4999", "resolved")).await.1["resolved"], json!(1));
    here.bot.terminate().await;
}

/// The one that `docs/alerts.md` shows, run as it is there but for the port.
#[tokio::test(flavor = "multi_thread")]
async fn the_shown_program_signs_what_it_sends() {
    let with_key = [("bearer = \"ALERTS_TOKEN\"", "hmac = \"ALERTS_HMAC_KEY\"")];
    let mut here = Listening::with(|bot| bot.with_configuration(&with_key).with("ALERTS_HMAC_KEY", TOKEN)).await;
    let document = std::fs::read_to_string(format!("{}/docs/alerts.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let program = document.split_once("```python\n").unwrap().1.split_once("```").unwrap().0;
    let program = program.replace("http://127.0.0.1:9464/alerts/generic", &here.url);
    let runs = |key: &'static str| {
        let mut python = tokio::process::Command::new("python3");
        python.args(["-c", &program]).env("ALERTS_HMAC_KEY", key);
        python
    };
    let output = runs(TOKEN).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(stored(&here.bot, "BackupTooOld").await.is_some());
    let output = runs("another key").output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("drbot refused it: 401"), "{said}");
    // A token that no settings name proves nothing.
    assert_eq!(here.posts(&alert("a", "firing")).await.0, 401);
    assert!(!here.bot.log().contains(TOKEN));
    here.bot.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_well_is_heard_of_outside() {
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let app = axum::Router::new().fallback(async move |uri: axum::http::Uri| _ = heard.send(uri.to_string()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ping/a-token", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let listen = "listen = \"${DRBOT_LISTEN:-127.0.0.1:9464}\"";
    let beats = format!("{listen}\nheartbeat = {{ url = \"{url}\", every = \"1s\" }}");
    let mut here = Listening::with(|bot| bot.with_configuration(&[(listen, &beats)])).await;
    for _ in 0..2 {
        let beat = tokio::time::timeout(SOON, hears.recv()).await.unwrap();
        assert_eq!(beat.as_deref(), Some("/ping/a-token"));
    }
    let figures = here.bot.figures().await;
    assert!(
        figures.contains("drbot_healthy 1") && figures.contains(r#"drbot_heartbeats_total{result="sent"}"#),
        "{figures}"
    );
    assert!(!here.bot.log().contains("a-token"));
    here.bot.terminate().await;
}

/// Nobody shall believe that drbot has taken care of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_no_rule_knows_is_told_in_the_channel_once() {
    let mut here = Listening::new().await;
    here.stage.ready().await;
    for id in ["a", "b"] {
        let body = json!({"id": id, "name": "BackupTooOld", "status": "firing", "starts_at": "2026-11-26T03:00:00Z",
            "summary": "The newest backup is 3 h old, @everyone."});
        assert_eq!(here.posts(&body).await.0, 200);
    }
    let known = json!({"id": "c", "name": "TradingBotDown", "status": "firing", "starts_at": "2026-11-26T03:00:00Z",
        "labels": {"scenario": "complete-failure"}});
    assert_eq!(here.posts(&known).await.0, 200);
    let posts = async || here.stage.messages("incidents", "Dana").await;
    until("the incident's post", async || {
        posts().await.iter().any(|post| post.to_string().contains("TradingBotDown")).then_some(())
    })
    .await;
    until("the notice", async || {
        posts().await.iter().any(|post| post.to_string().contains("BackupTooOld fires")).then_some(())
    })
    .await;
    let told = posts().await.iter().filter(|post| post.to_string().contains("BackupTooOld fires")).count();
    assert_eq!(told, 1);
    here.bot.terminate().await;
}
