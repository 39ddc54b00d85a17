//! A look at beginning and end of a file: which format it is, and whether it even looks like a whole backup. Cheap enough
//! for completion; it proves nothing.
//!
//! What must stay true: only an ordinary file is ever opened, by its own name, and opening never waits (a pipe would).

use std::{
    fs::{File, FileType, Metadata, OpenOptions},
    io::{Error, Read, Seek, SeekFrom},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use nix::{
    fcntl::OFlag,
    unistd::{Whence, lseek},
};
use serde::Serialize;

/// As much as is looked at of a file's beginning, and of its end.
const PART: u64 = 4096;
const TRAILER: &str = "PostgreSQL database dump complete";
/// First bytes, and what packs so.
const PACKED: [(&[u8], &str, &str); 5] = [
    (&[0x1f, 0x8b], "gzip", "gunzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz", "unxz"),
    (b"BZh", "bzip2", "bunzip2"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4", "unlz4"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Custom,
    Plain,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::Plain => "plain",
        }
    }
}

/// What beginning and end tell.
#[derive(Debug)]
pub struct Looks {
    pub format: Option<Format>,
    /// The database that a custom dump says it is of.
    pub database: Option<String>,
    /// Why it is no whole backup.
    pub problem: Option<String>,
}

impl Looks {
    fn wrong(problem: impl Into<String>) -> Self {
        Self { format: None, database: None, problem: Some(problem.into()) }
    }
}

/// Opens an ordinary file to be read. Links are not followed: one may lead out of the folder.
///
/// # Errors
/// When it cannot be opened, or is none.
pub fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).map_err(|error| {
        // A symbolic link answers ELOOP ("too many levels"), which would help nobody.
        if error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) {
            Error::other("it is a symbolic link")
        } else {
            error
        }
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::other("it is no ordinary file")) }
}

/// What something in the folder is that is no file, and what to do about it.
pub fn at_no_file(kind: FileType) -> Looks {
    Looks::wrong(if kind.is_symlink() {
        "it is a symbolic link, which is not followed; put the file itself into the folder"
    } else if kind.is_dir() {
        "it is a directory; a dump in one file is needed (pg_dump -Fc)"
    } else if kind.is_fifo() {
        "it is a pipe, no file"
    } else if kind.is_block_device() || kind.is_char_device() {
        "it is a device, no file"
    } else {
        "it is no ordinary file"
    })
}

/// Looks at a file. `proved_by_checksum`: its maker says what its content is, so that a hole in it need not be damage.
pub fn at(path: &Path, meta: &Metadata, proved_by_checksum: bool) -> Looks {
    look(path, meta, proved_by_checksum).unwrap_or_else(|error| Looks::wrong(format!("it cannot be read: {error}")))
}

fn look(path: &Path, meta: &Metadata, proved_by_checksum: bool) -> std::io::Result<Looks> {
    if meta.len() == 0 {
        return Ok(Looks::wrong("it is empty"));
    }
    let mut file = open(path)?;
    let mut head = Vec::new();
    file.by_ref().take(PART).read_to_end(&mut head)?;
    if let Some((_, name, tool)) = PACKED.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Ok(Looks::wrong(format!(
            "it is packed by {name}, which cannot be proved as it is; unpack it ({tool}), then try again"
        )));
    }
    if head.starts_with(b"PGDMP") {
        let mostly_hole = meta.blocks().saturating_mul(512) < meta.len() / 8;
        let problem = (!proved_by_checksum || mostly_hole).then(|| hole(&file, meta)).flatten();
        return Ok(Looks { format: Some(Format::Custom), database: database_of_custom(&head), problem });
    }
    if head.iter().all(|byte| *byte == 0) {
        return Ok(Looks::wrong("it begins with zeros: its content never reached the disk"));
    }
    if head.get(257..262) == Some(b"ustar") {
        return Ok(Looks::wrong("it is a tar archive; a custom or plain dump is needed (pg_dump -Fc)"));
    }
    let text = String::from_utf8_lossy(&head);
    if text.contains("PostgreSQL database cluster dump") {
        return Ok(Looks::wrong("it is of a whole server (pg_dumpall); a dump of one database is needed (pg_dump)"));
    }
    if !text.contains("PostgreSQL database dump") {
        return Ok(Looks::wrong("it is neither a custom nor a plain dump of PostgreSQL"));
    }
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(meta.len().saturating_sub(PART)))?;
    file.by_ref().take(PART).read_to_end(&mut tail)?;
    let problem = hole(&file, meta).or_else(|| end_of_plain(&tail));
    Ok(Looks { format: Some(Format::Plain), database: None, problem })
}

/// Whether there is a part of the file that was never written: a dump has no such part.
fn hole(file: &File, meta: &Metadata) -> Option<String> {
    let at = u64::try_from(lseek(file, 0, Whence::SeekHole).ok()?).ok()?;
    (at < meta.len()).then(|| format!("from byte {at} on there is a hole in it: that part was never written"))
}

/// Newer releases of pg_dump write a line after the trailer (`\unrestrict …`); nothing else follows it.
fn end_of_plain(tail: &[u8]) -> Option<String> {
    if tail.last() == Some(&0) {
        return Some("it ends with zeros: its end never reached the disk".to_owned());
    }
    let tail = String::from_utf8_lossy(tail);
    let Some((_, after)) = tail.rsplit_once(TRAILER) else {
        return Some(format!("it is cut off: the line \"{TRAILER}\" is missing at its end"));
    };
    let harmless = |line: &str| line.is_empty() || line.starts_with("--") || line.starts_with("\\unrestrict ");
    let more = after.lines().map(str::trim).any(|line| !harmless(line));
    more.then(|| "something follows after its end: more than one dump, or no dump alone".to_owned())
}

/// The database that a custom dump's header names: magic, version, sizes of integers and offsets, format, compression,
/// seven integers of time, then the name (`ReadHead` of PostgreSQL's pg_backup_archiver.c; version 1.10 on).
fn database_of_custom(head: &[u8]) -> Option<String> {
    let version = (*head.get(5)?, *head.get(6)?);
    if version < (1, 10) {
        return None;
    }
    let width = usize::from(*head.get(8)?);
    // A sign and then the bytes, the least first.
    let integer = |at: usize| -> Option<u64> {
        let bytes = head.get(at + 1..at + 1 + width)?;
        (*head.get(at)? == 0 && width <= 8).then(|| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    // From 1.15 on the compression is one byte that names the method.
    let compression = if version >= (1, 15) { 1 } else { 1 + width };
    let name = 11 + compression + 7 * (1 + width);
    let length = usize::try_from(integer(name)?).ok()?;
    let text = head.get(name + 1 + width..)?.get(..length)?;
    String::from_utf8(text.to_vec()).ok().filter(|name| !name.is_empty())
}
