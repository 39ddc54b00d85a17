//! What a Prometheus server knows, by its HTTP interface (`/api/v1/…`).

use reqwest::{Client, Url};
use serde_json::{Map, Value, json};

use super::{Context, Done, Failure, KEPT, text};

pub async fn query(server: &str, query: &str, context: &Context, client: &Client) -> Result<Done, Failure> {
    let data = ask(server, "query", &[("query", query)], context, client).await?;
    let all: Vec<Value> = match data["resultType"].as_str() {
        // A number stands alone, without labels.
        Some("scalar") => vec![json!({ "labels": {}, "value": number(&data["result"]) })],
        Some("vector") => items(&data, "result")?
            .iter()
            .map(|series| json!({ "labels": series["metric"], "value": number(&series["value"]) }))
            .collect(),
        other => {
            let kind = other.unwrap_or("something else");
            return Err(Failure::failed(format!("the query gives a {kind}, and not numbers of one moment")));
        }
    };
    let value = if let [only] = all.as_slice() { only["value"].clone() } else { Value::Null };
    let summary = match all.as_slice() {
        [_] if !value.is_null() => value.to_string(),
        [_] => "no finite number".to_owned(),
        many => format!("{} series", many.len()),
    };
    Ok(Done::new(summary)
        .with("value", value)
        .with("count", all.len())
        .with("series", all.into_iter().take(KEPT).collect::<Value>()))
}

pub async fn targets(server: &str, jobs: &[String], context: &Context, client: &Client) -> Result<Done, Failure> {
    let data = ask(server, "targets", &[("state", "active")], context, client).await?;
    let job_of = |target: &Value| words(&target["labels"]["job"]);
    let all: Vec<&Value> = items(&data, "activeTargets")?
        .iter()
        .filter(|target| jobs.is_empty() || jobs.contains(&job_of(target)))
        .collect();
    let mut down: Vec<String> = jobs
        .iter()
        .filter(|job| !all.iter().any(|target| job_of(target) == **job))
        .map(|job| format!("{job}: is not scraped at all"))
        .collect();
    for target in all.iter().filter(|target| target["health"] != "up") {
        let why = match words(&target["lastError"]) {
            none if none.is_empty() => format!("is {}", words(&target["health"])),
            error => error,
        };
        down.push(format!("{} {}: {why}", job_of(target), words(&target["labels"]["instance"])));
    }
    let summary = match (all.len(), down.as_slice()) {
        (0, []) => "nothing is scraped".to_owned(),
        (count, []) => format!("{count} up"),
        (_, down) => down.join("; "),
    };
    let targets = all.iter().take(KEPT).map(|target| {
        json!({
            "job": job_of(target), "instance": words(&target["labels"]["instance"]), "health": target["health"],
            "error": words(&target["lastError"]), "scraped_at": target["lastScrape"],
        })
    });
    Ok(Done::new(summary).with("targets", targets.collect::<Value>()).with("count", all.len()).with("down", down))
}

pub async fn alerts(server: &str, context: &Context, client: &Client) -> Result<Done, Failure> {
    let data = ask(server, "alerts", &[], context, client).await?;
    let all = items(&data, "alerts")?;
    let named = |state: &str| {
        let mut names: Vec<String> = all
            .iter()
            .filter(|alert| alert["state"] == state)
            .map(|alert| words(&alert["labels"]["alertname"]))
            .collect();
        names.sort();
        names.dedup();
        names
    };
    let (firing, pending) = (named("firing"), named("pending"));
    let summary = match (firing.as_slice(), pending.as_slice()) {
        ([], []) => "none".to_owned(),
        ([], pending) => format!("none fires; pending: {}", pending.join(", ")),
        (firing, _) => format!("firing: {}", firing.join(", ")),
    };
    let alerts = all.iter().take(KEPT).map(|alert| {
        json!({
            "name": words(&alert["labels"]["alertname"]), "state": alert["state"], "labels": alert["labels"],
            "since": alert["activeAt"], "summary": words(&alert["annotations"]["summary"]),
        })
    });
    Ok(Done::new(summary)
        .with("alerts", alerts.collect::<Value>())
        .with("count", all.len())
        .with("firing", firing)
        .with("pending", pending))
}

/// The `data` of an answer.
async fn ask(
    server: &str,
    what: &str,
    values: &[(&str, &str)],
    context: &Context,
    client: &Client,
) -> Result<Value, Failure> {
    let address = format!("{}/api/v1/{what}", server.trim_end_matches('/'));
    let mut url = Url::parse(&address)
        .map_err(|wrong| Failure::refused(context.secrets.mask(&format!("`{server}` is not an address: {wrong}"))))?;
    if !values.is_empty() {
        url.query_pairs_mut().extend_pairs(values);
    }
    let (text, answer) = text(url.as_str(), "application/json", context, client).await?;
    let status = answer.status.as_u16();
    let Ok(mut said) = serde_json::from_str::<Map<String, Value>>(&text) else {
        return Err(Failure::failed(format!("Prometheus answers {status}, and no JSON object")));
    };
    match said.get("status").and_then(Value::as_str) {
        Some("success") if answer.status.is_success() => Ok(said.remove("data").unwrap_or_default()),
        _ => {
            let why = said.get("error").map_or_else(|| "without a reason".to_owned(), words);
            Err(Failure::failed(format!("Prometheus answers {status}: {why}")))
        }
    }
}

fn items<'a>(data: &'a Value, name: &str) -> Result<&'a [Value], Failure> {
    let list = data[name].as_array().map(Vec::as_slice);
    list.ok_or_else(|| Failure::failed(format!("Prometheus answers without a list of `{name}`")))
}

/// The number of `[time, "number"]`; null when it is none that JSON can hold.
fn number(pair: &Value) -> Value {
    pair[1].as_str().and_then(|text| text.parse::<f64>().ok()).map_or(Value::Null, |number| json!(number))
}

/// A text as it is, and not too much of it; nothing of what is no text.
fn words(value: &Value) -> String {
    value.as_str().unwrap_or_default().chars().take(300).collect()
}
