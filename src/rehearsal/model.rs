//! What the rehearsal remembers, as plain structs. How Discord spells it in JSON is `render`'s business.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::clock::Timestamp;

#[derive(Debug, Clone)]
pub struct Person {
    pub id: u64,
    pub username: String,
    /// The name that others see.
    pub name: String,
    pub bot: bool,
    pub roles: Vec<u64>,
    pub joined: Timestamp,
}

#[derive(Debug, Clone)]
pub struct Role {
    pub id: u64,
    pub name: String,
    pub color: u32,
    pub position: u32,
    pub permissions: u64,
    pub mentionable: bool,
    pub managed: bool,
}

#[derive(Debug, Clone)]
pub struct Channel {
    pub id: u64,
    pub name: String,
    pub kind: ChannelKind,
    pub overwrites: Vec<Overwrite>,
    pub last_message: Option<u64>,
}

#[derive(Debug, Clone)]
pub enum ChannelKind {
    Text {
        topic: String,
    },
    Thread(Thread),
    /// The bot's direct messages with one person.
    Direct {
        with: u64,
    },
}

#[derive(Debug, Clone)]
pub struct Thread {
    pub parent: u64,
    pub owner: u64,
    pub private: bool,
    pub archived: bool,
    pub locked: bool,
    /// Minutes without a message after which the thread archives itself.
    pub auto_archive: i64,
    pub archive_changed: Timestamp,
    pub active: Timestamp,
    pub created: Timestamp,
    pub messages: u64,
}

/// What a role or a member may do in one channel, other than in the whole server.
#[derive(Debug, Clone)]
pub struct Overwrite {
    pub target: u64,
    pub allow: u64,
    pub deny: u64,
}

#[derive(Debug, Clone)]
pub struct Message {
    pub id: u64,
    pub channel: u64,
    pub author: u64,
    /// Discord's message type: 0 ordinary, 18 "made a thread", 19 reply, 20 answer to a command, 21 a thread's first.
    pub kind: u8,
    pub content: String,
    pub created: Timestamp,
    pub edited: Option<Timestamp>,
    pub embeds: Vec<Value>,
    pub components: Vec<Value>,
    pub attachments: Vec<Attachment>,
    pub flags: u64,
    pub nonce: Option<Value>,
    pub tts: bool,
    pub pinned: bool,
    pub mentions: Vec<u64>,
    pub mention_roles: Vec<u64>,
    pub mention_everyone: bool,
    pub reference: Option<Value>,
    /// The interaction that this message answers.
    pub answers: Option<u64>,
    /// Set on an ephemeral message: the one person that sees it.
    pub only_for: Option<u64>,
    pub thread: Option<u64>,
    /// When it was edited at more than an hour of age.
    pub late_edits: Vec<Timestamp>,
}

/// <https://discord.com/developers/docs/resources/message#message-object-message-flags>
pub const FLAG_SUPPRESS_EMBEDS: u64 = 1 << 2;
pub const FLAG_HAS_THREAD: u64 = 1 << 5;
pub const FLAG_EPHEMERAL: u64 = 1 << 6;
pub const FLAG_LOADING: u64 = 1 << 7;
pub const FLAG_SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;
pub const FLAG_COMPONENTS_V2: u64 = 1 << 15;

#[derive(Debug, Clone)]
pub struct Attachment {
    pub id: u64,
    pub filename: String,
    pub description: Option<String>,
    pub content_type: String,
    pub size: usize,
}

/// A file as it came in a multipart form or was handed over by the control API.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The n of `files[n]`.
    pub index: u64,
    pub filename: String,
    pub content_type: String,
    pub bytes: Bytes,
}

#[derive(Debug, Clone)]
pub struct Command {
    pub id: u64,
    /// `None` for a global command.
    pub guild: Option<u64>,
    pub version: u64,
    /// The body that registered it, in Discord's spelling.
    pub body: Map<String, Value>,
}

impl Command {
    pub fn name(&self) -> &str {
        self.body.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    /// 1 is a slash command.
    pub fn kind(&self) -> i64 {
        self.body.get("type").and_then(Value::as_i64).unwrap_or(1)
    }
}

/// <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-object-interaction-type>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InteractionKind {
    Command = 2,
    Component = 3,
    Autocomplete = 4,
    Modal = 5,
}

#[derive(Debug, Clone)]
pub struct Interaction {
    pub id: u64,
    pub token: String,
    pub kind: InteractionKind,
    pub person: u64,
    pub channel: u64,
    pub created: Timestamp,
    /// `/name` for people; what was pressed.
    pub about: String,
    /// The message whose component was used, or from which the submitted modal came.
    pub on_message: Option<u64>,
    /// The interaction that opened the form that this one submits.
    pub opened_by: Option<u64>,
    pub acknowledged: Option<Acknowledgement>,
    /// What `@original` names.
    pub original: Option<u64>,
    pub modal: Option<Modal>,
    pub choices: Option<Vec<Value>>,
}

#[derive(Debug, Clone, Copy)]
pub struct Acknowledgement {
    pub at: Timestamp,
    /// The callback's type.
    pub kind: i64,
}

/// A form that a person has open. It is named by the interaction that opened it.
#[derive(Debug, Clone)]
pub struct Modal {
    pub custom_id: String,
    pub title: String,
    pub components: Vec<Value>,
    pub submitted: bool,
}
