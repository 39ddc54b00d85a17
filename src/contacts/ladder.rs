//! Who stands on a rung: from the names in a policy to people who can be reached.
//!
//! A rung calls its own people and those of the rungs below it, so that one which is passed over leaves nobody out.

use super::Contact;
use crate::run::{
    event::{Called, Created},
    rungs::{EVERYONE, RESPONSIBLE, Rung},
};

/// Who is to be called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callout {
    /// The rung that is used: the one that is due, or a later one when nobody below it can be reached.
    pub percent: u8,
    /// Rungs that this one stands for: passed over during a downtime, or without anybody to be reached.
    pub passed_over: Vec<u8>,
    pub called: Vec<Called>,
    /// Contacts of the rung without a Discord user, and roles without any contact.
    pub unreachable: Vec<String>,
}

/// Who is called when the rung `due` is, of a run whose rungs up to `before` were used already. `None` when it has no
/// such rung.
pub fn callout(created: &Created, due: u8, before: Option<u8>, contacts: &[Contact]) -> Option<Callout> {
    let rungs = &created.rungs;
    let start = rungs.iter().position(|rung| rung.percent == due)?;
    let reach = |upto: usize| people(created, rungs[..=upto].iter().flat_map(|rung| &rung.page), contacts);
    let used = (start..rungs.len()).find(|upto| !reach(*upto).0.is_empty()).unwrap_or(start);
    let (called, unreachable) = reach(used);
    let percent = rungs[used].percent;
    let open = |rung: &&Rung| before.is_none_or(|before| rung.percent > before) && rung.percent < percent;
    let passed_over = rungs.iter().filter(open).map(|rung| rung.percent).collect();
    Some(Callout { percent, passed_over, called, unreachable })
}

/// The people of these roles who can be called, and who cannot.
pub fn reach(created: &Created, page: &[String], contacts: &[Contact]) -> (Vec<Called>, Vec<String>) {
    people(created, page, contacts)
}

/// Names in policies that no contact has: whoever wrote them expects somebody to be called.
pub fn gaps<'a>(named: impl IntoIterator<Item = &'a String>, contacts: &[Contact]) -> Vec<String> {
    let mut gaps: Vec<String> = Vec::new();
    for name in named {
        let known = [EVERYONE, RESPONSIBLE].contains(&name.as_str()) || contacts.iter().any(|one| is(&one.role, name));
        if !known && !gaps.contains(name) {
            gaps.push(name.clone());
        }
    }
    gaps
}

fn people<'a>(
    created: &'a Created,
    page: impl IntoIterator<Item = &'a String>,
    contacts: &[Contact],
) -> (Vec<Called>, Vec<String>) {
    let mut called: Vec<Called> = Vec::new();
    let mut unreachable: Vec<String> = Vec::new();
    let mut note = |what: String| {
        if !unreachable.contains(&what) {
            unreachable.push(what);
        }
    };
    for name in page {
        let responsible = created.scenario.as_ref().map_or(&[][..], |scenario| &scenario.responsible);
        // Where nobody is named as responsible, all are.
        let everyone = name == EVERYONE || (name == RESPONSIBLE && responsible.is_empty());
        let wanted: &[String] = if name == RESPONSIBLE { responsible } else { std::slice::from_ref(name) };
        // In the order of the policy: who is named first is called first.
        let meant: Vec<&Contact> = if everyone {
            contacts.iter().collect()
        } else {
            wanted.iter().flat_map(|role| contacts.iter().filter(|one| is(&one.role, role))).collect()
        };
        for role in wanted.iter().filter(|role| !everyone && !meant.iter().any(|one| is(&one.role, role))) {
            note(role.clone());
        }
        for contact in meant {
            match contact.discord {
                Some(user) if called.iter().any(|one| one.user == user) => {}
                Some(user) => {
                    called.push(Called { role: contact.role.clone(), name: contact.name.clone(), user });
                }
                None => note(format!("{} ({})", contact.name, contact.role)),
            }
        }
    }
    (called, unreachable)
}

pub(super) fn is(role: &str, name: &str) -> bool {
    role.to_lowercase() == name.to_lowercase()
}

#[cfg(test)]
mod tests;
