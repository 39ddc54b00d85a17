//! The HTTP skin over [`super::dispatch`]: reading bodies and forms, rate limits, faults, and the log.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, FromRequest, Multipart, Request as HttpRequest, State as Shared},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{Reply, Request, dispatch};
use crate::{
    clock::Timestamp,
    rehearsal::{
        error::ApiError,
        faults::How,
        limits::{self, Scope, Standing},
        log::Entry,
        model::Upload,
        render,
        server::Server,
        state::State,
        wire::Cut,
    },
};

/// Enough for ten files and the message that carries them.
pub const BODY_LIMIT: usize = 128 * 1024 * 1024;
const PREFIX: &str = "/api/v10";

/// What stands before Discord answers like this when Discord does not.
const HTML: &str = "<!DOCTYPE html>\n<html><head><title>discord.com | Bad gateway</title></head>\
                    <body><h1>Bad gateway</h1><p>The web server reported a bad gateway error.</p></body></html>\n";
/// … and like this to an address that it has banned for a while.
const BANNED: &str = "error code: 1015";

/// Answers everything below `/api`.
pub async fn handle(Shared(server): Shared<Arc<Server>>, http: HttpRequest) -> Response {
    let arrived = server.clock.now();
    let slow = server.with(|state| state.faults.slow_ms);
    if slow > 0 {
        server.clock.sleep(Duration::from_millis(slow)).await;
    }
    let cut = http.extensions().get::<ConnectInfo<Cut>>().map(|ConnectInfo(cut)| cut.clone());
    let (request, bad_body) = match read(http).await {
        Ok(request) => (request, None),
        Err((request, error)) => (request, Some(error)),
    };
    let (response, lost) = server.with(|state| perform(state, &request, bad_body, arrived));
    if let (true, Some(cut)) = (lost, cut) {
        cut.now();
    }
    response
}

/// The answer, and whether it is to be lost on its way.
fn perform(state: &mut State, request: &Request, bad_body: Option<ApiError>, arrived: Timestamp) -> (Response, bool) {
    let now = state.now();
    let known_version = !request.path.starts_with("/api/");
    let standing = state.limits.take(limits::rule(&request.method, &request.segments()), now);
    let fault = state.faults.rest(&request.method, &request.path);
    let refused = standing.as_ref().and_then(|standing| standing.refused.map(|scope| (scope, standing.reset_after)));
    let mut code = 0;
    let mut answered = |answer: super::Answer| {
        code = answer.as_ref().err().map_or(0, |error| error.code);
        respond(answer)
    };
    let mut response = match (refused, &fault, bad_body) {
        _ if !known_version => answered(Err(ApiError::new(404, 50041, "Invalid API version provided"))),
        (Some((scope, seconds)), ..) => answered(Err(rate_limited(scope == Scope::Global, seconds))),
        (_, Some(How::Status { status, code, after: false }), _) => answered(Err(broken(*status, *code))),
        (_, Some(How::RateLimit { retry_after: Some(seconds), global }), _) => {
            answered(Err(rate_limited(*global, *seconds)))
        }
        (_, Some(How::RateLimit { retry_after: None, .. }), _) => text(429, "text/plain; charset=UTF-8", BANNED),
        (_, Some(How::Html { status }), _) => text(*status, "text/html; charset=UTF-8", HTML),
        (_, _, Some(error)) => answered(Err(error)),
        (_, Some(How::Status { status, code, after: true }), _) => {
            let error = broken(*status, *code);
            answered(dispatch(state, request).and(Err(error)))
        }
        _ => answered(dispatch(state, request)),
    };
    response.headers_mut().extend(headers(standing.as_ref(), now));
    let entry = Entry {
        time: render::time(arrived),
        method: request.method.clone(),
        path: with_query(request),
        status: response.status().as_u16(),
        code,
        ms: (now - arrived).as_seconds_f64() * 1000.0,
        body: request.body.clone(),
        files: request.files.iter().map(|file| file.filename.clone()).collect(),
        unknown: std::mem::take(&mut state.unknown_fields),
    };
    tracing::debug!(method = entry.method, path = entry.path, status = entry.status, code, "rehearsal answered");
    state.log.add(entry);
    (response, fault == Some(How::LostAnswer))
}

fn broken(status: u16, code: u32) -> ApiError {
    ApiError::new(status, code, format!("{status}: a fault of the rehearsal"))
}

fn text(status: u16, kind: &'static str, body: &'static str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// <https://discord.com/developers/docs/topics/rate-limits#exceeding-a-rate-limit>
fn rate_limited(global: bool, seconds: f64) -> ApiError {
    let mut error = ApiError::new(429, 0, "You are being rate limited.");
    error.retry_after = Some((seconds * 1000.0).ceil() / 1000.0);
    error.global = global;
    error
}

fn respond(answer: super::Answer) -> Response {
    match answer {
        Ok(Reply { status, body }) => reply(status, body),
        Err(error) => {
            let mut response = reply(error.status, Some(error.body()));
            if let Some(seconds) = error.retry_after {
                let whole = format!("{}", seconds.ceil());
                insert(response.headers_mut(), "retry-after", &whole);
            }
            response
        }
    }
}

fn reply(status: u16, body: Option<Value>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match body {
        None => status.into_response(),
        Some(body) => (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response(),
    }
}

/// <https://discord.com/developers/docs/topics/rate-limits#header-format>
fn headers(standing: Option<&Standing>, now: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // discord.py takes a 429 without it for a ban.
    insert(&mut headers, "via", "1.1 rehearsal");
    let Some(standing) = standing else { return headers };
    let reset = now.timestamp_micros() as f64 / 1e6 + standing.reset_after;
    insert(&mut headers, "x-ratelimit-limit", &standing.rule.requests.to_string());
    insert(&mut headers, "x-ratelimit-remaining", &standing.remaining.to_string());
    insert(&mut headers, "x-ratelimit-reset", &format!("{reset:.3}"));
    insert(&mut headers, "x-ratelimit-reset-after", &format!("{:.3}", standing.reset_after));
    insert(&mut headers, "x-ratelimit-bucket", &bucket_name(&standing.rule.bucket));
    match standing.refused {
        Some(Scope::Global) => {
            insert(&mut headers, "x-ratelimit-global", "true");
            insert(&mut headers, "x-ratelimit-scope", "global");
        }
        Some(Scope::User) => insert(&mut headers, "x-ratelimit-scope", "user"),
        None => {}
    }
    headers
}

/// Clients may not read anything into a bucket's name, so it says the route and not the channel, as a hash does.
fn bucket_name(bucket: &str) -> String {
    bucket.split(':').next().unwrap_or_default().bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn with_query(request: &Request) -> String {
    if request.query.is_empty() {
        return request.path.clone();
    }
    let mut pairs: Vec<String> = request.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.sort();
    format!("{}?{}", request.path, pairs.join("&"))
}

/// Reads the request; with an unreadable body, what could be read of it, and the error.
async fn read(http: HttpRequest) -> Result<Request, (Request, ApiError)> {
    let path = http.uri().path();
    let query = axum::extract::Query::<HashMap<String, String>>::try_from_uri(http.uri());
    let mut request = Request {
        method: http.method().as_str().to_owned(),
        path: path.strip_prefix(PREFIX).unwrap_or(path).to_owned(),
        query: query.map(|query| query.0).unwrap_or_default(),
        authorization: header(http.headers(), header::AUTHORIZATION),
        ..Request::default()
    };
    let multipart = header(http.headers(), header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("multipart/"));
    let read = if multipart { read_form(http).await } else { read_json(http).await };
    match read {
        Ok((body, files)) => {
            (request.body, request.files) = (body, files);
            Ok(request)
        }
        Err(error) => Err((request, error)),
    }
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn not_json() -> ApiError {
    ApiError::new(400, 50109, "The request body contains invalid JSON.")
}

async fn read_json(http: HttpRequest) -> Result<(Value, Vec<Upload>), ApiError> {
    let bytes = axum::body::to_bytes(Body::new(http.into_body()), BODY_LIMIT).await.map_err(|_| too_large())?;
    parse(&bytes).map(|body| (body, Vec::new()))
}

fn parse(bytes: &Bytes) -> Result<Value, ApiError> {
    if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(bytes).map_err(|_| not_json()) }
}

fn too_large() -> ApiError {
    ApiError::new(413, 40005, "Request entity too large")
}

/// `payload_json` is the body, `files[n]` the files. <https://discord.com/developers/docs/reference#uploading-files>
async fn read_form(http: HttpRequest) -> Result<(Value, Vec<Upload>), ApiError> {
    let (mut body, mut files) = (Value::Null, Vec::new());
    let mut form = Multipart::from_request(http, &()).await.map_err(|_| not_json())?;
    while let Some(field) = form.next_field().await.map_err(|_| too_large())? {
        let name = field.name().unwrap_or_default().to_owned();
        let filename = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(str::to_owned);
        let bytes = field.bytes().await.map_err(|_| too_large())?;
        match filename {
            Some(filename) => {
                let index = name.trim_start_matches("files[").trim_end_matches(']').parse();
                let index = index.unwrap_or(files.len() as u64);
                let content_type = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
                files.push(Upload { index, filename, content_type, bytes });
            }
            None if name == "payload_json" => body = parse(&bytes)?,
            None => tracing::warn!(name, "the rehearsal does not know this part of a form"),
        }
    }
    Ok((body, files))
}
