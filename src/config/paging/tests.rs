//! `[paging]` as operators meet it: the examples of `drbot.toml`, mistakes, secrets that are not set.

use std::path::Path;

use crate::{
    config::load::{COMMANDS_FOLDER, Configuration, SETTINGS_FILE},
    runbook::problem::Problem,
};

fn shipped() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(SETTINGS_FILE)).unwrap()
}

/// The shipped settings with every example of `[paging]` in force.
fn with_examples() -> String {
    let shipped = shipped();
    let (before, rest) = shipped.split_once("# [paging.email]\n").unwrap();
    let (examples, after) = rest.split_once("\n\n").unwrap();
    let examples: Vec<_> = examples.lines().map(|line| line.trim_start_matches('#').trim_start()).collect();
    format!("{before}[paging.email]\n{}\n\n{after}", examples.join("\n"))
}

fn load(text: &str, set: &'static [&'static str]) -> Result<Configuration, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(COMMANDS_FOLDER)).unwrap();
    std::fs::write(folder.path().join(SETTINGS_FILE), text).unwrap();
    let value = move |name: &str| set.contains(&name).then(|| "oncall".to_owned());
    Configuration::load_with(folder.path(), value).map_err(|problems| shown(&problems))
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_is_on_as_shipped_and_every_example_works() {
    let shipped = load(&shipped(), &[]).unwrap();
    assert_eq!(shipped.settings.paging, super::PagingSettings::default());
    let secrets = ["SMTP_PASSWORD", "TWILIO_TOKEN", "PAGERDUTY_ROUTING_KEY", "NTFY_TOKEN", "PAGING_WEBHOOK_SECRET"];
    let all = load(&with_examples(), &["NTFY_TOPIC"]).unwrap();
    let paging = &all.settings.paging;
    assert_eq!(paging.ntfy.as_ref().unwrap().topic, "oncall");
    assert_eq!(paging.email.as_ref().unwrap().ca, Some(all.directory.join("mail-ca.pem")));
    assert_eq!(paging.pagerduty.as_ref().unwrap().url, "https://events.pagerduty.com");
    let warnings = shown(&all.warnings);
    for secret in secrets {
        assert!(warnings.contains(&format!("the secret {secret} is not set")), "{secret}: {warnings}");
        assert!(all.secrets.contains(secret));
    }
}

#[test]
fn every_mistake_is_said_with_its_place() {
    let text = with_examples()
        .replace("\"smtp.example.org\"", "\"https://smtp\"")
        .replace("port     = 587 ", "port     = 0 ")
        .replace("\"drbot@example.org\"", "\"drbot\"")
        .replace("user     = \"drbot\"\n", "")
        .replace("\"TWILIO_TOKEN\"", "\"8a7f-hush\"")
        .replace("\"AC00000000000000000000000000000000\"", "\"SK0\"")
        .replace("\"+15550100100\"", "\"+1 555 010 0100\"")
        .replace("\"https://ntfy.sh\"", "\"http://ntfy.example.org/\"")
        .replace("\"${NTFY_TOPIC}\"", "\"on call\"")
        .replace("\"https://alerts.example.org/drbot\"", "\"https://me:hush@alerts.example.org\"");
    let problems = load(&text, &["NTFY_TOPIC"]).unwrap_err();
    assert!(!problems.contains("hush"), "a text that may be a secret is not repeated");
    let first = 1 + text.lines().position(|line| line == "[paging.email]").unwrap();
    let said: Vec<String> = problems
        .lines()
        .map(|line| match line.strip_prefix("drbot.toml:").and_then(|rest| rest.split_once(':')) {
            Some((number, rest)) => format!("+{}:{rest}", number.parse::<usize>().unwrap() - first),
            None => line.to_owned(),
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    +0:1: a password without an account
        user = "…"
    +1:12: this is no name of a server
        like "smtp.example.org"
    +2:12: 0 is no port
        587, 465 or 25 are usual
    +4:12: this is no mail address
        like "drbot@example.org"
    +9:11: this is no account's SID
        AC and 32 hexadecimal digits, as Twilio's console shows it
    +10:11: this is no name of a secret
        name it in capitals, like SMTP_PASSWORD, and put its value into .env
    +11:11: this is no number in the international form
        like "+15550100100", without spaces
    +17:9: the URL ends with a slash
        leave it out: drbot adds the path
    +17:9: the page would cross the network in the open
        https; http is for this machine
    +18:9: this cannot be a topic
        1 to 64 of A-Z, a-z, 0-9, `-` and `_`
    +22:10: there is a user or a password in the URL
        secrets are named, and live in .env
    "#);
}

#[test]
fn nothing_confidential_crosses_a_network_in_the_open() {
    let open = with_examples().replace("security = \"starttls\"", "security = \"none\"");
    let problems = load(&open, &["NTFY_TOPIC"]).unwrap_err();
    assert!(problems.contains("the mail would cross the network in the open"), "{problems}");
    load(&open.replace("\"smtp.example.org\"", "\"localhost\""), &["NTFY_TOPIC"]).unwrap();
    for (url, good) in [
        ("http://127.0.0.1:8080/hook", true),
        ("http://[::1]:8080/hook", true),
        ("http://localhost/hook", true),
        ("http://localhost.example.org/hook", false),
        ("http://10.0.0.1/hook", false),
        ("ftp://127.0.0.1/hook", false),
        ("alerts", false),
    ] {
        let text = with_examples().replace("https://alerts.example.org/drbot", url);
        assert_eq!(load(&text, &["NTFY_TOPIC"]).is_ok(), good, "{url}");
    }
}

#[test]
fn the_name_of_a_secret_takes_no_reference() {
    for (name, value) in
        [("secret", "PAGING_WEBHOOK_SECRET"), ("token", "NTFY_TOKEN"), ("routing_key", "PAGERDUTY_ROUTING_KEY")]
    {
        let text = with_examples().replace(&format!("\"{value}\""), "\"${SMTP_PASSWORD}\"");
        let problems = load(&text, &["NTFY_TOPIC", "SMTP_PASSWORD"]).unwrap_err();
        assert!(problems.contains("this is the name of a secret, not the secret"), "{name}: {problems}");
    }
}
