//! The record of what was asked, one JSON line each: tests read from it what a bot really did.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::Mutex,
};

use drbot::clock::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::desk::lock;

const KEPT: usize = 10_000;

pub struct Ledger {
    clock: Clock,
    file: Option<Mutex<File>>,
    /// The newest entries since the start.
    entries: Mutex<Vec<Value>>,
}

impl Ledger {
    pub fn open(clock: Clock, folder: Option<&Path>) -> std::io::Result<Self> {
        let file = match folder {
            Some(folder) => {
                Some(Mutex::new(OpenOptions::new().create(true).append(true).open(folder.join("requests.jsonl"))?))
            }
            None => None,
        };
        Ok(Self { clock, file, entries: Mutex::default() })
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn started(&self, version: &str) {
        self.note(json!({"at": self.now(), "event": "started", "version": version}));
    }

    pub fn note(&self, entry: Value) {
        if let Some(file) = &self.file {
            let line = format!("{entry}\n");
            if let Err(error) = lock(file).write_all(line.as_bytes()) {
                tracing::error!("the ledger could not be written: {error}");
            }
        }
        let mut entries = lock(&self.entries);
        if entries.len() == KEPT {
            entries.remove(0);
        }
        entries.push(entry);
    }

    pub fn entries(&self) -> Vec<Value> {
        lock(&self.entries).clone()
    }
}

/// A request that is being answered. Noted when dropped: also when the caller hung up first, with no status then.
pub struct Noted<'a> {
    pub ledger: &'a Ledger,
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    pub authorised: Option<bool>,
    pub body: Option<Value>,
    pub status: Option<u16>,
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        let mut entry = json!({
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "authorised": self.authorised,
        });
        if let Some(body) = self.body.take() {
            entry["body"] = body;
        }
        self.ledger.note(entry);
    }
}
