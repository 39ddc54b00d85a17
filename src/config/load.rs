//! provisional
use std::{collections::BTreeMap, path::PathBuf};
use super::settings::Settings;
use crate::runbook::{definition::Command, problem::Problem};
#[derive(Debug, Clone)]
pub struct Configuration { pub settings: Settings, pub commands: BTreeMap<String, Command>, pub warnings: Vec<Problem>, pub directory: PathBuf }
