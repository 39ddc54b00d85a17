//! What the engine and `access` refuse, as sentences: the same on every surface that people use.

use crate::{
    access::Refusal,
    clock::Timestamp,
    engine::incidents::{DeedError, OpenError},
    engine::{AbortError, AnswerError, ContactError, Engine, LockdownError, RequestError, ReviewError, UndoError},
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
        RequestError::LockedDown(lockdown) => words::locked_down(lockdown, now),
        RequestError::OnlyByUndo { name } => words::only_by_undo(name),
        RequestError::Overtaken => words::overtaken(),
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
        Refusal::NoGlass => words::no_glass(),
        Refusal::TooEarly { near, from } => words::too_early(*near, *from),
        Refusal::OwnReview => words::own_review(),
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
        AnswerError::ReasonTooShort => words::reason_too_short(),
        AnswerError::LockedDown(lockdown) => words::no_answer_in_lockdown(lockdown),
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

/// Why nothing was locked or unlocked, and what to do.
pub fn lockdown_error(engine: &Engine, error: &LockdownError) -> String {
    match error {
        LockdownError::Refused(refusal) => self::refusal("lockdown", refusal),
        LockdownError::ReasonNeeded => words::reason_needed(),
        LockdownError::Already(lockdown) => words::locked_down_already(lockdown, engine.clock().now()),
        LockdownError::None => words::not_locked_down(),
        LockdownError::NotDurable(lockdown, error) => {
            tracing::error!(error = format!("{error:#}"), "the lockdown may not be durable");
            words::locked_down_in_memory(lockdown)
        }
        LockdownError::Store(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            words::store_failed()
        }
    }
}

/// Why nothing counts as reviewed, and what to do.
pub fn review_error(engine: &Engine, error: &ReviewError) -> String {
    let now = engine.clock().now();
    match error {
        ReviewError::Nothing => words::nothing_to_review(),
        ReviewError::Which(open) => words::which_review(open, now),
        ReviewError::Unknown { run, open } => words::no_such_review(run, open, now),
        ReviewError::Done { by, at } => words::reviewed_already(by, *at, now),
        ReviewError::NoteNeeded => words::note_needed(),
        ReviewError::Refused(refusal) => self::refusal("", refusal),
        ReviewError::Store(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            words::store_failed()
        }
    }
}

/// Why nothing is taken back, and what to do.
pub fn undo_error(engine: &Engine, error: &UndoError) -> String {
    let now = engine.clock().now();
    match error {
        UndoError::Nothing => words::nothing_to_undo(),
        UndoError::Which(runs) => words::which_to_undo(runs, now),
        UndoError::Unknown { run, can } => words::no_such_run_to_undo(run, can, now),
        UndoError::GoesOn(state) => words::undo_goes_on(state),
        UndoError::NotDone(state) => words::not_done(state),
        UndoError::NoWay(command) => words::no_way_back(command),
        UndoError::Since { run, later } => words::changed_since(run, later, now),
        UndoError::Refused(refusal) => self::refusal("undo", refusal),
        UndoError::Request(error) => request_error(engine, "undo", error),
        UndoError::Store(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            words::store_failed()
        }
    }
}

/// Why the contacts are as they were, or nobody was sent a test; and what to do.
pub fn contact_error(error: &ContactError) -> String {
    match error {
        ContactError::Refused(refusal) => self::refusal("contacts", refusal),
        ContactError::Throttled { wait } => words::throttled(*wait),
        ContactError::LockedDown(lockdown) => words::contacts::locked_down(lockdown),
        ContactError::Edit(error) => words::contacts::not_changed(error),
        ContactError::TestedJustNow { wait } => words::contacts::tested_just_now(*wait),
        ContactError::Store(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            words::store_failed()
        }
    }
}

/// Why no incident was opened, and what to do.
pub fn open_error(error: &OpenError) -> String {
    match error {
        OpenError::Refused(refusal) => self::refusal("incident", refusal),
        OpenError::UnknownScenario { name, known } => words::unknown_scenario(name, known),
        OpenError::UnknownTarget { name, known } => words::unknown_target(name, known),
        OpenError::NoScenario => words::run_without_scenario(),
        OpenError::NoRun(_) => words::run_ended(),
        OpenError::Open(id) => words::incident_is_open(&id.short()),
        OpenError::NoDrills => words::no_drills(),
        OpenError::NoDrillContacts(roles) => words::no_drill_contacts(roles),
        OpenError::Store(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            words::store_failed()
        }
    }
}

/// Why nothing was done on an incident, and what to do.
pub fn deed_error(error: &DeedError, now: Timestamp) -> String {
    match error {
        DeedError::Refused(refusal) => self::refusal("incident", refusal),
        DeedError::None => words::no_incident(),
        DeedError::Which(open) => words::which_incident(open, now),
        DeedError::Unknown(name) => words::unknown_incident(name),
        DeedError::Closed => words::incident_is_closed(),
        DeedError::UnknownScenario { name, known } => words::unknown_scenario(name, known),
        DeedError::ReasonNeeded => words::closing_needs_a_reason(),
        DeedError::WordsNeeded => words::words_needed(),
        DeedError::Past => words::deadline_is_past(),
        DeedError::Store(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            words::store_failed()
        }
    }
}
