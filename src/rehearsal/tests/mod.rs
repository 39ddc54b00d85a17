//! Discord's rules, one by one, on the state alone: no sockets, and a clock that the test holds.

mod commands;
mod guild;
mod interactions;
mod messages;
mod threads;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    control::{Mistake, people},
    error::ApiError,
    faults,
    gateway::session::{Out, Session},
    model::{Interaction, Upload},
    rest::{self, Reply, Request},
    state::State,
    world,
};
use crate::clock::{Clock, Source, Timestamp};

/// Stands still until the test moves it.
#[derive(Clone)]
struct Held(Arc<AtomicI64>);

impl Source for Held {
    fn now(&self) -> Timestamp {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A state with one bot connected, and the requests that it makes.
struct Play {
    state: State,
    clock: Held,
    gateway: UnboundedReceiver<Out>,
}

impl Play {
    fn new() -> Self {
        let clock = Held(Arc::new(AtomicI64::new(1_790_000_000_000_000)));
        let state = State::new(
            Clock::from_source(clock.clone()),
            true,
            world::TOKEN.to_owned(),
            "http://127.0.0.1:1".to_owned(),
            false,
        );
        let (out, gateway) = unbounded_channel();
        let mut play = Self { state, clock, gateway };
        play.state.sessions.push(Session::new("session".to_owned(), u64::MAX, 1, out));
        play
    }

    fn pass(&self, time: TimeDelta) {
        self.clock.0.fetch_add(time.num_microseconds().unwrap(), Ordering::SeqCst);
    }

    fn send(&mut self, method: &str, path: &str, body: Value, files: Vec<Upload>) -> Result<Reply, ApiError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            authorization: Some(format!("Bot {}", world::TOKEN)),
            body,
            files,
        };
        rest::dispatch(&mut self.state, &request)
    }

    /// The body of an answer that must be good.
    fn ask(&mut self, method: &str, path: &str, body: Value) -> Value {
        self.send(method, path, body, vec![]).unwrap().body.unwrap_or_default()
    }

    /// The code of an answer that must be an error.
    fn code(&mut self, method: &str, path: &str, body: Value) -> u32 {
        self.send(method, path, body, vec![]).unwrap_err().code
    }

    /// The `_errors` at a path of fields of a 50035.
    fn wrong(&mut self, method: &str, path: &str, body: Value, field: &str) -> String {
        let error = self.send(method, path, body, vec![]).unwrap_err();
        assert_eq!(error.code, 50035, "{error:?}");
        let errors = error.errors.unwrap();
        let found = field.split('.').fold(&errors, |at, key| &at[key]);
        found["_errors"][0]["code"].as_str().unwrap_or_else(|| panic!("not at {field}: {errors}")).to_owned()
    }

    fn posts(&mut self, body: Value) -> String {
        let message = self.ask("POST", &messages(), body);
        message["id"].as_str().unwrap().to_owned()
    }

    fn registers(&mut self, commands: Value) -> Value {
        self.ask("PUT", &commands_path(), commands)
    }

    fn command(&mut self, body: Value) -> Result<Interaction, Mistake> {
        let id = people::start_command(&mut self.state, &body)?.unwrap();
        Ok(self.state.interactions[&id].clone())
    }

    /// Dana runs /go, which takes no options.
    fn go(&mut self) -> Interaction {
        if self.state.commands.is_empty() {
            self.registers(json!([{"name": "go", "description": "Go"}]));
        }
        self.command(json!({"person": "Dana", "channel": "#incidents", "command": "/go"})).unwrap()
    }

    fn clicks(&mut self, label: &str) -> Interaction {
        let body = json!({"person": "Omar", "message": "latest", "label": label});
        let id = people::start_click(&mut self.state, &body).unwrap().unwrap();
        self.state.interactions[&id].clone()
    }

    /// The events that the gateway has sent since the last look.
    fn events(&mut self) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        while let Ok(Out::Frame(frame)) = self.gateway.try_recv() {
            let mut frame: Value = serde_json::from_str(&frame).unwrap();
            events.push((frame["t"].as_str().unwrap().to_owned(), frame["d"].take()));
        }
        events
    }

    fn fault(&mut self, fault: Value) {
        faults::set(&mut self.state, &fault).unwrap();
    }
}

fn messages() -> String {
    format!("/channels/{}/messages", world::INCIDENTS)
}

fn message(id: &str) -> String {
    format!("{}/{id}", messages())
}

fn commands_path() -> String {
    format!("/applications/{}/guilds/{}/commands", world::APPLICATION, world::GUILD)
}

fn callback(interaction: &Interaction) -> String {
    format!("/interactions/{}/{}/callback", interaction.id, interaction.token)
}

fn webhook(interaction: &Interaction) -> String {
    format!("/webhooks/{}/{}", world::APPLICATION, interaction.token)
}

fn original(interaction: &Interaction) -> String {
    format!("{}/messages/@original", webhook(interaction))
}

fn button(id: &str, label: &str) -> Value {
    json!({"type": 2, "style": 1, "label": label, "custom_id": id})
}

fn row(components: Vec<Value>) -> Value {
    json!({"type": 1, "components": components})
}

fn upload(index: u64, filename: &str, size: usize) -> Upload {
    let bytes = Bytes::from(vec![b'x'; size]);
    Upload { index, filename: filename.to_owned(), content_type: "text/plain".to_owned(), bytes }
}
