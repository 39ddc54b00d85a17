//! `drbot exec NAME`: what typing the slash command does, without Discord. Shows the plan, starts the run, follows it.
//! Where no drbot serves, this process is the one that runs it.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context, Result, bail};

use super::{
    Host,
    alone::{self, Alone, attended},
    follow::follow,
    line::{Line, Said},
    refused,
    screen::Screen,
    shown,
};
use crate::{
    console::{Ask, Reply},
    ids,
    progress::{outside::harmless, words},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Exec {
    /// The command, without its slash.
    #[arg(required_unless_present = "go_on")]
    name: Option<String>,
    /// Its options, as name=value.
    #[arg(value_name = "OPTION=VALUE")]
    options: Vec<String>,
    /// Start the run and leave it; otherwise it is followed to its end.
    #[arg(long)]
    no_follow: bool,
    /// The run's events as JSON, one a line.
    #[arg(long)]
    json: bool,
    /// Where no drbot serves: go on with what was interrupted, to its end.
    #[arg(long = "continue", conflicts_with_all = ["name", "no_follow"])]
    go_on: bool,
}

impl Exec {
    pub(in crate::cli) async fn run(self, host: &Host) -> Result<ExitCode> {
        let mut options = BTreeMap::new();
        for option in &self.options {
            let (name, value) =
                option.split_once('=').with_context(|| format!("`{}` is not name=value", harmless(option)))?;
            options.insert(name.to_owned(), value.to_owned());
        }
        let line = Line::new(&host.common);
        let Some(name) = self.name.clone() else { return self.go_on(&line, host).await };
        if self.no_follow && !line.is_served().await? {
            return Ok(refused(&words::console::nobody_to_leave_it_to()));
        }
        let alone = match Alone::unless_served(&line, host).await? {
            Ok(alone) => alone,
            Err(why) => return Ok(refused(&why)),
        };
        let is_here = alone.is_some();
        attended(alone, self.give(&line, host, name, options, is_here)).await
    }

    async fn give(
        &self,
        line: &Line,
        host: &Host,
        command: String,
        options: BTreeMap<String, String>,
        is_here: bool,
    ) -> Result<ExitCode> {
        let mut screen = Screen::new(self.json, host.clock.clone());
        match line.hear(&Ask::Plan { command: command.clone(), options: options.clone() }).await? {
            // Each of its lines was made harmless for a terminal.
            Said::Good(Reply::Plan { text }) => screen.say(&text),
            Said::Good(other) => bail!("drbot answered what was not asked: {other:?}"),
            Said::Refused(why) => return Ok(refused(&why)),
        }
        let (run, text) = match line.hear(&Ask::Exec { key: ids::random_token(), command, options }).await? {
            Said::Good(Reply::Started { run, text }) => (run, text),
            Said::Good(other) => bail!("drbot answered what was not asked: {other:?}"),
            Said::Refused(why) => return Ok(refused(&why)),
        };
        screen.say(&shown(&text));
        if self.no_follow {
            return Ok(ExitCode::SUCCESS);
        }
        follow(line, run, &host.clock, &mut screen, is_here).await
    }

    /// One run after the other to its end. The exit code is of the last that did not succeed.
    async fn go_on(&self, line: &Line, host: &Host) -> Result<ExitCode> {
        let alone = match Alone::for_unfinished(line, host, None).await? {
            Ok(Some(alone)) => alone,
            Ok(None) => return Ok(refused(&words::console::goes_on_by_itself())),
            Err(why) => return Ok(refused(&why)),
        };
        let runs = alone::unfinished(&host.common.data).await?;
        attended(Some(alone), async {
            let mut code = ExitCode::SUCCESS;
            for run in runs {
                let mut screen = Screen::new(self.json, host.clock.clone());
                let ended = follow(line, run, &host.clock, &mut screen, true).await?;
                if ended != ExitCode::SUCCESS {
                    code = ended;
                }
            }
            Ok(code)
        })
        .await
    }
}
