//! A fresh server beside one that does not start: the same image, settings and network, on a volume of its own.
//!
//! The old container and its volume are not touched: what is on it may be all that is left.

use std::time::Duration;

use bollard::{
    models::{
        ContainerCreateBody, ContainerInspectResponse, EndpointSettings, MountPoint, NetworkingConfig,
        VolumeCreateRequest,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder, StartContainerOptions,
    },
};
use sqlx::Connection;

use super::{
    connect::{self, Server},
    names, tools,
};
use crate::actions::{Context, Failure, docker};

/// How long a server may take until it answers.
const READY: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_millis(200);

/// Where PostgreSQL's data is, in images that follow the official one's conventions.
const DATA: &str = "/var/lib/postgresql/data";

/// The fresh server of this run, made and started if it is not there yet.
///
/// # Errors
/// Why there can be none.
pub async fn server(engine: &docker::Engine, context: &Context) -> Result<Server, Failure> {
    let target = connect::target(context)?;
    let name = names::fresh_container(&target.container, &context.labels.run);
    if engine.inspect(&name, context).await?.is_none() {
        let old = engine.inspect(&target.container, context).await?.ok_or_else(|| {
            Failure::failed(format!("there is no container {}, whose settings a fresh server needs", target.container))
        })?;
        let volume = volume(&target.container, &context.labels.run);
        create(engine, context, &old, &name, &volume, false).await?;
    }
    start(engine, context, &name).await?;
    let server = connect::fresh(engine, context)
        .await?
        .ok_or_else(|| Failure::failed(format!("the fresh server {name} has no address on its network")))?;
    wait_ready(context, &server).await?;
    Ok(server)
}

pub fn volume(container: &str, run: &str) -> String {
    format!("{container}-data-drbot-{run}")
}

/// Creates a container like `old` on another volume; with its names on the network and its ports only when it is to
/// take its place.
///
/// # Errors
/// What Docker says.
pub async fn create(
    engine: &docker::Engine,
    context: &Context,
    old: &ContainerInspectResponse,
    name: &str,
    volume: &str,
    in_its_place: bool,
) -> Result<(), Failure> {
    let client = engine.client(context).await?;
    let config = old.config.clone().unwrap_or_default();
    let mut host = old.host_config.clone().unwrap_or_default();
    let others = old.mounts.iter().flatten().filter(|mount| mount.destination.as_deref() != Some(data_directory(old)));
    let mut binds: Vec<String> = others.filter_map(bind).collect();
    binds.push(format!("{volume}:{}", data_directory(old)));
    host.binds = Some(binds);
    host.mounts = None;
    if !in_its_place {
        host.port_bindings = None;
        host.publish_all_ports = Some(false);
    }
    let mut labels = config.labels.clone().unwrap_or_default();
    if !in_its_place {
        let project = labels.get("com.docker.compose.project");
        make_volume(engine, context, volume, project).await?;
        // Compose must not take it for its own.
        let project = labels.get("com.docker.compose.project").cloned();
        labels.retain(|label, _| !label.starts_with("com.docker.compose"));
        labels.extend(tools::labels(context, "server", project.as_ref()));
    } else {
        labels.extend(tools::labels(context, "server", labels.get("com.docker.compose.project").cloned().as_ref()));
    }
    let networks = old.network_settings.as_ref().and_then(|settings| settings.networks.clone()).unwrap_or_default();
    let short = old.id.as_deref().unwrap_or_default().get(..12).unwrap_or_default().to_owned();
    let endpoints = networks.into_iter().map(|(network, endpoint)| {
        let aliases = endpoint.aliases.unwrap_or_default().into_iter().filter(|alias| *alias != short).collect();
        (network, EndpointSettings { aliases: in_its_place.then_some(aliases), ..EndpointSettings::default() })
    });
    let body = ContainerCreateBody {
        image: old.image.clone().or(config.image),
        cmd: config.cmd,
        entrypoint: config.entrypoint,
        env: config.env,
        user: config.user,
        working_dir: config.working_dir,
        healthcheck: config.healthcheck,
        exposed_ports: config.exposed_ports,
        stop_signal: config.stop_signal,
        stop_timeout: config.stop_timeout,
        labels: Some(labels),
        host_config: Some(host),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(endpoints.collect()) }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    client.create_container(Some(options), body).await.map_err(|error| engine.explain(name, &error))?;
    Ok(())
}

/// Labelled, so that whoever cleans up knows whose it is; one that is there already stays as it is.
async fn make_volume(
    engine: &docker::Engine,
    context: &Context,
    name: &str,
    project: Option<&String>,
) -> Result<(), Failure> {
    let client = engine.client(context).await?;
    let request = VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some(tools::labels(context, "volume", project)),
        ..VolumeCreateRequest::default()
    };
    client.create_volume(request).await.map_err(|error| engine.explain(name, &error))?;
    Ok(())
}

/// Where the data directory's volume is mounted: what `PGDATA` says, or above it.
pub fn data_directory(container: &ContainerInspectResponse) -> &str {
    let mounted = container.mounts.iter().flatten().filter_map(|mount| mount.destination.as_deref());
    let env = container.config.as_ref().and_then(|config| config.env.as_ref());
    let pgdata = env.and_then(|env| env.iter().find_map(|entry| entry.strip_prefix("PGDATA="))).unwrap_or(DATA);
    mounted.filter(|mount| pgdata.starts_with(mount)).max_by_key(|mount| mount.len()).unwrap_or(DATA)
}

/// The volume that a container's data directory is on.
pub fn data_volume(container: &ContainerInspectResponse) -> Option<String> {
    let directory = data_directory(container);
    let mount = container.mounts.iter().flatten().find(|mount| mount.destination.as_deref() == Some(directory))?;
    mount.name.clone().or_else(|| mount.source.clone())
}

fn bind(mount: &MountPoint) -> Option<String> {
    let from = mount.name.clone().or_else(|| mount.source.clone())?;
    let mode = if mount.rw == Some(false) { ":ro" } else { "" };
    Some(format!("{from}:{}{mode}", mount.destination.as_deref()?))
}

/// # Errors
/// What Docker says.
pub async fn start(engine: &docker::Engine, context: &Context, name: &str) -> Result<(), Failure> {
    let client = engine.client(context).await?;
    docker::stoppable(context, client.start_container(name, None::<StartContainerOptions>))
        .await?
        .map_err(|error| engine.explain(name, &error))
}

/// Waits until the server takes connections and is not in recovery: `pg_ctl -w` reports success before that.
///
/// # Errors
/// When it does not within a minute.
pub async fn wait_ready(context: &Context, server: &Server) -> Result<(), Failure> {
    wait_ready_within(context, server, READY).await
}

/// # Errors
/// When it does not answer in time.
pub async fn wait_ready_within(context: &Context, server: &Server, limit: Duration) -> Result<(), Failure> {
    let begin = context.clock.monotonic();
    loop {
        let problem = match connect::open(server, "postgres", context).await {
            Ok(mut connection) => {
                let sql = "SELECT pg_is_in_recovery()::text AS recovering".to_owned();
                let found = connect::rows(&mut connection, context, sql).await;
                let _ = connection.close().await;
                match found {
                    Ok(rows) if rows.first().is_some_and(is_false) => return Ok(()),
                    Ok(_) => "it is still in recovery".to_owned(),
                    Err(failure) => failure.to_string(),
                }
            }
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            Err(refused @ Failure::Refused { .. }) => return Err(refused),
            Err(failure) => failure.to_string(),
        };
        if begin.elapsed() > limit {
            return Err(Failure::failed(format!(
                "{} is not ready after {} s: {problem}",
                server.container,
                limit.as_secs()
            )));
        }
        tokio::select! {
            () = context.clock.sleep(EVERY) => {}
            () = context.cancel.cancelled() => return Err(Failure::Cancelled),
        }
    }
}

fn is_false(row: &sqlx::postgres::PgRow) -> bool {
    use sqlx::Row;
    row.try_get::<String, _>("recovering").is_ok_and(|text| text == "false")
}

/// Removes the fresh server of this run and its volume, when it made one that did not take the old one's place.
///
/// # Errors
/// What Docker says.
pub async fn remove(engine: &docker::Engine, context: &Context) -> Result<bool, Failure> {
    let target = connect::target(context)?;
    let name = names::fresh_container(&target.container, &context.labels.run);
    let client = engine.client(context).await?;
    if engine.inspect(&name, context).await?.is_none() {
        return Ok(false);
    }
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    client.remove_container(&name, Some(options)).await.map_err(|error| engine.explain(&name, &error))?;
    let volume = volume(&target.container, &context.labels.run);
    let options = RemoveVolumeOptionsBuilder::default().build();
    client.remove_volume(&volume, Some(options)).await.map_err(|error| engine.explain(&volume, &error))?;
    Ok(true)
}
