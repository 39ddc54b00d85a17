//! A slash command: acknowledged first, then submitted, then answered to the one who gave it.

use std::collections::BTreeMap;

use serenity::all::{CommandInteraction, ResolvedOption, ResolvedValue};

use super::{Desk, handler::caller, own, slip::Slip};
use crate::{
    access::Caller,
    engine::{Request, Submitted},
    progress::words,
    refusals::request_error,
};

pub(super) async fn command(desk: &Desk, command: CommandInteraction) {
    if let Some(own) = own::named(&command.data.name) {
        return (own.give)(desk, command).await;
    }
    let engine = &desk.engine;
    let request = Request {
        key: command.id.to_string(),
        command: command.data.name.clone(),
        options: options(&command.data.options()),
        caller: caller(&command.user, command.member.as_deref(), command.channel_id, command.channel.as_ref()),
    };
    let by = request.caller.person.name.clone();
    let slip = slip(&command, &request.caller);
    let (text, is_refusal) = match slip.acknowledge_beside(desk, engine.submit(request)).await {
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

/// What a command with several was told to do.
pub(super) fn subcommand(given: &[ResolvedOption<'_>]) -> Option<String> {
    let [ResolvedOption { name, value: ResolvedValue::SubCommand(_), .. }] = given else { return None };
    Some((*name).to_owned())
}

/// The options that were given, those of a subcommand too.
pub(super) fn options(given: &[ResolvedOption<'_>]) -> BTreeMap<String, String> {
    if let [ResolvedOption { value: ResolvedValue::SubCommand(inner), .. }] = given {
        return options(inner);
    }
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
