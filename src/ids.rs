//! Names of things that outlive a process.
//!
//! Ids are UUIDv7, so that they sort by time, and are shown to people shortened: the last eight hex digits, which are
//! random, and which name a run's scratch database and containers too.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One execution of a command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// The id of a run that is only imagined.
    pub const NOBODYS: Self = Self(Uuid::nil());

    /// A new id; later ones sort after earlier ones.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// Eight hex digits for people and for the names of what a run makes.
    pub fn short(&self) -> String {
        let hex = self.0.simple().to_string();
        hex[hex.len() - 8..].to_owned()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({})", self.0)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A random id of 32 hex digits, that nobody can guess: buttons, sessions of this process.
pub fn random_token() -> String {
    Uuid::new_v4().simple().to_string()
}
