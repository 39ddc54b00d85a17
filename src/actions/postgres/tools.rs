//! PostgreSQL's own tools, in one-shot containers of the database's own image.
//!
//! So versions match; a stop really stops (Docker cannot kill an exec, but it can kill a container); and what a lost
//! drbot left is found by its labels and ended. What must stay true: backups are mounted read-only, the password is in
//! no argument and no environment, and nothing is left behind.

use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bollard::{
    body_full,
    errors::Error,
    models::{ContainerCreateBody, ContainerInspectResponse, HealthConfig, HostConfig},
    query_parameters::{
        AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder,
        RemoveContainerOptionsBuilder, StartContainerOptions, UploadToContainerOptionsBuilder, WaitContainerOptions,
    },
};
use bytes::Bytes;
use futures::{StreamExt, future::pending};
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};

use super::{carry::FENCE, connect};
use crate::actions::{Context, Failure, docker};

/// Where the tool finds its password.
const PASSFILE: &str = "/tmp/.drbot-pgpass";
/// Where it finds the backups.
pub const BACKUPS: &str = "/drbot-backups";
/// Stands in arguments for the address of the server's container.
pub const SERVER: &str = "{server}";
/// Output that is kept of a tool.
const KEPT: usize = 128 * 1024;
const CLEANUP: Duration = Duration::from_secs(10);

/// Pieces of an input, and `None` after the last; a failure ends the tool.
pub type Input = mpsc::Receiver<Result<Option<Bytes>, Failure>>;

/// A tool to be run.
#[derive(Debug)]
pub struct Tool<'a> {
    /// Goes into the container's name.
    pub name: &'a str,
    pub arguments: Vec<String>,
    /// The folder of backups, or a volume, that it reads.
    pub backups: Option<&'a Path>,
    /// The container whose image is used, and its own network.
    pub beside: &'a str,
    /// What it reads on its standard input; the input never ends by itself, not even when drbot is killed.
    pub input: Option<Input>,
    /// The server that it works on: when the tool is stopped, its sessions there are ended too.
    pub server: Option<&'a connect::Server>,
}

#[derive(Debug)]
pub struct Output {
    pub code: i64,
    pub text: String,
}

impl Output {
    /// The last lines, for a message.
    pub fn tail(&self) -> String {
        let lines: Vec<_> = self.text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }

    pub fn lines(&self) -> Vec<String> {
        self.text.lines().map(str::to_owned).collect()
    }
}

/// The value of the labels that everything of a run's bears.
pub fn labels(context: &Context, kind: &str, project: Option<&String>) -> HashMap<String, String> {
    let mut labels = HashMap::from([
        ("drbot.run".to_owned(), context.labels.run.clone()),
        ("drbot.step".to_owned(), context.labels.step.clone()),
        ("drbot.attempt".to_owned(), context.labels.attempt.to_string()),
        ("drbot.kind".to_owned(), kind.to_owned()),
    ]);
    if let Some(project) = project {
        labels.insert("drbot.project".to_owned(), project.clone());
    }
    labels
}

/// Runs a tool to its end. When the action is stopped, the container is killed and removed before this returns.
///
/// # Errors
/// When it could not be run; a tool that ran and failed is an [`Output`] with its code.
pub async fn run(engine: &docker::Engine, context: &Context, tool: Tool<'_>) -> Result<Output, Failure> {
    let client = engine.client(context).await?;
    let beside = engine
        .inspect(tool.beside, context)
        .await?
        .ok_or_else(|| Failure::failed(format!("there is no container {}", tool.beside)))?;
    let config = beside.config.as_ref();
    let image = beside.image.clone().or_else(|| config?.image.clone()).unwrap_or_default();
    let project = config.and_then(|config| config.labels.as_ref()?.get("com.docker.compose.project"));
    let (network, address) = place(&beside, tool.beside);
    let arguments =
        tool.arguments.into_iter().map(|part| if part == SERVER { address.clone() } else { part }).collect();
    let name = format!(
        "{}-tool-{}-{}-{}-{}",
        tool.beside,
        context.labels.run,
        context.labels.step.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_"),
        context.labels.attempt,
        tool.name,
    );
    let body = ContainerCreateBody {
        image: Some(image),
        cmd: Some(arguments),
        user: Some("0:0".to_owned()),
        env: Some(vec![
            format!("PGPASSFILE={PASSFILE}"),
            format!("PGAPPNAME={}", connect::application_name(context)),
            "PGCONNECT_TIMEOUT=10".to_owned(),
            // Settings of the database are for its users; a tool works behind the write fence, for as long as it takes.
            format!("PGOPTIONS=-c {FENCE}=off -c statement_timeout=0"),
        ]),
        labels: Some(labels(context, "tool", project)),
        open_stdin: Some(tool.input.is_some()),
        // The image's own would ask every few seconds for a server that is not here, and take its time from the one that is.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        host_config: Some(HostConfig {
            binds: tool.backups.map(|folder| vec![format!("{}:{BACKUPS}:ro", folder.display())]),
            network_mode: network,
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    remove(client, &name, context).await;
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    client.create_container(Some(options), body).await.map_err(|error| engine.explain(&name, &error))?;
    let attach = AttachContainerOptionsBuilder::default().stream(true).stdin(true).build();
    let work = async {
        let upload = UploadToContainerOptionsBuilder::default().path("/tmp").build();
        let archive = body_full(passfile(context)?.into());
        client
            .upload_to_container(&name, Some(upload), archive)
            .await
            .map_err(|error| engine.explain(&name, &error))?;
        let stdin = match &tool.input {
            Some(_) => Some(
                client.attach_container(&name, Some(attach)).await.map_err(|error| engine.explain(&name, &error))?,
            ),
            None => None,
        };
        client
            .start_container(&name, None::<StartContainerOptions>)
            .await
            .map_err(|error| engine.explain(&name, &error))?;
        let mut waiting = client.wait_container(&name, None::<WaitContainerOptions>);
        let (ended, has_all) = match (tool.input, stdin) {
            (Some(input), Some(stdin)) => {
                let has_all = AtomicBool::new(false);
                let ended = tokio::select! {
                    ended = waiting.next() => ended,
                    failure = hand_over(context, input, stdin.input, &has_all) => return Err(failure),
                };
                (ended, has_all.into_inner())
            }
            _ => (waiting.next().await, true),
        };
        let code = match ended {
            Some(Ok(ended)) => ended.status_code,
            Some(Err(Error::DockerContainerWaitError { code, .. })) => code,
            Some(Err(error)) => return Err(engine.explain(&name, &error)),
            None => return Err(Failure::failed(format!("{name} was lost"))),
        };
        if code == 0 && !has_all {
            return Err(Failure::failed(format!("{name} ended before it had all of its input")));
        }
        let text = output(client, &name).await;
        Ok(Output { code, text: context.secrets.mask(&text) })
    };
    let result = docker::stoppable(context, work).await.and_then(|result| result);
    remove(client, &name, context).await;
    if let (Err(_), Some(server)) = (&result, tool.server) {
        connect::end_own_sessions(server, context).await;
    }
    result
}

/// The network that a tool is in, and where it finds the server there: within the network of the server's own container
/// when that runs, so that rows take the loopback instead of two bridged interfaces; and no name is needed. (The socket
/// would be faster still, and is in a folder that cannot be shared with a container that runs already.)
fn place(beside: &ContainerInspectResponse, name: &str) -> (Option<String>, String) {
    if let Some(id) = beside.id.as_ref().filter(|_| docker::is_running(beside)) {
        return (Some(format!("container:{id}")), "127.0.0.1".to_owned());
    }
    // A tool that only reads a file needs no server.
    let networks = beside.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    let network = networks.and_then(|networks| networks.keys().next().cloned());
    (network, connect::address(beside).unwrap_or_else(|| name.to_owned()))
}

/// Hands an input over, as fast as the tool takes it. Returns only to tell why the tool must be ended.
async fn hand_over(
    context: &Context,
    mut input: Input,
    mut stdin: impl AsyncWrite + Unpin,
    has_all: &AtomicBool,
) -> Failure {
    let written = loop {
        match input.recv().await {
            Some(Ok(Some(piece))) => {
                if let Err(error) = stdin.write_all(&piece).await {
                    break Err(error);
                }
            }
            Some(Ok(None)) => break stdin.flush().await,
            Some(Err(failure)) => return failure,
            None => return Failure::failed("the reading of what is to be handed over ended too early"),
        }
    };
    let Err(error) = written else {
        has_all.store(true, Ordering::Relaxed);
        return pending().await;
    };
    // It has ended, most likely, and how will be known in a moment.
    context.clock.sleep(CLEANUP).await;
    Failure::failed(format!("nothing more could be handed over: {error}"))
}

/// The last line that a container wrote, cut short.
pub async fn last_words(client: &bollard::Docker, name: &str, context: &Context) -> String {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail("3").build();
    let mut stream = client.logs(name, Some(options));
    let mut last = String::new();
    while let Some(Ok(chunk)) = stream.next().await {
        let text = String::from_utf8_lossy(&chunk.into_bytes()).trim().to_owned();
        if !text.is_empty() {
            last = text;
        }
    }
    context.secrets.mask(&last.chars().take(300).collect::<String>())
}

/// A tar archive with the password file, readable by root alone, as libpq demands (The Password File).
fn passfile(context: &Context) -> Result<Vec<u8>, Failure> {
    let target = connect::target(context)?;
    let password = context.secrets.resolve(&target.password).map_err(|error| Failure::refused(format!("{error:#}")))?;
    let escape = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
    let line = format!("*:*:*:{}:{}\n", escape(&target.user), escape(password.expose_secret()));
    let mut header = tar::Header::new_gnu();
    header.set_size(line.len() as u64);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    let name = PASSFILE.trim_start_matches("/tmp/");
    archive
        .append_data(&mut header, name, line.as_bytes())
        .and_then(|()| archive.into_inner())
        .map_err(|error| Failure::failed(format!("the password file cannot be made: {error}")))
}

async fn output(client: &bollard::Docker, name: &str) -> String {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail("2000").build();
    let mut stream = client.logs(name, Some(options));
    let mut text = String::new();
    while let Some(Ok(chunk)) = stream.next().await {
        text.push_str(&String::from_utf8_lossy(&chunk.into_bytes()));
        if text.len() > KEPT {
            let mut from = text.len() - KEPT;
            while !text.is_char_boundary(from) {
                from += 1;
            }
            text.drain(..from);
        }
    }
    text
}

/// Kills and removes a container with its anonymous volumes; one that is not there is no matter.
async fn remove(client: &bollard::Docker, name: &str, context: &Context) {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    let removed = context.clock.timeout(CLEANUP, client.remove_container(name, Some(options))).await;
    match removed {
        Some(Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. })) => {}
        Some(Err(error)) => tracing::warn!(container = name, %error, "a one-shot container could not be removed"),
        None => tracing::warn!(container = name, "a one-shot container could not be removed: no answer"),
    }
}

/// Ends what an interrupted attempt of this run's step left running: its one-shot containers.
///
/// # Errors
/// When Docker does not answer.
pub async fn end_leftovers(engine: &docker::Engine, context: &Context) -> Result<(), Failure> {
    end_labelled(engine, context, vec![format!("drbot.step={}", context.labels.step)]).await
}

/// Ends whatever one-shot containers this run left running, of whichever step.
///
/// # Errors
/// When Docker does not answer.
pub async fn end_leftovers_of_run(engine: &docker::Engine, context: &Context) -> Result<(), Failure> {
    end_labelled(engine, context, Vec::new()).await
}

async fn end_labelled(engine: &docker::Engine, context: &Context, mut labels: Vec<String>) -> Result<(), Failure> {
    let client = engine.client(context).await?;
    labels.extend([format!("drbot.run={}", context.labels.run), "drbot.kind=tool".to_owned()]);
    let filters = HashMap::from([("label", labels)]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let left = client.list_containers(Some(options)).await.map_err(|error| engine.explain("leftovers", &error))?;
    for container in left {
        if let Some(id) = container.id {
            remove(client, &id, context).await;
        }
    }
    Ok(())
}
