//! What an incident is, folded from its events.
//!
//! [`State::apply`] is one `match` of legal transitions; anything else is an [`Illegal`] and changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    event::{AlertSeen, Because, Entry, Event, Kind, Opened, Paged, Seen, Stall},
    ladder::{AckPolicy, Rung},
};
use crate::{
    clock::Timestamp,
    config::settings::{DiscordId, Level},
    ids::{IncidentId, RunId},
    run::event::Person,
};

#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub id: IncidentId,
    /// As it was when it was opened. What never changes is shared: a state is copied for every event.
    pub opened: Arc<Opened>,
    pub opened_at: Timestamp,
    pub kind: Kind,
    pub deadline: Deadline,
    pub ack: Ack,
    pub ack_policy: AckPolicy,
    /// The first thing that a person did.
    pub responded: Option<(Timestamp, Person)>,
    pub recovered: Option<Recovered>,
    /// Since when it is known, by the clock as it goes: `opened.detected` is the record.
    pub begun: Timestamp,
    /// Since when it is back, after a recovery.
    pub relapsed_at: Option<Timestamp>,
    /// When a recovery was doubted, because an alert did not end.
    pub doubted_at: Option<Timestamp>,
    pub closed: Option<Closed>,
    pub runs: Vec<Joined>,
    /// By source and fingerprint.
    pub alerts: BTreeMap<(String, String), Alert>,
    /// What stands still and was told.
    pub stalled: BTreeSet<Stall>,
    /// How often people were called.
    pub pages: u32,
    /// Sequence number and time of the last event, by the clock as it goes since.
    pub seq: u64,
    pub last_at: Timestamp,
}

/// Until when it is to be recovered, and how far its ladder was climbed.
#[derive(Debug, Clone, PartialEq)]
pub struct Deadline {
    pub from: Seen,
    pub due: Timestamp,
    /// Who answers for it, where it is not the objective.
    pub moved: Option<(Person, String)>,
    pub rungs: Vec<Rung>,
    pub repeat_every: Duration,
    /// The highest rung that was used, or that stands for one.
    pub used: Option<u8>,
    /// How often and when people were called behind the last rung.
    pub repeats: u32,
    pub last_called: Option<Timestamp>,
    /// A rung was used early, by the forecast.
    pub hastened: bool,
    /// When the last rung was used and recovery was not verified.
    pub breached_at: Option<Timestamp>,
}

/// Does anybody have it?
#[derive(Debug, Clone, PartialEq)]
pub enum Ack {
    /// Nobody; this level is due then.
    Open { level: Level, due_at: Timestamp },
    /// Everybody who could be asked was, and nobody answered.
    Exhausted,
    /// Somebody, until then.
    Held { by: Person, until: Timestamp, next: Level },
    /// Are they still on it?
    Asked { by: Person, until: Timestamp, next: Level },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    pub run: RunId,
    /// When it was verified, for the record.
    pub at: Timestamp,
    /// The same, and when it was written down, by the clock as it goes.
    pub verified: Timestamp,
    pub since: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    pub at: Timestamp,
    pub by: Person,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    pub run: RunId,
    pub command: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub alert: AlertSeen,
    pub resolved_at: Option<Timestamp>,
}

/// An event that cannot follow what is there.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{event}` cannot happen now: {why}")]
pub struct Illegal {
    pub event: &'static str,
    pub why: String,
}

impl State {
    /// A state from an incident's first event.
    ///
    /// # Errors
    /// When the first event is not `opened`.
    pub fn begin(entry: &Entry) -> Result<Self, Illegal> {
        let Event::Opened(opened) = &entry.event else {
            return Err(Illegal { event: entry.event.kind(), why: "the first event is `opened`".to_owned() });
        };
        let from = opened.failure.clone().unwrap_or_else(|| opened.detected.clone());
        let mut state = Self {
            id: entry.incident,
            opened_at: entry.at,
            kind: opened.kind.clone(),
            deadline: Deadline {
                due: from.at + opened.kind.scenario.rto.0,
                from,
                moved: None,
                rungs: opened.rungs.clone(),
                repeat_every: opened.repeat_every,
                used: None,
                repeats: 0,
                last_called: None,
                hastened: false,
                breached_at: None,
            },
            ack: Ack::Open { level: Level::Primary, due_at: entry.at },
            ack_policy: opened.ack,
            opened: Arc::new((**opened).clone()),
            responded: None,
            recovered: None,
            begun: opened.detected.at,
            relapsed_at: None,
            doubted_at: None,
            closed: None,
            runs: Vec::new(),
            alerts: BTreeMap::new(),
            stalled: BTreeSet::new(),
            pages: 0,
            seq: entry.seq,
            last_at: entry.at,
        };
        match &opened.because {
            // Whether anybody takes it on is what a drill is to show.
            Because::Person { .. } if opened.drill.is_some() => {}
            // Whoever says that there is a disaster has it at first.
            Because::Person { by, .. } => state.has_it(by, entry.at),
            Because::Run { by, run, command } => {
                state.runs.push(Joined { run: *run, command: command.clone(), at: entry.at });
                state.has_it(by, entry.at);
            }
            Because::Alert(alert) => state.fires(alert),
        }
        Ok(state)
    }

    /// A state from a whole journal.
    ///
    /// # Errors
    /// When the journal is empty or holds an illegal event.
    pub fn replay(entries: &[Entry]) -> Result<Self, Illegal> {
        let Some((first, rest)) = entries.split_first() else {
            return Err(Illegal { event: "nothing", why: "the journal is empty".to_owned() });
        };
        let mut state = Self::begin(first)?;
        for entry in rest {
            state.apply(entry)?;
        }
        Ok(state)
    }

    /// Takes one more event.
    ///
    /// # Errors
    /// When it cannot follow; the state is unchanged then.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        let illegal = |why: String| Illegal { event: entry.event.kind(), why };
        if entry.seq != self.seq + 1 {
            return Err(illegal(format!("it is number {}, after number {}", entry.seq, self.seq)));
        }
        self.transition(&entry.event, entry.at).map_err(illegal)?;
        self.seq = entry.seq;
        self.last_at = match &entry.event {
            Event::ClockSetBack { now, .. } => *now,
            _ => entry.at,
        };
        Ok(())
    }

    fn transition(&mut self, event: &Event, at: Timestamp) -> Result<(), String> {
        // What was on its way when it was closed is still told, and notes belong to the record.
        if self.closed.is_some()
            && !matches!(event, Event::Delivered { .. } | Event::Noted { .. } | Event::AlertResolved { .. })
        {
            return Err("it is closed".to_owned());
        }
        match event {
            Event::Opened(_) => return Err("it is open already".to_owned()),
            Event::RunJoined { run, command, by } => {
                if self.runs.iter().any(|joined| joined.run == *run) {
                    return Err(format!("run {} has joined already", run.short()));
                }
                self.runs.push(Joined { run: *run, command: command.clone(), at });
                self.has_it(by, at);
            }
            Event::AlertFired { alert } => self.fires(alert),
            Event::AlertResolved { source, fingerprint, .. } => {
                let alert = self.alerts.get_mut(&(source.clone(), fingerprint.clone()));
                alert.ok_or("it has no such alert")?.resolved_at = Some(at);
            }
            Event::Acknowledged { by, until, .. } => self.is_held(by, *until, at),
            Event::Renewed { by, until } => match &self.ack {
                Ack::Held { by: holder, .. } | Ack::Asked { by: holder, .. } if holder.id == by.id => {
                    self.is_held(by, *until, at);
                }
                _ => return Err(format!("{} does not have it", by.name)),
            },
            Event::StillAsked { by, until } => match &self.ack {
                Ack::Held { by: holder, next, .. } if holder.id == by.id => {
                    self.ack = Ack::Asked { by: by.clone(), until: *until, next: *next };
                }
                _ => return Err(format!("{} does not have it", by.name)),
            },
            Event::Paged(paged) => self.page(paged, at)?,
            Event::Delivered { .. } => {}
            Event::Noted { by, .. } => self.responds(by, at),
            Event::ScenarioChanged { by, kind, rungs, ack, repeat_every } => {
                self.kind = kind.clone();
                self.ack_policy = *ack;
                self.deadline.due = self.deadline.from.at + kind.scenario.rto.0;
                self.deadline.moved = None;
                self.new_ladder(rungs, *repeat_every);
                self.has_it(by, at);
            }
            Event::DeadlineMoved { by, due, reason, rungs, repeat_every } => {
                self.deadline.due = *due;
                self.deadline.moved = Some((by.clone(), reason.clone()));
                self.new_ladder(rungs, *repeat_every);
                // Those that would have been due by now are behind us: somebody answers for the new deadline.
                self.deadline.used =
                    self.deadline.rungs.iter().filter(|rung| rung.due_at <= at).map(|rung| rung.percent).max();
                self.deadline.last_called = self.deadline.used.map(|_| at);
                self.has_it(by, at);
            }
            Event::ClockSetBack { by, .. } => self.come_sooner(*by),
            Event::Recovered { run, at: verified } => {
                if self.recovered.is_some() {
                    return Err("it is recovered already".to_owned());
                }
                self.recovered = Some(Recovered { run: *run, at: *verified, verified: *verified, since: at });
            }
            Event::Relapsed { alert, anew } => {
                let recovered = self.recovered.take().ok_or("it is not recovered")?;
                if alert.starts_at > recovered.verified {
                    self.relapsed_at = Some(alert.starts_at);
                } else {
                    self.doubted_at = Some(at);
                }
                self.fires(alert);
                if *anew {
                    // Whoever had it may have gone.
                    self.ack = Ack::Open { level: Level::Primary, due_at: at };
                }
            }
            Event::Closed { by, reason } => {
                self.responds(by, at);
                self.closed = Some(Closed { at, by: by.clone(), reason: reason.clone() });
            }
        }
        Ok(())
    }

    fn fires(&mut self, alert: &AlertSeen) {
        let key = (alert.source.clone(), alert.fingerprint.clone());
        self.alerts.insert(key, Alert { alert: alert.clone(), resolved_at: None });
    }

    fn responds(&mut self, by: &Person, at: Timestamp) {
        self.responded.get_or_insert_with(|| (at, by.clone()));
    }

    /// An action of a person's on the incident: they have it, for as long as an acknowledgement holds. Unless somebody else
    /// has it: who helps takes nothing away.
    fn has_it(&mut self, by: &Person, at: Timestamp) {
        self.responds(by, at);
        if !matches!(&self.ack, Ack::Held { by: holder, .. } if holder.id != by.id) {
            self.is_held(by, at + self.ack_policy.lease, at);
        }
    }

    fn is_held(&mut self, by: &Person, until: Timestamp, at: Timestamp) {
        self.responds(by, at);
        let next = match &self.ack {
            Ack::Open { level, .. } => *level,
            Ack::Held { next, .. } | Ack::Asked { next, .. } => *next,
            Ack::Exhausted => Level::Primary,
        };
        self.ack = Ack::Held { by: by.clone(), until, next };
    }

    fn page(&mut self, paged: &Paged, at: Timestamp) -> Result<(), String> {
        if self.recovered.is_some() {
            return Err("it is recovered".to_owned());
        }
        if let Some(stall) = &paged.stall
            && !self.stalled.insert(stall.clone())
        {
            return Err("people were called for this already".to_owned());
        }
        if let Some(percent) = paged.deadline {
            let last = self.deadline.rungs.last().map(|rung| rung.percent);
            let again = paged.repeat > 0 && self.deadline.used == last && paged.repeat == self.deadline.repeats + 1;
            if !again && (paged.repeat > 0 || self.deadline.used.is_some_and(|used| used >= percent)) {
                return Err(format!("the rung at {percent} % was used already"));
            }
            self.deadline.used = Some(percent);
            self.deadline.repeats = paged.repeat;
            self.deadline.last_called = Some(at);
            self.deadline.hastened |= paged.early.is_some();
            if last == Some(percent) && at >= self.deadline.due {
                self.deadline.breached_at.get_or_insert(self.deadline.due);
            }
        }
        if let Some(level) = paged.ack {
            match &self.ack {
                Ack::Open { level: due, .. } if level >= *due => {}
                Ack::Asked { next, .. } if level >= *next => {}
                _ => return Err("somebody has it, or was called already".to_owned()),
            }
            self.ack = match level.after() {
                Some(level) => Ack::Open { level, due_at: at + self.ack_policy.delay },
                None => Ack::Exhausted,
            };
        }
        self.pages += 1;
        Ok(())
    }

    /// All that is stored as a time of the clock.
    fn come_sooner(&mut self, by: Duration) {
        let deadline = &mut self.deadline;
        deadline.from.at -= by;
        deadline.due -= by;
        deadline.rungs.iter_mut().for_each(|rung| rung.due_at -= by);
        let called = [&mut deadline.last_called, &mut deadline.breached_at];
        called.into_iter().flatten().for_each(|at| *at -= by);
        self.begun -= by;
        let back = [&mut self.relapsed_at, &mut self.doubted_at];
        back.into_iter().flatten().for_each(|at| *at -= by);
        if let Some(recovered) = &mut self.recovered {
            recovered.verified -= by;
            recovered.since -= by;
        }
        self.alerts.values_mut().for_each(|alert| alert.alert.starts_at -= by);
        match &mut self.ack {
            Ack::Open { due_at: at, .. } | Ack::Held { until: at, .. } | Ack::Asked { until: at, .. } => *at -= by,
            Ack::Exhausted => {}
        }
    }

    fn new_ladder(&mut self, rungs: &[Rung], repeat_every: Duration) {
        self.deadline.rungs = rungs.to_vec();
        self.deadline.repeat_every = repeat_every;
        self.deadline.used = None;
        self.deadline.repeats = 0;
        self.deadline.last_called = None;
        self.deadline.hastened = false;
    }

    /// Nobody is called any more: it is recovered, or closed.
    pub fn is_over(&self) -> bool {
        self.closed.is_some() || self.recovered.is_some()
    }

    /// Nothing has happened: people try the ladders out.
    pub fn is_drill(&self) -> bool {
        self.opened.drill.is_some()
    }

    /// A drill ends with its last rung: nothing recovers it, and somebody may have forgotten to close it.
    pub fn is_drilled(&self) -> bool {
        let last = self.deadline.rungs.last().map(|rung| rung.percent);
        self.is_drill() && self.deadline.used.is_some() && self.deadline.used == last
    }

    /// Whether what was verified at that moment recovers it: neither before it began or was back, nor while an alert fires that
    /// began since. Where a recovery was doubted because an alert did not end, it counts again when that has ended.
    pub fn is_recovered_by(&self, verified: Timestamp) -> bool {
        let is_doubted = self.doubted_at.is_some_and(|doubted| verified <= doubted) && self.firing().next().is_some();
        verified >= self.begun
            && self.relapsed_at.is_none_or(|back| verified > back)
            && !is_doubted
            && self.firing().all(|alert| alert.starts_at <= verified)
    }

    /// Alerts of it that fire.
    pub fn firing(&self) -> impl Iterator<Item = &AlertSeen> {
        self.alerts.values().filter(|alert| alert.resolved_at.is_none()).map(|alert| &alert.alert)
    }

    /// Who has it.
    pub fn holder(&self) -> Option<&Person> {
        match &self.ack {
            Ack::Held { by, .. } | Ack::Asked { by, .. } => Some(by),
            Ack::Open { .. } | Ack::Exhausted => None,
        }
    }

    pub fn channel(&self) -> DiscordId {
        self.opened.channel
    }
}
