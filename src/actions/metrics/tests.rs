//! Figures from servers that answer well, badly, too much and never.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::actions::testing::{TOKEN, context, context_with_timeout};

/// A server that gives one answer to each request, and shows the last request's first line.
async fn saying(status: u16, body: impl Into<String>) -> (String, tokio::sync::watch::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = body.into();
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (seen, last) = tokio::sync::watch::channel(String::new());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            let first = String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or_default().to_owned();
            seen.send_replace(first);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, last)
}

fn scrape_of(url: &str, select: &[(&str, &str)]) -> Metrics {
    let select = select.iter().map(|(name, series)| ((*name).to_owned(), (*series).to_owned())).collect();
    Metrics::Scrape { get: format!("{url}/metrics"), select }
}

async fn done(action: &Metrics) -> Result<Done, Failure> {
    perform(action, &context(), &http::client().unwrap()).await
}

const PAGE: &str = "# TYPE api_availability gauge\napi_availability{endpoint=\"a\"} 1\napi_availability{endpoint=\"b\"} 0\n\
                    rpc_latency_seconds{endpoint=\"a\"} 0.031\nodd NaN\n";

#[tokio::test]
async fn values_are_picked_from_a_page() {
    let (url, _) = saying(200, PAGE).await;
    let select = [
        ("available", "api_availability{endpoint=\"a\"}"),
        ("latency", "rpc_latency_seconds{endpoint=\"a\"}"),
        ("odd", "odd"),
        ("other", "rpc_latency_seconds{endpoint=\"z\"}"),
    ];
    let done = done(&scrape_of(&url, &select)).await.unwrap();
    assert_eq!(done.fields["values"], json!({ "available": 1.0, "latency": 0.031, "odd": null, "other": null }));
    assert_eq!(done.fields["missing"], json!(["odd", "other"]));
    assert_eq!(done.fields["count"], 4);
    assert_eq!(done.fields["series"].as_array().unwrap().len(), 3);
    assert_eq!(done.summary, "available 1.0, latency 0.031, odd unknown, other unknown");
}

#[tokio::test]
async fn a_name_that_several_series_have_is_no_value() {
    let (url, _) = saying(200, PAGE).await;
    let failure = done(&scrape_of(&url, &[("available", "api_availability")])).await.unwrap_err().to_string();
    assert!(failure.contains("2 series are `available`") && failure.contains("name more labels"), "{failure}");
    assert_eq!(done(&scrape_of(&url, &[])).await.unwrap().fields["series"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_no_page_of_figures_is_a_failure() {
    let failure = |status, body: &'static str| async move {
        let (url, _) = saying(status, body).await;
        done(&scrape_of(&url, &[("up", "up")])).await.unwrap_err().to_string()
    };
    assert_eq!(failure(503, "up 1\n").await, "the page of figures answers 503");
    let proxy = failure(200, "<html>sorry</html>").await;
    assert!(proxy.starts_with("this is no page of figures: line 1"), "{proxy}");
    let refused = done(&scrape_of("http://127.0.0.1:1", &[("up", "up{")])).await.unwrap_err();
    assert!(matches!(&refused, Failure::Refused { message } if message.contains("names no series")), "{refused:?}");
}

#[tokio::test]
async fn a_page_is_limited_in_size_and_time() {
    let (url, _) = saying(200, "x 1\n".repeat(LONGEST / 4 + 1)).await;
    let failure = done(&scrape_of(&url, &[])).await.unwrap_err().to_string();
    assert!(failure.contains("more than 8 MiB"), "{failure}");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let begin = Instant::now();
    let short = context_with_timeout(Duration::from_millis(200));
    let client = http::client().unwrap();
    let failure = perform(&scrape_of(&url, &[]), &short, &client).await.unwrap_err().to_string();
    assert!(failure.contains("no answer within 200ms"), "{failure}");

    let context = context();
    let cancel = context.cancel.clone();
    let stopping = async {
        silent.accept().await.unwrap();
        silent.accept().await.unwrap();
        cancel.cancel();
    };
    let action = scrape_of(&url, &[]);
    let (stopped, ()) = tokio::join!(perform(&action, &context, &client), stopping);
    assert!(matches!(stopped, Err(Failure::Cancelled)), "{stopped:?}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_page_that_repeats_a_secret_is_masked() {
    let (url, _) = saying(200, format!("up{{token=\"{TOKEN}\"}} 1\n")).await;
    let context = context();
    context.secrets.resolve("TOKEN").unwrap();
    let done = perform(&scrape_of(&url, &[]), &context, &http::client().unwrap()).await.unwrap();
    assert!(!format!("{done:?}").contains(TOKEN), "{done:?}");
}

fn success(data: Value) -> String {
    json!({ "status": "success", "data": data }).to_string()
}

#[tokio::test]
async fn a_query_gives_the_value_of_one_series() {
    let one = json!({ "metric": { "job": "bot" }, "value": [1.5, "0.25"] });
    let (url, last) = saying(200, success(json!({ "resultType": "vector", "result": [one] }))).await;
    let query = |prometheus: &str| Metrics::Query {
        prometheus: prometheus.to_owned(),
        query: "up{job=\"bot\"} & 1".to_owned(),
    };
    let found = done(&query(&url)).await.unwrap();
    assert_eq!(found.fields["value"], 0.25);
    assert_eq!(found.fields["series"], json!([{ "labels": { "job": "bot" }, "value": 0.25 }]));
    assert_eq!(*last.borrow(), "GET /api/v1/query?query=up%7Bjob%3D%22bot%22%7D+%26+1 HTTP/1.1");

    for (result, count) in [(json!([]), 0), (json!([one, one]), 2)] {
        let (url, _) = saying(200, success(json!({ "resultType": "vector", "result": result }))).await;
        let found = done(&query(&url)).await.unwrap();
        assert_eq!((&found.fields["value"], &found.fields["count"]), (&Value::Null, &json!(count)));
    }
    let (url, _) = saying(200, success(json!({ "resultType": "scalar", "result": [1.5, "NaN"] }))).await;
    assert_eq!(done(&query(&url)).await.unwrap().fields["value"], Value::Null);
}

#[tokio::test]
async fn what_a_server_says_of_its_trouble_is_a_failure() {
    for (status, body, words) in [
        (400, json!({ "status": "error", "error": "parse error: unexpected end" }).to_string(), "400: parse error"),
        (200, json!({ "status": "error" }).to_string(), "200: without a reason"),
        (200, "<html>".to_owned(), "no JSON object"),
        (200, success(json!({ "resultType": "matrix", "result": [] })), "a matrix"),
        (200, success(json!({ "resultType": "vector" })), "without a list of `result`"),
    ] {
        let (url, _) = saying(status, body).await;
        let query = Metrics::Query { prometheus: url, query: "up".to_owned() };
        let failure = done(&query).await.unwrap_err().to_string();
        assert!(failure.contains(words), "{failure}");
    }
}

#[tokio::test]
async fn targets_that_are_down_or_not_there_are_named() {
    let target = |job: &str, health: &str, error: &str| json!({ "labels": { "job": job, "instance": "x:1" }, "health": health, "lastError": error, "lastScrape": "t" });
    let list = [target("bot", "down", "connection refused"), target("own", "up", ""), target("new", "unknown", "")];
    let (url, _) = saying(200, success(json!({ "activeTargets": list }))).await;
    let of = |jobs: &[&str]| Metrics::Targets {
        prometheus: url.clone(),
        jobs: jobs.iter().map(|job| (*job).to_owned()).collect(),
    };
    let all = done(&of(&[])).await.unwrap();
    assert_eq!(all.fields["down"], json!(["bot x:1: connection refused", "new x:1: is unknown"]));
    assert_eq!(all.fields["count"], 3);
    let some = done(&of(&["own", "gone"])).await.unwrap();
    assert_eq!(some.fields["down"], json!(["gone: is not scraped at all"]));
    assert_eq!(done(&of(&["own"])).await.unwrap().summary, "1 up");
}

#[tokio::test]
async fn alerts_are_told_by_their_state() {
    let alert = |name: &str, state: &str| json!({ "labels": { "alertname": name }, "state": state, "activeAt": "t", "annotations": { "summary": "s" } });
    let list = [alert("B", "firing"), alert("A", "firing"), alert("B", "firing"), alert("C", "pending")];
    let (url, _) = saying(200, success(json!({ "alerts": list }))).await;
    let found = done(&Metrics::Alerts { prometheus: url }).await.unwrap();
    assert_eq!(found.fields["firing"], json!(["A", "B"]));
    assert_eq!(found.fields["pending"], json!(["C"]));
    assert_eq!(
        found.fields["alerts"][0],
        json!({ "name": "B", "state": "firing", "labels": { "alertname": "B" }, "since": "t", "summary": "s" })
    );
    assert_eq!(found.summary, "firing: A, B");
}
