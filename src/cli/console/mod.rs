//! `drbot exec`, `approve`, `break-glass`, `review`, `deny`, `answer`, `abort`, `status`: the way in without Discord, as the host's user sees it.
//!
//! These only ask and show. What may be done is decided at the other end of the socket, by the drbot that serves; where
//! none does, `alone` starts an engine in this process, and it is asked over the same socket.

mod alone;
mod exec;
mod follow;
mod keep;
mod line;
mod people;
mod screen;
mod status;

pub(super) use self::{
    exec::Exec,
    keep::{Fingerprint, Lockdown, Unlock},
    people::{Abort, Answer, Approve, BreakGlass, Deny, Review, Undo},
    status::Status,
};

use std::process::ExitCode;

use super::Common;
use crate::{clock::Clock, config::secrets::Secrets, progress::outside::readable, run::outcome::Outcome};

/// What each of these knows.
pub(super) struct Host {
    pub(super) common: Common,
    pub(super) clock: Clock,
    pub(super) secrets: Secrets,
    /// There is a .env that this user may not read.
    pub(super) env_is_closed: bool,
}

/// Nothing was begun or changed: what was asked for was refused.
const REFUSED: u8 = 3;

/// Ctrl-C: nobody follows any more.
const LEFT: u8 = 130;

/// How a run ended, as the exit code of whoever followed it.
fn code(outcome: Outcome) -> ExitCode {
    ExitCode::from(match outcome {
        Outcome::Succeeded => 0,
        Outcome::SucceededWithSkips => 4,
        Outcome::Failed => 5,
        Outcome::RolledBack => 6,
        Outcome::Stuck => 7,
        Outcome::Aborted => 8,
        Outcome::Refused => 9,
    })
}

/// A sentence (or more) of drbot's, for a terminal.
fn shown(text: &str) -> String {
    text.lines().map(readable).collect::<Vec<_>>().join("\n")
}

/// Says why nothing was done.
fn refused(why: &str) -> ExitCode {
    eprintln!("drbot: {}", shown(why));
    ExitCode::from(REFUSED)
}
