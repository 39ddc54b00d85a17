//! `drbot serve`: the bot on the real Discord (or on a rehearsal that runs elsewhere on this machine).

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::{
    Common,
    bot::{Bot, told_to_stop},
};
use crate::{clock::Clock, config::secrets::Secrets};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Instead of Discord: the address of a rehearsal on this machine, like http://127.0.0.1:8700.
    #[arg(long, env = "DISCORD_API_URL", value_name = "URL")]
    api_url: Option<String>,
}

pub(super) async fn run(common: &Common, arguments: Arguments, secrets: Secrets, clock: Clock) -> Result<ExitCode> {
    let token = secrets.resolve("DISCORD_TOKEN")?;
    let api_url = arguments.api_url.filter(|url| !url.is_empty());
    let bot = Bot::start(common, secrets, clock, token, api_url).await?;
    let told = tokio::select! {
        told = told_to_stop() => { told?; true }
        () = bot.chat.ended() => false,
    };
    bot.stop().await?;
    if !told {
        bail!("the connection to Discord ended; the supervisor should start drbot again");
    }
    Ok(ExitCode::SUCCESS)
}
