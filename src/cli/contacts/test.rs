//! `drbot contacts test`: whether somebody can really be reached, before it matters.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::super::Common;
use crate::{
    clock::Clock,
    config::{load::Configuration, secrets::Secrets, settings::Priority},
    contacts::{
        Contact,
        way::{To, Way},
    },
    ids::random_token,
    paging::{Page, Pager, Sent, Settled},
    progress::words::{duration, paging::test_page},
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
        println!("{}: {}", contact.role, contact.name);
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
        let known: Vec<_> = others.iter().map(|contact| format!("{} ({})", contact.name, contact.role)).collect();
        let known = if known.is_empty() { "nobody yet".to_owned() } else { known.join(", ") };
        bail!("nobody is called `{who}`; there is {known}");
    }
    Ok(chosen)
}

/// The ways that are set up; all of them, or the one that was asked for.
fn ways(pager: &Pager, only: Option<Way>) -> Result<Vec<Way>> {
    match only {
        Some(way) if way.is_of_chat() => {
            bail!("the bot speaks in Discord, and nobody else: /contacts shows who is there")
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
    let who = format!("{} ({})", contact.name, contact.role);
    let (subject, text, short) = test_page(&who, way.name());
    let page = Page {
        key: format!("test-{}", random_token()),
        who,
        subject,
        text,
        short,
        link: None,
        code: None,
        priority: Priority::Medium,
        may_repeat: false,
        drill: false,
    };
    let sent = pager.send(way, to, &page).await;
    let good = matches!(sent, Sent::Delivered { .. });
    println!("    {way:<10} {to:<26} {}", outcome(&sent));
    if !good {
        return false;
    }
    // Nobody is to be woken by a test that stays open.
    match pager.settle(way, &page.key, Settled::Resolved).await {
        None | Some(Sent::Delivered { .. }) => true,
        Some(left) => {
            println!("    {way:<10} could not be told that the test is over: {}", outcome(&left));
            false
        }
    }
}

fn outcome(sent: &Sent) -> String {
    match sent {
        Sent::Delivered { receipt: Some(receipt) } => format!("taken ({receipt})"),
        Sent::Delivered { receipt: None } => "taken".to_owned(),
        Sent::Failed { why, again_after: Some(wait) } => format!("failed: {why}; again after {}", duration(*wait)),
        Sent::Failed { why, again_after: None } => format!("failed: {why}"),
        Sent::Refused { why } => format!("refused: {why}"),
        Sent::Unknown { why } => format!("unknown, it may have arrived: {why}"),
    }
}
