//! Requests to Discord's REST API, as JSON.
//!
//! serenity's own requests are not used: with its rate limiter it ignores the address of a rehearsal, and sleeps on a
//! 429 with the whole route locked, for an hour on an old message; without, its errors do not say for how long to wait.
//! Here both Discords are spoken to by the same code. What must stay true: no request goes before Discord's headers and
//! 429s allow, the token goes nowhere but to Discord, and no error holds a token.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
    multipart::{Form, Part},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    Settings,
    gates::{Gates, Place, Urgency, Verdict},
    metrics,
};
use crate::clock::Clock;

pub(super) const USER_AGENT: &str = concat!("DiscordBot (drbot, ", env!("CARGO_PKG_VERSION"), ")");
const DISCORD: &str = "https://discord.com";
/// In the place of Discord's words where there are none.
const NO_JSON: &str = "(no JSON)";

pub(super) struct Rest {
    client: reqwest::Client,
    base: String,
    token: SecretString,
    clock: Clock,
    gates: Mutex<Gates>,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("base", &self.base).finish_non_exhaustive()
    }
}

/// One request, which may be sent more than once.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: Method,
    path: String,
    body: Value,
    /// Names and contents.
    files: Vec<(String, Vec<u8>)>,
    /// Requests that share a limit.
    bucket: String,
    urgency: Urgency,
    /// Answers to interactions need no token, and have no part in the limit of everything.
    of_interaction: bool,
}

/// Why a request did not succeed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Trouble {
    #[error("no answer: {0}")]
    NoAnswer(String),
    #[error("{status} {message} ({code})")]
    Refused { status: u16, code: u64, message: String, retry_after: Option<Duration> },
}

impl Call {
    fn new(method: Method, path: String, bucket: String, body: Value) -> Self {
        Self { method, path, body, files: Vec::new(), bucket, urgency: Urgency::Usual, of_interaction: false }
    }

    pub(super) fn get(path: &str) -> Self {
        Self::new(Method::GET, path.to_owned(), format!("get {path}"), Value::Null)
    }

    pub(super) fn put(path: &str, body: Value) -> Self {
        Self::new(Method::PUT, path.to_owned(), format!("put {path}"), body)
    }

    pub(super) fn post_message(channel: u64, body: Value) -> Self {
        Self::new(Method::POST, format!("/channels/{channel}/messages"), format!("post {channel}"), body)
    }

    /// The channel of direct messages with somebody.
    pub(super) fn open_direct(user: u64) -> Self {
        let body = json!({"recipient_id": user.to_string()});
        Self::new(Method::POST, "/users/@me/channels".to_owned(), "direct".to_owned(), body)
    }

    pub(super) fn edit_message(channel: u64, message: u64, body: Value) -> Self {
        Self::new(Method::PATCH, format!("/channels/{channel}/messages/{message}"), format!("edit {channel}"), body)
    }

    pub(super) fn delete_message(channel: u64, message: u64) -> Self {
        let path = format!("/channels/{channel}/messages/{message}");
        Self::new(Method::DELETE, path, format!("delete {channel}"), Value::Null)
    }

    pub(super) fn thread_from_message(channel: u64, message: u64, body: Value) -> Self {
        let path = format!("/channels/{channel}/messages/{message}/threads");
        Self::new(Method::POST, path, format!("thread {channel}"), body)
    }

    pub(super) fn thread(channel: u64, body: Value) -> Self {
        Self::new(Method::POST, format!("/channels/{channel}/threads"), format!("thread {channel}"), body)
    }

    /// The first answer to an interaction.
    pub(super) fn callback(interaction: u64, token: &str, body: Value) -> Self {
        let path = format!("/interactions/{interaction}/{token}/callback");
        Self { of_interaction: true, ..Self::new(Method::POST, path, format!("callback {interaction}"), body) }
    }

    /// Fills in what was acknowledged.
    pub(super) fn edit_original(application: u64, token: &str, body: Value) -> Self {
        let path = format!("/webhooks/{application}/{token}/messages/@original");
        Self { of_interaction: true, ..Self::new(Method::PATCH, path, format!("original {token}"), body) }
    }

    /// Before everything else that waits.
    pub(super) fn first(self) -> Self {
        Self { urgency: Urgency::First, ..self }
    }

    pub(super) fn with_files<C: Into<Vec<u8>>>(self, files: Vec<(String, C)>) -> Self {
        Self { files: files.into_iter().map(|(name, content)| (name, content.into())).collect(), ..self }
    }
}

impl Trouble {
    /// It may go through later by itself: no answer, 429, 5xx, and what was not said by Discord but by something before
    /// it (unless that finds it too large).
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Refused { code: 30_046, .. } => false,
            Self::Refused { status, message, .. } if message == NO_JSON => *status != 413,
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500..=599),
        }
    }

    pub(super) fn code(&self) -> u64 {
        match self {
            Self::NoAnswer(_) => 0,
            Self::Refused { code, .. } => *code,
        }
    }
}

impl Rest {
    /// # Errors
    /// When the address is not to be trusted with the token.
    pub(super) fn new(settings: &Settings, clock: Clock) -> Result<Self> {
        let base = settings.api_url.clone().unwrap_or_else(|| DISCORD.to_owned());
        if settings.api_url.is_some() && !is_loopback(&base) {
            bail!("DISCORD_API_URL={base} is not an address of this machine; it is for rehearsals only");
        }
        Ok(Self {
            client: client()?,
            base: base.trim_end_matches('/').to_owned(),
            token: settings.token.clone(),
            clock,
            gates: Mutex::default(),
        })
    }

    /// For whoever asks Discord something by other means: the machine's certificates are read once.
    pub(super) fn client(&self) -> reqwest::Client {
        self.client.clone()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Waits until a message of this channel may be edited that is true as it is: behind everything else. Who stops waiting
    /// loses nothing.
    pub(super) async fn turn_to_refresh(&self, channel: u64) -> Turn<'_> {
        let call = Call::edit_message(channel, 0, Value::Null);
        self.turn(&Call { urgency: Urgency::Refresh, ..call }).await
    }

    async fn turn(&self, call: &Call) -> Turn<'_> {
        let (place, wake) = self.gates().enter(&call.bucket, call.urgency, self.clock.monotonic());
        let waiting = Waiting { rest: self, bucket: &call.bucket, place };
        loop {
            let verdict = self.gates().may_go(&call.bucket, place, !call.of_interaction, self.clock.monotonic());
            match verdict {
                Verdict::Go => break,
                Verdict::Behind => wake.notified().await,
                Verdict::Wait(so_long) => {
                    tracing::debug!(bucket = call.bucket, wait = ?so_long, "waiting, as Discord asked");
                    tokio::select! {
                        () = wake.notified() => {}
                        () = self.clock.sleep(so_long) => {}
                    }
                }
            }
        }
        std::mem::forget(waiting);
        Turn { rest: self, bucket: call.bucket.clone(), is_used: false }
    }

    /// Sends it once, when Discord's limits allow. The answer is `null` when it has no JSON.
    pub(super) async fn send(&self, call: &Call) -> Result<Value, Trouble> {
        let turn = self.turn(call).await;
        self.send_at(turn, call).await
    }

    /// Sends it once, in a turn that was waited for.
    pub(super) async fn send_at(&self, mut turn: Turn<'_>, call: &Call) -> Result<Value, Trouble> {
        turn.is_used = true;
        let result = self.exchange(call).await;
        match &result {
            Ok(_) => {}
            Err(Trouble::NoAnswer(_)) => metrics::no_answer(),
            Err(Trouble::Refused { status, code, .. }) => metrics::refused(*status, *code),
        }
        result
    }

    async fn exchange(&self, call: &Call) -> Result<Value, Trouble> {
        let no_answer = |error: reqwest::Error| Trouble::NoAnswer(cause(&error.without_url()));
        let url = format!("{}/api/v10{}", self.base, call.path);
        let mut request = self.client.request(call.method.clone(), url);
        if !call.of_interaction {
            request = request.header(AUTHORIZATION, format!("Bot {}", self.token.expose_secret()));
        }
        request = match (&call.body, call.files.as_slice()) {
            (Value::Null, _) => request,
            (body, []) => request.json(body),
            (body, files) => request.multipart(form(body, files)),
        };
        let response = request.send().await.map_err(|error| {
            self.gates().learned_nothing(&call.bucket, self.clock.monotonic());
            no_answer(error)
        })?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let now = self.clock.monotonic();
        if let (Some(left), Some(filled_in)) =
            (number(&headers, "x-ratelimit-remaining"), seconds(&headers, "x-ratelimit-reset-after"))
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            self.gates().learn(&call.bucket, left as u64, filled_in, now);
        } else {
            self.gates().learned_nothing(&call.bucket, now);
        }
        let text = response.text().await.map_err(no_answer)?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let told = body["retry_after"].as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let retry_after = told.max(seconds(&headers, "retry-after"));
        let code = body["code"].as_u64().unwrap_or(0);
        // 30046 is about one message, not about the bucket.
        if let (429, true, Some(wait)) = (status, code != 30_046, retry_after) {
            let all = body["global"] == true || headers.contains_key("x-ratelimit-global");
            self.gates().shut(&call.bucket, all, wait, now);
        }
        let message = body["message"].as_str().map_or_else(|| NO_JSON.to_owned(), |text| cut(text, &body["errors"]));
        Err(Trouble::Refused { status, code, message, retry_after })
    }

    fn gates(&self) -> MutexGuard<'_, Gates> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to send one request now. One that is not used is somebody else's.
#[derive(Debug)]
#[must_use]
pub(super) struct Turn<'a> {
    rest: &'a Rest,
    bucket: String,
    is_used: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_used {
            self.rest.gates().give_back(&self.bucket);
        }
    }
}

/// Somebody in a queue, who may be dropped there.
struct Waiting<'a> {
    rest: &'a Rest,
    bucket: &'a str,
    place: Place,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.rest.gates().leave(self.bucket, self.place);
    }
}

/// With time limits, which serenity's own client has not.
fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(Duration::from_secs(3))
        .timeout(Duration::from_secs(15))
        // A kept connection that has died would cost an acknowledgement its three seconds.
        .pool_idle_timeout(Duration::from_secs(20))
        .tcp_keepalive(Duration::from_secs(10))
        .build()
}

fn form(body: &Value, files: &[(String, Vec<u8>)]) -> Form {
    let mut body = body.clone();
    let named = files.iter().enumerate().map(|(id, (name, _))| json!({"id": id, "filename": name}));
    body["attachments"] = named.collect();
    let form = Form::new().text("payload_json", body.to_string());
    files.iter().enumerate().fold(form, |form, (id, (name, content))| {
        form.part(format!("files[{id}]"), part(content.clone()).file_name(name.clone()))
    })
}

/// Pictures are shown only where they are said to be some.
fn part(content: Vec<u8>) -> Part {
    let is_png = content.starts_with(b"\x89PNG");
    let part = Part::bytes(content);
    if !is_png {
        return part;
    }
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
    part.headers(headers)
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(number(headers, name)?).ok()
}

/// The innermost reason, which says most.
fn cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    if error.is_timeout() { "timed out".to_owned() } else { inner.to_string() }
}

/// Discord's words, with the fields that it does not like.
fn cut(message: &str, errors: &Value) -> String {
    let all = if errors.is_null() { message.to_owned() } else { format!("{message}: {errors}") };
    all.chars().take(500).collect()
}

pub(super) fn is_loopback(url: &str) -> bool {
    reqwest::Url::parse(url).ok().is_some_and(|url| match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machine_is_taken_for_a_rehearsal() {
        for good in ["http://127.0.0.1:8700", "http://localhost:1", "http://[::1]:8700", "http://127.8.9.1/x"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in ["https://discord.com", "http://127.0.0.1.example.org", "http://10.0.0.1", "nonsense", ""] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
