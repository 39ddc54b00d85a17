//! Watches over the connection to Discord, from drbot's own runtime.
//!
//! A connection counts as alive while it answers probes. One that does not is thrown away and replaced, with growing
//! pauses and never by using up the sessions that Discord allows in a day (using them up resets the token). When that
//! does not help for long, or when Discord says that it never will, chat ends, and the process with it: it is never
//! silently deaf. What must stay true: nothing here waits for the client's runtime, and no run is cut off at work because
//! Discord is away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Desk, Lost, Settings,
    call::jittered,
    connection::{Connection, Ending, Signal},
    metrics, permissions,
    rest::{Call, Trouble, is_loopback},
};
use crate::clock::Clock;

/// Sessions of the day that are kept for a person who has to look after it.
const RESERVE: u64 = 50;
/// New sessions on one client after which it is replaced: by itself it would begin them without counting.
const SESSIONS: u32 = 20;
/// A connection that held for so long begins with short pauses again.
const HELD: Duration = Duration::from_secs(300);
/// Unanswered probes after which a connection is dead.
const UNANSWERED: u32 = 2;
/// How often it is looked whether a run is at work, before chat ends.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct Supervisor {
    settings: Settings,
    desk: Arc<Desk>,
    stop: CancellationToken,
    /// When something was last heard over the gateway; at first, when this began.
    heard: Instant,
    /// It is known that drbot has not more permissions than it may have.
    is_modest: bool,
}

/// How a connection's time ended.
enum End {
    Told,
    Refused(String),
    Dead { cause: &'static str, why: String, held: Duration },
}

enum NoAddress {
    Refused(String),
    NotNow(String),
}

impl Supervisor {
    pub(super) fn new(settings: Settings, desk: Arc<Desk>, stop: CancellationToken) -> Self {
        let heard = desk.engine.clock().monotonic();
        Self { settings, desk, stop, heard, is_modest: false }
    }

    fn clock(&self) -> &Clock {
        self.desk.engine.clock()
    }

    /// Keeps drbot connected until told to stop.
    pub(super) async fn run(mut self) -> Result<(), Lost> {
        let times = self.settings.timing.clone();
        let mut pause = times.first_pause;
        metrics::up(false);
        loop {
            let end = self.connect().await;
            metrics::up(false);
            match end {
                End::Told => return Ok(()),
                End::Refused(what) => return self.leave(Lost::Refused(what)).await,
                End::Dead { cause, why, held } => {
                    metrics::restarted(cause);
                    if held >= HELD {
                        pause = times.first_pause;
                    }
                    let deaf = self.clock().monotonic() - self.heard;
                    if deaf >= times.give_up_after {
                        return self.leave(Lost::Deaf { minutes: deaf.as_secs() / 60 }).await;
                    }
                    let again_in = jittered(pause);
                    tracing::error!(
                        cause,
                        why,
                        again_in_s = again_in.as_secs_f32(),
                        "Discord's gateway is not heard; the connection is made anew. Runs go on meanwhile"
                    );
                    tokio::select! {
                        () = self.clock().sleep(again_in) => {}
                        () = self.stop.cancelled() => return Ok(()),
                    }
                    pause = (pause * 2).min(times.longest_pause);
                }
            }
        }
    }

    /// One connection from its address to its end.
    async fn connect(&mut self) -> End {
        let not_yet = |cause, why| End::Dead { cause, why, held: Duration::ZERO };
        let stop = self.stop.clone();
        let address = tokio::select! {
            address = self.address() => address,
            () = stop.cancelled() => return End::Told,
        };
        let gateway = match address {
            Ok(gateway) => gateway,
            Err(NoAddress::Refused(what)) => return End::Refused(what),
            Err(NoAddress::NotNow(why)) => return not_yet("address", why),
        };
        match Connection::open(&self.settings, gateway, self.desk.clone()) {
            Ok(connection) => self.attend(connection).await,
            Err(error) => not_yet("thread", format!("{error:#}")),
        }
    }

    /// Where the gateway is, if a new session may be begun today.
    async fn address(&mut self) -> Result<String, NoAddress> {
        let told = match self.desk.rest.send(&Call::get("/gateway/bot")).await {
            Ok(told) => told,
            Err(Trouble::Refused { status: 401, .. }) => {
                return Err(NoAddress::Refused(
                    "Discord refuses the token (401). Copy it from the Developer Portal, Bot, into DISCORD_TOKEN, and \
                     start drbot again"
                        .to_owned(),
                ));
            }
            Err(trouble) => {
                return Err(NoAddress::NotNow(format!("it cannot be asked where the gateway is: {trouble}")));
            }
        };
        let limit = &told["session_start_limit"];
        if let Some(left) = limit["remaining"].as_u64() {
            metrics::identifies_left(left);
            if left <= RESERVE {
                let hours = limit["reset_after"].as_u64().unwrap_or(0) / 3_600_000;
                return Err(NoAddress::NotNow(format!(
                    "only {left} new sessions are left for today ({hours} h to go), and using them up resets the token"
                )));
            }
        }
        if !self.is_modest {
            let guild = self.desk.engine.configuration().settings.discord.guild.0;
            match permissions::refusal(&self.desk.rest, guild).await {
                Ok(Some(why)) => return Err(NoAddress::Refused(why)),
                Ok(None) => self.is_modest = true,
                Err(trouble) => tracing::warn!(%trouble, "it cannot be asked which permissions drbot has"),
            }
        }
        gateway_of(&told, self.settings.api_url.is_some()).map_err(NoAddress::NotNow)
    }

    /// Watches one connection until it has to be replaced.
    async fn attend(&mut self, mut connection: Connection) -> End {
        let times = self.settings.timing.clone();
        let clock = self.clock().clone();
        let begun = clock.monotonic();
        let mut sessions = 0;
        let mut probes = 0_u64;
        let mut unanswered = 0;
        let mut asked: Option<String> = None;
        let mut due = begun + times.connect_within;
        loop {
            let now = clock.monotonic();
            let dead = |cause, why: String| End::Dead { cause, why, held: now - begun };
            let signal = tokio::select! {
                signal = connection.hear() => Some(signal),
                () = clock.sleep(due.saturating_duration_since(now)) => None,
                () = self.stop.cancelled() => {
                    connection.close(&clock).await;
                    return End::Told;
                }
            };
            let now = clock.monotonic();
            match signal {
                Some(Signal::Ready(..)) => {
                    metrics::connected("identify");
                    if sessions > 0 {
                        metrics::disconnected("session lost");
                        tracing::warn!("this is a new session: what people did in between was not heard");
                    }
                    sessions += 1;
                    if sessions > SESSIONS {
                        return dead("sessions", format!("{SESSIONS} sessions were lost on one client"));
                    }
                    self.alive(now);
                    (asked, unanswered, due) = (None, 0, now + times.probe_every);
                }
                Some(Signal::Resumed(_)) => {
                    metrics::connected("resume");
                    metrics::disconnected("resumed");
                    self.alive(now);
                    (asked, unanswered, due) = (None, 0, now + times.probe_every);
                }
                Some(Signal::Answered(nonce)) => {
                    if asked.as_ref() == Some(&nonce) {
                        self.alive(now);
                        (asked, unanswered, due) = (None, 0, now + times.probe_every);
                    }
                }
                Some(Signal::Ended(Ending::Refused(what))) => {
                    metrics::disconnected("refused");
                    return End::Refused(what);
                }
                Some(Signal::Ended(Ending::Other(why))) => {
                    metrics::disconnected("ended");
                    return dead("ended", why);
                }
                None if sessions == 0 => {
                    metrics::disconnected("not ready");
                    return dead("not ready", format!("no session within {:?}", times.connect_within));
                }
                None => {
                    if asked.is_some() {
                        unanswered += 1;
                        metrics::probe_failed();
                        metrics::up(false);
                        tracing::warn!(unanswered, "Discord's gateway does not answer");
                    }
                    if unanswered >= UNANSWERED {
                        metrics::disconnected("silent");
                        return dead("silent", format!("{unanswered} probes in a row were not answered"));
                    }
                    probes += 1;
                    let nonce = format!("probe-{probes}");
                    connection.ask_for_life(&nonce);
                    (asked, due) = (Some(nonce), now + times.probe_answer);
                }
            }
        }
    }

    fn alive(&mut self, now: Instant) {
        self.heard = now;
        metrics::up(true);
    }

    /// Ends chat, but not while a run is at work: a restart would hold it up.
    async fn leave(&self, lost: Lost) -> Result<(), Lost> {
        tracing::error!("{lost}");
        let mut said = false;
        while self.desk.engine.is_at_work().await {
            if !said {
                tracing::warn!("drbot ends as soon as no run is at work");
                said = true;
            }
            tokio::select! {
                () = self.clock().sleep(LOOK) => {}
                () = self.stop.cancelled() => break,
            }
        }
        Err(lost)
    }
}

/// The address out of Discord's answer. A rehearsal's gateway is on this machine too.
fn gateway_of(told: &Value, rehearsal: bool) -> Result<String, String> {
    let url = told["url"].as_str().ok_or("the answer names no gateway")?;
    let fits = if rehearsal { is_loopback(&url.replacen("ws", "http", 1)) } else { url.starts_with("wss://") };
    if fits { Ok(url.to_owned()) } else { Err(format!("{url} is no gateway that may be dialled from here")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::gateway_of;

    #[test]
    fn a_rehearsal_dials_this_machine_and_nothing_else() {
        let told = |url: &str| json!({"url": url});
        assert!(gateway_of(&told("ws://127.0.0.1:8700"), true).is_ok());
        assert!(gateway_of(&told("wss://gateway.discord.gg"), true).is_err());
        assert!(gateway_of(&told("wss://gateway.discord.gg"), false).is_ok());
        assert!(gateway_of(&told("ws://gateway.discord.gg"), false).is_err());
        assert!(gateway_of(&json!({}), false).is_err());
    }
}
