//! What is broken on purpose.
//!
//! A fault is a field that the code on the way reads; few act by themselves. `catalogue` is the one table of them: it
//! names each, checks what is asked, and describes itself to the page.

mod catalogue;
mod form;
mod gateway;
mod place;
mod rest;

use serde_json::{Value, json};

pub use self::rest::{How, RestFault};
use super::state::{State, text};

#[derive(Debug, Default)]
pub struct Faults {
    pub rest: Vec<RestFault>,
    /// Every REST request waits so long before it is looked at.
    pub slow_ms: u64,
    pub duplicate_interactions: bool,
    /// `INTERACTION_CREATE` comes without a field that client libraries insist on.
    pub unreadable_interactions: Left,
    pub unknown_fields: bool,
    pub refuse_resume: bool,
    /// IDENTIFY and RESUME are answered with this close code.
    pub close_at_login: Option<u16>,
    pub hang_upgrade: Left,
    pub ignore_heartbeats: bool,
    /// Connections made from now on never say a word.
    pub silent_connections: bool,
    /// `GET /gateway` and `GET /gateway/bot` fail.
    pub no_gateway_address: bool,
    /// What the token of an interaction is answered with after its acknowledgement.
    pub old_tokens: Option<u32>,
    /// Messages up to this one count as older than an hour, and as edited too often.
    pub old_messages: Option<u64>,
}

/// How often a fault will still happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Left {
    #[default]
    None,
    Times(u64),
    UntilCleared,
}

impl Left {
    /// 0 is until it is cleared.
    pub fn times(times: u64) -> Self {
        if times == 0 { Self::UntilCleared } else { Self::Times(times) }
    }

    pub fn some(self) -> bool {
        self != Self::None
    }

    /// Uses one up; false when there is none.
    pub fn take(&mut self) -> bool {
        let was = *self;
        if let Self::Times(times) = was {
            *self = if times > 1 { Self::Times(times - 1) } else { Self::None };
        }
        was.some()
    }

    pub fn to_json(self) -> Value {
        match self {
            Self::None => json!(0),
            Self::Times(times) => json!(times),
            Self::UntilCleared => json!("until cleared"),
        }
    }
}

impl Faults {
    /// Takes one from the first fault that matches.
    pub fn rest(&mut self, method: &str, path: &str) -> Option<How> {
        let fault = self.rest.iter_mut().find(|fault| fault.matches(method, path))?;
        fault.left.take();
        Some(fault.how.clone())
    }

    pub fn to_json(&self) -> Value {
        let rest = self.rest.iter().filter(|fault| fault.left.some()).map(RestFault::to_json);
        json!({
            "rest": rest.collect::<Vec<_>>(),
            "slow_ms": self.slow_ms,
            "duplicate_interactions": self.duplicate_interactions,
            "unreadable_interactions": self.unreadable_interactions.to_json(),
            "unknown_fields": self.unknown_fields,
            "refuse_resume": self.refuse_resume,
            "close_at_login": self.close_at_login,
            "hang_upgrade": self.hang_upgrade.to_json(),
            "ignore_heartbeats": self.ignore_heartbeats,
            "silent_connections": self.silent_connections,
            "no_gateway_address": self.no_gateway_address,
            "old_tokens": self.old_tokens,
            "old_messages": self.old_messages.map(|id| id.to_string()),
        })
    }

    /// What Discord might add to an event one day.
    pub fn decorate(&self, data: &mut Value) {
        if let (true, Some(fields)) = (self.unknown_fields, data.as_object_mut()) {
            fields.insert("field_of_tomorrow".to_owned(), json!({"nested": [1, "two", null]}));
            for inner in ["member", "user", "author", "data", "message"] {
                if let Some(inner) = fields.get_mut(inner).and_then(Value::as_object_mut) {
                    inner.insert("field_of_tomorrow".to_owned(), json!(true));
                }
            }
        }
    }
}

/// Every kind of fault, for the page.
pub fn kinds(state: &State) -> Value {
    catalogue::KINDS.iter().map(|kind| kind.to_json(state)).collect()
}

/// Does what `POST fault` asks; the error is for people.
pub fn set(state: &mut State, body: &Value) -> Result<(), String> {
    let names = || catalogue::KINDS.iter().map(|kind| kind.kind).collect::<Vec<_>>().join(", ");
    let wanted = text(body, "kind");
    if wanted.is_empty() {
        return Err(format!("say \"kind\": one of {}", names()));
    }
    let kind = catalogue::KINDS.iter().find(|kind| kind.kind == wanted);
    let kind = kind.ok_or_else(|| format!("there is no fault \"{wanted}\"; there are {}", names()))?;
    let given = kind.read(body)?;
    (kind.set)(state, &given)
}

/// For tests: the kinds with the names of their fields.
#[cfg(test)]
pub fn described() -> serde_json::Map<String, Value> {
    let fields = |kind: &form::Kind| kind.fields.iter().map(|field| json!(field.name)).collect::<Value>();
    catalogue::KINDS.iter().map(|kind| (kind.kind.to_owned(), fields(kind))).collect()
}

#[cfg(test)]
mod tests;
