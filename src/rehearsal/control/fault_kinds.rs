//! What can be broken, described for the page, which draws its panel from this alone.

use serde_json::{Value, json};

use crate::rehearsal::{permissions, state::State};

pub fn all(state: &State) -> Value {
    let on = |name: &str| json!([{"name": name, "type": "boolean", "default": true, "help": "", "required": false}]);
    let permissions: Vec<&str> = permissions::NAMED.iter().map(|(name, _)| *name).collect();
    let denied = state.channels.iter().any(|channel| !channel.overwrites.is_empty());
    json!([
        {"kind": "drop_gateway", "name": "Drop the connection", "fields": [], "active": false,
         "description": "Every gateway connection ends without a close frame. The session can be resumed."},
        {"kind": "refuse_resume", "name": "Refuse to resume", "fields": on("on"), "active": state.faults.refuse_resume,
         "description": "Whoever resumes is told that the session is invalid."},
        {"kind": "rest_status", "name": "Answer with an error", "active": state.faults.rest_status.iter().any(|fault| fault.left > 0),
         "description": "The next requests to a path get this status.",
         "fields": [
            {"name": "path", "type": "text", "default": "/channels/*/messages", "required": true, "help": "Below /api/v10; * stands for anything"},
            {"name": "status", "type": "number", "default": 500, "required": true, "help": "400 to 599"},
            {"name": "times", "type": "number", "default": 1, "required": false, "help": "How many requests"},
            {"name": "method", "type": "choice", "choices": ["GET", "POST", "PATCH", "PUT", "DELETE"], "required": false, "help": "Any when left out"},
            {"name": "after", "type": "boolean", "default": false, "required": false, "help": "Carry the request out; only its answer is lost"},
         ]},
        {"kind": "slow_ms", "name": "Answer slowly", "active": state.faults.slow_ms > 0,
         "description": "Every REST request waits so long before it is looked at.",
         "fields": [{"name": "ms", "type": "number", "default": 2000, "required": true, "help": "Milliseconds; 0 ends it"}]},
        {"kind": "duplicate_interactions", "name": "Deliver twice", "fields": on("on"), "active": state.faults.duplicate_interactions,
         "description": "Every interaction is delivered twice, with one id."},
        {"kind": "deny", "name": "Take a permission away", "active": denied,
         "description": "The bot loses a permission in one channel.",
         "fields": [
            {"name": "channel", "type": "channel", "required": true, "help": ""},
            {"name": "permission", "type": "choice", "choices": permissions, "default": "send", "required": true, "help": ""},
         ]},
    ])
}
