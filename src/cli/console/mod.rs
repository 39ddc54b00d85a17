//! `drbot exec`, `approve`, `deny`, `answer`, `abort`, `status`: the way in without Discord, as the host's user sees it.
//!
//! These only ask and show. What may be done is decided at the other end of the socket, by the drbot that serves.

mod exec;
mod follow;
mod line;
mod people;
mod screen;
mod status;

pub(super) use self::{
    exec::Exec,
    people::{Abort, Answer, Approve, Deny},
    status::Status,
};

use std::process::ExitCode;

use crate::{progress::outside::readable, run::outcome::Outcome};

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
