//! A fresh server beside one that does not start: the same image, settings and network, on a volume of its own.
//!
//! The old container and its volume are not touched: what is on it may be all that is left. Until the swap the fresh one
//! bears none of the old one's names, ports or compose labels, so that nobody takes it for the real one.

use std::{collections::HashMap, time::Duration};

use bollard::{
    errors::Error,
    models::{
        ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, MountPoint, NetworkConnectRequest,
        NetworkingConfig, RestartPolicy, VolumeCreateRequest,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions, StartContainerOptions,
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

/// Makes and starts this run's fresh server.
///
/// # Errors
/// Why there can be none.
pub async fn server(engine: &docker::Engine, context: &Context) -> Result<Server, Failure> {
    let target = connect::target(context)?;
    let name = names::fresh_container(&target.container, &context.labels.run);
    let missing =
        || Failure::failed(format!("there is no container {}, whose settings a fresh server needs", target.container));
    let old = engine.inspect(&target.container, context).await?.ok_or_else(missing)?;
    let volume = volume(context)?;
    let client = engine.client(context).await?;
    let request = VolumeCreateRequest {
        name: Some(volume.clone()),
        labels: Some(tools::labels(context, "server", project(&old).as_ref())),
        ..VolumeCreateRequest::default()
    };
    docker::stoppable(context, client.create_volume(request))
        .await?
        .map_err(|error| engine.explain(&volume, &error))?;
    create(engine, context, &old, &name, &volume, false).await?;
    start(engine, context, &name).await?;
    let server = connect::fresh(engine, context)
        .await?
        .filter(|server| !server.host.is_empty())
        .ok_or_else(|| Failure::failed(format!("the fresh server {name} has no address on its network")))?;
    wait_ready(context, &server).await?;
    Ok(server)
}

/// The volume of this run's fresh server.
///
/// # Errors
/// When the command has no target with a database.
pub fn volume(context: &Context) -> Result<String, Failure> {
    Ok(format!("{}-data-drbot-{}", connect::target(context)?.container, context.labels.run))
}

/// The compose project that a container belongs to.
pub fn project(container: &ContainerInspectResponse) -> Option<String> {
    container.config.as_ref()?.labels.as_ref()?.get("com.docker.compose.project").cloned()
}

/// Creates a container like `old` on another volume; with its names on the network, its ports and its labels only when
/// it is to take its place.
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
    let mut labels = if in_its_place { config.labels.clone().unwrap_or_default() } else { HashMap::new() };
    labels.extend(tools::labels(context, "server", project(old).as_ref()));
    let mut networks = endpoints(old, in_its_place);
    // One network when it is made, the others after (API before 1.44 takes one only).
    let first = networks.keys().next().cloned();
    let endpoints_config = first.and_then(|first| networks.remove_entry(&first)).into_iter().collect();
    let body = ContainerCreateBody {
        image: image(client, old).await,
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
        host_config: Some(host(old, volume, in_its_place)),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(endpoints_config) }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    client.create_container(Some(options), body).await.map_err(|error| engine.explain(name, &error))?;
    for (network, endpoint) in networks {
        let request = NetworkConnectRequest { container: name.to_owned(), endpoint_config: Some(endpoint) };
        client.connect_network(&network, request).await.map_err(|error| engine.explain(name, &error))?;
    }
    Ok(())
}

/// The image by its name, as compose wants to see it; by its id when the name means another image by now.
async fn image(client: &bollard::Docker, old: &ContainerInspectResponse) -> Option<String> {
    let name = old.config.as_ref().and_then(|config| config.image.clone());
    if let Some(name) = &name
        && let Ok(found) = client.inspect_image(name).await
        && found.id == old.image
    {
        return Some(name.clone());
    }
    old.image.clone().or(name)
}

fn host(old: &ContainerInspectResponse, volume: &str, in_its_place: bool) -> HostConfig {
    let mut host = old.host_config.clone().unwrap_or_default();
    let data = data_directory(old);
    // What is in memory (tmpfs) is made anew with its options; `mounts` of the host's settings knows them.
    let mut mounts = host.mounts.take().unwrap_or_default();
    mounts.retain(|mount| mount.target.as_deref() != Some(data));
    let described = |at: &str| mounts.iter().any(|mount| mount.target.as_deref() == Some(at));
    let others = old.mounts.iter().flatten().filter(|mount| {
        mount.destination.as_deref().is_some_and(|at| at != data && !described(at))
            && mount.typ.as_deref() != Some("tmpfs")
    });
    let mut binds: Vec<String> = others.filter_map(bind).collect();
    binds.push(format!("{volume}:{data}"));
    host.binds = Some(binds);
    host.mounts = (!mounts.is_empty()).then_some(mounts);
    if let Some(memory) = host.tmpfs.as_mut() {
        memory.retain(|at, _| at != data);
    }
    host.volumes_from = None;
    host.auto_remove = Some(false);
    if !in_its_place {
        host.port_bindings = None;
        host.publish_all_ports = Some(false);
        host.restart_policy = Some(RestartPolicy::default());
        host.links = None;
    }
    host
}

/// Its networks. Without its names there when it stands beside; never with its short id, which is the old one's own.
fn endpoints(old: &ContainerInspectResponse, in_its_place: bool) -> HashMap<String, EndpointSettings> {
    let networks = old.network_settings.as_ref().and_then(|settings| settings.networks.clone()).unwrap_or_default();
    let short = old.id.as_deref().unwrap_or_default().get(..12).unwrap_or_default().to_owned();
    let like = |endpoint: EndpointSettings| {
        if !in_its_place {
            return EndpointSettings::default();
        }
        let aliases = endpoint.aliases.unwrap_or_default().into_iter().filter(|alias| *alias != short).collect();
        // The addresses that were asked for; those that were given by chance are in other fields.
        EndpointSettings { aliases: Some(aliases), ipam_config: endpoint.ipam_config, ..EndpointSettings::default() }
    };
    networks.into_iter().map(|(network, endpoint)| (network, like(endpoint))).collect()
}

/// Where the data directory's volume is mounted: what `PGDATA` says, or above it.
pub fn data_directory(container: &ContainerInspectResponse) -> &str {
    let mounted = container.mounts.iter().flatten().filter_map(|mount| mount.destination.as_deref());
    let env = container.config.as_ref().and_then(|config| config.env.as_ref());
    let pgdata = env.and_then(|env| env.iter().find_map(|entry| entry.strip_prefix("PGDATA="))).unwrap_or(DATA);
    let holds = |mount: &&str| std::path::Path::new(pgdata).starts_with(mount);
    mounted.filter(holds).max_by_key(|mount| mount.len()).unwrap_or(DATA)
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

/// As [`wait_ready`]; looks once when the limit is zero.
///
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
                    Err(Failure::Cancelled) => return Err(Failure::Cancelled),
                    Err(failure) => failure.to_string(),
                }
            }
            Err(Failure::Failed { message, .. }) => message,
            Err(other) => return Err(other),
        };
        if begin.elapsed() >= limit {
            let text = if limit.is_zero() {
                problem
            } else {
                format!("{} is not ready after {} s: {problem}", server.container, limit.as_secs())
            };
            return Err(Failure::failed(text));
        }
        docker::stoppable(context, context.clock.sleep(EVERY)).await?;
    }
}

fn is_false(row: &sqlx::postgres::PgRow) -> bool {
    use sqlx::Row;
    row.try_get::<String, _>("recovering").is_ok_and(|text| text == "false")
}

/// Removes this run's fresh server with its volume; not the volume when it has taken the old one's place, because then a
/// container uses it. Returns whether there was anything.
///
/// # Errors
/// What Docker says.
pub async fn remove(engine: &docker::Engine, context: &Context) -> Result<bool, Failure> {
    let target = connect::target(context)?;
    let name = names::fresh_container(&target.container, &context.labels.run);
    let volume = volume(context)?;
    let client = engine.client(context).await?;
    let was_there = engine.inspect(&name, context).await?.is_some();
    if was_there {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let removed = docker::stoppable(context, client.remove_container(&name, Some(options))).await?;
        removed.map_err(|error| engine.explain(&name, &error))?;
    }
    // Once the old one stands aside, the volume is the live data, whatever became of the container on it.
    let aside = names::damaged_container(&target.container, &context.labels.run);
    if engine.inspect(&aside, context).await?.is_some() {
        return Ok(was_there);
    }
    match docker::stoppable(context, client.remove_volume(&volume, None::<RemoveVolumeOptions>)).await? {
        Ok(()) => Ok(true),
        // 404: there is none. 409: it is in use, and is the live one's by now.
        Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(was_there),
        Err(error) => Err(engine.explain(&volume, &error)),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerConfig, EndpointIpamConfig, Mount, MountType, NetworkSettings};

    use super::*;

    fn old() -> ContainerInspectResponse {
        let mount = |typ: &str, name: Option<&str>, destination: &str| MountPoint {
            typ: Some(String::from(typ)),
            name: name.map(str::to_owned),
            source: Some(String::new()),
            destination: Some(destination.to_owned()),
            ..MountPoint::default()
        };
        let mounts = vec![
            mount("volume", Some("data"), DATA),
            mount("volume", Some("keys"), "/keys"),
            mount("tmpfs", None, "/run/memory"),
        ];
        let memory = Mount { target: Some("/run/memory".to_owned()), typ: Some(MountType::TMPFS), ..Mount::default() };
        let host = HostConfig {
            mounts: Some(vec![memory]),
            tmpfs: Some(HashMap::from([("/tmp/short".to_owned(), "size=1m".to_owned())])),
            ..HostConfig::default()
        };
        let fixed = EndpointIpamConfig { ipv4_address: Some("172.30.0.9".to_owned()), ..EndpointIpamConfig::default() };
        let endpoint = EndpointSettings {
            ipam_config: Some(fixed),
            aliases: Some(vec!["postgres".to_owned(), "0123456789ab".to_owned()]),
            ..EndpointSettings::default()
        };
        ContainerInspectResponse {
            id: Some("0123456789abcdef".to_owned()),
            config: Some(ContainerConfig::default()),
            host_config: Some(host),
            mounts: Some(mounts),
            network_settings: Some(NetworkSettings {
                networks: Some(HashMap::from([("backend".to_owned(), endpoint)])),
                ..NetworkSettings::default()
            }),
            ..ContainerInspectResponse::default()
        }
    }

    #[test]
    fn what_is_mounted_comes_along() {
        let host = host(&old(), "new", true);
        assert_eq!(host.binds.unwrap(), ["keys:/keys".to_owned(), format!("new:{DATA}")]);
        assert_eq!(host.mounts.unwrap()[0].target.as_deref(), Some("/run/memory"));
        assert!(host.tmpfs.unwrap().contains_key("/tmp/short"));
    }

    #[test]
    fn fixed_addresses_come_along_when_it_takes_the_place() {
        let there = endpoints(&old(), true).remove("backend").unwrap();
        assert_eq!(there.ipam_config.unwrap().ipv4_address.as_deref(), Some("172.30.0.9"));
        assert_eq!(there.aliases.unwrap(), ["postgres"]);
        let beside = endpoints(&old(), false).remove("backend").unwrap();
        assert!(beside.ipam_config.is_none() && beside.aliases.is_none());
    }
}
