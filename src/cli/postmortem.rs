//! `drbot postmortem`: the draft of an incident's post-mortem and its timeline, from the store; readable while the bot runs.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

use super::Common;
use crate::{
    clock::Clock,
    progress::{
        picture,
        postmortem::{self, Record},
    },
    store::Store,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An incident, by its id or the end of it; the last one when left out.
    incident: Option<String>,
    /// Where the draft and the picture are written; the draft goes to the terminal when left out.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) async fn run(common: &Common, arguments: &Arguments, clock: Clock) -> Result<ExitCode> {
    let store = Store::open_to_read(&common.data).await?;
    let record = read(&store, arguments.incident.as_deref(), &clock).await?;
    store.close().await;
    let draft = postmortem::draft(&record);
    let Some(folder) = &arguments.out else {
        print!("{draft}");
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    write(folder, &record.file_name("postmortem", "md"), draft.as_bytes())?;
    write(folder, &record.file_name("timeline", "png"), &picture::png(&postmortem::chart(&record))?)?;
    Ok(ExitCode::SUCCESS)
}

async fn read(store: &Store, named: Option<&str>, clock: &Clock) -> Result<Record> {
    let found = store.find_incidents(named.unwrap_or_default()).await?;
    let id = match (found.as_slice(), named) {
        ([], None) => bail!("there was no incident yet"),
        ([], Some(named)) => bail!("there is no incident {named}"),
        ([one], _) | ([one, ..], None) => *one,
        (several, Some(named)) => bail!("{} incidents end with {named}; give more of the id", several.len()),
    };
    let journals = store.journals_of_incident(id).await?;
    Record::of(journals.incident, journals.runs, clock.now())
}

fn write(folder: &Path, name: &str, content: &[u8]) -> Result<()> {
    let file = folder.join(name);
    std::fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}
