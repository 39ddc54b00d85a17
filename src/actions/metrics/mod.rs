//! Figures: of a page that the target offers, or of a Prometheus server that has been watching it.
//!
//! What must stay true: a figure that is not there is null and never 0; one that several series could be is an error; and
//! what a server says of its own trouble (a query that is wrong, an answer that is no JSON) is a failure with its words,
//! never an empty list. Answers are limited in time (the attempt's), in size, and in how much of them is kept.

mod page;
mod server;

use std::collections::BTreeMap;

use reqwest::Client;
use serde_json::{Value, json};

use self::page::Sample;
use super::{Context, Done, Failure, http};
use crate::runbook::{
    action::{Http, Metrics},
    series::Series,
};

/// Pages of figures are long: a large system's has some megabytes.
const LONGEST: usize = 8 * 1024 * 1024;
/// How many series, targets or alerts are kept of an answer.
const KEPT: usize = 100;

/// # Errors
/// [`Failure::Failed`] when there is no whole answer, or one that is not what it should be; [`Failure::Refused`] for an
/// address or a series that is none; [`Failure::Cancelled`] when told to stop.
pub async fn perform(action: &Metrics, context: &Context, client: &Client) -> Result<Done, Failure> {
    match action {
        Metrics::Scrape { get, select } => scrape(get, select, context, client).await,
        Metrics::Query { prometheus, query } => server::query(prometheus, query, context, client).await,
        Metrics::Targets { prometheus, jobs } => server::targets(prometheus, jobs, context, client).await,
        Metrics::Alerts { prometheus } => server::alerts(prometheus, context, client).await,
    }
}

/// The text of a page and how long it took; masked, because what comes from outside may repeat a secret.
async fn text(url: &str, accept: &str, context: &Context, client: &Client) -> Result<(String, http::Answer), Failure> {
    let headers = BTreeMap::from([("accept".to_owned(), accept.to_owned())]);
    let get = Http { get: Some(url.to_owned()), headers, ..Http::default() };
    let answer = http::page(&get, LONGEST, context, client).await?;
    Ok((context.secrets.mask(&String::from_utf8_lossy(&answer.body)), answer))
}

async fn scrape(
    url: &str,
    select: &BTreeMap<String, String>,
    context: &Context,
    client: &Client,
) -> Result<Done, Failure> {
    let wanted: BTreeMap<&str, Series> = select
        .iter()
        .map(|(name, series)| match Series::parse(series) {
            Ok(series) => Ok((name.as_str(), series)),
            Err(wrong) => Err(Failure::refused(format!("`{series}` names no series: {wrong}"))),
        })
        .collect::<Result<_, _>>()?;
    let (text, answer) = text(url, "text/plain; version=0.0.4", context, client).await?;
    if !answer.status.is_success() {
        return Err(Failure::failed(format!("the page of figures answers {}", answer.status.as_u16())));
    }
    let samples = page::read(&text).map_err(|wrong| Failure::failed(format!("this is no page of figures: {wrong}")))?;
    let latency = u64::try_from(answer.latency.as_millis()).unwrap_or(u64::MAX);
    selected(&wanted, &samples).map(|done| done.with("latency_ms", latency))
}

/// Picks what was asked for; all when nothing was.
fn selected(wanted: &BTreeMap<&str, Series>, samples: &[Sample]) -> Result<Done, Failure> {
    let (mut values, mut missing, mut said, mut shown) = (json!({}), Vec::new(), Vec::new(), Vec::new());
    for (name, series) in wanted {
        let found: Vec<&Sample> = samples.iter().filter(|sample| series.names(&sample.series)).collect();
        if let [first, second, ..] = found.as_slice() {
            let (first, second) = (labels_of(first), labels_of(second));
            let message =
                format!("{} series are `{name}` ({first} and {second} among them): name more labels", found.len());
            return Err(Failure::failed(message));
        }
        // JSON has neither NaN nor an infinity: no condition holds for them.
        let value = found.first().map_or(Value::Null, |sample| json!(sample.value));
        said.push(format!("{name} {}", if value.is_null() { "unknown".to_owned() } else { value.to_string() }));
        if value.is_null() {
            missing.push(*name);
        }
        values[*name] = value;
        shown.extend(found);
    }
    if wanted.is_empty() {
        shown.extend(samples);
        said.push(format!("{} series", samples.len()));
    }
    let series = shown
        .into_iter()
        .take(KEPT)
        .map(|sample| json!({ "name": sample.series.name, "labels": sample.series.labels, "value": sample.value }));
    Ok(Done::new(said.join(", "))
        .with("series", series.collect::<Value>())
        .with("values", values)
        .with("missing", missing)
        .with("count", samples.len()))
}

fn labels_of(sample: &Sample) -> Value {
    json!(sample.series.labels)
}

#[cfg(test)]
mod tests;
