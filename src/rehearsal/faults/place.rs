//! Channels that go, and permissions that are taken.

use serde_json::json;

use super::form::Given;
use crate::rehearsal::{
    form::snowflake,
    gateway::session::intents,
    model::{ChannelKind, Overwrite},
    permissions, render,
    state::State,
    world,
};

fn find(state: &State, given: &Given) -> Result<u64, String> {
    let wanted = given.text("channel");
    let id = snowflake(&json!(wanted));
    let name = wanted.trim_start_matches('#');
    let found = state.channels.iter().find(|channel| Some(channel.id) == id || channel.name == name);
    found.map(|channel| channel.id).ok_or_else(|| format!("there is no channel \"{wanted}\""))
}

/// Takes a permission from the bot in one channel, or gives it back.
pub fn deny(state: &mut State, given: &Given) -> Result<(), String> {
    let id = find(state, given)?;
    let bit = permissions::NAMED.iter().find(|(name, _)| *name == given.text("permission")).map_or(0, |(_, bit)| *bit);
    if let Ok(channel) = state.channel_mut(id) {
        channel.overwrites.retain(|overwrite| overwrite.target != world::BOT_USER || overwrite.deny != bit);
        if given.on() {
            channel.overwrites.push(Overwrite { target: world::BOT_USER, allow: 0, deny: bit });
        }
    }
    state.announce_channel(id, "CHANNEL_UPDATE");
    Ok(())
}

pub fn denied(state: &State) -> bool {
    state.channels.iter().any(|channel| !channel.overwrites.is_empty())
}

/// Makes the bot an administrator, by the role that it got when it was invited; or takes it back.
pub fn administrator(state: &mut State, given: &Given) -> Result<(), String> {
    set_administrator(state, given.on());
    Ok(())
}

fn set_administrator(state: &mut State, on: bool) {
    for role in state.roles.iter_mut().filter(|role| role.id == world::ROLE_BOT) {
        role.permissions &= !permissions::ADMINISTRATOR;
        if on {
            role.permissions |= permissions::ADMINISTRATOR;
        }
    }
}

pub fn is_administrator(state: &State) -> bool {
    state.role(world::ROLE_BOT).is_ok_and(|role| role.permissions & permissions::ADMINISTRATOR != 0)
}

/// Deletes a channel with everything in it, its threads too.
pub fn delete_channel(state: &mut State, given: &Given) -> Result<(), String> {
    let id = find(state, given)?;
    let inside = |kind: &ChannelKind| matches!(kind, ChannelKind::Thread(thread) if thread.parent == id);
    let gone: Vec<u64> =
        state.channels.iter().filter(|channel| channel.id == id || inside(&channel.kind)).map(|one| one.id).collect();
    let messages: Vec<u64> =
        state.messages.values().filter(|message| gone.contains(&message.channel)).map(|message| message.id).collect();
    for message in messages {
        state.vanish(message);
    }
    let Ok(channel) = state.channel(id) else { return Ok(()) };
    let is_thread = matches!(channel.kind, ChannelKind::Thread(_));
    let data = render::channel(state, channel);
    state.channels.retain(|channel| !gone.contains(&channel.id));
    state.dispatch(if is_thread { "THREAD_DELETE" } else { "CHANNEL_DELETE" }, &data, intents::GUILDS);
    Ok(())
}

/// Whether a channel is missing that the server began with.
pub fn deleted(state: &State) -> bool {
    world::channels().iter().any(|channel| state.channel(channel.id).is_err())
}

/// Gives back what was taken: permissions, and, empty, the channels of the beginning.
pub fn mend(state: &mut State) {
    set_administrator(state, false);
    for channel in &mut state.channels {
        channel.overwrites.clear();
    }
    for channel in world::channels() {
        let id = channel.id;
        if state.channel(id).is_err() {
            state.channels.push(channel);
            state.channels.sort_by_key(|channel| channel.id);
            state.announce_channel(id, "CHANNEL_CREATE");
        } else {
            state.announce_channel(id, "CHANNEL_UPDATE");
        }
    }
}
