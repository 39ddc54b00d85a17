//! What is done again and again while a run goes on: folding its journal, drawing its card, reading the files.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::{collections::BTreeMap, hint::black_box, path::Path, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use drbot::{
    clock::Timestamp,
    config::{load::Configuration, settings::DiscordId},
    ids::RunId,
    progress::{
        card,
        picture::{self, Bar, BarKind, Chart, Dot, DotKind, Lane, Mark, MarkKind, Objective},
        view,
    },
    run::{
        event::{Created, Entry, Event, Person},
        state::State,
    },
};

fn load() -> Configuration {
    Configuration::load(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// `/restore-db` with every step begun once and settled.
fn journal(configuration: &Configuration) -> Vec<Entry> {
    let mut command = configuration.commands["restore-db"].clone();
    // What is folded and drawn is all the steps; nobody is here to approve.
    command.approval = None;
    let run = RunId::generate();
    let at = Timestamp::from_timestamp_micros(1_800_000_000_000_000).unwrap();
    let steps = command.steps.clone();
    let created = Created {
        scenario: command.scenario.as_ref().map(|name| configuration.settings.scenario[name].clone()),
        command,
        definition_hash: String::new(),
        options: BTreeMap::new(),
        requester: Person { id: DiscordId(1), name: "Dana".to_owned() },
        requester_roles: Vec::new(),
        channel: DiscordId(2),
        target: serde_json::json!({ "name": "prod", "database": "trading_bot_prod" }),
        rungs: Vec::new(),
        incident: None,
        lock: None,
        glass: None,
        undone: None,
        locked_down: None,
    };
    let mut events = vec![Event::RunCreated(Box::new(created))];
    for step in steps {
        let (id, action) = (step.id.clone(), Box::new(step.action.clone()));
        events.push(Event::StepStarted { step: id.clone(), attempt: 1, action, facts: Default::default() });
        let (outputs, log) = (Default::default(), Vec::new());
        events.push(Event::StepSucceeded {
            step: id,
            attempt: 1,
            outputs,
            summary: "306241 rows: all good".to_owned(),
            log,
        });
    }
    let numbered = events.into_iter().zip(1..);
    numbered.map(|(event, seq)| Entry { run, seq, at, event }).collect()
}

/// An incident of five minutes with one run of nine steps.
fn incident() -> Chart {
    let at = |seconds: i64| Timestamp::from_timestamp_secs(1_800_000_000 + seconds).unwrap();
    let bar = |step: i64| {
        let (from, until) = (at(60 + step * 20), at(80 + step * 20));
        let kind = if step == 4 { BarKind::Waiting } else { BarKind::Done };
        Bar { name: format!("Step {step} of the restore"), from, until, kind }
    };
    let marks =
        [(0, MarkKind::Failure), (12, MarkKind::Detected), (52, MarkKind::Responded), (250, MarkKind::Recovered)];
    let met_at = Some(at(250));
    Chart {
        title: "Database corruption on prod".to_owned(),
        subtitle: "led by Dana".to_owned(),
        from: at(0),
        until: at(285),
        marks: marks.map(|(seconds, kind)| Mark { at: at(seconds), kind }).to_vec(),
        objective: Some(Objective {
            name: "RTO".to_owned(),
            limit: Duration::from_secs(1800),
            due_at: at(1800),
            met_at,
        }),
        lanes: vec![Lane {
            name: "/restore-db".to_owned(),
            note: "succeeded".to_owned(),
            bars: (0..9).map(bar).collect(),
        }],
        pages: vec![Dot { at: at(12), label: "Dana".to_owned(), kind: DotKind::Paged }],
    }
}

fn drawing(criterion: &mut Criterion) {
    let configuration = load();
    let journal = journal(&configuration);
    let state = State::replay(&journal).unwrap();
    let at = state.last_at;
    criterion.bench_function("fold the journal of /restore-db", |bencher| {
        bencher.iter(|| State::replay(black_box(&journal)).unwrap());
    });
    criterion.bench_function("draw the card of /restore-db", |bencher| {
        bencher.iter(|| card::of(&view::of(black_box(&state), at, None)));
    });
    let incident = incident();
    criterion.bench_function("draw the picture of an incident", |bencher| {
        bencher.iter(|| picture::png(black_box(&incident)).unwrap());
    });
    criterion.bench_function("read and check drbot.toml and commands/", |bencher| bencher.iter(load));
}

criterion_group!(benches, drawing);
criterion_main!(benches);
