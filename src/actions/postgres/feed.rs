//! Reads a plain dump and hands it to `psql`, in one reading.
//!
//! What must stay true: `psql` gets exactly the bytes that were inspected, each piece only after it was ([`script`]), so
//! that a file that is changed meanwhile, however cleverly, gets nothing past. And nothing of it is ever committed unless
//! the whole was what had been approved: the transaction is begun before the first byte, and ended after the last one,
//! when the checksum is known to be right. The end of the input means nothing, and never comes: `psql` would run what it
//! has of a statement then, and that is what a drbot that was killed would leave.
//!
//! [`script`]: super::script

use std::{io::Read, path::Path};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{backup::BackupInfo, look, scan, script::Script, tools::Input};
use crate::actions::{Context, Failure};

/// What is read, inspected and handed over at once.
const PIECE: usize = 256 * 1024;
/// Pieces that are ready while `psql` is at work on another.
const AHEAD: usize = 8;
/// On the dump's first line, so that the lines that `psql` names are those of the file.
const BEGIN: &[u8] = b"BEGIN; ";
const END: &[u8] = b"\nCOMMIT;\n\\q\n";

/// Begins to read. What comes out of it is to be handed to `psql`, until a failure: then it is to be killed.
///
/// `sha256` is what was verified; empty when nothing was.
pub fn begin(context: &Context, backup: &BackupInfo, sha256: &str) -> Input {
    let (pieces, input) = mpsc::channel(AHEAD);
    let (path, file) = (backup.path.clone(), backup.file.clone());
    let (sha256, cancel) = (sha256.to_owned(), context.cancel.clone());
    tokio::task::spawn_blocking(move || {
        // One that cannot be handed over: nobody waits for it any more.
        let hand_over = |piece| !cancel.is_cancelled() && pieces.blocking_send(piece).is_ok();
        if let Err(failure) = read(&path, &file, &sha256, |piece| hand_over(Ok(piece))) {
            hand_over(Err(failure));
        }
    });
    input
}

fn read(path: &Path, name: &str, sha256: &str, hand_over: impl Fn(Option<Bytes>) -> bool) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::refused(format!("{name} cannot be read: {error}"));
    let mut file = look::open(path).map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut script = Script::default();
    if !hand_over(Some(Bytes::from_static(BEGIN))) {
        return Ok(());
    }
    loop {
        let mut piece = vec![0; PIECE];
        let length = file.read(&mut piece).map_err(unreadable)?;
        if length == 0 {
            break;
        }
        piece.truncate(length);
        hash.update(&piece);
        script.take(&piece);
        must_be_harmless(name, sha256, &script)?;
        if !hand_over(Some(piece.into())) {
            return Ok(());
        }
    }
    script.end();
    must_be_harmless(name, sha256, &script)?;
    if !sha256.is_empty() && !scan::hex(hash).eq_ignore_ascii_case(sha256) {
        return Err(another(name));
    }
    let _ = hand_over(Some(Bytes::from_static(END))) && hand_over(None);
    Ok(())
}

/// What was verified had no problem.
fn must_be_harmless(name: &str, sha256: &str, script: &Script) -> Result<(), Failure> {
    match &script.problem {
        None => Ok(()),
        Some(problem) if sha256.is_empty() => Err(Failure::refused(format!("{name}: {problem}"))),
        Some(_) => Err(another(name)),
    }
}

/// That it is not what was approved.
pub fn another(name: &str) -> Failure {
    Failure::refused(format!("{name} is not the file that was verified any more; verify again"))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// What is handed over of a file, whether that is all, and how the reading ended.
    fn fed(text: &str, sha256: &str) -> (String, bool, Result<(), Failure>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sql");
        std::fs::write(&path, text).unwrap();
        let (bytes, is_all) = (RefCell::new(Vec::new()), Cell::new(false));
        let ended = read(&path, "a.sql", sha256, |piece| {
            match piece {
                Some(piece) => bytes.borrow_mut().extend_from_slice(&piece),
                None => is_all.set(true),
            }
            true
        });
        (String::from_utf8(bytes.into_inner()).unwrap(), is_all.get(), ended)
    }

    fn sha256_of(text: &str) -> String {
        scan::hex(Sha256::new_with_prefix(text))
    }

    /// More than a piece.
    fn rows() -> String {
        format!("COPY public.t (a) FROM stdin;\n{}\\.\n", "0123456\n".repeat(PIECE / 8 + 1))
    }

    #[test]
    fn what_was_verified_is_handed_over_in_a_transaction() {
        let text = rows();
        let (bytes, is_all, ended) = fed(&text, &sha256_of(&text));
        assert!(is_all && ended.is_ok(), "{ended:?}");
        assert_eq!(bytes, format!("BEGIN; {text}\nCOMMIT;\n\\q\n"));
    }

    #[test]
    fn another_file_is_never_committed() {
        let text = rows().replacen("0123456", "0123457", 1);
        let (bytes, is_all, ended) = fed(&text, &sha256_of(&rows()));
        assert!(!is_all && !bytes.contains("COMMIT") && bytes.len() > PIECE, "{} bytes", bytes.len());
        assert!(ended.unwrap_err().to_string().contains("not the file that was verified"));
        // A cut one does not even get so far.
        let (bytes, is_all, ended) = fed(&rows()[..PIECE], "");
        assert!(!is_all && !bytes.contains("COMMIT"), "{} bytes", bytes.len());
        assert!(ended.unwrap_err().to_string().contains("it ends among rows"));
    }

    #[test]
    fn nothing_that_leads_out_of_the_database_is_handed_over() {
        for foreign in ["\\connect prod\n", "COPY t FROM PROGRAM 'rm';\n", "DROP DATABASE prod;\n"] {
            let text = format!("{}{foreign}", rows());
            let (bytes, is_all, ended) = fed(&text, &sha256_of(&text));
            assert!(!is_all && ended.is_err() && bytes.len() >= PIECE, "{foreign}: {} bytes", bytes.len());
            assert!(!bytes.contains(foreign.trim()) && !bytes.contains("COMMIT"), "{foreign}");
        }
    }
}
