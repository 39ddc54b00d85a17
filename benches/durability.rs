//! What it costs that nothing is ever forgotten: one durable event, and one step of a run from the decision to the next.
//!
//! `fdatasync` of a small file is measured beside, in the same run: it is what the disk takes, whoever asks.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Seek, SeekFrom, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use drbot::{
    access::Caller,
    actions::{Actions, Context, Done, Failure, Fields, Probe, identify::Found},
    clock::Clock,
    config::{load::Configuration, secrets::Secrets, settings::DiscordId},
    engine::{Engine, Request, Submitted},
    ids::RunId,
    run::event::{Created, Entry, Event, Person},
    runbook::action::Action,
    store::{
        Store,
        journal::{Creation, Ownership},
    },
};

/// Steps of the run that is measured.
const STEPS: usize = 50;

/// A world in which everything happens at once.
struct Instantly;

#[async_trait]
impl Actions for Instantly {
    async fn prepare(&self, _: &Action, _: &Context) -> Result<Fields, Failure> {
        Ok(Fields::new())
    }

    async fn perform(&self, _: &Action, _: &Context) -> Result<Done, Failure> {
        Ok(Done::new("done").with("exit_code", 0))
    }

    async fn identify(&self, _: &Context) -> Found {
        Found::default()
    }

    async fn probe(&self, _: &Action, _: &Context) -> Probe {
        Probe::CannotTell(String::new())
    }
}

fn configuration(folder: &std::path::Path) -> Configuration {
    let settings = "[discord]\nguild = \"100000000000000001\"\nchannel = \"200000000000000001\"\n\
                    [roles]\noperator = \"300000000000000001\"\n\
                    [limits]\ncommands_per_minute = 4000000000\nburst = 4000000000\n";
    let mut command = "summary = \"Fifty steps\"\nrisk = \"risky\"\nroles = [\"operator\"]\n".to_owned();
    for number in 0..STEPS {
        command.push_str(&format!(
            "[[steps]]\nid = \"s{number}\"\nname = \"Step {number}\"\n\
             exec = {{ program = \"/bin/true\" }}\neffect = \"idempotent\"\ntimeout = \"1m\"\n"
        ));
    }
    std::fs::create_dir(folder.join("commands")).unwrap();
    std::fs::write(folder.join("drbot.toml"), settings).unwrap();
    std::fs::write(folder.join("commands/fifty.toml"), command).unwrap();
    Configuration::load(folder).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn dana() -> Person {
    Person { id: DiscordId(1), name: "Dana".to_owned() }
}

/// On the disk of the target folder: the temporary folder may be memory.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn durability(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("durability");
    group.measurement_time(Duration::from_secs(8));

    let disk = folder();
    let mut file = File::create(disk.path().join("file")).unwrap();
    group.bench_function("fdatasync of 4 KiB (the disk itself)", |bencher| {
        bencher.iter(|| {
            file.seek(SeekFrom::Start(0)).unwrap();
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
        });
    });

    let home = folder();
    let (store, run, ownership) = runtime.block_on(begin(home.path()));
    let mut seq = 1;
    group.bench_function("one event, durable", |bencher| {
        bencher.iter_custom(|times| {
            let entries: Vec<_> = (0..times)
                .map(|_| {
                    seq += 1;
                    let event = Event::StepInterrupted { step: "a".to_owned(), attempt: 1 };
                    Entry { run, seq, at: Clock::system().now(), event }
                })
                .collect();
            let begun = Instant::now();
            runtime.block_on(async {
                for entry in &entries {
                    store.append(entry, &ownership, &[]).await.unwrap();
                }
            });
            begun.elapsed()
        });
    });

    let house = folder();
    let configuration = configuration(house.path());
    let engine = runtime.block_on(async {
        let store = Store::open(&house.path().join("data")).await.unwrap();
        let secrets = Secrets::from_lookup(|_| None);
        Engine::start(configuration, store, Arc::new(Instantly), secrets, Clock::system()).await.unwrap()
    });
    group.bench_function("one step: decided, journaled, performed, journaled", |bencher| {
        bencher.iter_custom(|times| {
            let steps = usize::try_from(times).unwrap();
            let runs = steps.div_ceil(STEPS);
            let begun = Instant::now();
            runtime.block_on(async {
                for _ in 0..runs {
                    whole_run(&engine).await;
                }
            });
            begun.elapsed().mul_f64(steps as f64 / (runs * STEPS) as f64)
        });
    });
    group.finish();
}

async fn begin(folder: &std::path::Path) -> (Store, RunId, Ownership) {
    let store = Store::open(folder).await.unwrap();
    let house = self::folder();
    let command = configuration(house.path()).commands["fifty"].clone();
    let created = Created {
        command,
        definition_hash: String::new(),
        options: BTreeMap::new(),
        requester: dana(),
        requester_roles: Vec::new(),
        channel: DiscordId(1),
        target: serde_json::Value::Null,
        scenario: None,
        rungs: Vec::new(),
        incident: None,
        lock: None,
        glass: None,
        undone: None,
        locked_down: None,
    };
    let ownership = Ownership { owner: "me".to_owned(), generation: 1 };
    let run = RunId::generate();
    let creation = store.create_run(run, "request", created, &ownership, Clock::system().now()).await.unwrap();
    assert!(matches!(creation, Creation::Created(_)));
    (store, run, ownership)
}

async fn whole_run(engine: &Engine) {
    let caller = Caller {
        person: dana(),
        roles: vec![DiscordId(300_000_000_000_000_001)],
        channel: DiscordId(1),
        is_bot: false,
    };
    let mut changes = engine.changes();
    let key = drbot::ids::random_token();
    let request = Request { key, command: "fifty".to_owned(), options: BTreeMap::new(), caller };
    let Submitted::Started(run) = engine.submit(request).await.unwrap() else { panic!("it was here before") };
    loop {
        let _ = changes.recv().await;
        let state = engine.snapshot(run).await.unwrap().expect("the run").state;
        assert!(state.question.is_none(), "nobody is here to answer");
        if let Some(finished) = state.finished {
            assert!(finished.outcome.is_success(), "{}", finished.message);
            return;
        }
    }
}

criterion_group!(benches, durability);
criterion_main!(benches);
