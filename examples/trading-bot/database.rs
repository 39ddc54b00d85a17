//! The database, as seen by short questions on connections of their own: so each answer is about the database of now,
//! not about one that a connection was opened to before it was swapped or restarted.

use std::time::Duration;

use drbot::clock::Clock;
use serde_json::Value;
use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgRow},
};

/// How long a health check may take, and how long a trade may be on its way.
pub const SHORT: Duration = Duration::from_secs(1);
/// How long a check of the whole portfolio may take.
pub const LONG: Duration = Duration::from_secs(20);

pub struct Database {
    options: PgConnectOptions,
    clock: Clock,
}

impl Database {
    pub fn new(options: PgConnectOptions, clock: Clock) -> Self {
        Self { options, clock }
    }

    /// A connection on which the server ends every statement after `limit`.
    pub async fn connect(&self, limit: Duration) -> Result<PgConnection, String> {
        let options = self.options.clone().options([("statement_timeout", limit.as_millis().to_string())]);
        match self.clock.timeout(SHORT, PgConnection::connect_with(&options)).await {
            Some(connection) => connection.map_err(|error| error.to_string()),
            None => Err("the database does not answer".into()),
        }
    }

    /// One row.
    pub async fn ask(&self, query: &'static str, limit: Duration) -> Result<PgRow, String> {
        let mut connection = self.connect(limit).await?;
        let row = match self.clock.timeout(limit, sqlx::query(query).fetch_one(&mut connection)).await {
            Some(row) => row.map_err(|error| error.to_string())?,
            None => return Err("the database does not answer".into()),
        };
        // The answer is there: how the connection ends does not matter.
        let _ = connection.close().await;
        Ok(row)
    }

    /// One JSON value, the first column of one row.
    pub async fn ask_json(&self, query: &'static str, limit: Duration) -> Result<Value, String> {
        let row = self.ask(query, limit).await?;
        let text: String = sqlx::Row::try_get(&row, 0).map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}
