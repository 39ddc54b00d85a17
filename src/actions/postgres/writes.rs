//! The write fence: whether a database takes writes of new sessions; sessions that would not notice are ended.

use sqlx::Connection;

use super::{
    carry::{self, FENCE},
    connect::{self, run},
    names::{self, literal, quoted},
};
use crate::actions::{Context, Done, Failure};

/// `postgres.writes`.
///
/// # Errors
/// What the server says.
pub async fn perform(context: &Context, database: &str, allow: bool) -> Result<Done, Failure> {
    let mut connection = connect::open(&connect::live(context)?, "postgres", context).await?;
    let name = quoted(database)?;
    let sql = match (allow, own_setting(&mut connection, context, database).await?) {
        (false, _) => format!("ALTER DATABASE {name} SET {FENCE} = on"),
        // The database may have had a setting of its own before it was fenced.
        (true, Some(own)) => format!("ALTER DATABASE {name} SET {FENCE} = {}", literal(&own)),
        (true, None) => format!("ALTER DATABASE {name} RESET {FENCE}"),
    };
    run(&mut connection, context, sql).await?;
    let ended = connect::end_sessions(&mut connection, context, database).await?;
    let _ = connection.close().await;
    let what = if allow { "takes writes again" } else { "refuses writes" };
    Ok(Done::new(format!("{database} {what}")).with("ended_sessions", ended))
}

/// What the damaged database that this run kept says of itself.
async fn own_setting(
    connection: &mut sqlx::PgConnection,
    context: &Context,
    database: &str,
) -> Result<Option<String>, Failure> {
    let kept = names::damaged(database, &context.labels.run);
    let settings = carry::settings_of(connection, context, &kept).await?;
    Ok(settings.into_iter().find(|(role, name, _)| role.is_none() && name == FENCE).map(|(_, _, value)| value))
}
