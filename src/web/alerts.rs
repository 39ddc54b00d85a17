//! `POST /alerts/alertmanager` and `POST /alerts/generic`: who sends, what, and the answer.
//!
//! An answer tells the sender whether to repeat: Alertmanager repeats after 5xx, and never after 4xx.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::json;

use super::{
    body::{self, Unread},
    failures::Failures,
    metrics,
    proof::{Proof, Proven, Unproven},
};
use crate::{
    alerts::{
        Unreadable,
        alert::Alert,
        alertmanager, generic,
        receiver::{AlertsReceiver, Counts, Delivery, Received},
    },
    clock::Clock,
    config::{alerts::AlertSettings, secrets::Secrets},
};

/// How long a sender may take for a body.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who may post alerts, and who takes them.
pub struct Alerts {
    proof: Proof,
    receiver: Arc<dyn AlertsReceiver>,
}

impl std::fmt::Debug for Alerts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alerts").finish_non_exhaustive()
    }
}

impl Alerts {
    /// `None` when the settings name no secret: nobody could prove anything.
    pub fn of(settings: &AlertSettings, secrets: Secrets, receiver: Arc<dyn AlertsReceiver>) -> Option<Self> {
        Some(Self { proof: Proof::of(settings, secrets)?, receiver })
    }
}

struct Desk {
    alerts: Arc<Alerts>,
    failures: Failures,
    clock: Clock,
}

/// What a format makes of a body.
type Reader = fn(&[u8]) -> Result<alertmanager::Read, Unreadable>;

pub(super) fn routes(alerts: Arc<Alerts>, clock: Clock) -> Router {
    let desk = Arc::new(Desk { alerts, failures: Failures::new(), clock });
    Router::new()
        .route("/alerts/alertmanager", post(from_alertmanager))
        .route("/alerts/generic", post(from_others))
        .with_state(desk)
}

async fn from_alertmanager(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    answered(desk.take(request, alertmanager::read).await)
}

async fn from_others(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let read: Reader = |body| Ok(alertmanager::Read { alerts: generic::read(body)?, left_out: 0 });
    answered(desk.take(request, read).await)
}

/// Why nothing was taken.
enum Refusal {
    Unproven(Unproven),
    TooManyFailures,
    NotJson,
    Unread(Unread),
    Unreadable(Unreadable),
    Replayed,
    /// To be repeated.
    NotDurable,
}

impl Desk {
    async fn take(&self, request: Request, read: Reader) -> Result<(Counts, u64), Refusal> {
        let (parts, body) = request.into_parts();
        let early = self.alerts.proof.without_body(&parts.headers);
        // Who shows nothing that a body could prove is not listened to.
        let early = early.map_err(|unproven| self.refused(unproven))?;
        if !is_json(&parts.headers) {
            return Err(Refusal::NotJson);
        }
        let body = self.clock.timeout(PATIENCE, body::whole(body)).await.unwrap_or(Err(Unread::Late));
        let body = body.map_err(Refusal::Unread)?;
        let proven = early.with_body(&body, self.clock.now()).map_err(|unproven| self.refused(unproven))?;
        self.keep(&body, proven, read).await
    }

    async fn keep(&self, body: &Bytes, proven: Proven, read: Reader) -> Result<(Counts, u64), Refusal> {
        let alertmanager::Read { alerts, left_out } = read(body).map_err(Refusal::Unreadable)?;
        let counted: Vec<_> = alerts.iter().map(|Alert { source, status, .. }| (source.clone(), *status)).collect();
        let delivery = Delivery { alerts, signature: proven.signature };
        match self.alerts.receiver.receive(delivery).await {
            Ok(Received::Taken(counts)) => {
                counted.iter().for_each(|(source, status)| metrics::received(source, *status));
                metrics::changed(counts, left_out);
                Ok((counts, left_out))
            }
            Ok(Received::Replayed) => Err(Refusal::Replayed),
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "alerts could not be stored; their sender is told to repeat them"
                );
                Err(Refusal::NotDurable)
            }
        }
    }

    /// Somebody who did not prove who they are. Said once in a while, however often they try.
    fn refused(&self, unproven: Unproven) -> Refusal {
        if let Unproven::NoSecret(error) = &unproven {
            tracing::error!(error, "alerts cannot be taken; their sender is told to repeat them");
            return Refusal::Unproven(unproven);
        }
        let seen = self.failures.note(self.clock.monotonic());
        if let Some(before) = seen.to_say {
            tracing::warn!(why = %unproven, before, "somebody posts alerts without proving who they are");
        }
        if seen.too_many { Refusal::TooManyFailures } else { Refusal::Unproven(unproven) }
    }
}

fn is_json(headers: &axum::http::HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn answered(taken: Result<(Counts, u64), Refusal>) -> Response {
    let (status, answer) = match taken {
        Ok((counts, left_out)) => {
            let Counts { new, resolved, missed, repeated } = counts;
            let answer = json!({ "new": new, "resolved": resolved, "missed": missed, "repeated": repeated, "left_out": left_out });
            (StatusCode::OK, answer)
        }
        Err(refusal) => {
            let (status, error) = refusal.answer();
            (status, json!({ "error": error }))
        }
    };
    metrics::answered(status.as_u16());
    let mut response = (status, Json(answer)).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    }
    response
}

impl Refusal {
    fn answer(&self) -> (StatusCode, String) {
        match self {
            Self::Unproven(Unproven::NoSecret(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "drbot lacks the secret of [alerts]; its log says which".to_owned())
            }
            Self::Unproven(unproven) => (StatusCode::UNAUTHORIZED, unproven.to_string()),
            Self::TooManyFailures => {
                (StatusCode::TOO_MANY_REQUESTS, "too many requests without a valid proof; wait a minute".to_owned())
            }
            Self::NotJson => {
                let error = "the body is JSON, and its content-type is application/json";
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_owned())
            }
            Self::Unread(Unread::TooLarge) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB; send fewer alerts at once".to_owned())
            }
            // A 408 would be more exact, and Alertmanager would not repeat.
            Self::Unread(Unread::Late) => {
                (StatusCode::SERVICE_UNAVAILABLE, "the body did not come within ten seconds".to_owned())
            }
            Self::Unread(Unread::Broken) => (StatusCode::BAD_REQUEST, "the body broke off".to_owned()),
            Self::Unreadable(unreadable) => (StatusCode::BAD_REQUEST, unreadable.to_string()),
            Self::Replayed => {
                (StatusCode::CONFLICT, "this signature was used before; sign each request anew".to_owned())
            }
            Self::NotDurable => {
                let error = "the alerts could not be stored; send them again, newly signed";
                (StatusCode::SERVICE_UNAVAILABLE, error.to_owned())
            }
        }
    }
}
