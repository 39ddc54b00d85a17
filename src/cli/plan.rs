//! `drbot plan NAME`: what a command would do, as an approver sees it. Reads the files; touches nothing.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context, Result, bail};

use super::{Common, bot};
use crate::{clock::Clock, config::secrets::Secrets};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The command, without its slash.
    name: String,
    /// Its options, as name=value.
    #[arg(value_name = "OPTION=VALUE")]
    options: Vec<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(common: &Common, arguments: Arguments, secrets: Secrets, clock: Clock) -> Result<ExitCode> {
    let configuration = bot::configuration(common)?;
    let Some(command) = configuration.commands.get(&arguments.name) else {
        let known: Vec<_> = configuration.commands.keys().cloned().collect();
        bail!("there is no command {}; there are {}", arguments.name, known.join(", "));
    };
    let mut options = BTreeMap::new();
    for option in &arguments.options {
        let (name, value) = option.split_once('=').with_context(|| format!("`{option}` is not name=value"))?;
        options.insert(name.to_owned(), value.to_owned());
    }
    let state = crate::engine::plan_ahead(&configuration, command, options, clock.now())?;
    let plan = crate::run::plan::plan(&state)?;
    if arguments.json {
        println!("{}", secrets.mask(&serde_json::to_string_pretty(&plan)?));
    } else {
        print!("{}", secrets.mask(&crate::progress::plan::text(&state, &plan)));
    }
    Ok(ExitCode::SUCCESS)
}
