//! What the stand-in knows of its own health between two questions: it looks once a second, over a fresh connection, so that
//! its figures need not wait for a database that does not answer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    api::{self, Bot},
    database::SHORT,
    desk::lock,
};

const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub database_reachable: bool,
    pub healthy: bool,
}

/// Nothing before the first look.
#[derive(Default)]
pub struct Watch(Mutex<Option<Seen>>);

impl Watch {
    pub fn seen(&self) -> Option<Seen> {
        *lock(&self.0)
    }
}

/// Looks for ever.
pub async fn watch(bot: Arc<Bot>) {
    loop {
        // A database without its tables is there, and makes the bot unhealthy.
        let there = bot.clock.timeout(SHORT, bot.database.ask("SELECT 1", SHORT)).await;
        let database_reachable = there.is_some_and(|answer| answer.is_ok());
        let alive = api::database_answers(&bot).await;
        let healthy = api::trouble(&bot, alive).is_none();
        *lock(&bot.watch.0) = Some(Seen { database_reachable, healthy });
        bot.clock.sleep(EVERY).await;
    }
}
