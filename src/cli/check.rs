//! `drbot check`: every mistake at once.

use std::process::ExitCode;

use anyhow::Result;

use super::Common;
use crate::config::load::Configuration;

pub(super) fn run(common: &Common) -> Result<ExitCode> {
    match Configuration::load(&common.config) {
        Ok(configuration) => {
            for warning in &configuration.warnings {
                println!("warning: {warning}");
            }
            println!(
                "{}, {}, {}: good{}",
                counted(configuration.commands.len(), "command"),
                counted(configuration.settings.target.len(), "target"),
                counted(configuration.settings.scenario.len(), "scenario"),
                match configuration.warnings.len() {
                    0 => String::new(),
                    count => format!(", with {}", counted(count, "warning")),
                }
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            for problem in &problems {
                println!("{problem}");
            }
            println!("{}", counted(problems.len(), "mistake"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
