//! What a command or a click is answered with.

use std::time::Duration;

use super::{
    super::outside::{cut, inline_code, plain},
    ago, list, name, person,
};
use crate::{clock::Timestamp, config::settings::DiscordId};

pub fn started(command: &str, run: &str) -> String {
    format!("/{} has started (run {run}). Its card shows every step.", name(command))
}

pub fn unknown_command(name: &str, known: &[String]) -> String {
    format!("There is no command /{}. There are: {}.", self::name(name), list(known))
}

pub fn missing_role(command: &str, roles: &[String]) -> String {
    let what = if command.is_empty() { "This".to_owned() } else { format!("/{}", name(command)) };
    match roles {
        [] => format!("{what} is open to nobody: its file names no role."),
        roles => format!("{what} needs one of these roles: {}. Ask somebody who has it.", list(roles)),
    }
}

pub fn wrong_channel(allowed: &[DiscordId]) -> String {
    let channels: Vec<_> = allowed.iter().map(|id| format!("<#{id}>")).collect();
    format!("Commands are taken in {}.", channels.join(", "))
}

pub fn no_bots() -> String {
    "Bots and webhooks neither start nor approve anything.".to_owned()
}

pub fn throttled(wait: Duration) -> String {
    format!("That was one command too many. Try again in {} s. /halt always works.", wait.as_secs() + 1)
}

pub fn locked(command: &str, run: &str, requester: &str, since: Timestamp, now: Timestamp) -> String {
    format!(
        "/{} is under way already: {} started it {} (run {run}). Two at once could harm each other; wait for it, or stop \
         it on its card.",
        name(command),
        person(requester),
        ago(since, now),
    )
}

pub fn bad_option(option: &str, problem: &str) -> String {
    let problem = cut(&plain(problem), 1500);
    format!("The option {} cannot be used: {problem}. Nothing was started.", name(option))
}

pub fn unknown_choice(option: &str, value: &str, known: &[String]) -> String {
    let shown: Vec<_> = known.iter().take(10).map(|name| format!("\n• {}", inline_code(name, 100))).collect();
    let more = if known.len() > 10 { format!("\n… and {} more", known.len() - 10) } else { String::new() };
    let there =
        if known.is_empty() { " There are none.".to_owned() } else { format!(" There are:{}{more}", shown.concat()) };
    format!("There is no {} called {}. Nothing was started.{there}", name(option), inline_code(value, 100))
}

pub fn stopping() -> String {
    "I am being stopped; runs go on when I am back. Try again in a moment.".to_owned()
}

pub fn broken(problem: &str) -> String {
    format!("This cannot be run: {}. `drbot check` on the host shows what is wrong.", cut(&plain(problem), 1000))
}

pub fn store_failed() -> String {
    "My own store cannot be written, so nothing is done: every step must be on record first. See the log on the host; the \
     usual cause is a full disk."
        .to_owned()
}

/// For everybody to read, because the one it is for cannot be reached otherwise.
pub fn answered_in_channel(name: &str, text: &str) -> String {
    cut(&format!("For {}, whom Discord does not let me answer privately: {text}", plain(name)), 2000)
}

pub fn unreadable() -> String {
    "I could not read what Discord sent me, so nothing was done. Try again; when that does not help, look at drbot's log on \
     the host: it probably needs an update."
        .to_owned()
}

/// The way to a log that is not this message's own thread.
pub fn log_is_in(thread: u64) -> String {
    format!("Its log goes on in <#{thread}>.")
}

pub fn press_again() -> String {
    "Nothing has happened yet: the form could not be opened. Press the button again.".to_owned()
}

pub fn own_approval() -> String {
    "You asked for this, so somebody else has to approve it.".to_owned()
}

pub fn already_approved() -> String {
    "You have approved this already. Another person is needed.".to_owned()
}

pub fn approval_not_open(state: &str) -> String {
    format!("There is nothing to approve: the approval is {state}.")
}

pub fn run_ended() -> String {
    "This run has ended; nothing was changed.".to_owned()
}

pub fn stale_button() -> String {
    "That button is of an earlier question. The card shows what is asked now.".to_owned()
}

pub fn approval_expired() -> String {
    "The approval has expired. Press Ask again on the card; nothing has happened in the meantime.".to_owned()
}

pub fn wrong_confirmation(expected: &str) -> String {
    let expected = inline_code(expected, 500);
    format!("Not approved: what you typed is not {expected}. Press Approve again and type exactly that.")
}

pub fn reason_needed() -> String {
    "A reason is needed; it goes into the record.".to_owned()
}

pub fn too_late(why: &str) -> String {
    format!("Too late: {}.", cut(&plain(why), 1000))
}

pub fn approved(missing: usize) -> String {
    match missing {
        0 => "Approved. It goes on as soon as the steps before are done; until then you can take it back.".to_owned(),
        1 => "Your yes is recorded; one more person is needed.".to_owned(),
        more => format!("Your yes is recorded; {more} more people are needed."),
    }
}

pub fn denied() -> String {
    "Denied. What was prepared is taken back; nothing that is live was touched.".to_owned()
}

pub fn withdrawn() -> String {
    "Your yes is taken back.".to_owned()
}

pub fn asked_again() -> String {
    "It is asked again.".to_owned()
}

pub fn answered() -> String {
    "Recorded.".to_owned()
}

pub fn stopping_run() -> String {
    "It is being stopped; what can be taken back is.".to_owned()
}
