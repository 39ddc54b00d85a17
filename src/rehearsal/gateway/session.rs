//! One bot's session: its place in the stream of events, and what it missed while it was away.
//!
//! A session outlives its connections. Events are numbered within the session and kept for RESUME.
//! <https://discord.com/developers/docs/events/gateway#resuming>

use std::collections::VecDeque;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

/// <https://discord.com/developers/docs/events/gateway#list-of-intents>
pub mod intents {
    /// The event reaches every session.
    pub const ALWAYS: u64 = 0;
    pub const GUILDS: u64 = 1;
    pub const GUILD_MEMBERS: u64 = 1 << 1;
    pub const GUILD_MESSAGES: u64 = 1 << 9;
    pub const DIRECT_MESSAGES: u64 = 1 << 12;
    pub const MESSAGE_CONTENT: u64 = 1 << 15;
}

/// Events kept for RESUME; a session that missed more cannot resume.
const REPLAY: usize = 1000;

/// What a connection is told to do.
#[derive(Debug)]
pub enum Out {
    Frame(String),
    /// Ends the connection with a close code.
    Close(u16, &'static str),
    /// Ends the connection without a word, as a cut cable does.
    Drop,
    /// Says that the session is invalid; true when it can be resumed.
    Invalid(bool),
    /// From now on nothing goes through, and the connection stays open.
    Silence,
}

#[derive(Debug)]
pub struct Session {
    pub id: String,
    pub intents: u64,
    seq: u64,
    replay: VecDeque<(u64, String)>,
    connection: Option<(u64, UnboundedSender<Out>)>,
    /// Its connection is dead, and nobody has noticed.
    silent: bool,
}

/// The reason of a close frame that somebody asked for.
const ON_PURPOSE: &str = "A fault of the rehearsal.";

impl Session {
    pub fn new(id: String, intents: u64, connection: u64, out: UnboundedSender<Out>) -> Self {
        Self { id, intents, seq: 0, replay: VecDeque::new(), connection: Some((connection, out)), silent: false }
    }

    pub fn connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|(_, out)| !out.is_closed())
    }

    /// Whether somebody would hear what is sent.
    pub fn heard(&self) -> bool {
        self.connected() && !self.silent
    }

    pub fn held_by(&self, connection: u64) -> bool {
        self.connection.as_ref().is_some_and(|(id, _)| *id == connection)
    }

    /// Numbers, keeps and, when somebody listens, sends an event.
    pub fn dispatch(&mut self, event: &str, data: &Value) {
        self.seq += 1;
        let data = self.as_seen(event, data);
        let frame = json!({"op": 0, "s": self.seq, "t": event, "d": data}).to_string();
        if self.replay.len() == REPLAY {
            self.replay.pop_front();
        }
        self.replay.push_back((self.seq, frame.clone()));
        self.send(Out::Frame(frame));
    }

    /// Without the message content intent, other people's words are blank, unless they mention the bot.
    fn as_seen(&self, event: &str, data: &Value) -> Value {
        let mut data = data.clone();
        let bot = crate::rehearsal::world::BOT_USER.to_string();
        let named = data["mentions"].as_array().is_some_and(|users| users.iter().any(|user| user["id"] == *bot));
        let foreign = event.starts_with("MESSAGE_") && data.get("author").is_some_and(|author| author["id"] != *bot);
        if foreign && !named && data.get("guild_id").is_some() && self.intents & intents::MESSAGE_CONTENT == 0 {
            data["content"] = json!("");
            for list in ["embeds", "attachments", "components"] {
                data[list] = json!([]);
            }
        }
        data
    }

    pub fn send(&self, out: Out) {
        if let Some((_, sender)) = &self.connection {
            // A closed connection misses it; the replay has it.
            let _ = sender.send(out);
        }
    }

    /// Puts the session on a new connection and sends what was missed after `seq`; false when that is not possible.
    pub fn resume(&mut self, seq: u64, connection: u64, out: UnboundedSender<Out>) -> bool {
        let missed = self.seq.checked_sub(seq);
        let kept = usize::try_from(missed.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        if kept > self.replay.len() {
            return false;
        }
        // After Invalid Session a client may resume on the connection that it has.
        if !self.held_by(connection) {
            self.send(Out::Drop);
        }
        self.connection = Some((connection, out));
        self.silent = false;
        for (_, frame) in self.replay.iter().filter(|(number, _)| *number > seq) {
            self.send(Out::Frame(frame.clone()));
        }
        self.dispatch("RESUMED", &json!({}));
        true
    }

    pub fn drop_connection(&mut self) {
        self.send(Out::Drop);
        self.connection = None;
    }

    pub fn invalidate(&mut self, resumable: bool) {
        self.send(Out::Invalid(resumable));
    }

    /// Opcode 7.
    pub fn ask_to_reconnect(&mut self) {
        self.send(Out::Frame(json!({"op": 7, "s": null, "t": null, "d": null}).to_string()));
    }

    pub fn close(&mut self, code: u16) {
        self.send(Out::Close(code, ON_PURPOSE));
        self.connection = None;
    }

    pub fn silence(&mut self) {
        self.send(Out::Silence);
        self.silent = true;
    }

    /// The connection has ended; the session may be resumed.
    pub fn disconnected(&mut self) {
        self.connection = None;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn resume_replays_what_was_missed_and_refuses_a_future_seq() {
        let (out, _first) = unbounded_channel();
        let mut session = Session::new("s".to_owned(), 0, 1, out);
        session.dispatch("A", &json!({}));
        session.drop_connection();
        session.dispatch("B", &json!({}));

        let (out, mut second) = unbounded_channel();
        assert!(session.resume(1, 2, out));
        let mut events = Vec::new();
        while let Ok(Out::Frame(frame)) = second.try_recv() {
            let frame: Value = serde_json::from_str(&frame).unwrap();
            events.push((frame["s"].as_u64().unwrap(), frame["t"].as_str().unwrap().to_owned()));
        }
        assert_eq!(events, [(2, "B".to_owned()), (3, "RESUMED".to_owned())]);
        assert!(!session.resume(9, 3, unbounded_channel().0));
    }
}
