//! The one server that the rehearsal plays: who is in it, which channels it has, and every id that is fixed.
//!
//! The ids never change, so a settings file can name them. They are older than any id that a clock makes after them.

use super::{
    model::{Channel, ChannelKind, Person, Role},
    permissions as may,
};
use crate::clock::Timestamp;

/// What a bot logs in with, unless the settings say otherwise.
pub const TOKEN: &str = "rehearsal-token";

pub const GUILD: u64 = 100_000_000_000_000_001;
/// Not the bot's user id, as with applications of before 2016: a bot that mixes the two up finds out here.
pub const APPLICATION: u64 = 100_000_000_000_000_002;
pub const BOT_USER: u64 = 100_000_000_000_000_003;
/// Who made the server. Nobody's to play: the owner may do everything, which would hide a missing permission.
pub const OWNER: u64 = 100_000_000_000_000_004;

pub const INCIDENTS: u64 = 200_000_000_000_000_001;
pub const OPS: u64 = 200_000_000_000_000_002;

/// `@everyone` has the id of its server.
pub const ROLE_EVERYONE: u64 = GUILD;
pub const ROLE_OPERATOR: u64 = 300_000_000_000_000_001;
pub const ROLE_DBA: u64 = 300_000_000_000_000_002;
pub const ROLE_LEAD: u64 = 300_000_000_000_000_003;
/// The role that Discord makes for a bot when it joins.
pub const ROLE_BOT: u64 = 300_000_000_000_000_004;

/// An operator.
pub const DANA: u64 = 400_000_000_000_000_001;
/// A dba.
pub const OMAR: u64 = 400_000_000_000_000_002;
/// The lead.
pub const LENA: u64 = 400_000_000_000_000_003;
/// Has no role.
pub const GIL: u64 = 400_000_000_000_000_004;

const EVERYONE_MAY: u64 = may::VIEW_CHANNEL
    | may::SEND_MESSAGES
    | may::SEND_MESSAGES_IN_THREADS
    | may::READ_MESSAGE_HISTORY
    | may::ADD_REACTIONS
    | may::USE_APPLICATION_COMMANDS;

/// What a bot of this kind asks for when it is invited: no Administrator, no Manage Roles, no Mention Everyone.
const BOT_MAY: u64 = may::EMBED_LINKS
    | may::ATTACH_FILES
    | may::CREATE_PUBLIC_THREADS
    | may::MANAGE_THREADS
    | may::MANAGE_MESSAGES
    | may::PIN_MESSAGES;

pub fn roles() -> Vec<Role> {
    let role = |id, name: &str, color, position, permissions| Role {
        id,
        name: name.to_owned(),
        color,
        position,
        permissions,
        mentionable: id != ROLE_EVERYONE && id != ROLE_BOT,
        managed: id == ROLE_BOT,
    };
    vec![
        role(ROLE_EVERYONE, "@everyone", 0, 0, EVERYONE_MAY),
        role(ROLE_OPERATOR, "operator", 0x3498db, 1, 0),
        role(ROLE_DBA, "dba", 0x9b59b6, 2, 0),
        role(ROLE_LEAD, "lead", 0xe67e22, 3, 0),
        role(ROLE_BOT, "bot", 0, 4, BOT_MAY),
    ]
}

pub fn people(joined: Timestamp) -> Vec<Person> {
    let person = |id, name: &str, roles: &[u64]| Person {
        id,
        username: name.to_lowercase(),
        name: name.to_owned(),
        bot: id == BOT_USER,
        roles: roles.to_vec(),
        joined,
    };
    vec![
        person(OWNER, "Owner", &[]),
        person(BOT_USER, "Bot", &[ROLE_BOT]),
        person(DANA, "Dana", &[ROLE_OPERATOR]),
        person(OMAR, "Omar", &[ROLE_DBA]),
        person(LENA, "Lena", &[ROLE_LEAD]),
        person(GIL, "Gil", &[]),
    ]
}

pub fn channels() -> Vec<Channel> {
    let channel = |id, name: &str, topic: &str| Channel {
        id,
        name: name.to_owned(),
        kind: ChannelKind::Text { topic: topic.to_owned() },
        overwrites: Vec::new(),
        last_message: None,
    };
    vec![channel(INCIDENTS, "incidents", "Where incidents are worked on"), channel(OPS, "ops", "Everyday operations")]
}
