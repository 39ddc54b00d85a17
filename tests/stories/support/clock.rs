//! A clock that stands still until a test moves it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::DateTime;
use drbot::clock::{Clock, Source, Timestamp};
use futures::future::BoxFuture;
use tokio::sync::{Notify, oneshot};

#[derive(Clone)]
pub struct HandClock(Arc<Inner>);

struct Inner {
    start: Instant,
    hands: Mutex<Hands>,
    /// Somebody has begun to sleep.
    sleeping: Notify,
}

#[derive(Default)]
struct Hands {
    elapsed: Duration,
    /// By how much the wall clock was set back.
    behind: Duration,
    sleepers: Vec<Sleeper>,
}

struct Sleeper {
    asked: Duration,
    due: Duration,
    wake: oneshot::Sender<()>,
}

impl HandClock {
    pub fn new() -> Self {
        let inner = Inner { start: Instant::now(), hands: Mutex::default(), sleeping: Notify::new() };
        Self(Arc::new(inner))
    }

    pub fn clock(&self) -> Clock {
        Clock::from_source(self.clone())
    }

    /// Moves on, and wakes who is due.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.0.hands.lock().unwrap();
        hands.elapsed += by;
        let now = hands.elapsed;
        let (due, later) = std::mem::take(&mut hands.sleepers).into_iter().partition(|sleeper| sleeper.due <= now);
        hands.sleepers = later;
        drop(hands);
        let due: Vec<Sleeper> = due;
        for sleeper in due {
            let _ = sleeper.wake.send(());
        }
    }

    /// The wall clock is set back; how long people wait is another matter.
    pub fn set_back(&self, by: Duration) {
        self.0.hands.lock().unwrap().behind += by;
    }

    /// Waits until somebody sleeps for just this long, then lets that time pass.
    pub async fn pass(&self, time: Duration) {
        self.is_slept_on(time).await;
        self.advance(time);
    }

    /// Waits until somebody sleeps for just this long.
    pub async fn is_slept_on(&self, time: Duration) {
        let asleep = async {
            loop {
                let woken = self.0.sleeping.notified();
                if self.sleeps(time) {
                    return;
                }
                woken.await;
            }
        };
        tokio::time::timeout(super::house::LIMIT, asleep)
            .await
            .unwrap_or_else(|_| panic!("nobody sleeps for {time:?}, but for {:?}", self.asleep()));
    }

    fn sleeps(&self, time: Duration) -> bool {
        self.asleep().contains(&time)
    }

    fn asleep(&self) -> Vec<Duration> {
        let hands = self.0.hands.lock().unwrap();
        hands.sleepers.iter().filter(|sleeper| !sleeper.wake.is_closed()).map(|sleeper| sleeper.asked).collect()
    }
}

impl Source for HandClock {
    fn now(&self) -> Timestamp {
        let hands = self.0.hands.lock().unwrap();
        DateTime::from_timestamp_micros(1_700_000_000_000_000).unwrap() + hands.elapsed - hands.behind
    }

    fn monotonic(&self) -> Instant {
        self.0.start + self.0.hands.lock().unwrap().elapsed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            if duration.is_zero() {
                return;
            }
            let (wake, woken) = oneshot::channel();
            {
                let mut hands = clock.0.hands.lock().unwrap();
                let due = hands.elapsed + duration;
                hands.sleepers.push(Sleeper { asked: duration, due, wake });
            }
            clock.0.sleeping.notify_waiters();
            let _ = woken.await;
        })
    }
}
