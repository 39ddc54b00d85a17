//! What the bot asked of the server, for tests and for people who wonder what it did.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

const KEPT: usize = 10_000;

/// One REST request. The bot's token is not in it.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// RFC 3339.
    pub time: String,
    pub method: String,
    /// Below `/api/v10`, with its query.
    pub path: String,
    pub status: u16,
    /// Discord's error code; 0 when there is none.
    pub code: u32,
    /// From the arrival of the request to its answer, with what faults added.
    pub ms: f64,
    pub body: Value,
    /// Names of the files of a multipart form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Fields and routes that the rehearsal does not know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Log {
    pub entries: VecDeque<Entry>,
}

impl Log {
    pub fn add(&mut self, entry: Entry) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }
}
