//! A request to a target that may be half dead.
//!
//! What must stay true: a target can neither hold drbot up (the attempt's limit covers everything to the last byte of
//! the body) nor fill it up (1 MiB), a token goes to the address that it was meant for and nowhere else, and a request
//! that may have been carried out is never called failed: without an answer it is [`Failure::Unknown`]. Any status that
//! arrives whole is a result; whether it is a success, the engine judges.

use std::{error::Error, io, time::Duration};

use anyhow::Context as _;
use reqwest::{
    Client, Request, Response, StatusCode, Url,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, LOCATION},
    redirect,
};
use secrecy::ExposeSecret;

use super::{Context, Done, Failure};
use crate::runbook::{
    action::{Http, Method},
    span::Span,
};

/// How much of the body becomes the field `body`.
const KEPT: usize = 64 * 1024;
/// An answer that is longer is none.
const LONGEST: usize = 1024 * 1024;
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The client of all requests. Every request opens a connection of its own: a target that no longer listens still looks
/// alive over a connection that was kept.
///
/// # Errors
/// When TLS cannot be set up on this machine.
pub fn client() -> anyhow::Result<Client> {
    Client::builder()
        .user_agent(concat!("drbot/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .http1_only()
        .connect_timeout(CONNECT_LIMIT)
        .pool_max_idle_per_host(0)
        .build()
        .context("set up the HTTP client")
}

/// Sends the request and reads the answer, within `context.timeout`.
///
/// # Errors
/// [`Failure::Refused`] for what cannot be sent (address, headers, a secret that is missing). Without a whole answer: for
/// GET [`Failure::Failed`], or [`Failure::Cancelled`] when told to stop; for the others [`Failure::Unknown`], being told
/// to stop included, but [`Failure::Failed`] when no connection came about.
pub async fn perform(action: &Http, context: &Context, client: &Client) -> Result<Done, Failure> {
    let call = Call::new(action, LONGEST, context)?;
    let answer = call.send(action, client).await?;
    Ok(call.done(&answer))
}

/// Reads a page of at most `longest` bytes, whatever its status, within `context.timeout`; for other actions that read.
///
/// # Errors
/// As [`perform`] for a GET.
pub(super) async fn page(action: &Http, longest: usize, context: &Context, client: &Client) -> Result<Answer, Failure> {
    Call::new(action, longest, context)?.send(action, client).await
}

/// What arrived whole.
pub(super) struct Answer {
    pub status: StatusCode,
    headers: HeaderMap,
    pub body: Vec<u8>,
    pub latency: Duration,
}

/// A request on its way, and how it is spoken of.
struct Call<'a> {
    method: Method,
    url: Url,
    /// The address without what may be confidential in it (user, query).
    address: String,
    /// How much of an answer is read.
    longest: usize,
    context: &'a Context,
}

impl<'a> Call<'a> {
    fn new(action: &Http, longest: usize, context: &'a Context) -> Result<Self, Failure> {
        let refused =
            |why: &str| Failure::refused(context.secrets.mask(&format!("`{}` is not an address: {why}", action.url())));
        let url = Url::parse(action.url()).map_err(|error| refused(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("it must begin with http:// or https://"));
        }
        let address = format!("{}{}", url.origin().ascii_serialization(), url.path());
        Ok(Self { method: action.method(), url, address, longest, context })
    }

    async fn send(&self, action: &Http, client: &Client) -> Result<Answer, Failure> {
        let request = self.request(action, client)?;
        let cancel = &self.context.cancel;
        if cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        tokio::select! {
            biased;
            result = self.exchange(client, request) => result,
            () = cancel.cancelled() => Err(match self.method {
                Method::Get => Failure::Cancelled,
                _ => self.lost("was stopped before it was answered"),
            }),
        }
    }

    fn request(&self, action: &Http, client: &Client) -> Result<Request, Failure> {
        let mut request = client.request(self.verb(), self.url.clone()).headers(self.headers(action)?);
        if let Some(json) = &action.json {
            request = request.json(json);
        }
        request.build().map_err(|error| {
            Failure::refused(self.sentence(&format!("cannot be asked: {}", root_cause(&error.without_url()))))
        })
    }

    fn verb(&self) -> reqwest::Method {
        match self.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        }
    }

    fn headers(&self, action: &Http) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
        for (name, value) in &action.headers {
            let key = HeaderName::from_bytes(name.as_bytes());
            let (Ok(key), Ok(value)) = (key, HeaderValue::from_str(value)) else {
                return Err(Failure::refused(format!("the header `{name}` has characters that a header may not have")));
            };
            headers.insert(key, value);
        }
        if let Some(name) = &action.bearer {
            headers.insert(AUTHORIZATION, self.bearer(name)?);
        }
        Ok(headers)
    }

    fn bearer(&self, name: &str) -> Result<HeaderValue, Failure> {
        let secret = self.context.secrets.resolve(name).map_err(|error| Failure::refused(format!("{error:#}")))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.expose_secret()))
            .map_err(|_| Failure::refused(format!("the secret {name} has characters that a header may not have")))?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn exchange(&self, client: &Client, request: Request) -> Result<Answer, Failure> {
        let (clock, limit) = (&self.context.clock, self.context.timeout);
        let started = clock.monotonic();
        let response = match clock.timeout(limit, client.execute(request)).await {
            Some(Ok(response)) => response,
            Some(Err(error)) => return Err(self.unanswered(error)),
            None => return Err(self.lost(&format!("does not answer (no answer within {})", Span(limit)))),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let left = limit.saturating_sub(clock.monotonic() - started);
        let body = clock.timeout(left, self.read(response)).await.unwrap_or_else(|| {
            Err(self.lost(&format!("answers {}, but not to the end within {}", status.as_u16(), Span(limit))))
        })?;
        Ok(Answer { status, headers, body, latency: clock.monotonic() - started })
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let status = response.status().as_u16();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > self.longest => {
                    let most = self.longest / (1024 * 1024);
                    return Err(self.lost(&format!("answers {status} with more than {most} MiB, which is not read")));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body),
                Err(_) => {
                    let read = body.len();
                    return Err(self.lost(&format!("answers {status}, but breaks off after {read} bytes")));
                }
            }
        }
    }

    fn done(&self, Answer { status, headers, body, latency }: &Answer) -> Done {
        let secrets = &self.context.secrets;
        let milliseconds = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        // Masked before it is cut, so that no half of a secret is left.
        let mut text = secrets.mask(&String::from_utf8_lossy(body));
        text.truncate((0..=KEPT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0));
        let mut done = Done::new(format!("{} in {milliseconds} ms", status.as_u16()))
            .with("status", status.as_u16())
            .with("body", text)
            .with("latency_ms", milliseconds)
            .with_log(self.remarks(headers, body.len()));
        if let Ok(json) = serde_json::from_slice(body) {
            done = done.with("json", secrets.mask_json(&json));
        }
        done
    }

    /// What a person should know who wonders why a check of the answer fails.
    fn remarks(&self, headers: &HeaderMap, size: usize) -> Vec<String> {
        let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut remarks = Vec::new();
        if let Some(to) = text(LOCATION) {
            remarks.push(self.sentence(&format!("points to {to}, where drbot does not follow")));
        }
        if let Some(encoding) = text(CONTENT_ENCODING).filter(|encoding| encoding != "identity") {
            remarks.push(self.sentence(&format!("answers compressed ({encoding}), which drbot does not unpack")));
        }
        if size > KEPT {
            remarks.push(self.sentence(&format!("answers with {size} bytes, of which `body` has the first {KEPT}")));
        }
        remarks
    }

    /// There was no answer at all.
    fn unanswered(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let chain: Vec<String> = causes(&error).map(ToString::to_string).collect();
        let log = vec![self.context.secrets.mask(&chain.join(": "))];
        if error.is_connect() {
            return Failure::Failed { message: self.sentence(&unreachable(&error)), log };
        }
        match self.lost(&format!("ends the connection before it has answered ({})", root_cause(&error))) {
            Failure::Failed { message, .. } => Failure::Failed { message, log },
            other => other,
        }
    }

    /// The request may have been carried out, but its answer was lost.
    fn lost(&self, what: &str) -> Failure {
        let message = self.sentence(what);
        match self.method {
            Method::Get => Failure::failed(message),
            _ => Failure::Unknown { message: format!("{message}; whether it took effect is not known") },
        }
    }

    fn sentence(&self, what: &str) -> String {
        let text = match self.method {
            Method::Get => format!("{} {what}", self.address),
            _ => format!("{} {} {what}", self.verb(), self.address),
        };
        self.context.secrets.mask(&text)
    }
}

/// Why no connection came about, for a person.
fn unreachable(error: &reqwest::Error) -> String {
    let root = root_cause(error);
    if error.is_timeout() {
        format!("cannot be reached (no connection within {})", Span(CONNECT_LIMIT))
    } else if root.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
        "refuses connections".to_owned()
    } else if causes(error).any(|cause| cause.to_string() == "dns error") {
        format!("cannot be reached: its name is not found ({root})")
    } else {
        format!("cannot be reached ({root})")
    }
}

fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |cause: &&'a (dyn Error + 'static)| (*cause).source())
}

fn root_cause(error: &reqwest::Error) -> &(dyn Error + 'static) {
    causes(error).last().unwrap_or(error as &(dyn Error + 'static))
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::{Arc, Mutex},
        time::Instant,
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpSocket, TcpStream},
    };

    use super::*;
    use crate::actions::testing::{TOKEN, context, context_with_timeout, until};

    /// A server that hands each connection, once a request's head has come, to a function of the test.
    struct Server {
        url: String,
        /// Heads of the requests so far, one per connection.
        heads: Arc<Mutex<Vec<String>>>,
    }

    impl Server {
        async fn start<F: Future<Output = ()> + Send>(answer: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/x?key=private", listener.local_addr().unwrap());
            let heads = Arc::new(Mutex::new(Vec::new()));
            let (seen, answer) = (heads.clone(), Arc::new(answer));
            tokio::spawn(async move {
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let (seen, answer) = (seen.clone(), answer.clone());
                    tokio::spawn(async move {
                        let head = read_head(&mut stream).await;
                        seen.lock().unwrap().push(head);
                        answer(stream).await;
                    });
                }
            });
            Self { url, heads }
        }

        async fn saying(text: impl Into<String>) -> Self {
            let text: Arc<str> = text.into().into();
            Self::start(move |mut stream| {
                let text = text.clone();
                async move {
                    stream.write_all(text.as_bytes()).await.unwrap();
                    // A server that would keep the connection for more requests.
                    read_head(&mut stream).await;
                }
            })
            .await
        }

        async fn hanging() -> Self {
            Self::start(|stream| async move {
                std::future::pending::<()>().await;
                drop(stream);
            })
            .await
        }

        fn requests(&self) -> usize {
            self.heads.lock().unwrap().len()
        }
    }

    async fn read_head(stream: &mut TcpStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        String::from_utf8(head).unwrap()
    }

    fn get(url: &str) -> Http {
        Http { get: Some(url.to_owned()), ..Http::default() }
    }

    fn post(url: &str) -> Http {
        Http { post: Some(url.to_owned()), ..Http::default() }
    }

    async fn fetch(action: &Http, context: &Context) -> Result<Done, Failure> {
        perform(action, context, &client().unwrap()).await
    }

    const SHORT: Duration = Duration::from_millis(300);

    /// Asks by GET and by POST; both must fail with the words, the POST without claiming that nothing happened.
    async fn assert_lost(url: &str, timeout: Duration, words: &str) {
        let context = context_with_timeout(timeout);
        let started = Instant::now();
        let (failed, unknown) = (fetch(&get(url), &context).await, fetch(&post(url), &context).await);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        let Err(Failure::Failed { message, .. }) = failed else { panic!("{failed:?}") };
        assert!(message.starts_with("http://127.0.0.1:") && message.contains(words), "{message}");
        assert!(!message.contains("private"), "{message}");
        let Err(Failure::Unknown { message }) = unknown else { panic!("{unknown:?}") };
        assert!(message.starts_with("POST http://127.0.0.1:") && message.contains(words), "{message}");
    }

    /// Asks by POST; it must be plain that nothing happened.
    async fn assert_not_sent(url: &str, words: &str) {
        let result = fetch(&post(url), &context()).await;
        let Err(Failure::Failed { message, log }) = result else { panic!("{result:?}") };
        assert!(message.contains(words), "{message}");
        assert!(!log.is_empty());
    }

    #[tokio::test]
    async fn an_answer_becomes_fields() {
        let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"status\":\"up\"}").await;
        let mut action = post(&server.url);
        action.json = Some(serde_json::json!({ "a": 1 }));
        action.headers.insert("x-reason".to_owned(), "drill".to_owned());
        let done = fetch(&action, &context()).await.unwrap();
        assert_eq!(done.fields["status"], 200);
        assert_eq!(done.fields["json"]["status"], "up");
        assert_eq!(done.fields["body"], r#"{"status":"up"}"#);
        assert!(done.fields["latency_ms"].is_u64());
        assert!(done.summary.starts_with("200 in ") && done.summary.ends_with(" ms"), "{}", done.summary);
        let head = server.heads.lock().unwrap()[0].clone();
        assert!(head.starts_with("POST /x?key=private HTTP/1.1"), "{head}");
        for header in
            ["x-reason: drill", "content-type: application/json", "accept-encoding: identity", "user-agent: drbot/"]
        {
            assert!(head.contains(header), "{header} in {head}");
        }
    }

    #[tokio::test]
    async fn a_status_of_failure_is_a_result() {
        let server = Server::saying("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\ndown").await;
        let done = fetch(&get(&server.url), &context()).await.unwrap();
        assert_eq!((&done.fields["status"], &done.fields["body"]), (&503.into(), &"down".into()));
    }

    #[tokio::test]
    async fn json_that_is_cut_is_only_a_body() {
        let server = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"status\":").await;
        let done = fetch(&get(&server.url), &context()).await.unwrap();
        assert_eq!(done.fields.get("json"), None);
        assert_eq!(done.fields["body"], "{\"status\":");
    }

    #[tokio::test]
    async fn a_body_is_kept_to_64_kib_and_json_is_read_whole() {
        let json = format!("\"{}\"", "é".repeat(50_000));
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", json.len());
        let server = Server::saying(head + json.as_str()).await;
        let done = fetch(&get(&server.url), &context()).await.unwrap();
        let body = done.fields["body"].as_str().unwrap();
        assert!((KEPT - 1..=KEPT).contains(&body.len()), "{}", body.len());
        assert_eq!(done.fields["json"].as_str().unwrap().chars().count(), 50_000);
        assert!(done.log[0].contains("100002 bytes"), "{:?}", done.log);
    }

    #[tokio::test]
    async fn every_request_has_a_connection_of_its_own() {
        let server = Server::saying("HTTP/1.1 204 No Content\r\n\r\n").await;
        let (client, context) = (client().unwrap(), context());
        for _ in 0..3 {
            perform(&get(&server.url), &context, &client).await.unwrap();
        }
        assert_eq!(server.requests(), 3);
    }

    #[tokio::test]
    async fn a_target_that_hangs_does_not_answer() {
        let server = Server::hanging().await;
        assert_lost(&server.url, SHORT, "does not answer (no answer within 300ms)").await;
    }

    #[tokio::test]
    async fn a_body_that_drips_is_given_up() {
        let server = Server::start(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n").await.unwrap();
            while stream.write_all(b"x").await.is_ok() {
                crate::clock::Clock::system().sleep(Duration::from_secs(1)).await;
            }
        })
        .await;
        assert_lost(&server.url, SHORT, "answers 200, but not to the end within 300ms").await;
    }

    #[tokio::test]
    async fn a_head_that_drips_is_given_up() {
        let server = Server::start(|mut stream| async move {
            for byte in b"HTTP/1.1 200 OK\r\n" {
                stream.write_all(&[*byte]).await.unwrap_or_default();
                crate::clock::Clock::system().sleep(Duration::from_secs(1)).await;
            }
        })
        .await;
        assert_lost(&server.url, SHORT, "does not answer").await;
    }

    #[tokio::test]
    async fn a_body_without_end_is_not_read() {
        let server = Server::start(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
        })
        .await;
        assert_lost(&server.url, Duration::from_secs(10), "more than 1 MiB").await;
    }

    #[tokio::test]
    async fn a_compressed_body_is_not_unpacked() {
        let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 8\r\n\r\n";
        let server = Server::saying(format!("{head}\x1f\x7f\x08\0bomb")).await;
        let done = fetch(&get(&server.url), &context()).await.unwrap();
        assert_eq!(done.fields["body"], "\x1f\x7f\x08\0bomb");
        assert!(done.log[0].contains("compressed (gzip)"), "{:?}", done.log);
    }

    #[tokio::test]
    async fn a_reset_in_the_body_loses_the_answer() {
        let server = Server::start(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789").await.unwrap();
            stream.set_zero_linger().unwrap();
        })
        .await;
        assert_lost(&server.url, Duration::from_secs(5), "").await;
        let server = Server::start(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789").await.unwrap();
        })
        .await;
        assert_lost(&server.url, Duration::from_secs(5), "answers 200, but breaks off after").await;
    }

    #[tokio::test]
    async fn a_connection_that_ends_before_the_answer_loses_it() {
        let server = Server::start(|_stream| async {}).await;
        assert_lost(&server.url, Duration::from_secs(5), "ends the connection before it has answered").await;
    }

    #[tokio::test]
    async fn without_a_connection_nothing_was_sent() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_not_sent(&format!("http://{gone}/"), "refuses connections").await;
        assert_not_sent("http://drbot-test.invalid/", "drbot-test.invalid/ cannot be reached").await;
    }

    #[tokio::test]
    async fn a_connection_that_does_not_come_about_is_given_up_after_two_seconds() {
        // A listener whose queue is full, so that Linux drops what would open more connections.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let _first = TcpStream::connect(address).await.unwrap();
        assert_not_sent(&format!("http://{address}/"), "cannot be reached (no connection within 2s)").await;
    }

    #[tokio::test]
    async fn a_redirect_is_a_result_and_the_token_does_not_follow() {
        let other = Server::hanging().await;
        let first =
            Server::saying(format!("HTTP/1.1 307 Go\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", other.url)).await;
        for mut action in [get(&first.url), post(&first.url)] {
            action.bearer = Some("TOKEN".to_owned());
            let done = fetch(&action, &context()).await.unwrap();
            assert_eq!(done.fields["status"], 307);
            assert!(done.log[0].contains(&other.url), "{:?}", done.log);
        }
        assert!(
            first.heads.lock().unwrap().iter().all(|head| head.contains(&format!("authorization: Bearer {TOKEN}")))
        );
        assert_eq!(other.requests(), 0);
    }

    #[tokio::test]
    async fn a_secret_that_is_missing_is_refused_before_anything_is_sent() {
        let server = Server::hanging().await;
        let action = Http { bearer: Some("OTHER".to_owned()), ..post(&server.url) };
        let result = fetch(&action, &context()).await;
        let Err(Failure::Refused { message }) = result else { panic!("{result:?}") };
        assert!(message.contains("the secret OTHER is not set"), "{message}");
        assert_eq!(server.requests(), 0);
    }

    #[tokio::test]
    async fn a_secret_that_comes_back_is_masked() {
        let json = format!("{{\"denied\":\"{TOKEN}\"}}");
        let server = Server::saying(format!(
            "HTTP/1.1 401 No\r\nlocation: /{TOKEN}\r\ncontent-encoding: {TOKEN}\r\ncontent-length: {}\r\n\r\n{json}",
            json.len()
        ))
        .await;
        let action = Http { bearer: Some("TOKEN".to_owned()), ..get(&server.url) };
        let done = fetch(&action, &context()).await.unwrap();
        assert_eq!(done.fields["json"]["denied"], "[TOKEN]");
        assert!(!format!("{done:?}").contains(TOKEN), "{done:?}");

        // An error speaks of the address, and the address may hold what it should not.
        let context = context();
        context.secrets.resolve("TOKEN").unwrap();
        for url in [format!("http://127.0.0.1:1/{TOKEN}"), format!("{TOKEN}://x"), format!("http://{TOKEN}.invalid")] {
            let failure = fetch(&get(&url), &context).await.unwrap_err();
            assert!(!format!("{failure:?}").contains(TOKEN), "{failure:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_refused() {
        let mut header = get("http://127.0.0.1:1/");
        header.headers.insert("x y".to_owned(), "private".to_owned());
        for action in [get("127.0.0.1/x"), get("ftp://127.0.0.1/x"), get(""), header] {
            let result = fetch(&action, &context()).await;
            assert!(matches!(&result, Err(Failure::Refused { message }) if !message.contains("private")), "{result:?}");
        }
    }

    #[tokio::test]
    async fn told_to_stop_it_stops_at_once() {
        let server = Server::hanging().await;
        for (action, requests) in [(get(&server.url), 1), (post(&server.url), 2)] {
            let context = context();
            let stopping = async {
                until(&context.clock, || (server.requests() == requests).then_some(())).await;
                context.cancel.cancel();
                Instant::now()
            };
            let (result, told) = tokio::join!(fetch(&action, &context), stopping);
            assert!(told.elapsed() < Duration::from_secs(1));
            match action.method() {
                Method::Get => assert!(matches!(result, Err(Failure::Cancelled)), "{result:?}"),
                _ => assert!(matches!(result, Err(Failure::Unknown { .. })), "{result:?}"),
            }
        }
        let context = context();
        context.cancel.cancel();
        assert!(matches!(fetch(&post(&server.url), &context).await, Err(Failure::Cancelled)));
        assert_eq!(server.requests(), 2);
    }
}
