//! How many commands one person may give. `/halt` is never throttled: stopping must always be possible.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, Quota,
    clock::{Clock as _, DefaultClock},
};

use crate::config::settings::{DiscordId, Limits};

#[derive(Debug)]
pub struct Throttle {
    limiter: DefaultKeyedRateLimiter<u64>,
    clock: DefaultClock,
}

impl Throttle {
    pub fn new(limits: &Limits) -> Self {
        let per_minute = NonZeroU32::new(limits.commands_per_minute).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(limits.burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        Self { limiter: DefaultKeyedRateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Counts one command of `person`.
    ///
    /// # Errors
    /// How long to wait, when it is one too many.
    pub fn count(&self, person: DiscordId) -> Result<(), Duration> {
        self.limiter.check_key(&person.0).map_err(|too_many| too_many.wait_time_from(self.clock.now()))
    }
}
