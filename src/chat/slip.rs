//! What is needed to answer an interaction, and answering it whatever Discord does.
//!
//! A person must not be left without an answer: a request that fails is repeated while there is time, and a refusal that
//! Discord does not take any more (the token lives 15 minutes, the acknowledgement was lost) is written into the channel,
//! mentioning nobody. What must stay true: no answer is given twice.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Desk, metrics,
    rest::{Call, Trouble},
};
use crate::progress::words;

/// Discord waits three seconds (Receiving and Responding); after this there is no point in trying on.
const ACKNOWLEDGE: Duration = Duration::from_millis(2500);
/// An answer that took longer is written into the channel.
const FILL_IN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(150);

const MESSAGE: u8 = 4;
const DEFERRED: u8 = 5;
const UPDATE: u8 = 7;
const CHOICES: u8 = 8;
const AUTOCOMPLETE: u64 = 4;
const EPHEMERAL: u64 = 1 << 6;

/// Answered before: by a request whose answer was lost.
const ALREADY: u64 = 40_060;

#[derive(Debug, Clone)]
pub(super) struct Slip {
    pub(super) id: u64,
    pub(super) application: u64,
    pub(super) token: String,
    pub(super) channel: u64,
    /// Who waits for the answer.
    pub(super) name: String,
}

impl Slip {
    /// Out of an interaction that could not be read otherwise.
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        let id = |field: &Value| field.as_str().and_then(|text| text.parse().ok());
        let user = [&value["member"]["user"], &value["user"]].into_iter().find(|user| user.is_object());
        let name = user.and_then(|user| user["global_name"].as_str().or(user["username"].as_str()));
        Some(Self {
            id: id(&value["id"])?,
            application: id(&value["application_id"])?,
            token: value["token"].as_str()?.to_owned(),
            channel: id(&value["channel_id"])?,
            name: name.unwrap_or("Somebody").to_owned(),
        })
    }

    /// "Thinking", for the one who asked.
    pub(super) async fn acknowledge(&self, desk: &Desk) {
        let wait = json!({"type": DEFERRED, "data": {"flags": EPHEMERAL}});
        if let Err(trouble) = self.call_back(desk, wait).await {
            tracing::warn!(interaction = self.id, error = %trouble, "an interaction could not be acknowledged");
        }
    }

    /// Acknowledges, and works beside. The work waits for no answer: late or lost, what was asked for is done all the same,
    /// and /halt waits for nobody. But the request is on its way before the work has the thread: it is written by a task
    /// of the connection's, which is waiting for this very thread.
    pub(super) async fn acknowledge_beside<T>(&self, desk: &Desk, work: impl Future<Output = T>) -> T {
        let work = async {
            tokio::task::yield_now().await;
            work.await
        };
        tokio::join!(self.acknowledge(desk), work).1
    }

    /// The first answer, in full: a form, choices.
    pub(super) async fn respond(&self, desk: &Desk, body: Value) -> bool {
        match self.call_back(desk, body).await {
            Ok(()) => true,
            Err(trouble) => {
                tracing::warn!(interaction = self.id, error = %trouble, "an interaction could not be answered");
                false
            }
        }
    }

    /// The first answer, as a text for the one who asked.
    pub(super) async fn say(&self, desk: &Desk, text: &str) {
        let data = json!({"content": text, "flags": EPHEMERAL, "allowed_mentions": {"parse": []}});
        if !self.respond(desk, json!({"type": MESSAGE, "data": data})).await {
            self.say_in_channel(desk, text).await;
        }
    }

    /// The first answer, as an embed; for the one who asked, or for the whole channel.
    pub(super) async fn show(&self, desk: &Desk, embed: &Value, privately: bool) {
        let flags = if privately { EPHEMERAL } else { 0 };
        let data = json!({"embeds": [embed], "flags": flags, "allowed_mentions": {"parse": []}});
        self.respond(desk, json!({"type": MESSAGE, "data": data})).await;
    }

    /// The first answer, as a message with buttons for the one who asked; where that cannot be, a text.
    pub(super) async fn ask(&self, desk: &Desk, mut body: Value, otherwise: &str) {
        body["flags"] = json!(EPHEMERAL);
        if !self.respond(desk, json!({"type": MESSAGE, "data": body})).await {
            self.say_in_channel(desk, otherwise).await;
        }
    }

    /// The first answer to a click: in the place of the message that the button was below.
    pub(super) async fn put_in_place(&self, desk: &Desk, body: Value) {
        let text = body["content"].as_str().unwrap_or_default().to_owned();
        if !self.respond(desk, json!({"type": UPDATE, "data": body})).await {
            self.say_in_channel(desk, &text).await;
        }
    }

    /// What the one who asked waits for after the acknowledgement.
    pub(super) async fn fill_in(&self, desk: &Desk, text: &str) -> bool {
        self.fill_in_body(desk, json!({"content": text, "allowed_mentions": {"parse": []}})).await
    }

    /// The same, with more than a text.
    pub(super) async fn fill_in_body(&self, desk: &Desk, body: Value) -> bool {
        let call = Call::edit_original(self.application, &self.token, body);
        let result = repeat(desk, FILL_IN, &call).await;
        if let Err(trouble) = &result {
            tracing::warn!(interaction = self.id, error = %trouble, "an answer could not be filled in");
        }
        result.is_ok()
    }

    /// The last resort. The interaction's id as nonce: it is said once.
    pub(super) async fn say_in_channel(&self, desk: &Desk, text: &str) {
        metrics::unanswered();
        let body = json!({
            "content": words::answered_in_channel(&self.name, text),
            "allowed_mentions": {"parse": []},
            "nonce": format!("i{}", self.id),
            "enforce_nonce": true,
        });
        match repeat(desk, FILL_IN, &Call::post_message(self.channel, body)).await {
            Ok(_) => tracing::info!(interaction = self.id, "the answer is written into the channel instead"),
            Err(trouble) => tracing::error!(interaction = self.id, error = %trouble, text, "an answer is not given"),
        }
    }

    async fn call_back(&self, desk: &Desk, body: Value) -> Result<(), Trouble> {
        match repeat(desk, ACKNOWLEDGE, &Call::callback(self.id, &self.token, body)).await {
            Err(trouble) if trouble.code() != ALREADY => Err(trouble),
            _ => Ok(()),
        }
    }
}

/// Tells the one who did something that drbot could not read it. Completions get an empty list.
pub(super) async fn answer_unreadable(desk: &Desk, slip: &Slip, value: &Value) {
    if value["type"].as_u64() == Some(AUTOCOMPLETE) {
        slip.respond(desk, json!({"type": CHOICES, "data": {"choices": []}})).await;
    } else {
        slip.say(desk, &words::unreadable()).await;
    }
}

/// Repeats what passes by itself, for so long.
async fn repeat(desk: &Desk, limit: Duration, call: &Call) -> Result<Value, Trouble> {
    let clock = desk.engine.clock();
    let mut last = Trouble::NoAnswer("there was no time".to_owned());
    let tries = async {
        let mut pause = PAUSE;
        loop {
            match desk.rest.send(call).await {
                Err(trouble) if trouble.passes() => last = trouble,
                result => return result,
            }
            metrics::retried();
            clock.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    };
    match clock.timeout(limit, tries).await {
        Some(result) => result,
        None => Err(last),
    }
}
