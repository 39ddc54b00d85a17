//! One serenity client, on a thread and runtime of its own, that can be thrown away.
//!
//! serenity holds the gateway, and nothing else: some close codes (4003, 4010, 4011) make it spin without a pause, a
//! websocket that does not open or that has died goes unnoticed, and then only throwing it away helps. So whoever
//! watches lives elsewhere, and what comes in is handed over at once. What must stay true: a client that was thrown away
//! acts no more, however long it still lives.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use secrecy::ExposeSecret;
use serenity::{
    all::{
        ChunkGuildFilter, ClientBuilder, CreateAllowedMentions, GatewayIntents, GuildId, Http, HttpBuilder,
        ShardMessenger, UserId,
    },
    gateway::GatewayError,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::{Desk, Settings, handler};

/// How long a goodbye may take.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(2);

/// What a client tells the one who watches it.
#[derive(Debug)]
pub(super) enum Signal {
    /// A new session, and how to ask something over it.
    Ready(ShardMessenger, UserId),
    /// The old session goes on.
    Resumed(ShardMessenger),
    /// The answer to a probe.
    Answered(String),
    /// The client has ended.
    Ended(Ending),
}

#[derive(Debug)]
pub(super) enum Ending {
    /// Discord will not have us, and trying again does not help: what to do.
    Refused(String),
    Other(String),
}

#[derive(Debug)]
pub(super) struct Connection {
    signals: UnboundedReceiver<Signal>,
    goodbye: CancellationToken,
    abandoned: CancellationToken,
    asking: Option<(ShardMessenger, UserId)>,
    guild: u64,
}

impl Connection {
    /// Dials the gateway. Everything else is said by signals.
    ///
    /// # Errors
    /// When no thread can be had.
    pub(super) fn open(settings: &Settings, gateway: String, desk: Arc<Desk>) -> Result<Self> {
        let (tell, signals) = unbounded_channel();
        let (goodbye, abandoned) = (CancellationToken::new(), CancellationToken::new());
        let guild = desk.engine.configuration().settings.discord.guild.0;
        let handler = handler::Handler::new(desk.clone(), tell.clone(), abandoned.clone());
        std::thread::Builder::new().name("discord".to_owned()).spawn({
            let (settings, goodbye, abandoned) = (settings.clone(), goodbye.clone(), abandoned.clone());
            move || {
                let ending = live(&settings, gateway, &desk, handler, &goodbye, &abandoned);
                // Nobody listening is no error.
                let _ = tell.send(Signal::Ended(ending));
            }
        })?;
        Ok(Self { signals, goodbye, abandoned, asking: None, guild })
    }

    pub(super) async fn hear(&mut self) -> Signal {
        let signal = self.signals.recv().await;
        let signal = signal.unwrap_or_else(|| Signal::Ended(Ending::Other("its thread panicked".to_owned())));
        match &signal {
            Signal::Ready(messenger, bot) => self.asking = Some((messenger.clone(), *bot)),
            Signal::Resumed(messenger) => {
                if let Some((asked, _)) = &mut self.asking {
                    *asked = messenger.clone();
                }
            }
            _ => {}
        }
        signal
    }

    /// Asks for one member, the bot itself: an answer shows that both directions are alive.
    pub(super) fn ask_for_life(&self, nonce: &str) {
        if let Some((messenger, bot)) = &self.asking {
            let filter = ChunkGuildFilter::UserIds(vec![*bot]);
            messenger.chunk_guild(GuildId::new(self.guild), None, false, filter, Some(nonce.to_owned()));
        }
    }

    /// Leaves Discord properly, if it lets us.
    pub(super) async fn close(mut self, clock: &crate::clock::Clock) {
        self.goodbye.cancel();
        let ended = async { while !matches!(self.hear().await, Signal::Ended(_)) {} };
        clock.timeout(GOODBYE * 2, ended).await;
    }
}

/// A connection that nobody watches any more is one that was thrown away.
impl Drop for Connection {
    fn drop(&mut self) {
        self.abandoned.cancel();
    }
}

/// The whole life of a client, on the thread that is its own.
fn live(
    settings: &Settings,
    gateway: String,
    desk: &Desk,
    handler: handler::Handler,
    goodbye: &CancellationToken,
    abandoned: &CancellationToken,
) -> Ending {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("discord").enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Ending::Other(format!("no runtime for it: {error}")),
    };
    let ending = runtime.block_on(async {
        tokio::select! {
            result = serve(settings, gateway, desk, handler, goodbye) => ending(result),
            () = abandoned.cancelled() => Ending::Other("it was thrown away".to_owned()),
        }
    });
    // A client that spins never comes to rest; its worker ends at the next heartbeat.
    runtime.shutdown_background();
    ending
}

async fn serve(
    settings: &Settings,
    gateway: String,
    desk: &Desk,
    handler: handler::Handler,
    goodbye: &CancellationToken,
) -> Result<()> {
    let handler = Arc::new(handler);
    let mut client = ClientBuilder::new_with_http(http(settings, desk.rest.client())?, GatewayIntents::GUILDS)
        .event_handler_arc(handler.clone())
        .raw_event_handler(handler::Raw(handler))
        .await
        .context("serenity's client cannot be set up")?;
    // serenity has asked by itself too, but it falls back on the real gateway when it gets no answer.
    *client.ws_url.lock().await = gateway;
    let shards = client.shard_manager.clone();
    tokio::select! {
        result = client.start() => result.map_err(Into::into),
        () = goodbye.cancelled() => {
            desk.engine.clock().timeout(GOODBYE, shards.shutdown_all()).await;
            Ok(())
        }
    }
}

/// serenity's own REST client asks for the gateway's address and nothing else. With its rate limiter on it would ignore
/// the address of a rehearsal.
fn http(settings: &Settings, client: reqwest::Client) -> Result<Http> {
    let builder = HttpBuilder::new(settings.token.expose_secret())
        .client(client)
        .ratelimiter_disabled(true)
        .default_allowed_mentions(CreateAllowedMentions::new());
    Ok(match &settings.api_url {
        Some(url) => builder.proxy(url.as_str()).build(),
        None => builder.build(),
    })
}

/// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>
fn ending(result: Result<()>) -> Ending {
    let error = match result {
        Ok(()) => return Ending::Other("it ended by itself".to_owned()),
        Err(error) => error,
    };
    let gateway = error.downcast_ref().and_then(|error| match error {
        serenity::Error::Gateway(error) => Some(error),
        _ => None,
    });
    match gateway {
        Some(GatewayError::InvalidAuthentication) => Ending::Refused(
            "Discord refuses the token (close code 4004). Make a new one in the Developer Portal under Bot, put it into \
             DISCORD_TOKEN, and start drbot again"
                .to_owned(),
        ),
        Some(GatewayError::InvalidGatewayIntents | GatewayError::DisallowedGatewayIntents) => Ending::Refused(
            "Discord refuses the intents of the connection (close code 4013 or 4014). drbot asks for GUILDS only, which \
             needs no approval: look whether the application is disabled in the Developer Portal, update drbot, and \
             start it again"
                .to_owned(),
        ),
        _ => Ending::Other(format!("{error:#}")),
    }
}
