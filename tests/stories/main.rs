//! Stories: the real bot, the real serenity, real containers and a real PostgreSQL. One binary, because linking is most
//! of what a test costs.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "clippy knows test functions, not what they call")]

mod abort;
mod actions_compose;
mod actions_docker;
mod actions_fresh;
mod actions_restore;
mod actions_verify;
mod alerts;
mod alone;
mod bad_days;
mod check;
mod cli;
mod contacts;
mod documents;
mod engine;
mod failover;
mod first_hour;
mod first_page;
mod gateway;
mod glass;
mod halt_status;
mod hard_cases;
mod incident;
mod kills;
mod kills_pages;
mod lockdown;
mod lying_backups;
mod many_incidents;
mod monitoring;
mod page;
mod page_incident;
mod paging;
mod paging_http;
mod paging_mail;
mod peers;
mod plays;
mod postmortem;
mod questions;
mod reconcile;
mod recover;
mod rehearsal;
mod restore_db;
mod resume;
mod rollback;
mod serve;
mod shipped;
mod stopped;
mod store;
mod store_alerts;
mod support;
mod undo;
