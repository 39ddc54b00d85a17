//! A slash command: acknowledged first, then submitted, then answered to the one who gave it.

use std::collections::BTreeMap;

use serenity::all::{CommandInteraction, ResolvedOption, ResolvedValue};

use super::{Desk, contacts, handler::caller, slip::Slip};
use crate::{
    access::{Caller, Refusal},
    engine::{AnswerError, Engine, Request, RequestError, Submitted},
    progress::words,
};

pub(super) async fn command(desk: &Desk, command: CommandInteraction) {
    if command.data.name == contacts::NAME {
        return contacts::show(desk, command).await;
    }
    let engine = &desk.engine;
    let request = Request {
        key: command.id.to_string(),
        command: command.data.name.clone(),
        options: options(&command.data.options()),
        caller: caller(&command.user, command.member.as_deref(), command.channel_id),
    };
    let by = request.caller.person.name.clone();
    let slip = slip(&command, &request.caller);
    // Late or lost, what was asked for is done all the same, and at once: /halt waits for nobody.
    let ((), submitted) = tokio::join!(slip.acknowledge(desk), engine.submit(request));
    let (text, is_refusal) = match submitted {
        Ok(Submitted::Started(run)) => (words::started(&command.data.name, &run.short()), false),
        // Delivered twice: the first one is answered.
        Ok(Submitted::AlreadyStarted(_)) => return,
        Err(error) => {
            tracing::info!(command = command.data.name, by, %error, "a command is refused");
            (request_error(engine, &command.data.name, &error), true)
        }
    };
    // That it has started is on its card too; a refusal would be nowhere.
    if !slip.fill_in(desk, &text).await && is_refusal {
        slip.say_in_channel(desk, &text).await;
    }
}

pub(super) fn slip(command: &CommandInteraction, caller: &Caller) -> Slip {
    Slip {
        id: command.id.get(),
        application: command.application_id.get(),
        token: command.token.clone(),
        channel: command.channel_id.get(),
        name: caller.person.name.clone(),
    }
}

pub(super) fn options(given: &[ResolvedOption<'_>]) -> BTreeMap<String, String> {
    given
        .iter()
        .filter_map(|option| {
            let value = match &option.value {
                ResolvedValue::String(text) => (*text).to_owned(),
                ResolvedValue::Integer(number) => number.to_string(),
                ResolvedValue::Number(number) => number.to_string(),
                ResolvedValue::Boolean(yes) => yes.to_string(),
                ResolvedValue::Autocomplete { value, .. } => (*value).to_owned(),
                _ => return None,
            };
            Some((option.name.to_owned(), value))
        })
        .collect()
}

/// Why a command was not run, and what to do.
pub(super) fn request_error(engine: &Engine, command: &str, error: &RequestError) -> String {
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

pub(super) fn refusal(command: &str, refusal: &Refusal) -> String {
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
pub(super) fn answer_error(error: &AnswerError) -> String {
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
