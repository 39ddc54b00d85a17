//! `drbot contacts set | remove | verify`: the same changes as from a chat, by whoever may write the store.
//!
//! What must stay true: the channel is told of each, also when no drbot serves at that moment.

use anyhow::{Result, bail};

use super::{super::Common, account};
use crate::{
    clock::Clock,
    contacts::{
        Contact, Verified,
        edit::{self, EditError, Wanted},
    },
    progress::{outside::readable, words::contacts as words},
    run::notice::ContactChange,
    store::Store,
};

#[derive(Debug, clap::Args)]
pub(super) struct Set {
    /// A contact, as `drbot contacts list` shows it, or the name of somebody new.
    contact: String,
    /// As the ladders of drbot.toml name it; needed for somebody new.
    #[arg(long)]
    role: Option<String>,
    #[arg(long)]
    name: Option<String>,
    /// The user's id in Discord; "-" empties a field, here and below.
    #[arg(long, allow_hyphen_values = true)]
    discord: Option<String>,
    /// A telephone number in the international form.
    #[arg(long, allow_hyphen_values = true)]
    primary: Option<String>,
    #[arg(long, allow_hyphen_values = true)]
    secondary: Option<String>,
    /// A mail address.
    #[arg(long, allow_hyphen_values = true)]
    emergency: Option<String>,
    /// Ways, first things first: "direct-message email sms voice".
    #[arg(long, allow_hyphen_values = true)]
    preferred: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// A contact, as `drbot contacts list` shows it.
    contact: String,
}

pub(super) async fn set(common: &Common, arguments: Set, clock: &Clock) -> Result<()> {
    let Set { contact, role, name, discord, primary, secondary, emergency, preferred } = arguments;
    let wanted = Wanted { role, name, discord, primary, secondary, emergency, preferred };
    change(common, clock, |contacts| edit::set(contacts, &contact, &wanted)).await
}

pub(super) async fn remove(common: &Common, One { contact }: One, clock: &Clock) -> Result<()> {
    change(common, clock, |contacts| edit::remove(contacts, &contact)).await
}

pub(super) async fn verify(common: &Common, One { contact }: One, clock: &Clock) -> Result<()> {
    let verified = Verified { at: clock.now(), by: account() };
    change(common, clock, |contacts| edit::verify(contacts, &contact, verified)).await
}

async fn change(
    common: &Common,
    clock: &Clock,
    change: impl FnOnce(&[Contact]) -> Result<Vec<Contact>, EditError> + Send,
) -> Result<()> {
    let store = Store::open_beside(&common.data).await?;
    let changed = store.change_contacts(&account(), None, clock.now(), change).await;
    store.close().await;
    match changed? {
        Ok(changes) => tell(&changes),
        Err(error) => bail!(words::not_changed_on_host(&error)),
    }
    Ok(())
}

/// What is different, masked: a terminal's scroll-back is read by others, too.
pub(super) fn tell(changes: &[ContactChange]) {
    for change in changes {
        // What is bold in a chat.
        println!("{}", readable(&words::told(change).replace("**", "")));
    }
}
