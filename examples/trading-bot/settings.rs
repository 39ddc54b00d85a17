//! What the environment says.

use std::path::PathBuf;

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};

#[derive(Clone)]
pub struct Settings {
    pub listen: String,
    pub version: String,
    /// What is wrong with this version.
    pub defect: Option<Defect>,
    pub emergency_token: String,
    pub admin_token: String,
    /// Where a halt is remembered; nowhere when not set.
    pub state_file: Option<PathBuf>,
    /// Starts trading whatever was said before the restart.
    pub forget_halt: bool,
    /// The folder that requests are noted in.
    pub ledger: Option<PathBuf>,
    pub redis: Option<String>,
    /// Names of RPC providers and their addresses: `name=url,name=url`.
    pub rpc_endpoints: String,
    pub database: PgConnectOptions,
}

/// A bug that a version was built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Its memory grows, and every other trade goes wrong.
    Leaks,
    /// Its health check fails, whatever it does.
    Unhealthy,
    /// It asks for a column that the database has not.
    Schema,
}

impl Settings {
    pub fn from_environment() -> Result<Self, String> {
        let database = PgConnectOptions::new_without_pgpass()
            .host(&variable("DATABASE_HOST").unwrap_or_else(|| "127.0.0.1".into()))
            .port(match variable("DATABASE_PORT") {
                Some(port) => port.parse().map_err(|_| format!("DATABASE_PORT is not a port: {port}"))?,
                None => 5432,
            })
            .username(&variable("DATABASE_USER").unwrap_or_else(|| "trading_bot".into()))
            .password(&required("DATABASE_PASSWORD")?)
            .database(&variable("DATABASE_NAME").unwrap_or_else(|| "trading_bot_prod".into()))
            .application_name("trading-bot")
            .ssl_mode(PgSslMode::Disable)
            .disable_statement_logging();
        Ok(Self {
            listen: variable("LISTEN").unwrap_or_else(|| "0.0.0.0:8080".into()),
            version: version(),
            defect: match variable("DEFECT").as_deref() {
                None => None,
                Some("leaks") => Some(Defect::Leaks),
                Some("unhealthy") => Some(Defect::Unhealthy),
                Some("schema") => Some(Defect::Schema),
                Some(other) => return Err(format!("DEFECT is leaks, unhealthy or schema, not {other}")),
            },
            emergency_token: required("EMERGENCY_TOKEN")?,
            admin_token: required("ADMIN_TOKEN")?,
            state_file: variable("STATE_FILE").map(PathBuf::from),
            forget_halt: variable("FORGET_HALT").is_some_and(|value| value != "0"),
            ledger: variable("LEDGER").map(PathBuf::from),
            redis: variable("REDIS_ADDRESS"),
            rpc_endpoints: variable("RPC_ENDPOINTS").unwrap_or_default(),
            database,
        })
    }
}

pub fn version() -> String {
    variable("ANTBOT_VERSION").unwrap_or_else(|| "dev".into())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &str) -> Result<String, String> {
    variable(name).ok_or_else(|| format!("{name} is not set"))
}
