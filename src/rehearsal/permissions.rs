//! What a member may do in a channel: the bits, and how roles and overwrites add up.
//!
//! <https://discord.com/developers/docs/topics/permissions>

use super::{
    model::{Channel, ChannelKind, Overwrite, Person},
    state::State,
    world,
};

pub const MANAGE_CHANNELS: u64 = 1 << 4;
pub const ADD_REACTIONS: u64 = 1 << 6;
pub const ADMINISTRATOR: u64 = 1 << 3;
pub const VIEW_CHANNEL: u64 = 1 << 10;
pub const SEND_MESSAGES: u64 = 1 << 11;
pub const MANAGE_MESSAGES: u64 = 1 << 13;
pub const EMBED_LINKS: u64 = 1 << 14;
pub const ATTACH_FILES: u64 = 1 << 15;
pub const READ_MESSAGE_HISTORY: u64 = 1 << 16;
pub const MENTION_EVERYONE: u64 = 1 << 17;
pub const MANAGE_ROLES: u64 = 1 << 28;
pub const USE_APPLICATION_COMMANDS: u64 = 1 << 31;
pub const MANAGE_THREADS: u64 = 1 << 34;
pub const CREATE_PUBLIC_THREADS: u64 = 1 << 35;
pub const CREATE_PRIVATE_THREADS: u64 = 1 << 36;
pub const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;
pub const PIN_MESSAGES: u64 = 1 << 51;

/// Every bit that Discord has given a meaning.
pub const ALL: u64 = (1 << 53) - 1;

/// The permissions that faults can take away, under the names that people see in Discord.
pub const NAMED: [(&str, u64); 8] = [
    ("view", VIEW_CHANNEL),
    ("send", SEND_MESSAGES),
    ("send_in_threads", SEND_MESSAGES_IN_THREADS),
    ("embed", EMBED_LINKS),
    ("attach", ATTACH_FILES),
    ("history", READ_MESSAGE_HISTORY),
    ("threads", CREATE_PUBLIC_THREADS),
    ("manage_threads", MANAGE_THREADS),
];

/// What `person` may do in the whole server.
pub fn in_server(state: &State, person: &Person) -> u64 {
    if person.id == world::OWNER {
        return ALL;
    }
    let held = state.roles.iter().filter(|role| role.id == world::ROLE_EVERYONE || person.roles.contains(&role.id));
    let bits = held.fold(0, |bits, role| bits | role.permissions);
    if bits & ADMINISTRATOR != 0 { ALL } else { bits }
}

/// What `person` may do in `channel`. A thread follows its channel; a direct message belongs to its two people.
pub fn in_channel(state: &State, person: &Person, channel: &Channel) -> u64 {
    match &channel.kind {
        ChannelKind::Direct { with } => {
            if person.id == *with || person.bot {
                ALL & !MANAGE_CHANNELS
            } else {
                0
            }
        }
        ChannelKind::Thread(thread) => match state.channel(thread.parent) {
            Ok(parent) => in_channel(state, person, parent),
            Err(_) => 0,
        },
        ChannelKind::Text { .. } => {
            let bits = in_server(state, person);
            if bits & ADMINISTRATOR != 0 { bits } else { overwritten(bits, person, &channel.overwrites) }
        }
    }
}

/// `@everyone` first, then all roles together, then the member: Discord's order.
fn overwritten(mut bits: u64, person: &Person, overwrites: &[Overwrite]) -> u64 {
    let mut apply = |chosen: &dyn Fn(u64) -> bool| {
        let (mut allow, mut deny) = (0, 0);
        for overwrite in overwrites.iter().filter(|overwrite| chosen(overwrite.target)) {
            allow |= overwrite.allow;
            deny |= overwrite.deny;
        }
        bits = (bits & !deny) | allow;
    };
    apply(&|target| target == world::ROLE_EVERYONE);
    apply(&|target| person.roles.contains(&target));
    apply(&|target| target == person.id);
    if bits & VIEW_CHANNEL == 0 { 0 } else { bits }
}
