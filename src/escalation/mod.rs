//! Escalation: people are called when a recovery uses up its RTO, and when a review is overdue.
//!
//! Nothing here waits for a time: what is due is asked of the store, again and again, by the times that were fixed when
//! the run began. So it survives restarts, and a clock that jumps. What must stay true: of several rungs that are due
//! only the highest is used, once; nobody is called after the end; and a rung that cannot be used is said, loudly.

mod incidents;
pub mod metrics;
mod pages;

use std::{collections::HashSet, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::{
    clock::{Timestamp, elapsed},
    engine::Engine,
    paging::Pager,
    store::rungs::DueRung,
};

/// How often it is asked what is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A rung that is still not used so long after its time is an error of drbot's own.
const OVERDUE: Duration = Duration::from_secs(5);

/// Calls people until it is dropped.
#[derive(Debug)]
pub struct Escalation(JoinHandle<()>);

impl Escalation {
    /// Pages go by the ways of `pager`; those of chat go by chat.
    pub fn start(engine: Engine, pager: Pager) -> Self {
        Self(tokio::spawn(watch(engine, pager)))
    }
}

impl Drop for Escalation {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(engine: Engine, pager: Pager) {
    let tasks = TaskTracker::new();
    let mut known_gaps = Vec::new();
    let mut told = HashSet::new();
    loop {
        if let Ok(contacts) = engine.store().contacts().await {
            let gaps = engine.gaps(&contacts);
            if gaps != known_gaps && !gaps.is_empty() {
                tracing::warn!(
                    roles = gaps.join(", "),
                    "drbot.toml calls roles that no contact has; `drbot contacts import`"
                );
            }
            known_gaps = gaps;
        }
        engine.count_reviews().await;
        if let Err(error) = engine.remind_of_reviews().await {
            tracing::error!(error = format!("{error:#}"), "whether a review is overdue cannot be told");
        }
        for turn in 0..LOOKS_PER_AUDIT {
            look(&engine, &mut told).await;
            incidents::look(&engine, &pager, turn % LOOKS_PER_FORECAST == 0).await;
            pages::send(&engine, &pager, &tasks).await;
            if turn % LOOKS_PER_ATTENTION == 0 {
                // Beside: a flood of alerts holds up nobody who is to be called.
                let engine = engine.clone();
                tokio::spawn(async move { engine.attend_to_alerts().await });
            }
            engine.clock().sleep(LOOK_EVERY).await;
        }
    }
}

/// How often it is looked for what is due until it is looked whether the policies fit the contacts, and whether a review is
/// overdue.
const LOOKS_PER_AUDIT: u32 = 240;

/// How often it is looked for what is due until it is looked for what no stored time tells: forecasts, what stands still.
const LOOKS_PER_FORECAST: u32 = 4;

/// … and until alerts are attended to whose turn an error has cost.
const LOOKS_PER_ATTENTION: u32 = 40;

async fn look(engine: &Engine, told: &mut HashSet<(crate::ids::RunId, u8)>) {
    let now = engine.clock().now();
    let due = match engine.store().due_rungs(now).await {
        Ok(due) => due,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "whether somebody is to be called cannot be read");
            return;
        }
    };
    metrics::overdue(due.first().map_or(Duration::ZERO, |first| elapsed(first.due_at, now)));
    if due.is_empty() {
        told.clear();
        return;
    }
    let contacts = match engine.store().contacts().await {
        Ok(contacts) => contacts,
        Err(error) => {
            // Called without names: the message stands in the channel all the same.
            tracing::error!(error = format!("{error:#}"), "the contacts cannot be read");
            Vec::new()
        }
    };
    for rung in due {
        match engine.page(rung, &contacts).await {
            Ok(true) => say(&rung, now),
            Ok(false) => {}
            Err(error) if elapsed(rung.due_at, now) > OVERDUE && told.insert((rung.run, rung.percent)) => {
                tracing::error!(
                    run = %rung.run.short(), percent = rung.percent, error = format!("{error:#}"),
                    "a rung is overdue and nobody could be called"
                );
            }
            Err(_) => {}
        }
    }
}

fn say(rung: &DueRung, now: Timestamp) {
    let late = elapsed(rung.due_at, now);
    metrics::paged(rung.percent, late);
    tracing::warn!(run = %rung.run.short(), percent = rung.percent, late_ms = late.as_millis(), "people are called: the RTO is being used up");
}
