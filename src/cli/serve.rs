//! `drbot serve`: the bot on the real Discord (or on a rehearsal that runs elsewhere on this machine).

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::{
    Common,
    bot::{Bot, told_to_stop},
};
use crate::{chat, clock::Clock, config::secrets::Secrets};

/// Starting again does not help before a person has done something (EX_CONFIG of sysexits.h): a supervisor should not.
const NOT_AGAIN: u8 = 78;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Instead of Discord: the address of a rehearsal on this machine, like http://127.0.0.1:8700.
    #[arg(long, env = "DISCORD_API_URL", value_name = "URL")]
    api_url: Option<String>,
    /// How many times faster than usual it is noticed that a rehearsal's gateway is dead.
    #[arg(long, env = "DRBOT_CHAT_PACE", default_value_t = 1, hide = true)]
    chat_pace: u32,
}

pub(super) async fn run(common: &Common, arguments: Arguments, secrets: Secrets, clock: Clock) -> Result<ExitCode> {
    let token = secrets.resolve("DISCORD_TOKEN")?;
    let api_url = arguments.api_url.filter(|url| !url.is_empty());
    let pace = if api_url.is_some() { arguments.chat_pace } else { 1 };
    let timing = chat::Timing::default().faster(pace);
    // Heard from the first moment on: a supervisor may change its mind while drbot starts.
    let mut early = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let bot = Bot::start(common, secrets.clone(), clock, chat::Settings { token, api_url, timing }).await?;
    let told = tokio::select! {
        told = told_to_stop() => { told?; true }
        _ = early.recv() => true,
        () = bot.chat.ended() => false,
    };
    match bot.stop().await {
        Ok(()) if told => Ok(ExitCode::SUCCESS),
        Ok(()) => bail!("the connection to Discord ended; the supervisor should start drbot again"),
        Err(error) if matches!(error.downcast_ref(), Some(chat::Lost::Refused(_))) => {
            eprintln!("drbot: {}", secrets.mask(&format!("{error:#}")));
            Ok(ExitCode::from(NOT_AGAIN))
        }
        Err(error) => Err(error),
    }
}
