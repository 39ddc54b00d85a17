//! Escalation: people are called when a recovery uses up its RTO, and when a review is overdue.
//!
//! Nothing here waits for a time: what is due is asked of the store, again and again, by the times that were fixed when
//! the run began. So it survives restarts, and a clock that jumps. What must stay true: of several rungs that are due
//! only the highest is used, once; nobody is called after the end; a rung that cannot be used is said, loudly; and whoever
//! looks for what is due is itself looked after: it begins again when it breaks, and the heartbeat stops when it hangs.

mod incidents;
mod left;
pub mod metrics;
mod pace;
mod pages;
mod pulse;
mod ways;

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::pulse::Pulse;
use self::{left::Left, pages::Room, ways::Ways};
use crate::{
    clock::{Clock, Timestamp, elapsed},
    engine::{Engine, incidents::JUMP},
    paging::{self, Pager},
    store::rungs::DueRung,
};

/// How often it is asked what is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A rung that is still not used so long after its time is an error of drbot's own.
const OVERDUE: Duration = Duration::from_secs(5);
/// How long until it is looked again after the looking broke.
const AFTER_A_BREAK: Duration = Duration::from_secs(1);

/// Calls people until it is dropped.
#[derive(Debug)]
pub struct Escalation {
    stop: CancellationToken,
    on_their_way: TaskTracker,
    pulse: Pulse,
    clock: Clock,
}

impl Escalation {
    /// Pages go by the ways of `pager`; those of chat go by chat.
    pub fn start(engine: Engine, pager: Pager) -> Self {
        Self::with(engine, Ways { pager, chat: true })
    }

    /// Where no chat is served: who can be reached by chat alone is not reached.
    pub fn start_without_chat(engine: Engine, pager: Pager) -> Self {
        Self::with(engine, Ways { pager, chat: false })
    }

    fn with(engine: Engine, ways: Ways) -> Self {
        let clock = engine.clock().clone();
        let (stop, on_their_way, pulse) = (CancellationToken::new(), TaskTracker::new(), Pulse::new(clock.clone()));
        let watch = Watch { engine, ways, tasks: on_their_way.clone(), pulse: pulse.clone(), room: Room::default() };
        tokio::spawn(keep(Arc::new(watch), stop.clone()));
        Self { stop, on_their_way, pulse, clock }
    }

    /// Whether anybody looks at what is due.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Nothing more is sent; what is on its way arrives, or is sent again after the next start.
    pub async fn stop(self) {
        self.stop.cancel();
        self.on_their_way.close();
        let limit = paging::LIMIT + Duration::from_secs(1);
        if self.clock.timeout(limit, self.on_their_way.wait()).await.is_none() {
            tracing::warn!("pages are still on their way; they are sent again after the next start");
        }
    }
}

impl Drop for Escalation {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Watch {
    engine: Engine,
    ways: Ways,
    tasks: TaskTracker,
    pulse: Pulse,
    room: Room,
}

/// Looks at what is due, and begins again when the looking breaks.
async fn keep(watch: Arc<Watch>, stop: CancellationToken) {
    loop {
        let (looking, until) = (watch.clone(), stop.clone());
        let ended = tokio::spawn(async move { until.run_until_cancelled(looking.look_on()).await.is_none() }).await;
        if matches!(ended, Ok(true)) {
            return;
        }
        metrics::broke();
        let error = ended.err().map(|error| error.to_string());
        tracing::error!(error, "looking for whom to call broke; it begins again");
        if stop.run_until_cancelled(watch.engine.clock().sleep(AFTER_A_BREAK)).await.is_none() {
            return;
        }
    }
}

impl Watch {
    async fn look_on(&self) {
        let (engine, ways) = (&self.engine, &self.ways);
        let mut known_gaps = Vec::new();
        let mut told = HashSet::new();
        let mut left = Left::default();
        let mut hands = Hands::of(engine.clock());
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
            engine.forget_old_links().await;
            if let Err(error) = engine.remind_of_reviews().await {
                tracing::error!(error = format!("{error:#}"), "whether a review is overdue cannot be told");
            }
            for turn in 0..LOOKS_PER_AUDIT {
                if let Some(by) = hands.set_back(engine.clock()) {
                    engine.clock_set_back(by).await;
                }
                look(engine, &mut told).await;
                incidents::look(engine, ways, turn % LOOKS_PER_FORECAST == 0).await;
                pages::send(engine, ways, &self.room, &self.tasks).await;
                if turn % LOOKS_PER_FIGURES == 0 {
                    left.tell(&engine.open_incidents().await, engine.clock().now());
                }
                if turn % LOOKS_PER_ATTENTION == 0 {
                    // Beside: a flood of alerts holds up nobody who is to be called.
                    let engine = engine.clone();
                    tokio::spawn(async move { engine.attend_to_alerts().await });
                }
                self.pulse.beat();
                engine.clock().sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// How often it is looked for what is due until it is looked whether the policies fit the contacts, and whether a review is
/// overdue.
const LOOKS_PER_AUDIT: u32 = 240;

/// How often it is looked for what is due until it is looked for what no stored time tells: forecasts, what stands still.
const LOOKS_PER_FORECAST: u32 = 4;

/// … until the figures of open incidents are brought up to date …
const LOOKS_PER_FIGURES: u32 = 20;

/// … and until alerts are attended to whose turn an error has cost.
const LOOKS_PER_ATTENTION: u32 = 40;

/// Both clocks, as they were at the last look.
struct Hands {
    wall: Timestamp,
    monotonic: std::time::Instant,
}

impl Hands {
    fn of(clock: &Clock) -> Self {
        Self { wall: clock.now(), monotonic: clock.monotonic() }
    }

    /// By how much the wall clock was set back since the last look. That it was set forward is only said.
    fn set_back(&mut self, clock: &Clock) -> Option<Duration> {
        let now = Self::of(clock);
        let passed = now.monotonic.saturating_duration_since(self.monotonic);
        let expected = self.wall + passed;
        let (ahead, behind) = (elapsed(expected, now.wall), elapsed(now.wall, expected));
        *self = now;
        if ahead > JUMP {
            metrics::jumped();
            tracing::error!(
                by_s = ahead.as_secs_f64(),
                "the clock was set forward, or this machine slept; what is due by now is done now"
            );
        }
        if behind > JUMP {
            metrics::jumped();
            return Some(behind);
        }
        None
    }
}

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
