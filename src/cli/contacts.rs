//! `drbot contacts`: the contacts table on drbot's own host, where numbers are shown whole. Works while the bot serves.

mod test;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, bail};

use super::Common;
use crate::{
    clock::Clock,
    config::secrets::Secrets,
    contacts::{Contact, file},
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
    /// Emergency (a mail address). Only Role is needed, and one way to reach the contact. A file with mistakes changes
    /// nothing.
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
    /// Really send a test page to a contact, by each way that is set up, and say what came of it.
    Test(test::Arguments),
}

pub(super) async fn run(common: &Common, arguments: Arguments, secrets: Secrets, clock: Clock) -> Result<ExitCode> {
    match arguments.verb {
        Verb::Import { file, dry_run } => import(common, &file, dry_run).await?,
        Verb::Export => {
            let store = Store::open_to_read(&common.data).await?;
            print!("{}", file::print(&store.contacts().await?)?);
        }
        Verb::List => list(&Store::open_to_read(&common.data).await?.contacts().await?),
        Verb::Test(arguments) => return test::run(common, arguments, secrets, clock).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// The contacts of a file, or every mistake in it on standard error.
pub(super) fn read(path: &Path) -> Result<Vec<Contact>> {
    let parsed = read_text(path, path).map_err(|problem| vec![problem]).and_then(|text| file::parse(path, &text));
    parsed.map_err(|problems| {
        for problem in &problems {
            eprintln!("{problem}");
        }
        let noun = if problems.len() == 1 { "mistake" } else { "mistakes" };
        anyhow::anyhow!("{} {noun} in {}; the contacts are as they were", problems.len(), path.display())
    })
}

async fn import(common: &Common, path: &Path, dry_run: bool) -> Result<()> {
    let new = read(path)?;
    if dry_run && !common.data.join("drbot.sqlite").exists() {
        tell(&[], &new);
        return Ok(());
    }
    let store = Store::open_beside(&common.data).await?;
    let old = store.contacts().await?;
    tell(&old, &new);
    if dry_run {
        println!("nothing is changed (--dry-run)");
    } else {
        store.replace_contacts(&new).await?;
        if store.contacts().await? != new {
            bail!("the store does not hold what was written; nothing can be relied upon, look at the disk");
        }
        println!("{} contacts are in the store", new.len());
    }
    store.close().await;
    Ok(())
}

/// What is new, what is different, what goes.
fn tell(old: &[Contact], new: &[Contact]) {
    let same = |one: &Contact, other: &Contact| one.role == other.role && one.name == other.name;
    for contact in new {
        match old.iter().find(|before| same(before, contact)) {
            None => println!("+ {} ({})", contact.name, contact.role),
            Some(before) if before != contact => println!("~ {} ({})", contact.name, contact.role),
            Some(_) => {}
        }
    }
    for contact in old.iter().filter(|before| !new.iter().any(|contact| same(before, contact))) {
        println!("- {} ({})", contact.name, contact.role);
    }
}

fn list(contacts: &[Contact]) {
    if contacts.is_empty() {
        println!("no contacts yet: drbot contacts import FILE.csv");
    }
    for contact in contacts {
        println!("{}: {}", contact.role, contact.name);
        let ways = [
            ("Discord user", contact.discord.map(|id| id.to_string())),
            ("primary", contact.primary.as_ref().map(|phone| phone.reveal().to_owned())),
            ("secondary", contact.secondary.as_ref().map(|phone| phone.reveal().to_owned())),
            ("emergency", contact.emergency.as_ref().map(|address| address.reveal().to_owned())),
        ];
        for (way, value) in ways {
            if let Some(value) = value {
                println!("    {way:<12} {value}");
            }
        }
    }
}
