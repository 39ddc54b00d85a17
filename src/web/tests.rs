//! The place that alerts are posted to, over a real socket, with a receiver that a test holds in its hand.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;
use crate::{
    alerts::{
        alert::Status,
        receiver::{AlertsReceiver, Counts, Delivery, Received},
    },
    clock::Timestamp,
    config::{alerts::AlertSettings, secrets::Secrets, settings::Heartbeat},
};

const TOKEN: &str = "a token of the tests";
const KEY: &str = "a key of the tests";

/// What came, and what is answered.
#[derive(Default)]
struct Taker {
    came: Mutex<Vec<Delivery>>,
    is_broken: bool,
}

#[async_trait]
impl AlertsReceiver for Taker {
    async fn receive(&self, delivery: Delivery) -> anyhow::Result<Received> {
        anyhow::ensure!(!self.is_broken, "no room is left");
        let new = delivery.alerts.len();
        let mut came = self.came.lock().unwrap();
        if delivery.signature.is_some() && came.iter().any(|before| before.signature == delivery.signature) {
            return Ok(Received::Replayed);
        }
        came.push(delivery);
        Ok(Received::Taken(Counts { new, ..Counts::default() }))
    }
}

struct House {
    address: SocketAddr,
    taker: Arc<Taker>,
}

impl House {
    async fn open(secrets: &'static [(&'static str, &'static str)], taker: Taker) -> Self {
        let taker = Arc::new(taker);
        let settings = AlertSettings {
            bearer: Some("ALERTS_TOKEN".into()),
            hmac: Some("ALERTS_HMAC_KEY".into()),
            ..AlertSettings::default()
        };
        let value = |name: &str| secrets.iter().find(|(there, _)| *there == name).map(|(_, value)| (*value).to_owned());
        let alerts = Alerts::of(&settings, Secrets::from_lookup(value), taker.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = alert_routes(alerts, &Clock::system());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, taker }
    }

    async fn with_secrets() -> Self {
        Self::open(&[("ALERTS_TOKEN", TOKEN), ("ALERTS_HMAC_KEY", KEY)], Taker::default()).await
    }

    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        let url = format!("http://{}/alerts/{path}", self.address);
        reqwest::Client::new().post(url).header("content-type", "application/json; charset=utf-8").body(body)
    }

    fn came(&self) -> usize {
        self.taker.came.lock().unwrap().len()
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

fn generic(id: &str) -> String {
    json!({ "id": id, "name": "Disk full", "status": "firing", "starts_at": "2026-11-26T03:00:00Z" }).to_string()
}

fn signed(request: reqwest::RequestBuilder, at: Timestamp, body: &str) -> reqwest::RequestBuilder {
    let mut hash = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    hash.update(format!("{}.{body}", at.timestamp()).as_bytes());
    let hex: String = hash.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = request.header("X-Drbot-Timestamp", at.timestamp().to_string());
    request.header("X-Drbot-Signature", format!("v1={hex}"))
}

#[tokio::test]
async fn who_proves_nothing_brings_nothing() {
    let house = House::with_secrets().await;
    let post = || house.post("generic", generic("a"));
    for request in [
        post(),
        post().bearer_auth("another token"),
        post().bearer_auth(""),
        post().bearer_auth(format!("{TOKEN}x")),
        post().basic_auth("drbot", Some(TOKEN)),
        post().header("X-Drbot-Timestamp", "1").bearer_auth("x"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let body = response.text().await.unwrap();
        assert!(!body.contains(TOKEN), "{body}");
    }
    assert_eq!(house.came(), 0);
    let good = answer(post().bearer_auth(TOKEN)).await;
    assert_eq!(good, (200, json!({ "new": 1, "resolved": 0, "missed": 0, "repeated": 0, "left_out": 0 })));
    assert_eq!(house.came(), 1);
}

#[tokio::test]
async fn who_guesses_is_told_to_wait_and_who_knows_is_not() {
    let house = House::with_secrets().await;
    let mut seen = Vec::new();
    for _ in 0..35 {
        seen.push(answer(house.post("generic", generic("a")).bearer_auth("guess")).await.0);
    }
    assert_eq!((seen[29], seen[30], seen[34]), (401, 429, 429));
    assert_eq!(answer(house.post("generic", generic("a")).bearer_auth(TOKEN)).await.0, 200);
}

#[tokio::test]
async fn a_signature_is_good_for_its_body_for_five_minutes_and_once() {
    let house = House::with_secrets().await;
    let now = Clock::system().now();
    let (body, other) = (generic("a"), generic("b"));
    let send = |at, signs: &str, sends: &str| signed(house.post("generic", sends.to_owned()), at, signs);
    assert_eq!(answer(send(now, &body, &body)).await.0, 200);
    assert_eq!(answer(send(now, &body, &body)).await.0, 409);
    assert_eq!(answer(send(now, &body, &other)).await.0, 401);
    let minutes = chrono::TimeDelta::minutes;
    for (off, wanted) in [(minutes(6), 401), (minutes(-6), 401), (minutes(4), 200), (minutes(-4), 200)] {
        assert_eq!(answer(send(now + off, &body, &body)).await.0, wanted, "{off}");
    }
    for (stamp, signature) in [("now", "v1=00"), ("9999999999999999999999", "v1=00"), ("-9223372036854775808", "")] {
        let request = house.post("generic", body.clone());
        let request = request.header("X-Drbot-Timestamp", stamp).header("X-Drbot-Signature", signature);
        assert_eq!(answer(request).await.0, 401, "{stamp}");
    }
    assert_eq!(house.came(), 3);
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_answered_with_what_is_wrong() {
    let house = House::with_secrets().await;
    let post = |path: &str, body: String| house.post(path, body).bearer_auth(TOKEN);
    let said = async |path: &str, body: &str| {
        let (status, answer) = answer(post(path, body.to_owned())).await;
        assert_eq!(status, 400, "{body}");
        answer["error"].as_str().unwrap().to_owned()
    };
    let whole = generic("a");
    let cut = said("generic", &whole[..whole.len() / 2]).await;
    assert!(cut.starts_with("the JSON is cut off: EOF while parsing"), "{cut}");
    let cut = said("alertmanager", r#"{"version":"4","alerts":[{"status":"firing""#).await;
    assert!(cut.starts_with("the JSON is cut off"), "{cut}");
    assert!(said("alertmanager", "[]").await.starts_with("the body does not fit"));
    assert!(said("generic", &whole.replace("summary", "sumary").replace("name", "nmae")).await.contains("nmae"));
    let plain = house.post("generic", whole).header("content-type", "text/plain").bearer_auth(TOKEN);
    // reqwest adds the second header beside the first.
    assert_eq!(answer(plain).await.0, 200);
    let url = format!("http://{}/alerts/generic", house.address);
    let form = reqwest::Client::new().post(url).bearer_auth(TOKEN).body(generic("a"));
    assert_eq!(answer(form).await.0, 415);
    assert_eq!(house.came(), 1);
}

#[tokio::test]
async fn a_huge_body_is_not_read() {
    let house = House::with_secrets().await;
    let huge = format!("{{\"alerts\":\"{}\"}}", "x".repeat(1 << 20));
    assert_eq!(answer(house.post("generic", huge).bearer_auth(TOKEN)).await.0, 413);
    assert_eq!(house.came(), 0);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_makes_the_sender_repeat() {
    let broken = Taker { is_broken: true, ..Taker::default() };
    let house = House::open(&[("ALERTS_TOKEN", TOKEN)], broken).await;
    assert_eq!(answer(house.post("generic", generic("a")).bearer_auth(TOKEN)).await.0, 503);
    let keyless = House::open(&[], Taker::default()).await;
    let (status, said) = answer(keyless.post("generic", generic("a")).bearer_auth(TOKEN)).await;
    assert_eq!((status, keyless.came()), (503, 0), "{said}");
    assert!(!said.to_string().contains("ALERTS_TOKEN"), "{said}");
}

#[tokio::test]
async fn where_no_secret_is_named_nothing_listens_for_alerts() {
    let secrets = Secrets::from_lookup(|_| Some(TOKEN.to_owned()));
    assert!(Alerts::of(&AlertSettings::default(), secrets, Arc::new(Taker::default())).is_none());
}

#[tokio::test]
async fn what_alertmanager_sends_arrives() {
    let house = House::with_secrets().await;
    let body = json!({
        "version": "4", "groupKey": "{}", "truncatedAlerts": 2, "status": "resolved",
        "alerts": [{ "status": "resolved", "labels": { "alertname": "DatabaseDown" }, "annotations": {},
            "startsAt": "2026-11-26T03:00:00.123456789Z", "endsAt": "2026-11-26T03:01:00Z", "fingerprint": "0f" }],
    });
    let (status, said) = answer(house.post("alertmanager", body.to_string()).bearer_auth(TOKEN)).await;
    assert_eq!((status, &said["left_out"]), (200, &json!(2)));
    let came = house.taker.came.lock().unwrap();
    assert_eq!((came[0].alerts[0].name.as_str(), came[0].alerts[0].status), ("DatabaseDown", Status::Resolved));
}

struct Patient {
    is_well: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Health for Patient {
    async fn look(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.is_well.load(std::sync::atomic::Ordering::SeqCst), "the store cannot be written");
        Ok(())
    }
}

/// Hears heartbeats, each as it comes.
async fn hearer() -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (heard, hears) = tokio::sync::mpsc::unbounded_channel();
    let app = Router::new().fallback(async move |uri: axum::http::Uri| {
        _ = heard.send(uri.to_string());
        "OK"
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ping/drbot", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, hears)
}

#[tokio::test]
async fn the_heart_beats_while_drbot_is_well() {
    use std::sync::atomic::Ordering;
    let (url, mut hears) = hearer().await;
    let patient = Arc::new(Patient { is_well: true.into() });
    // A beat each time that the test lets time pass.
    let time = hand_clock::Hand::default();
    let settings: Heartbeat = serde_json::from_value(json!({ "url": url, "every": "60s" })).unwrap();
    let heart = Heart::start(settings, patient.clone(), time.clock()).unwrap();
    assert_eq!(hears.recv().await.unwrap(), "/ping/drbot");
    time.passes().await;
    assert_eq!(hears.recv().await.unwrap(), "/ping/drbot");
    patient.is_well.store(false, Ordering::SeqCst);
    time.passes().await;
    // It has looked, found that it is not well, and waits again: nothing was sent.
    time.is_waited_for().await;
    assert!(hears.try_recv().is_err());
    patient.is_well.store(true, Ordering::SeqCst);
    time.passes().await;
    assert_eq!(hears.recv().await.unwrap(), "/ping/drbot");
    drop(heart);
}

/// A clock whose minutes pass when a test says so, and whose seconds never do.
mod hand_clock {
    use std::{sync::Arc, time::Duration};

    use futures::{FutureExt, future::BoxFuture};
    use tokio::sync::Semaphore;

    use crate::clock::{Clock, Source, Timestamp};

    #[derive(Clone)]
    pub(super) struct Hand {
        waits: Arc<Semaphore>,
        passes: Arc<Semaphore>,
    }

    impl Default for Hand {
        fn default() -> Self {
            Self { waits: Arc::new(Semaphore::new(0)), passes: Arc::new(Semaphore::new(0)) }
        }
    }

    impl Hand {
        pub(super) fn clock(&self) -> Clock {
            Clock::from_source(self.clone())
        }

        /// A minute, for whoever waits for it.
        pub(super) async fn passes(&self) {
            self.is_waited_for().await;
            self.waits.acquire().await.unwrap().forget();
            self.passes.add_permits(1);
        }

        pub(super) async fn is_waited_for(&self) {
            // Given back at once.
            drop(self.waits.acquire().await.unwrap());
        }
    }

    impl Source for Hand {
        fn now(&self) -> Timestamp {
            Clock::system().now()
        }

        fn monotonic(&self) -> std::time::Instant {
            std::time::Instant::now()
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            if duration < Duration::from_secs(60) {
                return std::future::pending().boxed();
            }
            let hand = self.clone();
            async move {
                hand.waits.add_permits(1);
                hand.passes.acquire().await.unwrap().forget();
            }
            .boxed()
        }
    }
}
