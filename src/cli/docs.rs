//! `drbot docs`: the runbook for people, written from what the bot goes by; or a look whether what is written is stale.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, anyhow};

use super::Common;
use crate::{config::load::Configuration, progress::paper};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write nothing; fail when the file is not what would be written.
    #[arg(long)]
    check: bool,
    /// The file, or - for standard output; docs/runbook.md in the configuration's folder when left out.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> Result<ExitCode> {
    let configuration = Configuration::load_for_paper(&common.config).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!("the configuration has mistakes:\n{}", lines.join("\n"))
    })?;
    let text = paper::text(&configuration);
    let file = arguments.file.clone().unwrap_or_else(|| common.config.join(paper::FILE));
    match (arguments.check, file.as_os_str() == "-") {
        (false, true) => print!("{text}"),
        (true, true) => return Ok(judge("standard input", &io::read_to_string(io::stdin())?, &text)),
        (true, false) => {
            let there = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
            return Ok(judge(&file.display().to_string(), &there, &text));
        }
        (false, false) => {
            write(&file, &text).with_context(|| format!("{} cannot be written", file.display()))?;
            println!("{}: written", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn judge(name: &str, there: &str, wanted: &str) -> ExitCode {
    match paper::first_difference(there, wanted) {
        None => {
            println!("{name}: as it should be");
            ExitCode::SUCCESS
        }
        Some(line) => {
            println!("{name}:{line}: this is not what drbot.toml and commands/ say\n    write it again: drbot docs");
            ExitCode::FAILURE
        }
    }
}

/// Whole or not at all: half a runbook is worse than an old one.
fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    fs::write(&beside, text)?;
    fs::rename(&beside, file).inspect_err(|_| drop(fs::remove_file(&beside)))
}
