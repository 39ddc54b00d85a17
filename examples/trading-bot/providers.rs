//! What the stand-in knows of its RPC providers: it asks both that are configured, again and again, and publishes what it sees.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use drbot::clock::Clock;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::desk::{Desk, lock};

const EVERY: Duration = Duration::from_millis(300);
/// One that needs longer is not available.
const PATIENCE: Duration = Duration::from_secs(1);
const LONGEST: u64 = 64 * 1024;

#[derive(Debug, Clone, Copy, Default)]
pub struct Sight {
    pub available: bool,
    pub latency: Duration,
}

/// By the name in the configuration.
pub struct Providers {
    /// Name in the configuration → URL.
    endpoints: BTreeMap<String, String>,
    seen: Mutex<BTreeMap<String, Sight>>,
}

impl Providers {
    /// From `name=url,name=url`.
    pub fn new(endpoints: &str) -> Self {
        let pairs = endpoints.split(',').filter_map(|pair| pair.trim().split_once('='));
        let endpoints = pairs.map(|(name, url)| (name.to_owned(), url.to_owned())).collect();
        Self { endpoints, seen: Mutex::default() }
    }

    /// Nothing of one that was never asked.
    pub fn sight(&self, name: &str) -> Option<Sight> {
        lock(&self.seen).get(name).copied()
    }

    fn url(&self, name: &str) -> Option<String> {
        let named = self.endpoints.get(name).cloned();
        named.or_else(|| name.starts_with("http").then(|| name.to_owned()))
    }
}

/// Asks for ever.
pub async fn watch(providers: Arc<Providers>, desk: Arc<Desk>, clock: Clock) {
    loop {
        let config = desk.state().config;
        let names = [config.primary_rpc, config.backup_rpc];
        let asked = futures::future::join_all(names.iter().map(|name| ask(&providers, &clock, name))).await;
        // Only those that are configured now.
        *lock(&providers.seen) = names.into_iter().zip(asked).collect();
        clock.sleep(EVERY).await;
    }
}

async fn ask(providers: &Providers, clock: &Clock, name: &str) -> Sight {
    let begin = clock.monotonic();
    let health = async {
        let answer = post(&providers.url(name)?, &json!({ "jsonrpc": "2.0", "id": 1, "method": "getHealth" })).await?;
        (answer["result"] == "ok").then_some(())
    };
    let healthy = clock.timeout(PATIENCE, health).await.flatten().is_some();
    Sight { available: healthy, latency: clock.monotonic() - begin }
}

/// The JSON that a request is answered with, over a connection of its own. Plain HTTP: a TLS library is not in the image.
async fn post(url: &str, body: &Value) -> Option<Value> {
    let host = url.strip_prefix("http://")?;
    let body = body.to_string();
    let request = format!(
        "POST / HTTP/1.0\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    if status == "200" { serde_json::from_str(body).ok() } else { None }
}
