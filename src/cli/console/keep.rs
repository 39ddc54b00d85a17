//! `drbot lockdown`, `unlock`, `fingerprint`: the brake and its release, and which servers a target is. Where no drbot serves,
//! the store is opened for just this: nothing that was interrupted goes on.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Result, bail};

use super::{
    Host,
    alone::may_serve,
    line::{Line, Said},
    refused,
    screen::print,
    shown,
};
use crate::{
    actions::real::RealActions,
    cli::bot::configuration,
    console::{Ask, Reply, User, keep, keeper},
    engine::Engine,
    fingerprint::{Part, Recorded},
    progress::words,
    store::Store,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Lockdown {
    /// Why; everybody in the channel reads it.
    #[arg(required = true)]
    reason: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Unlock {
    /// Why it is safe again; everybody in the channel reads it.
    #[arg(required = true)]
    reason: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Fingerprint {
    /// The target of drbot.toml; may be left out when there is only one.
    target: Option<String>,
    /// Take what is there now for the target, from now on.
    #[arg(long)]
    accept: bool,
}

impl Lockdown {
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        told(hear(host, Ask::LockDown { reason: self.reason.join(" ") }).await?)
    }
}

impl Unlock {
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        told(hear(host, Ask::Unlock { reason: self.reason.join(" ") }).await?)
    }
}

impl Fingerprint {
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        let (target, recorded, found, unseen) = match hear(host, Ask::Identity { target: self.target }).await? {
            Said::Good(Reply::Identity { target, recorded, found, unseen }) => (target, recorded, found, unseen),
            Said::Good(other) => bail!("drbot answered what was not asked: {other:?}"),
            Said::Refused(why) => return Ok(refused(&why)),
        };
        let differs = show(&recorded, &found, &unseen);
        if !self.accept {
            return Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        if found.is_empty() {
            return Ok(refused("no server of the target answers, so there is nothing to accept"));
        }
        told(hear(host, Ask::Accept { target, parts: found }).await?)
    }
}

/// Whether a server is another than the recorded.
fn show(recorded: &[Recorded], found: &[Part], unseen: &[String]) -> bool {
    let mut differs = false;
    for part in found {
        let verdict = match recorded.iter().find(|recorded| recorded.part.kind == part.kind) {
            None => "not on record".to_owned(),
            Some(recorded) => {
                let since = format!("since {} ({})", recorded.at.format("%Y-%m-%d %H:%M"), recorded.by);
                let is_other = recorded.part != *part;
                differs |= is_other;
                match is_other {
                    true => format!("ANOTHER THAN THE RECORDED {}, {since}", recorded.part.value),
                    false => format!("as recorded {since}"),
                }
            }
        };
        print(&format!("{}: {}\n", shown(&words::server(part)), shown(&verdict)));
    }
    for line in unseen {
        print(&format!("{}\n", shown(line)));
    }
    differs
}

/// Asks the drbot that serves; else does it here.
async fn hear(host: &Host, ask: Ask) -> Result<Said> {
    let line = Line::new(&host.common);
    if line.is_served().await? {
        return line.hear(&ask).await;
    }
    let configuration = configuration(&host.common)?;
    let keeper = match keeper(&configuration.settings, &User::me()) {
        Ok(keeper) => keeper,
        Err(why) => return Ok(Said::Refused(why)),
    };
    if let Err(why) = may_serve(host) {
        return Ok(Said::Refused(why));
    }
    let store = Store::open(&host.common.data).await?;
    let actions = Arc::new(RealActions::new());
    let engine = Engine::to_look(configuration, store, actions, host.secrets.clone(), host.clock.clone());
    engine.load_lockdown().await?;
    let reply = keep(&engine, &keeper, ask).await;
    engine.store().close().await;
    Ok(match reply {
        Reply::Refused { why } => Said::Refused(why),
        reply => Said::Good(reply),
    })
}

fn told(said: Said) -> Result<ExitCode> {
    match said {
        Said::Good(Reply::Said { text }) => {
            print(&format!("{}\n", shown(&text)));
            Ok(ExitCode::SUCCESS)
        }
        Said::Good(other) => bail!("drbot answered what was not asked: {other:?}"),
        Said::Refused(why) => Ok(refused(&why)),
    }
}
