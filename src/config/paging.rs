//! `[paging]`: by which services people are reached outside of Discord. Each is off when it is left out.

mod check;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use self::check::check;
use super::settings::number_or_text;
use crate::runbook::action::SECRET_NAME;

/// By what people are reached outside of Discord. Nothing when left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagingSettings {
    /// Mail, over a server of one's own.
    #[serde(default)]
    pub email: Option<EmailSettings>,
    /// A signed request to a server of one's own.
    #[serde(default)]
    pub webhook: Option<WebhookSettings>,
    /// Text messages and calls, by Twilio.
    #[serde(default)]
    pub twilio: Option<TwilioSettings>,
    /// Alerts of PagerDuty (Events API v2).
    #[serde(default)]
    pub pagerduty: Option<PagerdutySettings>,
    /// Push messages by ntfy.
    #[serde(default)]
    pub ntfy: Option<NtfySettings>,
}

/// The server that takes mail from drbot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailSettings {
    /// Its name, which its certificate has to have too.
    #[schemars(length(min = 1), example = &"smtp.example.org")]
    pub host: String,
    /// Its port; that of `security` when left out: 587, 465 or 25.
    #[serde(default, deserialize_with = "maybe_port")]
    #[schemars(schema_with = "super::settings::port_schema")]
    pub port: Option<u16>,
    /// How the connection is kept private.
    #[serde(default)]
    pub security: Security,
    /// The address that mails come from.
    #[schemars(regex(pattern = r"^[^@\s]+@[^@\s]+$"), example = &"drbot@example.org")]
    pub from: String,
    /// The account's name; the server takes mail from anybody when left out.
    #[serde(default)]
    pub user: Option<String>,
    /// Name of the secret that holds the account's password.
    #[serde(default)]
    #[schemars(regex(pattern = SECRET_NAME), example = &"SMTP_PASSWORD")]
    pub password: Option<String>,
    /// A file with the certificates (PEM) of who may vouch for the server, in the place of the system's. Relative to this
    /// file.
    #[serde(default)]
    #[schemars(example = &"mail-ca.pem")]
    pub ca: Option<PathBuf>,
}

impl EmailSettings {
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        })
    }
}

/// How the connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// It begins in the open and is made private before anything is said; a server that does not offer it gets nothing.
    #[default]
    Starttls,
    /// It is private from the first byte.
    Tls,
    /// Not at all: only to a server on this machine.
    None,
}

/// A server of one's own that takes pages as signed requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where it takes them. Without TLS only on this machine.
    #[schemars(regex(pattern = "^https?://"), example = &"https://alerts.example.org/drbot")]
    pub url: String,
    /// Name of the secret that requests are signed with.
    #[schemars(regex(pattern = SECRET_NAME), example = &"PAGING_WEBHOOK_SECRET")]
    pub secret: String,
}

/// An account with Twilio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TwilioSettings {
    /// The account's SID.
    #[schemars(regex(pattern = "^AC[0-9a-fA-F]{32}$"))]
    pub account: String,
    /// Name of the secret that holds the account's token.
    #[schemars(regex(pattern = SECRET_NAME), example = &"TWILIO_TOKEN")]
    pub token: String,
    /// The number that messages and calls come from, one of the account's, in the international form.
    #[schemars(regex(pattern = r"^\+[1-9][0-9]{6,14}$"), example = &"+15550100100")]
    pub from: String,
    /// Where the API is, without a slash at the end.
    #[serde(default = "twilio")]
    #[schemars(regex(pattern = "^https?://"))]
    pub url: String,
}

fn twilio() -> String {
    "https://api.twilio.com".to_owned()
}

/// A service of PagerDuty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerdutySettings {
    /// Name of the secret that holds the integration's key (Events API v2).
    #[schemars(regex(pattern = SECRET_NAME), example = &"PAGERDUTY_ROUTING_KEY")]
    pub routing_key: String,
    /// Where the API is, without a slash at the end.
    #[serde(default = "pagerduty")]
    #[schemars(regex(pattern = "^https?://"))]
    pub url: String,
}

fn pagerduty() -> String {
    "https://events.pagerduty.com".to_owned()
}

/// A topic of ntfy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NtfySettings {
    /// The server, without a slash at the end.
    #[serde(default = "ntfy")]
    #[schemars(regex(pattern = "^https?://"))]
    pub url: String,
    /// The topic. On a server that is open to all, whoever knows it reads along: put it into `.env`, as `"${NTFY_TOPIC}"`.
    #[schemars(regex(pattern = "^[-_A-Za-z0-9]{1,64}$"), example = &"oncall")]
    pub topic: String,
    /// Name of the secret that holds the token to publish with; none is needed when left out.
    #[serde(default)]
    #[schemars(regex(pattern = SECRET_NAME), example = &"NTFY_TOKEN")]
    pub token: Option<String>,
}

fn ntfy() -> String {
    "https://ntfy.sh".to_owned()
}

impl PagingSettings {
    /// Every secret that is named, and the table and key that name it.
    pub fn secrets(&self) -> Vec<(&'static str, &'static str, &str)> {
        let named = [
            ("email", "password", self.email.as_ref().and_then(|email| email.password.as_ref())),
            ("webhook", "secret", self.webhook.as_ref().map(|webhook| &webhook.secret)),
            ("twilio", "token", self.twilio.as_ref().map(|twilio| &twilio.token)),
            ("pagerduty", "routing_key", self.pagerduty.as_ref().map(|pagerduty| &pagerduty.routing_key)),
            ("ntfy", "token", self.ntfy.as_ref().and_then(|ntfy| ntfy.token.as_ref())),
        ];
        named.into_iter().filter_map(|(table, key, secret)| Some((table, key, secret?.as_str()))).collect()
    }
}

/// A port as [`number_or_text`] takes it.
fn maybe_port<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    number_or_text(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
