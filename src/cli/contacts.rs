//! `drbot contacts`: the contacts table on drbot's own host, where numbers are shown whole. Works while the bot serves, which
//! tells the channel what was changed.

mod edit;
mod test;

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, bail};

use super::Common;
use crate::{
    clock::{Clock, Timestamp},
    config::secrets::Secrets,
    contacts::{
        Contact, differences,
        file::{self, Table},
    },
    progress::{
        outside::{harmless, readable},
        words::contacts as words,
    },
    run::notice::{ContactChange, RowChange},
    runbook::load::read_text,
    store::Store,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Put the contacts of a CSV file in the place of all that are there.
    ///
    /// Columns: Role, Name, Discord (the user's id), Primary and Secondary (telephone numbers in the international form),
    /// Emergency (a mail address), Preferred (ways of paging, separated by spaces), Verified (when somebody last saw that the
    /// contact is reached). Only Role is needed, and one way to reach the contact. A file with mistakes changes nothing, and
    /// what it has no column for stays as it is.
    Import {
        file: PathBuf,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the contacts as a CSV file that can be imported.
    Export,
    /// List the contacts, with numbers whole.
    List,
    /// Change a contact, or add one.
    Set(edit::Set),
    /// Take a contact out of the table.
    Remove(edit::One),
    /// Say that you have seen that a contact is reached.
    Verify(edit::One),
    /// Really send a test page to a contact, by each way that is set up, and say what came of it.
    Test(test::Arguments),
}

pub(super) async fn run(common: &Common, arguments: Arguments, secrets: Secrets, clock: Clock) -> Result<ExitCode> {
    match arguments.verb {
        Verb::Import { file, dry_run } => import(common, &file, dry_run, clock.now()).await?,
        Verb::Export => {
            let store = Store::open_to_read(&common.data).await?;
            print!("{}", file::print(&store.contacts().await?)?);
        }
        Verb::List => list(&Store::open_to_read(&common.data).await?.contacts().await?, clock.now()),
        Verb::Set(arguments) => edit::set(common, arguments, &clock).await?,
        Verb::Remove(arguments) => edit::remove(common, arguments, &clock).await?,
        Verb::Verify(arguments) => edit::verify(common, arguments, &clock).await?,
        Verb::Test(arguments) => return test::run(common, arguments, secrets, clock).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// The contacts of a file, or every mistake in it on standard error.
pub(super) fn read(path: &Path, now: Timestamp) -> Result<Table> {
    let parsed = read_text(path, path).map_err(|problem| vec![problem]).and_then(|text| file::parse(path, &text, now));
    parsed.map_err(|problems| {
        for problem in &problems {
            eprintln!("{problem}");
        }
        let noun = if problems.len() == 1 { "mistake" } else { "mistakes" };
        anyhow::anyhow!("{} {noun} in {}; the contacts are as they were", problems.len(), path.display())
    })
}

async fn import(common: &Common, path: &Path, dry_run: bool, now: Timestamp) -> Result<()> {
    let table = read(path, now)?;
    if dry_run {
        let old = match common.data.join("drbot.sqlite").exists() {
            true => Store::open_to_read(&common.data).await?.contacts().await?,
            false => Vec::new(),
        };
        tell(&differences::between(&old, &table.over(&old)));
        println!("nothing is changed (--dry-run)");
        return Ok(());
    }
    let store = Store::open_beside(&common.data).await?;
    let mut new = Vec::new();
    let changed = store
        .change_contacts(&account(), None, now, |old| {
            new = table.over(old);
            Ok::<_, Infallible>(new.clone())
        })
        .await?;
    let Ok(changes) = changed;
    tell(&changes);
    if store.contacts().await? != new {
        bail!("the store does not hold what was written; nothing can be relied upon, look at the disk");
    }
    println!("{} contacts are in the store", new.len());
    store.close().await;
    Ok(())
}

/// Who types this, as the channel is told: the user of this machine.
fn account() -> String {
    let user = nix::unistd::getuid();
    let name = nix::unistd::User::from_uid(user).ok().flatten().map(|user| user.name);
    format!("{} (host)", name.unwrap_or_else(|| user.to_string()))
}

/// What is new, what is different, what goes.
fn tell(changes: &[ContactChange]) {
    for change in changes {
        let who = harmless(&format!("{} ({})", change.name, change.role));
        match &change.what {
            RowChange::Added(_) => println!("+ {who}"),
            RowChange::Changed(fields) => {
                let fields: Vec<_> = fields.iter().map(|field| field.field.as_str()).collect();
                println!("~ {who}: {}", fields.join(", "));
            }
            RowChange::Verified => println!("~ {who}: {}", differences::VERIFICATION),
            RowChange::Removed => println!("- {who}"),
        }
    }
}

fn list(contacts: &[Contact], now: Timestamp) {
    if contacts.is_empty() {
        println!("no contacts yet: drbot contacts import FILE.csv");
    }
    for contact in contacts {
        println!("{}", harmless(&format!("{}: {}", contact.role, contact.name)));
        let ways = [
            ("Discord user", contact.discord.map(|id| id.to_string())),
            ("primary", contact.primary.as_ref().map(|phone| phone.reveal().to_owned())),
            ("secondary", contact.secondary.as_ref().map(|phone| phone.reveal().to_owned())),
            ("emergency", contact.emergency.as_ref().map(|address| address.reveal().to_owned())),
        ];
        for (way, value) in ways {
            if let Some(value) = value {
                println!("    {way:<12} {}", harmless(&value));
            }
        }
        if let Some(prefers) = words::prefers(contact) {
            println!("    {prefers}");
        }
        println!("    {}", readable(&words::verified(contact, now)));
    }
}
