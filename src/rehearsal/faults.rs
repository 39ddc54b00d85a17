//! What is broken on purpose.
//!
//! A fault is a field that the code on the way reads; nothing here acts by itself. `set` is the one place that knows
//! their names, for the control API.

use serde_json::{Value, json};

use super::{
    form::snowflake,
    model::Overwrite,
    permissions,
    state::{State, text},
    world,
};

#[derive(Debug, Default)]
pub struct Faults {
    pub rest_status: Vec<RestStatus>,
    /// Every REST request waits so long before it is looked at.
    pub slow_ms: u64,
    pub duplicate_interactions: bool,
    pub refuse_resume: bool,
}

/// The next requests to a path are answered with an error.
#[derive(Debug, Clone)]
pub struct RestStatus {
    /// `None`: any.
    pub method: Option<String>,
    /// A path below `/api/v10` in which `*` stands for anything.
    pub path: String,
    pub status: u16,
    pub left: u64,
    /// The request is carried out, and only its answer is lost.
    pub after: bool,
}

const KINDS: &str = "clear, deny, drop_gateway, duplicate_interactions, refuse_resume, rest_status, slow_ms";

impl Faults {
    /// Takes one from the first fault that matches.
    pub fn rest(&mut self, method: &str, path: &str) -> Option<RestStatus> {
        let matches = |fault: &&mut RestStatus| {
            fault.left > 0 && fault.method.as_deref().is_none_or(|wanted| wanted == method) && glob(&fault.path, path)
        };
        let fault = self.rest_status.iter_mut().find(matches)?;
        fault.left -= 1;
        Some(fault.clone())
    }

    pub fn to_json(&self) -> Value {
        let rest = self.rest_status.iter().filter(|fault| fault.left > 0).map(|fault| {
            json!({
                "method": fault.method, "path": fault.path, "status": fault.status,
                "left": fault.left, "after": fault.after,
            })
        });
        json!({
            "rest_status": rest.collect::<Vec<_>>(),
            "slow_ms": self.slow_ms,
            "duplicate_interactions": self.duplicate_interactions,
            "refuse_resume": self.refuse_resume,
        })
    }
}

/// Does what `POST fault` asks; the error is for people.
pub fn set(state: &mut State, body: &Value) -> Result<(), String> {
    let on = body.get("on").and_then(Value::as_bool).unwrap_or(true);
    match text(body, "kind") {
        "clear" => {
            state.faults = Faults::default();
            state.channels.iter_mut().for_each(|channel| channel.overwrites.clear());
        }
        "deny" => return deny(state, body),
        "drop_gateway" => state.sessions.iter_mut().for_each(|session| session.drop_connection()),
        "duplicate_interactions" => state.faults.duplicate_interactions = on,
        "refuse_resume" => state.faults.refuse_resume = on,
        "rest_status" => state.faults.rest_status.push(rest_status(body)?),
        "slow_ms" => {
            let ms = body.get("ms").and_then(Value::as_u64);
            state.faults.slow_ms = ms.ok_or("slow_ms needs \"ms\", a number of milliseconds; 0 ends it")?;
        }
        "" => return Err(format!("say \"kind\": one of {KINDS}")),
        other => return Err(format!("there is no fault \"{other}\"; there are {KINDS}")),
    }
    Ok(())
}

fn rest_status(body: &Value) -> Result<RestStatus, String> {
    let status = body.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let status = status.filter(|status| (400..=599).contains(status));
    let path = text(body, "path");
    if path.is_empty() {
        return Err(
            "rest_status needs \"path\", below /api/v10; * stands for anything: \"/channels/*/messages\"".to_owned()
        );
    }
    Ok(RestStatus {
        method: body.get("method").and_then(Value::as_str).map(str::to_uppercase),
        path: path.to_owned(),
        status: status.ok_or("rest_status needs \"status\", from 400 to 599")?,
        left: body.get("times").and_then(Value::as_u64).unwrap_or(1),
        after: body.get("after").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// Takes a permission from the bot in one channel.
fn deny(state: &mut State, body: &Value) -> Result<(), String> {
    let names = permissions::NAMED.map(|(name, _)| name).join(", ");
    let wanted = text(body, "permission");
    let bit = permissions::NAMED.iter().find(|(name, _)| *name == wanted);
    let (_, bit) = bit.ok_or(format!("deny needs \"permission\", one of {names}"))?;
    let id = body.get("channel").and_then(snowflake);
    let name = text(body, "channel").trim_start_matches('#');
    let channel = state.channels.iter_mut().find(|channel| Some(channel.id) == id || channel.name == name);
    let channel = channel.ok_or("deny needs \"channel\", a name or an id")?;
    channel.overwrites.push(Overwrite { target: world::BOT_USER, allow: 0, deny: *bit });
    let id = channel.id;
    state.announce_channel(id, "CHANNEL_UPDATE");
    Ok(())
}

/// Whether `path` is what `pattern` says, where `*` stands for any text.
fn glob(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, rest)) => path.strip_prefix(start).is_some_and(|path| {
            (0..=path.len()).filter(|cut| path.is_char_boundary(*cut)).any(|cut| glob(rest, &path[cut..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_ids() {
        assert!(glob("/channels/*/messages", "/channels/7/messages"));
        assert!(!glob("/channels/*/messages", "/channels/7/messages/8"));
        assert!(glob("/channels/*/messages/*", "/channels/7/messages/8"));
        assert!(glob("*", "/anything"));
    }

    #[test]
    fn a_rest_fault_is_used_up() {
        let fault = json!({"kind": "rest_status", "path": "/users/*", "status": 503, "times": 2, "method": "get"});
        let mut faults = Faults { rest_status: vec![rest_status(&fault).unwrap()], ..Faults::default() };
        assert!(faults.rest("POST", "/users/@me").is_none());
        assert_eq!(faults.rest("GET", "/users/@me").unwrap().status, 503);
        assert!(faults.rest("GET", "/users/1").is_some());
        assert!(faults.rest("GET", "/users/1").is_none());
    }
}
