//! What is different between two contacts tables, so that nobody is called elsewhere without anybody knowing.
//!
//! What must stay true: a table that differs has a difference here, and no number or address stands in it whole.

use super::{Contact, prefer};
use crate::run::notice::{ContactChange, FieldChange, RowChange};

pub const DISCORD: &str = "Discord user";
pub const PRIMARY: &str = "primary";
pub const SECONDARY: &str = "secondary";
pub const EMERGENCY: &str = "emergency";
pub const PREFERRED: &str = "preferred";
pub const VERIFICATION: &str = "verification";

/// In the order of the new table; what is gone comes last.
pub fn between(old: &[Contact], new: &[Contact]) -> Vec<ContactChange> {
    let mut changes: Vec<ContactChange> = Vec::new();
    for contact in new {
        let what = match old.iter().find(|before| before.is_row(contact)) {
            None => RowChange::Added(fields(contact).into_iter().filter(|field| !field.now.is_empty()).collect()),
            Some(before) if before == contact => continue,
            Some(before) => changed(before, contact),
        };
        changes.push(ContactChange { role: contact.role.clone(), name: contact.name.clone(), what });
    }
    for contact in old.iter().filter(|before| !new.iter().any(|contact| before.is_row(contact))) {
        let what = RowChange::Removed;
        changes.push(ContactChange { role: contact.role.clone(), name: contact.name.clone(), what });
    }
    changes
}

fn changed(before: &Contact, contact: &Contact) -> RowChange {
    // Two numbers may look the same when they are masked: the values are compared, not what is shown.
    let same = [
        before.discord == contact.discord,
        before.primary == contact.primary,
        before.secondary == contact.secondary,
        before.emergency == contact.emergency,
        before.prefers == contact.prefers,
        before.verified == contact.verified,
    ];
    let different: Vec<_> =
        fields(contact).into_iter().zip(same).filter(|(_, same)| !same).map(|(field, _)| field).collect();
    match &different[..] {
        [only] if only.field == VERIFICATION && contact.verified.is_some() => RowChange::Verified,
        _ => RowChange::Changed(different),
    }
}

fn fields(contact: &Contact) -> [FieldChange; 6] {
    let field =
        |field: &str, now: Option<String>| FieldChange { field: field.to_owned(), now: now.unwrap_or_default() };
    [
        field(DISCORD, contact.discord.map(|id| id.to_string())),
        field(PRIMARY, contact.primary.as_ref().map(ToString::to_string)),
        field(SECONDARY, contact.secondary.as_ref().map(ToString::to_string)),
        field(EMERGENCY, contact.emergency.as_ref().map(ToString::to_string)),
        field(PREFERRED, Some(prefer::print(&contact.prefers))),
        field(VERIFICATION, contact.verified.as_ref().map(|verified| format!("by {}", verified.by))),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contacts::{Phone, prefer::tests::contact};

    proptest! {
        #[test]
        fn whatever_differs_is_named_and_nothing_is_shown_whole(one in contact(), other in contact()) {
            let changes = between(std::slice::from_ref(&one), std::slice::from_ref(&other));
            prop_assert_eq!(changes.is_empty(), one == other);
            let said = serde_json::to_string(&changes).unwrap();
            prop_assert!(!said.contains("010 011") && !said.contains("dba@"), "{}", said);
        }
    }

    #[test]
    fn numbers_that_look_the_same_masked_are_told_apart() {
        let with = |number: &str| Contact {
            role: "DBA".to_owned(),
            name: "Omar".to_owned(),
            discord: None,
            primary: Some(Phone::parse(number).unwrap()),
            secondary: None,
            emergency: None,
            prefers: Vec::new(),
            verified: None,
        };
        let changes = between(&[with("+1 555 010 0111")], &[with("+1 555 020 0111")]);
        let RowChange::Changed(fields) = &changes[0].what else { panic!("{changes:?}") };
        assert_eq!((fields.len(), fields[0].field.as_str()), (1, PRIMARY));
    }
}
