//! drbot recovers a system from disaster out of Discord.
//!
//! Folders follow the path of an incident. Each module may use those above it, with the exceptions that
//! `ARCHITECTURE.md` names; `tests/architecture.rs` fails when one uses another that it may not.

pub mod clock;
pub mod fingerprint;
pub mod ids;
pub mod sample;
pub mod telemetry;
pub mod version;

pub mod config;
pub mod runbook;

pub mod actions;
pub mod alerts;
pub mod run;

pub mod contacts;
pub mod incident;
pub mod store;

pub mod access;
pub mod engine;
pub mod escalation;
pub mod paging;
pub mod progress;
pub mod refusals;

pub mod chat;
pub mod console;
pub mod rehearsal;
pub mod web;

pub mod cli;
