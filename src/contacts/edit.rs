//! Changes to the contacts table, one row at a time: the same for a slash command and for a shell.
//!
//! What must stay true: a change with a mistake in it changes nothing, and every mistake is named with its field; a changed
//! address voids the verification; and what was typed is not repeated, because it may be somebody's number.

use sha2::{Digest, Sha256};

use super::{
    Address, Contact, LONGEST, MOST, Phone, Unusable, Verified, differences as fields, file::discord_user, prefer,
};

/// What empties a field.
pub const NOTHING: &str = "-";

/// What somebody wants a row to be: what is left out stays as it is, [`NOTHING`] empties a field.
#[derive(Default, Clone)]
pub struct Wanted {
    pub role: Option<String>,
    pub name: Option<String>,
    pub discord: Option<String>,
    pub primary: Option<String>,
    pub secondary: Option<String>,
    pub emergency: Option<String>,
    pub preferred: Option<String>,
}

/// Says nothing of what was typed.
impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wanted(…)")
    }
}

/// Why the table stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("nobody is called that")]
    Unknown { known: Vec<String> },
    /// Who is not there is made only where a role says that it is meant.
    #[error("nobody is called that, and no role is given for somebody new")]
    NewNeedsRole { known: Vec<String> },
    #[error("several contacts are called that")]
    Several { which: Vec<String> },
    #[error("fields cannot be taken as they are")]
    Fields(Vec<Mistake>),
    #[error("there is a contact of this role and name already")]
    Taken,
    #[error("nothing is to be changed")]
    Nothing,
    #[error("the table is full")]
    Full,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub field: &'static str,
    pub why: Unusable,
}

/// The contact that somebody means: by `Name (Role)`, by what [`handle`] says, or by a name or a role that one alone has.
///
/// # Errors
/// When there is none, or more than one.
pub fn find<'a>(contacts: &'a [Contact], which: &str) -> Result<&'a Contact, EditError> {
    let wanted = which.trim().to_lowercase();
    if let Some(contact) = contacts.iter().find(|one| one.title().to_lowercase() == wanted || mark(one) == wanted) {
        return Ok(contact);
    }
    let by = |of: fn(&Contact) -> &String| contacts.iter().filter(|one| of(one).to_lowercase() == wanted).collect();
    let mut found: Vec<&Contact> = by(|contact| &contact.name);
    if found.is_empty() {
        found = by(|contact| &contact.role);
    }
    match found[..] {
        [] => Err(EditError::Unknown { known: titles(contacts) }),
        [one] => Ok(one),
        _ => Err(EditError::Several { which: found.iter().map(|one| one.title()).collect() }),
    }
}

/// How completion names a contact: at most 100 characters, as Discord takes them.
pub fn handle(contact: &Contact) -> String {
    let title = contact.title();
    if title.chars().count() <= 100 { title } else { mark(contact) }
}

/// How a button names a contact.
pub fn mark(contact: &Contact) -> String {
    let digest = Sha256::digest(format!("{}\n{}", contact.role, contact.name).as_bytes());
    digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

fn titles(contacts: &[Contact]) -> Vec<String> {
    contacts.iter().map(Contact::title).collect()
}

/// Changes a contact, or makes one that is not there.
///
/// # Errors
/// Why not, every mistake at once.
pub fn set(contacts: &[Contact], which: &str, wanted: &Wanted) -> Result<Vec<Contact>, EditError> {
    let before = match find(contacts, which) {
        Ok(contact) => Some(contact),
        Err(EditError::Unknown { known }) if wanted.role.is_none() => return Err(EditError::NewNeedsRole { known }),
        Err(EditError::Unknown { .. }) => None,
        Err(error) => return Err(error),
    };
    let contact = changed(before, which, wanted)?;
    let is_before = |one: &Contact| before.is_some_and(|before| before.is_row(one));
    if contacts.iter().any(|one| one.is_row(&contact) && !is_before(one)) {
        return Err(EditError::Taken);
    }
    if before == Some(&contact) {
        return Err(EditError::Nothing);
    }
    if before.is_none() && contacts.len() >= MOST {
        return Err(EditError::Full);
    }
    let mut table = contacts.to_vec();
    match table.iter_mut().find(|one| is_before(one)) {
        Some(row) => *row = contact,
        None => table.push(contact),
    }
    Ok(table)
}

fn changed(before: Option<&Contact>, which: &str, wanted: &Wanted) -> Result<Contact, EditError> {
    let mut mistakes = Vec::new();
    let all = &mut mistakes;
    let mut contact = Contact {
        role: text(all, "role", wanted.role.as_ref(), before.map(|one| &one.role), ""),
        name: text(all, "name", wanted.name.as_ref(), before.map(|one| &one.name), which),
        discord: field(all, fields::DISCORD, &wanted.discord, before.and_then(|one| one.discord), discord_user),
        primary: field(all, fields::PRIMARY, &wanted.primary, before.and_then(|one| one.primary.clone()), Phone::parse),
        secondary: field(
            all,
            fields::SECONDARY,
            &wanted.secondary,
            before.and_then(|one| one.secondary.clone()),
            Phone::parse,
        ),
        emergency: field(
            all,
            fields::EMERGENCY,
            &wanted.emergency,
            before.and_then(|one| one.emergency.clone()),
            Address::parse,
        ),
        prefers: Vec::new(),
        verified: before.and_then(|one| one.verified.clone()),
    };
    let prefers = before.map(|one| one.prefers.clone());
    contact.prefers = field(all, fields::PREFERRED, &wanted.preferred, prefers, prefer::parse).unwrap_or_default();
    if all.is_empty() {
        let is_reached = contact.discord.is_some()
            || contact.primary.is_some()
            || contact.secondary.is_some()
            || contact.emergency.is_some();
        if !is_reached {
            let why = Unusable("nobody could be reached: a Discord user, a number or an address is needed");
            all.push(Mistake { field: "contact", why });
        } else if let Err(why) = contact.fits_its_preferences() {
            all.push(Mistake { field: fields::PREFERRED, why });
        }
    }
    if !mistakes.is_empty() {
        return Err(EditError::Fields(mistakes));
    }
    if before.is_some_and(|before| !before.has_addresses_of(&contact)) {
        contact.verified = None;
    }
    Ok(contact)
}

/// The role or the name that is to be: what is wanted, what is there, or `otherwise`.
fn text(
    mistakes: &mut Vec<Mistake>,
    field: &'static str,
    wanted: Option<&String>,
    before: Option<&String>,
    otherwise: &str,
) -> String {
    let text = wanted.or(before).map_or(otherwise, String::as_str);
    let label = label(text.trim());
    label.map_err(|why| mistakes.push(Mistake { field, why })).unwrap_or_default()
}

/// What is to stand in a field.
fn field<T>(
    mistakes: &mut Vec<Mistake>,
    field: &'static str,
    wanted: &Option<String>,
    before: Option<T>,
    parse: impl Fn(&str) -> Result<T, Unusable>,
) -> Option<T> {
    match wanted.as_deref().map(str::trim) {
        None => before,
        Some(NOTHING) => None,
        Some(text) => parse(text).map_err(|why| mistakes.push(Mistake { field, why })).ok(),
    }
}

/// A role or a name.
///
/// # Errors
/// When it cannot be one: it is shown to everybody, so a number or an address that was put into the wrong place is none.
pub fn label(text: &str) -> Result<String, Unusable> {
    if text.is_empty() || text == NOTHING {
        return Err(Unusable("this cannot be empty"));
    }
    if text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        return Err(Unusable("this is not one line of at most 80 characters"));
    }
    let is_number = text.chars().filter(|letter| letter.is_numeric()).count() >= 7;
    if is_number || text.split_whitespace().any(|word| Address::parse(word).is_ok()) {
        return Err(Unusable("this looks like a number or an address; everybody sees roles and names"));
    }
    Ok(text.to_owned())
}

/// Takes a contact out of the table.
///
/// # Errors
/// When there is none, or more than one.
pub fn remove(contacts: &[Contact], which: &str) -> Result<Vec<Contact>, EditError> {
    let gone = find(contacts, which)?;
    Ok(contacts.iter().filter(|one| !one.is_row(gone)).cloned().collect())
}

/// Says that somebody has seen that a contact is reached.
///
/// # Errors
/// When there is none, or more than one.
pub fn verify(contacts: &[Contact], which: &str, verified: Verified) -> Result<Vec<Contact>, EditError> {
    let meant = find(contacts, which)?;
    let mut table = contacts.to_vec();
    for row in table.iter_mut().filter(|one| one.is_row(meant)) {
        row.verified = Some(verified.clone());
    }
    Ok(table)
}

#[cfg(test)]
mod tests;
