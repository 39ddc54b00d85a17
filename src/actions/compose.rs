//! A compose project: up and down by the compose tool, state and health by the labels of its containers.
//!
//! The tool is `docker compose` where the engine's command line has it, else `docker-compose` (1.29, which has neither
//! `ps --format json` nor `up --wait`; so nothing here is read from a tool's output). What must stay true: a project is
//! never taken down with its volumes; a server that a restore has put on another volume is never replaced by one on the
//! volume that the file names, which is the damaged one; the tool sees no variable but what the target's settings and the step name; two
//! tools never work on one project, because one that was left behind by a drbot that was killed is ended first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::query_parameters::ListContainersOptionsBuilder;
use serde_json::{Value, json};

use super::{Context, Done, Failure, Probe, docker, exec, leftovers};
use crate::{
    config::settings::ComposeTarget,
    runbook::action::{Compose, Exec},
};

/// Labels of the Compose specification's reference implementation, the same in 1.29 and 2.
const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const ONE_OFF: &str = "com.docker.compose.oneoff";
/// Says `server` of a database server that drbot has made.
const KIND: &str = "drbot.kind";
/// Lines of the tool's that a failure is told by.
const LAST: usize = 3;

/// # Errors
/// What the tool or Docker says, in words.
pub async fn perform(engine: &docker::Engine, action: &Compose, context: &Context) -> Result<Done, Failure> {
    let target = target(context)?;
    match action {
        Compose::Ps { services } => {
            let found = services_of(engine, target, context).await?;
            Ok(state(if services.is_empty() { &target.services } else { services }, &found))
        }
        Compose::Up { services, environment, start } => {
            let before = services_of(engine, target, context).await?;
            keep_restored(target, &before)?;
            let mut arguments = vec!["up".to_owned(), if *start { "-d" } else { "--no-start" }.to_owned()];
            if !services.is_empty() {
                // What it depends on runs, and is nobody's business here.
                arguments.push("--no-deps".to_owned());
            }
            arguments.extend(services.iter().cloned());
            let ran = Box::pin(run(target, arguments, environment, context)).await?;
            let after = services_of(engine, target, context).await?;
            let changed: Vec<&str> = after
                .iter()
                .filter(|(name, one)| before.get(*name).is_none_or(|was| was.begun() != one.begun()))
                .map(|(name, _)| name.as_str())
                .collect();
            let summary = match changed.as_slice() {
                [] => format!("all {} services of {} are as the file says", after.len(), target.project),
                changed if *start => format!("started: {}", changed.join(", ")),
                changed => format!("made, and not started: {}", changed.join(", ")),
            };
            Ok(Done::new(summary).with("changed", json!(changed)).with("services", shown(&after)).with_log(ran.log))
        }
        Compose::Down {} => {
            let before = services_of(engine, target, context).await?;
            keep_restored(target, &before)?;
            let ran = Box::pin(run(target, vec!["down".to_owned()], &BTreeMap::new(), context)).await?;
            let after = services_of(engine, target, context).await?;
            if let Some((left, _)) = after.first_key_value() {
                return Err(Failure::Failed { message: format!("{left} is still there"), log: ran.log });
            }
            let removed: Vec<&String> = before.keys().collect();
            Ok(Done::new(format!("{} services are down; their volumes stay", removed.len()))
                .with("removed", json!(removed))
                .with_log(ran.log))
        }
    }
}

/// Ends the tool that the interrupted attempt started. What it had done is done again: both verbs go for a state.
pub async fn probe(action: &Compose, context: &Context) -> Probe {
    match action {
        Compose::Ps { .. } => Probe::DidNotHappen,
        Compose::Up { .. } | Compose::Down {} if leftovers::end(context).await => Probe::DidNotHappen,
        _ => Probe::CannotTell("the compose tool that was started before does not end".to_owned()),
    }
}

fn target(context: &Context) -> Result<&ComposeTarget, Failure> {
    let target = context.target.as_ref().and_then(|target| target.compose.as_ref());
    target.ok_or_else(|| Failure::refused("the target names no compose project"))
}

/// Runs the compose tool on the project's file.
async fn run(
    target: &ComposeTarget,
    verb: Vec<String>,
    environment: &BTreeMap<String, String>,
    context: &Context,
) -> Result<Done, Failure> {
    if !target.file.is_file() {
        return Err(Failure::refused(format!("there is no compose file {}", target.file.display())));
    }
    let (program, mut args) = tool(context).await?;
    args.extend(["-f".to_owned(), target.file.display().to_string(), "-p".to_owned(), target.project.clone()]);
    args.extend(target.profiles.iter().flat_map(|profile| ["--profile".to_owned(), profile.clone()]));
    args.extend(verb);
    let mut env = own_environment();
    env.extend(target.environment.clone());
    env.extend(environment.clone());
    let action = Exec { program, args, env, secrets: target.secrets.clone(), directory: None };
    let ran = exec::perform(&action, context).await?;
    match ran.fields.get("exit_code").and_then(Value::as_i64) {
        Some(0) => Ok(ran),
        code => {
            let said = ran.fields.get("stderr").and_then(Value::as_str).unwrap_or_default();
            let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let last = match lines.as_slice() {
                [] => "it says nothing".to_owned(),
                lines => lines[lines.len().saturating_sub(LAST)..].join("; "),
            };
            let code = code.map_or_else(|| "without a code".to_owned(), |code| format!("with {code}"));
            Err(Failure::Failed { message: format!("{} ended {code}: {last}", action.program), log: ran.log })
        }
    }
}

/// What the tool needs of drbot's own environment: where its settings are and which engine is meant.
fn own_environment() -> BTreeMap<String, String> {
    let own = ["HOME", "DOCKER_HOST", "DOCKER_CONFIG"].into_iter();
    own.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect()
}

/// The tool that this machine has, and its first arguments.
async fn tool(context: &Context) -> Result<(String, Vec<String>), Failure> {
    let tools = [("docker", &["compose"][..]), ("docker-compose", &[])];
    for (program, first) in tools {
        let args: Vec<String> = first.iter().map(|&word| word.to_owned()).collect();
        let asked = [args.clone(), vec!["version".to_owned()]].concat();
        let hello = Exec { program: program.to_owned(), args: asked, env: own_environment(), ..Exec::default() };
        match exec::perform(&hello, context).await {
            Ok(done) if done.fields.get("exit_code") == Some(&json!(0)) => return Ok((program.to_owned(), args)),
            Ok(_) | Err(Failure::Refused { .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::refused("there is no compose tool; install Docker's compose plugin, or docker-compose"))
}

/// A service's container.
#[derive(Debug, Clone)]
struct Service {
    id: String,
    shown: Value,
}

impl Service {
    /// What is another when the container was made anew or started again.
    fn begun(&self) -> (&str, &Value) {
        (&self.id, &self.shown["started_at"])
    }
}

/// The containers of the project, by service; the first of each.
async fn services_of(
    engine: &docker::Engine,
    target: &ComposeTarget,
    context: &Context,
) -> Result<BTreeMap<String, Service>, Failure> {
    let client = engine.client(context).await?;
    let labels = vec![format!("{PROJECT}={}", target.project), format!("{ONE_OFF}=False")];
    let filters = HashMap::from([("label".to_owned(), labels)]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed = docker::stoppable(context, client.list_containers(Some(options)))
        .await?
        .map_err(|error| engine.explain(&target.project, &error))?;
    let mut services = BTreeMap::new();
    for container in listed {
        let labels = container.labels.unwrap_or_default();
        let (Some(id), Some(service)) = (container.id, labels.get(SERVICE)) else { continue };
        // Gone since it was listed.
        let Some(found) = engine.inspect(&id, context).await? else { continue };
        let name = found.name.clone().unwrap_or_default().trim_start_matches('/').to_owned();
        let mut shown = docker::of_container(&name, Some(&found));
        shown["service"] = json!(service);
        shown["restored"] = json!(labels.get(KIND).is_some_and(|kind| kind == "server"));
        shown["version"] = json!(shown["image"].as_str().and_then(tag));
        services.entry(service.clone()).or_insert(Service { id, shown });
    }
    Ok(services)
}

/// The tag of an image's name; none of one that is named by a digest, or by nothing.
fn tag(image: &str) -> Option<&str> {
    let name = image.rsplit_once('/').map_or(image, |(_, name)| name);
    name.split_once('@').map_or(name, |(name, _)| name).split_once(':').map(|(_, tag)| tag)
}

/// Refuses where compose would start the damaged volume again.
fn keep_restored(target: &ComposeTarget, services: &BTreeMap<String, Service>) -> Result<(), Failure> {
    let Some(restored) = services.values().find(|one| one.shown["restored"] == true) else { return Ok(()) };
    let name = restored.shown["name"].as_str().unwrap_or_default();
    Err(Failure::refused(format!(
        "{name} was put in its place by a restore, on a volume that {} does not name: compose would start the damaged one \
         again. Name that volume there first (see docker inspect {name}), or start the containers by hand",
        target.file.display()
    )))
}

fn shown(services: &BTreeMap<String, Service>) -> Value {
    services.values().map(|one| one.shown.clone()).collect()
}

/// Whether all that must be up is.
fn state(wanted: &[String], found: &BTreeMap<String, Service>) -> Done {
    let mut down = Vec::new();
    let mut starting = Vec::new();
    let names: BTreeSet<&String> = wanted.iter().chain(found.keys().filter(|_| wanted.is_empty())).collect();
    for name in &names {
        let Some(service) = found.get(*name) else {
            down.push(format!("{name} has no container"));
            continue;
        };
        match (service.shown["running"] == true, service.shown["health"].as_str()) {
            (true, Some("starting")) => starting.push((*name).clone()),
            (true, Some("unhealthy")) => down.push(format!("{name} is unhealthy")),
            (true, _) => {}
            (false, _) => down.push(format!("{name} is {}", service.shown["state"].as_str().unwrap_or("unknown"))),
        }
    }
    let ready = down.is_empty() && starting.is_empty() && !names.is_empty();
    let summary = match (names.len(), down.as_slice(), starting.as_slice()) {
        (0, ..) => "no service has a container".to_owned(),
        (count, [], []) => format!("all {count} services are up"),
        (_, [], starting) => format!("still starting: {}", starting.join(", ")),
        (_, down, _) => down.join(", "),
    };
    let versions: serde_json::Map<String, Value> =
        found.iter().map(|(name, one)| (name.clone(), one.shown["version"].clone())).collect();
    Done::new(summary)
        .with("ready", ready)
        .with("services", shown(found))
        .with("down", json!(down))
        .with("starting", json!(starting))
        .with("versions", Value::Object(versions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(state: &str, health: &str) -> Service {
        let shown = json!({ "state": state, "running": state == "running", "health": health, "version": "v1" });
        Service { id: "x".to_owned(), shown }
    }

    #[test]
    fn it_is_ready_when_all_that_must_be_up_runs_and_is_healthy() {
        let found = |states: &[(&str, &str, &str)]| {
            states.iter().map(|(name, state, health)| ((*name).to_owned(), service(state, health))).collect()
        };
        let wanted = ["bot".to_owned(), "db".to_owned()];
        let ready = |found: &BTreeMap<String, Service>| {
            let done = state(&wanted, found);
            (done.fields["ready"] == true, done.summary)
        };
        assert_eq!(
            ready(&found(&[
                ("bot", "running", "healthy"),
                ("db", "running", "unknown"),
                ("more", "exited", "unknown")
            ])),
            (true, "all 2 services are up".to_owned())
        );
        assert_eq!(
            ready(&found(&[("bot", "running", "starting"), ("db", "running", "healthy")])),
            (false, "still starting: bot".to_owned())
        );
        assert_eq!(
            ready(&found(&[("bot", "running", "unhealthy")])),
            (false, "bot is unhealthy, db has no container".to_owned())
        );
        assert!(!ready(&found(&[])).0);
        assert_eq!(state(&[], &BTreeMap::new()).fields["ready"], false, "nothing is not ready");
    }

    #[test]
    fn a_restored_server_is_never_replaced_by_the_damaged_one() {
        let target = json!({ "file": "compose.yaml", "project": "bot" });
        let target: ComposeTarget = serde_json::from_value(target).unwrap();
        let mut services = BTreeMap::from([("db".to_owned(), service("running", "healthy"))]);
        assert!(keep_restored(&target, &services).is_ok());
        services.get_mut("db").unwrap().shown["restored"] = json!(true);
        assert!(matches!(keep_restored(&target, &services), Err(Failure::Refused { .. })));
    }

    #[test]
    fn a_tag_is_what_stands_behind_the_name() {
        assert_eq!(tag("drbot-range-trading-bot:v1.2.3"), Some("v1.2.3"));
        assert_eq!(tag("registry:5000/team/bot:v2@sha256:abc"), Some("v2"));
        assert_eq!(tag("registry:5000/team/bot"), None);
        assert_eq!(tag("bot@sha256:abc"), None);
    }
}
