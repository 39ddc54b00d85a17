//! Completion of options from the real list, while somebody types. Discord shows at most 25 choices of 100 characters
//! (Application Commands, autocomplete), and checks nothing of what is sent in the end.

use serde_json::{Value, json};
use serenity::all::{CommandInteraction, ResolvedValue};

use super::{Desk, handler::caller, slip::Slip};
use crate::{access, engine::Engine, progress::words};

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
    let configuration = engine.configuration();
    let Some(command) = configuration.commands.get(&interaction.data.name) else { return Vec::new() };
    let who = caller(&interaction.user, interaction.member.as_deref(), interaction.channel_id);
    if access::start(&configuration.settings, command, &who).is_err() {
        return Vec::new();
    }
    let options = interaction.data.options();
    let typed = options.iter().find_map(|option| match option.value {
        ResolvedValue::Autocomplete { value, .. } => Some(value.to_lowercase()),
        _ => None,
    });
    let typed = typed.unwrap_or_default();
    let backups = match engine.backups(&configuration, command).await {
        Ok(backups) => backups,
        Err(problem) => {
            tracing::warn!(problem, "the backups cannot be listed");
            return Vec::new();
        }
    };
    backups
        .iter()
        .filter_map(|backup| {
            let value = backup.get("file")?.as_str()?.to_owned();
            let label = words::backup_choice(backup);
            let wanted = value.to_lowercase().contains(&typed) || label.to_lowercase().contains(&typed);
            // A name that Discord would not take would cost the person all choices.
            let fits = value.chars().count() <= LONGEST && !value.chars().any(char::is_control);
            (wanted && fits).then(|| (label.chars().take(LONGEST).collect(), value))
        })
        .take(MOST)
        .collect()
}
