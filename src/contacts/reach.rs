//! Whom a rung of an incident means, and how each of them can be reached.

use super::{Contact, ladder::is, way::Way};
use crate::{
    config::settings::{DiscordId, Level},
    run::rungs::{EVERYONE, RESPONSIBLE},
};

/// A contact and the ways on which a page goes to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    pub role: String,
    pub name: String,
    /// Mentioned in Discord.
    pub user: Option<DiscordId>,
    pub ways: Vec<(Way, Level)>,
}

/// Whom `page` names, in its order, and how they are reached at `level`; and who cannot be, with roles that nobody has.
/// `can` tells which ways are set up.
pub fn callees<'a>(
    page: impl IntoIterator<Item = &'a String>,
    responsible: &[String],
    level: Level,
    contacts: &[Contact],
    can: &dyn Fn(Way) -> bool,
) -> (Vec<Callee>, Vec<String>) {
    let mut callees: Vec<Callee> = Vec::new();
    let mut unreachable: Vec<String> = Vec::new();
    let mut note = |what: String| {
        if !unreachable.contains(&what) {
            unreachable.push(what);
        }
    };
    for name in page {
        let (meant, missing) = meant(name, responsible, contacts);
        missing.into_iter().for_each(&mut note);
        for contact in meant {
            if callees.iter().any(|callee| callee.role == contact.role && callee.name == contact.name) {
                continue;
            }
            let ways = contact.paged_by(level, can);
            if (contact.discord.is_none() || !can(Way::Discord)) && ways.is_empty() {
                note(format!("{} ({})", contact.name, contact.role));
            } else {
                callees.push(Callee {
                    role: contact.role.clone(),
                    name: contact.name.clone(),
                    user: contact.discord,
                    ways,
                });
            }
        }
    }
    (callees, unreachable)
}

/// One contact, by their user in Discord.
pub fn one(user: DiscordId, level: Level, contacts: &[Contact], can: &dyn Fn(Way) -> bool) -> Option<Callee> {
    let contact = contacts.iter().find(|contact| contact.discord == Some(user))?;
    Some(Callee {
        role: contact.role.clone(),
        name: contact.name.clone(),
        user: contact.discord,
        ways: contact.paged_by(level, can),
    })
}

/// The contacts of one name in a policy, and the roles of it that nobody has.
fn meant<'a>(name: &str, responsible: &[String], contacts: &'a [Contact]) -> (Vec<&'a Contact>, Vec<String>) {
    // Where nobody is named as responsible, all are.
    if name == EVERYONE || (name == RESPONSIBLE && responsible.is_empty()) {
        return (contacts.iter().collect(), Vec::new());
    }
    let own = [name.to_owned()];
    let roles = if name == RESPONSIBLE { responsible } else { &own };
    let of = |role: &String| contacts.iter().filter(|contact| is(&contact.role, role)).collect::<Vec<_>>();
    let missing = roles.iter().filter(|role| of(role).is_empty()).cloned().collect();
    (roles.iter().flat_map(of).collect(), missing)
}
