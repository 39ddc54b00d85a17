//! A slash command: acknowledged first, then submitted, then answered to the one who gave it.

use std::{collections::BTreeMap, time::Duration};

use serenity::all::{
    CommandInteraction, Context, CreateAllowedMentions, CreateInteractionResponse, CreateInteractionResponseMessage,
    EditInteractionResponse, ResolvedOption, ResolvedValue,
};

use super::{client::describe, contacts, handler::caller};
use crate::{
    access::Refusal,
    engine::{AnswerError, Engine, Request, RequestError, Submitted},
    progress::words,
};

/// Discord waits three seconds (Receiving and Responding); after this there is no point in trying on.
pub(super) const ACKNOWLEDGE: Duration = Duration::from_millis(2500);

pub(super) async fn command(engine: &Engine, context: &Context, command: CommandInteraction) {
    if command.data.name == contacts::NAME {
        return contacts::show(engine, context, command).await;
    }
    let wait = CreateInteractionResponse::Defer(CreateInteractionResponseMessage::new().ephemeral(true));
    // Late or lost, what was asked for is done all the same: /halt waits for nobody.
    match engine.clock().timeout(ACKNOWLEDGE, command.create_response(&context.http, wait)).await {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            tracing::warn!(interaction = %command.id, error = describe(&error), "a command could not be acknowledged");
        }
        None => tracing::warn!(interaction = %command.id, "a command could not be acknowledged in time"),
    }
    let request = Request {
        key: command.id.to_string(),
        command: command.data.name.clone(),
        options: options(&command.data.options()),
        caller: caller(&command.user, command.member.as_deref(), command.channel_id),
    };
    let by = request.caller.person.name.clone();
    let text = match engine.submit(request).await {
        Ok(Submitted::Started(run)) => words::started(&command.data.name, &run.short()),
        // Delivered twice: the first one has been answered.
        Ok(Submitted::AlreadyStarted(_)) => return,
        Err(error) => {
            tracing::info!(command = command.data.name, by, %error, "a command is refused");
            request_error(engine, &command.data.name, &error)
        }
    };
    let answer = EditInteractionResponse::new().content(text).allowed_mentions(CreateAllowedMentions::new());
    if let Err(error) = command.edit_response(&context.http, answer).await {
        tracing::warn!(interaction = %command.id, error = describe(&error), "a command could not be answered");
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
