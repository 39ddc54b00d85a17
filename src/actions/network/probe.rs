//! One provider, seen once: is its name known, does it take a connection, does it answer a ping, does it answer well.
//!
//! A ping that is not answered makes nobody ill: many providers drop them. All else must go well within the patience.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use hickory_resolver::{
    Hosts, Resolver, config::ResolveHosts, net::runtime::TokioRuntimeProvider, system_conf::parse_resolv_conf,
};
use reqwest::{Client, Url, redirect};
use serde_json::{Value, json};
use surge_ping::{ICMP, PingIdentifier, PingSequence};
use tokio::net::TcpStream;

use super::{
    Address,
    place::{Names, Place},
};
use crate::{
    actions::Context,
    clock::Clock,
    config::settings::{NetworkTarget, Provider},
    runbook::{span::Span, template},
};

/// How much of an answer is looked at.
const LONGEST: usize = 256 * 1024;

/// What was seen of a provider from one place.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Why it is not healthy.
    pub why: Option<String>,
    pub addresses: Vec<IpAddr>,
    pub dns_ms: Option<u64>,
    pub tcp_ms: Option<u64>,
    pub ping_ms: Option<u64>,
    pub answer_ms: Option<u64>,
    pub status: Option<u16>,
}

impl Seen {
    pub(super) fn not(why: &str) -> Self {
        Self { why: Some(why.to_owned()), ..Self::default() }
    }

    #[cfg(test)]
    pub(super) fn good() -> Self {
        Self { answer_ms: Some(3), ..Self::default() }
    }

    pub(super) fn healthy(&self) -> bool {
        self.why.is_none()
    }

    pub(super) fn fields(&self) -> Value {
        json!({
            "healthy": self.healthy(),
            "why": self.why,
            "addresses": self.addresses,
            "dns_ms": self.dns_ms,
            "tcp_ms": self.tcp_ms,
            "ping_ms": self.ping_ms,
            "answer_ms": self.answer_ms,
            "status": self.status,
        })
    }

    pub(super) fn sentence(&self) -> String {
        let figure = |what: &str, took: Option<u64>| took.map(|took| format!("{what} {took} ms"));
        let figures = [
            figure("name", self.dns_ms),
            figure("connection", self.tcp_ms),
            Some(figure("ping", self.ping_ms).unwrap_or_else(|| "no answer to a ping".to_owned())),
            figure("answer", self.answer_ms),
        ];
        let figures = figures.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let health = self.why.as_deref().map_or("healthy".to_owned(), |why| format!("not healthy: {why}"));
        format!("{health}; {figures}")
    }
}

/// Looks at all of them at once, from a place.
pub(super) async fn all(
    target: &NetworkTarget,
    address: Address,
    place: &Place,
    context: &Context,
) -> Result<Vec<Seen>, String> {
    let names = Arc::new(place.names());
    let patience = target.patience.0.min(context.timeout);
    let looks = target.providers.iter().cloned().map(|provider| {
        let (names, clock, secrets) = (names.clone(), context.clock.clone(), context.secrets.clone());
        async move {
            let mut seen = one(&provider, address, &names, patience, &clock).await;
            // What comes from outside may repeat a secret.
            seen.why = seen.why.map(|why| secrets.mask(&why));
            seen
        }
    });
    let looks = futures::future::join_all(looks.collect::<Vec<_>>());
    place.look(looks).await
}

async fn one(provider: &Provider, address: Address, names: &Names, patience: Duration, clock: &Clock) -> Seen {
    let url = match address {
        Address::Own => provider.own_url.as_deref().unwrap_or(&provider.url),
        Address::Theirs => &provider.url,
    };
    let mut seen = Seen::default();
    let looking = look(&mut seen, provider, url, names, clock, patience);
    let outcome = match clock.timeout(patience, looking).await {
        Some(outcome) => outcome,
        None => Err(format!("no answer within {}", Span(patience))),
    };
    let why = match (outcome, seen.dns_ms, seen.tcp_ms) {
        (Ok(()), ..) => None,
        (Err(why), Some(_), Some(_)) => Some(why),
        (Err(why), Some(_), None) => Some(format!("no connection: {why}")),
        (Err(why), None, _) => Some(format!("its name is not found: {why}")),
    };
    Seen { why, ..seen }
}

async fn look(
    seen: &mut Seen,
    provider: &Provider,
    url: &str,
    names: &Names,
    clock: &Clock,
    patience: Duration,
) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let host = url.host_str().ok_or("the address names no host")?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().ok_or("the address names no port")?;

    let begin = clock.monotonic();
    seen.addresses = addresses(&host, names, patience).await?;
    seen.dns_ms = Some(since(clock, begin));

    let begin = clock.monotonic();
    let address = connect(&seen.addresses, port).await?;
    seen.tcp_ms = Some(since(clock, begin));

    // Both at once: a ping that nobody answers costs no time.
    let begin = clock.monotonic();
    let mut answering = std::pin::pin!(answer(provider, &url, &host, address));
    let mut pinging = std::pin::pin!(ping(address.ip(), patience));
    let mut pinged = None;
    let answered = loop {
        tokio::select! {
            answered = &mut answering => break answered,
            took = &mut pinging, if pinged.is_none() => pinged = Some(took),
        }
    };
    // One that is answered at all is answered by now, or in no time.
    let pinged = match pinged {
        Some(took) => took,
        None => clock.timeout(Duration::from_millis(100), pinging).await.flatten(),
    };
    seen.ping_ms = pinged.map(milliseconds);
    let (status, verdict) = answered?;
    seen.status = Some(status);
    seen.answer_ms = Some(since(clock, begin));
    verdict
}

async fn addresses(host: &str, names: &Names, patience: Duration) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let (config, mut options) = parse_resolv_conf(&names.resolv_conf).map_err(|error| error.to_string())?;
    options.timeout = patience;
    options.attempts = 1;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    let builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options);
    let mut resolver = builder.build().map_err(|error| error.to_string())?;
    let mut hosts = Hosts::default();
    // A line that cannot be read names nobody.
    let _ = hosts.read_hosts_conf(names.hosts.as_bytes());
    resolver.set_hosts(Arc::new(hosts));
    let found = resolver.lookup_ip(host).await.map_err(|error| match error {
        error if error.is_no_records_found() => format!("nobody knows {host}"),
        error => error.to_string(),
    })?;
    let found: Vec<IpAddr> = found.iter().collect();
    if found.is_empty() { Err("it has no address".to_owned()) } else { Ok(found) }
}

/// The first address that takes a connection.
async fn connect(addresses: &[IpAddr], port: u16) -> Result<SocketAddr, String> {
    let mut last = "it has no address".to_owned();
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(address),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

async fn ping(address: IpAddr, patience: Duration) -> Option<Duration> {
    let kind = if address.is_ipv4() { ICMP::V4 } else { ICMP::V6 };
    let client = surge_ping::Client::new(&surge_ping::Config::builder().kind(kind).build()).ok()?;
    let mut pinger = client.pinger(address, PingIdentifier(rand::random())).await;
    pinger.timeout(patience);
    pinger.ping(PingSequence(0), &[0; 16]).await.ok().map(|(_, took)| took)
}

/// Its status, and whether the answer is a good one.
async fn answer(
    provider: &Provider,
    url: &Url,
    host: &str,
    address: SocketAddr,
) -> Result<(u16, Result<(), String>), String> {
    let said = |error: &dyn std::error::Error| {
        let mut cause = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        format!("no answer: {cause}")
    };
    let client = Client::builder()
        .user_agent(concat!("drbot/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .pool_max_idle_per_host(0)
        .resolve(host, address);
    // The machine's certificates take long to read.
    let client = if url.scheme() == "http" { client.tls_certs_only([]) } else { client };
    let client = client.build().map_err(|error| said(&error))?;
    let request = match &provider.ask {
        Some(body) => client.post(url.clone()).json(body),
        None => client.get(url.clone()),
    };
    let mut response = request.send().await.map_err(|error| said(&error.without_url()))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| said(&error.without_url()))? {
        if body.len() + chunk.len() > LONGEST {
            return Ok((status, Err(format!("it answers {status} with more than {} KiB", LONGEST / 1024))));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, judge(provider, status, &String::from_utf8_lossy(&body))))
}

fn judge(provider: &Provider, status: u16, body: &str) -> Result<(), String> {
    let Some(expect) = &provider.expect else {
        return if status < 400 { Ok(()) } else { Err(format!("it answers {status}")) };
    };
    let json: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let shown: String = body.chars().filter(|letter| !letter.is_control()).take(80).collect();
    match template::holds(expect, &json!({ "status": status, "body": body, "json": json })) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("a wrong answer: {status} {shown}")),
        Err(_) => Err(format!("an answer that says nothing: {status} {shown}")),
    }
}

fn since(clock: &Clock, begin: Instant) -> u64 {
    milliseconds(clock.monotonic() - begin)
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
