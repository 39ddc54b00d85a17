//! What is said at the host's command line, where there are no buttons.

use std::path::Path;

use super::{choice_label, inline_code, list, name, runs::listed};
use crate::{
    clock::Timestamp,
    progress::outside::{cut, plain},
    run::{
        glass,
        state::{ApprovalState, State},
    },
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

/// To a user who may not do what only the host can.
pub fn no_keeper(name: &str) -> String {
    format!(
        "The user {} of this machine may not do this; nothing was done. drbot's own user may, the superuser, and whom \
         [[people]] names with a role of [lockdown] in drbot.toml.",
        plain(name)
    )
}

pub fn not_understood() -> String {
    "That was not understood, and nothing was done. Is the drbot that serves of another version than this one?"
        .to_owned()
}

pub fn reason_too_long(most: usize) -> String {
    format!("A reason has at most {most} characters; nothing was done.")
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

/// Before the glass is broken at a terminal.
pub fn breaking_glass(state: &State) -> String {
    let roles = state.created.command.approval.iter().flat_map(|approval| &approval.roles).cloned().collect::<Vec<_>>();
    format!(
        "This goes on WITHOUT the approval of {}. Everybody in the channel is told, people are called, and somebody else \
         has to review it.",
        list(&roles)
    )
}

pub fn nobody_to_review_with() -> String {
    "No drbot serves here, so nobody would be told; nothing was done. Start `drbot serve`, and give the command again."
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

/// A `--no-follow` where no drbot serves.
pub fn nobody_to_leave_it_to() -> String {
    "No drbot serves here, so there is nobody to leave the run to; nothing was done. Give the command without \
     --no-follow, or start `drbot serve`."
        .to_owned()
}

/// A `--continue` where a drbot serves.
pub fn goes_on_by_itself() -> String {
    "A drbot serves here, and goes on with what was interrupted by itself. `drbot status` shows it.".to_owned()
}

/// Below runs that are in the store while no drbot serves.
pub fn nobody_goes_on() -> String {
    "No drbot serves here: what is under way rests. `drbot serve` goes on with it, or `drbot exec --continue` without \
     Discord."
        .to_owned()
}

/// To who wants something of a run while no drbot serves and none is left unfinished.
pub fn nothing_there(folder: &Path) -> String {
    format!(
        "No drbot serves in {}, and no run that fits is under way in its store; nothing was done. `drbot runs` lists \
         what was, `drbot exec NAME` starts something, and DRBOT_DATA names another store.",
        plain(&folder.display().to_string())
    )
}

/// This process is the engine now.
pub fn serves_alone(interrupted: &[State], now: Timestamp) -> String {
    let alone = "No drbot serves here: this one carries it out by itself. What happens is posted to Discord when \
                 `drbot serve` runs.";
    match interrupted {
        [] => alone.to_owned(),
        runs => format!("{alone}\nIt also goes on with what was interrupted:{}", listed(runs, now)),
    }
}

/// The own command is done, and others still need this engine.
pub fn others_go_on() -> String {
    "Something else is still under way here, or followed by somebody; drbot ends after it. Ctrl-C ends it now."
        .to_owned()
}

/// Ctrl-C, where the engine is in this process.
pub fn stops_here() -> String {
    "Stopping; a step under way has a few seconds to end. What is under way stays in the journal: `drbot serve` goes on \
     with it, or `drbot exec --continue` without Discord; `drbot abort` stops it."
        .to_owned()
}

/// A bot has come and taken over.
pub fn made_room() -> String {
    "`drbot serve` has started, and goes on with what is under way here.".to_owned()
}

/// Files of another user in the store would keep its own user out.
pub fn store_of_another(folder: &Path, owner: &str) -> String {
    let owner = plain(owner);
    format!(
        "No drbot serves in {}, and its store belongs to the user {owner}; nothing was done. Start `drbot serve` as that \
         user, or give this command as that user: sudo -u {owner} drbot …",
        plain(&folder.display().to_string())
    )
}

pub fn env_is_closed() -> String {
    "No drbot serves here, and its secrets cannot be had: you may not read .env. Nothing was done. Start `drbot serve`, \
     or give this command as the user of .env."
        .to_owned()
}

/// What people can do now, below the card.
pub fn hints(state: &State, now: Timestamp) -> Vec<String> {
    if state.finished.is_some() {
        let offered = state.created.command.next.iter().flat_map(|next| &next.offer);
        return offered.map(|command| format!("next: drbot exec {}", name(command))).collect();
    }
    let run = state.id.short();
    let mut hints = Vec::new();
    match &state.approval {
        ApprovalState::Pending { .. } => {
            hints.push(format!("somebody else: drbot approve {run}, or drbot deny {run} REASON"));
            if glass::grounds(state, now).is_some() {
                hints.push(format!("when nobody can be waited for: drbot break-glass {run}"));
            }
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
