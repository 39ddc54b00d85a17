//! What the store promises.

use std::{borrow::Cow, path::Path};

use chrono::DateTime;
use drbot::{
    clock::Timestamp,
    config::settings::DiscordId,
    ids::RunId,
    run::{
        delivery::Delivery,
        event::{Created, Entry, Event, Person},
        outcome::Outcome,
    },
    sample::Sample,
    store::{
        Store,
        journal::{Creation, NotOwned, Ownership},
    },
};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::commands::{command, read};

fn at(second: i64) -> Timestamp {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

fn owner(name: &str, generation: i64) -> Ownership {
    Ownership { owner: name.to_owned(), generation }
}

fn created(lock: Option<&str>) -> Created {
    Created {
        command: command("test", vec![read("a")]),
        definition_hash: "hash".to_owned(),
        options: Default::default(),
        requester: Person { id: DiscordId(1), name: "Dana".to_owned() },
        requester_roles: vec![DiscordId(10)],
        channel: DiscordId(20),
        target: serde_json::Value::Null,
        scenario: None,
        incident: None,
        rungs: Vec::new(),
        lock: lock.map(str::to_owned),
        glass: None,
        undone: None,
        locked_down: None,
    }
}

async fn begin(store: &Store, request: &str, lock: Option<&str>) -> Creation {
    store.create_run(RunId::generate(), request, created(lock), &owner("me", 1), at(0)).await.unwrap()
}

async fn run(store: &Store, request: &str) -> RunId {
    match begin(store, request, None).await {
        Creation::Created(entry) => entry.run,
        other => panic!("{other:?}"),
    }
}

fn entry(run: RunId, seq: u64, event: Event) -> Entry {
    Entry { run, seq, at: at(i64::try_from(seq).unwrap()), event }
}

fn finished() -> Event {
    Event::Finished { outcome: Outcome::Succeeded, message: String::new() }
}

/// The file itself, beside the store that has it open.
async fn raw(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("drbot.sqlite"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
async fn a_request_makes_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.run_of_request("click").await.unwrap(), None);
    let first = run(&store, "click").await;
    assert_eq!(begin(&store, "click", None).await, Creation::AlreadyRequested(first));
    assert_eq!(begin(&store, "click", Some("lock")).await, Creation::AlreadyRequested(first));
    assert_eq!(store.run_of_request("click").await.unwrap(), Some(first));
    assert_eq!(store.runs(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn many_at_once_make_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let all = futures::future::join_all((0..20).map(|_| begin(&store, "click", Some("lock")))).await;
    let made = all.iter().filter(|creation| matches!(creation, Creation::Created(_))).count();
    assert_eq!(made, 1, "{all:?}");
}

#[tokio::test]
async fn a_lock_is_held_until_the_run_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let Creation::Created(first) = begin(&store, "1", Some("database")).await else { panic!() };
    let held = |holder| Creation::Locked { lock: "database".to_owned(), holder };
    assert_eq!(begin(&store, "2", Some("database")).await, held(first.run));
    assert!(matches!(begin(&store, "3", Some("another")).await, Creation::Created(_)));
    store.append(&entry(first.run, 2, Event::Recovered), &owner("me", 1), &[]).await.unwrap();
    assert_eq!(begin(&store, "2", Some("database")).await, held(first.run));
    store.append(&entry(first.run, 3, finished()), &owner("me", 1), &[]).await.unwrap();
    assert!(
        matches!(begin(&store, "2", Some("database")).await, Creation::Created(_)),
        "and the request was not used up"
    );
}

#[tokio::test]
async fn only_the_owner_writes_each_number_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let run = run(&store, "1").await;
    let second = entry(run, 2, Event::Recovered);
    for stranger in [owner("you", 1), owner("me", 2)] {
        let error = store.append(&second, &stranger, &[]).await.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&NotOwned(run)));
    }
    store.append(&second, &owner("me", 1), &[]).await.unwrap();
    let error = store.append(&second, &owner("me", 1), &[Delivery::Channel]).await.unwrap_err();
    assert!(!error.is::<NotOwned>(), "{error:#}");
    assert!(store.waiting(run).await.unwrap().is_empty(), "nothing of it was kept");
    store.append(&entry(run, 3, finished()), &owner("me", 1), &[]).await.unwrap();
    let after = store.append(&entry(run, 4, Event::Recovered), &owner("me", 1), &[]).await.unwrap_err();
    assert!(after.is::<NotOwned>(), "{after:#}");
    assert_eq!(store.journal(run).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_taken_over_is_lost_to_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let (first, second, ended) = (run(&store, "1").await, run(&store, "2").await, run(&store, "3").await);
    store.append(&entry(ended, 2, finished()), &owner("me", 1), &[]).await.unwrap();
    let taken = store.take_over("you").await.unwrap();
    assert_eq!(taken, [(first, owner("you", 2)), (second, owner("you", 2))]);
    let event = entry(first, 2, Event::Recovered);
    assert!(store.append(&event, &owner("me", 1), &[]).await.unwrap_err().is::<NotOwned>());
    store.append(&event, &owner("you", 2), &[]).await.unwrap();
}

#[tokio::test]
async fn what_is_to_be_said_is_kept_with_its_event_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let run = run(&store, "1").await;
    let both = [Delivery::Channel, Delivery::Thread];
    store.append(&entry(run, 2, Event::Recovered), &owner("me", 1), &both).await.unwrap();
    let waiting = store.waiting(run).await.unwrap();
    assert_eq!(
        waiting.iter().map(|row| (row.seq, row.delivery)).collect::<Vec<_>>(),
        both.map(|delivery| (2, delivery))
    );

    // The row after next cannot be written: the event is not there either.
    let mut file = raw(folder.path()).await;
    sqlx::query("INSERT INTO outbox (run, seq, delivery) VALUES ($1, 3, 'thread')")
        .bind(run.to_string())
        .execute(&mut file)
        .await
        .unwrap();
    assert!(store.append(&entry(run, 3, finished()), &owner("me", 1), &both).await.is_err());
    assert_eq!(store.journal(run).await.unwrap().len(), 2);
    assert_eq!(store.runs(1).await.unwrap()[0].outcome, None);

    store.delivered(&waiting, at(9)).await.unwrap();
    assert_eq!(store.waiting(run).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_process_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let error = Store::open(folder.path()).await.unwrap_err().to_string();
    assert!(error.contains("another drbot") && error.contains("DRBOT_DATA"), "{error}");
    assert!(error.contains(&folder.path().display().to_string()), "{error}");
    let id = run(&store, "1").await;

    let reader = Store::open_to_read(folder.path()).await.unwrap();
    assert_eq!(reader.journal(id).await.unwrap().len(), 1, "reading is allowed beside it");
    assert!(reader.receive("x", at(0)).await.is_err(), "but not writing");
    let nowhere = Store::open_to_read(&folder.path().join("nowhere")).await.unwrap_err().to_string();
    assert!(nowhere.contains("DRBOT_DATA"), "{nowhere}");
}

#[tokio::test]
async fn every_acknowledged_row_survives_a_drop() {
    let folder = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    for round in 0..3 {
        let store = Store::open(folder.path()).await.unwrap();
        let Creation::Created(first) = begin(&store, &format!("{round}"), Some(&format!("{round}"))).await else {
            panic!()
        };
        let mut journal = vec![first];
        for seq in 2..20 {
            let next = entry(journal[0].run, seq, Event::Recovered);
            store.append(&next, &owner("me", 1), &[Delivery::Thread]).await.unwrap();
            journal.push(next);
        }
        written.push(journal);
        for journal in &written {
            assert_eq!(&store.journal(journal[0].run).await.unwrap(), journal);
            assert_eq!(store.waiting(journal[0].run).await.unwrap().len(), 18);
        }
        // No close: as good as a kill.
        drop(store);
    }
}

/// As a store of the first release looks, with a run in it.
async fn old_store(folder: &Path) -> RunId {
    let migrator = sqlx::migrate!();
    let first = Cow::Owned(migrator.migrations[..1].to_vec());
    let old = sqlx::migrate::Migrator { migrations: first, ..sqlx::migrate::Migrator::DEFAULT };
    let options = SqliteConnectOptions::new().filename(folder.join("drbot.sqlite")).create_if_missing(true);
    let mut file = SqliteConnection::connect_with(&options).await.unwrap();
    old.run_direct(None, &mut file, false).await.unwrap();
    let run = RunId::generate();
    let event = serde_json::to_string(&Event::RunCreated(Box::new(created(None)))).unwrap();
    for statement in [
        "INSERT INTO runs (id, command, request, created_at, owner, generation) VALUES ($1, 'test', $2, 0, 'me', 1)",
        "INSERT INTO journal (run, seq, at, kind, event) VALUES ($1, 1, 0, 'run-created', $2)",
        "INSERT INTO locks (name, run) VALUES ('database', $1)",
    ] {
        sqlx::query(statement).bind(run.to_string()).bind(&event).execute(&mut file).await.unwrap();
    }
    file.close().await.unwrap();
    run
}

#[tokio::test]
async fn an_old_store_that_holds_data_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let run = old_store(folder.path()).await;
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.journal(run).await.unwrap().len(), 1);
    assert_eq!(store.runs_to_show().await.unwrap(), [run]);
    assert_eq!(
        begin(&store, "new", Some("database")).await,
        Creation::Locked { lock: "database".to_owned(), holder: run }
    );
    assert_eq!(store.card(run).await.unwrap(), None);
    let (_, ownership) = store.take_over("you").await.unwrap().remove(0);
    store.append(&entry(run, 2, finished()), &ownership, &[Delivery::Thread]).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_store_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("drbot.sqlite"), "this is no database, however long it may be".repeat(100))
        .unwrap();
    let error = format!("{:#}", Store::open(folder.path()).await.unwrap_err());
    assert!(error.contains("drbot.sqlite"), "{error}");
}

#[tokio::test]
async fn an_interaction_is_received_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let all = futures::future::join_all((0..10).map(|_| store.receive("click", at(0)))).await;
    assert_eq!(all.into_iter().filter(|new| *new.as_ref().unwrap()).count(), 1);
}

#[tokio::test]
async fn samples_before_a_time_are_found_and_old_ones_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let sample = |second| Sample { at: at(second), tables: [("trades".to_owned(), second)].into(), newest: None };
    for second in 0..1010 {
        store.put_sample("prod", &sample(second)).await.unwrap();
    }
    let found = store.samples("prod", at(500)).await.unwrap();
    assert_eq!((found.first(), found.last()), (Some(&sample(10)), Some(&sample(500))));
    assert_eq!(store.samples("prod", at(5)).await.unwrap(), []);
    assert_eq!(store.samples("other", at(500)).await.unwrap(), []);
    let mut file = raw(folder.path()).await;
    let kept: i64 = sqlx::query("SELECT COUNT(*) AS kept FROM samples").fetch_one(&mut file).await.unwrap().get("kept");
    assert_eq!(kept, 1000);
}
