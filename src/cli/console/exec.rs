//! `drbot exec NAME`: what typing the slash command does, without Discord. Shows the plan, starts the run, follows it.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context, Result, bail};

use super::{
    follow::follow,
    line::{Line, Said},
    refused,
    screen::Screen,
    shown,
};
use crate::{
    cli::Common,
    clock::Clock,
    console::{Ask, Reply},
    ids,
    progress::outside::harmless,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Exec {
    /// The command, without its slash.
    name: String,
    /// Its options, as name=value.
    #[arg(value_name = "OPTION=VALUE")]
    options: Vec<String>,
    /// Start the run and leave it; otherwise it is followed to its end.
    #[arg(long)]
    no_follow: bool,
    /// The run's events as JSON, one a line.
    #[arg(long)]
    json: bool,
}

impl Exec {
    pub(in crate::cli) async fn run(self, common: &Common, clock: Clock) -> Result<ExitCode> {
        let mut options = BTreeMap::new();
        for option in &self.options {
            let (name, value) =
                option.split_once('=').with_context(|| format!("`{}` is not name=value", harmless(option)))?;
            options.insert(name.to_owned(), value.to_owned());
        }
        let line = Line::new(common);
        let mut screen = Screen::new(self.json, clock.clone());
        match line.hear(&Ask::Plan { command: self.name.clone(), options: options.clone() }).await? {
            // Each of its lines was made harmless for a terminal.
            Said::Good(Reply::Plan { text }) => screen.say(&text),
            Said::Good(other) => bail!("drbot answered what was not asked: {other:?}"),
            Said::Refused(why) => return Ok(refused(&why)),
        }
        let ask = Ask::Exec { key: ids::random_token(), command: self.name, options };
        let (run, text) = match line.hear(&ask).await? {
            Said::Good(Reply::Started { run, text }) => (run, text),
            Said::Good(other) => bail!("drbot answered what was not asked: {other:?}"),
            Said::Refused(why) => return Ok(refused(&why)),
        };
        screen.say(&shown(&text));
        if self.no_follow {
            return Ok(ExitCode::SUCCESS);
        }
        follow(&line, run, &clock, &mut screen).await
    }
}
