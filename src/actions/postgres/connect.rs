//! Connections of drbot's own to a server: short limits, a name that tells whose they are.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgRow},
};

use super::names;
use crate::{
    actions::{Context, Failure, docker},
    config::settings::PostgresTarget,
};

/// The limit of getting a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// A server that can be talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its container.
    pub container: String,
    /// Where drbot reaches it.
    pub host: String,
    pub port: u16,
    /// It was made by the run, beside one that does not start.
    pub is_fresh: bool,
}

/// # Errors
/// When the command has no target with a database.
pub fn target(context: &Context) -> Result<&PostgresTarget, Failure> {
    let target = context.target.as_ref().and_then(|target| target.postgres.as_ref());
    target.ok_or_else(|| Failure::refused("the command's target has no [target.….postgres] in drbot.toml"))
}

/// The server of the target's settings.
///
/// # Errors
/// When there is none.
pub fn live(context: &Context) -> Result<Server, Failure> {
    let target = target(context)?;
    Ok(Server { container: target.container.clone(), host: target.host.clone(), port: target.port, is_fresh: false })
}

/// The fresh server that this run made, if it made one, reached by its address on the container network.
///
/// # Errors
/// When Docker does not answer.
pub async fn fresh(engine: &docker::Engine, context: &Context) -> Result<Option<Server>, Failure> {
    let name = names::fresh_container(&target(context)?.container, &context.labels.run);
    let Some(found) = engine.inspect(&name, context).await? else { return Ok(None) };
    Ok(address(&found).map(|host| Server { container: name, host, port: 5432, is_fresh: true }))
}

/// The first address of a container on a network.
pub fn address(found: &bollard::models::ContainerInspectResponse) -> Option<String> {
    let networks = found.network_settings.as_ref()?.networks.as_ref()?;
    networks
        .values()
        .find_map(|network| network.ip_address.as_ref().map(ToString::to_string).filter(|ip| !ip.is_empty()))
}

/// What drbot's sessions are called, so that they can be found and ended.
pub fn application_name(context: &Context) -> String {
    format!("drbot {} {}", context.labels.run, context.labels.step).chars().take(63).collect()
}

/// A connection with the action's time limit on every statement.
///
/// # Errors
/// That the server cannot be reached, in words, without the password.
pub async fn open(server: &Server, database: &str, context: &Context) -> Result<PgConnection, Failure> {
    let target = target(context)?;
    let password = context.secrets.resolve(&target.password).map_err(|error| Failure::refused(format!("{error:#}")))?;
    let limit = context.timeout.as_millis().clamp(1_000, 3_600_000).to_string();
    let options = PgConnectOptions::new_without_pgpass()
        .host(&server.host)
        .port(server.port)
        .username(&target.user)
        .password(password.expose_secret())
        .database(database)
        .application_name(&application_name(context))
        .options([("statement_timeout", limit.as_str()), ("lock_timeout", "10000"), ("client_min_messages", "warning")])
        .disable_statement_logging();
    let connect = context.clock.timeout(CONNECT, PgConnection::connect_with(&options));
    let connected = tokio::select! {
        connected = connect => connected,
        () = context.cancel.cancelled() => return Err(Failure::Cancelled),
    };
    match connected {
        Some(Ok(connection)) => Ok(connection),
        Some(Err(error)) => {
            Err(failed(context, &format!("the database {database} at {}:{}", server.host, server.port), &error))
        }
        None => Err(Failure::failed(format!(
            "the database server at {}:{} does not answer within {} s",
            server.host,
            server.port,
            CONNECT.as_secs()
        ))),
    }
}

/// An error of the database's in words.
pub fn failed(context: &Context, what: &str, error: &sqlx::Error) -> Failure {
    let text = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    Failure::failed(context.secrets.mask(&format!("{what}: {text}")))
}

/// Runs statements that return nothing. Stops waiting when the action is stopped; the statement timeout ends the rest.
///
/// # Errors
/// What the server says.
pub async fn run(connection: &mut PgConnection, context: &Context, sql: String) -> Result<(), Failure> {
    let work = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection);
    tokio::select! {
        done = work => done.map(drop).map_err(|error| failed(context, "the database refuses", &error)),
        () = context.cancel.cancelled() => Err(Failure::Cancelled),
    }
}

/// Rows of a query that was put together from quoted names.
///
/// # Errors
/// What the server says.
pub async fn rows(connection: &mut PgConnection, context: &Context, sql: String) -> Result<Vec<PgRow>, Failure> {
    let work = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection);
    tokio::select! {
        rows = work => rows.map_err(|error| failed(context, "the database refuses", &error)),
        () = context.cancel.cancelled() => Err(Failure::Cancelled),
    }
}

/// Ends every session on a database but this one; how many there were.
///
/// # Errors
/// What the server says.
pub async fn end_sessions(connection: &mut PgConnection, context: &Context, database: &str) -> Result<usize, Failure> {
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND pid <> pg_backend_pid()",
        names::literal(database)
    );
    Ok(rows(connection, context, sql).await?.len())
}
