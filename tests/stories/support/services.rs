//! The services that page people, as strict as their documentation: method, path, account, form of the body, fields that are
//! needed and fields that nobody knows. What is wrong is refused as they refuse it, and remembered.
//!
//! Twilio: "Messages resource", "Calls resource". PagerDuty: "Events API v2". ntfy: "Publish as JSON".

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use drbot::clock::Clock;
use serde_json::{Map, Value, json};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
/// What `ACCOUNT:twilio-token` is in base64.
const BASIC: &str = "Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjp0d2lsaW8tdG9rZW4=";
pub const TWILIO_TOKEN: &str = "twilio-token";
pub const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";
pub const NTFY_TOKEN: &str = "tk_0123456789abcdef";

/// What a service was asked, and took.
#[derive(Debug, Clone)]
pub struct Taken {
    pub what: &'static str,
    pub headers: HeaderMap,
    pub body: String,
    pub fields: Value,
}

#[derive(Clone, Default)]
pub struct Services(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    url: String,
    taken: Vec<Taken>,
    next: Option<(StatusCode, Option<&'static str>)>,
    /// So many requests in a second, and when the last ones came.
    most: Option<(usize, Vec<Instant>)>,
    too_many: usize,
}

impl Services {
    pub async fn start() -> Self {
        let services = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        services.0.lock().unwrap().url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/2010-04-01/Accounts/{account}/{what}", post(twilio))
            .route("/v2/enqueue", post(pagerduty))
            .route("/", post(ntfy))
            .route("/hook", post(hook))
            .layer(axum::middleware::from_fn_with_state(services.clone(), fail))
            .with_state(services.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        services
    }

    pub fn url(&self) -> String {
        self.0.lock().unwrap().url.clone()
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.0.lock().unwrap().taken.clone()
    }

    /// The next request is answered with this and nothing is taken.
    pub fn fail_next(&self, status: u16, retry_after: Option<&'static str>) {
        self.0.lock().unwrap().next = Some((StatusCode::from_u16(status).unwrap(), retry_after));
    }

    /// Beyond so many requests in a second it says 429, and to come back a second later.
    pub fn takes_in_a_second(&self, most: usize) {
        self.0.lock().unwrap().most = Some((most, Vec::new()));
    }

    /// How often it said so.
    pub fn too_many(&self) -> usize {
        self.0.lock().unwrap().too_many
    }

    fn take(&self, what: &'static str, headers: &HeaderMap, body: &Bytes, fields: Value) -> usize {
        let body = String::from_utf8(body.to_vec()).unwrap();
        let taken = &mut self.0.lock().unwrap().taken;
        taken.push(Taken { what, headers: headers.clone(), body, fields });
        taken.len()
    }
}

impl Inside {
    fn failure(&mut self) -> Option<(StatusCode, Option<&'static str>)> {
        let now = Clock::system().monotonic();
        if let Some((most, came)) = &mut self.most {
            came.retain(|at| now - *at < Duration::from_secs(1));
            if came.len() >= *most {
                self.too_many += 1;
                return Some((StatusCode::TOO_MANY_REQUESTS, Some("1")));
            }
            came.push(now);
        }
        self.next.take()
    }
}

async fn fail(State(services): State<Services>, request: Request, next: axum::middleware::Next) -> Response {
    let failure = services.0.lock().unwrap().failure();
    match failure {
        Some((status, retry_after)) => {
            let mut response = (status, "no").into_response();
            if let Some(value) = retry_after {
                response.headers_mut().insert("Retry-After", value.parse().unwrap());
            }
            if status.is_redirection() {
                response.headers_mut().insert("Location", "http://127.0.0.1:9/elsewhere".parse().unwrap());
            }
            response
        }
        None => next.run(request).await,
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn only(fields: &Map<String, Value>, needed: &[&str], known: &[&str]) -> Result<(), String> {
    if let Some(missing) = needed.iter().find(|name| !fields.contains_key(**name)) {
        return Err(format!("{missing} is missing"));
    }
    let unknown = fields.keys().find(|name| !needed.contains(&name.as_str()) && !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(format!("{name} is unknown")))
}

/// The fields of a form, read by the same rules as those of a query.
fn form(body: &[u8]) -> Map<String, Value> {
    let mut url = reqwest::Url::parse("http://127.0.0.1").unwrap();
    url.set_query(Some(std::str::from_utf8(body).unwrap()));
    url.query_pairs().map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect()
}

async fn twilio(
    State(services): State<Services>,
    Path((account, what)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let error = |status: u16, code: u32, message: String| {
        let body =
            json!({ "code": code, "message": message, "more_info": "https://www.twilio.com/docs", "status": status });
        (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
    };
    if account != ACCOUNT || header(&headers, "Authorization") != BASIC {
        return error(401, 20003, "Authenticate".to_owned());
    }
    if header(&headers, "Content-Type") != "application/x-www-form-urlencoded" {
        return error(415, 20415, "Unsupported Media Type".to_owned());
    }
    let fields = form(&body);
    let (name, content, longest) = match what.as_str() {
        "Messages.json" => ("message", "Body", 1600),
        "Calls.json" => ("call", "Twiml", 4000),
        _ => return error(404, 20404, format!("The requested resource {what} was not found")),
    };
    if let Err(wrong) = only(&fields, &["To", "From", content], &[]) {
        return error(400, 21602, wrong);
    }
    let to = fields["To"].as_str().unwrap();
    let digits = to.strip_prefix('+').unwrap_or_default();
    if !(7..=15).contains(&digits.len())
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
        || digits.starts_with("999")
    {
        return error(400, 21211, format!("The 'To' number {to} is not a valid phone number."));
    }
    let length = fields[content].as_str().unwrap().chars().count();
    if !(1..=longest).contains(&length) {
        return error(400, 21617, format!("The {content} has {length} characters"));
    }
    let number = services.take(name, &headers, &body, Value::Object(fields));
    let sid = format!("{}{number:032x}", if name == "call" { "CA" } else { "SM" });
    (StatusCode::CREATED, Json(json!({ "sid": sid, "status": "queued", "error_code": null }))).into_response()
}

async fn pagerduty(State(services): State<Services>, headers: HeaderMap, body: Bytes) -> Response {
    match event(&headers, &body) {
        Ok(fields) => {
            let key = fields["dedup_key"].clone();
            services.take("event", &headers, &body, fields);
            let answer = json!({ "status": "success", "message": "Event processed", "dedup_key": key });
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(wrong) => {
            let answer = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": [wrong] });
            (StatusCode::BAD_REQUEST, Json(answer)).into_response()
        }
    }
}

fn event(headers: &HeaderMap, body: &Bytes) -> Result<Value, String> {
    if header(headers, "Content-Type") != "application/json" {
        return Err("the content type is wrong".to_owned());
    }
    let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let known = ["payload", "images", "links", "client", "client_url"];
    only(&fields, &["routing_key", "event_action", "dedup_key"], &known)?;
    if fields["routing_key"] != ROUTING_KEY {
        return Err("Routing key invalid".to_owned());
    }
    if fields["dedup_key"].as_str().is_none_or(|key| key.is_empty() || key.len() > 255) {
        return Err("dedup_key is 1 to 255 characters".to_owned());
    }
    match fields["event_action"].as_str() {
        Some("acknowledge" | "resolve") => {}
        Some("trigger") => {
            let payload = fields.get("payload").and_then(Value::as_object).ok_or("payload is missing")?;
            let known = ["timestamp", "component", "group", "class", "custom_details"];
            only(payload, &["summary", "source", "severity"], &known)?;
            if !["critical", "error", "warning", "info"].iter().any(|known| payload["severity"] == *known) {
                return Err("severity is invalid".to_owned());
            }
            if payload["summary"].as_str().is_none_or(|text| text.is_empty() || text.chars().count() > 1024) {
                return Err("summary is 1 to 1024 characters".to_owned());
            }
        }
        _ => return Err("event_action is invalid".to_owned()),
    }
    Ok(Value::Object(fields))
}

async fn ntfy(State(services): State<Services>, headers: HeaderMap, body: Bytes) -> Response {
    let error = |status: u16, code: u32, error: String| {
        let body = json!({ "code": code, "http": status, "error": error });
        (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
    };
    if header(&headers, "Authorization") != format!("Bearer {NTFY_TOKEN}") {
        return error(401, 40101, "unauthorized".to_owned());
    }
    let fields: Map<String, Value> = match serde_json::from_slice(&body) {
        Ok(fields) => fields,
        Err(_) => return error(400, 40017, "invalid request: body must be valid JSON".to_owned()),
    };
    let known = ["message", "title", "tags", "priority", "actions", "click", "attach", "markdown", "icon", "delay"];
    if let Err(wrong) = only(&fields, &["topic"], &known) {
        return error(400, 40009, format!("invalid request: {wrong}"));
    }
    if fields.get("priority").is_some_and(|priority| !(1..=5).contains(&priority.as_i64().unwrap_or(0))) {
        return error(400, 40007, "invalid request: priority".to_owned());
    }
    if fields.get("message").and_then(Value::as_str).is_some_and(|message| message.len() > 4096) {
        return error(413, 41301, "the message would become an attachment".to_owned());
    }
    let number = services.take("push", &headers, &body, Value::Object(fields));
    Json(json!({ "id": format!("n{number}"), "time": 1_700_000_000, "event": "message" })).into_response()
}

/// Takes all: what it has to check, `docs/paging.md` says.
async fn hook(State(services): State<Services>, headers: HeaderMap, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(fields) => {
            let number = services.take("hook", &headers, &body, fields);
            Json(json!({ "id": format!("w{number}") })).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({ "error": error.to_string() }))).into_response(),
    }
}

/// A server that reads a request, and then goes away without a word; its address.
pub async fn cuts() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_something(&mut stream).await;
        }
    });
    url
}

/// A server that reads a request, and never answers: its address, and one sign for each request that it has read.
pub async fn hangs() -> (String, tokio::sync::mpsc::UnboundedReceiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_something(&mut stream).await;
            if sender.send(stream).is_err() {
                return;
            }
        }
    });
    (url, receiver)
}

async fn read_something(stream: &mut TcpStream) {
    let mut bytes = [0; 1024];
    let _ = stream.read(&mut bytes).await;
}
