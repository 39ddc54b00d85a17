//! Whether `[paging]` makes sense: above all that nothing confidential crosses a network in the open.

use std::net::IpAddr;

use super::{EmailSettings, NtfySettings, PagingSettings, Security, TwilioSettings};
use crate::runbook::{document::Place, is_secret_name};

type Report<'a> = dyn FnMut(&Place, &str, &str) + 'a;

pub fn check(place: &Place, settings: &PagingSettings, report: &mut Report<'_>) {
    for (table, key, _) in settings.secrets().iter().filter(|(.., secret)| !is_secret_name(secret)) {
        // The text may be the secret itself, and is not repeated.
        let help = "name it in capitals, like SMTP_PASSWORD, and put its value into .env";
        report(&place.key(table).key(key), "this is no name of a secret", help);
    }
    if let Some(email) = &settings.email {
        check_email(&place.key("email"), email, report);
    }
    if let Some(twilio) = &settings.twilio {
        check_twilio(&place.key("twilio"), twilio, report);
    }
    if let Some(ntfy) = &settings.ntfy {
        check_ntfy(&place.key("ntfy"), ntfy, report);
    }
    if let Some(webhook) = &settings.webhook {
        check_url(&place.key("webhook").key("url"), &webhook.url, report);
    }
    let services = [
        ("twilio", settings.twilio.as_ref().map(|twilio| &twilio.url)),
        ("pagerduty", settings.pagerduty.as_ref().map(|pagerduty| &pagerduty.url)),
        ("ntfy", settings.ntfy.as_ref().map(|ntfy| &ntfy.url)),
    ];
    for (table, url) in services.into_iter().filter_map(|(table, url)| Some((table, url?))) {
        let place = place.key(table).key("url");
        check_url(&place, url, report);
        if url.ends_with('/') {
            report(&place, "the URL ends with a slash", "leave it out: drbot adds the path");
        }
    }
}

fn check_email(place: &Place, email: &EmailSettings, report: &mut Report<'_>) {
    if email.host.is_empty() || email.host.contains(|one: char| one.is_whitespace() || "/@".contains(one)) {
        report(&place.key("host"), "this is no name of a server", "like \"smtp.example.org\"");
    } else if email.security == Security::None && !is_this_machine(&email.host) {
        let help = "\"starttls\" or \"tls\"; \"none\" is for a server on this machine";
        report(&place.key("security"), "the mail would cross the network in the open", help);
    }
    if email.port == Some(0) {
        report(&place.key("port"), "0 is no port", "587, 465 or 25 are usual");
    }
    if !is_address(&email.from) {
        report(&place.key("from"), "this is no mail address", "like \"drbot@example.org\"");
    }
    match (&email.user, &email.password) {
        (Some(_), None) => report(place, "an account without a password", "password = \"SMTP_PASSWORD\""),
        (None, Some(_)) => report(place, "a password without an account", "user = \"…\""),
        _ => {}
    }
    if email.ca.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
        report(&place.key("ca"), "which file?", "a path, relative to this file");
    }
}

fn check_twilio(place: &Place, twilio: &TwilioSettings, report: &mut Report<'_>) {
    let hex = twilio.account.strip_prefix("AC").unwrap_or_default();
    if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let help = "AC and 32 hexadecimal digits, as Twilio's console shows it";
        report(&place.key("account"), "this is no account's SID", help);
    }
    let digits = twilio.from.strip_prefix('+').unwrap_or_default();
    let dialled = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !dialled || digits.starts_with('0') {
        report(
            &place.key("from"),
            "this is no number in the international form",
            "like \"+15550100100\", without spaces",
        );
    }
}

fn check_ntfy(place: &Place, ntfy: &NtfySettings, report: &mut Report<'_>) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !(1..=64).contains(&ntfy.topic.len()) || !ntfy.topic.bytes().all(fits) {
        report(&place.key("topic"), "this cannot be a topic", "1 to 64 of A-Z, a-z, 0-9, `-` and `_`");
    }
}

fn check_url(place: &Place, url: &str, report: &mut Report<'_>) {
    let Ok(parsed) = reqwest::Url::parse(url) else {
        report(place, "this is not a URL", "like \"https://alerts.example.org\"");
        return;
    };
    let host = parsed.host_str().unwrap_or_default();
    match parsed.scheme() {
        "https" => {}
        "http" if is_this_machine(host) => {}
        "http" => report(place, "the page would cross the network in the open", "https; http is for this machine"),
        _ => report(place, "this is not a URL", "like \"https://alerts.example.org\""),
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        report(place, "there is a user or a password in the URL", "secrets are named, and live in .env");
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// As much as is needed to see a mistake; what it is worth, the server says.
fn is_address(text: &str) -> bool {
    let strange = |one: char| one.is_whitespace() || one.is_control() || "<>,;\"`".contains(one);
    text.split_once('@').is_some_and(|(box_, domain)| {
        !box_.is_empty() && !domain.is_empty() && !domain.contains('@') && !text.contains(strange)
    })
}
