//! What people see, as snapshots: the shipped `/restore-db` through its states, and every sentence that is not on a card.
//! A change of a word shows up as a change of a file under `snapshots/`.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::{Map, Value, json};

use super::{card, text, view, words};
use crate::{
    clock::Timestamp,
    config::{load::Configuration, settings::DiscordId},
    contacts::Contact,
    run::{
        event::{ApprovalAsked, Called, Choice, Created, Entry, Event, FailureKind, Paged, Person},
        outcome::Outcome,
        state::State,
    },
};

const RUN: &str = "01930000-0000-7000-8000-00000000cafe";

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn person(id: u64, name: &str) -> Person {
    Person { id: DiscordId(id), name: name.to_owned() }
}

/// A run of a shipped command, told event by event.
pub(super) struct Story {
    pub(super) state: State,
    second: i64,
}

impl Story {
    pub(super) fn of(command: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let configuration =
            Configuration::load_with(folder, |name| name.ends_with("TOKEN").then(|| "x".to_owned())).unwrap();
        let command = configuration.commands[command].clone();
        let created = Created {
            scenario: command.scenario.as_ref().map(|name| configuration.settings.scenario[name].clone()),
            rungs: crate::run::rungs::of(
                command.scenario.as_ref().map(|name| &configuration.settings.scenario[name]),
                &configuration.settings.escalation,
                at(0),
            ),
            command,
            definition_hash: "hash".to_owned(),
            options: BTreeMap::new(),
            requester: person(1, "Dana"),
            requester_roles: Vec::new(),
            channel: DiscordId(2),
            target: json!({ "name": "prod", "database": "trading_bot_prod" }),
            incident: None,
            lock: None,
            glass: None,
            undone: None,
            locked_down: None,
        };
        let entry = Entry { run: RUN.parse().unwrap(), seq: 1, at: at(0), event: Event::RunCreated(Box::new(created)) };
        Self { state: State::begin(&entry).unwrap(), second: 0 }
    }

    fn then(mut self, event: Event) -> Self {
        self.second += 1;
        let entry = Entry { run: self.state.id, seq: self.state.seq + 1, at: at(self.second), event };
        self.state.apply(&entry).unwrap();
        self
    }

    fn begins(self, step: &str) -> Self {
        let there = self.state.step(step).unwrap();
        let (attempt, action) = (there.attempts + 1, Box::new(there.definition.action.clone()));
        self.then(Event::StepStarted { step: step.to_owned(), attempt, action, facts: Map::new() })
    }

    fn does(self, step: &str, summary: &str, outputs: Value) -> Self {
        let story = self.begins(step);
        let attempt = story.state.step(step).unwrap().attempts;
        let outputs = outputs.as_object().cloned().unwrap_or_default();
        let (step, summary) = (step.to_owned(), summary.to_owned());
        story.then(Event::StepSucceeded { step, attempt, outputs, summary, log: Vec::new() })
    }

    fn fails(self, step: &str, message: &str, kind: FailureKind) -> Self {
        let story = self.begins(step);
        let attempt = story.state.step(step).unwrap().attempts;
        let (step, message) = (step.to_owned(), message.to_owned());
        story.then(Event::StepFailed { step, attempt, message, kind, log: Vec::new(), found: Map::new() })
    }

    fn undo_fails(self, attempt: u32) -> Self {
        self.then(Event::UndoStarted { step: "restore".to_owned(), attempt }).then(Event::UndoFailed {
            step: "restore".to_owned(),
            attempt,
            message: "no answer".to_owned(),
        })
    }

    fn halted(self, call: &str) -> Self {
        let step = |name: &str| format!("{call}.{name}");
        self.does(&step("request"), "200 in 10 ms", json!({}))
            .does(&step("verify"), "halted", json!({}))
            .then(Event::StepSkipped { step: step("stop"), reason: crate::run::event::SkipReason::Condition })
            .does(&step("effective"), "1 of 2 good", json!({}))
    }

    /// Halted, looked at, verified, asked for.
    pub(super) fn asked() -> Self {
        Self::of("restore-db")
            .does("announce", "Dana is restoring the database", json!({}))
            .halted("halt")
            .does("assess", "the table public.trades is missing", json!({}))
            .does("verify", "b.dump: whole, checksum right, 4s old", json!({ "backup": "b.dump" }))
            .then(Event::ApprovalAsked(Box::new(ApprovalAsked {
                round: 1,
                token: "t".repeat(32),
                plan_hash: "abcdef0123456789".to_owned(),
                plan: vec!["Stop the trading bot".to_owned(), "Swap it in".to_owned()],
                cost: Some(
                    "About 7 min 40 s of data will be lost, within the objective of 10 min (13 rows).".to_owned(),
                ),
                confirm: Some("trading_bot_prod".to_owned()),
                expires_at: at(300),
            })))
    }

    fn approved(self) -> Self {
        let plan_hash = "abcdef0123456789".to_owned();
        self.then(Event::ApprovalGiven { round: 1, by: person(3, "Omar"), plan_hash })
    }

    fn restored(self) -> Self {
        self.does("restore", "b.dump restored as drbot_0000cafe", json!({})).does(
            "integrity",
            "306241 rows in 11 tables: all checks good",
            json!({}),
        )
    }

    fn swapped(self) -> Self {
        let swapped = json!({
            "kept": "trading_bot_prod_damaged_0000cafe", "kept_size": 97_800_000, "interrupted_ms": 3,
            "drop_hint": "DROP DATABASE \"trading_bot_prod_damaged_0000cafe\";",
        });
        self.does("stop_bot", "trading-bot is stopped", json!({}))
            .does("swap", "the damaged one is kept", swapped)
            .does(
                "loss",
                "6.7 s, 13 rows",
                json!({ "seconds": 6.7, "rows": 13, "how": "against the damaged database" }),
            )
    }

    fn ends(self, outcome: Outcome, message: &str) -> Self {
        self.then(Event::Finished { outcome, message: message.to_owned() })
    }

    /// Both surfaces, as text.
    fn shown(&self, live: Option<&view::Live>) -> String {
        let view = view::of(&self.state, at(self.second + 1), live);
        let card = card::of(&view);
        let fields: Vec<_> = card.fields.iter().map(|field| format!("[{}] {}", field.name, field.value)).collect();
        let buttons: Vec<_> = card.buttons.iter().flatten().map(|button| button.label.clone()).collect();
        format!(
            "{}\n\n──── Discord\n# {}\n{}\n{}\n({})\nbuttons: {}\n",
            text::card(&view, 100, false),
            card.title,
            card.description,
            fields.join("\n"),
            card.footer,
            buttons.join(" | "),
        )
    }
}

#[test]
fn a_restore_through_its_states() {
    let live = view::Live {
        step: "restore".to_owned(),
        done: 62_000_000,
        total: 100_000_000,
        unit: "bytes".to_owned(),
        doing: "restoring".to_owned(),
        started_at: at(10),
    };
    let question = |story: Story, step: &str, question: &str, choices: Vec<Choice>| {
        let (step, question, token) = (step.to_owned(), question.to_owned(), "q".repeat(32));
        story.then(Event::QuestionAsked { step, token, question, choices })
    };
    let swapped = || Story::asked().restored().approved().swapped();
    let states = [
        ("started", Story::of("restore-db").begins("announce"), None),
        ("restoring_while_approval_is_pending", Story::asked().begins("restore"), Some(live)),
        ("approved", Story::asked().restored().approved(), None),
        ("expired", Story::asked().restored().then(Event::ApprovalExpired { round: 1 }), None),
        (
            "denied",
            Story::asked()
                .restored()
                .then(Event::ApprovalDenied {
                    round: 1,
                    by: person(3, "Omar"),
                    reason: "an older backup, please".to_owned(),
                })
                .then(Event::UndoStarted { step: "restore".to_owned(), attempt: 1 })
                .then(Event::UndoSucceeded { step: "restore".to_owned(), summary: "dropped".to_owned() })
                .ends(Outcome::Refused, "Omar denied it: an older backup, please"),
            None,
        ),
        (
            "question_after_a_failure",
            question(
                swapped().fails("start_bot", "there is no container trading-bot", FailureKind::Failed),
                "start_bot",
                "\"Start the trading bot\" failed: there is no container trading-bot",
                vec![Choice::Retry, Choice::Skip, Choice::Abort],
            ),
            None,
        ),
        (
            "interrupted",
            Story::asked()
                .begins("restore")
                .then(Event::StepInterrupted { step: "restore".to_owned(), attempt: 1 })
                .then(Event::StepNotDone { step: "restore".to_owned(), attempt: 1 })
                .begins("restore"),
            None,
        ),
        (
            "refused_backup",
            Story::of("restore-db")
                .does("announce", "", json!({}))
                .halted("halt")
                .does("assess", "no damage was found", json!({}))
                .fails("verify", "b.dump is damaged: it is cut off", FailureKind::Refused)
                .ends(Outcome::Refused, "Verify the backup: b.dump is damaged: it is cut off"),
            None,
        ),
        (
            "done",
            swapped()
                .does("start_bot", "trading-bot is started", json!({}))
                .does("bot_answers", "200 in 4 ms", json!({}))
                .halted("halt_again")
                .does("allow_writes", "trading_bot_prod takes writes again", json!({}))
                .does("healthy", "3 times in a row: 200 in 58 ms", json!({}))
                .then(Event::Recovered)
                .ends(Outcome::Succeeded, ""),
            None,
        ),
        (
            "failed_behind_the_swap",
            swapped()
                .fails("start_bot", "there is no container trading-bot", FailureKind::Refused)
                .ends(Outcome::Aborted, "Lena stopped it"),
            None,
        ),
        (
            "stuck",
            Story::asked()
                .fails("restore", "no space is left on the disk", FailureKind::Failed)
                .undo_fails(1)
                .undo_fails(2)
                .undo_fails(3)
                .ends(Outcome::Stuck, "Restore it beside the damaged database could not be taken back: no answer"),
            None,
        ),
    ];
    for (name, story, live) in states {
        insta::assert_snapshot!(name, story.shown(live.as_ref()));
    }
}

#[test]
fn a_halt_that_cannot_be_had_is_loud() {
    let story = Story::of("halt")
        .fails("request", "it refuses connections", FailureKind::Failed)
        .begins("request")
        .then(Event::StepFailed {
            step: "request".to_owned(),
            attempt: 2,
            message: "it refuses connections".to_owned(),
            kind: FailureKind::Refused,
            log: Vec::new(),
            found: Map::new(),
        })
        .fails("verify", "it refuses connections", FailureKind::Refused)
        .fails("stop", "Docker does not answer", FailureKind::Refused)
        .fails("effective", "0 of 2 good", FailureKind::Refused)
        .ends(Outcome::Failed, "Trading is halted, or the trading bot does not run: 0 of 2 good");
    let shown = story.shown(None);
    assert!(shown.contains("TRADING MAY STILL BE RUNNING"), "{shown}");
    insta::assert_snapshot!("halt_failed", shown);
}

#[test]
fn every_sentence() {
    let story = Story::asked();
    let asked = story.state.approval.asked().unwrap().clone();
    let names = ["operator".to_owned(), "dba".to_owned()];
    let sentences = [
        words::started("restore-db", "0000cafe"),
        words::unknown_command("x", &names),
        words::missing_role("halt", &names),
        words::missing_role("", &[]),
        words::wrong_channel(&[DiscordId(5)]),
        words::no_bots(),
        words::throttled(Duration::from_secs(12)),
        words::locked("restore-db", "0000cafe", "Dana", at(0), at(80)),
        words::bad_option("backup", "it is needed"),
        words::unknown_choice("backup", "../../etc/passwd", &["a.dump".to_owned()]),
        words::unknown_choice("backup", "x", &[]),
        words::stopping(),
        words::broken("a template is wrong"),
        words::store_failed(),
        words::own_approval(),
        words::already_approved(),
        words::approval_not_open("denied"),
        words::run_ended(),
        words::stale_button(),
        words::approval_expired(),
        words::wrong_confirmation("trading_bot_prod"),
        words::reason_needed(),
        words::too_late("the step has begun"),
        words::approved(0),
        words::approved(1),
        words::approved(2),
        words::denied(),
        words::withdrawn(),
        words::asked_again(),
        words::answered(),
        words::stopping_run(),
        words::confirm_label("trading_bot_prod"),
        words::approval_call("<@&3>", &story.state, &asked, "https://discord.com/channels/1/2/3"),
        words::question_call("Dana", &story.state, "\"Swap\" failed: no answer", "https://discord.com/channels/1/2/3"),
        words::announcement("<@&3>", "Trading is being halted."),
        words::thread_name(&story.state),
        words::plan(&story.state),
        words::backup_choice(
            json!({ "file": "b.dump", "age": 460, "size": 20_100_000, "integrity": "verified", "loss_seconds": 460 })
                .as_object()
                .unwrap(),
        ),
    ];
    insta::assert_snapshot!("sentences", sentences.join("\n"));
}

#[test]
fn calls_say_what_is_being_done_and_what_is_left() {
    let link = "https://discord.com/channels/1/2/3";
    let called = |name: &str| Called { role: "Lead".to_owned(), name: name.to_owned(), user: DiscordId(7) };
    let paged = |percent: u8, due: i64, called: Vec<Called>, unreachable: &[&str]| Paged {
        percent,
        due_at: at(due),
        passed_over: Vec::new(),
        called,
        unreachable: unreachable.iter().map(|who| (*who).to_owned()).collect(),
    };
    let story = Story::asked().begins("restore");
    let half = paged(50, 900, vec![called("Omar"), called("Dana")], &[]);
    let late = paged(90, 1620, vec![called("Omar")], &["Lena (Security Team)"]);
    let nobody = paged(100, 1800, Vec::new(), &["DBA"]);
    let card = card::of(&view::of(&story.state, at(905), None));
    assert!(card.fields.iter().all(|field| field.name != "Called"));
    let after = story.then(Event::Paged(Box::new(half.clone())));
    let card = card::of(&view::of(&after.state, at(905), None));
    let shown = card.fields.iter().find(|field| field.name == "Called").unwrap();
    let calls = [
        words::page("<@3> <@4>", &after.state, &half, at(900), at(901), link),
        words::page("<@3>", &after.state, &late, at(1700), at(1701), link),
        words::page("", &Story::asked().restored().state, &nobody, at(1801), at(1900), link),
        shown.value.clone(),
        words::contacts::table(&contacts(), &["Security".to_owned()], false, at(0)),
        words::contacts::table(&contacts(), &[], true, at(0)),
        words::contacts::table(&[], &[], false, at(0)),
    ];
    insta::assert_snapshot!("calls", calls.join("\n\n"));
}

fn contacts() -> Vec<Contact> {
    let text = "Role,Name,Discord,Primary,Secondary,Emergency\n\
                Database *Administrator*,Omar,400000000000000002,+1-555-010-0111,+1-555-010-0112,dba@antbot.local\n\
                Lead,@everyone,,+49 30 1234567,,\n";
    crate::contacts::file::parse(Path::new("contacts.csv"), text, at(0)).unwrap().contacts
}
