//! Requests that are answered wrongly, or not at all.

use serde_json::{Value, json};

use super::{Left, form::Given};

/// The next requests to a path go wrong.
#[derive(Debug, Clone)]
pub struct RestFault {
    /// `None`: any.
    pub method: Option<String>,
    /// A path below `/api/v10` in which `*` stands for anything.
    pub path: String,
    pub left: Left,
    pub how: How,
}

#[derive(Debug, Clone, PartialEq)]
pub enum How {
    /// Discord's JSON error. With `after` the request is carried out first.
    Status { status: u16, code: u32, after: bool },
    /// 429; without `retry_after` it does not say for how long.
    RateLimit { retry_after: Option<f64>, global: bool },
    /// The page of the proxy before Discord, which is no JSON.
    Html { status: u16 },
    /// The request is carried out, and the connection ends without an answer.
    LostAnswer,
}

impl RestFault {
    pub fn new(given: &Given, how: How) -> Self {
        let method = given.text("method");
        Self {
            method: (!method.is_empty() && method != "any").then(|| method.to_owned()),
            path: given.text("path").to_owned(),
            left: Left::times(given.whole("times")),
            how,
        }
    }

    pub fn matches(&self, method: &str, path: &str) -> bool {
        self.left.some() && self.method.as_deref().is_none_or(|wanted| wanted == method) && glob(&self.path, path)
    }

    pub fn to_json(&self) -> Value {
        let mut shown = json!({"method": self.method, "path": self.path, "left": self.left.to_json()});
        match &self.how {
            How::Status { status, code, after } => {
                shown["status"] = json!(status);
                shown["code"] = json!(code);
                shown["after"] = json!(after);
            }
            How::RateLimit { retry_after, global } => {
                shown["status"] = json!(429);
                shown["retry_after"] = json!(retry_after);
                shown["global"] = json!(global);
            }
            How::Html { status } => {
                shown["status"] = json!(status);
                shown["html"] = json!(true);
            }
            How::LostAnswer => shown["lost"] = json!(true),
        }
        shown
    }
}

/// Whether `path` is what `pattern` says, where `*` stands for any text.
pub fn glob(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, rest)) => path.strip_prefix(start).is_some_and(|path| {
            (0..=path.len()).filter(|cut| path.is_char_boundary(*cut)).any(|cut| glob(rest, &path[cut..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_pattern_covers_ids() {
        assert!(glob("/channels/*/messages", "/channels/7/messages"));
        assert!(!glob("/channels/*/messages", "/channels/7/messages/8"));
        assert!(glob("/channels/*/messages/*", "/channels/7/messages/8"));
        assert!(glob("*", "/anything"));
    }
}
