//! What belongs to a database and is in no dump of it: owner, grants on the database itself, `ALTER DATABASE … SET`,
//! connection limit. A swap by rename must bring them along.

use sqlx::{PgConnection, Row};

use super::{
    connect::{bound, run},
    names::{literal, quoted},
};
use crate::actions::{Context, Failure};

/// The write fence of the swap. Never carried along: `postgres.writes` decides about it.
pub const FENCE: &str = "default_transaction_read_only";

/// Makes an empty database `into` like `from`: encoding, locale, owner, connection limit. From scratch when there is no
/// `from` any more.
///
/// # Errors
/// What the server says.
pub async fn create_like(
    connection: &mut PgConnection,
    context: &Context,
    from: &str,
    into: &str,
) -> Result<(), Failure> {
    let into = quoted(into)?;
    // Newer releases have more ways to name a locale; a row as JSON has whichever columns there are.
    let sql =
        "SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datcollate, datctype,
                      datconnlimit, to_jsonb(d) ->> 'datlocprovider' AS provider,
                      coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale') AS icu
               FROM pg_database d WHERE datname = $1";
    let found = bound(connection, context, sql.to_owned(), &[from]).await?;
    let Some(like) = found.first() else {
        return run(connection, context, format!("CREATE DATABASE {into} TEMPLATE template0")).await;
    };
    let text = |name: &str| like.try_get::<Option<String>, _>(name).ok().flatten().unwrap_or_default();
    let mut sql = format!(
        "CREATE DATABASE {into} TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {} CONNECTION LIMIT {}",
        quoted(&text("owner"))?,
        literal(&text("encoding")),
        literal(&text("datcollate")),
        literal(&text("datctype")),
        like.try_get::<i32, _>("datconnlimit").unwrap_or(-1),
    );
    if text("provider") == "i" {
        sql = format!("{sql} LOCALE_PROVIDER icu ICU_LOCALE {}", literal(&text("icu")));
    }
    run(connection, context, sql).await
}

/// Gives `into` the grants and settings of `from`. After the restore: a setting such as `statement_timeout`, or one
/// that forbids writes, holds for the sessions of the restore too.
///
/// # Errors
/// What the server says.
pub async fn along(connection: &mut PgConnection, context: &Context, from: &str, into: &str) -> Result<(), Failure> {
    grants(connection, context, from, into).await?;
    settings(connection, context, from, into).await
}

async fn grants(connection: &mut PgConnection, context: &Context, from: &str, into: &str) -> Result<(), Failure> {
    let sql = "SELECT CASE WHEN acl.grantee = 0 THEN NULL ELSE pg_get_userbyid(acl.grantee) END AS grantee,
                      acl.privilege_type AS privilege, acl.is_grantable AS grantable, pg_get_userbyid(datdba) AS owner
               FROM pg_database, aclexplode(datacl) AS acl WHERE datname = $1";
    let granted = bound(connection, context, sql.to_owned(), &[from]).await?;
    // None: the default grants hold, and a new database has them.
    let Some(first) = granted.first() else { return Ok(()) };
    let into = quoted(into)?;
    let owner: String = first.try_get("owner").unwrap_or_default();
    let mut statements = vec![format!("REVOKE ALL ON DATABASE {into} FROM PUBLIC, {}", quoted(&owner)?)];
    for row in granted {
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

/// Set in a transaction of drbot's own and taken from there (`FROM CURRENT`), so that no value is ever part of a
/// statement: an owner may have put anything into the value of a setting, and drbot is a superuser.
async fn settings(connection: &mut PgConnection, context: &Context, from: &str, into: &str) -> Result<(), Failure> {
    let into = quoted(into)?;
    for (role, name, value) in settings_of(connection, context, from).await? {
        if name == FENCE {
            continue;
        }
        run(connection, context, "BEGIN".to_owned()).await?;
        let taken = bound(connection, context, "SELECT set_config($1, $2, true)".to_owned(), &[&name, &value]).await;
        let set = match taken {
            Ok(_) => "FROM CURRENT".to_owned(),
            // Some may be set when a session begins, but not later.
            Err(Failure::Failed { .. }) => {
                run(connection, context, "ROLLBACK; BEGIN".to_owned()).await?;
                format!("= {}", literal(&value))
            }
            Err(other) => return Err(other),
        };
        let name = name.split('.').map(quoted).collect::<Result<Vec<_>, _>>()?.join(".");
        let statement = match role {
            Some(role) => format!("ALTER ROLE {} IN DATABASE {into} SET {name} {set}", quoted(&role)?),
            None => format!("ALTER DATABASE {into} SET {name} {set}"),
        };
        run(connection, context, statement).await?;
        run(connection, context, "COMMIT".to_owned()).await?;
    }
    Ok(())
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
    let sql = "SELECT CASE WHEN s.setrole = 0 THEN NULL ELSE pg_get_userbyid(s.setrole) END AS role, entry
               FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS entry
               WHERE d.datname = $1";
    let found = bound(connection, context, sql.to_owned(), &[database]).await?;
    let settings = found.iter().filter_map(|row| {
        let entry: String = row.try_get("entry").ok()?;
        let (name, value) = entry.split_once('=')?;
        Some((row.try_get("role").ok()?, name.to_owned(), value.to_owned()))
    });
    Ok(settings.collect())
}
