//! Whether the settings make sense: what their types cannot say.

use super::settings::{RungSettings, Settings, Target};
use crate::runbook::{
    document::{Document, Place},
    is_secret_name,
    problem::Problem,
};

/// Every problem of the settings, at its place.
pub fn check(document: &Document<'_>, settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut report = |place: &Place, message: &str, help: &str| {
        problems.push(document.problem(place, message).with_help(help));
    };
    let root = Place::root();
    for (name, scenario) in &settings.scenario {
        let place = root.key("scenario").key(name);
        if scenario.rto.0.is_zero() {
            report(&place.key("rto"), "an objective of no time cannot be kept", "like \"30m\"");
        }
    }
    for (name, target) in &settings.target {
        check_target(&root.key("target").key(name), target, &mut report);
    }
    check_ladder(&root.key("escalation"), &settings.escalation, &mut report);
    let contacts = root.key("contacts");
    for (key, roles) in [("roles", &settings.contacts.roles), ("numbers", &settings.contacts.numbers)] {
        for (index, role) in roles.iter().enumerate().filter(|(_, role)| !settings.roles.contains_key(*role)) {
            let known: Vec<_> = settings.roles.keys().map(String::as_str).collect();
            let place = contacts.key(key).index(index);
            report(&place, &format!("there is no role `{role}`"), &format!("[roles] has {}", known.join(", ")));
        }
    }
    let limits = root.key("limits");
    if settings.limits.commands_per_minute == 0 {
        report(&limits.key("commands_per_minute"), "nobody could give a command", "at least 1");
    }
    if settings.limits.burst == 0 {
        report(&limits.key("burst"), "nobody could give a command", "at least 1");
    }
    problems
}

fn check_ladder(place: &Place, ladder: &[RungSettings], report: &mut dyn FnMut(&Place, &str, &str)) {
    for (index, rung) in ladder.iter().enumerate() {
        let place = place.index(index);
        if !(1..=100).contains(&rung.at) {
            report(&place.key("at"), "this is no share of the RTO", "percent: 1 to 100");
        } else if ladder[..index].iter().any(|before| before.at >= rung.at) {
            report(&place.key("at"), "rungs go upwards", "the next rung has a higher percentage than the one before");
        }
        if rung.page.is_empty() {
            report(&place.key("page"), "this rung calls nobody", "contact roles, \"responsible\" or \"everyone\"");
        }
    }
}

fn check_target(place: &Place, target: &Target, report: &mut dyn FnMut(&Place, &str, &str)) {
    let api = &target.api;
    if !(api.starts_with("http://") || api.starts_with("https://")) {
        report(&place.key("api"), "this is not a URL", "like \"http://127.0.0.1:8080\"");
    }
    if api.ends_with('/') {
        report(&place.key("api"), "the URL ends with a slash", "leave it out: commands write {{ target.api }}/health");
    }
    for (role, container) in &target.containers {
        if container.is_empty() {
            report(&place.key("containers").key(role), "which container?", "the name that `docker ps` shows");
        }
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
