//! Who may use whom. The safety claim of drbot, "every effect on the world passed access, then the engine, then the
//! journal", is visible in the tree only as long as nobody takes a shortcut: this test reads the imports and fails when
//! a folder uses one that it may not. `ARCHITECTURE.md` explains the table.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Folder → what it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("ids", &[]),
    ("sample", &["clock"]),
    ("fingerprint", &["clock"]),
    ("version", &["clock"]),
    // Each reads files that operators edit, and each names the other's values.
    ("config", &["clock", "ids", "runbook"]),
    ("runbook", &["clock", "ids", "config"]),
    ("telemetry", &["config"]),
    ("run", &["clock", "ids", "fingerprint", "config", "runbook"]),
    ("contacts", &["clock", "ids", "config", "runbook", "run"]),
    ("incident", &["clock", "ids", "config", "runbook", "run", "contacts"]),
    ("alerts", &["clock", "config"]),
    ("store", &["clock", "ids", "sample", "fingerprint", "version", "config", "run", "contacts", "incident", "alerts"]),
    ("actions", &["clock", "ids", "sample", "fingerprint", "config", "runbook"]),
    ("access", &["clock", "ids", "config", "runbook", "run"]),
    (
        "engine",
        &[
            "clock",
            "ids",
            "sample",
            "fingerprint",
            "version",
            "config",
            "runbook",
            "run",
            "contacts",
            "incident",
            "alerts",
            "store",
            "actions",
            "access",
        ],
    ),
    ("escalation", &["clock", "config", "ids", "store", "engine", "incident", "contacts", "paging", "progress"]),
    ("progress", &["clock", "ids", "fingerprint", "config", "runbook", "run", "contacts", "incident"]),
    // Words alone: what a page says.
    ("paging", &["clock", "config", "contacts", "progress"]),
    ("refusals", &["clock", "access", "engine", "progress"]),
    (
        "chat",
        &[
            "clock", "ids", "config", "runbook", "run", "contacts", "incident", "store", "access", "engine", "paging",
            "progress", "refusals",
        ],
    ),
    ("console", &["clock", "ids", "fingerprint", "config", "run", "access", "engine", "progress", "refusals"]),
    ("rehearsal", &["clock", "ids"]),
    ("web", &["clock", "config", "alerts", "telemetry"]),
    (
        "cli",
        &[
            "clock",
            "ids",
            "fingerprint",
            "config",
            "runbook",
            "run",
            "contacts",
            "incident",
            "store",
            "actions",
            "access",
            "engine",
            "escalation",
            "paging",
            "progress",
            "chat",
            "console",
            "rehearsal",
            "alerts",
            "web",
            "telemetry",
        ],
    ),
    ("main", &["cli"]),
];

/// Crate → the only folders that may name it.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("serenity", &["chat"]),
    ("sqlx", &["store", "actions"]),
    ("bollard", &["actions"]),
    ("axum", &["rehearsal", "web"]),
    ("metrics_exporter_prometheus", &["telemetry"]),
    ("lettre", &["paging"]),
    ("hmac", &["paging", "web"]),
    ("minijinja", &["runbook"]),
    ("governor", &["access"]),
    ("skrifa", &["progress"]),
    ("tiny_skia", &["progress"]),
];

#[test]
fn no_folder_uses_one_that_it_may_not() {
    let table: BTreeMap<_, BTreeSet<_>> =
        MAY_USE.iter().map(|(folder, uses)| (*folder, uses.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for (folder, file, code) in sources() {
        let Some(allowed) = table.get(folder.as_str()) else {
            wrong.push(format!("{file}: the folder {folder} is not in the table"));
            continue;
        };
        for used in uses(&code) {
            if used != folder && table.contains_key(used.as_str()) && !allowed.contains(used.as_str()) {
                wrong.push(format!("{file}: {folder} may not use {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (folder, file, code) in sources() {
        for (name, folders) in ONLY_IN {
            let names_it = code.contains(&format!("{name}::")) || code.contains(&format!("use {name}"));
            if names_it && !folders.contains(&folder.as_str()) {
                wrong.push(format!("{file}: only {} may name {name}", folders.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_engine_calls_actions() {
    let mut wrong = Vec::new();
    for (folder, file, code) in sources() {
        let calls = [".perform(", ".prepare(&", ".probe(&"].iter().any(|call| code.contains(call));
        if calls && !["engine", "actions", "access"].contains(&folder.as_str()) {
            wrong.push(format!("{file}: only the engine calls actions"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_names_every_folder() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for (folder, _, _) in sources() {
        assert!(folder == "main" || map.contains(&format!("pub mod {folder};")), "lib.rs does not name {folder}");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Folder, file and code (without comments and tests) of every source.
fn sources() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    assert!(found.len() > 30, "the sources were not found");
    found
}

fn walk(folder: &Path, found: &mut Vec<(String, String, String)>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("lib.rs") {
            let shown = path.strip_prefix(root()).unwrap().to_owned();
            let first = shown.components().nth(1).unwrap().as_os_str().to_string_lossy();
            let folder = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            found.push((folder, shown.display().to_string(), code.join("\n")));
        }
    }
}

/// The folders that code names after `crate::`, in groups (`crate::{a, b::c}`) too.
fn uses(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut name = String::new();
                for letter in group.chars() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            used.insert(head(&name));
                            name.clear();
                        }
                        other if depth == 0 => name.push(other),
                        _ => {}
                    }
                }
                used.insert(head(&name));
            }
            None => {
                used.insert(head(rest));
            }
        }
    }
    used
}

fn head(path: &str) -> String {
    path.trim().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}
