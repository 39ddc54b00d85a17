//! Names of databases and roles in SQL, and the names that drbot gives.
//!
//! What must stay true: no name reaches SQL but through [`quoted`], and nothing is ever dropped whose name drbot did not
//! give.

use crate::actions::Failure;

/// PostgreSQL: "The system uses no more than NAMEDATALEN-1 bytes of an identifier", 63 by default; longer ones are cut
/// without a word (SQL Syntax, Identifiers).
pub const LONGEST: usize = 63;

/// A name as an SQL identifier.
///
/// # Errors
/// When it is empty, too long, or holds a zero byte.
pub fn quoted(name: &str) -> Result<String, Failure> {
    if name.is_empty() || name.len() > LONGEST || name.contains('\0') {
        return Err(Failure::refused(format!(
            "{name:?} is no name of a database: it has 1 to {LONGEST} bytes, no zero byte"
        )));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// `schema.table` as an SQL identifier.
///
/// # Errors
/// When a part is no name.
pub fn quoted_table(table: &str) -> Result<String, Failure> {
    let (schema, name) = table.split_once('.').unwrap_or(("public", table));
    Ok(format!("{}.{}", quoted(schema)?, quoted(name)?))
}

/// A text as an SQL literal, for the statements that take no parameters.
pub fn literal(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "''");
    if text.contains('\\') { format!("E'{escaped}'") } else { format!("'{escaped}'") }
}

/// A database as a connection string of libpq's, for the tools that take one where they take a name.
pub fn conninfo(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Whether drbot gave this name to a database of a run.
pub fn is_scratch(name: &str) -> bool {
    name.strip_prefix("drbot_")
        .is_some_and(|short| short.len() == 8 && short.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// # Errors
/// When drbot did not give this name.
pub fn must_be_scratch(name: &str) -> Result<(), Failure> {
    if is_scratch(name) {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "{name} is no database that a run made (drbot_ and eight hex digits); it is left alone"
    )))
}

/// What the damaged database is called after the swap, cut so that it fits.
pub fn damaged(database: &str, run: &str) -> String {
    with_tail(database, &format!("_damaged_{run}"))
}

/// What the restored database is called after its swap was taken back.
pub fn taken_back(database: &str, run: &str) -> String {
    with_tail(database, &format!("_undone_{run}"))
}

fn with_tail(database: &str, tail: &str) -> String {
    let mut head = database.to_owned();
    while head.len() + tail.len() > LONGEST {
        head.pop();
    }
    head + tail
}

/// The fresh server of a run, beside the one that does not start.
pub fn fresh_container(container: &str, run: &str) -> String {
    format!("{container}-drbot-{run}")
}

/// What the container that does not start is called after the swap.
pub fn damaged_container(container: &str, run: &str) -> String {
    format!("{container}-damaged-{run}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out() {
        assert_eq!(quoted("a\"; DROP DATABASE x; --").unwrap(), "\"a\"\"; DROP DATABASE x; --\"");
        assert_eq!(conninfo("it's \\ = x"), "dbname='it\\'s \\\\ = x'");
        assert_eq!(literal("it's \\ x"), "E'it''s \\\\ x'");
        for bad in ["", "a\0b", &"x".repeat(64)] {
            assert!(quoted(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_what_a_run_made_is_dropped() {
        assert!(must_be_scratch("drbot_0123abcd").is_ok());
        for other in ["trading_bot_prod", "drbot_", "drbot_xyz", "drbot_0123abcde", "postgres"] {
            assert!(must_be_scratch(other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_damaged_name_fits() {
        assert_eq!(damaged("trading_bot_prod", "0123abcd"), "trading_bot_prod_damaged_0123abcd");
        let longest = damaged(&"ü".repeat(31), "0123abcd");
        assert!(longest.len() <= LONGEST && longest.ends_with("_damaged_0123abcd"), "{longest}");
    }
}
