//! Which statements are in a dump of one database.
//!
//! What must stay true: what is not known to be written by pg_dump is not let through.

/// Kinds of statements in a dump of one database.
const KINDS: [&str; 11] =
    ["SET", "RESET", "CREATE", "ALTER", "DROP", "COMMENT", "INSERT", "REFRESH", "SECURITY", "BEGIN", "COMMIT"];
/// What belongs to the whole server, not to a database.
const OF_SERVER: [&str; 6] = ["DATABASE", "ROLE", "USER", "GROUP", "TABLESPACE", "SYSTEM"];
/// Functions that pg_dump calls.
const CALLED: [&str; 9] = [
    "setval",
    "lo_create",
    "lo_creat",
    "lo_open",
    "lowrite",
    "lo_close",
    "lo_unlink",
    "pg_restore_relation_stats",
    "pg_restore_attribute_stats",
];
/// Encodings in which a backslash may be half a letter. No server stores in them.
const DECEPTIVE: [&str; 6] = ["SJIS", "SHIFT", "BIG5", "GB", "UHC", "JOHAB"];

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Harmless,
    /// The rows of this table follow.
    Rows(String),
    /// It makes this table.
    Makes(String),
    Extension,
    /// What comes after it cannot be read for sure.
    Unreadable(&'static str),
    Foreign,
}

/// `statement`: without comments, its quoted texts left out (`''`); `first_text`: the first of those.
pub fn judge(statement: &str, first_text: &str) -> Verdict {
    let upper = statement.to_ascii_uppercase();
    let words: Vec<&str> = upper.split(' ').collect();
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    // A mapping of a user belongs to a foreign server of the database.
    let of_server = OF_SERVER.contains(&word(1)) && word(2) != "MAPPING";
    match word(0) {
        "" => Verdict::Harmless,
        "CREATE" | "ALTER" | "DROP" if of_server => Verdict::Foreign,
        "CREATE" if word(1) == "EXTENSION" => Verdict::Extension,
        "CREATE" if word(1) == "TABLE" => Verdict::Makes(name(after(statement, "CREATE TABLE "))),
        "CREATE" if word(2) == "TABLE" => Verdict::Makes(name(after(statement, &format!("CREATE {} TABLE ", word(1))))),
        "SET" | "RESET" => reads_on(&upper, first_text),
        // A grant of a role has no ON.
        "GRANT" | "REVOKE" => {
            let on = upper.split_once(" ON ").map(|(_, on)| on.split(' ').next().unwrap_or_default());
            if on.is_some_and(|on| !OF_SERVER.contains(&on) && on != "PARAMETER") {
                Verdict::Harmless
            } else {
                Verdict::Foreign
            }
        }
        "COPY" if upper.ends_with(" FROM STDIN") => Verdict::Rows(name(after(statement, "COPY "))),
        "SELECT" if calls_known(statement, first_text) => Verdict::Harmless,
        // The last of a function's body in SQL.
        "END" if words.len() == 1 => Verdict::Harmless,
        kind if KINDS.contains(&kind) => Verdict::Harmless,
        _ => Verdict::Foreign,
    }
}

/// Settings that change how the rest is to be read.
fn reads_on(upper: &str, first_text: &str) -> Verdict {
    let text = first_text.to_ascii_uppercase();
    if upper.contains("STANDARD_CONFORMING_STRINGS") && !upper.ends_with("= ON") && text != "ON" {
        return Verdict::Unreadable("backslashes escape in its texts (standard_conforming_strings is off)");
    }
    let named = |name: &str| text.starts_with(name) || upper.contains(&format!("= {name}"));
    if (upper.contains("CLIENT_ENCODING") || upper.contains(" NAMES")) && DECEPTIVE.iter().any(|name| named(name)) {
        return Verdict::Unreadable("it is in an encoding that cannot be read for sure; dump it with -E UTF8");
    }
    Verdict::Harmless
}

/// `SELECT pg_catalog.setval('…', 1, true)`: one call, and nothing else.
fn calls_known(statement: &str, first_text: &str) -> bool {
    let call = after(statement, "SELECT ");
    let call = call.strip_prefix("pg_catalog.").unwrap_or(call);
    let Some((name, arguments)) = call.split_once('(') else { return false };
    let alone = !arguments.contains('(') && arguments.ends_with(')');
    let sets_path = name == "set_config" && first_text == "search_path" && arguments.starts_with("'',");
    alone && (CALLED.contains(&name) || sets_path)
}

fn after<'a>(statement: &'a str, begin: &str) -> &'a str {
    statement.get(begin.len()..).unwrap_or_default()
}

/// `public."odd name" (id, …)` → `public.odd name`.
fn name(rest: &str) -> String {
    let rest = rest.strip_prefix("IF NOT EXISTS ").unwrap_or(rest);
    let mut within = false;
    let mut name = String::new();
    for letter in rest.chars() {
        match letter {
            '"' => within = !within,
            ' ' | '(' if !within => break,
            other => name.push(other),
        }
    }
    name
}
