//! Stories: the real bot, the real serenity, real containers and a real PostgreSQL. One binary, because linking is most
//! of what a test costs.

mod actions_docker;
mod actions_fresh;
mod actions_restore;
mod actions_verify;
mod gateway;
mod halt_status;
mod kills;
mod rehearsal;
mod restore_db;
mod store;
mod support;
