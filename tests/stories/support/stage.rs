//! The rehearsal as a stage, and the people on it.

use drbot::{
    clock::Clock,
    rehearsal::{Rehearsal, Scene, Settings},
};
use serde_json::{Map, Value, json};

use super::{LIMIT, until, within_or_none};

/// A rehearsal of the test's own.
pub struct Stage {
    pub rehearsal: Rehearsal,
    http: reqwest::Client,
}

impl Stage {
    pub async fn open() -> Self {
        Self::open_with(Settings::strict(Clock::system())).await
    }

    /// With something for the page to show beside the chat.
    pub async fn with_scene(scene: Scene) -> Self {
        Self::open_with(Settings { scene, ..Settings::strict(Clock::system()) }).await
    }

    pub async fn open_with(settings: Settings) -> Self {
        Self { rehearsal: Rehearsal::start(settings).await.unwrap(), http: reqwest::Client::new() }
    }

    pub fn url(&self) -> String {
        self.rehearsal.api_url()
    }

    pub async fn get(&self, what: &str) -> Value {
        let url = format!("{}/rehearsal/api/{what}", self.url());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// The answer, good or bad.
    pub async fn post(&self, verb: &str, body: Value) -> Value {
        let url = format!("{}/rehearsal/api/{verb}", self.url());
        self.http.post(url).json(&body).send().await.unwrap().json().await.unwrap()
    }

    /// Waits until the bot has registered its commands.
    pub async fn ready(&self) {
        self.knows("restore-db").await;
    }

    /// Waits until the bot has registered a command.
    pub async fn knows(&self, command: &str) {
        until("the bot to register its commands", async || {
            let state = self.get("state").await;
            let names: Vec<_> = state["commands"].as_array()?.iter().map(|command| command["name"].clone()).collect();
            names.contains(&json!(command)).then_some(())
        })
        .await;
    }

    /// Breaks something, or mends it.
    pub async fn fault(&self, fault: Value) {
        let answer = self.post("fault", fault.clone()).await;
        assert!(answer["error"].is_null(), "{fault}: {answer}");
    }

    /// Waits until a bot is at the gateway: one that was killed is away for a moment.
    pub async fn connected(&self) {
        until("a bot at the gateway", async || (self.get("state").await["connected"] == json!(true)).then_some(()))
            .await;
    }

    pub fn person<'a>(&'a self, name: &'a str) -> Actor<'a> {
        Actor { stage: self, name }
    }

    pub async fn messages(&self, channel: &str, person: &str) -> Vec<Value> {
        self.get(&format!("messages?channel={channel}&person={person}")).await.as_array().cloned().unwrap_or_default()
    }

    /// The newest card of a command in the channel (its title begins with the command).
    pub async fn card(&self, command: &str) -> Option<Value> {
        let messages = self.messages("incidents", "Lena").await;
        messages.into_iter().rev().find(|message| {
            message["embeds"][0]["title"].as_str().is_some_and(|title| title.starts_with(&format!("/{command}")))
        })
    }

    /// Waits until the newest card of a command shows `text`.
    pub async fn shows(&self, command: &str, text: &str) -> Value {
        let last = std::sync::Mutex::new(None);
        let what = format!("the card of /{command} to show {text:?}");
        let look = async || {
            let card = self.card(command).await;
            card.clone_into(&mut last.lock().unwrap());
            card.filter(|card| card["embeds"][0].to_string().contains(text))
        };
        if let Some(card) = within_or_none(LIMIT, look).await {
            return card;
        }
        let shown = last.into_inner().unwrap().map_or_else(|| "none".to_owned(), |card| card["embeds"][0].to_string());
        panic!("waited in vain for {what}; it shows {shown}");
    }

    /// Waits until the newest card of a command has a button, and returns the card.
    pub async fn offers(&self, command: &str, label: &str) -> Value {
        until(&format!("a button {label:?} on the card of /{command}"), async || {
            self.card(command).await.filter(|card| has_button(card, label))
        })
        .await
    }
}

/// Somebody who types and clicks in `#incidents`.
pub struct Actor<'a> {
    stage: &'a Stage,
    name: &'a str,
}

impl Actor<'_> {
    /// Types a command; what comes back is what the control API says.
    pub async fn types(&self, command: &str, options: Value) -> Value {
        self.stage.connected().await;
        let body = json!({ "person": self.name, "channel": "incidents", "command": command, "options": options });
        self.stage.post("command", body).await
    }

    /// Types a command, and returns the text of the (ephemeral) answer once it is there.
    pub async fn hears(&self, command: &str, options: Value) -> String {
        let before = self.ephemeral().await.len();
        let answer = self.types(command, options).await;
        assert_eq!(answer["acknowledged"], json!(true), "{answer}");
        self.next_answer(before).await
    }

    /// Clicks a button of the newest card of a command; returns the control API's answer.
    pub async fn clicks(&self, command: &str, label: &str) -> Value {
        let card = self.stage.offers(command, label).await;
        self.clicks_on(&card, label).await
    }

    /// Clicks a button of a message, as it was shown then.
    pub async fn clicks_on(&self, message: &Value, label: &str) -> Value {
        self.stage.connected().await;
        let button = buttons(message).into_iter().find(|button| button["label"] == label).unwrap();
        let click = json!({ "person": self.name, "message": message["id"], "custom_id": button["custom_id"] });
        self.stage.post("click", click).await
    }

    /// Fills the one field of a modal in, and returns the answer's text.
    pub async fn fills(&self, modal: &Value, text: &str) -> String {
        self.fills_in(modal, &[text]).await
    }

    /// Fills the fields of a modal in, from the first, and returns the answer's text.
    pub async fn fills_in(&self, modal: &Value, texts: &[&str]) -> String {
        let before = self.ephemeral().await.len();
        let mut values = Map::new();
        for (number, text) in texts.iter().enumerate() {
            let input = &modal["components"][number]["components"][0]["custom_id"];
            values.insert(input.as_str().expect("a modal with a field").to_owned(), json!(text));
        }
        let body = json!({ "person": self.name, "modal": modal["id"], "values": values });
        self.stage.post("submit", body).await;
        self.next_answer(before).await
    }

    /// Clicks Approve and types the database's name.
    pub async fn approves(&self, command: &str) -> String {
        self.approves_by(command, "trading_bot_prod").await
    }

    /// Clicks Approve and types what is to be typed.
    pub async fn approves_by(&self, command: &str, confirm: &str) -> String {
        let answer = self.clicks(command, "Approve").await;
        assert!(!answer["modal"].is_null(), "no form opened: {answer}");
        self.fills(&answer["modal"], confirm).await
    }

    async fn ephemeral(&self) -> Vec<Value> {
        let messages = self.stage.messages("incidents", self.name).await;
        messages.into_iter().filter(|message| message["flags"].as_u64().unwrap_or(0) & 64 != 0).collect()
    }

    async fn next_answer(&self, before: usize) -> String {
        until("an answer", async || {
            let messages = self.ephemeral().await;
            let text = messages.get(before..)?.last()?["content"].as_str()?.to_owned();
            (!text.is_empty()).then_some(text)
        })
        .await
    }
}

pub fn buttons(message: &Value) -> Vec<Value> {
    let rows = message["components"].as_array().cloned().unwrap_or_default();
    rows.iter().flat_map(|row| row["components"].as_array().cloned().unwrap_or_default()).collect()
}

pub fn has_button(message: &Value, label: &str) -> bool {
    buttons(message).iter().any(|button| button["label"] == label && button["disabled"] != json!(true))
}
