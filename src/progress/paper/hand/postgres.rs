//! The database by hand: `psql` and its relatives inside the server's own container, where no password is asked for.
//!
//! These lines are the plain form of what drbot does: it also ends what is in the way, and looks before and after. What must
//! stay true: they keep the damaged database, and none of them writes into it.

use super::{Deed, quoted};
use crate::{config::settings::PostgresTarget, runbook::action::Postgres};

/// The database from which others are renamed and dropped.
const ASIDE: &str = "postgres";

pub fn of(verb: &Postgres, server: Option<&PostgresTarget>) -> Deed {
    let Some(server) = server else { return Deed::new("Works on the target's database") };
    let sql = |database: &str, query: &str| statement(server, database, query);
    match verb {
        Postgres::Assess { database } => {
            let deed = Deed::new(format!(
                "Sees whether the server runs, whether {database} can be read, and how new its newest record is"
            ));
            counts(deed.by(format!("docker logs --tail 20 {}", quoted(&server.container))), server, database)
        }
        Postgres::Counts { database } => {
            counts(Deed::new(format!("Counts the rows of {database}'s critical tables")), server, database)
        }
        Postgres::Backups {} => Deed::new(format!("Lists the backups in {}", server.backups.display()))
            .by(format!("ls -lt {}", quoted(&server.backups.display().to_string()))),
        Postgres::Verify { backup, database } => verify(server, backup, database),
        Postgres::Restore { backup, into, database, jobs, .. } => restore(server, backup, into, database, *jobs),
        Postgres::Integrity { database, backup } => {
            let deed = Deed::new(format!(
                "Checks {database}: row counts and newest record against the manifest of {backup}, constraints, foreign keys, indexes"
            ));
            counts(deed, server, database)
                .by(sql(database, "SELECT conrelid::regclass, conname FROM pg_constraint WHERE NOT convalidated"))
                .by(sql(database, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid"))
                .by(sql(database, "ANALYZE"))
        }
        Postgres::Swap { database, with } => swap(server, database, with),
        Postgres::SwapBack { database, kept, .. } => swap_back(server, database, kept),
        Postgres::Writes { database, allow } => {
            let (words, state) =
                if *allow { ("Lets {} take writes again", "off") } else { ("Makes {} refuse writes", "on") };
            Deed::new(words.replace("{}", database) + "; sessions that would not notice are ended")
                .by(sql(ASIDE, &format!("ALTER DATABASE \"{database}\" SET default_transaction_read_only = {state}")))
                .by(sql(ASIDE, &end_sessions(database)))
        }
        Postgres::Drop { database } => Deed::new(format!("Drops {database}, which this run made"))
            .by(sql(ASIDE, &format!("DROP DATABASE IF EXISTS \"{database}\" WITH (FORCE)"))),
        Postgres::Loss { database } => {
            let newest = newest(server);
            Deed::new(format!("Compares the newest record of {database} with that of the database that was kept"))
                .by(sql(database, &newest))
                .by(sql(&kept(database), &newest))
        }
        Postgres::Sql { database, query, params } => {
            let with: String =
                params.iter().enumerate().map(|(at, value)| format!(", ${} being {value}", at + 1)).collect();
            Deed::new(format!("Asks {database}{with}")).by(sql(database, query))
        }
    }
}

/// One statement, in a session that stops at its first mistake.
pub fn statement(server: &PostgresTarget, database: &str, sql: &str) -> String {
    format!("{} -c {}", psql(server, database), quoted(sql))
}

fn psql(server: &PostgresTarget, database: &str) -> String {
    let inside = format!("docker exec -i {} psql -X -v ON_ERROR_STOP=1", quoted(&server.container));
    format!("{inside} -U {} -d {}", quoted(&server.user), quoted(database))
}

fn newest(server: &PostgresTarget) -> String {
    format!("SELECT max({}), count(*) FROM {}", server.newest_column, server.newest_table)
}

fn counts(deed: Deed, server: &PostgresTarget, database: &str) -> Deed {
    let others = server.critical_tables.iter().filter(|table| **table != server.newest_table);
    let lines = others.map(|table| statement(server, database, &format!("SELECT count(*) FROM {table}")));
    let deed = deed.by(statement(server, database, &newest(server)));
    lines.fold(deed, Deed::by)
}

fn verify(server: &PostgresTarget, backup: &str, database: &str) -> Deed {
    let which = match backup {
        "newest-verified" => "the newest backup that passes".to_owned(),
        other => format!("the backup {other}"),
    };
    let file = match backup {
        "newest-verified" => "⟨backup⟩",
        other => other,
    };
    let path = server.backups.join(file).display().to_string();
    let manifest = format!("{path}.manifest.json");
    Deed::new(format!(
        "Proves {which}: whole, of {database}, not being written, its checksum the one in its manifest. A plain dump ends with “PostgreSQL database dump complete”"
    ))
    .by(format!("ls -lt {}", quoted(&server.backups.display().to_string())))
    .by(format!("sha256sum {}; cat {}", quoted(&path), quoted(&manifest)))
    .by(format!("tail -n 3 {}   # .sql", quoted(&path)))
    .by(format!("docker exec -i {} pg_restore -f /dev/null < {}   # .dump", quoted(&server.container), quoted(&path)))
}

fn restore(server: &PostgresTarget, backup: &str, into: &str, database: &str, jobs: u32) -> Deed {
    let path = server.backups.join(backup).display().to_string();
    let (container, user) = (quoted(&server.container), quoted(&server.user));
    Deed::new(format!(
        "Restores {backup} into a new database {into}, beside {database}, which is not touched ({jobs} jobs). When the server itself \
         does not start: into a fresh server on a new volume"
    ))
    .by(format!("docker exec -i {container} createdb -U {user} -T template0 {}", quoted(into)))
    .by(format!(
        "docker exec -i {container} pg_restore --exit-on-error -U {user} -d {} < {}   # .dump",
        quoted(into),
        quoted(&path)
    ))
    .by(format!("{} --single-transaction < {}   # .sql", psql(server, into), quoted(&path)))
}

fn swap(server: &PostgresTarget, database: &str, with: &str) -> Deed {
    let rename = format!(
        "BEGIN; ALTER DATABASE \"{database}\" RENAME TO \"{}\"; ALTER DATABASE \"{with}\" RENAME TO \"{database}\"; COMMIT",
        kept(database)
    );
    Deed::new(format!(
        "Gives {with} the name {database}, in one transaction; the damaged database is kept as {}. The restored one refuses writes for now",
        kept(database)
    ))
    .by(statement(server, ASIDE, &format!("ALTER DATABASE \"{with}\" SET default_transaction_read_only = on")))
    .by(statement(server, ASIDE, &end_sessions(database)))
    .by(statement(server, ASIDE, &rename))
}

fn swap_back(server: &PostgresTarget, database: &str, kept: &str) -> Deed {
    let undone = format!("{database}_undone_⟨run⟩");
    let rename = format!(
        "BEGIN; ALTER DATABASE \"{database}\" RENAME TO \"{undone}\"; ALTER DATABASE \"{kept}\" RENAME TO \"{database}\"; COMMIT"
    );
    Deed::new(format!(
        "Gives {kept} the name {database} again, in one transaction; the restored database is kept as {undone}. It refuses writes for now"
    ))
    .by(statement(server, ASIDE, &format!("ALTER DATABASE \"{kept}\" SET default_transaction_read_only = on")))
    .by(statement(server, ASIDE, &end_sessions(database)))
    .by(statement(server, ASIDE, &rename))
}

/// As drbot names it.
fn kept(database: &str) -> String {
    format!("{database}_damaged_⟨run⟩")
}

fn end_sessions(database: &str) -> String {
    let name = database.replace('\'', "''");
    format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    )
}
