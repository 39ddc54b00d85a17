//! Row counts and newest record of a database at a moment: how much there was, and how new, when it could be read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub at: Timestamp,
    /// Table (`public.trades`) → rows.
    pub tables: BTreeMap<String, i64>,
    /// Time of the newest record, of the table and column that the target's settings name.
    pub newest: Option<Timestamp>,
}
