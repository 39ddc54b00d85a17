//! Whether the settings make sense: what their types cannot say.

use std::time::Duration;

use super::{
    paging,
    settings::{
        BreakGlassSettings, ComposeTarget, DrillSettings, Heartbeat, NetworkTarget, RungSettings, Settings, Target,
    },
};
use crate::runbook::{
    document::{Document, Place},
    is_secret_name,
    problem::Problem,
    template,
};

/// Nobody plans to be down for longer.
const LONGEST_OBJECTIVE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Less leaves no time for the shortest pauses of the ladders; more is no drill.
const DRILL_RTO: std::ops::RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(3600);

/// Every problem of the settings, at its place.
pub fn check(document: &Document<'_>, settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut report = |place: &Place, message: &str, help: &str| {
        problems.push(document.problem(place, message).with_help(help));
    };
    let root = Place::root();
    for (name, scenario) in &settings.scenario {
        let place = root.key("scenario").key(name);
        if scenario.rto.0 > LONGEST_OBJECTIVE {
            report(&place.key("rto"), "an objective of more than 30 days is none", "like \"30m\"");
        }
        if scenario.rto.0.is_zero() {
            report(&place.key("rto"), "an objective of no time cannot be kept", "like \"30m\"");
        }
    }
    for (name, target) in &settings.target {
        check_target(&root.key("target").key(name), target, &mut report);
    }
    check_ladder(&root.key("escalation"), &settings.escalation, &mut report);
    for (table, key, roles) in [
        ("contacts", "roles", &settings.contacts.roles),
        ("contacts", "numbers", &settings.contacts.numbers),
        ("contacts", "edit", &settings.contacts.edit),
        ("incidents", "roles", &settings.incidents.roles),
        ("incidents", "deadline", &settings.incidents.deadline),
        ("lockdown", "roles", &settings.lockdown.roles),
        ("break_glass", "roles", &settings.break_glass.roles),
        ("break_glass", "review", &settings.break_glass.review),
    ] {
        for (index, role) in roles.iter().enumerate().filter(|(_, role)| !settings.roles.contains_key(*role)) {
            let known: Vec<_> = settings.roles.keys().map(String::as_str).collect();
            let place = root.key(table).key(key).index(index);
            report(&place, &format!("there is no role `{role}`"), &format!("[roles] has {}", known.join(", ")));
        }
    }
    if let Some(drill) = &settings.incidents.drill {
        check_drill(&root.key("incidents").key("drill"), drill, &mut report);
    }
    check_break_glass(&root.key("break_glass"), &settings.break_glass, &mut report);
    check_people(&root.key("people"), settings, &mut report);
    super::alerts::check(settings, &mut report);
    if let Some(heartbeat) = settings.web.as_ref().and_then(|web| web.heartbeat.as_ref()) {
        check_heartbeat(&root.key("web").key("heartbeat"), heartbeat, &mut report);
    }
    paging::check(&root.key("paging"), &settings.paging, &mut report);
    let limits = root.key("limits");
    if settings.limits.commands_per_minute == 0 {
        report(&limits.key("commands_per_minute"), "nobody could give a command", "at least 1");
    }
    if settings.limits.burst == 0 {
        report(&limits.key("burst"), "nobody could give a command", "at least 1");
    }
    problems
}

fn check_heartbeat(place: &Place, heartbeat: &Heartbeat, report: &mut dyn FnMut(&Place, &str, &str)) {
    let host = heartbeat.url.strip_prefix("http://").or_else(|| heartbeat.url.strip_prefix("https://"));
    if host.is_none_or(str::is_empty) {
        report(&place.key("url"), "this is not a URL", "like \"https://hc.example/ping/drbot\"");
    }
    if heartbeat.every.0 < Duration::from_secs(1) {
        report(&place.key("every"), "this is too often", "at least \"1s\"");
    }
}

fn check_ladder(place: &Place, ladder: &[RungSettings], report: &mut dyn FnMut(&Place, &str, &str)) {
    for (index, rung) in ladder.iter().enumerate() {
        let place = place.index(index);
        if rung.at > 100 {
            report(&place.key("at"), "this is no share of the RTO", "percent: 0 to 100");
        } else if ladder[..index].iter().any(|before| before.at >= rung.at) {
            report(&place.key("at"), "rungs go upwards", "the next rung has a higher percentage than the one before");
        }
        if rung.page.is_empty() {
            report(&place.key("page"), "this rung calls nobody", "contact roles, \"responsible\" or \"everyone\"");
        }
    }
}

fn check_drill(place: &Place, drill: &DrillSettings, report: &mut dyn FnMut(&Place, &str, &str)) {
    if drill.contacts.is_empty() {
        report(
            &place.key("contacts"),
            "a drill that calls nobody shows nothing",
            "name contact roles, like [\"Drill\"]",
        );
    }
    if !DRILL_RTO.contains(&drill.rto.0) {
        report(&place.key("rto"), "a drill takes 30 s to 1 h", "like \"4m\"");
    }
}

fn check_break_glass(place: &Place, settings: &BreakGlassSettings, report: &mut dyn FnMut(&Place, &str, &str)) {
    if !(1..=100).contains(&settings.near) {
        report(&place.key("near"), "this is no share of the RTO", "percent: 1 to 100");
    }
    if settings.review_within.0.is_zero() {
        report(&place.key("review_within"), "nobody can review it in no time", "like \"24h\"");
    }
    if !settings.roles.is_empty() && settings.page.is_empty() {
        report(
            place,
            "nobody is called when the glass is broken",
            "`page` names contact roles, like \"Security Team\"",
        );
    }
}

fn check_people(place: &Place, settings: &Settings, report: &mut dyn FnMut(&Place, &str, &str)) {
    let known: Vec<_> = settings.roles.keys().map(String::as_str).collect();
    for (index, person) in settings.people.iter().enumerate() {
        let place = place.index(index);
        if person.unix.trim().is_empty() {
            report(&place.key("unix"), "which user?", "a user of this machine, by name or number, like \"dana\"");
        } else if settings.people[..index].iter().any(|other| other.unix == person.unix) {
            report(&place.key("unix"), "this user is somebody else already", "one [[people]] for each user");
        }
        if !(1..=80).contains(&person.name.trim().chars().count()) {
            report(&place.key("name"), "what others read: 1 to 80 characters", "like \"Dana\"");
        }
        for (index, role) in person.roles.iter().enumerate().filter(|(_, role)| !settings.roles.contains_key(*role)) {
            let help = format!("[roles] has {}", known.join(", "));
            report(&place.key("roles").index(index), &format!("there is no role `{role}`"), &help);
        }
    }
}

fn check_compose(place: &Place, compose: &ComposeTarget, report: &mut dyn FnMut(&Place, &str, &str)) {
    if compose.file.as_os_str().is_empty() {
        report(&place.key("file"), "which file?", "a path, relative to this file");
    }
    if compose.project.is_empty() {
        report(&place.key("project"), "which project?", "as `docker compose ls` shows it");
    }
    for (variable, secret) in &compose.secrets {
        if !is_secret_name(secret) {
            // The text may be the secret itself, and is not repeated.
            report(
                &place.key("secrets").key(variable),
                "this is no name of a secret",
                "name it in capitals, like DB_PASSWORD, and put its value into .env",
            );
        }
    }
}

fn check_network(place: &Place, network: &NetworkTarget, report: &mut dyn FnMut(&Place, &str, &str)) {
    if network.container.is_empty() {
        report(&place.key("container"), "whose network?", "the name that `docker ps` shows");
    }
    if network.providers.is_empty() {
        report(&place.key("providers"), "there is nobody to go to", "[[target.….network.providers]]");
    }
    if network.patience.0.is_zero() {
        report(&place.key("patience"), "nobody answers in no time", "like \"1500ms\"");
    }
    for (index, provider) in network.providers.iter().enumerate() {
        let (place, before) = (place.key("providers").index(index), &network.providers[..index]);
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-".contains(letter);
        let named = (1..=32).contains(&provider.name.len())
            && provider.name.starts_with(|letter: char| letter.is_ascii_lowercase())
            && provider.name.chars().all(fits);
        if !named || provider.name == "healthy" {
            let help = "1 to 32 of a-z, 0-9, `_` and `-`, beginning with a letter; not `healthy`";
            report(&place.key("name"), "this cannot be the name of a provider", help);
        }
        if before.iter().any(|other| other.name == provider.name) {
            report(&place.key("name"), "two providers have this name", "one of them needs another");
        }
        if before.iter().any(|other| other.setting() == provider.setting()) {
            let key = if provider.setting.is_some() { "setting" } else { "url" };
            report(
                &place.key(key),
                "the target could not tell it from the one before",
                "each has a setting of its own",
            );
        }
        let own = provider.own_url.iter().map(|url| ("own_url", url));
        for (key, url) in std::iter::once(("url", &provider.url)).chain(own) {
            let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
            if host.is_none_or(str::is_empty) {
                report(&place.key(key), "this is not a URL", "like \"https://rpc.example\"");
            }
        }
        if let Some(expect) = &provider.expect
            && let Err(error) = template::check_expression(expect)
        {
            report(
                &place.key("expect"),
                &format!("this does not parse: {}", error.message),
                "like \"json.result == 'ok'\"",
            );
        }
    }
}

fn check_target(place: &Place, target: &Target, report: &mut dyn FnMut(&Place, &str, &str)) {
    let others = target.urls.iter().map(|(name, url)| (place.key("urls").key(name), url));
    for (place, url) in std::iter::once((place.key("api"), &target.api)).chain(others) {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            report(&place, "this is not a URL", "like \"http://127.0.0.1:8080\"");
        }
        if url.ends_with('/') {
            report(&place, "the URL ends with a slash", "leave it out: commands write {{ target.api }}/health");
        }
    }
    for (name, _) in target.programs.iter().filter(|(_, path)| path.as_os_str().is_empty()) {
        report(&place.key("programs").key(name), "which program?", "a path, relative to this file");
    }
    for (role, container) in &target.containers {
        if container.is_empty() {
            report(&place.key("containers").key(role), "which container?", "the name that `docker ps` shows");
        }
    }
    if let Some(compose) = &target.compose {
        check_compose(&place.key("compose"), compose, report);
    }
    if target.docker.restart.first().is_none_or(String::is_empty) {
        report(&place.key("docker").key("restart"), "which program?", "[\"systemctl\", \"restart\", \"docker\"]");
    }
    if let Some(versions) = &target.versions {
        let place = place.key("versions");
        let named = versions.image.rsplit_once('/').map_or(versions.image.as_str(), |(_, name)| name);
        if named.is_empty() || named.contains([':', '@']) {
            report(&place.key("image"), "this is no image without a tag", "like \"registry.example/trading-bot\"");
        }
        for (key, url) in [("answers", &versions.answers), ("health", &versions.health)] {
            if !(url.starts_with("http://") || url.starts_with("https://")) {
                report(&place.key(key), "this is not a URL", "like \"http://127.0.0.1:8080/version\"");
            }
        }
    }
    if let Some(network) = &target.network {
        check_network(&place.key("network"), network, report);
    }
    let Some(postgres) = &target.postgres else { return };
    let place = place.key("postgres");
    if !is_secret_name(&postgres.password) {
        // The text may be the password itself, and is not repeated.
        let help = "the name of a variable of .env, like \"DB_PASSWORD\"; never the password itself";
        report(&place.key("password"), "this is not the name of a secret", help);
    }
    if postgres.port == 0 {
        report(&place.key("port"), "0 is no port", "PostgreSQL's own is 5432");
    }
    if !(0.0..=1.0).contains(&postgres.shrink_limit) {
        report(&place.key("shrink_limit"), "this is a share: 0 to 1", "0.8: flagged below 80 % of the rows");
    }
    let names = [("container", &postgres.container), ("database", &postgres.database), ("user", &postgres.user)];
    for (key, _) in names.iter().filter(|(_, name)| name.is_empty()) {
        report(&place.key(key), "this is empty", "");
    }
}
