//! The contacts table, for whoever sees or changes it from a chat.
//!
//! What must stay true: a change is told in the channel and written to the log, with who did it and which fields, and without
//! a number; and while drbot is locked down nobody changes from a chat who is called.

use std::{sync::PoisonError, time::Duration};

use super::{Engine, RequestError};
use crate::{
    access::{self, Caller, Numbers, Refusal},
    config::settings::DiscordId,
    contacts::{
        Contact, Verified,
        edit::{self, EditError, Wanted},
        ladder,
    },
    run::{
        lockdown::Lockdown,
        notice::{ContactChange, RowChange},
    },
};

/// A contact is sent one test in this time, whoever asks.
const BETWEEN_TESTS: Duration = Duration::from_secs(60);

/// The contacts table, for somebody.
#[derive(Debug)]
pub struct ContactsSeen {
    pub contacts: Vec<Contact>,
    pub numbers: Numbers,
    /// Names in the policies that no contact has.
    pub gaps: Vec<String>,
}

/// Why nothing is changed, or nobody sent a test.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("too many commands")]
    Throttled { wait: Duration },
    #[error("{} locked drbot down", .0.by)]
    LockedDown(Lockdown),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error("they were sent a test a moment ago")]
    TestedJustNow { wait: Duration },
    #[error("the store failed")]
    Store(#[source] anyhow::Error),
}

impl Engine {
    /// The contacts table, as far as somebody may see it.
    ///
    /// # Errors
    /// Why not.
    pub async fn contacts(&self, caller: &Caller) -> Result<ContactsSeen, RequestError> {
        let configuration = self.configuration();
        let settings = &configuration.settings;
        let numbers = access::contacts(settings, caller)?;
        self.0.throttle.count(caller.person.id).map_err(|wait| RequestError::Throttled { wait })?;
        let contacts = self.0.store.contacts().await.map_err(RequestError::Store)?;
        let gaps = self.gaps(&contacts);
        Ok(ContactsSeen { contacts, numbers, gaps })
    }

    /// Names in the policies of drbot.toml that no contact has.
    pub fn gaps(&self, contacts: &[Contact]) -> Vec<String> {
        ladder::gaps(self.named_roles().iter(), contacts)
    }

    /// Roles of contacts that drbot.toml names.
    pub fn named_roles(&self) -> Vec<String> {
        let configuration = self.configuration();
        let settings = &configuration.settings;
        let rungs = settings.escalation.iter().flat_map(|rung| &rung.page);
        let responsible = settings.scenario.values().flat_map(|scenario| &scenario.responsible);
        let drill = settings.incidents.drill.iter().flat_map(|drill| &drill.contacts);
        rungs.chain(responsible).chain(&settings.break_glass.page).chain(drill).cloned().collect()
    }

    /// The contacts that `caller` may name: all for who sees the table, else who they are themself.
    pub async fn nameable_contacts(&self, caller: &Caller) -> Vec<Contact> {
        let configuration = self.configuration();
        if access::takes_commands(&configuration.settings, caller).is_err() {
            return Vec::new();
        }
        let sees = access::contacts(&configuration.settings, caller).is_ok();
        let mut contacts = self.0.store.contacts().await.unwrap_or_default();
        contacts.retain(|contact| sees || contact.discord == Some(caller.person.id));
        contacts
    }

    /// Changes a contact, or makes one; returns what is different.
    ///
    /// # Errors
    /// Why not.
    pub async fn set_contact(
        &self,
        caller: &Caller,
        which: &str,
        wanted: &Wanted,
    ) -> Result<Vec<ContactChange>, ContactError> {
        access::edit_contacts(&self.configuration().settings, caller)?;
        self.change(caller, |contacts| Ok(edit::set(contacts, which, wanted)?)).await
    }

    /// The contact who would be taken out of the table, and the roles that nobody would have then though drbot.toml calls
    /// them.
    ///
    /// # Errors
    /// Why they may not be.
    pub async fn may_remove_contact(
        &self,
        caller: &Caller,
        which: &str,
    ) -> Result<(Contact, Vec<String>), ContactError> {
        access::edit_contacts(&self.configuration().settings, caller)?;
        is_open(self.0.lockdown.read().await.as_ref())?;
        let contacts = self.0.store.contacts().await.map_err(ContactError::Store)?;
        let contact = edit::find(&contacts, which)?.clone();
        let before = self.gaps(&contacts);
        let mut left_open = self.gaps(&edit::remove(&contacts, which)?);
        left_open.retain(|role| !before.contains(role));
        Ok((contact, left_open))
    }

    /// Takes a contact out of the table.
    ///
    /// # Errors
    /// Why not.
    pub async fn remove_contact(&self, caller: &Caller, which: &str) -> Result<Vec<ContactChange>, ContactError> {
        access::edit_contacts(&self.configuration().settings, caller)?;
        self.change(caller, |contacts| Ok(edit::remove(contacts, which)?)).await
    }

    /// Says that `caller` has seen that a contact is reached.
    ///
    /// # Errors
    /// Why not.
    pub async fn verify_contact(&self, caller: &Caller, which: &str) -> Result<Vec<ContactChange>, ContactError> {
        let configuration = self.configuration();
        let settings = &configuration.settings;
        let verified = Verified { at: self.0.clock.now(), by: caller.person.name.clone() };
        self.change(caller, |contacts| {
            let meant = meant(contacts, which, |contact| access::vouch_for_contact(settings, contact, caller))?;
            // By what names it alone: of who is not shown the table nothing else may be said.
            Ok(edit::verify(contacts, &edit::mark(meant), verified)?)
        })
        .await
    }

    /// The contact whom `caller` may send a test now. They have been sent one from then on.
    ///
    /// # Errors
    /// Why not.
    pub async fn begin_contact_test(&self, caller: &Caller, which: &str) -> Result<Contact, ContactError> {
        let configuration = self.configuration();
        let settings = &configuration.settings;
        access::takes_commands(settings, caller)?;
        self.0.throttle.count(caller.person.id).map_err(|wait| ContactError::Throttled { wait })?;
        let contacts = self.0.store.contacts().await.map_err(ContactError::Store)?;
        let contact = meant(&contacts, which, |contact| access::vouch_for_contact(settings, contact, caller))?.clone();
        let now = self.0.clock.monotonic();
        let mut tests = self.0.tests.lock().unwrap_or_else(PoisonError::into_inner);
        tests.retain(|_, begun| now.saturating_duration_since(*begun) < BETWEEN_TESTS);
        if let Some(begun) = tests.get(&edit::mark(&contact)) {
            let wait = BETWEEN_TESTS.saturating_sub(now.saturating_duration_since(*begun));
            return Err(ContactError::TestedJustNow { wait });
        }
        tests.insert(edit::mark(&contact), now);
        tracing::info!(by = caller.person.name, contact = contact.title(), "a contact is sent a test");
        Ok(contact)
    }

    async fn change(
        &self,
        caller: &Caller,
        change: impl FnOnce(&[Contact]) -> Result<Vec<Contact>, ContactError> + Send,
    ) -> Result<Vec<ContactChange>, ContactError> {
        access::takes_commands(&self.configuration().settings, caller)?;
        self.0.throttle.count(caller.person.id).map_err(|wait| ContactError::Throttled { wait })?;
        let (by, now) = (&caller.person, self.0.clock.now());
        // Held until it is durable: behind an answered /lockdown nothing is changed.
        let lockdown = self.0.lockdown.read().await;
        is_open(lockdown.as_ref())?;
        let changed = self.0.store.change_contacts(&by.name, Some(by.id), now, change).await;
        drop(lockdown);
        let changes = changed.map_err(ContactError::Store)??;
        for change in &changes {
            let (what, fields) = logged(&change.what);
            tracing::info!(by = by.name, user = %by.id, contact = change.name, role = change.role, fields, "a contact is {what}");
        }
        self.noticed();
        Ok(changes)
    }
}

fn is_open(lockdown: Option<&Lockdown>) -> Result<(), ContactError> {
    lockdown.map_or(Ok(()), |lockdown| Err(ContactError::LockedDown(lockdown.clone())))
}

/// The contact that is meant, if `may` says so. Who may not learns of nobody, not even that they are not there.
fn meant<'a>(
    contacts: &'a [Contact],
    which: &str,
    may: impl Fn(Option<DiscordId>) -> Result<(), Refusal>,
) -> Result<&'a Contact, ContactError> {
    match edit::find(contacts, which) {
        Ok(contact) => {
            may(contact.discord)?;
            Ok(contact)
        }
        Err(error) => {
            may(None)?;
            Err(error.into())
        }
    }
}

/// What the log says of a change: no number, not even a masked one.
fn logged(change: &RowChange) -> (&'static str, String) {
    let (what, fields) = match change {
        RowChange::Added(fields) => ("added", &fields[..]),
        RowChange::Changed(fields) => ("changed", &fields[..]),
        RowChange::Removed => ("removed", &[][..]),
        RowChange::Verified => ("verified", &[][..]),
    };
    (what, fields.iter().map(|field| field.field.as_str()).collect::<Vec<_>>().join(", "))
}
