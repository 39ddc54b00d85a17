//! Slash commands, as Discord is told of them. Compared first, written whole only when something differs: `ready` comes
//! again after every new session, and Discord allows 200 creates a day.

use std::sync::Arc;

use serde_json::Value;
use serenity::all::{Command as Registered, CommandOption, CommandOptionType, CreateCommand, CreateCommandOption};

use super::{
    Desk,
    call::until_done,
    own::{self, Own, OwnOption},
    rest::Call,
};
use crate::{
    config::load::Configuration,
    runbook::definition::{OptionSpec, ValueType},
};

/// Tells Discord of the commands whenever it is ready, and when they were edited.
pub(super) async fn keep(desk: Arc<Desk>) {
    let mut reconfigured = desk.engine.reconfigured();
    loop {
        tokio::select! {
            () = desk.ready.notified() => {}
            changed = reconfigured.changed() => if changed.is_err() { return },
        }
        if let Some(application) = desk.application() {
            commands(&desk, application, &desk.engine.configuration()).await;
        }
    }
}

async fn commands(desk: &Desk, application: u64, configuration: &Configuration) {
    let path = format!("/applications/{application}/guilds/{}/commands", configuration.settings.discord.guild);
    let wanted = slash_commands(configuration);
    match until_done(&desk.rest, "listing the slash commands", &Call::get(&path)).await {
        Ok(there) => match serde_json::from_value::<Vec<Registered>>(there) {
            Ok(there) if is_same(&there, &wanted) => {
                tracing::info!(commands = wanted.len(), "the slash commands are registered already");
                return;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the registered commands cannot be read"),
        },
        Err(_) => tracing::warn!("the registered commands cannot be listed"),
    }
    let all: Result<Value, _> = wanted.iter().map(|command| serde_json::to_value(describe_command(command))).collect();
    let all = match all {
        Ok(all) => all,
        Err(error) => return tracing::error!(%error, "the slash commands cannot be written as JSON"),
    };
    match until_done(&desk.rest, "registering the slash commands", &Call::put(&path, all)).await {
        Ok(there) => tracing::info!(commands = there.as_array().map(Vec::len), "the slash commands are registered"),
        Err(_) => tracing::error!(
            "the slash commands cannot be registered; is the bot invited with the scope applications.commands?"
        ),
    }
}

/// A command as Discord knows it.
struct Slash<'a> {
    name: &'a str,
    description: &'a str,
    options: Vec<SlashOption<'a>>,
}

struct SlashOption<'a> {
    name: &'a str,
    help: &'a str,
    kind: CommandOptionType,
    /// Those of a subcommand.
    options: Vec<SlashOption<'a>>,
    required: bool,
    choices: &'a [String],
    /// Discord asks for what may be typed while somebody types.
    completes: bool,
}

/// Those of the files, and drbot's own.
fn slash_commands(configuration: &Configuration) -> Vec<Slash<'_>> {
    // What takes runs back is given as /undo.
    let given = configuration.commands.values().filter(|command| command.undoes.is_none());
    let of_files = given.map(|command| Slash {
        name: &command.name,
        description: &command.summary,
        options: command.options.iter().map(|(name, option)| of_file(name, option)).collect(),
    });
    of_files.chain(own::all().iter().map(of_own)).collect()
}

fn of_file<'a>(name: &'a str, option: &'a OptionSpec) -> SlashOption<'a> {
    SlashOption {
        name,
        help: &option.help,
        kind: kind(option.kind),
        options: Vec::new(),
        required: option.required,
        choices: &option.choices,
        completes: option.choices_from.is_some(),
    }
}

fn of_own<'a>(own: &'static Own) -> Slash<'a> {
    let subcommands = own.subcommands.iter().map(|sub| SlashOption {
        name: sub.name,
        help: sub.description,
        kind: CommandOptionType::SubCommand,
        options: sub.options.iter().map(of_own_option).collect(),
        required: false,
        choices: &[],
        completes: false,
    });
    let options = subcommands.chain(own.options.iter().map(of_own_option)).collect();
    Slash { name: own.name, description: own.description, options }
}

fn of_own_option(option: &'static OwnOption) -> SlashOption<'static> {
    SlashOption {
        name: option.name,
        help: option.help,
        kind: kind(option.kind),
        options: Vec::new(),
        required: option.required,
        choices: &[],
        completes: option.choices.is_some(),
    }
}

fn describe_command(command: &Slash<'_>) -> CreateCommand {
    let options = in_order(&command.options).map(describe_option).collect();
    CreateCommand::new(command.name).description(command.description).set_options(options)
}

/// Discord wants required options first.
fn in_order<'s, 'a>(options: &'s [SlashOption<'a>]) -> impl Iterator<Item = &'s SlashOption<'a>> {
    let required = options.iter().filter(|option| option.required);
    required.chain(options.iter().filter(|option| !option.required))
}

fn describe_option(option: &SlashOption<'_>) -> CreateCommandOption {
    let described = CreateCommandOption::new(option.kind, option.name, option.help);
    if option.kind == CommandOptionType::SubCommand {
        let inner = in_order(&option.options).map(describe_option);
        return inner.fold(described, CreateCommandOption::add_sub_option);
    }
    let described = described.required(option.required).set_autocomplete(option.completes);
    option.choices.iter().fold(described, |described, choice| described.add_string_choice(choice, choice))
}

fn kind(kind: ValueType) -> CommandOptionType {
    match kind {
        ValueType::Integer => CommandOptionType::Integer,
        ValueType::Number => CommandOptionType::Number,
        ValueType::Boolean => CommandOptionType::Boolean,
        _ => CommandOptionType::String,
    }
}

fn is_same(there: &[Registered], wanted: &[Slash<'_>]) -> bool {
    there.len() == wanted.len()
        && wanted.iter().all(|command| {
            there.iter().any(|registered| {
                registered.name == command.name
                    && registered.description == command.description
                    && are_same(&registered.options, &command.options)
            })
        })
}

fn are_same(there: &[CommandOption], wanted: &[SlashOption<'_>]) -> bool {
    there.len() == wanted.len()
        && there.iter().all(|option| {
            wanted.iter().find(|wanted| wanted.name == option.name).is_some_and(|wanted| {
                option.description == wanted.help
                    && option.kind == wanted.kind
                    && option.required == wanted.required
                    && option.autocomplete == wanted.completes
                    && option.choices.iter().map(|choice| &choice.name).eq(wanted.choices.iter())
                    && are_same(&option.options, &wanted.options)
            })
        })
}
