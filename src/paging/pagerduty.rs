//! Alerts by PagerDuty's Events API v2. The page's key is the `dedup_key`: sent twice it is one alert, and by it the alert is
//! acknowledged and resolved.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Page, Pager, Sent, Settled, http};
use crate::{
    config::{paging::PagerdutySettings, settings::Priority},
    progress::outside::cut,
};

/// Events API v2, `payload.summary`.
const LONGEST_SUMMARY: usize = 1024;

const MANNER: http::Manner = http::Manner {
    name: "PagerDuty",
    receipt: |answer| http::text(answer, "dedup_key"),
    complaint: |answer| {
        let errors = answer.get("errors").and_then(Value::as_array);
        let errors: Vec<_> = errors.into_iter().flatten().filter_map(Value::as_str).collect();
        let message = http::text(answer, "message")?;
        Some(if errors.is_empty() { message } else { format!("{message} ({})", errors.join("; ")) })
    },
};

pub(super) async fn trigger(pager: &Pager, settings: &PagerdutySettings, page: &Page) -> Sent {
    let told = page.told();
    let links: Vec<_> = told.link().map(|link| json!({ "href": link, "text": "Acknowledge" })).into_iter().collect();
    let event = json!({
        "event_action": "trigger",
        "dedup_key": page.key,
        "client": "drbot",
        "links": links,
        "payload": {
            "summary": cut(&told.subject(), LONGEST_SUMMARY),
            "source": "drbot",
            "severity": severity(page.priority),
            "timestamp": pager.now().to_rfc3339(),
            "custom_details": { "text": told.body(), "who": page.who, "code": told.code(), "drill": page.drill },
        },
    });
    send(pager, settings, event).await
}

pub(super) async fn settle(pager: &Pager, settings: &PagerdutySettings, key: &str, settled: Settled) -> Sent {
    send(pager, settings, json!({ "event_action": settled.name(), "dedup_key": key })).await
}

async fn send(pager: &Pager, settings: &PagerdutySettings, mut event: Value) -> Sent {
    let key = match pager.secrets.resolve(&settings.routing_key) {
        Ok(key) => key,
        Err(error) => return Sent::refused(format!("{error:#}")),
    };
    event["routing_key"] = Value::from(key.expose_secret());
    let clients = match pager.clients() {
        Ok(clients) => clients,
        Err(refused) => return refused,
    };
    let request = clients.post(&format!("{}/v2/enqueue", settings.url)).json(&event);
    http::send(&pager.clock, request, &MANNER).await
}

fn severity(priority: Priority) -> &'static str {
    match priority {
        Priority::Critical => "critical",
        Priority::High => "error",
        Priority::Medium => "warning",
    }
}
