//! The command line: one file a subcommand.

mod bot;
mod check;
mod console;
mod contacts;
mod docs;
mod plan;
mod play;
mod postmortem;
mod rehearse;
mod room;
mod runs;
mod scene;
mod schema;
mod serve;
mod watchfulness;

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
    /// Let a run go on alone whose approval nobody gives; told to everybody, and to be reviewed.
    BreakGlass(console::BreakGlass),
    /// Broken glasses that wait for a review, or do one.
    Review(console::Review),
    /// Deny a run's approval without Discord.
    Deny(console::Deny),
    /// Answer what a run asks, without Discord.
    Answer(console::Answer),
    /// Stop a run without Discord; what can be taken back is.
    Abort(console::Abort),
    /// Take a run back after its end, without Discord; by a run of its own.
    Undo(console::Undo),
    /// What is under way, or one run as its card.
    Status(console::Status),
    /// Let nothing begin but reads and halts, until `drbot unlock`.
    Lockdown(console::Lockdown),
    /// Lift a lockdown; what it held goes on.
    Unlock(console::Unlock),
    /// Which servers a target is, held against the record; with --accept they are the recorded ones from now on.
    Fingerprint(console::Fingerprint),
    /// Check drbot.toml and commands/: every mistake at once, with file, line and column.
    Check,
    /// Write the runbook for people, in Markdown, from drbot.toml and commands/.
    Docs(docs::Arguments),
    /// Show what a command would do, with its options filled in.
    Plan(plan::Arguments),
    /// List runs, or show one as a timeline.
    Runs(runs::Arguments),
    /// Draw up the post-mortem of an incident, and its timeline as a picture.
    Postmortem(postmortem::Arguments),
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
            Self::Exec(_)
                | Self::Approve(_)
                | Self::BreakGlass(_)
                | Self::Review(_)
                | Self::Deny(_)
                | Self::Answer(_)
                | Self::Abort(_)
                | Self::Undo(_)
                | Self::Status(_)
                | Self::Lockdown(_)
                | Self::Unlock(_)
                | Self::Fingerprint(_)
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
    let quiet = match &arguments.command {
        // It says by itself what came of each page.
        Command::Contacts(_) => Some("off"),
        command => command.speaks().then_some("error"),
    };
    let filter = arguments.common.log.as_deref().or(quiet);
    if let Err(error) = telemetry::start(filter, arguments.common.log_format, secrets.clone()) {
        eprintln!("drbot: {error:#}");
        return ExitCode::from(2);
    }
    // No file names it.
    secrets.learn(&["DISCORD_TOKEN".to_owned()]);
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
            Command::Exec(exec) => Box::pin(exec.run(&host)).await,
            Command::Approve(approve) => approve.run(&host).await,
            Command::BreakGlass(break_glass) => break_glass.run(&host).await,
            Command::Review(review) => review.run(&host).await,
            Command::Deny(deny) => deny.run(&host).await,
            Command::Answer(answer) => answer.run(&host).await,
            Command::Abort(abort) => abort.run(&host).await,
            Command::Undo(undo) => undo.run(&host).await,
            Command::Status(status) => status.run(&host).await,
            Command::Lockdown(lockdown) => lockdown.run(&host).await,
            Command::Unlock(unlock) => unlock.run(&host).await,
            Command::Fingerprint(fingerprint) => fingerprint.run(&host).await,
            Command::Check => check::run(&common, dotenv.as_deref()),
            Command::Docs(arguments) => docs::run(&common, &arguments),
            Command::Plan(arguments) => plan::run(&common, arguments, secrets.clone(), clock).await,
            Command::Runs(arguments) => runs::run(&common, arguments, clock).await,
            Command::Postmortem(arguments) => postmortem::run(&common, &arguments, clock).await,
            Command::Contacts(arguments) => contacts::run(&common, arguments, secrets.clone(), clock).await,
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
