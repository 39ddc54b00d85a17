//! `drbot status`: what is under way; one run as its card, now or until its end.

use std::{io::IsTerminal, process::ExitCode};

use anyhow::{Result, bail};

use super::{
    Host, alone,
    follow::follow,
    line::{Line, Said},
    refused,
    screen::{Screen, card, print},
};
use crate::{
    cli::bot::configuration,
    console::{Ask, For, Reply, Standing},
    progress::{outside::harmless, words},
    run::state::State,
    store::Store,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Status {
    /// A run, by its id or the end of it; all that is under way when left out.
    run: Option<String>,
    /// Follow the run to its end; the only one under way when none is named.
    #[arg(long)]
    follow: bool,
    /// As JSON: how things stand, or the events of the run that is followed.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        let (line, clock) = (Line::new(&host.common), host.clock.clone());
        if !line.is_served().await? {
            return self.by_the_store(host).await;
        }
        if self.run.is_none() && !self.follow {
            return self.all(&line).await;
        }
        let state = match line.open(&Ask::Open { run: self.run, purpose: For::Looking }).await? {
            Ok(state) => state,
            Err(why) => return Ok(refused(&why)),
        };
        if !self.follow {
            print(&format!("{}\n", card(&state, &clock, None, 100, std::io::stdout().is_terminal())));
            return Ok(ExitCode::SUCCESS);
        }
        follow(&line, state.id, &clock, &mut Screen::new(self.json, clock.clone()), false).await
    }

    async fn all(&self, line: &Line) -> Result<ExitCode> {
        let standing = match line.hear(&Ask::Status).await? {
            Said::Good(Reply::Status { standing }) => standing,
            Said::Good(other) => bail!("drbot answered what was not asked: {other:?}"),
            Said::Refused(why) => return Ok(refused(&why)),
        };
        self.show(&standing)
    }

    fn show(&self, standing: &Standing) -> Result<ExitCode> {
        if self.json {
            print(&format!("{}\n", serde_json::to_string_pretty(standing)?));
            return Ok(ExitCode::SUCCESS);
        }
        let roles = if standing.roles.is_empty() { "no role".to_owned() } else { standing.roles.join(", ") };
        print(&format!("you are {}: {}\n", harmless(&standing.you), harmless(&roles)));
        if !standing.on_discord {
            print("this drbot is not on Discord; what happens is posted when `drbot serve` runs\n");
        }
        if let Some(lockdown) = &standing.lockdown {
            print(&format!("{}\n", harmless(lockdown)));
        }
        if standing.posts_waiting > 0 {
            print(&format!("{} messages wait for Discord\n", standing.posts_waiting));
        }
        if standing.runs.is_empty() {
            print("nothing is under way\n");
        }
        for run in &standing.runs {
            print(&format!("{}\n", harmless(run)));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Where no drbot serves, what its store remembers: nothing goes on by looking at it.
    async fn by_the_store(&self, host: &Host) -> Result<ExitCode> {
        let caller = match alone::me(&configuration(&host.common)?) {
            Ok(caller) => caller,
            Err(why) => return Ok(refused(&why)),
        };
        let (folder, now) = (&host.common.data, host.clock.now());
        let runs = alone::unfinished(folder).await?;
        if self.run.is_none() && !self.follow {
            let mut standing = Standing {
                you: caller.person.name.clone(),
                roles: caller.roles,
                on_discord: false,
                posts_waiting: 0,
                lockdown: None,
                runs: Vec::new(),
            };
            if alone::is_there(folder) {
                let store = Store::open_to_read(folder).await?;
                // A store of an older drbot has no table of it yet.
                standing.posts_waiting = store.posts_waiting().await.unwrap_or_default();
                standing.lockdown = store.lockdown().await.ok().flatten().as_ref().map(words::holds);
                for run in runs.iter().rev() {
                    let state = State::replay(&store.journal(*run).await?)?;
                    standing.runs.push(words::run_choice(&state, now));
                }
                store.close().await;
            }
            let waits = !standing.runs.is_empty();
            let code = self.show(&standing)?;
            if waits && !self.json {
                print(&format!("{}\n", words::console::nobody_goes_on()));
            }
            return Ok(code);
        }
        let found = match &self.run {
            Some(named) if alone::is_there(folder) => {
                let store = Store::open_to_read(folder).await?;
                let found = store.find_runs(named.trim()).await?;
                store.close().await;
                found.iter().map(|run| run.id).collect()
            }
            Some(_) => Vec::new(),
            None => runs,
        };
        let [run] = found.as_slice() else { return Ok(refused(&words::console::nothing_there(folder))) };
        let store = Store::open_to_read(folder).await?;
        let state = State::replay(&store.journal(*run).await?)?;
        store.close().await;
        if self.follow && state.finished.is_none() {
            return Ok(refused(&words::console::nobody_goes_on()));
        }
        print(&format!("{}\n", card(&state, &host.clock, None, 100, std::io::stdout().is_terminal())));
        Ok(ExitCode::SUCCESS)
    }
}
