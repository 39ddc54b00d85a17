//! What the engine and `access` refuse, as sentences: the same on every surface that people use.

use crate::{
    access::Refusal,
    engine::{AbortError, AnswerError, Engine, RequestError},
    progress::words,
};

/// Why a command was not run, and what to do.
pub fn request_error(engine: &Engine, command: &str, error: &RequestError) -> String {
    let now = engine.clock().now();
    match error {
        RequestError::UnknownCommand { name, known } => words::unknown_command(name, known),
        RequestError::Refused(refusal) => self::refusal(command, refusal),
        RequestError::Throttled { wait } => words::throttled(*wait),
        RequestError::Locked { holder, command: other, requester, since, .. } => {
            words::locked(other, &holder.short(), requester, *since, now)
        }
        RequestError::BadOption { option, problem } => words::bad_option(option, problem),
        RequestError::UnknownChoice { option, value, known } => words::unknown_choice(option, value, known),
        RequestError::Stopping => words::stopping(),
        RequestError::Broken(problem) => words::broken(problem),
        RequestError::Store(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            words::store_failed()
        }
    }
}

pub fn refusal(command: &str, refusal: &Refusal) -> String {
    match refusal {
        Refusal::Role { roles } => words::missing_role(command, roles),
        Refusal::Channel { allowed } => words::wrong_channel(allowed),
        Refusal::Bot => words::no_bots(),
        Refusal::OwnApproval => words::own_approval(),
        Refusal::AlreadyApproved => words::already_approved(),
        Refusal::NotOpen { state } => words::approval_not_open(state),
        Refusal::NotApproved => words::approval_not_open("not given"),
    }
}

/// Why a click does not count, and what to do.
pub fn answer_error(error: &AnswerError) -> String {
    match error {
        AnswerError::Ended => words::run_ended(),
        AnswerError::Stale => words::stale_button(),
        AnswerError::Expired => words::approval_expired(),
        AnswerError::Refused(refusal) => self::refusal("", refusal),
        AnswerError::WrongConfirmation { expected } => words::wrong_confirmation(expected),
        AnswerError::ReasonNeeded => words::reason_needed(),
        AnswerError::TooLate(why) => words::too_late(why),
        AnswerError::Store(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            words::store_failed()
        }
    }
}

/// Why nothing was stopped, and what to do.
pub fn abort_error(engine: &Engine, command: &str, error: &AbortError) -> String {
    let now = engine.clock().now();
    match error {
        AbortError::NothingUnderWay => words::nothing_under_way(),
        AbortError::NoneOfYours { roles } => words::no_run_of_yours(roles),
        AbortError::Which(runs) => words::which_run(runs, now),
        AbortError::Unknown { run, under_way } => words::no_such_run(run, under_way, now),
        AbortError::Ended(state) => words::ended_already(state, now),
        AbortError::Answer(error) => answer_error(error),
        AbortError::Refused(refusal) => self::refusal(command, refusal),
        AbortError::Store(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            words::store_failed()
        }
    }
}
