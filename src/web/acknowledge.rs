//! `/ack/…`: the link in a page. Opening it shows what it is about; the button on that page acknowledges, once.
//!
//! What must stay true: opening a link does nothing, because mail scanners and previews follow links; and what a link is good
//! for ends with its use, its time or its incident.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    response::{Html, IntoResponse, Response},
    routing::get,
};

/// Nothing but the page itself: no script, nothing from elsewhere, and its form goes nowhere else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a link leads to, as text for a page that is not Discord's: nothing in it is markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    pub title: String,
    pub lines: Vec<String>,
}

/// Who knows the links.
#[async_trait::async_trait]
pub trait Links: Send + Sync {
    /// What a link is about; `None` when it was used, has expired, or never was.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn look(&self, token: &str) -> anyhow::Result<Option<Linked>>;

    /// Acknowledges. `None` as above.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn acknowledge(&self, token: &str) -> anyhow::Result<Option<Linked>>;
}

pub(super) fn routes(links: Arc<dyn Links>) -> Router {
    Router::new().route("/ack/{token}", get(show).post(acknowledge)).with_state(links)
}

async fn show(State(links): State<Arc<dyn Links>>, Path(token): Path<String>) -> Response {
    match links.look(&token).await {
        Ok(Some(linked)) => page(StatusCode::OK, &linked, true),
        Ok(None) => gone(),
        Err(error) => broken(&error),
    }
}

async fn acknowledge(State(links): State<Arc<dyn Links>>, Path(token): Path<String>) -> Response {
    match links.acknowledge(&token).await {
        Ok(Some(linked)) => page(StatusCode::OK, &linked, false),
        Ok(None) => gone(),
        Err(error) => broken(&error),
    }
}

fn gone() -> Response {
    let linked = Linked {
        title: "This link is used up".to_owned(),
        lines: vec!["It was used, has expired, or its incident is closed. In Discord: /incident ack".to_owned()],
    };
    page(StatusCode::GONE, &linked, false)
}

fn broken(error: &anyhow::Error) -> Response {
    tracing::error!(error = format!("{error:#}"), "a link in a page cannot be followed");
    let linked = Linked {
        title: "drbot's store does not answer".to_owned(),
        lines: vec!["Nothing was done. Try again, or acknowledge in Discord: /incident ack".to_owned()],
    };
    page(StatusCode::SERVICE_UNAVAILABLE, &linked, false)
}

fn page(status: StatusCode, linked: &Linked, asks: bool) -> Response {
    let lines: String = linked.lines.iter().map(|line| format!("<p>{}</p>", escaped(line))).collect();
    let form = if asks { "<form method=\"post\"><button>I have it</button></form>" } else { "" };
    let title = escaped(&linked.title);
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\"><meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>body{{font:18px/1.5 \
         system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;background:#1e1f22;color:#f2f3f5}}\
         h1{{font-size:1.4rem}}button{{font:inherit;font-weight:600;width:100%;padding:1rem;border:0;border-radius:.5rem;\
         background:#248046;color:#fff}}</style><h1>{title}</h1>{lines}{form}</html>"
    );
    let headers = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Html(text)).into_response()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn text_stays_text() {
        assert_eq!(escaped("<b onclick='x'>&\"</b>"), "&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;&lt;/b&gt;");
    }
}
