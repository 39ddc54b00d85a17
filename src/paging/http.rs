//! A request to a service that pages people, and what its answer means.
//!
//! What must stay true: the status alone decides once it has arrived, what follows is only read for what is said about it;
//! credentials go to the address in the settings and nowhere else; a request that may have gone out is never called failed.

use std::{error::Error, time::Duration};

use anyhow::Context as _;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode, header::RETRY_AFTER, redirect};
use serde_json::Value;

use super::{LIMIT, Sent};
use crate::clock::Clock;

/// More of an answer is not read.
const LONGEST: usize = 64 * 1024;
/// For a connection, names and TLS included: what does not come about until then was certainly not sent.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);
/// Whoever is told to wait longer may as well ask again.
const LONGEST_WAIT: u64 = 3600;

/// Each request opens a connection of its own: one that was kept may be dead, and then nobody knows whether the page went
/// out.
#[derive(Clone)]
pub(super) struct Clients {
    /// For the network, by the proxy that the environment names.
    far: Client,
    /// For this machine: what goes there without TLS must not leave it, by a proxy neither.
    near: Client,
}

impl Clients {
    pub fn new() -> anyhow::Result<Self> {
        let build = |builder: ClientBuilder| builder.build().context("set up the HTTP client for pages");
        Ok(Self { far: build(builder())?, near: build(builder().no_proxy())? })
    }

    pub fn post(&self, url: &str) -> RequestBuilder {
        if url.starts_with("https://") { self.far.post(url) } else { self.near.post(url) }
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("drbot/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .http1_only()
        .connect_timeout(CONNECT_LIMIT)
        .pool_max_idle_per_host(0)
}

/// How a service says what it calls a page, and why it took none.
pub(super) struct Manner {
    /// The service, in sentences.
    pub name: &'static str,
    /// What it calls the page, in an answer that is good.
    pub receipt: fn(&Value) -> Option<String>,
    /// Why not, in an answer that is not.
    pub complaint: fn(&Value) -> Option<String>,
}

/// Sends a request, and says what came of it.
pub(super) async fn send(clock: &Clock, request: RequestBuilder, manner: &Manner) -> Sent {
    let name = manner.name;
    let begun = clock.monotonic();
    let response = match clock.timeout(LIMIT, request.send()).await {
        Some(Ok(response)) => response,
        Some(Err(error)) => return unanswered(name, &error.without_url()),
        None => return Sent::unknown(format!("{name} did not answer within {} s", LIMIT.as_secs())),
    };
    let (status, again_after) = (response.status(), retry_after(&response));
    let left = LIMIT.saturating_sub(clock.monotonic().saturating_duration_since(begun));
    // The status has arrived: what is lost from here on is only what would be said about it.
    let body = clock.timeout(left, read(response)).await.unwrap_or_default();
    let said: Option<Value> = serde_json::from_slice(&body).ok();
    match status {
        status if status.is_success() => Sent::Delivered { receipt: said.as_ref().and_then(manner.receipt) },
        status => judge(status, again_after, name, said.as_ref().and_then(manner.complaint)),
    }
}

fn judge(status: StatusCode, again_after: Option<Duration>, name: &str, complaint: Option<String>) -> Sent {
    let complaint = complaint.map(|complaint| format!(": {complaint}")).unwrap_or_default();
    let why = format!("{name} answered {}{complaint}", status.as_u16());
    match status {
        // Somebody in between lost the answer of who is behind it.
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Sent::unknown(why),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Sent::Failed { why, again_after }
        }
        status if status.is_server_error() => Sent::Failed { why, again_after },
        status if status.is_redirection() => {
            Sent::refused(format!("{name} answered {}: it is elsewhere, where drbot does not follow", status.as_u16()))
        }
        _ => Sent::refused(why),
    }
}

fn unanswered(name: &str, error: &reqwest::Error) -> Sent {
    let cause = root_cause(error);
    if error.is_builder() {
        Sent::refused(format!("{name} cannot be asked: {cause}"))
    } else if error.is_connect() {
        Sent::failed(format!("{name} cannot be reached: {cause}"))
    } else {
        Sent::unknown(format!("{name} did not answer: {cause}"))
    }
}

fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// In seconds; the form with a date is used by none of them.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_WAIT)))
}

async fn read(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > LONGEST {
            return Vec::new();
        }
        body.extend_from_slice(&chunk);
    }
    body
}

/// A text of an answer.
pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_means_one_thing() {
        let judged = |status: u16| judge(StatusCode::from_u16(status).unwrap(), None, "It", None);
        for status in [500, 503, 507, 429, 408] {
            assert!(matches!(judged(status), Sent::Failed { .. }), "{status}");
        }
        for status in [400, 401, 403, 404, 410, 422, 301, 307, 308] {
            assert!(matches!(judged(status), Sent::Refused { .. }), "{status}");
        }
        for status in [502, 504] {
            assert!(matches!(judged(status), Sent::Unknown { .. }), "{status}");
        }
    }
}
