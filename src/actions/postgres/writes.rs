//! The write fence: whether a database takes writes of new sessions; sessions that would not notice are ended.

use sqlx::{Connection, Row};

use super::{
    carry::{self, FENCE},
    connect::{self, aside_from, run},
    names::{self, quoted},
};
use crate::actions::{Context, Done, Failure};

/// `postgres.writes`.
///
/// # Errors
/// What the server says; when writes are allowed and would still be refused.
pub async fn perform(context: &Context, database: &str, allow: bool) -> Result<Done, Failure> {
    let live = connect::live(context)?;
    let mut connection = connect::open(&live, aside_from(database), context).await?;
    let name = quoted(database)?;
    let sql = match (allow, said_off(&mut connection, context, database).await?) {
        (false, _) => format!("ALTER DATABASE {name} SET {FENCE} = on"),
        (true, true) => format!("ALTER DATABASE {name} SET {FENCE} = off"),
        (true, false) => format!("ALTER DATABASE {name} RESET {FENCE}"),
    };
    run(&mut connection, context, sql).await?;
    if allow && refuses_still(&live, context, database).await? {
        // The server's own configuration says so; this database is to be written to.
        run(&mut connection, context, format!("ALTER DATABASE {name} SET {FENCE} = off")).await?;
        if refuses_still(&live, context, database).await? {
            return Err(Failure::failed(format!("{database} still refuses writes: see {FENCE} of the role")));
        }
    }
    let ended = connect::end_sessions(&mut connection, context, database).await?;
    let _ = connection.close().await;
    let what = if allow { "takes writes again" } else { "refuses writes" };
    Ok(Done::new(format!("{database} {what}; {ended} sessions were ended, to begin anew"))
        .with("ended_sessions", ended))
}

/// Whether the damaged database that this run kept says in so many words that it takes writes. A fence found on it is
/// none of its own: an earlier run left it there.
async fn said_off(connection: &mut sqlx::PgConnection, context: &Context, database: &str) -> Result<bool, Failure> {
    let kept = names::damaged(database, &context.labels.run);
    let settings = carry::settings_of(connection, context, &kept).await?;
    Ok(settings.iter().any(|(role, name, value)| role.is_none() && name == FENCE && value == "off"))
}

/// What a new session finds.
async fn refuses_still(live: &connect::Server, context: &Context, database: &str) -> Result<bool, Failure> {
    let mut connection = connect::open_with(live, database, context, &[]).await?;
    let sql = format!("SELECT current_setting('{FENCE}') AS fence");
    let found = connect::rows(&mut connection, context, sql).await?;
    let _ = connection.close().await;
    Ok(found.first().is_some_and(|row| row.try_get::<String, _>("fence").is_ok_and(|fence| fence == "on")))
}
