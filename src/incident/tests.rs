//! The ladders with the clock in the test's hand: for any order of acknowledgements, progress, restarts, new deadlines and
//! closing, nobody is called after the end, never twice for the same, and no rung that is due is silent.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::{
    event::{AlertSeen, Because, Drill, Entry, Event, Kind, Opened, Paged, Seen, Stall, USUAL_RESOLVING},
    ladder::{self, Policy},
    next::{Due, Facts, Next, next, wakes_at},
    outlook::Forecast,
    state::{Ack, State},
};
use crate::{
    clock::Timestamp,
    config::settings::{DiscordId, Level, Priority, RungSettings, Scenario},
    ids::{IncidentId, RunId},
    run::event::Person,
};

const SECOND: Duration = Duration::from_secs(1);

fn start() -> Timestamp {
    Timestamp::from_timestamp_micros(1_700_000_000_000_000).unwrap()
}

fn person(number: u64) -> Person {
    Person { id: DiscordId(number), name: format!("Person {number}") }
}

fn scenario(rto: u64, priority: Priority) -> Scenario {
    Scenario {
        name: "Corruption".to_owned(),
        rto: format!("{rto}s").parse().unwrap(),
        rpo: "10m".parse().unwrap(),
        priority,
        responsible: Vec::new(),
    }
}

fn shares() -> Vec<RungSettings> {
    [0, 50, 75, 90, 100].map(|at| RungSettings { at, page: vec!["responsible".to_owned()], reach: None }).to_vec()
}

fn alert() -> AlertSeen {
    AlertSeen {
        source: "alertmanager".to_owned(),
        fingerprint: "f".to_owned(),
        name: "DatabaseDown".to_owned(),
        summary: "the database is down".to_owned(),
        description: None,
        url: None,
        starts_at: start(),
    }
}

fn resolved() -> Event {
    let AlertSeen { source, fingerprint, name, .. } = alert();
    Event::AlertResolved { source, fingerprint, name }
}

/// An incident and its journal, as the engine keeps it.
struct Desk {
    journal: Vec<Entry>,
    state: State,
    now: Timestamp,
    facts: Facts,
}

impl Desk {
    fn open(rto: u64, because: Because) -> Self {
        Self::of(scenario(rto, Priority::Critical), shares(), because, None)
    }

    fn of(scenario: Scenario, shares: Vec<RungSettings>, because: Because, drill: Option<Drill>) -> Self {
        let due = start() + scenario.rto.0;
        let opened = Opened {
            rungs: ladder::rungs(&shares, start(), due),
            ack: ladder::ack_policy(&scenario),
            repeat_every: ladder::repeat_every(scenario.rto.0),
            kind: Kind { key: "corruption".to_owned(), scenario },
            target: None,
            because,
            failure: None,
            detected: Seen { at: start(), source: "the alert".to_owned() },
            channel: DiscordId(1),
            resolves_within: USUAL_RESOLVING,
            drill,
        };
        let first =
            Entry { incident: IncidentId::generate(), seq: 1, at: start(), event: Event::Opened(Box::new(opened)) };
        let state = State::begin(&first).unwrap();
        Self { journal: vec![first], state, now: start(), facts: Facts::default() }
    }

    fn alerted(rto: u64) -> Self {
        Self::open(rto, Because::Alert(alert()))
    }

    fn writes(&mut self, event: Event) -> bool {
        let at = self.now.max(self.state.last_at);
        let entry = Entry { incident: self.state.id, seq: self.state.seq + 1, at, event };
        let mut after = self.state.clone();
        let legal = after.apply(&entry).is_ok();
        if legal {
            self.state = after;
            self.journal.push(entry);
        }
        legal
    }

    /// What the engine does each time it looks: everything that is due.
    fn looks(&mut self) {
        for _ in 0..10 {
            let event = match next(&self.state, &self.facts, self.now) {
                Next::Page(due) => paged(due),
                Next::AskStill { until } => Event::StillAsked { by: self.state.holder().unwrap().clone(), until },
                Next::StillFires(alert) => Event::Relapsed { alert, anew: true },
                Next::Wait(_) | Next::Ended => return,
            };
            assert!(self.writes(event.clone()), "what is due must be legal: {event:?} in {:?}", self.state);
        }
        panic!("something is due without end: {:?}", self.state);
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
        self.looks();
    }

    fn pages(&self) -> Vec<&Paged> {
        let paged = |entry: &'_ Entry| matches!(entry.event, Event::Paged(_));
        self.journal
            .iter()
            .filter(|entry| paged(entry))
            .filter_map(|entry| match &entry.event {
                Event::Paged(paged) => Some(&**paged),
                _ => None,
            })
            .collect()
    }

    fn rungs_used(&self) -> Vec<u8> {
        self.pages().iter().filter_map(|page| page.deadline).collect()
    }

    fn levels_used(&self) -> Vec<Level> {
        self.pages().iter().filter_map(|page| page.ack).collect()
    }
}

fn paged(due: Due) -> Event {
    let Due { deadline, ack, stall, due_at } = due;
    Event::Paged(Box::new(Paged {
        deadline: deadline.as_ref().map(|climb| climb.percent),
        repeat: deadline.as_ref().map_or(0, |climb| climb.repeat),
        early: deadline.as_ref().and_then(|climb| climb.early),
        passed_over: deadline.map(|climb| climb.passed_over).unwrap_or_default(),
        ack,
        stall,
        due_at,
        called: Vec::new(),
        roles: Vec::new(),
        pages: Vec::new(),
        unreachable: Vec::new(),
        faster: None,
    }))
}

fn acknowledged(desk: &Desk, number: u64) -> Event {
    Event::Acknowledged {
        by: person(number),
        until: desk.now + desk.state.ack_policy.lease,
        how: "by the button".to_owned(),
    }
}

#[test]
fn nobody_answers_and_both_ladders_climb() {
    let mut desk = Desk::alerted(1800);
    desk.looks();
    assert_eq!((desk.rungs_used(), desk.levels_used()), (vec![0], vec![Level::Primary]), "one page for both");
    for _ in 0..1800 {
        desk.passes(SECOND);
    }
    assert_eq!(desk.levels_used(), Level::ALL);
    assert_eq!(desk.rungs_used(), [0, 50, 75, 90, 100]);
    assert_eq!(desk.state.deadline.breached_at, Some(start() + 1800 * SECOND));
    for _ in 0..720 {
        desk.passes(SECOND);
    }
    assert_eq!(desk.rungs_used(), [0, 50, 75, 90, 100, 100, 100], "behind the deadline every 6 minutes");
}

#[test]
fn an_acknowledgement_stops_the_one_ladder_and_never_the_other() {
    let mut desk = Desk::alerted(1800);
    desk.looks();
    desk.passes(20 * SECOND);
    let yes = acknowledged(&desk, 7);
    assert!(desk.writes(yes));
    for _ in 0..1700 {
        // Their lease is 6 minutes; they go on doing things.
        let until = desk.now + desk.state.ack_policy.lease;
        assert!(desk.writes(Event::Renewed { by: person(7), until }));
        desk.passes(SECOND);
    }
    assert_eq!(desk.levels_used(), [Level::Primary]);
    assert_eq!(desk.rungs_used(), [0, 50, 75, 90]);
}

#[test]
fn who_falls_silent_is_asked_and_then_the_next_is_called() {
    let mut desk = Desk::alerted(1800);
    desk.looks();
    let yes = acknowledged(&desk, 7);
    assert!(desk.writes(yes));
    desk.passes(359 * SECOND);
    assert!(matches!(desk.state.ack, Ack::Held { .. }));
    desk.passes(SECOND);
    assert!(matches!(desk.state.ack, Ack::Asked { .. }));
    desk.passes(29 * SECOND);
    assert_eq!(desk.levels_used(), [Level::Primary]);
    desk.passes(SECOND);
    assert_eq!(desk.levels_used(), [Level::Primary, Level::Secondary]);
    // "Still on it" in time keeps the ladder where it is.
    let yes = acknowledged(&desk, 7);
    assert!(desk.writes(yes));
    desk.passes(360 * SECOND);
    let yes = acknowledged(&desk, 7);
    assert!(desk.writes(yes));
    desk.passes(60 * SECOND);
    assert_eq!(desk.levels_used(), [Level::Primary, Level::Secondary]);
}

#[test]
fn after_a_downtime_only_the_highest_is_used_once_and_says_for_which_it_stands() {
    let mut desk = Desk::alerted(1800);
    desk.looks();
    desk.passes(1700 * SECOND);
    let pages = desk.pages();
    assert_eq!(pages.len(), 2);
    assert_eq!((pages[1].deadline, &pages[1].passed_over), (Some(90), &vec![50, 75]));
    assert_eq!(pages[1].ack, Some(Level::Emergency));
    assert_eq!(pages[1].due_at, start() + 60 * SECOND, "as late as that which was due longest");
}

#[test]
fn by_the_forecast_the_next_rung_is_used_early_once() {
    let mut desk = Desk::alerted(600);
    desk.looks();
    let yes = acknowledged(&desk, 7);
    assert!(desk.writes(yes));
    desk.passes(60 * SECOND);
    desk.facts.forecast = Some(Forecast { p50: 500 * SECOND, p90: 541 * SECOND, runs: 9, ..Forecast::default() });
    desk.looks();
    let early = desk.pages()[1].clone();
    assert_eq!((early.deadline, early.early.unwrap().left), (Some(50), 540 * SECOND));
    desk.passes(100 * SECOND);
    assert_eq!(desk.rungs_used(), [0, 50]);
    // That the deadline has passed is not told before it has.
    desk.passes(440 * SECOND);
    assert_eq!(desk.rungs_used(), [0, 50, 100]);
}

#[test]
fn a_new_deadline_begins_the_ladder_anew_and_calls_nobody_for_what_is_past() {
    let mut desk = Desk::alerted(600);
    desk.looks();
    desk.passes(560 * SECOND);
    let (from, due) = (desk.state.deadline.from.at, start() + 1200 * SECOND);
    let moved = Event::DeadlineMoved {
        by: person(3),
        due,
        reason: "the vendor is on it".to_owned(),
        rungs: ladder::rungs(&shares(), from, due),
        repeat_every: ladder::repeat_every(1200 * SECOND),
    };
    let before = desk.pages().len();
    assert!(desk.writes(moved));
    desk.passes(39 * SECOND);
    assert_eq!(desk.pages().len(), before);
    desk.passes(SECOND);
    assert_eq!(desk.rungs_used().last(), Some(&50));
}

#[test]
fn nobody_is_called_behind_recovery_until_it_falls_back() {
    let mut desk = Desk::alerted(600);
    desk.looks();
    let recovered = Event::Recovered { run: RunId::generate(), at: desk.now };
    assert!(desk.writes(recovered.clone()) && !desk.writes(recovered));
    assert!(desk.writes(resolved()));
    desk.passes(3600 * SECOND);
    assert_eq!(desk.pages().len(), 1);
    assert!(desk.writes(Event::Relapsed { alert: AlertSeen { starts_at: desk.now, ..alert() }, anew: true }));
    assert_eq!(desk.state.relapsed_at, Some(desk.now));
    desk.looks();
    assert_eq!(desk.rungs_used(), [0, 100]);
}

#[test]
fn one_that_is_back_is_nobodys_until_somebody_takes_it_again() {
    let mut desk = Desk::alerted(1800);
    desk.looks();
    let by = Person { id: DiscordId(7), name: "Dana".to_owned() };
    assert!(desk.writes(Event::Acknowledged { by, until: desk.now + 3600 * SECOND, how: "by the button".to_owned() }));
    let before = desk.levels_used().len();
    desk.passes(60 * SECOND);
    assert!(desk.writes(Event::Recovered { run: RunId::generate(), at: desk.now }) && desk.writes(resolved()));
    desk.passes(60 * SECOND);
    assert_eq!(desk.levels_used().len(), before);
    assert!(desk.writes(Event::Relapsed { alert: AlertSeen { starts_at: desk.now, ..alert() }, anew: true }));
    desk.looks();
    assert_eq!(desk.levels_used().len(), before + 1, "whoever had it may be asleep");
    assert_eq!(desk.levels_used().last(), Some(&Level::Primary));
}

#[test]
fn an_alert_that_does_not_end_behind_a_recovery_makes_it_none() {
    let mut desk = Desk::alerted(1800);
    desk.looks();
    desk.passes(60 * SECOND);
    assert!(desk.writes(Event::Recovered { run: RunId::generate(), at: desk.now }));
    let (verified, doubted) = (desk.now, desk.now + 600 * SECOND);
    assert_eq!(wakes_at(&desk.state), Some(doubted));
    desk.passes(599 * SECOND);
    assert!(desk.state.recovered.is_some());
    desk.passes(SECOND);
    assert!(desk.state.recovered.is_none());
    assert_eq!(desk.state.doubted_at, Some(doubted));
    assert!(desk.levels_used().len() > 1, "people are called again");
    assert!(!desk.state.is_recovered_by(verified));
    assert!(desk.writes(resolved()));
    assert!(desk.state.is_recovered_by(verified), "it was a recovery, and the word of it came late");
}

#[test]
fn a_clock_that_is_set_back_hides_neither_a_recovery_nor_that_it_is_none() {
    let mut desk = Desk::alerted(1800);
    desk.looks();
    let by = 3600 * SECOND;
    let back = |desk: &mut Desk| {
        desk.now -= by;
        let now = desk.now;
        assert!(desk.writes(Event::ClockSetBack { by, now }));
    };
    desk.passes(300 * SECOND);
    back(&mut desk);
    desk.passes(300 * SECOND);
    assert!(desk.state.is_recovered_by(desk.now), "what was verified now was verified after it began");
    assert!(desk.writes(Event::Recovered { run: RunId::generate(), at: desk.now }));
    back(&mut desk);
    desk.passes(600 * SECOND);
    assert!(desk.state.recovered.is_none(), "its alert has fired for ten minutes since");
    assert!(!desk.state.is_recovered_by(desk.now));
}

#[test]
fn a_journal_of_before_relapses_called_people_is_read_as_it_was_meant() {
    let mut desk = Desk::alerted(1800);
    desk.looks();
    let by = person(7);
    assert!(desk.writes(Event::Acknowledged { by: by.clone(), until: desk.now + 60 * SECOND, how: "x".to_owned() }));
    assert!(desk.writes(Event::Recovered { run: RunId::generate(), at: desk.now }));
    desk.now += SECOND;
    assert!(desk.writes(Event::Relapsed { alert: AlertSeen { starts_at: desk.now, ..alert() }, anew: false }));
    assert!(desk.writes(Event::StillAsked { by, until: desk.now + 90 * SECOND }));
    let mut text = serde_json::to_value(&desk.journal).unwrap();
    for entry in text.as_array_mut().unwrap() {
        for new in ["anew", "resolves_within", "description", "url"] {
            entry["event"].as_object_mut().unwrap().remove(new);
        }
    }
    let journal: Vec<Entry> = serde_json::from_value(text).unwrap();
    assert_eq!(State::replay(&journal).unwrap(), desk.state);
}

#[test]
fn a_drill_climbs_the_same_ladders_and_calls_its_contacts_alone() {
    let drill = Drill { contacts: vec!["Drill".to_owned()], rto: 120 * SECOND, services: false };
    let real = scenario(1800, Priority::Critical);
    let Policy { scenario, ladder } = Policy::of(&real, &shares(), Some(&drill));
    assert_eq!((scenario.rto.0, &scenario.responsible), (120 * SECOND, &drill.contacts));
    let rungs = ladder::rungs(&ladder, start(), start() + scenario.rto.0);
    assert_eq!(rungs.iter().map(|rung| rung.percent).collect::<Vec<_>>(), [0, 50, 75, 90, 100]);
    assert!(rungs.iter().all(|rung| rung.page == drill.contacts));
    assert_eq!(Policy::of(&real, &shares(), None), Policy { scenario: real, ladder: shares() });

    let by = Person { id: DiscordId(7), name: "Dana".to_owned() };
    let mut desk = Desk::of(scenario, ladder, Because::Person { by, text: None }, Some(drill));
    desk.looks();
    assert_eq!(desk.levels_used(), [Level::Primary], "who begins it does not have it");
    (0..600).for_each(|_| desk.passes(SECOND));
    assert_eq!(desk.rungs_used(), [0, 50, 75, 90, 100], "and nobody is called for ever");
    assert_eq!(desk.levels_used(), [Level::Primary, Level::Secondary, Level::Emergency]);
}

#[test]
fn a_clock_that_is_set_back_makes_nobody_wait_longer() {
    let mut set_back = Desk::alerted(1800);
    let mut steady = Desk::alerted(1800);
    for desk in [&mut set_back, &mut steady] {
        desk.looks();
        desk.passes(600 * SECOND);
    }
    let by = 3600 * SECOND;
    set_back.now -= by;
    let now = set_back.now;
    assert!(set_back.writes(Event::ClockSetBack { by, now }));
    assert_eq!(set_back.state.last_at, now);
    for _ in 0..1500 {
        set_back.passes(SECOND);
        steady.passes(SECOND);
        assert_eq!(set_back.rungs_used(), steady.rungs_used());
        assert_eq!(set_back.levels_used(), steady.levels_used());
    }
    assert_eq!(set_back.rungs_used(), [0, 50, 75, 90, 100]);
}

#[test]
fn what_stands_still_is_told_once() {
    let mut desk = Desk::alerted(600);
    desk.looks();
    desk.facts.stalls = vec![Stall::Approval { run: RunId::generate(), round: 1 }];
    desk.looks();
    desk.passes(SECOND);
    assert_eq!(desk.pages().iter().filter(|page| page.stall.is_some()).count(), 1);
}

/// Something that happens to an incident.
#[derive(Debug, Clone)]
enum Happens {
    Pass(u64),
    Acknowledge(u64),
    Renew(u64),
    Note(u64),
    Move(u64),
    Rescope(u64),
    Recover,
    Relapse,
    Close,
    Restart,
    Forecast(Option<u64>),
    SetBack(u64),
}

fn anything() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0u64..4000).prop_map(Happens::Pass),
        2 => (0u64..30).prop_map(Happens::Pass),
        2 => (1u64..4).prop_map(Happens::Acknowledge),
        1 => (1u64..4).prop_map(Happens::Renew),
        1 => (1u64..4).prop_map(Happens::Note),
        1 => (0u64..10_000).prop_map(Happens::Move),
        1 => (30u64..4000).prop_map(Happens::Rescope),
        1 => Just(Happens::Recover),
        1 => Just(Happens::Relapse),
        1 => Just(Happens::Restart),
        1 => proptest::option::of(0u64..5000).prop_map(Happens::Forecast),
        1 => (3u64..8000).prop_map(Happens::SetBack),
        1 => Just(Happens::Close),
    ]
}

fn happens(desk: &mut Desk, what: &Happens) {
    let lease = desk.state.ack_policy.lease;
    match what {
        Happens::Pass(seconds) => desk.now += Duration::from_secs(*seconds),
        Happens::Acknowledge(who) => {
            let event = acknowledged(desk, *who);
            desk.writes(event);
        }
        Happens::Renew(who) => {
            desk.writes(Event::Renewed { by: person(*who), until: desk.now + lease });
        }
        Happens::Note(who) => {
            desk.writes(Event::Noted { by: person(*who), text: "something".to_owned() });
        }
        Happens::Move(seconds) => {
            let (from, due) = (desk.state.deadline.from.at, desk.now + Duration::from_secs(*seconds));
            let rungs = ladder::rungs(&shares(), from, due);
            let repeat_every = ladder::repeat_every((due - from).to_std().unwrap());
            desk.writes(Event::DeadlineMoved { by: person(1), due, reason: "why".to_owned(), rungs, repeat_every });
        }
        Happens::Rescope(rto) => {
            let scenario = scenario(*rto, Priority::High);
            let from = desk.state.deadline.from.at;
            desk.writes(Event::ScenarioChanged {
                by: person(1),
                rungs: ladder::rungs(&shares(), from, from + scenario.rto.0),
                ack: ladder::ack_policy(&scenario),
                repeat_every: ladder::repeat_every(scenario.rto.0),
                kind: Kind { key: "other".to_owned(), scenario },
            });
        }
        Happens::Recover => {
            desk.writes(Event::Recovered { run: RunId::generate(), at: desk.now });
        }
        Happens::Relapse => {
            desk.writes(Event::Relapsed { alert: alert(), anew: true });
        }
        Happens::Close => {
            desk.writes(Event::Closed { by: person(2), reason: None });
        }
        // Nothing but the journal survives, written out and read in again.
        Happens::Restart => {
            let text = serde_json::to_string(&desk.journal).unwrap();
            desk.journal = serde_json::from_str(&text).unwrap();
            let replayed = State::replay(&desk.journal).unwrap();
            assert_eq!(replayed, desk.state);
            desk.state = replayed;
        }
        Happens::SetBack(seconds) => {
            let by = Duration::from_secs(*seconds);
            let now = desk.now - by;
            if desk.writes(Event::ClockSetBack { by, now }) {
                desk.now = now;
            }
        }
        Happens::Forecast(needs) => {
            desk.facts.forecast =
                needs.map(|needs| Forecast { p90: Duration::from_secs(needs), runs: 1, ..Forecast::default() });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_ladders_hold_whatever_happens(rto in 30u64..4000, all in prop::collection::vec(anything(), 1..60)) {
        let mut desk = Desk::alerted(rto);
        desk.looks();
        for what in &all {
            happens(&mut desk, what);
            desk.looks();
            // Nothing that is due is silent.
            if !desk.state.is_over() {
                let wakes = wakes_at(&desk.state);
                prop_assert!(wakes.is_none_or(|at| at > desk.now), "{wakes:?} is due and silent: {:?}", desk.state);
                let deadline = &desk.state.deadline;
                let due = deadline.rungs.iter().filter(|rung| rung.due_at <= desk.now).map(|rung| rung.percent).max();
                prop_assert!(due <= deadline.used, "a rung that is due was not used");
                prop_assert!(wakes.is_some(), "an open incident never sleeps for good");
            }
        }
        // Never after the end, and never twice for the same.
        let mut over = false;
        let mut told = BTreeSet::new();
        let mut epoch = 0;
        for entry in &desk.journal {
            match &entry.event {
                Event::Recovered { .. } | Event::Closed { .. } => over = true,
                Event::Relapsed { .. } => over = false,
                Event::ScenarioChanged { .. } | Event::DeadlineMoved { .. } => epoch += 1,
                Event::Paged(paged) => {
                    prop_assert!(!over, "somebody was called after the end");
                    if let Some(percent) = paged.deadline {
                        prop_assert!(told.insert((epoch, percent, paged.repeat)), "twice the same rung");
                    }
                }
                _ => {}
            }
        }
    }
}
