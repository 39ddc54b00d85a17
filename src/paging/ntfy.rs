//! Push messages by ntfy, published as JSON: so no text of a page becomes a header.

use secrecy::ExposeSecret;
use serde_json::json;

use super::{Page, Pager, Sent, http};
use crate::{
    config::{paging::NtfySettings, settings::Priority},
    progress::outside::cut,
};

/// ntfy makes an attachment of more than 4096 bytes. A character has at most four.
const LONGEST: usize = 1000;

const MANNER: http::Manner = http::Manner {
    name: "ntfy",
    receipt: |answer| http::text(answer, "id"),
    complaint: |answer| http::text(answer, "error"),
};

pub(super) async fn publish(pager: &Pager, settings: &NtfySettings, page: &Page) -> Sent {
    let told = page.told();
    let mut message = json!({
        "topic": settings.topic,
        "title": told.subject(),
        "message": cut(&told.body(), LONGEST),
        "priority": priority(page.priority),
        "tags": [if page.drill { "test_tube" } else { "rotating_light" }],
    });
    if let Some(link) = told.link() {
        message["click"] = json!(link);
        message["actions"] = json!([{ "action": "view", "label": "Acknowledge", "url": link }]);
    }
    // To the root: the topic is in the message, and in no address that somebody logs.
    let clients = match pager.clients() {
        Ok(clients) => clients,
        Err(refused) => return refused,
    };
    let mut request = clients.post(&format!("{}/", settings.url)).json(&message);
    if let Some(name) = &settings.token {
        match pager.secrets.resolve(name) {
            Ok(token) => request = request.bearer_auth(token.expose_secret()),
            Err(error) => return Sent::refused(format!("{error:#}")),
        }
    }
    http::send(&pager.clock, request, &MANNER).await
}

/// ntfy's go from 1 to 5; 5 rings through what keeps the telephone quiet.
fn priority(priority: Priority) -> u8 {
    match priority {
        Priority::Critical => 5,
        Priority::High => 4,
        Priority::Medium => 3,
    }
}
