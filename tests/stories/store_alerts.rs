//! What the store promises of alerts: each once, in whatever order, all of a delivery or nothing.

use chrono::DateTime;
use drbot::{
    alerts::{
        alert::{Alert, Change, Status},
        receiver::{Delivery, Signature},
    },
    clock::Timestamp,
    store::Store,
};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

fn at(second: i64) -> Timestamp {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

fn alert(fingerprint: &str, starts: i64, status: Status) -> Alert {
    Alert {
        source: "alertmanager".into(),
        fingerprint: fingerprint.into(),
        name: "DatabaseDown".into(),
        status,
        starts_at: at(starts),
        ends_at: None,
        labels: Default::default(),
        summary: "It is down.".into(),
        description: String::new(),
        url: String::new(),
        scenario: None,
        target: None,
    }
}

fn unsigned(alerts: Vec<Alert>) -> Delivery {
    Delivery { alerts, signature: None }
}

async fn take(store: &Store, alerts: Vec<Alert>, now: i64) -> Vec<(i64, Change)> {
    let changes = store.receive_alerts(&unsigned(alerts), at(now)).await.unwrap().unwrap();
    let start = |alert: &Alert| (alert.starts_at - at(0)).num_seconds();
    changes.iter().map(|change| (start(&change.alert), change.change)).collect()
}

use Status::{Firing, Resolved};

#[tokio::test]
async fn an_alert_fires_once_and_ends_once() {
    let store = Store::in_memory().await.unwrap();
    let (fires, ends) = (|| vec![alert("a", 1, Firing)], || vec![alert("a", 1, Resolved)]);
    assert_eq!(take(&store, fires(), 10).await, [(1, Change::New)]);
    assert_eq!(take(&store, fires(), 11).await, [(1, Change::Repeated)]);
    assert_eq!(take(&store, ends(), 12).await, [(1, Change::Resolved)]);
    assert_eq!(take(&store, ends(), 13).await, [(1, Change::Repeated)]);
    // Late, on its way for longer than the end.
    assert_eq!(take(&store, fires(), 14).await, [(1, Change::Repeated)]);
    let stored = store.recent_alerts(10).await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!((stored[0].received_at, stored[0].resolved_at), (at(10), Some(at(12))));
    assert_eq!(stored[0].alert.status, Resolved);
}

#[tokio::test]
async fn what_ended_before_it_was_heard_of_does_not_fire_afterwards() {
    let store = Store::in_memory().await.unwrap();
    let both = vec![alert("a", 1, Resolved), alert("a", 1, Firing)];
    assert_eq!(take(&store, both, 10).await, [(1, Change::Missed), (1, Change::Repeated)]);
    assert_eq!(store.firing_alerts().await.unwrap(), 0);
}

#[tokio::test]
async fn a_later_time_ends_an_earlier_one_whose_end_was_lost() {
    let store = Store::in_memory().await.unwrap();
    assert_eq!(take(&store, vec![alert("a", 1, Firing)], 10).await, [(1, Change::New)]);
    assert_eq!(take(&store, vec![alert("a", 5, Firing)], 11).await, [(1, Change::Resolved), (5, Change::New)]);
    // One that was overtaken on its way does not fire any more.
    assert_eq!(take(&store, vec![alert("a", 3, Firing)], 12).await, [(3, Change::Missed)]);
    // Another thing is another thing.
    assert_eq!(take(&store, vec![alert("b", 2, Firing)], 13).await, [(2, Change::New)]);
    assert_eq!(store.firing_alerts().await.unwrap(), 2);
}

#[tokio::test]
async fn a_signature_is_remembered_until_it_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let signed = |value: &str, until: i64| Delivery {
        alerts: vec![alert("a", 1, Firing)],
        signature: Some(Signature { value: value.into(), until: at(until) }),
    };
    let store = Store::open(folder.path()).await.unwrap();
    assert!(store.receive_alerts(&signed("one", 300), at(10)).await.unwrap().is_some());
    store.close().await;
    // Over a restart, too.
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.receive_alerts(&signed("one", 300), at(299)).await.unwrap(), None);
    assert!(store.receive_alerts(&signed("two", 500), at(301)).await.unwrap().is_some());
    store.close().await;
    let mut file = raw(&folder).await;
    let kept: Vec<(String,)> = sqlx::query_as("SELECT signature FROM signatures").fetch_all(&mut file).await.unwrap();
    assert_eq!(kept, [("two".to_owned(),)]);
}

async fn raw(folder: &tempfile::TempDir) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.path().join("drbot.sqlite"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
async fn a_store_that_takes_no_write_takes_neither_alerts_nor_their_signature() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let mut file = raw(&folder).await;
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON alerts WHEN NEW.fingerprint = 'b'
                  BEGIN SELECT RAISE(ABORT, 'no room is left'); END";
    sqlx::query(refuse).execute(&mut file).await.unwrap();
    let delivery = Delivery {
        alerts: vec![alert("a", 1, Firing), alert("b", 1, Firing)],
        signature: Some(Signature { value: "one".into(), until: at(300) }),
    };
    let error = store.receive_alerts(&delivery, at(10)).await.unwrap_err();
    assert!(format!("{error:#}").contains("no room is left"), "{error:#}");
    assert_eq!(store.firing_alerts().await.unwrap(), 0);
    sqlx::query("DROP TRIGGER full").execute(&mut file).await.unwrap();
    // The same request, repeated, is no replay: nothing of the first was taken.
    let changes = store.receive_alerts(&delivery, at(11)).await.unwrap().unwrap();
    assert_eq!(changes.len(), 2);
    store.heartbeat("drbot", at(12)).await.unwrap();
}
