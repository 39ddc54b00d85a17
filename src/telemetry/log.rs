//! Logs: one line an event, readable or JSON, to standard error.
//!
//! A line is readable on its own and its fields can be queried: `run`, `step`, `event`, `error`. What must stay true:
//! no secret is ever in a log. Whoever logs keeps them out; the writer masks by value whatever slipped through. And what is
//! typed into a command is not logged as it came, however much is logged: it may be somebody's telephone number.

use std::io::{self, Write};

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt::MakeWriter, prelude::*};

use crate::config::secrets::Secrets;

/// What is logged when `DRBOT_LOG` says nothing: drbot's own doings, and only warnings of what it is built on.
const DEFAULT_FILTER: &str = "info,serenity=error,sqlx=warn,hyper=warn,bollard=warn,reqwest=warn,tungstenite=warn";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Readable,
    Json,
}

/// What carries Discord's messages: their spans and their finer lines show them whole.
const CARRIERS: [&str; 4] = ["serenity", "tungstenite", "tokio_tungstenite", "hyper"];

/// Sets up logging for the process.
///
/// # Errors
/// When `filter` is no filter, or logging is set up already.
pub fn start(filter: Option<&str>, format: Format, secrets: Secrets) -> Result<()> {
    let filter = EnvFilter::try_new(filter.unwrap_or(DEFAULT_FILTER))
        .map_err(|error| anyhow!("DRBOT_LOG is no filter ({error}); write it like \"info\" or \"drbot=debug\""))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Masked(secrets));
    let result = match format {
        Format::Json => builder.json().flatten_event(true).finish().with(filter_fn(is_discreet)).try_init(),
        Format::Readable => {
            let builder = builder.with_target(false).with_ansi(io::IsTerminal::is_terminal(&io::stderr()));
            builder.finish().with(filter_fn(is_discreet)).try_init()
        }
    };
    result.map_err(|error| anyhow!("logging cannot be set up: {error}"))
}

fn is_discreet(what: &Metadata<'_>) -> bool {
    let carries = |name: &&str| what.target() == *name || what.target().starts_with(&format!("{name}::"));
    !CARRIERS.iter().any(carries) || what.is_event() && *what.level() <= Level::INFO
}

struct Masked(Secrets);

struct MaskedWriter<'a>(&'a Secrets);

impl<'a> MakeWriter<'a> for Masked {
    type Writer = MaskedWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        MaskedWriter(&self.0)
    }
}

/// Each event comes in one call, so a value is never split between two.
impl Write for MaskedWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().write_all(self.0.mask(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
