//! `drbot check`: every mistake at once.

use std::{path::Path, process::ExitCode};

use anyhow::Result;

use super::Common;
use crate::{config::load::Configuration, runbook::problem::Problem};

/// `dotenv` is the file that variables were read from, when there is one.
pub(super) fn run(common: &Common, dotenv: Option<&Path>) -> Result<ExitCode> {
    let (configuration, warnings) = Configuration::inspect(&common.config);
    if let Err(problems) = &configuration {
        for problem in problems {
            println!("{problem}");
        }
    }
    for warning in &warnings {
        println!("warning: {warning}");
    }
    if warnings.iter().any(is_about_a_secret) {
        println!("{}", looked_for(dotenv));
    }
    let with = match warnings.len() {
        0 => String::new(),
        count => format!(", with {}", counted(count, "warning")),
    };
    match configuration {
        Ok(configuration) => {
            println!(
                "{}, {}, {}: good{with}",
                counted(configuration.commands.len(), "command"),
                counted(configuration.settings.target.len(), "target"),
                counted(configuration.settings.scenario.len(), "scenario"),
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            println!("{}{with}", counted(problems.len(), "mistake"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn is_about_a_secret(warning: &Problem) -> bool {
    warning.message.starts_with("the secret ")
}

/// Where secrets are looked for, so that nobody edits another file than the one that is read.
fn looked_for(dotenv: Option<&Path>) -> String {
    match dotenv {
        Some(file) => format!("secrets are looked for in the environment, then in {}", file.display()),
        None => {
            let here = std::env::current_dir().unwrap_or_default();
            format!(
                "secrets are looked for in the environment, then in {} (there is none yet)",
                here.join(".env").display()
            )
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
