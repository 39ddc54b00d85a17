//! Connections of drbot's own to a server: short limits, a name that tells whose they are.
//!
//! What must stay true: the password is resolved at use and is in no message; a session that drbot no longer waits for
//! ends by itself, so that nothing goes on behind its back.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row,
    postgres::{PgConnectOptions, PgRow},
};
use tokio_util::sync::CancellationToken;

use super::{carry::FENCE, names};
use crate::{
    actions::{Context, Failure, docker},
    config::settings::PostgresTarget,
};

/// The limit of getting a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// The limit of tidying up after a stop.
const CLEANUP: Duration = Duration::from_secs(5);
/// How often and how long it is looked whether sessions have ended: five seconds.
const ENDING_LOOKS: u32 = 50;
const ENDING_PAUSE: Duration = Duration::from_millis(100);

/// Begins what is said of a server that is there, and takes no sessions yet.
const STARTING: &str = "the server is not ready for sessions yet";

/// Whether a server was met that is starting: it is there, and it is too early to say more.
pub fn is_starting(problem: &str) -> bool {
    problem.contains(STARTING)
}

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

/// The fresh server that this run made, if it made one, reached by its address on the container network. One that is
/// stopped has no address, but is there: an interrupted swap leaves it so.
///
/// # Errors
/// When Docker does not answer.
pub async fn fresh(engine: &docker::Engine, context: &Context) -> Result<Option<Server>, Failure> {
    let name = names::fresh_container(&target(context)?.container, &context.labels.run);
    let Some(found) = engine.inspect(&name, context).await? else { return Ok(None) };
    let host = address(&found).unwrap_or_default();
    Ok(Some(Server { container: name, host, port: 5432, is_fresh: true }))
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

/// A database that is there whatever becomes of `database`: renames and drops are done from it.
pub fn aside_from(database: &str) -> &'static str {
    if database == "postgres" { "template1" } else { "postgres" }
}

/// A connection with the action's time limit on every statement.
///
/// # Errors
/// That the server cannot be reached, in words, without the password; a refusal when it does not accept the user.
pub async fn open(server: &Server, database: &str, context: &Context) -> Result<PgConnection, Failure> {
    // drbot's own sessions write behind the fence, and read times as UTC.
    open_with(server, database, context, &[(FENCE, "off"), ("TimeZone", "UTC")]).await
}

/// As [`open`], with these settings and no others.
///
/// # Errors
/// As [`open`].
pub async fn open_with(
    server: &Server,
    database: &str,
    context: &Context,
    settings: &[(&str, &str)],
) -> Result<PgConnection, Failure> {
    let target = target(context)?;
    if server.host.is_empty() {
        return Err(Failure::failed(format!("{} does not run", server.container)));
    }
    let password = context.secrets.resolve(&target.password).map_err(|error| Failure::refused(format!("{error:#}")))?;
    let limit = context.timeout.as_millis().clamp(1_000, 3_600_000).to_string();
    let options = PgConnectOptions::new_without_pgpass()
        .host(&server.host)
        .port(server.port)
        .username(&target.user)
        .password(password.expose_secret())
        .database(database)
        .application_name(&application_name(context))
        .options([
            ("statement_timeout", limit.as_str()),
            ("lock_timeout", "10000"),
            ("idle_in_transaction_session_timeout", "0"),
            ("client_min_messages", "warning"),
        ])
        .options(settings.iter().copied())
        .disable_statement_logging();
    let work = context.clock.timeout(CONNECT, async {
        let mut connection = PgConnection::connect_with(&options).await?;
        // A statement whose client is gone is ended within a second (PostgreSQL 14 on; nothing to set before).
        let sql =
            "SELECT set_config(name, '1s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'";
        sqlx::raw_sql(sql).execute(&mut connection).await?;
        Ok::<_, sqlx::Error>(connection)
    });
    let connected = tokio::select! {
        connected = work => connected,
        () = context.cancel.cancelled() => return Err(Failure::Cancelled),
    };
    let place = format!("{}:{}", server.host, server.port);
    match connected {
        Some(Ok(connection)) => Ok(connection),
        // 28…: Invalid Authorization Specification (PostgreSQL Error Codes). Trying again would not help.
        Some(Err(sqlx::Error::Database(error))) if error.code().is_some_and(|code| code.starts_with("28")) => {
            let text = format!(
                "the server at {place} refuses drbot: {}; see user and password of the target",
                error.message()
            );
            Err(Failure::refused(context.secrets.mask(&text)))
        }
        // 57P03: cannot_connect_now. It starts, replays its log after a crash, or shuts down.
        Some(Err(sqlx::Error::Database(error))) if error.code().is_some_and(|code| code == "57P03") => {
            Err(Failure::failed(format!("{STARTING}: {}", error.message())))
        }
        Some(Err(error)) => Err(failed(context, &format!("the database {database} at {place}"), &error)),
        None => Err(Failure::failed(format!(
            "the database server at {place} does not answer within {} s",
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

/// Runs statements that return nothing. When the action is stopped, the session is dropped, and its statement ends.
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

/// The identifier that initdb gave the target's cluster: another server has another, whatever its databases are called.
///
/// # Errors
/// What the server says, or that it cannot be reached.
pub async fn system_identifier(context: &Context) -> Result<String, Failure> {
    // Whatever has become of the target's own database, the server has this one.
    let aside = aside_from(&target(context)?.database);
    let mut connection = open(&live(context)?, aside, context).await?;
    let sql = "SELECT system_identifier::text AS id FROM pg_control_system()";
    let rows = rows(&mut connection, context, sql.to_owned()).await?;
    let _ = connection.close().await;
    let row = rows.first().ok_or_else(|| Failure::failed("the server has no system identifier"))?;
    row.try_get("id").map_err(|error| failed(context, "the system identifier", &error))
}

/// Rows of a query that was put together from quoted names.
///
/// # Errors
/// What the server says.
pub async fn rows(connection: &mut PgConnection, context: &Context, sql: String) -> Result<Vec<PgRow>, Failure> {
    bound(connection, context, sql, &[]).await
}

/// Rows of a query with text parameters.
///
/// # Errors
/// What the server says.
pub async fn bound(
    connection: &mut PgConnection,
    context: &Context,
    sql: String,
    values: &[&str],
) -> Result<Vec<PgRow>, Failure> {
    let query = values.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| query.bind(*value));
    let work = query.persistent(false).fetch_all(connection);
    tokio::select! {
        rows = work => rows.map_err(|error| failed(context, "the database refuses", &error)),
        () = context.cancel.cancelled() => Err(Failure::Cancelled),
    }
}

/// The object id of a database; `None` when there is none of that name.
///
/// # Errors
/// What the server says.
pub async fn oid(connection: &mut PgConnection, context: &Context, database: &str) -> Result<Option<i64>, Failure> {
    let sql = "SELECT oid::bigint AS oid FROM pg_database WHERE datname = $1";
    let found = bound(connection, context, sql.to_owned(), &[database]).await?;
    Ok(found.first().and_then(|row| row.try_get("oid").ok()))
}

/// Ends every session on a database but this one; how many there were.
///
/// # Errors
/// What the server says.
pub async fn end_sessions(connection: &mut PgConnection, context: &Context, database: &str) -> Result<usize, Failure> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    Ok(bound(connection, context, sql.to_owned(), &[database]).await?.len())
}

/// Ends what else this run has on a server, and waits until it is gone: a statement whose client was dropped goes on to
/// its end, and a `CREATE DATABASE` that commits after its database was dropped would leave one behind.
///
/// # Errors
/// What the server says, or that a session does not end.
pub async fn end_sessions_of_run(connection: &mut PgConnection, context: &Context) -> Result<(), Failure> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE left(application_name, length($1::text)) = $1::text AND pid <> pg_backend_pid()";
    let of_run = format!("drbot {} ", context.labels.run);
    for _ in 0..ENDING_LOOKS {
        if bound(connection, context, sql.to_owned(), &[&of_run]).await?.is_empty() {
            return Ok(());
        }
        context.clock.sleep(ENDING_PAUSE).await;
    }
    Err(Failure::failed("a session of an earlier attempt does not end; look at pg_stat_activity"))
}

/// The same action with a cancel of its own and little time: for tidying up after it was stopped.
pub fn calm(context: &Context) -> Context {
    Context { cancel: CancellationToken::new(), timeout: CLEANUP, ..context.clone() }
}

/// Ends what this step has on a server: the backends of a tool that was killed work on until they notice.
pub async fn end_own_sessions(server: &Server, context: &Context) {
    let calm = calm(context);
    let work = async {
        let mut connection = open(server, "postgres", &calm).await?;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()";
        bound(&mut connection, &calm, sql.to_owned(), &[&application_name(context)]).await?;
        let _ = connection.close().await;
        Ok::<_, Failure>(())
    };
    match context.clock.timeout(CLEANUP, work).await {
        Some(Ok(())) => {}
        Some(Err(failure)) => tracing::warn!(%failure, "the sessions of a stopped step could not be ended"),
        None => tracing::warn!("the sessions of a stopped step could not be ended: no answer"),
    }
}
