//! What an action does, in plain words, and how a person does the same without drbot: lines for a shell.
//!
//! Secrets are never written: lines name the variables of `.env`, and hand them over where no list of processes shows
//! them. What must stay true: every action has words, so a new one does not compile without.

mod postgres;

use std::{collections::BTreeMap, time::Duration};

use super::mark::{duration, line, list, quoted};
use crate::{
    config::settings::{ComposeTarget, NetworkTarget, Target, VersionsTarget},
    runbook::action::{Action, Compose, Docker, Exec, Host, Http, Method, Metrics, Network, Verdict, Versions, Wait},
};

/// An action on paper.
#[derive(Debug, Default)]
pub struct Deed {
    /// What it does, as a sentence without its full stop.
    pub words: String,
    /// How to do it by hand; nothing where words are enough.
    pub shell: Vec<String>,
}

impl Deed {
    fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), shell: Vec::new() }
    }

    fn by(mut self, line: impl Into<String>) -> Self {
        self.shell.push(line.into());
        self
    }
}

/// What the lines are about.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    pub target: Option<&'a Target>,
    /// The limit of one attempt.
    pub limit: Duration,
}

pub fn of(action: &Action, around: Around<'_>) -> Deed {
    match action {
        Action::Http(http) => request(http, around.limit),
        Action::Docker(docker) => container(docker, around),
        Action::Compose(verb) => compose(verb, around.target.and_then(|target| target.compose.as_ref())),
        Action::Versions(verb) => versions(verb, around.target),
        Action::Postgres(verb) => postgres::of(verb, around.target.and_then(|target| target.postgres.as_ref())),
        Action::Host(host) => machine(host),
        Action::Metrics(metrics) => figures(metrics),
        Action::Network(network) => providers(network, around.target.and_then(|target| target.network.as_ref())),
        Action::Escalation(_) => {
            Deed::new("Looks whether incidents are open, who has them, and whether those are called who should be")
        }
        Action::Exec(exec) => program(exec),
        Action::Wait(wait) => wait_for(wait, around),
        Action::Ask(ask) => {
            Deed::new(format!("Asks people: “{}” The answers are {}", ask.question.trim(), list(&quote(&ask.choices))))
        }
        Action::Notify(notify) => {
            let whom = match notify.mention.as_slice() {
                [] => String::new(),
                roles => format!(", and calls {}", list(roles)),
            };
            Deed::new(format!("Says in the channel{whom}: “{}”", notify.message.trim().trim_end_matches('.')))
        }
        Action::Parallel(branches) => Deed::new(format!("Looks at {} things at once", branches.len())),
        Action::Call(name) => Deed::new(format!("Does all steps of /{name}")),
    }
}

fn quote(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| format!("“{text}”")).collect()
}

fn request(http: &Http, limit: Duration) -> Deed {
    let (verb, method) = match http.method() {
        Method::Get => ("Asks", ""),
        Method::Post => ("Posts to", " -X POST"),
        Method::Put => ("Puts to", " -X PUT"),
        Method::Delete => ("Deletes", " -X DELETE"),
    };
    let mut line = format!("curl --fail-with-body -sSi --max-time {}{method}", limit.as_secs().max(1));
    let mut says = format!("{verb} {}", http.url());
    if let Some(secret) = &http.bearer {
        says.push_str(&format!(", with the secret {secret}"));
        // From a file that is none: what stands in an argument, everybody on the machine can read.
        line.push_str(&format!(" -H @<(echo \"Authorization: Bearer ${secret}\")"));
    }
    for (name, value) in &http.headers {
        line.push_str(&format!(" -H {}", quoted(&format!("{name}: {value}"))));
    }
    if let Some(body) = &http.json {
        says.push_str(", with a body");
        line.push_str(&format!(" -H 'Content-Type: application/json' -d {}", quoted(&body.to_string())));
    }
    Deed::new(says).by(format!("{line} {}", quoted(http.url())))
}

fn container(docker: &Docker, around: Around<'_>) -> Deed {
    let state = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} since {{.State.StartedAt}}";
    match docker {
        Docker::Engine {} => Deed::new("Sees whether Docker answers").by("docker version"),
        Docker::RestartEngine {} => {
            let command = around.target.map(|target| target.docker.restart.clone()).unwrap_or_default();
            let command = line(command.iter().map(String::as_str));
            Deed::new("Restarts Docker, when it is down. Permission denied is not down").by(format!("sudo {command}"))
        }
        Docker::Ps { containers } => {
            let deed = Deed::new(format!("Sees whether {} run and are healthy", list(containers)));
            let names = line(containers.iter().map(String::as_str));
            deed.by(format!("docker inspect -f '{{{{.Name}}}} {state}' {names}"))
        }
        Docker::Inspect { container } => Deed::new(format!("Sees whether the container {container} runs"))
            .by(format!("docker inspect -f '{state}' {}", quoted(container))),
        Docker::Logs { container, tail, matching } => {
            let which = match matching.as_slice() {
                [] => String::new(),
                some => format!(" that have {}", quote(some).join(" or ")),
            };
            let mut line = format!("docker logs --tail {tail} {} 2>&1", quoted(container));
            if !matching.is_empty() {
                let patterns = matching.iter().map(|text| format!("-e {}", quoted(text)));
                line.push_str(&format!(" | grep -iF {}", patterns.collect::<Vec<_>>().join(" ")));
            }
            Deed::new(format!("Reads the last {tail} lines of {container}'s log{which}")).by(line)
        }
        Docker::Images { repository } => Deed::new(format!("Lists the tags of {repository} that this machine has"))
            .by(format!("docker images {}", quoted(repository))),
        Docker::Start { container } => {
            Deed::new(format!("Starts the container {container}")).by(format!("docker start {}", quoted(container)))
        }
        Docker::Stop { container, grace } => Deed::new(format!(
            "Stops the container {container}; after {} it is killed",
            duration(grace.0)
        ))
        .by(format!("docker stop -t {} {}", grace.0.as_secs(), quoted(container))),
        Docker::Restart { container, grace } => Deed::new(format!("Stops and starts the container {container}"))
            .by(format!("docker restart -t {} {}", grace.0.as_secs(), quoted(container))),
        Docker::Kill { container } => Deed::new(format!("Kills the container {container} at once"))
            .by(format!("docker kill {}", quoted(container))),
        Docker::Exec { container, command, user } => {
            let user = user.as_ref().map_or_else(String::new, |user| format!("-u {} ", quoted(user)));
            let inside = line(command.iter().map(String::as_str));
            let program = command.first().map_or("", String::as_str);
            Deed::new(format!("Runs {program} in the container {container}"))
                .by(format!("docker exec {user}{} {inside}", quoted(container)))
        }
        Docker::Connect { container, network, aliases } => {
            let aliases: String = aliases.iter().map(|alias| format!("--alias {} ", quoted(alias))).collect();
            Deed::new(format!("Joins the container {container} to the network {network}")).by(format!(
                "docker network connect {aliases}{} {}",
                quoted(network),
                quoted(container)
            ))
        }
        Docker::Disconnect { container, network } => Deed::new(format!(
            "Cuts the container {container} off from the network {network}"
        ))
        .by(format!("docker network disconnect {} {}", quoted(network), quoted(container))),
        Docker::Pull { image } => {
            Deed::new(format!("Fetches the image {image}")).by(format!("docker pull {}", quoted(image)))
        }
    }
}

/// `docker compose -f … -p …`; the variables and profiles of the target are exported before.
pub fn compose_tool(target: &ComposeTarget) -> String {
    let mut line =
        format!("docker compose -f {} -p {}", quoted(&target.file.display().to_string()), quoted(&target.project));
    for profile in &target.profiles {
        line.push_str(&format!(" --profile {}", quoted(profile)));
    }
    line
}

fn compose(verb: &Compose, target: Option<&ComposeTarget>) -> Deed {
    let Some(target) = target else { return Deed::new("Works on the target's compose project") };
    let tool = compose_tool(target);
    let project = &target.project;
    match verb {
        Compose::Ps { services } => {
            let services = if services.is_empty() { &target.services } else { services };
            let which = if services.is_empty() { "every service".to_owned() } else { list(services) };
            Deed::new(format!("Sees whether {which} of {project} run and are healthy")).by(format!("{tool} ps -a"))
        }
        Compose::Up { services, environment, start } => {
            let which = if services.is_empty() { "everything".to_owned() } else { list(services) };
            let how = if *start { "Makes and starts" } else { "Makes, and does not start," };
            let alone = if services.is_empty() { "" } else { " --no-deps" };
            let flag = if *start { "-d" } else { "--no-start" };
            let names = services.iter().map(|name| format!(" {}", quoted(name))).collect::<String>();
            Deed::new(format!("{how} {which} of {project} as the compose file says"))
                .by(format!("{}{tool} up {flag}{alone}{names}", assignments(environment)))
        }
        Compose::Down {} => Deed::new(format!(
            "Stops and removes the containers and networks of {project}; never its volumes, so never with -v"
        ))
        .by(format!("{tool} down")),
    }
}

fn assignments(environment: &BTreeMap<String, String>) -> String {
    environment.iter().map(|(name, value)| format!("{name}={} ", quoted(value))).collect()
}

fn versions(verb: &Versions, target: Option<&Target>) -> Deed {
    let settings = target.and_then(|target| target.versions.as_ref());
    let with_list = |deed: Deed| match settings {
        Some(settings) => deed.by(format!("docker images {}", quoted(&settings.image))),
        None => deed,
    };
    match verb {
        Versions::List {} => {
            with_list(Deed::new("Lists the versions that this machine has, and which were recorded good"))
        }
        Versions::Choose { version } => {
            let which = match version.as_str() {
                "last-good" => "the version that was recorded good last".to_owned(),
                other => format!("the version {other}"),
            };
            let deed = Deed::new(format!("Chooses {which}; it must be on this machine, and fit the database's schema"));
            fits(with_list(deed), settings, target)
        }
        Versions::Current {} => running(Deed::new("Sees which version is deployed"), settings),
        Versions::Answers { version, .. } => {
            running(Deed::new(format!("Sees whether what runs, and what answers, is the version {version}")), settings)
        }
        Versions::Mark { version, verdict, why } => {
            let verdict = if *verdict == Verdict::Good { "good" } else { "bad" };
            Deed::new(format!("Records the version {version} as {verdict}: {why}. By hand, write it down"))
        }
    }
}

fn running(deed: Deed, settings: Option<&VersionsTarget>) -> Deed {
    let Some(settings) = settings else { return deed };
    deed.by(format!("docker inspect -f '{{{{.Config.Image}}}} {{{{.Image}}}}' {}", quoted(&settings.container)))
        .by(format!("curl --fail-with-body -sS --max-time 5 {}", quoted(&settings.answers)))
}

/// How to see whether a version fits the schema.
fn fits(deed: Deed, settings: Option<&VersionsTarget>, target: Option<&Target>) -> Deed {
    let Some(settings) = settings else { return deed };
    let (Some(label), Some(query)) = (&settings.schema_label, &settings.schema_query) else { return deed };
    let image = format!("{}:⟨version⟩", settings.image);
    let format = format!("{{{{index .Config.Labels {label:?}}}}}");
    let deed = deed.by(format!("docker image inspect -f {} {}", quoted(&format), quoted(&image)));
    match target.and_then(|target| target.postgres.as_ref()) {
        Some(server) => deed.by(postgres::statement(server, &server.database, query)),
        None => deed,
    }
}

fn machine(host: &Host) -> Deed {
    Deed::new(format!(
        "Sees whether {} % of the disk at {} and {} % of the memory are free, and the load is below {} a core",
        host.disk_free_percent, host.disk_path, host.memory_free_percent, host.load_per_core
    ))
    .by(format!("df -h {}; free -m; uptime; nproc", quoted(&host.disk_path)))
}

fn figures(metrics: &Metrics) -> Deed {
    let ask = |prometheus: &str, path: &str| {
        format!("curl --fail-with-body -sS --max-time 5 {}", quoted(&format!("{prometheus}/api/v1/{path}")))
    };
    match metrics {
        Metrics::Scrape { get, select } => {
            let series: Vec<String> = select.values().cloned().collect();
            let which = if series.is_empty() { "its figures".to_owned() } else { list(&series) };
            let names = series.iter().map(|one| one.split('{').next().unwrap_or_default());
            let patterns: String = names.map(|name| format!(" -e {}", quoted(&format!("^{name}")))).collect();
            let filter = if patterns.is_empty() { String::new() } else { format!(" | grep{patterns}") };
            Deed::new(format!("Reads {which} at {get}"))
                .by(format!("curl --fail-with-body -sS --max-time 5 {}{filter}", quoted(get)))
        }
        Metrics::Query { prometheus, query } => Deed::new(format!("Asks Prometheus for {query}")).by(format!(
            "curl --fail-with-body -sS --max-time 5 -G --data-urlencode {} {}",
            quoted(&format!("query={query}")),
            quoted(&format!("{prometheus}/api/v1/query"))
        )),
        Metrics::Targets { prometheus, jobs } => {
            let which = if jobs.is_empty() { "every target".to_owned() } else { list(jobs) };
            Deed::new(format!("Sees whether Prometheus reaches {which}")).by(ask(prometheus, "targets?state=active"))
        }
        Metrics::Alerts { prometheus } => Deed::new("Sees which alerts Prometheus has").by(ask(prometheus, "alerts")),
    }
}

fn providers(network: &Network, target: Option<&NetworkTarget>) -> Deed {
    let Some(target) = target else { return Deed::new("Looks at the target's providers") };
    let names: Vec<String> = target.providers.iter().map(|provider| provider.name.clone()).collect();
    let look =
        format!("Looks at {} (name, connection, ping, answer) from {}'s network", list(&names), target.container);
    let deed = match network {
        Network::Look {} => Deed::new(look),
        Network::Choose { current, to } => {
            let which = match to.as_str() {
                "healthy" => "the first healthy one".to_owned(),
                other => other.to_owned(),
            };
            Deed::new(format!("{look}, and chooses {which}, instead of {current}"))
        }
    };
    let container = quoted(&target.container);
    target.providers.iter().fold(deed, |deed, provider| {
        let host = provider.url.split("://").last().unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default();
        let body = provider
            .ask
            .as_ref()
            .map(|ask| format!(" -H 'Content-Type: application/json' -d {}", quoted(&ask.to_string())));
        let url = quoted(provider.own_url.as_ref().unwrap_or(&provider.url));
        deed.by(format!("docker exec {container} getent hosts {}   # {}", quoted(host), provider.name)).by(format!(
            "curl --fail-with-body -sSi --max-time {}{} {url}",
            target.patience.0.as_secs().max(1),
            body.unwrap_or_default()
        ))
    })
}

fn program(exec: &Exec) -> Deed {
    let mut line = assignments(&exec.env);
    for (variable, secret) in &exec.secrets {
        line.push_str(&format!("{variable}=\"${secret}\" "));
    }
    line.push_str(&self::line(std::iter::once(exec.program.as_str()).chain(exec.args.iter().map(String::as_str))));
    if let Some(directory) = &exec.directory {
        line = format!("(cd {} && {line})", quoted(directory));
    }
    let name = exec.program.rsplit('/').next().unwrap_or_default();
    Deed::new(format!("Runs the program {name}")).by(line)
}

fn wait_for(wait: &Wait, around: Around<'_>) -> Deed {
    let Some(until) = wait.until.as_deref() else {
        return Deed::new(format!("Waits {}", wait.duration.map(|span| duration(span.0)).unwrap_or_default()));
    };
    let probe = of(until, Around { limit: Duration::from_secs(5), ..around });
    let mut letters = probe.words.chars();
    let first = letters.next().map(|letter| letter.to_lowercase().to_string()).unwrap_or_default();
    let times = if wait.times > 1 { format!(" {} times in a row", wait.times) } else { String::new() };
    let every = duration(wait.every.0);
    Deed { words: format!("Every {every} {first}{}, until it is good{times}", letters.as_str()), shell: probe.shell }
}
