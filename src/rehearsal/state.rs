//! Everything that the rehearsal remembers, and the few ways in which it changes.
//!
//! The state is plain and synchronous: no method waits, so whatever a request does is done whole or not at all. Every
//! change that Discord would announce goes through [`State::dispatch`].

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast;

use super::{
    control::events::Change,
    error::ApiError,
    faults::Faults,
    form::{Field, Problems},
    gateway::session::{Session, intents},
    limits::Limits,
    log::Log,
    model::{Channel, ChannelKind, Command, Interaction, Message, Person, Role, Thread},
    permissions, render,
    scene::Scene,
    tools::ToolRun,
    world,
};
use crate::clock::{Clock, Timestamp, elapsed};

/// The first moment of a snowflake: <https://discord.com/developers/docs/reference#snowflakes>
const EPOCH_MS: i64 = 1_420_070_400_000;

/// How many changes a slow reader of the event stream may fall behind.
const CHANGES_KEPT: usize = 4096;

#[derive(Debug)]
pub struct State {
    pub clock: Clock,
    pub strict: bool,
    pub token: String,
    /// `http://127.0.0.1:PORT`
    pub url: String,
    pub started: Timestamp,
    pub roles: Vec<Role>,
    pub people: Vec<Person>,
    pub channels: Vec<Channel>,
    pub messages: BTreeMap<u64, Message>,
    pub files: HashMap<u64, (String, Bytes)>,
    pub commands: Vec<Command>,
    /// When commands were created, for the 200 a day.
    pub command_creates: VecDeque<Timestamp>,
    pub interactions: BTreeMap<u64, Interaction>,
    /// Deeds of clients that name them by a nonce, newest first, with the interactions that they made.
    pub deeds: VecDeque<(String, Option<u64>)>,
    pub sessions: Vec<Session>,
    /// When bots identified, for the 1000 a day.
    pub identifies: VecDeque<Timestamp>,
    pub faults: Faults,
    pub limits: Limits,
    pub log: Log,
    /// Unknown fields of the request at hand, on their way to its log entry.
    pub unknown_fields: Vec<String>,
    pub changes: broadcast::Sender<Change>,
    pub scene: Scene,
    /// The tool that runs, or the last one that did.
    pub tool: Option<ToolRun>,
    last_id: u64,
}

impl State {
    pub fn new(clock: Clock, strict: bool, token: String, url: String, limits: bool) -> Self {
        let started = clock.now();
        Self {
            clock,
            strict,
            token,
            url,
            started,
            roles: world::roles(),
            people: world::people(started),
            channels: world::channels(),
            messages: BTreeMap::new(),
            files: HashMap::new(),
            commands: Vec::new(),
            command_creates: VecDeque::new(),
            interactions: BTreeMap::new(),
            deeds: VecDeque::new(),
            sessions: Vec::new(),
            identifies: VecDeque::new(),
            faults: Faults::default(),
            limits: Limits::new(limits),
            log: Log::default(),
            unknown_fields: Vec::new(),
            changes: broadcast::channel(CHANGES_KEPT).0,
            scene: Scene::default(),
            tool: None,
            last_id: 0,
        }
    }

    pub fn with_scene(mut self, scene: Scene) -> Self {
        let bot = self.people.iter_mut().find(|person| person.id == world::BOT_USER);
        if let (Some(bot), Some(name)) = (bot, &scene.bot) {
            bot.name.clone_from(name);
            bot.username.clone_from(name);
        }
        self.scene = scene;
        self
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A snowflake of this moment, greater than any before it.
    pub fn next_id(&mut self) -> u64 {
        let since_epoch = u64::try_from(self.now().timestamp_millis() - EPOCH_MS).unwrap_or(0);
        self.last_id = (since_epoch << 22).max(self.last_id + 1);
        self.last_id
    }

    pub fn channel(&self, id: u64) -> Result<&Channel, ApiError> {
        self.channels.iter().find(|channel| channel.id == id).ok_or_else(ApiError::unknown_channel)
    }

    pub fn channel_mut(&mut self, id: u64) -> Result<&mut Channel, ApiError> {
        self.channels.iter_mut().find(|channel| channel.id == id).ok_or_else(ApiError::unknown_channel)
    }

    pub fn thread_mut(&mut self, id: u64) -> Option<&mut Thread> {
        match self.channel_mut(id).ok().map(|channel| &mut channel.kind) {
            Some(ChannelKind::Thread(thread)) => Some(thread),
            _ => None,
        }
    }

    pub fn person(&self, id: u64) -> Result<&Person, ApiError> {
        self.people.iter().find(|person| person.id == id).ok_or_else(ApiError::unknown_user)
    }

    /// The people that can be played: everybody but the bot and the owner, who never come in.
    pub fn cast(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| !person.bot && person.id != world::OWNER)
    }

    pub fn role(&self, id: u64) -> Result<&Role, ApiError> {
        self.roles.iter().find(|role| role.id == id).ok_or_else(ApiError::unknown_role)
    }

    /// What `person` may do in `channel`; nothing when either does not exist.
    pub fn permissions(&self, person: u64, channel: u64) -> u64 {
        match (self.person(person), self.channel(channel)) {
            (Ok(person), Ok(channel)) => permissions::in_channel(self, person, channel),
            _ => 0,
        }
    }

    /// Refuses the bot a channel that it cannot see (50001) or where it lacks `needed` (50013).
    pub fn bot_may(&self, channel: u64, needed: u64) -> Result<(), ApiError> {
        self.channel(channel)?;
        let held = self.permissions(world::BOT_USER, channel);
        if held & permissions::VIEW_CHANNEL == 0 {
            return Err(ApiError::missing_access());
        }
        if held & needed == needed { Ok(()) } else { Err(ApiError::missing_permissions()) }
    }

    /// Checks a body against a table. Unknown fields are noted for the log; the caller may add problems of its own.
    pub fn examine(&mut self, path: &str, body: &Value, fields: &[Field]) -> Problems {
        let mut problems = Problems::default();
        problems.object(path, body, fields);
        for unknown in &problems.unknown {
            tracing::warn!(field = unknown, "the rehearsal does not know a field of this request");
        }
        self.unknown_fields.extend(problems.unknown.iter().cloned());
        problems
    }

    pub fn check(&mut self, body: &Value, fields: &[Field]) -> Result<(), ApiError> {
        let strict = self.strict;
        self.examine("", body, fields).into_result(strict)
    }

    /// Tells every session that asked for this kind of event.
    pub fn dispatch(&mut self, event: &str, data: &Value, intent: u64) {
        let mut data = data.clone();
        self.faults.decorate(&mut data);
        for session in &mut self.sessions {
            if intent == intents::ALWAYS || session.intents & intent != 0 {
                if self.faults.unknown_fields {
                    session.dispatch("EVENT_OF_TOMORROW", &json!({"id": "1"}));
                }
                session.dispatch(event, &data);
            }
        }
    }

    /// Whether a bot holds a connection, though it may be dead.
    pub fn connected(&self) -> bool {
        self.sessions.iter().any(Session::connected)
    }

    /// Whether a bot would hear an event now.
    pub fn heard(&self) -> bool {
        self.sessions.iter().any(Session::heard)
    }

    /// Keeps a new message and tells about it.
    pub fn add_message(&mut self, message: Message) {
        let (id, channel) = (message.id, message.channel);
        let (now, counts) = (message.created, message.only_for.is_none());
        self.messages.insert(id, message);
        if counts {
            if let Ok(channel) = self.channel_mut(channel) {
                channel.last_message = Some(id);
            }
            if let Some(thread) = self.thread_mut(channel) {
                thread.messages += 1;
                thread.active = now;
            }
        }
        self.announce_message(id, "MESSAGE_CREATE", "create");
    }

    /// Puts the changed `message` in the old one's place and tells about it.
    pub fn replace_message(&mut self, message: Message) {
        let id = message.id;
        self.messages.insert(id, message);
        self.announce_message(id, "MESSAGE_UPDATE", "update");
    }

    pub fn remove_message(&mut self, id: u64) {
        let Some(message) = self.messages.remove(&id) else { return };
        let data = json!({
            "id": id.to_string(),
            "channel_id": message.channel.to_string(),
            "guild_id": self.guild_of(message.channel).map(|guild| guild.to_string()),
        });
        if message.only_for.is_none() {
            let intent = self.message_intent(message.channel);
            self.dispatch("MESSAGE_DELETE", &data, intent);
        }
        self.publish("delete", &message, data);
    }

    /// Takes a message away with its channel: only those who look at it are told.
    pub fn vanish(&mut self, id: u64) {
        if let Some(message) = self.messages.remove(&id) {
            let data = json!({"id": id.to_string(), "channel_id": message.channel.to_string()});
            self.publish("delete", &message, data);
        }
    }

    fn announce_message(&mut self, id: u64, event: &str, change: &'static str) {
        let Some(message) = self.messages.get(&id).cloned() else { return };
        let plain = render::message(self, &message);
        // Ephemeral messages do not travel over the gateway.
        if message.only_for.is_none() {
            let mut data = plain.clone();
            render::add_gateway_fields(self, &message, &mut data);
            let intent = self.message_intent(message.channel);
            self.dispatch(event, &data, intent);
        }
        self.publish(change, &message, plain);
    }

    fn publish(&self, change: &'static str, message: &Message, data: Value) {
        let change = Change { kind: change, channel: Some(message.channel), only_for: message.only_for, data };
        // Nobody listening is no error.
        let _ = self.changes.send(change);
    }

    fn message_intent(&self, channel: u64) -> u64 {
        match self.guild_of(channel) {
            Some(_) => intents::GUILD_MESSAGES,
            None => intents::DIRECT_MESSAGES,
        }
    }

    pub fn guild_of(&self, channel: u64) -> Option<u64> {
        match self.channel(channel).map(|channel| &channel.kind) {
            Ok(ChannelKind::Direct { .. }) => None,
            _ => Some(world::GUILD),
        }
    }

    /// Archives threads that have been silent for as long as they were told.
    pub fn archive_silent_threads(&mut self) {
        let now = self.now();
        let mut archived = Vec::new();
        for channel in &mut self.channels {
            let ChannelKind::Thread(thread) = &mut channel.kind else { continue };
            let silent = i64::try_from(elapsed(thread.active, now).as_secs() / 60).unwrap_or(i64::MAX);
            if !thread.archived && silent >= thread.auto_archive {
                thread.archived = true;
                thread.archive_changed = now;
                archived.push(channel.id);
            }
        }
        for id in archived {
            self.announce_channel(id, "THREAD_UPDATE");
        }
    }

    pub fn announce_channel(&mut self, id: u64, event: &str) {
        if let Ok(channel) = self.channel(id) {
            let data = render::channel(self, channel);
            self.dispatch(event, &data, intents::GUILDS);
        }
    }
}

/// The text of a field; empty when it is not there.
pub fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list; none when it is not there.
pub fn items<'a>(body: &'a Value, field: &str) -> &'a [Value] {
    body.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// An object as a map; empty when it is something else.
pub fn map(body: &Value) -> Map<String, Value> {
    body.as_object().cloned().unwrap_or_default()
}
