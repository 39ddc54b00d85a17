//! The command line: one file a subcommand.

mod bot;
mod check;
mod console;
mod contacts;
mod docs;
mod plan;
mod play;
mod rehearse;
mod room;
mod runs;
mod scene;
mod schema;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{clock::Clock, config::secrets::Secrets, telemetry};

/// Recovers a system from disaster out of Discord: runbooks as slash commands, approvals as buttons, a live RTO clock.
#[derive(Debug, Parser)]
#[command(name = "drbot", version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand knows.
#[derive(Debug, Clone, clap::Args)]
struct Common {
    /// Folder with drbot.toml and commands/.
    #[arg(long, env = "DRBOT_CONFIG", default_value = ".", global = true, value_name = "FOLDER")]
    config: PathBuf,
    /// Folder of drbot's own store.
    #[arg(long, env = "DRBOT_DATA", default_value = ".drbot", global = true, value_name = "FOLDER")]
    data: PathBuf,
    /// What is logged, like "info" or "drbot=debug".
    #[arg(long, env = "DRBOT_LOG", global = true, value_name = "FILTER")]
    log: Option<String>,
    /// How logs are written.
    #[arg(long, env = "DRBOT_LOG_FORMAT", global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: telemetry::Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Connect to Discord and serve until told to stop (Ctrl-C or SIGTERM).
    Serve(serve::Arguments),
    /// Start a local Discord on this machine, and the bot in it: no account needed.
    Rehearse(rehearse::Arguments),
    /// Run a command without Discord, and follow it: shows the plan first.
    Exec(console::Exec),
    /// Approve a run without Discord.
    Approve(console::Approve),
    /// Deny a run's approval without Discord.
    Deny(console::Deny),
    /// Answer what a run asks, without Discord.
    Answer(console::Answer),
    /// Stop a run without Discord; what can be taken back is.
    Abort(console::Abort),
    /// What is under way, or one run as its card.
    Status(console::Status),
    /// Check drbot.toml and commands/: every mistake at once, with file, line and column.
    Check,
    /// Write the runbook for people, in Markdown, from drbot.toml and commands/.
    Docs(docs::Arguments),
    /// Show what a command would do, with its options filled in.
    Plan(plan::Arguments),
    /// List runs, or show one as a timeline.
    Runs(runs::Arguments),
    /// The contacts table: who is called when a recovery takes long.
    Contacts(contacts::Arguments),
    /// Print the JSON schema of the files that are edited, for editors.
    Schema(schema::Arguments),
}

impl Command {
    /// Whether it speaks to the drbot that serves on this machine, and takes its place only where there is none.
    fn speaks(&self) -> bool {
        matches!(
            self,
            Self::Exec(_) | Self::Approve(_) | Self::Deny(_) | Self::Answer(_) | Self::Abort(_) | Self::Status(_)
        )
    }
}

fn is_closed(error: &dotenvy::Error) -> bool {
    matches!(error, dotenvy::Error::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Runs the program and says how it ended: 0 good, 1 not, 2 wrong usage.
pub fn main() -> ExitCode {
    // .env first, so that it can set what arguments default to. What is set already wins.
    let dotenv = dotenvy::dotenv();
    let arguments = Arguments::parse();
    let secrets = Secrets::from_env();
    // Among the lines of a card that is drawn in place a log has no room.
    let quiet = arguments.command.speaks().then_some("error");
    let filter = arguments.common.log.as_deref().or(quiet);
    if let Err(error) = telemetry::start(filter, arguments.common.log_format, secrets.clone()) {
        eprintln!("drbot: {error:#}");
        return ExitCode::from(2);
    }
    let env_is_closed = dotenv.as_ref().is_err_and(is_closed);
    let dotenv = match dotenv {
        // Whoever speaks to the drbot that serves need not know its secrets.
        Err(error) if is_closed(&error) && arguments.command.speaks() => None,
        Err(error) if !error.not_found() => {
            eprintln!("drbot: .env cannot be read: {error}");
            return ExitCode::from(2);
        }
        dotenv => dotenv.ok(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("drbot: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let clock = Clock::system();
    let common = arguments.common;
    let host = console::Host { common: common.clone(), clock: clock.clone(), secrets: secrets.clone(), env_is_closed };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::run(&common, arguments, secrets.clone(), clock).await,
            Command::Rehearse(arguments) => rehearse::run(&common, arguments, secrets.clone(), clock).await,
            Command::Exec(exec) => exec.run(&host).await,
            Command::Approve(approve) => approve.run(&host).await,
            Command::Deny(deny) => deny.run(&host).await,
            Command::Answer(answer) => answer.run(&host).await,
            Command::Abort(abort) => abort.run(&host).await,
            Command::Status(status) => status.run(&host).await,
            Command::Check => check::run(&common, dotenv.as_deref()),
            Command::Docs(arguments) => docs::run(&common, &arguments),
            Command::Plan(arguments) => plan::run(&common, arguments, secrets.clone(), clock).await,
            Command::Runs(arguments) => runs::run(&common, arguments, clock).await,
            Command::Contacts(arguments) => contacts::run(&common, arguments).await,
            Command::Schema(arguments) => schema::run(&arguments),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("drbot: {}", secrets.mask(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}
