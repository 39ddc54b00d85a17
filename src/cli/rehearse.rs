//! `drbot rehearse`: a local Discord and the bot in it, on this machine, without any account. With `--play` it plays a
//! disaster from end to end and tells how it went.

use std::{
    io::IsTerminal,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use anyhow::{Result, bail};
use secrecy::SecretString;

use super::{
    Common,
    bot::{Bot, told_to_stop},
    contacts,
    play::{self, Play},
    scene,
};
use crate::{
    access, chat,
    clock::Clock,
    config::secrets::Secrets,
    engine::Identity,
    fingerprint::{Verdict, judge},
    rehearsal::{self, Rehearsal, world},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the local Discord listens; an address of this machine.
    #[arg(long, default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8700), value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Play a disaster and its recovery on the range, from end to end.
    #[arg(long, value_enum, value_name = "NAME")]
    play: Option<Play>,
    /// Only the local Discord, for a bot that runs elsewhere on this machine (`drbot serve --api-url`, or any other).
    #[arg(long, conflicts_with = "play")]
    without_bot: bool,
    /// End when the play has ended, also at a terminal.
    #[arg(long, requires = "play")]
    leave: bool,
}

pub(super) async fn run(common: &Common, arguments: Arguments, secrets: Secrets, clock: Clock) -> Result<ExitCode> {
    // A store of its own: what was practised must never go on when the real bot starts.
    let common = &Common { data: common.data.join("rehearsal"), ..common.clone() };
    let settings = rehearsal::Settings {
        listen: arguments.listen,
        scene: scene::of(&common.config).await,
        ..rehearsal::Settings::new(clock.clone())
    };
    let local = Rehearsal::start(settings).await?;
    let url = local.api_url();
    if arguments.without_bot {
        println!("A local Discord is at {url}, with a page for people; a bot logs in with the token {}.", world::TOKEN);
        let told = told_to_stop().await;
        local.shutdown().await;
        return told.map(|()| ExitCode::SUCCESS);
    }
    // Who tries out bad days need not wait for as long as on the real Discord.
    let timing = chat::Timing::default().faster(3);
    let discord = chat::Settings { token: SecretString::from(world::TOKEN), api_url: Some(url.clone()), timing };
    let bot = match Bot::start(common, secrets, clock.clone(), discord).await {
        Ok(bot) => bot,
        Err(error) => {
            local.shutdown().await;
            return Err(error);
        }
    };
    if let Err(error) = seed_contacts(common, &bot).await {
        println!("The contacts of the practice system are not there: {error:#}");
    }
    if let Err(error) = accept_practice(&bot).await {
        println!("Which servers the practice system is cannot be put on record: {error:#}");
    }
    println!("A local Discord with drbot in it is at {url}: open it in a browser.");
    let good = tokio::select! {
        good = perform(&bot, &arguments, common, &url, &clock) => good,
        () = bot.chat.ended() => Err(anyhow::anyhow!("the connection to the local Discord ended")),
        told = told_to_stop() => told.map(|()| true),
    };
    bot.stop().await?;
    local.shutdown().await;
    match good? {
        true => Ok(ExitCode::SUCCESS),
        false => bail!("the recovery failed; `drbot runs --data {}` shows what happened", common.data.display()),
    }
}

/// The practice system's contacts, where there are none yet, so that escalation has somebody to call.
async fn seed_contacts(common: &Common, bot: &Bot) -> Result<()> {
    let file = common.config.join("contacts.csv");
    if file.exists() && bot.engine.store().contacts().await?.is_empty() {
        bot.engine.store().replace_contacts(&contacts::read(&file, bot.engine.clock().now())?.contacts).await?;
    }
    Ok(())
}

/// A practice system is made anew now and then, and is the same target all the same.
async fn accept_practice(bot: &Bot) -> Result<()> {
    let configuration = bot.engine.configuration();
    let settings = &configuration.settings;
    let keeper = access::keeper(settings, None, true, "drbot rehearse")?;
    for target in settings.target.keys() {
        let Some(Identity { found, recorded }) = bot.engine.identity_of(target).await? else { continue };
        if matches!(judge(&found.parts, &recorded), Verdict::Differs { .. }) {
            bot.engine.accept(&keeper, target, &found.parts).await?;
        }
    }
    Ok(())
}

/// Plays, if it is to play; then stays open for trying, at a terminal or without a play. Whether all went well.
async fn perform(bot: &Bot, arguments: &Arguments, common: &Common, url: &str, clock: &Clock) -> Result<bool> {
    let mut good = true;
    if let Some(play) = arguments.play {
        good = play::perform(play, bot, common, url, clock).await?;
        if arguments.leave || !std::io::stdin().is_terminal() {
            return Ok(good);
        }
    }
    println!("It stays open for trying. Ctrl-C ends it.");
    told_to_stop().await?;
    Ok(good)
}
