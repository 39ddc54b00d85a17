//! Completion of options from the real list, while somebody types. Discord shows at most 25 choices of 100 characters
//! (Application Commands, autocomplete), and checks nothing of what is sent in the end.

use serde_json::{Map, Value, json};
use serenity::all::{CommandInteraction, ResolvedValue};

use super::{Desk, handler::caller, own, slip::Slip};
use crate::{
    access::{self, Caller},
    engine::Engine,
    progress::words,
    runbook::definition::ChoicesFrom,
};

const MOST: usize = 25;
const LONGEST: usize = 100;

pub(super) async fn complete(desk: &Desk, command: CommandInteraction) {
    let choices = choices(&desk.engine, &command).await;
    let choices: Value = choices.into_iter().map(|(label, value)| json!({"name": label, "value": value})).collect();
    let slip = Slip {
        id: command.id.get(),
        application: command.application_id.get(),
        token: command.token,
        channel: command.channel_id.get(),
        name: command.user.name,
    };
    slip.respond(desk, json!({"type": 8, "data": {"choices": choices}})).await;
}

/// Labels and values, best first. Nothing for who may not give the command.
async fn choices(engine: &Engine, interaction: &CommandInteraction) -> Vec<(String, String)> {
    let who =
        caller(&interaction.user, interaction.member.as_deref(), interaction.channel_id, interaction.channel.as_ref());
    let options = interaction.data.options();
    let (sub, leaves) = match &options[..] {
        [one] => match &one.value {
            ResolvedValue::SubCommand(inner) => (Some(one.name), inner.as_slice()),
            _ => (None, options.as_slice()),
        },
        _ => (None, options.as_slice()),
    };
    let focused = leaves.iter().find_map(|option| match option.value {
        ResolvedValue::Autocomplete { value, .. } => Some((option.name, value.to_lowercase())),
        _ => None,
    });
    let (option, typed) = focused.unwrap_or_default();
    let all = match own::named(&interaction.data.name) {
        Some(own) => match own.options_of(sub).iter().find(|own| own.name == option).and_then(|own| own.choices) {
            Some(choices) => choices(engine, &who).await,
            None => Vec::new(),
        },
        None => of_file(engine, &interaction.data.name, option, &who).await,
    };
    let wanted = all.into_iter().filter(|(label, value)| {
        let wanted = value.to_lowercase().contains(&typed) || label.to_lowercase().contains(&typed);
        // A name that Discord would not take would cost the person all choices.
        let fits = value.chars().count() <= LONGEST && !value.chars().any(char::is_control);
        wanted && fits
    });
    wanted.map(|(label, value)| (label.chars().take(LONGEST).collect(), value)).take(MOST).collect()
}

/// What a command's file has completed.
async fn of_file(engine: &Engine, name: &str, option: &str, who: &Caller) -> Vec<(String, String)> {
    let configuration = engine.configuration();
    let Some(command) = configuration.commands.get(name) else { return Vec::new() };
    if access::start(&configuration.settings, command, who).is_err() {
        return Vec::new();
    }
    let from = command.options.get(option).and_then(|option| option.choices_from);
    let listed = match from {
        None => return Vec::new(),
        Some(ChoicesFrom::Backups) => engine.backups(&configuration, command).await,
        Some(ChoicesFrom::Providers) => crate::engine::providers(&configuration, command),
        Some(ChoicesFrom::Versions) => engine.versions_of(command.target.as_deref().unwrap_or_default()).await,
    };
    let listed = match listed {
        Ok(listed) => listed,
        Err(problem) => {
            tracing::warn!(problem, option, "the choices cannot be listed");
            return Vec::new();
        }
    };
    let of = |one: &Map<String, Value>| match from? {
        ChoicesFrom::Backups => Some((words::backup_choice(one), one.get("file")?.as_str()?.to_owned())),
        ChoicesFrom::Providers => Some((words::provider_choice(one), one.get("name")?.as_str()?.to_owned())),
        ChoicesFrom::Versions => Some((words::version_choice(one), one.get("version")?.as_str()?.to_owned())),
    };
    listed.iter().filter_map(of).collect()
}
