//! Places at which tests kill drbot. Compiled out without the feature `failpoints`, which no release has.
//!
//! `DRBOT_FAILPOINT=after-intent:swap` kills this process with SIGKILL when the step `swap` gets to that point. The
//! points: `before-intent`, `after-intent`, `during` (`during:restore:150` is 150 ms into it), `after-effect` (before
//! its record), `after-outcome`, `during-undo`. Of a page, with its way in the place of a step (`after-claim:sms`):
//! `before-claim`, `after-claim`, `after-sending` (before it is settled). It fires each time: start without it to go on.

#[cfg(feature = "failpoints")]
fn wanted(point: &str, step: &str) -> Option<u64> {
    let setting = std::env::var("DRBOT_FAILPOINT").ok()?;
    let mut parts = setting.splitn(3, ':');
    let hit = parts.next() == Some(point) && parts.next() == Some(step);
    hit.then(|| parts.next().and_then(|milliseconds| milliseconds.parse().ok()).unwrap_or(0))
}

#[cfg(feature = "failpoints")]
fn die() {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::getpid,
    };
    let _ = kill(getpid(), Signal::SIGKILL);
}

/// Dies here when the environment says so.
#[cfg(feature = "failpoints")]
pub fn at(point: &str, step: &str) {
    if wanted(point, step).is_some() {
        die();
    }
}

/// Dies some time into the work that begins now.
#[cfg(feature = "failpoints")]
pub fn during(step: &str, clock: &crate::clock::Clock) {
    if let Some(milliseconds) = wanted("during", step) {
        let clock = clock.clone();
        tokio::spawn(async move {
            clock.sleep(std::time::Duration::from_millis(milliseconds)).await;
            die();
        });
    }
}

#[cfg(not(feature = "failpoints"))]
pub fn at(_point: &str, _step: &str) {}

#[cfg(not(feature = "failpoints"))]
pub fn during(_step: &str, _clock: &crate::clock::Clock) {}
