//! Two incidents to tell: one that went wrong in every way, and one that went well. Tests only.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::Record;
use crate::{
    clock::Timestamp,
    config::settings::{DiscordId, Level, Priority, RungSettings, Scenario},
    contacts::way::Way,
    ids::{IncidentId, RunId},
    incident::{
        event::{
            AlertSeen, Because, Breach, Delivery, Entry, Event, Kind, Opened, PageTo, Paged, Seen, Stall,
            USUAL_RESOLVING,
        },
        ladder,
        state::State,
    },
    run::{
        self,
        event::{ApprovalAsked, Called, Choice, Created, Event as RunEvent, FailureKind, Person},
        glass::{Glass, GlassBroken, Grounds},
        lockdown::Lockdown,
        outcome::Outcome,
    },
    runbook::{
        action::{Action, Ask, Exec, Postgres},
        definition::{Approval, Command, Effect, OnFailure, Recovered, Retry, Risk, Step, UndoWhen},
        span::Span,
    },
};

pub fn run() -> RunId {
    "01930000-0000-7000-8000-00000000cafe".parse().unwrap()
}

/// `seconds` after 03:12:40.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp_secs(1_773_285_160).unwrap() + TimeDelta::seconds(seconds)
}

pub fn person(id: u64, name: &str) -> Person {
    Person { id: DiscordId(id), name: name.to_owned() }
}

pub fn dana() -> Person {
    person(1, "Dana")
}

pub fn omar() -> Person {
    person(2, "Omar")
}

// ---- an incident --------------------------------------------------------------------------------------------------------

fn scenario(rto: u64) -> Scenario {
    Scenario {
        name: "Database corruption".to_owned(),
        rto: Span::from_secs(rto),
        rpo: Span::from_secs(600),
        priority: Priority::Critical,
        responsible: Vec::new(),
    }
}

fn shares() -> Vec<RungSettings> {
    [0, 50, 75, 100].map(|at| RungSettings { at, page: vec!["responsible".to_owned()], reach: None }).to_vec()
}

fn alert(name: &str) -> AlertSeen {
    AlertSeen {
        source: "alertmanager".to_owned(),
        fingerprint: name.to_owned(),
        name: name.to_owned(),
        summary: "checksums of *trades* do not match".to_owned(),
        description: None,
        url: None,
        starts_at: at(12),
    }
}

fn opened(rto: u64, because: Because, failure: Option<i64>) -> Event {
    let scenario = scenario(rto);
    let from = at(failure.unwrap_or(12));
    Event::Opened(Box::new(Opened {
        rungs: ladder::rungs(&shares(), from, from + scenario.rto.0),
        ack: ladder::ack_policy(&scenario),
        repeat_every: ladder::repeat_every(scenario.rto.0),
        kind: Kind { key: "database-corruption".to_owned(), scenario },
        target: Some("prod".to_owned()),
        because,
        failure: failure.map(|seconds| Seen { at: at(seconds), source: "the last good sample".to_owned() }),
        detected: Seen { at: at(12), source: "the alert DatabaseCorrupt".to_owned() },
        channel: DiscordId(1),
        resolves_within: USUAL_RESOLVING,
        drill: None,
    }))
}

fn called(name: &str) -> Called {
    Called { role: "Database Administrator".to_owned(), name: name.to_owned(), user: DiscordId(7) }
}

fn sms() -> PageTo {
    PageTo { role: "Lead".to_owned(), name: "Omar".to_owned(), way: Way::Sms, level: Level::Primary }
}

fn paged(due: i64) -> Paged {
    Paged {
        deadline: None,
        repeat: 0,
        early: None,
        ack: None,
        stall: None,
        due_at: at(due),
        passed_over: Vec::new(),
        called: vec![called("Omar")],
        roles: Vec::new(),
        pages: Vec::new(),
        unreachable: Vec::new(),
        faster: None,
    }
}

fn ladder_of(rto: u64) -> Vec<ladder::Rung> {
    ladder::rungs(&shares(), at(0), at(0) + scenario(rto).rto.0)
}

/// What is true of every incident that can happen, beside its opening: all kinds of events.
pub fn happens(run: RunId) -> Vec<(i64, Event)> {
    let page = |paged: Paged| Event::Paged(Box::new(paged));
    let heard = |outcome| Event::Delivered { page: sms(), outcome };
    let why = || "no answer".to_owned();
    vec![
        (12, page(Paged { deadline: Some(0), ack: Some(Level::Primary), pages: vec![sms()], ..paged(12) })),
        (14, heard(Delivery::Unknown { why: why() })),
        (15, heard(Delivery::Failed { why: why() })),
        (40, heard(Delivery::Undeliverable { why: "no such number".to_owned() })),
        (
            72,
            page(Paged {
                ack: Some(Level::Secondary),
                called: vec![called("Dana")],
                roles: vec!["operator".to_owned()],
                unreachable: vec!["Lena (Security Team)".to_owned()],
                ..paged(72)
            }),
        ),
        (90, Event::AlertFired { alert: alert("DatabaseSlow") }),
        (95, Event::Acknowledged { by: dana(), until: at(215), how: "by the button".to_owned() }),
        (120, Event::RunJoined { run, command: "restore-db".to_owned(), by: dana() }),
        (230, Event::Renewed { by: dana(), until: at(350) }),
        (250, page(Paged { stall: Some(Stall::Approval { run, round: 1 }), ..paged(250) })),
        (
            310,
            page(Paged {
                deadline: Some(50),
                early: Some(Breach {
                    needs: std::time::Duration::from_secs(400),
                    left: std::time::Duration::from_secs(290),
                }),
                ..paged(310)
            }),
        ),
        (330, Event::Noted { by: omar(), text: "the disk of `db-1` is @full".to_owned() }),
        (360, Event::StillAsked { by: dana(), until: at(390) }),
        (370, Event::Acknowledged { by: dana(), until: at(490), how: "by the button".to_owned() }),
        (610, page(Paged { deadline: Some(100), passed_over: vec![75], called: Vec::new(), ..paged(450) })),
        (611, heard(Delivery::Delivered)),
        (
            620,
            Event::ScenarioChanged {
                by: omar(),
                kind: Kind { key: "database-corruption".to_owned(), scenario: scenario(600) },
                rungs: ladder_of(600),
                ack: ladder::ack_policy(&scenario(600)),
                repeat_every: ladder::repeat_every(scenario(600).rto.0),
            },
        ),
        (
            630,
            Event::DeadlineMoved {
                by: omar(),
                due: at(720),
                reason: "the restore needs longer".to_owned(),
                rungs: ladder_of(720),
                repeat_every: ladder::repeat_every(scenario(720).rto.0),
            },
        ),
        (690, Event::Recovered { run, at: at(690) }),
        (695, Event::Relapsed { alert: alert("DatabaseCorrupt"), anew: true }),
        (700, Event::Recovered { run, at: at(700) }),
        (
            710,
            Event::AlertResolved {
                source: "alertmanager".to_owned(),
                fingerprint: "DatabaseCorrupt".to_owned(),
                name: "DatabaseCorrupt".to_owned(),
            },
        ),
        (711, heard(Delivery::Cancelled)),
        (800, Event::Closed { by: dana(), reason: Some("all is well again".to_owned()) }),
    ]
}

/// The events that may follow, at their times; others are left out.
pub fn journal(opening: Event, opened_at: i64, events: Vec<(i64, Event)>) -> Vec<Entry> {
    let incident: IncidentId = "01930000-0000-7000-8000-00000000beef".parse().unwrap();
    let first = Entry { incident, seq: 1, at: at(opened_at), event: opening };
    let mut state = State::begin(&first).unwrap();
    let mut journal = vec![first];
    for (seconds, event) in events {
        let entry = Entry { incident, seq: state.seq + 1, at: at(seconds), event };
        if state.apply(&entry).is_ok() {
            journal.push(entry);
        }
    }
    journal
}

// ---- a run --------------------------------------------------------------------------------------------------------------

fn step(id: &str, name: &str, action: Action) -> Step {
    Step {
        id: id.to_owned(),
        name: name.to_owned(),
        why: None,
        action,
        when: None,
        takes: None,
        timeout: Some(Span::from_secs(600)),
        retry: Some(Retry { attempts: 2, delay: Span::from_secs(2), backoff: 1.0 }),
        effect: Some(Effect::Idempotent),
        check: None,
        expect: None,
        says: None,
        keep: None,
        outputs: BTreeMap::default(),
        undo: None,
        undo_when: UndoWhen::Succeeded,
        on_failure: Some(OnFailure::Ask),
        point_of_no_return: false,
        scope: String::new(),
    }
}

pub fn program() -> Action {
    Action::Exec(Exec {
        program: "do".to_owned(),
        args: Vec::new(),
        env: BTreeMap::default(),
        secrets: BTreeMap::default(),
        directory: None,
    })
}

fn restore() -> Command {
    let ask = Action::Ask(Ask { question: "Which?".to_owned(), choices: vec!["b.dump".to_owned()] });
    let loss = Action::Postgres(Postgres::Loss { database: "trading_bot_prod".to_owned() });
    Command {
        name: "restore-db".to_owned(),
        summary: "Restore the database".to_owned(),
        scenario: Some("database-corruption".to_owned()),
        risk: Risk::Destructive,
        roles: vec!["operator".to_owned()],
        lock: None,
        target: Some("prod".to_owned()),
        options: BTreeMap::default(),
        approval: Some(Approval {
            before: "restore".to_owned(),
            after: None,
            roles: vec!["dba".to_owned()],
            quorum: 1,
            expires: Span::from_secs(120),
            confirm: None,
            cost: None,
            unless: None,
            because: None,
        }),
        undoes: None,
        steps: vec![
            Step { takes: Some(Span::from_secs(10)), ..step("halt", "Halt trading", program()) },
            step("which", "Choose the backup", ask),
            step("assess", "Look at the damage", program()),
            Step { undo: Some(program()), ..step("restore", "Restore the backup", program()) },
            step("loss", "Measure what was lost", loss),
        ],
        recovered: Some(Recovered { when: "true".to_owned() }),
        next: None,
    }
}

pub fn created() -> RunEvent {
    RunEvent::RunCreated(Box::new(Created {
        command: restore(),
        definition_hash: "hash".to_owned(),
        options: BTreeMap::new(),
        requester: dana(),
        requester_roles: Vec::new(),
        channel: DiscordId(1),
        target: json!({ "name": "prod", "database": "trading_bot_prod" }),
        scenario: Some(scenario(600)),
        incident: None,
        rungs: vec![run::rungs::Rung { percent: 50, due_at: at(200), page: vec!["everyone".to_owned()] }],
        lock: None,
        glass: Some(Glass { near: 75 }),
        undone: None,
        locked_down: None,
    }))
}

pub fn starts(step: &str, attempt: u32) -> RunEvent {
    RunEvent::StepStarted { step: step.to_owned(), attempt, action: Box::new(program()), facts: Map::new() }
}

pub fn does(step: &str, attempt: u32, summary: &str, outputs: &Value) -> RunEvent {
    RunEvent::StepSucceeded {
        step: step.to_owned(),
        attempt,
        outputs: outputs.as_object().cloned().unwrap_or_default(),
        summary: summary.to_owned(),
        log: Vec::new(),
    }
}

pub fn fails(step: &str, attempt: u32, message: &str) -> RunEvent {
    RunEvent::StepFailed {
        step: step.to_owned(),
        attempt,
        message: message.to_owned(),
        kind: FailureKind::Failed,
        log: Vec::new(),
        found: Map::new(),
    }
}

fn asks(round: u32, expires: i64) -> RunEvent {
    RunEvent::ApprovalAsked(Box::new(ApprovalAsked {
        round,
        token: "t".to_owned(),
        plan_hash: "abcdef0123456789".to_owned(),
        plan: vec!["Restore the backup".to_owned()],
        cost: None,
        confirm: None,
        expires_at: at(expires),
    }))
}

fn question(step: &str, question: &str, choices: Vec<Choice>) -> RunEvent {
    RunEvent::QuestionAsked { step: step.to_owned(), token: "q".to_owned(), question: question.to_owned(), choices }
}

fn answer(step: &str, choice: Choice, reason: Option<&str>) -> RunEvent {
    RunEvent::QuestionAnswered { step: step.to_owned(), choice, by: dana(), reason: reason.map(str::to_owned) }
}

fn broken(round: u32) -> RunEvent {
    RunEvent::GlassBroken(Box::new(GlassBroken {
        round,
        by: omar(),
        plan_hash: "abcdef0123456789".to_owned(),
        reason: "nobody answers, and money burns".to_owned(),
        grounds: Grounds { used: Some(70), unanswered: 1 },
        called: vec![called("Lena")],
        unreachable: Vec::new(),
        review_by: at(86_400),
    }))
}

fn in_run(percent: u8) -> RunEvent {
    RunEvent::Paged(Box::new(run::event::Paged {
        percent,
        due_at: at(200),
        passed_over: Vec::new(),
        called: Vec::new(),
        unreachable: vec!["Gil (Backup)".to_owned()],
    }))
}

/// A restore on which nearly everything goes wrong.
fn bad_restore() -> Vec<(i64, RunEvent)> {
    let skip_or_retry = || vec![Choice::Retry, Choice::Skip];
    vec![
        (121, starts("halt", 1)),
        (125, does("halt", 1, "halted", &json!({}))),
        (126, starts("which", 1)),
        (126, question("which", "Which backup?", vec![Choice::Answer("b.dump".to_owned())])),
        (150, answer("which", Choice::Answer("b.dump".to_owned()), None)),
        (151, starts("assess", 1)),
        (160, fails("assess", 1, "the table <trades> is missing")),
        (161, question("assess", "\"Look at the damage\" failed", skip_or_retry())),
        (170, answer("assess", Choice::Skip, Some("the damage is known"))),
        (180, asks(1, 300)),
        (210, in_run(50)),
        (300, RunEvent::ApprovalExpired { round: 1 }),
        (320, RunEvent::ApprovalRenewed { by: dana() }),
        (321, asks(2, 520)),
        (510, broken(2)),
        (511, starts("restore", 1)),
        (540, fails("restore", 1, "connection lost")),
        (545, starts("restore", 2)),
        (640, does("restore", 2, "b.dump restored", &json!({}))),
        (641, starts("loss", 1)),
        (660, does("loss", 1, "15 min, 13 rows", &json!({ "seconds": 900, "rows": 13, "is_least": false }))),
        (690, RunEvent::Recovered),
        (692, RunEvent::Finished { outcome: Outcome::SucceededWithSkips, message: String::new() }),
    ]
}

/// Kinds of events that are in neither story; for whatever may happen.
pub fn anything_else() -> Vec<RunEvent> {
    let lockdown = Lockdown { by: "Lena".to_owned(), at: at(1), reason: "a laptop was stolen".to_owned() };
    let step = || "restore".to_owned();
    let choices = vec![Choice::Happened, Choice::DidNotHappen, Choice::Undo, Choice::Abort, Choice::Retry];
    vec![
        RunEvent::StepInterrupted { step: step(), attempt: 1 },
        RunEvent::StepNotDone { step: step(), attempt: 1 },
        RunEvent::StepUnknown { step: step(), attempt: 1, reason: "no answer".to_owned() },
        question("restore", "Did it happen?", choices),
        answer("restore", Choice::Undo, None),
        answer("restore", Choice::Happened, None),
        RunEvent::ApprovalDenied { round: 1, by: omar(), reason: "not now".to_owned() },
        RunEvent::ApprovalGiven { round: 1, by: omar(), plan_hash: "abcdef0123456789".to_owned() },
        RunEvent::ApprovalWithdrawn { round: 1, by: omar() },
        RunEvent::ApprovalVoided { round: 1, reason: "the backup has changed".to_owned() },
        RunEvent::ApprovalWaived { round: 1, because: "the volume is gone".to_owned() },
        RunEvent::CancelAsked { by: dana(), reason: Some("it is the wrong one".to_owned()) },
        RunEvent::UndoStarted { step: step(), attempt: 1 },
        RunEvent::UndoFailed { step: step(), attempt: 1, message: "no answer".to_owned() },
        RunEvent::UndoSucceeded { step: step(), summary: "gone".to_owned() },
        RunEvent::Held { lockdown },
        RunEvent::Released { by: "root".to_owned(), reason: "it was found".to_owned() },
        RunEvent::Joined { incident: "01930000-0000-7000-8000-00000000beef".parse().unwrap() },
        RunEvent::StepSkipped { step: "halt".to_owned(), reason: run::event::SkipReason::Condition },
        RunEvent::StepSkipped {
            step: step(),
            reason: run::event::SkipReason::Person { by: dana(), reason: "why".to_owned() },
        },
    ]
}

/// The events that may follow, at their times; others are left out.
pub fn run_journal(created: RunEvent, created_at: i64, events: Vec<(i64, RunEvent)>) -> Vec<run::event::Entry> {
    let run = run();
    let first = run::event::Entry { run, seq: 1, at: at(created_at), event: created };
    let mut state = run::state::State::begin(&first).unwrap();
    let mut journal = vec![first];
    for (seconds, event) in events {
        let entry = run::event::Entry { run, seq: state.seq + 1, at: at(seconds), event };
        if state.apply(&entry).is_ok() {
            journal.push(entry);
        }
    }
    journal
}

/// All that happens in the bad story's run, for whoever shakes it up.
pub fn run_events() -> Vec<RunEvent> {
    bad_restore().into_iter().map(|(_, event)| event).chain(anything_else()).collect()
}

// ---- the stories --------------------------------------------------------------------------------------------------------

pub fn opened_by_alert() -> Event {
    opened(600, Because::Alert(alert("DatabaseCorrupt")), Some(0))
}

pub fn breached() -> Record {
    let journal = journal(opened_by_alert(), 12, happens(run()));
    assert_eq!(journal.len(), happens(run()).len() + 1, "all of it can happen");
    let run = run_journal(created(), 120, bad_restore());
    assert_eq!(run.len(), bad_restore().len() + 1, "all of it can happen");
    Record::of(journal, vec![run], at(1000)).unwrap()
}

pub fn good() -> Record {
    let run = run();
    let said = Because::Person { by: dana(), text: Some("trades are missing".to_owned()) };
    let events = vec![
        (20, Event::RunJoined { run, command: "restore-db".to_owned(), by: dana() }),
        (250, Event::Recovered { run, at: at(250) }),
        (285, Event::Closed { by: dana(), reason: None }),
    ];
    let steps = vec![
        (21, starts("halt", 1)),
        (25, does("halt", 1, "halted", &json!({}))),
        (26, starts("which", 1)),
        (26, question("which", "Which backup?", vec![Choice::Answer("b.dump".to_owned())])),
        (36, answer("which", Choice::Answer("b.dump".to_owned()), None)),
        (37, starts("assess", 1)),
        (60, does("assess", 1, "13 rows are wrong", &json!({}))),
        (60, asks(1, 300)),
        (120, RunEvent::ApprovalGiven { round: 1, by: omar(), plan_hash: "abcdef0123456789".to_owned() }),
        (121, starts("restore", 1)),
        (230, does("restore", 1, "b.dump restored", &json!({}))),
        (231, starts("loss", 1)),
        (249, does("loss", 1, "6.7 s, 13 rows", &json!({ "seconds": 6.7, "rows": 13, "is_least": false }))),
        (250, RunEvent::Recovered),
        (252, RunEvent::Finished { outcome: Outcome::Succeeded, message: String::new() }),
    ];
    let (journal, run) = (journal(opened(1800, said, None), 12, events), run_journal(created(), 20, steps.clone()));
    assert_eq!(run.len(), steps.len() + 1, "all of it can happen");
    Record::of(journal, vec![run], at(300)).unwrap()
}
