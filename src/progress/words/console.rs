//! What is said at the host's command line, where there are no buttons.

use super::{choice_label, inline_code, list, name, runs::listed};
use crate::{
    clock::Timestamp,
    progress::outside::{cut, plain},
    run::state::{ApprovalState, State},
};

/// To a user that no `[[people]]` names: the lines that would.
pub fn stranger(user: Option<&str>, uid: u32) -> String {
    let (who, unix) = match user {
        Some(user) => (format!("{} (uid {uid})", plain(user)), user.to_owned()),
        None => (format!("with the uid {uid}"), uid.to_string()),
    };
    format!(
        "The user {who} of this machine is nobody to drbot, and nothing was done. Who they are is said in drbot.toml:\n\
         [[people]]\n\
         unix    = \"{}\"\n\
         discord = \"\" # their Discord id: Copy ID\n\
         name    = \"\" # what others read\n\
         roles   = [] # of [roles]",
        plain(&unix)
    )
}

pub fn two_people(uid: u32, names: &[String]) -> String {
    format!(
        "drbot.toml names the user with the uid {uid} as several people: {}. Nothing was done, because it must be known \
         who it is. Leave one [[people]] for them.",
        list(names)
    )
}

pub fn not_understood() -> String {
    "That was not understood, and nothing was done. Is the drbot that serves of another version than this one?"
        .to_owned()
}

pub fn which_run(fit: &[State], now: Timestamp) -> String {
    match fit {
        [] => "No run waits for that; nothing was done. `drbot status` shows what is under way.".to_owned(),
        several => format!("Several runs wait for that; nothing was done. Say which:{}", listed(several, now)),
    }
}

pub fn no_such_run(run: &str, under_way: &[State], now: Timestamp) -> String {
    let there = match under_way {
        [] => "Nothing is under way; `drbot runs` lists what was.".to_owned(),
        runs => format!("These are under way:{}", listed(runs, now)),
    };
    format!(
        "There is no run {}, or there are several that end like this. Nothing was done. {there}",
        inline_code(run, 60)
    )
}

pub fn nothing_asked() -> String {
    "This run asks nothing at the moment; nothing was done.".to_owned()
}

/// The question was another when it was read.
pub fn asked_anew() -> String {
    "What is asked has changed in the meantime; nothing was done. Look at it again, and give the command again."
        .to_owned()
}

pub fn expired() -> String {
    "The approval has expired, and nothing has happened in the meantime. `drbot approve` has it asked again.".to_owned()
}

pub fn wrong_confirmation(expected: &str) -> String {
    format!("Not approved: what you typed is not {}. Nothing was done.", inline_code(expected, 500))
}

pub fn no_room() -> String {
    "This drbot makes no room for another.".to_owned()
}

/// What people can do now, below the card.
pub fn hints(state: &State) -> Vec<String> {
    if state.finished.is_some() {
        let offered = state.created.command.next.iter().flat_map(|next| &next.offer);
        return offered.map(|command| format!("next: drbot exec {}", name(command))).collect();
    }
    let run = state.id.short();
    let mut hints = Vec::new();
    match &state.approval {
        ApprovalState::Pending { .. } => {
            hints.push(format!("somebody else: drbot approve {run}, or drbot deny {run} REASON"));
        }
        ApprovalState::Lapsed { .. } => hints.push(format!("to ask again: drbot approve {run}")),
        _ => {}
    }
    if let Some(question) = &state.question {
        for (index, choice) in question.choices.iter().enumerate() {
            let reason = if choice.needs_reason() { " --reason REASON" } else { "" };
            let label = cut(&plain(&choice_label(choice)), 80);
            hints.push(format!("{label}: drbot answer {run} {}{reason}", index + 1));
        }
    }
    if state.ending.is_none() {
        hints.push(format!("to stop it: drbot abort {run}"));
    }
    hints
}
