//! What might have to be done, a line each.

use super::text;
use crate::{
    config::settings::Level,
    progress::{
        postmortem::actions::Candidate,
        words::{duration, list, person},
    },
};

pub fn action(candidate: &Candidate) -> String {
    match candidate {
        Candidate::Breached { by } => {
            format!("The RTO was breached by {}: find out what would have kept it.", duration(*by))
        }
        Candidate::DeadlineMissed { by } => {
            format!("The deadline that was answered for was missed by {}.", duration(*by))
        }
        Candidate::NeverVerified => {
            "It was closed with recovery not verified: have a command verify it, or write down how it was seen."
                .to_owned()
        }
        Candidate::Relapsed { times: 1 } => {
            "It came back behind a verified recovery: look at what verified it.".to_owned()
        }
        Candidate::Relapsed { times } => {
            format!("It came back {times} times behind a verified recovery: look at what verified it.")
        }
        Candidate::LossOver { run, by, at_least } => format!(
            "The loss that run {} measured is over the RPO by {}{}: back up more often, or change the objective.",
            run.short(),
            if *at_least { "at least " } else { "" },
            duration(*by)
        ),
        Candidate::LossUnknown { run } => format!(
            "Run {} could not tell whether the loss is within the RPO: see that samples of the database are taken.",
            run.short()
        ),
        Candidate::LossUnmeasured => "Find out whether data was lost: nothing measured it.".to_owned(),
        Candidate::FailureUnknown => {
            "When it failed is not known, so neither are MTTD and MTTR: see that good samples or alerts tell."
                .to_owned()
        }
        Candidate::Unreachable { names } => format!("Could not be reached; correct the contacts: {}.", list(names)),
        Candidate::Undelivered { to, why } => {
            let whom = if to.name.is_empty() { String::new() } else { format!(" to {}", person(&to.name)) };
            format!("A page by {}{whom} was not delivered: {}. Mend that way.", to.way, text(why).trim_end_matches('.'))
        }
        Candidate::LateCalls { by } => {
            format!("People were called up to {} late: find out where drbot was.", duration(*by))
        }
        Candidate::SlowAnswer { level } => format!(
            "Nobody had answered when the {} level was called: look at who is on call.",
            if *level == Level::Emergency { "emergency" } else { "secondary" }
        ),
        Candidate::NobodyAnswered => "Nobody responded: look at who is on call, and how they are reached.".to_owned(),
        candidate => of_run(candidate),
    }
}

fn of_run(candidate: &Candidate) -> String {
    let of = |command: &str, step: &str| format!("\"{}\" of /{}", text(step), text(command));
    match candidate {
        Candidate::Waited { command, took } => format!(
            "/{} waited {} for people: have more of them who may decide, or decide before.",
            text(command),
            duration(*took)
        ),
        Candidate::ApprovalExpired { command, times } => {
            format!(
                "A call for the approval of /{} expired unanswered ({times}): look at who may approve at that hour.",
                text(command)
            )
        }
        Candidate::Glass { run, command, review_by } => format!(
            "The glass of /{} (run {}) was broken: see that it is reviewed by {}.",
            text(command),
            run.short(),
            super::stamp(*review_by)
        ),
        Candidate::Skipped { command, step } => format!("{} was skipped: mend it, or take it out.", of(command, step)),
        Candidate::Failed { command, step } => format!("{} failed: find out why.", of(command, step)),
        Candidate::Unclear { command, step } => {
            format!("Nobody could tell whether {} happened: give it a check.", of(command, step))
        }
        Candidate::NotTakenBack { command, step } => {
            format!("{} could not be taken back: look at what it left.", of(command, step))
        }
        Candidate::NoEstimate { command, steps } => format!(
            "Nothing in the file of /{} says how long these steps take, so a first forecast has to do without: {}.",
            text(command),
            list(steps)
        ),
        Candidate::DeadlineMoved => "The deadline was moved: see whether the objective is the right one.".to_owned(),
        _ => "The scenario was changed: see how the first one came to be taken for it.".to_owned(),
    }
}
