//! The client: how serenity is set up so that it never dials another place than it is told.
//!
//! serenity ignores its proxy while its rate limiter is on, and dials the real gateway when it cannot ask for the
//! address. So with an address of our own the limiter is off, and the gateway's address that serenity holds is checked
//! here before it is let loose.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use secrecy::ExposeSecret;
use serenity::{
    Client,
    all::{ClientBuilder, CreateAllowedMentions, GatewayIntents, Http, HttpBuilder},
};
use tokio_util::sync::CancellationToken;

use super::{Settings, handler, presenter, register};
use crate::engine::Engine;

const USER_AGENT: &str = concat!("DiscordBot (drbot, ", env!("CARGO_PKG_VERSION"), ")");

/// The REST client, with time limits, which serenity's own has not.
pub(super) fn http(settings: &Settings) -> Result<Http> {
    let client = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(Duration::from_secs(3))
        .timeout(Duration::from_secs(15))
        .build()?;
    let mut builder = HttpBuilder::new(settings.token.expose_secret())
        .client(client)
        .default_allowed_mentions(CreateAllowedMentions::new());
    if let Some(url) = &settings.api_url {
        if !is_loopback(url) {
            bail!("DISCORD_API_URL={url} is not an address of this machine; it is for rehearsals only");
        }
        builder = builder.proxy(url.as_str()).ratelimiter_disabled(true);
    }
    Ok(builder.build())
}

fn is_loopback(url: &str) -> bool {
    reqwest::Url::parse(url).ok().is_some_and(|url| match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    })
}

/// Connects and stays connected until told to stop.
pub(super) fn run(settings: Settings, engine: Engine, stop: CancellationToken) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("discord")
        .enable_all()
        .build()
        .context("no runtime for Discord")?;
    let result = runtime.block_on(connect(settings, engine, stop));
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

async fn connect(settings: Settings, engine: Engine, stop: CancellationToken) -> Result<()> {
    let presenter = presenter::Presenter::new(engine.clone(), settings.edit_every);
    let Some(mut client) = build(&settings, &engine, &presenter, &stop).await? else { return Ok(()) };
    let presenting = tokio::spawn(presenter.run(client.http.clone(), stop.clone()));
    let registering = tokio::spawn(register_anew(client.http.clone(), engine.clone()));
    let shards = client.shard_manager.clone();
    let stopping = tokio::spawn(async move {
        stop.cancelled().await;
        // The presenter has its last word first.
        let _ = presenting.await;
        shards.shutdown_all().await;
    });
    let result = client.start().await.context("the connection to Discord ended");
    registering.abort();
    if result.is_ok() {
        stopping.await?;
    }
    result
}

/// Tells Discord of commands that were edited while it is connected.
async fn register_anew(http: Arc<Http>, engine: Engine) {
    let mut reconfigured = engine.reconfigured();
    while reconfigured.changed().await.is_ok() {
        register::commands(&http, &engine.configuration()).await;
    }
}

/// A client that will dial the gateway it is meant to; `None` when told to stop first.
async fn build(
    settings: &Settings,
    engine: &Engine,
    presenter: &Arc<presenter::Presenter>,
    stop: &CancellationToken,
) -> Result<Option<Client>> {
    let mut rest = Duration::from_millis(200);
    loop {
        let handler = handler::Handler::new(engine.clone(), presenter.clone());
        let client = ClientBuilder::new_with_http(http(settings)?, GatewayIntents::GUILDS)
            .event_handler(handler)
            .raw_event_handler(handler::Unknown)
            .await
            .context("Discord's client cannot be set up")?;
        let gateway = client.ws_url.lock().await.clone();
        if settings.api_url.is_none() || is_loopback(&gateway.replacen("ws", "http", 1)) {
            return Ok(Some(client));
        }
        // serenity falls back on the real gateway when it cannot ask for the address.
        tracing::error!(gateway, "the rehearsal names no gateway of this machine; nothing is dialled, trying again");
        tokio::select! {
            () = engine.clock().sleep(rest) => {}
            () = stop.cancelled() => return Ok(None),
        }
        rest = (rest * 2).min(Duration::from_secs(30));
    }
}

/// An error of serenity's without the token that its request might hold.
pub(super) fn describe(error: &serenity::Error) -> String {
    match error {
        serenity::Error::Http(serenity::all::HttpError::UnsuccessfulRequest(response)) => {
            format!("{} {} ({})", response.status_code.as_u16(), response.error.message, response.error.code)
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machine_is_taken_for_a_rehearsal() {
        for good in ["http://127.0.0.1:8700", "http://localhost:1", "http://[::1]:8700", "http://127.8.9.1/x"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in ["https://discord.com", "http://127.0.0.1.example.org", "http://10.0.0.1", "nonsense", ""] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
