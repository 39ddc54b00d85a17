//! Names of things that outlive a process.
//!
//! Ids are UUIDv7, so that they sort by time, and are shown to people shortened: the last eight hex digits, which are
//! random, and which name a run's scratch database and containers too.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An id that is no other's.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id; later ones sort after earlier ones.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// Eight hex digits for people and for the names of what belongs to it.
            pub fn short(&self) -> String {
                let hex = self.0.simple().to_string();
                hex[hex.len() - 8..].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// One execution of a command.
    RunId
}

id! {
    /// One disaster.
    IncidentId
}

impl RunId {
    /// The id of a run that is only imagined.
    pub const NOBODYS: Self = Self(Uuid::nil());
}

/// A random id of 32 hex digits, that nobody can guess: buttons, sessions of this process.
pub fn random_token() -> String {
    Uuid::new_v4().simple().to_string()
}
