//! Time as an argument.
//!
//! Nothing else in drbot asks the system what time it is or sleeps: whoever needs time is handed a [`Clock`]. So tests
//! hold the clock in their hand, and a run's history can be replayed. (Tokio's own paused time cannot be used: SQLite's
//! connections time out at once under it.)

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;

/// A moment in UTC, to the microsecond: what the store keeps.
pub type Timestamp = DateTime<Utc>;

/// Where time comes from. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Source>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// A source of time. Implemented by the system's clock and by tests.
pub trait Source: Send + Sync {
    /// The wall clock, in UTC.
    fn now(&self) -> Timestamp;
    /// A clock that never goes backwards, for measuring and waiting.
    fn monotonic(&self) -> Instant;
    /// Returns after `duration` on this clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Self {
        Self(Arc::new(SystemClock))
    }

    /// A clock of the caller's own.
    pub fn from_source(source: impl Source + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// Now, in UTC, cut to the microsecond so that it survives the store unchanged.
    pub fn now(&self) -> Timestamp {
        let now = self.0.now();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    pub fn monotonic(&self) -> Instant {
        self.0.monotonic()
    }

    pub async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }

    /// Returns when the wall clock has reached `deadline`; at once when it has passed.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        if let Ok(left) = (deadline - self.now()).to_std() {
            self.sleep(left).await;
        }
    }

    /// Runs `work` for at most `limit`; `None` when the time was up first. The work is dropped then.
    pub async fn timeout<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.sleep(limit) => None,
        }
    }
}

#[derive(Debug)]
struct SystemClock;

impl Source for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one home of the system's clock")]
    fn now(&self) -> Timestamp {
        Utc::now()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the one home of sleeping")]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The time from `earlier` to `later`; zero when the clock went backwards in between.
pub fn elapsed(earlier: Timestamp, later: Timestamp) -> Duration {
    (later - earlier).max(TimeDelta::zero()).to_std().unwrap_or_default()
}
