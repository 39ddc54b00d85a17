//! `drbot status`: what is under way; one run as its card, now or until its end.

use std::{io::IsTerminal, process::ExitCode};

use anyhow::{Result, bail};

use super::{
    follow::follow,
    line::{Line, Said},
    refused,
    screen::{Screen, card, print},
};
use crate::{
    cli::Common,
    clock::Clock,
    console::{Ask, For, Reply},
    progress::outside::harmless,
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
    pub(in crate::cli) async fn run(self, common: &Common, clock: Clock) -> Result<ExitCode> {
        let line = Line::new(common);
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
        follow(&line, state.id, &clock, &mut Screen::new(self.json, clock.clone())).await
    }

    async fn all(&self, line: &Line) -> Result<ExitCode> {
        let standing = match line.hear(&Ask::Status).await? {
            Said::Good(Reply::Status { standing }) => standing,
            Said::Good(other) => bail!("drbot answered what was not asked: {other:?}"),
            Said::Refused(why) => return Ok(refused(&why)),
        };
        if self.json {
            print(&format!("{}\n", serde_json::to_string_pretty(&standing)?));
            return Ok(ExitCode::SUCCESS);
        }
        let roles = if standing.roles.is_empty() { "no role".to_owned() } else { standing.roles.join(", ") };
        print(&format!("you are {}: {}\n", harmless(&standing.you), harmless(&roles)));
        if !standing.on_discord {
            print("this drbot is not on Discord; what happens is posted when `drbot serve` runs\n");
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
}
