//! Where the server does not start: a container on the fresh server's volume takes the old one's place and name.
//!
//! Docker knows no transaction over this, so its state is read from the world each time: who bears the name, on which
//! volume. What must stay true: the old volume is never touched; the fresh server is given up last, when the new one has
//! answered; on failure the old container has its place again, as it was.

use std::time::Duration;

use bollard::{
    errors::Error,
    models::{ContainerInspectResponse, ContainerUpdateBody, RestartPolicy, RestartPolicyNameEnum},
    query_parameters::{RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, StopContainerOptionsBuilder},
};
use serde_json::{Value, json};
use sqlx::Connection;

use super::{carry::FENCE, connect, fresh, names, names::quoted, tools};
use crate::actions::{Context, Done, Failure, Fields, Probe, docker};

/// How long the server that steps aside may take to end by itself.
const GRACE: i32 = 20;
/// How long the new server may take to answer before it is taken back.
const READY: Duration = Duration::from_secs(60);
/// The limit of adding up how large the old volume is.
const COUNTING: Duration = Duration::from_secs(8);
/// The limit of putting the old one back.
const BACK: Duration = Duration::from_secs(12);

/// The names that take part.
struct Parts {
    /// The name that everybody knows.
    place: String,
    /// Where the old one stands afterwards.
    aside: String,
    fresh: String,
    volume: String,
}

fn parts(context: &Context) -> Result<Parts, Failure> {
    let place = connect::target(context)?.container.clone();
    Ok(Parts {
        aside: names::damaged_container(&place, &context.labels.run),
        fresh: names::fresh_container(&place, &context.labels.run),
        volume: fresh::volume(context)?,
        place,
    })
}

pub fn is_asked_for(context: &Context) -> bool {
    context.facts.get("mode").and_then(Value::as_str) == Some("container")
}

/// What must be known after a crash; `None` when this run has no fresh server.
///
/// # Errors
/// When Docker does not answer.
pub async fn prepare(engine: &docker::Engine, context: &Context) -> Result<Option<Fields>, Failure> {
    let parts = parts(context)?;
    if engine.inspect(&parts.fresh, context).await?.is_none() {
        return Ok(None);
    }
    // An interrupted attempt may have moved it already.
    let old = match engine.inspect(&parts.aside, context).await? {
        Some(aside) => Some(aside),
        None => engine.inspect(&parts.place, context).await?,
    };
    let old = old.ok_or_else(|| Failure::failed(format!("there is no container {}", parts.place)))?;
    let policy = old.host_config.as_ref().and_then(|host| host.restart_policy.clone());
    Ok(Some(Fields::from_iter([
        ("mode".to_owned(), json!("container")),
        ("old_id".to_owned(), json!(old.id)),
        ("old_volume".to_owned(), json!(fresh::data_volume(&old))),
        ("new_volume".to_owned(), json!(parts.volume)),
        ("restart_policy".to_owned(), json!(policy)),
    ])))
}

/// Begins where an interrupted attempt left off.
///
/// # Errors
/// Why not; the old container has its place again then, if it could be had.
pub async fn perform(engine: &docker::Engine, context: &Context, database: &str) -> Result<Done, Failure> {
    let parts = parts(context)?;
    let begin = context.clock.monotonic();
    if !in_place(engine, context, &parts).await?
        && let Err(failure) = Box::pin(replace(engine, context, &parts, database)).await
    {
        return Err(taken_back(engine, context, &parts, failure).await);
    }
    let took = begin.elapsed();
    give_up_fresh(engine, context, &parts).await;
    let size = Box::pin(kept_size(engine, context, &parts)).await;
    Ok(switched(context, &parts, Some(took), size))
}

/// Puts the old one back after a failure; says so when that fails too.
async fn taken_back(engine: &docker::Engine, context: &Context, parts: &Parts, failure: Failure) -> Failure {
    let calm = connect::calm(context);
    match context.clock.timeout(BACK, Box::pin(put_back(engine, &calm, parts))).await {
        Some(Ok(())) => failure,
        Some(Err(worse)) => Failure::failed(format!("{failure}; and the old container could not be put back: {worse}")),
        None => Failure::failed(format!("{failure}; and the old container could not be put back in time")),
    }
}

/// Ends up either with the new server in its place, or with the old container there and everything as before.
pub async fn probe(engine: &docker::Engine, context: &Context) -> Probe {
    let settled = async {
        let parts = parts(context)?;
        if in_place(engine, context, &parts).await? {
            give_up_fresh(engine, context, &parts).await;
            let size = Box::pin(kept_size(engine, context, &parts)).await;
            return Ok(Probe::Happened(switched(context, &parts, None, size)));
        }
        put_back(engine, context, &parts).await?;
        Ok::<_, Failure>(Probe::DidNotHappen)
    };
    settled.await.unwrap_or_else(|failure| Probe::CannotTell(failure.to_string()))
}

/// Whether the container of the known name stands on the fresh volume, and its server answers.
async fn in_place(engine: &docker::Engine, context: &Context, parts: &Parts) -> Result<bool, Failure> {
    let Some(found) = engine.inspect(&parts.place, context).await? else { return Ok(false) };
    if !is_on(&found, &parts.volume) || !docker::is_running(&found) {
        return Ok(false);
    }
    match fresh::wait_ready_within(context, &connect::live(context)?, Duration::from_secs(10)).await {
        Ok(()) => Ok(true),
        Err(Failure::Failed { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

fn is_on(container: &ContainerInspectResponse, volume: &str) -> bool {
    fresh::data_volume(container).as_deref() == Some(volume)
}

async fn replace(engine: &docker::Engine, context: &Context, parts: &Parts, database: &str) -> Result<(), Failure> {
    fence(engine, context, parts, database).await?;
    // Two servers on one volume would destroy it.
    stop(engine, context, &parts.fresh).await?;
    step_aside(engine, context, parts).await?;
    let old = engine
        .inspect(&parts.aside, context)
        .await?
        .ok_or_else(|| Failure::failed(format!("the container {} is gone", parts.aside)))?;
    if engine.inspect(&parts.place, context).await?.is_none() {
        fresh::create(engine, context, &as_it_was(context, old), &parts.place, &parts.volume, true).await?;
    }
    fresh::start(engine, context, &parts.place).await?;
    fresh::wait_ready_within(context, &connect::live(context)?, READY).await
}

/// The old one as it was before it stepped aside: its restart policy has been taken from it.
fn as_it_was(context: &Context, mut old: ContainerInspectResponse) -> ContainerInspectResponse {
    if let Some(host) = old.host_config.as_mut() {
        host.restart_policy = policy(context);
    }
    old
}

fn policy(context: &Context) -> Option<RestartPolicy> {
    serde_json::from_value(context.facts.get("restart_policy")?.clone()).ok()
}

/// The write fence, on the fresh server, while it stands beside. One that is stopped has been fenced already, or is
/// started for it.
async fn fence(engine: &docker::Engine, context: &Context, parts: &Parts, database: &str) -> Result<(), Failure> {
    if !engine.inspect(&parts.fresh, context).await?.is_some_and(|found| docker::is_running(&found)) {
        fresh::start(engine, context, &parts.fresh).await?;
    }
    let gone = || Failure::failed(format!("the fresh server {} is gone; restore again", parts.fresh));
    let server = connect::fresh(engine, context).await?.ok_or_else(gone)?;
    fresh::wait_ready(context, &server).await?;
    let mut connection = connect::open(&server, connect::aside_from(database), context).await?;
    connect::run(&mut connection, context, format!("ALTER DATABASE {} SET {FENCE} = on", quoted(database)?)).await?;
    let _ = connection.close().await;
    Ok(())
}

/// The old container is stopped, is not started by Docker any more, and leaves its name.
async fn step_aside(engine: &docker::Engine, context: &Context, parts: &Parts) -> Result<(), Failure> {
    let client = engine.client(context).await?;
    if engine.inspect(&parts.aside, context).await?.is_some() {
        return Ok(());
    }
    set_policy(
        engine,
        context,
        &parts.place,
        Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), ..RestartPolicy::default() }),
    )
    .await?;
    stop(engine, context, &parts.place).await?;
    let options = RenameContainerOptionsBuilder::default().name(&parts.aside).build();
    client.rename_container(&parts.place, options).await.map_err(|error| engine.explain(&parts.place, &error))
}

/// Nothing is made worse: the old container has its name and its restart policy again. The fresh server stays for the
/// next try.
async fn put_back(engine: &docker::Engine, context: &Context, parts: &Parts) -> Result<(), Failure> {
    let client = engine.client(context).await?;
    if let Some(found) = engine.inspect(&parts.place, context).await?
        && is_on(&found, &parts.volume)
    {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        client
            .remove_container(&parts.place, Some(options))
            .await
            .map_err(|error| engine.explain(&parts.place, &error))?;
    }
    if engine.inspect(&parts.aside, context).await?.is_some() {
        let options = RenameContainerOptionsBuilder::default().name(&parts.place).build();
        client.rename_container(&parts.aside, options).await.map_err(|error| engine.explain(&parts.aside, &error))?;
    }
    set_policy(engine, context, &parts.place, policy(context)).await
}

async fn set_policy(
    engine: &docker::Engine,
    context: &Context,
    container: &str,
    policy: Option<RestartPolicy>,
) -> Result<(), Failure> {
    let Some(policy) = policy else { return Ok(()) };
    let client = engine.client(context).await?;
    let body = ContainerUpdateBody { restart_policy: Some(policy), ..ContainerUpdateBody::default() };
    client.update_container(container, body).await.map_err(|error| engine.explain(container, &error))
}

async fn stop(engine: &docker::Engine, context: &Context, name: &str) -> Result<(), Failure> {
    let client = engine.client(context).await?;
    let options = StopContainerOptionsBuilder::default().t(GRACE).build();
    client.stop_container(name, Some(options)).await.map_err(|error| engine.explain(name, &error))?;
    match engine.inspect(name, context).await? {
        Some(found) if docker::is_running(&found) => Err(Failure::failed(format!("{name} still runs"))),
        _ => Ok(()),
    }
}

/// The fresh server's container has done its part; its volume lives on in the new one.
async fn give_up_fresh(engine: &docker::Engine, context: &Context, parts: &Parts) {
    let Ok(client) = engine.client(context).await else { return };
    let options = RemoveContainerOptionsBuilder::default().force(true).build();
    match client.remove_container(&parts.fresh, Some(options)).await {
        Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
        Err(error) => {
            tracing::warn!(container = parts.fresh, %error, "the fresh server's container could not be removed")
        }
    }
}

/// Bytes that the old volume takes; `None` when that takes long. The new server serves already.
async fn kept_size(engine: &docker::Engine, context: &Context, parts: &Parts) -> Option<u64> {
    let volume = context.facts.get("old_volume").and_then(Value::as_str)?;
    let tool = tools::Tool {
        name: "size",
        arguments: ["du", "-sk", tools::BACKUPS].map(str::to_owned).to_vec(),
        backups: Some(std::path::Path::new(volume)),
        beside: &parts.place,
        input: None,
        server: None,
    };
    let counted = context.clock.timeout(COUNTING, Box::pin(tools::run(engine, context, tool))).await;
    let Some(Ok(output)) = counted else {
        let _ = tools::end_leftovers(engine, context).await;
        return None;
    };
    output.text.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes.saturating_mul(1024))
}

fn switched(context: &Context, parts: &Parts, took: Option<Duration>, size: Option<u64>) -> Done {
    let text = |name: &str| context.facts.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let old = text("old_volume");
    let Parts { place, aside, volume, .. } = parts;
    let compose = format!("compose's file still names the volume {old}: name {volume} there before it is used again");
    Done::new(format!("{place} runs on the fresh volume {volume} now; the old volume {old} is kept"))
        .with("kept", old.clone())
        .with("kept_size", json!(size))
        .with("drop_hint", format!("docker rm {aside} && docker volume rm {old}"))
        .with("interrupted_ms", json!(took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX))))
        // Databases did not change places.
        .with("live_oid", Value::Null)
        .with("kept_oid", Value::Null)
        .with_log([compose])
}
