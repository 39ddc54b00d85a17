//! `drbot schema`: what editors know of the files, as JSON.

use std::process::ExitCode;

use anyhow::Result;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Of which files.
    #[arg(value_enum)]
    which: Which,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Which {
    /// The files in commands/.
    Command,
    /// drbot.toml.
    Settings,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let schema = match arguments.which {
        Which::Command => crate::runbook::schema::command(),
        Which::Settings => crate::config::schema::settings(),
    };
    print!("{}", crate::runbook::schema::text(&schema));
    Ok(ExitCode::SUCCESS)
}
