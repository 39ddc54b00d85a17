//! A signed request to a server of the operator's own. `docs/paging.md` says how the server verifies it.
//!
//! The signature is over the time and the body, so that a request that somebody has recorded is worth nothing later; the key
//! of the page is in the body too, so that it is signed with it.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Page, Pager, Sent, Settled, http};
use crate::{clock::Timestamp, config::paging::WebhookSettings};

const MANNER: http::Manner = http::Manner {
    name: "the webhook",
    receipt: |answer| http::text(answer, "id"),
    complaint: |answer| http::text(answer, "error").or_else(|| http::text(answer, "message")),
};

pub(super) async fn page(pager: &Pager, settings: &WebhookSettings, page: &Page) -> Sent {
    let told = page.told();
    let body = json!({
        "event": "page",
        "key": page.key,
        "who": page.who,
        "subject": told.subject(),
        "text": told.body(),
        "short": told.short(),
        "link": told.link(),
        "code": told.code(),
        "priority": page.priority,
        "may_repeat": page.may_repeat,
        "drill": page.drill,
    });
    send(pager, settings, &page.key, &body).await
}

pub(super) async fn settle(pager: &Pager, settings: &WebhookSettings, key: &str, settled: Settled) -> Sent {
    let body = json!({ "event": settled.name(), "key": key });
    send(pager, settings, &format!("{key}-{}", settled.name()), &body).await
}

async fn send(pager: &Pager, settings: &WebhookSettings, idempotency: &str, body: &Value) -> Sent {
    let secret = match pager.secrets.resolve(&settings.secret) {
        Ok(secret) => secret,
        Err(error) => return Sent::refused(format!("{error:#}")),
    };
    let body = body.to_string();
    let at = pager.now();
    let Some(signature) = signature(secret.expose_secret(), at, &body) else {
        return Sent::refused(format!("nothing can be signed with the secret {}", settings.secret));
    };
    let clients = match pager.clients() {
        Ok(clients) => clients,
        Err(refused) => return refused,
    };
    let request = clients
        .post(&settings.url)
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", idempotency)
        .header("Drbot-Timestamp", at.timestamp().to_string())
        .header("Drbot-Signature", signature)
        .body(body);
    http::send(&pager.clock, request, &MANNER).await
}

/// `v1=` and the HMAC-SHA256 over `timestamp.body` in hexadecimal digits, the time in seconds since 1970.
fn signature(secret: &str, at: Timestamp, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(at.timestamp().to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("v1={digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1767225600.{"event":"page"}' | openssl dgst -sha256 -hmac hush-hush`
    #[test]
    fn the_signature_is_what_openssl_makes_of_it() {
        let at = Timestamp::from_timestamp(1_767_225_600, 0).unwrap();
        let signed = signature("hush-hush", at, r#"{"event":"page"}"#).unwrap();
        assert_eq!(signed, "v1=23f71f7eb15974fc31f7aa0c5b39f2319e2d4bc79cbbe6148125c676403772bd");
    }
}
