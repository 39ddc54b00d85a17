//! `drbot runs`: what was run, from the store; readable while the bot runs.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::Common;
use crate::{
    clock::Clock,
    progress::{text, view, words},
    run::state::State,
    store::Store,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run, by its id or the end of it; all runs when left out.
    run: Option<String>,
    /// As JSON: the list, or the run's journal.
    #[arg(long)]
    json: bool,
    /// How many runs are listed.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    limit: u32,
}

pub(super) async fn run(common: &Common, arguments: Arguments, clock: Clock) -> Result<ExitCode> {
    let store = Store::open_to_read(&common.data).await?;
    match &arguments.run {
        Some(run) => show(&store, run, arguments.json, &clock).await?,
        None => list(&store, &arguments, &clock).await?,
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, arguments: &Arguments, clock: &Clock) -> Result<()> {
    let runs = store.runs(arguments.limit).await?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&runs)?);
        return Ok(());
    }
    if runs.is_empty() {
        println!("no runs yet");
    }
    for run in runs {
        let ended = run.finished_at.unwrap_or_else(|| clock.now());
        println!(
            "{}  {:<20} {}  {:<10} {}",
            run.id.short(),
            format!("/{}", run.command),
            run.created_at.format("%Y-%m-%d %H:%M:%SZ"),
            words::duration(crate::clock::elapsed(run.created_at, ended)),
            run.outcome.as_deref().unwrap_or("under way"),
        );
    }
    Ok(())
}

async fn show(store: &Store, run: &str, json: bool, clock: &Clock) -> Result<()> {
    let found = store.find_runs(run).await?;
    let found = match found.as_slice() {
        [one] => one,
        [] => bail!("there is no run {run}; `drbot runs` lists them"),
        several => bail!("{} runs end with {run}; give more of the id", several.len()),
    };
    let journal = store.journal(found.id).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&journal)?);
        return Ok(());
    }
    let state = State::replay(&journal)?;
    let now = state.finished.as_ref().map_or_else(|| clock.now(), |finished| finished.at);
    println!("{}", text::card(&view::of(&state, now, None), 100, false));
    println!();
    for entry in &journal {
        let at = words::duration(crate::clock::elapsed(state.created_at, entry.at));
        let line = words::timeline_line(entry, &state);
        println!("{}  +{at:<14} {line}", entry.at.format("%H:%M:%S%.3f"));
    }
    Ok(())
}
