//! `[alerts]` in `drbot.toml`: who may post alerts, and what they are about; and the checks that its types cannot make.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::runbook::{document::Place, is_secret_name, span::Span};

/// Alerts of monitoring, posted to the listener of `[web]`. Without `bearer` and `hmac` none are taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertSettings {
    /// Name of the secret that senders give as `Authorization: Bearer …`; never the token itself, and no reference.
    #[serde(default)]
    #[schemars(regex(pattern = crate::runbook::action::SECRET_NAME), example = &"ALERTS_TOKEN")]
    pub bearer: Option<String>,
    /// Name of the secret that senders sign with (HMAC-SHA256); never the key itself, and no reference.
    #[serde(default)]
    #[schemars(regex(pattern = crate::runbook::action::SECRET_NAME), example = &"ALERTS_HMAC_KEY")]
    pub hmac: Option<String>,
    /// The scenario of an alert that no rule says more of; none when left out.
    #[serde(default)]
    pub scenario: Option<String>,
    /// The target of an alert that no rule says more of; none when left out.
    #[serde(default)]
    pub target: Option<String>,
    /// How long an alert may fire behind a verified recovery until that is doubted and people are called again; 10 min when left out.
    /// More than Alertmanager's `group_interval` and the time that its rules look back.
    #[serde(default)]
    pub resolves_within: Option<Span>,
    /// What alerts are about. The first that fits is used.
    #[serde(default)]
    pub rule: Vec<AlertRule>,
}

/// What some alerts are about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// Label → its value, or a regular expression between slashes, which fits the whole value. All of them must fit; a
    /// label that is not there is empty.
    #[serde(rename = "match")]
    #[schemars(extend("minProperties" = 1))]
    pub matches: BTreeMap<String, String>,
    /// A scenario of this file.
    #[serde(default)]
    pub scenario: Option<String>,
    /// A target of this file.
    #[serde(default)]
    pub target: Option<String>,
}

/// What a label's value is held against.
#[derive(Debug, Clone)]
pub enum Pattern {
    Exact(String),
    Regex(Regex),
}

/// A regular expression that is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is no regular expression: {0}")]
pub struct BadPattern(String);

/// Bytes that one compiled expression may take.
const LARGEST_PATTERN: usize = 1 << 20;

impl Pattern {
    /// `text` is a value, or `/an expression/`.
    ///
    /// # Errors
    /// When the expression does not parse, or is too large.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let Some(inner) = inner else { return Ok(Self::Exact(text.to_owned())) };
        let whole = RegexBuilder::new(&format!("^(?:{inner})$")).size_limit(LARGEST_PATTERN).build();
        whole.map(Self::Regex).map_err(|error| {
            // The parser draws the expression over several lines; its last one says what is wrong.
            let text = error.to_string();
            BadPattern(text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
        })
    }

    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => text == value,
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

pub(super) fn check(settings: &Settings, report: &mut dyn FnMut(&Place, &str, &str)) {
    let (alerts, place) = (&settings.alerts, Place::root().key("alerts"));
    for (key, secret) in [("bearer", &alerts.bearer), ("hmac", &alerts.hmac)] {
        if secret.as_ref().is_some_and(|secret| !is_secret_name(secret)) {
            // The text may be the secret itself, and is not repeated.
            let help = "the name of a variable of .env, like \"ALERTS_TOKEN\"; never the secret itself";
            report(&place.key(key), "this is not the name of a secret", help);
        }
    }
    if settings.web.is_none() && (alerts.bearer.is_some() || alerts.hmac.is_some()) {
        report(&place, "nobody listens for alerts", "[web] listen = \"127.0.0.1:9464\"");
    }
    check_names(&place, alerts.scenario.as_ref(), alerts.target.as_ref(), settings, report);
    for (index, rule) in alerts.rule.iter().enumerate() {
        check_rule(&place.key("rule").index(index), rule, settings, report);
    }
}

fn check_rule(place: &Place, rule: &AlertRule, settings: &Settings, report: &mut dyn FnMut(&Place, &str, &str)) {
    if rule.matches.is_empty() {
        let help = "like match = { alertname = \"DatabaseDown\" }; [alerts] scenario and target are for all others";
        report(&place.key("match"), "this rule would take every alert", help);
    }
    for (label, text) in &rule.matches {
        if let Err(error) = Pattern::parse(text) {
            let help = "a value, or an expression between slashes, like \"/db-.*/\"";
            report(&place.key("match").key(label), &error.to_string(), help);
        }
    }
    if rule.scenario.is_none() && rule.target.is_none() {
        report(place, "this rule says nothing", "`scenario`, `target` or both");
    }
    check_names(place, rule.scenario.as_ref(), rule.target.as_ref(), settings, report);
}

fn check_names(
    place: &Place,
    scenario: Option<&String>,
    target: Option<&String>,
    settings: &Settings,
    report: &mut dyn FnMut(&Place, &str, &str),
) {
    if let Some(name) = scenario.filter(|name| !settings.scenario.contains_key(*name)) {
        let known: Vec<_> = settings.scenario.keys().map(String::as_str).collect();
        let help = format!("[scenario] has {}", known.join(", "));
        report(&place.key("scenario"), &format!("there is no scenario `{name}`"), &help);
    }
    if let Some(name) = target.filter(|name| !settings.target.contains_key(*name)) {
        let known: Vec<_> = settings.target.keys().map(String::as_str).collect();
        report(
            &place.key("target"),
            &format!("there is no target `{name}`"),
            &format!("[target] has {}", known.join(", ")),
        );
    }
}
