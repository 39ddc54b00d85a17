//! What a person means: people, channels, messages and buttons by name or id, with errors that say what there is.

use serde_json::{Value, json};

use super::Mistake;
use crate::rehearsal::{
    form::snowflake,
    model::{Channel, ChannelKind, Message},
    permissions,
    state::{State, items, text},
};

/// One of the people that can be played, by name or id.
pub fn person(state: &State, wanted: &Value) -> Result<u64, Mistake> {
    let id = snowflake(wanted);
    let name = wanted.as_str().unwrap_or_default();
    let found = state.cast().find(|person| Some(person.id) == id || person.name.eq_ignore_ascii_case(name));
    found.map(|person| person.id).ok_or_else(|| {
        let names: Vec<&str> = state.cast().map(|person| person.name.as_str()).collect();
        Mistake::unknown(format!("there is no person {wanted}; there are {}", names.join(", ")))
    })
}

/// A channel or thread by name, `#name` or id.
pub fn channel<'a>(state: &'a State, wanted: &Value) -> Result<&'a Channel, Mistake> {
    let id = snowflake(wanted);
    let name = wanted.as_str().unwrap_or_default().trim_start_matches('#');
    let named = |channel: &&Channel| Some(channel.id) == id || channel.name == name;
    let thread = |channel: &&Channel| matches!(channel.kind, ChannelKind::Thread(_));
    // A thread does not hide the channel whose name it has; of several threads of one name, the newest.
    let found = state.channels.iter().find(|channel| named(channel) && !thread(channel));
    found.or_else(|| state.channels.iter().rev().find(named)).ok_or_else(|| {
        let names: Vec<String> = state.channels.iter().map(|channel| format!("#{}", channel.name)).collect();
        Mistake::unknown(format!("there is no channel {wanted}; there are {}", names.join(", ")))
    })
}

/// A channel that `person` sees.
pub fn channel_for(state: &State, person: u64, wanted: &Value) -> Result<u64, Mistake> {
    let found = channel(state, wanted)?;
    if state.permissions(person, found.id) & permissions::VIEW_CHANNEL == 0 {
        return Err(Mistake::refused(format!("this person does not see #{}", found.name)));
    }
    Ok(found.id)
}

pub fn visible(message: &Message, person: Option<u64>) -> bool {
    message.only_for.is_none() || message.only_for == person
}

/// A message that `person` sees: an id, or `latest`, the newest one with something to press.
pub fn message<'a>(state: &'a State, person: u64, body: &Value) -> Result<&'a Message, Mistake> {
    let channel = match body.get("channel") {
        Some(wanted) => Some(channel_for(state, person, wanted)?),
        None => None,
    };
    let mut seen = state.messages.values().rev().filter(|message| {
        visible(message, Some(person))
            && channel.is_none_or(|channel| message.channel == channel)
            && state.permissions(person, message.channel) & permissions::VIEW_CHANNEL != 0
    });
    let wanted = body.get("message").cloned().unwrap_or_else(|| json!("latest"));
    let found = match snowflake(&wanted) {
        Some(id) => seen.find(|message| message.id == id),
        None if wanted == "latest" => seen.find(|message| !message.components.is_empty()),
        None => return Err(Mistake::wrong("\"message\" is an id or \"latest\"")),
    };
    found.ok_or_else(|| Mistake::unknown(format!("this person sees no message {wanted} with buttons")))
}

/// The button or select that a body names by `label` or `custom_id`.
pub fn component<'a>(message: &'a Message, body: &Value) -> Result<&'a Value, Mistake> {
    let all = || message.components.iter().flat_map(|row| items(row, "components"));
    let (label, custom_id) = (text(body, "label"), text(body, "custom_id"));
    if label.is_empty() && custom_id.is_empty() {
        return Err(Mistake::wrong("say which: \"label\" or \"custom_id\""));
    }
    let named = |component: &&Value| match custom_id {
        "" => text(component, "label") == label || text(component, "placeholder") == label,
        id => text(component, "custom_id") == id,
    };
    let found = all().find(named).ok_or_else(|| {
        let there = all().map(|component| {
            let name = [text(component, "label"), text(component, "placeholder"), text(component, "custom_id")];
            name.into_iter().find(|name| !name.is_empty()).unwrap_or("a nameless one").to_owned()
        });
        let there = there.collect::<Vec<_>>().join(", ");
        let wanted = if custom_id.is_empty() { label } else { custom_id };
        Mistake::unknown(format!("\"{wanted}\" is not on message {}; there is: {there}", message.id))
    })?;
    if found["disabled"] == true {
        return Err(Mistake::refused(format!("\"{}\" is disabled", text(found, "label"))));
    }
    if found["style"] == 5 {
        return Err(Mistake::refused("a link button opens a page; the bot does not hear of it"));
    }
    Ok(found)
}
