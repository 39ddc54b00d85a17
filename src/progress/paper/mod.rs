//! The runbook for people, in Markdown: the same commands, objectives and people as the bot's, for whoever has no bot.
//!
//! What must stay true: it is made of `drbot.toml` and `commands/` alone, and byte for byte the same on every machine, so that
//! a test can say when the paper in `docs/` and the bot have drifted apart. It holds no secret and no telephone number.

mod command;
mod hand;
mod mark;
mod steps;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, path::Path};

use mark::{block, code, duration, list, plain, quoted};

use crate::{
    config::{
        load::{Configuration, OWN_COMMANDS},
        settings::{Priority, RungSettings, Scenario, Target},
    },
    run::rungs::{EVERYONE, RESPONSIBLE},
    runbook::definition::{Command, Risk},
};

/// Where it lies, in the configuration's folder.
pub const FILE: &str = "docs/runbook.md";

/// The whole runbook. `configuration` is one that was loaded for paper.
pub fn text(configuration: &Configuration) -> String {
    let mut lines = vec![
        "# Runbook".to_owned(),
        String::new(),
        "Written by `drbot docs` from `drbot.toml` and `commands/`, so that paper and bot do the same. Not edited by hand: edit those, \
         and write it again."
            .to_owned(),
        String::new(),
    ];
    for section in
        [start(configuration), objectives(configuration), escalation(configuration), contacts(configuration), by_hand()]
    {
        lines.extend(section);
    }
    for (name, target) in &configuration.settings.target {
        lines.extend(of_target(name, target));
    }
    for command in in_order(configuration) {
        lines.extend(command::lines(configuration, command));
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n") + "\n"
}

/// The first line in which a text on paper is another than it should be; none when it is as it should be.
pub fn first_difference(there: &str, wanted: &str) -> Option<usize> {
    let count = there.lines().count().max(wanted.lines().count());
    let (mut there, mut wanted) = (there.split('\n'), wanted.split('\n'));
    (1..=count + 1).find(|_| there.next() != wanted.next())
}

/// Looking first, then what always helps, then the scenarios' commands, the most urgent first, then the others.
fn in_order(configuration: &Configuration) -> Vec<&Command> {
    let urgency: Vec<&String> = scenarios(configuration).into_iter().map(|(name, _)| name).collect();
    let rank = |command: &Command| {
        let place = command.scenario.as_ref().and_then(|name| urgency.iter().position(|one| *one == name));
        match (looks(command), command.risk) {
            (true, _) => (0, 0),
            (_, Risk::Safe) => (1, 0),
            (_, Risk::Read) => (4, 0),
            _ => place.map_or((3, 0), |place| (2, place)),
        }
    };
    let mut commands: Vec<&Command> = configuration.written.values().collect();
    commands.sort_by_key(|command| (rank(command), command.name.clone()));
    commands
}

/// Whether it says which scenario the symptoms fit.
fn looks(command: &Command) -> bool {
    command.next.as_ref().is_some_and(|next| !next.fits.is_empty())
}

/// The most urgent first: by priority, then by the time that recovery may take.
fn scenarios(configuration: &Configuration) -> Vec<(&String, &Scenario)> {
    let mut scenarios: Vec<_> = configuration.settings.scenario.iter().collect();
    scenarios.sort_by_key(|(name, scenario)| (scenario.priority, scenario.rto, (*name).clone()));
    scenarios
}

/// The commands that recover from a scenario; one that takes another back does not.
fn carriers(configuration: &Configuration, scenario: &str) -> Vec<String> {
    let commands = configuration.written.values().filter(|one| one.undoes.is_none());
    let own = commands.clone().filter(|one| one.risk != Risk::Read && one.scenario.as_deref() == Some(scenario));
    let fits = commands.filter_map(|one| one.next.as_ref()).flat_map(|next| &next.fits);
    let named = fits.filter(|fit| fit.scenario == scenario).map(|fit| fit.command.clone());
    own.map(|one| one.name.clone()).chain(named).collect::<BTreeSet<_>>().into_iter().collect()
}

fn link(name: &String) -> String {
    format!("[/{name}](#{name})")
}

fn start(configuration: &Configuration) -> Vec<String> {
    let commands = in_order(configuration);
    let mut lines = vec!["## Start here".to_owned(), String::new()];
    let mut number = 0;
    let mut say = |text: String| {
        number += 1;
        lines.push(format!("{number}. {text}"));
    };
    for command in commands.iter().filter(|command| looks(command)) {
        say(format!("{}: what is broken, and which scenario that is.", link(&command.name)));
    }
    for command in commands.iter().filter(|command| command.risk == Risk::Safe) {
        say(format!(
            "{}: {}. It is always right, and nobody has to approve it.",
            link(&command.name),
            plain(&command.summary)
        ));
    }
    say("Find the scenario in the table, and give its command in Discord. Its card shows every step and the time that is left.".to_owned());
    say("Without Discord or without drbot, do the command's steps by hand, in their order: each says how.".to_owned());
    let own: Vec<String> = OWN_COMMANDS.iter().map(|name| code(&format!("/{name}"))).collect();
    lines.extend([String::new(), format!("drbot's own, in no file: {}.", list(&own)), String::new()]);
    lines
}

fn objectives(configuration: &Configuration) -> Vec<String> {
    let mut lines = vec![
        "## Objectives".to_owned(),
        String::new(),
        "RTO: how long recovery may take. RPO: how much data, in time, may be lost.".to_owned(),
        String::new(),
        "| scenario | priority | RTO | RPO | command | called first |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    for (name, scenario) in scenarios(configuration) {
        let priority = match scenario.priority {
            Priority::Critical => "critical",
            Priority::High => "high",
            Priority::Medium => "medium",
        };
        let commands: Vec<String> = carriers(configuration, name).iter().map(link).collect();
        let commands = if commands.is_empty() { "none".to_owned() } else { commands.join(", ") };
        let first = match scenario.responsible.as_slice() {
            [] => "everyone".to_owned(),
            roles => roles.iter().map(|role| plain(role)).collect::<Vec<_>>().join(", "),
        };
        let (rto, rpo) = (duration(scenario.rto.0), duration(scenario.rpo.0));
        lines.push(format!("| {} | {priority} | {rto} | {rpo} | {commands} | {first} |", plain(&scenario.name)));
    }
    lines.push(String::new());
    lines
}

fn escalation(configuration: &Configuration) -> Vec<String> {
    let scenarios = scenarios(configuration);
    let head: String = scenarios.iter().map(|(_, scenario)| format!(" {} |", plain(&scenario.name))).collect();
    let mut lines = vec![
        "## Escalation".to_owned(),
        String::new(),
        "While recovery is not verified, people are called when so much of the RTO is used: those of the rung, and those of the rungs \
         above it in this table. The times count from the command."
            .to_owned(),
        String::new(),
        format!("| used | called |{head}"),
        format!("|---|---|{}", "---|".repeat(scenarios.len())),
    ];
    for rung in &configuration.settings.escalation {
        let at = |scenario: &Scenario| duration(scenario.rto.0 * u32::from(rung.at) / 100);
        let times: String = scenarios.iter().map(|(_, scenario)| format!(" {} |", at(scenario))).collect();
        lines.push(format!("| {} % | {} |{times}", rung.at, whom(rung)));
    }
    lines.push(String::new());
    lines
}

fn whom(rung: &RungSettings) -> String {
    let name = |name: &String| match name.as_str() {
        RESPONSIBLE => "who is called first".to_owned(),
        EVERYONE => "everyone".to_owned(),
        role => plain(role),
    };
    list(&rung.page.iter().map(name).collect::<Vec<_>>())
}

fn contacts(configuration: &Configuration) -> Vec<String> {
    let settings = &configuration.settings;
    let rungs = settings.escalation.iter().flat_map(|rung| &rung.page);
    let roles: BTreeSet<&String> = settings
        .scenario
        .values()
        .flat_map(|scenario| &scenario.responsible)
        .chain(rungs)
        .filter(|role| ![RESPONSIBLE, EVERYONE].contains(&role.as_str()))
        .collect();
    let mut lines = vec![
        "## Contacts".to_owned(),
        String::new(),
        "Names and numbers are in drbot's own table, and on no paper that lies about: `/contacts list`, or `drbot contacts list` on the host. \
         Keep a copy of them where you keep this one."
            .to_owned(),
        String::new(),
    ];
    for role in roles {
        let first = settings.scenario.values().filter(|scenario| scenario.responsible.contains(role));
        let first: Vec<String> = first.map(|scenario| plain(&scenario.name)).collect();
        let rung = settings.escalation.iter().find(|rung| rung.page.contains(role));
        let mut when = Vec::new();
        if !first.is_empty() {
            when.push(format!("first for {}", list(&first)));
        }
        if let Some(rung) = rung {
            when.push(format!("at {} % of the RTO", rung.at));
        }
        lines.push(format!("- **{}:** called {}", plain(role), when.join("; ")));
    }
    let may = |roles: &[String]| if roles.is_empty() { "nobody".to_owned() } else { list(roles) };
    lines.extend([
        String::new(),
        format!(
            "In Discord the table is shown to {}; numbers whole to {}.",
            may(&settings.contacts.roles),
            may(&settings.contacts.numbers)
        ),
        String::new(),
    ]);
    lines
}

fn by_hand() -> Vec<String> {
    let mut lines = vec![
        "## By hand".to_owned(),
        String::new(),
        "The lines are for bash, on the host, in the folder of `drbot.toml`. They name secrets, and never hold them; have those first:"
            .to_owned(),
        String::new(),
    ];
    lines.extend(block(&["set -a; . ./.env; set +a".to_owned()], ""));
    lines.extend(
        [
            "",
            "- `⟨backup of step 4⟩` stands for what that step found. `⟨run⟩` is a mark of your own: eight of 0-9 and a-f, the same in every \
             line. `⟨you⟩` is your name.",
            "- An expression like `status == 200 and json.trading == 'halted'` is about what came back: of a request `status`, `json` (the \
             body) and `latency_ms`; of a program `exit_code`, `stdout` and `json`. commands/README.md has the others, at each action.",
            "- A step without an answer in its time has failed. Write down when you began each, and what came back.",
            "",
        ]
        .map(str::to_owned),
    );
    lines
}

fn of_target(name: &str, target: &Target) -> Vec<String> {
    let mut lines =
        vec![format!("## Target {}", code(name)), String::new(), "| what | where |".to_owned(), "|---|---|".to_owned()];
    let mut say = |what: &str, place: String| lines.push(format!("| {what} | {} |", place.replace('|', "\\|")));
    say("API", code(&target.api));
    for (role, url) in &target.urls {
        say(&plain(role), code(url));
    }
    for (role, container) in &target.containers {
        say(&format!("container {}", plain(role)), code(container));
    }
    if let Some(postgres) = &target.postgres {
        let (host, port) = (&postgres.host, postgres.port);
        let shown = code(&format!("{} on {host}:{port}", postgres.database));
        say(
            "database",
            format!("{shown}, user {}, password {} of `.env`", code(&postgres.user), code(&postgres.password)),
        );
        say("database's container", code(&postgres.container));
        say("backups", code(&slashed(&postgres.backups)));
        say(
            "tables it must have",
            postgres.critical_tables.iter().map(|table| code(table)).collect::<Vec<_>>().join(", "),
        );
    }
    if let Some(versions) = &target.versions {
        say("versions", format!("tags of {}", code(&versions.image)));
    }
    for provider in target.network.iter().flat_map(|network| &network.providers) {
        let own = provider.own_url.as_ref().map(|own| format!(", from the host {}", code(own))).unwrap_or_default();
        let says = format!("{}{own}; its setting is {}", code(&provider.url), code(provider.setting()));
        say(&format!("provider {}", plain(&provider.name)), says);
    }
    for (name, program) in &target.programs {
        say(&format!("program {}", plain(name)), code(&slashed(program)));
    }
    if let Some(compose) = &target.compose {
        say("compose file", code(&slashed(&compose.file)));
    }
    lines.push(String::new());
    if let Some(compose) = &target.compose.as_ref().filter(|compose| !compose.environment.is_empty()) {
        lines.extend([
            "Before anything is done with compose, as far as `.env` does not say otherwise:".to_owned(),
            String::new(),
        ]);
        let exports = compose.environment.iter().map(|(name, value)| {
            // What the shell has already, by `.env`, counts.
            if value.contains('}') {
                format!("export {name}={}", quoted(value))
            } else {
                format!("export {name}=\"${{{name}:-{value}}}\"")
            }
        });
        let mut exports: Vec<String> = exports.collect();
        let secrets = compose.secrets.iter().filter(|(variable, secret)| variable != secret);
        exports.extend(secrets.map(|(variable, secret)| format!("export {variable}=\"${secret}\"")));
        lines.extend(block(&exports, ""));
        lines.push(String::new());
    }
    lines
}

fn slashed(path: &Path) -> String {
    path.display().to_string()
}
