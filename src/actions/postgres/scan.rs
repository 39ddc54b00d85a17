//! Reads a backup once, all of it: its checksum, and for a plain dump what it holds and what it would make `psql` do.
//!
//! A plain dump is a program for `psql`. What it writes after `\connect trading_bot_prod` goes there, whatever database
//! `psql` was told, and outside the transaction of `-1`: tried, rows were written into the live database, exit code 0.
//! (A dump of `pg_dump -C` or `pg_dumpall` as it is ends before that, because it creates the database in the
//! transaction; one that was edited does not.) So a dump that has commands of that kind is never run.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::backup::{BackupInfo, Format, Identity};
use crate::actions::{Context, Failure, Progress, ProgressValue};

/// Meta-commands that leave the database, read or write files, or run programs.
const FORBIDDEN: [&str; 18] = [
    "connect",
    "c",
    "!",
    "i",
    "ir",
    "include",
    "include_relative",
    "copy",
    "o",
    "out",
    "g",
    "gx",
    "gexec",
    "w",
    "write",
    "setenv",
    "cd",
    "e",
];
/// As much of a line as is looked at.
const LINE: usize = 64 * 1024;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scan {
    /// As lower-case hex.
    pub sha256: String,
    /// Rows of each table in a plain dump that has its rows as COPY; empty for any other.
    pub tables: BTreeMap<String, i64>,
    /// The first command in it that must not be run, and its line.
    pub command: Option<(String, u64)>,
    /// `pg_restore` has read all of it without a complaint.
    pub readable: bool,
}

/// What is known of files that have not changed since. A file that changed in any way is another key.
static KNOWN: LazyLock<Mutex<BTreeMap<(PathBuf, Identity), Scan>>> = LazyLock::new(Mutex::default);
/// Files that are remembered.
const REMEMBERED: usize = 200;

fn known() -> MutexGuard<'static, BTreeMap<(PathBuf, Identity), Scan>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an earlier scan of this very file found.
pub fn remembered(path: &Path, identity: &Identity) -> Option<Scan> {
    known().get(&(path.to_owned(), identity.clone())).cloned()
}

/// Keeps what is known of a file, for as long as drbot runs.
pub fn remember(backup: &BackupInfo, scan: &Scan) {
    let mut known = known();
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert((backup.path.clone(), backup.identity.clone()), scan.clone());
}

/// Reads the file, unless it is known; tells how far it is.
///
/// # Errors
/// When it cannot be read.
pub async fn scan(context: &Context, backup: &BackupInfo) -> Result<Scan, Failure> {
    match remembered(&backup.path, &backup.identity) {
        Some(scan) => Ok(scan),
        None => {
            let scan = anew(context, backup).await?;
            remember(backup, &scan);
            Ok(scan)
        }
    }
}

/// Reads the file, whatever is known of it.
///
/// # Errors
/// When it cannot be read.
pub async fn anew(context: &Context, backup: &BackupInfo) -> Result<Scan, Failure> {
    let (path, size, plain) = (backup.path.clone(), backup.size, backup.format == Some(Format::Plain));
    let (progress, cancel) = (context.progress.clone(), context.cancel.clone());
    let work = tokio::task::spawn_blocking(move || read(&path, size, plain, &progress, &cancel));
    match work.await {
        Ok(Ok(Some(scan))) => Ok(scan),
        Ok(Ok(None)) => Err(Failure::Cancelled),
        Ok(Err(error)) => Err(Failure::refused(format!("{} cannot be read: {error}", backup.file))),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

fn read(
    path: &Path,
    size: u64,
    plain: bool,
    progress: &Progress,
    cancel: &CancellationToken,
) -> std::io::Result<Option<Scan>> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut lines = Lines::default();
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        if cancel.is_cancelled() {
            return Ok(None);
        }
        hash.update(&buffer[..read]);
        if plain {
            lines.take(&buffer[..read]);
        }
        done += read as u64;
        progress.report(ProgressValue { done, total: size, unit: "bytes", doing: "reading the backup".to_owned() });
    }
    lines.end();
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(Scan { sha256, tables: lines.tables, command: lines.command, readable: false }))
}

/// A plain dump, line by line, without ever holding more than the beginning of one.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
    number: u64,
    /// The table whose rows are being read.
    copying: Option<String>,
    tables: BTreeMap<String, i64>,
    command: Option<(String, u64)>,
}

impl Lines {
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.add(&bytes[..end]);
            self.end();
            bytes = &bytes[end + 1..];
        }
        self.add(bytes);
    }

    fn add(&mut self, part: &[u8]) {
        // Of a row only its end mark matters.
        let most = if self.copying.is_some() { 4 } else { LINE };
        let room = most.saturating_sub(self.line.len()).min(part.len());
        self.line.extend_from_slice(&part[..room]);
    }

    fn end(&mut self) {
        self.number += 1;
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\r');
        if let Some(table) = &self.copying {
            if text == "\\." {
                self.copying = None;
            } else {
                *self.tables.entry(table.clone()).or_default() += 1;
            }
        } else if let Some(table) = text.strip_prefix("COPY ").and_then(copied_table) {
            self.tables.entry(table.clone()).or_default();
            self.copying = Some(table);
        } else if let Some(command) = text.strip_prefix('\\')
            && self.command.is_none()
        {
            let word = command.split_whitespace().next().unwrap_or_default();
            if FORBIDDEN.contains(&word) || word.starts_with('!') {
                self.command = Some((format!("\\{word}"), self.number));
            }
        }
    }
}

/// `public.trades (id, …) FROM stdin;` → `public.trades`.
fn copied_table(rest: &str) -> Option<String> {
    let name = rest.strip_suffix("FROM stdin;")?.split(" (").next()?.trim();
    Some(name.replace('"', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, piece: usize) -> Lines {
        let mut lines = Lines::default();
        text.as_bytes().chunks(piece).for_each(|part| lines.take(part));
        lines.end();
        lines
    }

    #[test]
    fn rows_are_counted_and_commands_are_seen_wherever_the_file_is_cut() {
        let text = "-- PostgreSQL database dump\n\\restrict abc\nCOPY public.t (a, \"b c\") FROM stdin;\n1\t\\N\n\\\\connect\t2\n\\.\n\
                    CREATE TABLE x ();\n\\connect prod\n\\unrestrict abc\n";
        for piece in [1, 7, 4096] {
            let lines = lines(text, piece);
            assert_eq!(lines.tables, BTreeMap::from([("public.t".to_owned(), 2)]));
            assert_eq!(lines.command, Some(("\\connect".to_owned(), 8)));
        }
    }

    #[test]
    fn what_a_dump_always_has_is_no_command() {
        for text in
            ["\\restrict x\n\\unrestrict x\n", "COPY public.t (a) FROM stdin;\n\\c\n\\.\n", "SELECT 1; -- \\c x\n"]
        {
            assert_eq!(lines(text, 4096).command, None, "{text}");
        }
        assert_eq!(lines("\\! rm -rf /\n", 4096).command.unwrap().0, "\\!");
        assert_eq!(lines("\\!rm\n", 4096).command.unwrap().0, "\\!rm");
    }
}
