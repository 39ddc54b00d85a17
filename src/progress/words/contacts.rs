//! Sentences of the contacts table: who is in it, what was changed, what came of a test.
//!
//! What must stay true: a number or an address is whole only where the caller says that one person alone reads it.

use std::time::Duration;

use super::{
    super::outside::{clean, cut, plain, readable},
    ago, duration, list, person,
};
use crate::{
    clock::Timestamp,
    config::settings::DiscordId,
    contacts::{
        Address, Contact, Phone,
        differences::{DISCORD, PREFERRED, VERIFICATION},
        edit::{EditError, Mistake},
    },
    run::{
        lockdown::Lockdown,
        notice::{ContactChange, FieldChange, RowChange},
    },
};

/// The contacts table, at most as long as an embed's description (4096).
pub fn table(contacts: &[Contact], gaps: &[String], whole: bool, now: Timestamp) -> String {
    if contacts.is_empty() {
        return "There are no contacts yet: `/contacts set`, or on drbot's host `drbot contacts import FILE.csv`."
            .to_owned();
    }
    let mut text = String::new();
    let mut left = contacts.len();
    for contact in contacts {
        let line = row(contact, whole, now);
        if text.chars().count() + line.chars().count() > 3400 {
            text.push_str(&format!("… and {left} more: `drbot contacts list` on drbot's host\n"));
            break;
        }
        text.push_str(&line);
        left -= 1;
    }
    if !gaps.is_empty() {
        text.push_str(&format!("\n⚠ drbot.toml calls roles that nobody here has: {}", cut(&list(gaps), 500)));
    }
    text
}

fn row(contact: &Contact, whole: bool, now: Timestamp) -> String {
    let phone = |phone: &Phone| if whole { phone.reveal().to_owned() } else { phone.to_string() };
    let address = |address: &Address| if whole { address.reveal().to_owned() } else { address.to_string() };
    let ways = [
        contact.discord.map(|id| format!("<@{id}>")),
        contact.primary.as_ref().map(|one| format!("☎ `{}`", phone(one))),
        contact.secondary.as_ref().map(|one| format!("☎ `{}`", phone(one))),
        contact.emergency.as_ref().map(|one| format!("✉ `{}`", address(one))),
    ];
    let ways: Vec<_> = ways.into_iter().flatten().collect();
    let prefers = prefers(contact).map(|prefers| format!("{prefers} · ")).unwrap_or_default();
    format!(
        "**{}** · {}\n{}\n{prefers}{}\n",
        plain(&contact.role),
        person(&contact.name),
        ways.join(" · "),
        verified(contact, now)
    )
}

/// `prefers voice, sms`.
pub fn prefers(contact: &Contact) -> Option<String> {
    let ways: Vec<_> = contact.prefers.iter().map(|way| way.name()).collect();
    (!ways.is_empty()).then(|| format!("prefers {}", ways.join(", ")))
}

/// When somebody last saw that they are reached; marked where that is too long ago.
pub fn verified(contact: &Contact, now: Timestamp) -> String {
    let mark = if contact.is_to_be_verified(now) { "⚠" } else { "✓" };
    match &contact.verified {
        Some(verified) if verified.at > now => format!("{mark} verified today by {}", person(&verified.by)),
        Some(verified) => format!("{mark} verified {} by {}", ago(verified.at, now), person(&verified.by)),
        None => format!("{mark} not verified"),
    }
}

/// For everybody in the channel: one line.
pub fn changed(by: &str, user: Option<DiscordId>, changes: &[ContactChange]) -> String {
    let by = match user {
        Some(user) => format!("{} (<@{user}>)", person(by)),
        None => person(by),
    };
    let mut said = Vec::new();
    let mut room = 1600_usize;
    for (index, change) in changes.iter().enumerate() {
        let one = told(change);
        room = room.saturating_sub(one.chars().count() + 2);
        if room == 0 {
            said.push(format!("and {} more", changes.len() - index));
            break;
        }
        said.push(one);
    }
    format!("{by}: {}", said.join("; "))
}

/// To who did it: the same, masked, in lines.
pub fn done(changes: &[ContactChange]) -> String {
    let lines: Vec<_> = changes.iter().map(|change| format!("• {}", told(change))).collect();
    match &lines[..] {
        [] => "It is so already; nothing is changed.".to_owned(),
        lines => cut(&format!("{}\nThe channel is told.", lines.join("\n")), 1900),
    }
}

/// `**Omar** (DBA) is changed: primary `+1 ••• 11``.
pub fn told(change: &ContactChange) -> String {
    let who = format!("**{}** ({})", person(&change.name), person(&change.role));
    match &change.what {
        RowChange::Added(fields) => format!("{who} is added: {}", told_fields(fields)),
        RowChange::Changed(fields) => format!("{who} is changed: {}", told_fields(fields)),
        RowChange::Removed => format!("{who} is removed"),
        RowChange::Verified => format!("{who} is verified"),
    }
}

fn told_fields(fields: &[FieldChange]) -> String {
    let told = fields.iter().map(|FieldChange { field, now }| match field.as_str() {
        VERIFICATION if now.is_empty() => "no longer verified".to_owned(),
        VERIFICATION => format!("verified {}", person(now)),
        PREFERRED if now.is_empty() => "prefers nothing".to_owned(),
        PREFERRED => format!("prefers {}", person(now)),
        field if now.is_empty() => format!("{field} is empty now"),
        DISCORD => format!("{DISCORD} <@{}>", clean(now)),
        // Masked before it came here.
        field => format!("{field} `{}`", cut(&clean(now), 80)),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Why the table is as it was, and what to do.
pub fn not_changed(error: &EditError) -> String {
    match error {
        EditError::Unknown { known } if known.is_empty() => "There are no contacts yet: `/contacts set`.".to_owned(),
        EditError::Unknown { known } => format!("Nobody is called that. There is {}.", list(known)),
        EditError::NewNeedsRole { known } => {
            let known = if known.is_empty() { "nobody yet".to_owned() } else { list(known) };
            format!("Nobody is called that; there is {known}. For somebody new, say which `role` they have.")
        }
        EditError::Several { which } => format!("Several are called that: {}. Name one of these.", list(which)),
        EditError::Fields(mistakes) => {
            let lines: Vec<_> = mistakes.iter().map(|Mistake { field, why }| format!("• {field}: {why}")).collect();
            format!("Nothing is changed:\n{}", lines.join("\n"))
        }
        EditError::Taken => "There is a contact of this role and name already; nothing is changed.".to_owned(),
        EditError::Nothing => "It is so already; nothing is changed.".to_owned(),
        EditError::Full => "The table is full: nobody can call more people. Remove somebody first.".to_owned(),
    }
}

/// The same at a terminal.
pub fn not_changed_on_host(error: &EditError) -> String {
    readable(&not_changed(error).replace("\n•", "; ").replace("`/contacts set`", "`drbot contacts set`"))
}

pub fn locked_down(lockdown: &Lockdown) -> String {
    format!(
        "drbot is locked down by {}: nobody changes from here who is called. On drbot's host: `drbot contacts`.",
        person(&lockdown.by)
    )
}

// ---- removal ---------------------------------------------------------------------------------------------------------

/// Before somebody is taken out of the table. `left_open` are the roles that nobody has then.
pub fn really_remove(contact: &Contact, left_open: &[String]) -> String {
    let mut text =
        format!("Remove **{}** ({})? They are not called any more.", person(&contact.name), person(&contact.role));
    if !left_open.is_empty() {
        text.push_str(&format!(
            "\n⚠ Then nobody has a role that drbot.toml calls in a disaster: {}.",
            cut(&list(left_open), 500)
        ));
    }
    text
}

pub fn could_not_ask() -> String {
    "Nobody is removed: Discord did not let me ask whether it is meant. Give the command again.".to_owned()
}

pub fn remove_label() -> String {
    "Remove".to_owned()
}

// ---- tests -----------------------------------------------------------------------------------------------------------

/// One address of a contact, and what came of the test so far.
#[derive(Debug, Clone)]
pub struct Tried {
    /// `sms`
    pub way: &'static str,
    /// Masked.
    pub to: String,
    pub outcome: Option<String>,
}

pub fn tried(contact: &Contact, all: &[Tried]) -> String {
    let mut lines = vec![format!("Test of **{}** ({}):", person(&contact.name), person(&contact.role))];
    for Tried { way, to, outcome } in all {
        let outcome = outcome.as_ref().map_or("on its way …".to_owned(), |outcome| cut(&plain(outcome), 200));
        lines.push(format!("• {way} to {}: {outcome}", plain(to)));
    }
    if all.iter().all(|one| one.outcome.is_some()) {
        lines.push(
            "\"Taken\" is the word of the service, not of the person. Did it arrive? Then say so: the button, or \
             `/contacts verify`."
                .to_owned(),
        );
    }
    cut(&lines.join("\n"), 1900)
}

pub fn verify_label() -> String {
    "It arrived: verify".to_owned()
}

pub fn in_discord() -> String {
    "Discord".to_owned()
}

pub fn taken(receipt: Option<&str>) -> String {
    receipt.map_or_else(|| "taken".to_owned(), |receipt| format!("taken ({receipt})"))
}

pub fn failed(why: &str, again_after: Option<Duration>) -> String {
    let again = again_after.map(|wait| format!("; again after {}", duration(wait))).unwrap_or_default();
    format!("failed: {why}{again}")
}

pub fn refused(why: &str) -> String {
    format!("refused: {why}")
}

pub fn unknown(why: &str) -> String {
    format!("unknown, it may have arrived: {why}")
}

/// What a test opened is to be closed again, and is not.
pub fn left_open(outcome: &str) -> String {
    format!("could not be told that the test is over: {outcome}")
}

pub fn no_answer_from_discord() -> String {
    "Discord did not answer in time".to_owned()
}

pub fn no_way_to(contact: &Contact) -> String {
    format!(
        "There is no way to **{}** that is set up: no Discord user, and of [paging] in drbot.toml nothing that they have an \
         address for.",
        person(&contact.name)
    )
}

pub fn not_by_this_way() -> String {
    "They have no address for this way, or it is not set up: see [paging] in drbot.toml. There is direct-message, email, \
     sms and voice."
        .to_owned()
}

pub fn tested_just_now(wait: Duration) -> String {
    format!("They were sent a test a moment ago. Try again in {} s.", wait.as_secs() + 1)
}

/// The direct message of a test.
pub fn direct_test(contact: &Contact, by: &str) -> String {
    format!(
        "**[TEST]** {} tries out whether drbot reaches you as {} ({}). Nothing has happened and nothing is to be done. A page \
         comes like this when a recovery takes long and you are needed.",
        person(by),
        person(&contact.name),
        person(&contact.role)
    )
}

#[cfg(test)]
mod tests;
