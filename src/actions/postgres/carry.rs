//! What belongs to a database and is in no dump of it: owner, grants on the database itself, `ALTER DATABASE … SET`,
//! connection limit. A swap by rename must bring them along.

use sqlx::{PgConnection, Row};

use super::{
    connect::{rows, run},
    names::{literal, quoted},
};
use crate::actions::{Context, Failure};

/// Settings whose values are lists of quoted names already; quoting them again would make one name of them
/// (PostgreSQL's `GUC_LIST_QUOTE`).
const LISTS: [&str; 6] = [
    "search_path",
    "temp_tablespaces",
    "local_preload_libraries",
    "session_preload_libraries",
    "shared_preload_libraries",
    "unix_socket_directories",
];

/// The write fence of the swap, which must not be taken for a setting of the database's own.
pub const FENCE: &str = "default_transaction_read_only";

/// Makes an empty database `into` like `from`: encoding, locale, owner, grants, settings, connection limit.
///
/// # Errors
/// What the server says.
pub async fn create_like(
    connection: &mut PgConnection,
    context: &Context,
    from: &str,
    into: &str,
) -> Result<(), Failure> {
    let into_name = quoted(into)?;
    let sql = format!(
        "SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datcollate, datctype,
                datconnlimit, datacl IS NOT NULL AS has_acl
         FROM pg_database WHERE datname = {}",
        literal(from)
    );
    let found = rows(connection, context, sql).await?;
    let Some(like) = found.first() else {
        return run(connection, context, format!("CREATE DATABASE {into_name} TEMPLATE template0")).await;
    };
    let text = |name: &str| like.try_get::<String, _>(name).unwrap_or_default();
    let sql = format!(
        "CREATE DATABASE {into_name} TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {} CONNECTION LIMIT {}",
        quoted(&text("owner"))?,
        literal(&text("encoding")),
        literal(&text("datcollate")),
        literal(&text("datctype")),
        like.try_get::<i32, _>("datconnlimit").unwrap_or(-1),
    );
    run(connection, context, sql).await?;
    if like.try_get::<bool, _>("has_acl").unwrap_or(false) {
        grants(connection, context, from, &into_name).await?;
    }
    settings(connection, context, from, &into_name).await
}

async fn grants(connection: &mut PgConnection, context: &Context, from: &str, into: &str) -> Result<(), Failure> {
    let sql = format!(
        "SELECT CASE WHEN acl.grantee = 0 THEN NULL ELSE pg_get_userbyid(acl.grantee) END AS grantee,
                acl.privilege_type AS privilege, acl.is_grantable AS grantable
         FROM pg_database, aclexplode(datacl) AS acl WHERE datname = {}",
        literal(from)
    );
    let mut statements = vec![format!("REVOKE ALL ON DATABASE {into} FROM PUBLIC")];
    for row in rows(connection, context, sql).await? {
        let grantee = match row.try_get::<Option<String>, _>("grantee").ok().flatten() {
            Some(role) => quoted(&role)?,
            None => "PUBLIC".to_owned(),
        };
        let privilege: String = row.try_get("privilege").unwrap_or_default();
        if !["CONNECT", "CREATE", "TEMPORARY"].contains(&privilege.as_str()) {
            continue;
        }
        let option = if row.try_get("grantable").unwrap_or(false) { " WITH GRANT OPTION" } else { "" };
        statements.push(format!("GRANT {privilege} ON DATABASE {into} TO {grantee}{option}"));
    }
    run(connection, context, statements.join(";\n")).await
}

async fn settings(connection: &mut PgConnection, context: &Context, from: &str, into: &str) -> Result<(), Failure> {
    let mut statements = Vec::new();
    for (role, name, value) in settings_of(connection, context, from).await? {
        let value = if LISTS.contains(&name.as_str()) { value } else { literal(&value) };
        let set = format!("SET {} = {value}", quoted(&name)?);
        statements.push(match role {
            Some(role) => format!("ALTER ROLE {} IN DATABASE {into} {set}", quoted(&role)?),
            None => format!("ALTER DATABASE {into} {set}"),
        });
    }
    if statements.is_empty() { Ok(()) } else { run(connection, context, statements.join(";\n")).await }
}

/// `ALTER DATABASE … SET` and `ALTER ROLE … IN DATABASE … SET` of a database: role, name, value.
///
/// # Errors
/// What the server says.
pub async fn settings_of(
    connection: &mut PgConnection,
    context: &Context,
    database: &str,
) -> Result<Vec<(Option<String>, String, String)>, Failure> {
    let sql = format!(
        "SELECT CASE WHEN s.setrole = 0 THEN NULL ELSE pg_get_userbyid(s.setrole) END AS role, entry
         FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS entry
         WHERE d.datname = {}",
        literal(database)
    );
    let found = rows(connection, context, sql).await?;
    let settings = found.iter().filter_map(|row| {
        let entry: String = row.try_get("entry").ok()?;
        let (name, value) = entry.split_once('=')?;
        Some((row.try_get("role").ok()?, name.to_owned(), value.to_owned()))
    });
    Ok(settings.collect())
}
