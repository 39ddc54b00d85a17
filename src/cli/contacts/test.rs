//! `drbot contacts test`: whether somebody can really be reached, before it matters.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::super::Common;
use crate::{
    clock::Clock,
    config::{load::Configuration, secrets::Secrets},
    contacts::{
        Contact,
        way::{To, Way},
    },
    ids::random_token,
    paging::{Pager, trial::outcome},
    progress::{outside::harmless, words::contacts as words},
    store::Store,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A contact's role or name, as `drbot contacts list` shows it.
    #[arg(value_name = "ROLE_OR_NAME")]
    who: String,
    /// Only by this way: email, sms, voice, webhook, pagerduty or ntfy.
    #[arg(long, value_name = "WAY")]
    way: Option<Way>,
}

pub(super) async fn run(common: &Common, arguments: Arguments, secrets: Secrets, clock: Clock) -> Result<ExitCode> {
    let settings = match Configuration::load(&common.config) {
        Ok(configuration) => configuration.settings,
        Err(problems) => bail!("the configuration has {} mistakes; `drbot check` names them", problems.len()),
    };
    let contacts = Store::open_to_read(&common.data).await?.contacts().await?;
    let chosen = chosen(contacts, &arguments.who)?;
    let pager = Pager::new(&settings.paging, secrets, clock)?;
    let ways = ways(&pager, arguments.way)?;
    let (mut sent, mut good) = (0, true);
    for contact in &chosen {
        println!("{}", harmless(&format!("{}: {}", contact.role, contact.name)));
        for way in &ways {
            for to in way.reaches(contact) {
                sent += 1;
                good &= send(&pager, *way, &to, contact).await;
            }
        }
    }
    if sent == 0 {
        bail!("there is no address or number for {}", ways.iter().map(|way| way.name()).collect::<Vec<_>>().join(", "));
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everybody with this role or name, in any case.
fn chosen(contacts: Vec<Contact>, who: &str) -> Result<Vec<Contact>> {
    let wanted = who.to_lowercase();
    let fits = |contact: &Contact| contact.role.to_lowercase() == wanted || contact.name.to_lowercase() == wanted;
    let (chosen, others): (Vec<_>, Vec<_>) = contacts.into_iter().partition(fits);
    if chosen.is_empty() {
        let known: Vec<_> = others.iter().map(|contact| harmless(&contact.title())).collect();
        let known = if known.is_empty() { "nobody yet".to_owned() } else { known.join(", ") };
        bail!("nobody is called `{who}`; there is {known}");
    }
    Ok(chosen)
}

/// The ways that are set up; all of them, or the one that was asked for.
fn ways(pager: &Pager, only: Option<Way>) -> Result<Vec<Way>> {
    match only {
        Some(way) if way.is_of_chat() => {
            bail!("the bot speaks in Discord, and nobody else: /contacts test there")
        }
        Some(way) if !pager.can(way) => bail!("pages by {way} are not set up: see [paging] in drbot.toml"),
        Some(way) => Ok(vec![way]),
        None => {
            let ways: Vec<_> = Way::ALL.into_iter().filter(|way| pager.can(*way)).collect();
            if ways.is_empty() {
                bail!("no way is set up but Discord: see [paging] in drbot.toml");
            }
            Ok(ways)
        }
    }
}

/// Sends a test, says what came of it, and whether it was good.
async fn send(pager: &Pager, way: Way, to: &To, contact: &Contact) -> bool {
    let trial = pager.try_out(way, to, contact, format!("test-{}", random_token())).await;
    println!("    {way:<10} {to:<26} {}", outcome(&trial.sent));
    if let Some(left) = &trial.left_open {
        println!("    {way:<10} {}", words::left_open(&outcome(left)));
    }
    trial.is_good()
}
