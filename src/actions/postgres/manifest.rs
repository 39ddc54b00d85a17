//! What the maker of a backup says of it, in a file beside it, and whether that can be true.
//!
//! A manifest is a claim. What must stay true: nothing that it says is believed where the file itself tells otherwise,
//! and a claim that cannot be true (a time to come, fewer than no rows) makes the backup none that is taken unasked.

use std::{collections::BTreeMap, io::Read, path::Path};

use serde::{Deserialize, Serialize};

use super::{look, look::Format, scan::Scan};
use crate::{clock::Timestamp, config::settings::PostgresTarget};

/// A manifest larger than this is none.
const LONGEST: u64 = 1 << 20;
/// Clocks of different machines may differ by this many seconds.
const SKEW: i64 = 300;
/// As much as is shown of a text that somebody else wrote.
const SHOWN: usize = 80;

/// Written last, beside the backup (`FILE.manifest.json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub file: String,
    pub format: String,
    pub database: String,
    pub size: u64,
    pub sha256: String,
    pub created_at: Timestamp,
    #[serde(default)]
    pub server_version: String,
    #[serde(default)]
    pub tables: BTreeMap<String, i64>,
    #[serde(default)]
    pub newest: Option<Newest>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Newest {
    pub table: String,
    pub column: String,
    pub at: Option<Timestamp>,
}

impl Manifest {
    /// The time of its newest record, by the table and column that the target goes by.
    pub fn newest_at(&self, target: &PostgresTarget) -> Option<Timestamp> {
        let newest = self.newest.as_ref()?;
        (newest.table == target.newest_table && newest.column == target.newest_column).then_some(newest.at)?
    }

    /// What it says that cannot be true, whatever is in the file.
    pub fn impossible(&self, modified: Timestamp, now: Timestamp) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            wrong.push("its manifest names no SHA-256 checksum".to_owned());
        }
        // Packed rows take less than a byte each only where they are all the same.
        let most = i64::try_from(self.size.saturating_mul(100)).unwrap_or(i64::MAX);
        if let Some((table, rows)) = self.tables.iter().find(|(_, rows)| **rows < 0 || **rows > most) {
            wrong.push(format!("its manifest says that {} has {rows} rows", shown(table)));
        }
        let later = |than: Timestamp| (self.created_at - than).num_seconds() > SKEW;
        if later(now) {
            wrong.push(format!("its manifest says that it was made at {}, which is yet to come", self.created_at));
        } else if later(modified) {
            wrong.push(format!(
                "its manifest says that it was made at {}, but the file was written before that, at {modified}",
                self.created_at
            ));
        }
        let newest = self.newest.as_ref().and_then(|newest| newest.at);
        if newest.is_some_and(|newest| (newest - self.created_at).num_seconds() > SKEW) {
            wrong.push("its manifest names a newest record that is newer than the backup itself".to_owned());
        }
        wrong
    }

    /// Where the content of the file is not what it says.
    pub fn contradicted_by(&self, scan: &Scan, format: Option<Format>) -> Option<String> {
        if !self.sha256.eq_ignore_ascii_case(&scan.sha256) {
            return Some("its checksum is not the one that its manifest names: its content has changed".to_owned());
        }
        if format.is_some_and(|format| format.name() != self.format) {
            return Some(format!(
                "its manifest says that it is {}, and it is {}",
                shown(&self.format),
                format.map_or("", Format::name)
            ));
        }
        for (table, there) in scan.tables.iter().filter(|(_, rows)| **rows >= 0) {
            if let Some(says) = self.tables.get(table).filter(|says| *says != there) {
                return Some(format!(
                    "its manifest says that {} has {says} rows, and there are {there} in the file",
                    shown(table)
                ));
            }
        }
        // An extension brings tables of its own, which no dump makes.
        if scan.made.is_empty() || scan.has_extensions {
            return None;
        }
        let missing = self.tables.keys().find(|table| !scan.made.contains(*table))?;
        Some(format!("its manifest names the table {}, which is not in the file", shown(missing)))
    }
}

/// The manifest beside a backup; `None` when there is none.
///
/// # Errors
/// Why the one that is there is no manifest.
pub fn beside(backup: &Path) -> Result<Option<Manifest>, String> {
    let mut name = backup.as_os_str().to_owned();
    name.push(".manifest.json");
    let cannot = |error: &dyn std::fmt::Display| format!("its manifest cannot be read: {error}");
    let file = match look::open(Path::new(&name)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(&error)),
    };
    let mut text = String::new();
    let read = file.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    if read as u64 > LONGEST {
        return Err(cannot(&"it is larger than any manifest"));
    }
    serde_json::from_str(&text).map(Some).map_err(|error| cannot(&error))
}

/// A text that somebody else wrote, short and on one line.
pub fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).map(|one| if one.is_control() { ' ' } else { one }).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    short
}
