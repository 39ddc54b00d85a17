//! `drbot plan NAME`: what a command would do, as an approver will see it. Does nothing; asks only what `--probe` allows.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use anyhow::{Context, Result, bail};

use super::{Common, bot};
use crate::{
    actions::real::RealActions,
    clock::Clock,
    config::secrets::Secrets,
    engine::Engine,
    progress::{
        outside::{harmless, harmless_json},
        plan::{json, text},
    },
    store::Store,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The command, without its slash.
    name: String,
    /// Its options, as name=value.
    #[arg(value_name = "OPTION=VALUE")]
    options: Vec<String>,
    /// Ask the steps before the approval that only look, at most 30 s each, and show what they find now.
    #[arg(long)]
    probe: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(common: &Common, arguments: Arguments, secrets: Secrets, clock: Clock) -> Result<ExitCode> {
    let configuration = bot::configuration(common)?;
    let Some(command) = configuration.commands.get(&arguments.name).cloned() else {
        let known: Vec<_> = configuration.commands.keys().cloned().collect();
        bail!("there is no command {}; there are {}", harmless(&arguments.name), known.join(", "));
    };
    let mut options = BTreeMap::new();
    for option in &arguments.options {
        let (name, value) =
            option.split_once('=').with_context(|| format!("`{}` is not name=value", harmless(option)))?;
        options.insert(name.to_owned(), value.to_owned());
    }
    // Figures and samples are had where a drbot has served; a plan is had everywhere.
    let has_store = common.data.join("drbot.sqlite").exists();
    let store = if has_store { Store::open_to_read(&common.data).await? } else { Store::in_memory().await? };
    let actions = Arc::new(RealActions::new());
    let engine = Engine::to_look(configuration, store.clone(), actions, secrets.clone(), clock);
    let preview = engine.preview(&command, options, arguments.probe).await;
    let mut preview = preview.map_err(|error| anyhow::anyhow!(harmless(&error.to_string())))?;
    preview.history = Some(engine.history(&command).await?);
    store.close().await;
    if arguments.json {
        println!("{}", harmless_json(&serde_json::to_string_pretty(&secrets.mask_json(&json(&preview)))?));
    } else {
        print!("{}", secrets.mask(&text(&preview)));
    }
    Ok(ExitCode::SUCCESS)
}
