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
                "{} commands, {} targets, {} scenarios: good{}",
                configuration.commands.len(),
                configuration.settings.target.len(),
                configuration.settings.scenario.len(),
                match configuration.warnings.len() {
                    0 => String::new(),
                    1 => ", with 1 warning".to_owned(),
                    count => format!(", with {count} warnings"),
                }
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            for problem in &problems {
                println!("{problem}");
            }
            println!("{} {}", problems.len(), if problems.len() == 1 { "mistake" } else { "mistakes" });
            Ok(ExitCode::FAILURE)
        }
    }
}
