//! Containers: looking at them, starting and stopping them, by name.
//!
//! The engine is asked anew when it did not answer before: Docker may be what is broken. What must stay true: a
//! container that is missing, and an engine that does not answer, are told apart, and both are said in words that help.

mod daemon;
mod exec;
mod network;
mod pull;

use std::{collections::HashMap, path::PathBuf, time::Duration};

use bollard::{
    Docker as Client,
    errors::Error,
    models::{ContainerInspectResponse, HealthStatusEnum},
    query_parameters::{
        KillContainerOptionsBuilder, ListImagesOptionsBuilder, LogsOptionsBuilder, RestartContainerOptionsBuilder,
        StartContainerOptions, StopContainerOptionsBuilder,
    },
};
use futures::{StreamExt, future::join_all};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{Context, Done, Failure, Fields, Probe};
use crate::runbook::action::Docker;

/// The limit of one answer of the engine.
const ANSWER: Duration = Duration::from_secs(60);
/// The limit of finding out whether an engine is there at all.
const HELLO: Duration = Duration::from_secs(3);
/// Most lines of a log that are kept.
const LINES: usize = 1000;

/// The Docker engine of this machine. Not connected until it is needed.
#[derive(Debug)]
pub struct Engine {
    socket: PathBuf,
    client: OnceCell<Client>,
}

impl Engine {
    /// `host` as `DOCKER_HOST` has it (`unix:///var/run/docker.sock`); the default socket when left out.
    pub fn new(host: Option<&str>) -> Self {
        let host = host.filter(|host| !host.is_empty()).unwrap_or("unix:///var/run/docker.sock");
        Self { socket: PathBuf::from(host.trim_start_matches("unix://")), client: OnceCell::new() }
    }

    /// The client, once the engine has answered. A failure is not kept: the next call asks again.
    ///
    /// # Errors
    /// That Docker does not answer, where, and what to do.
    pub async fn client(&self, context: &Context) -> Result<&Client, Failure> {
        let connect = async {
            let client = self.fresh().map_err(|error| self.unreachable(&error.to_string()))?;
            let negotiated = context.clock.timeout(HELLO, client.negotiate_version()).await;
            match negotiated {
                Some(Ok(client)) => Ok(client),
                Some(Err(error)) => Err(self.unreachable(&error.to_string())),
                None => Err(self.unreachable("no answer within 3 s")),
            }
        };
        self.client.get_or_try_init(|| connect).await
    }

    /// A client of its own, that has asked for nothing yet.
    fn fresh(&self) -> Result<Client, Error> {
        let path = self.socket.display().to_string();
        Client::connect_with_unix(&path, ANSWER.as_secs(), bollard::API_DEFAULT_VERSION)
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::failed(format!(
            "Docker does not answer at {}: {why}. Is the engine running, and may drbot use its socket?",
            self.socket.display()
        ))
    }

    /// An error of the engine's, about a container, in words.
    pub fn explain(&self, container: &str, error: &Error) -> Failure {
        match error {
            Error::DockerResponseServerError { status_code: 404, .. } => {
                Failure::failed(format!("there is no container {container}"))
            }
            other => self.explain_of(container, other),
        }
    }

    /// An error of the engine's, about something that may be no container.
    fn explain_of(&self, what: &str, error: &Error) -> Failure {
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Failure::failed(format!("Docker refuses, for {what}: {message} ({status_code})"))
            }
            Error::DockerStreamError { error } => Failure::failed(format!("Docker refuses, for {what}: {error}")),
            other => self.unreachable(&other.to_string()),
        }
    }

    /// A container as it is; `None` when there is none of that name.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn inspect(&self, name: &str, context: &Context) -> Result<Option<ContainerInspectResponse>, Failure> {
        let client = self.client(context).await?;
        match stoppable(context, client.inspect_container(name, None)).await? {
            Ok(found) => Ok(Some(found)),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(self.explain(name, &error)),
        }
    }
}

/// Awaits an answer of the engine's unless the action is stopped first.
pub async fn stoppable<T>(context: &Context, work: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done),
        () = context.cancel.cancelled() => Err(Failure::Cancelled),
    }
}

/// What must be known after a crash: which container it was, and since when it runs.
///
/// # Errors
/// When the engine does not answer.
pub async fn prepare(engine: &Engine, action: &Docker, context: &Context) -> Result<Fields, Failure> {
    let Some(container) = acts_on(action) else { return Ok(Fields::new()) };
    let found = engine.inspect(container, context).await?;
    let mut facts = Fields::new();
    facts.insert("was".to_owned(), of_container(container, found.as_ref()));
    Ok(facts)
}

/// # Errors
/// What Docker says, in words.
pub async fn perform(engine: &Engine, action: &Docker, context: &Context) -> Result<Done, Failure> {
    match action {
        Docker::Engine {} => daemon::look(engine, context).await,
        Docker::RestartEngine {} => daemon::restart(engine, context).await,
        Docker::Ps { containers } => ps(engine, containers, context).await,
        Docker::Inspect { container } => {
            let found = of_container(container, engine.inspect(container, context).await?.as_ref());
            let summary = describe(&found);
            let Value::Object(fields) = found else { return Err(Failure::failed("nothing was found")) };
            Ok(Done { fields, summary, log: Vec::new() })
        }
        Docker::Images { repository } => images(engine, repository, context).await,
        Docker::Exec { container, command, user } => {
            exec::perform(engine, container, command, user.as_deref(), context).await
        }
        Docker::Connect { container, network, aliases } => {
            network::connect(engine, container, network, aliases, context).await
        }
        Docker::Disconnect { container, network } => network::disconnect(engine, container, network, context).await,
        Docker::Pull { image } => pull::perform(engine, image, context).await,
        Docker::Logs { container, tail, matching } => logs(engine, container, *tail, matching, context).await,
        Docker::Start { container } => {
            let client = engine.client(context).await?;
            change(context, container, client.start_container(container, None::<StartContainerOptions>))
                .await?
                .map_err(|error| engine.explain(container, &error))?;
            Ok(Done::new(format!("{container} is started")))
        }
        Docker::Stop { container, grace } => {
            // The engine waits for the container before it answers.
            let client = engine.client(context).await?.clone().with_timeout(ANSWER + grace.0);
            let options = StopContainerOptionsBuilder::default().t(seconds(grace.0)).build();
            change(context, container, client.stop_container(container, Some(options)))
                .await?
                .map_err(|error| engine.explain(container, &error))?;
            match engine.inspect(container, context).await? {
                Some(found) if is_running(&found) => Err(Failure::failed(format!("{container} still runs"))),
                _ => Ok(Done::new(format!("{container} is stopped"))),
            }
        }
        Docker::Restart { container, grace } => {
            let client = engine.client(context).await?.clone().with_timeout(ANSWER + grace.0);
            let options = RestartContainerOptionsBuilder::default().t(seconds(grace.0)).build();
            change(context, container, client.restart_container(container, Some(options)))
                .await?
                .map_err(|error| engine.explain(container, &error))?;
            Ok(Done::new(format!("{container} is restarted")))
        }
        Docker::Kill { container } => {
            let client = engine.client(context).await?;
            let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
            match change(context, container, client.kill_container(container, Some(options))).await? {
                // 409: it does not run. That is what was wanted.
                Ok(()) | Err(Error::DockerResponseServerError { status_code: 409, .. }) => {}
                Err(error) => return Err(engine.explain(container, &error)),
            }
            match engine.inspect(container, context).await? {
                Some(found) if is_running(&found) => Err(Failure::failed(format!("{container} still runs"))),
                _ => Ok(Done::new(format!("{container} is killed"))),
            }
        }
    }
}

/// Awaits a change of a container's. The engine cannot be told to stop one that has begun, so whoever stops the action
/// is told that it may still happen.
async fn change<T>(context: &Context, container: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    if context.cancel.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    stoppable(context, work).await.map_err(|_| Failure::Unknown {
        message: format!("it was stopped, but Docker may still carry out what it was told of {container}"),
    })
}

/// Whether a start, stop, restart or kill that was interrupted has taken effect, by the container's own state.
pub async fn probe(engine: &Engine, action: &Docker, context: &Context) -> Probe {
    match action {
        Docker::RestartEngine {} => return daemon::restarted(engine, context).await,
        Docker::Exec { container, .. } => {
            super::leftovers::end(context).await;
            return Probe::CannotTell(format!("what a program did in {container} is not known"));
        }
        Docker::Connect { container, network, .. } => {
            return network::probe(engine, container, network, true, context).await;
        }
        Docker::Disconnect { container, network } => {
            return network::probe(engine, container, network, false, context).await;
        }
        _ => {}
    }
    let Some(container) = acts_on(action) else { return Probe::DidNotHappen };
    let found = match engine.inspect(container, context).await {
        Ok(found) => found,
        Err(failure) => return Probe::CannotTell(failure.to_string()),
    };
    let running = found.as_ref().is_some_and(is_running);
    // By the engine's own times, so that a clock that was set in between misleads nobody.
    let restarted = || {
        let before = context.facts.get("was")?.get("started_at")?.as_str()?;
        let since = found.as_ref()?.state.as_ref()?.started_at.as_ref()?;
        Some(since != before)
    };
    let happened = match action {
        Docker::Start { .. } => running,
        Docker::Stop { .. } | Docker::Kill { .. } => !running,
        Docker::Restart { .. } => match restarted() {
            Some(after) => running && after,
            None => return Probe::CannotTell(format!("when {container} was started last is not known")),
        },
        _ => false,
    };
    if happened { Probe::Happened(Done::new(format!("{container} had been dealt with"))) } else { Probe::DidNotHappen }
}

fn acts_on(action: &Docker) -> Option<&str> {
    match action {
        Docker::Start { container }
        | Docker::Stop { container, .. }
        | Docker::Restart { container, .. }
        | Docker::Kill { container } => Some(container),
        _ => None,
    }
}

async fn ps(engine: &Engine, names: &[String], context: &Context) -> Result<Done, Failure> {
    let found = join_all(names.iter().map(|name| engine.inspect(name, context))).await;
    let mut containers = Vec::new();
    let mut down = Vec::new();
    for (name, found) in names.iter().zip(found) {
        let found = found?;
        let healthy = found.as_ref().is_some_and(|found| is_running(found) && health(found) != "unhealthy");
        let shown = of_container(name, found.as_ref());
        if !healthy {
            down.push(format!("{name} is {}", describe(&shown)));
        }
        containers.push(shown);
    }
    let summary = match down.as_slice() {
        [] => format!("all {} are running", containers.len()),
        down => down.join(", "),
    };
    Ok(Done::new(summary).with("containers", containers).with("down", down))
}

async fn images(engine: &Engine, repository: &str, context: &Context) -> Result<Done, Failure> {
    let client = engine.client(context).await?;
    let filters = HashMap::from([("reference".to_owned(), vec![format!("{repository}:*")])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let listed = stoppable(context, client.list_images(Some(options)))
        .await?
        .map_err(|error| engine.explain(repository, &error))?;
    let mut images: Vec<(i64, Value)> = Vec::new();
    for image in &listed {
        let tags = image.repo_tags.iter().filter_map(|tag| tag.strip_prefix(repository)?.strip_prefix(':'));
        let created = chrono::DateTime::from_timestamp(image.created, 0).map(|at| at.to_rfc3339());
        images.extend(tags.map(|tag| {
            (image.created, json!({ "tag": tag, "id": image.id, "created_at": created, "labels": image.labels }))
        }));
    }
    images.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| other["tag"].as_str().cmp(&one["tag"].as_str())));
    let images: Vec<Value> = images.into_iter().map(|(_, image)| image).collect();
    Ok(Done::new(format!("{} tags of {repository}", images.len())).with("images", images))
}

async fn logs(
    engine: &Engine,
    container: &str,
    tail: u32,
    matching: &[String],
    context: &Context,
) -> Result<Done, Failure> {
    let client = engine.client(context).await?;
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&tail.min(10_000).to_string()).build();
    let mut stream = client.logs(container, Some(options));
    let wanted: Vec<_> = matching.iter().map(|text| text.to_lowercase()).collect();
    let mut lines = std::collections::VecDeque::new();
    let mut matched = 0_u64;
    while let Some(chunk) = stoppable(context, stream.next()).await? {
        let chunk = chunk.map_err(|error| engine.explain(container, &error))?;
        let text = String::from_utf8_lossy(&chunk.into_bytes()).into_owned();
        for line in text.lines() {
            let lower = line.to_lowercase();
            if wanted.is_empty() || wanted.iter().any(|word| lower.contains(word)) {
                matched += 1;
                lines.push_back(line.chars().take(500).collect::<String>());
                if lines.len() > LINES {
                    lines.pop_front();
                }
            }
        }
    }
    let summary = match (matched, lines.back()) {
        (0, _) => "none".to_owned(),
        (count, Some(last)) => format!("{count}; the last: {last}"),
        (count, None) => count.to_string(),
    };
    let lines: Vec<String> = lines.into();
    Ok(Done::new(summary).with("matched", matched).with("lines", lines.clone()).with_log(lines))
}

pub fn is_running(found: &ContainerInspectResponse) -> bool {
    found.state.as_ref().and_then(|state| state.running).unwrap_or(false)
}

fn health(found: &ContainerInspectResponse) -> &'static str {
    match found.state.as_ref().and_then(|state| state.health.as_ref()).and_then(|health| health.status) {
        Some(HealthStatusEnum::HEALTHY) => "healthy",
        Some(HealthStatusEnum::UNHEALTHY) => "unhealthy",
        Some(HealthStatusEnum::STARTING) => "starting",
        _ => "unknown",
    }
}

pub fn of_container(name: &str, found: Option<&ContainerInspectResponse>) -> Value {
    let Some(found) = found else {
        return json!({ "name": name, "state": "missing", "running": false, "health": "unknown", "image": null, "image_id": null, "started_at": null });
    };
    let state = found.state.as_ref();
    let status = state.and_then(|state| state.status).map_or_else(|| "unknown".to_owned(), |status| status.to_string());
    json!({
        "name": name,
        "state": status,
        "running": is_running(found),
        "health": health(found),
        "image": found.config.as_ref().and_then(|config| config.image.clone()),
        "image_id": found.image,
        "started_at": state.and_then(|state| state.started_at.clone()),
    })
}

fn describe(found: &Value) -> String {
    let state = found["state"].as_str().unwrap_or("unknown");
    match found["health"].as_str() {
        Some("unhealthy") => format!("{state}, unhealthy"),
        _ => state.to_owned(),
    }
}

fn seconds(span: Duration) -> i32 {
    i32::try_from(span.as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing::context;

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_said_with_its_socket() {
        let engine = Engine::new(Some("unix:///nowhere/docker.sock"));
        let context = context();
        let action = Docker::Ps { containers: vec!["redis".to_owned()] };
        let said = perform(&engine, &action, &context).await.unwrap_err().to_string();
        assert!(said.contains("Docker does not answer at /nowhere/docker.sock"), "{said}");
        let stop = Docker::Kill { container: "redis".to_owned() };
        assert!(matches!(probe(&engine, &stop, &context).await, Probe::CannotTell(_)));
    }

    #[tokio::test]
    async fn what_is_stopped_before_it_began_has_not_happened() {
        let context = context();
        context.cancel.cancel();
        let stopped = change(&context, "redis", std::future::pending::<()>()).await;
        assert!(matches!(stopped, Err(Failure::Cancelled)), "{stopped:?}");
    }
}
