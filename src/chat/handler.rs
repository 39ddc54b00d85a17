//! What Discord tells us: a session, and interactions.
//!
//! serenity calls from a runtime that may freeze or be thrown away, so each event is handed over to drbot's own at once.
//! Each interaction is handled in a task of its own; a panic there must be heard.

use std::sync::Arc;

use serde_json::Value;
use serenity::{
    all::{Context, Event, EventHandler, Interaction, RawEventHandler, Ready, ResumedEvent},
    async_trait,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{
    Desk, autocomplete, components,
    connection::Signal,
    metrics, replies,
    slip::{Slip, answer_unreadable},
};
use crate::{access::Caller, config::settings::DiscordId, run::event::Person};

pub(super) struct Handler {
    desk: Arc<Desk>,
    tell: UnboundedSender<Signal>,
    /// The client was thrown away: what it still hears is not acted upon.
    abandoned: CancellationToken,
}

impl Handler {
    pub(super) fn new(desk: Arc<Desk>, tell: UnboundedSender<Signal>, abandoned: CancellationToken) -> Self {
        Self { desk, tell, abandoned }
    }

    fn tell(&self, signal: Signal) {
        // Nobody listens to a client that was thrown away.
        let _ = self.tell.send(signal);
    }
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, context: Context, ready: Ready) {
        if self.abandoned.is_cancelled() {
            return;
        }
        tracing::info!(user = ready.user.name, session = ready.session_id, "connected to Discord");
        self.desk.is_application(ready.application.id.get());
        self.tell(Signal::Ready(context.shard, ready.user.id));
        let presenter = self.desk.presenter.clone();
        self.desk.runtime.spawn(async move { presenter.catch_up().await });
    }

    async fn resume(&self, context: Context, _: ResumedEvent) {
        tracing::info!("the session with Discord is resumed");
        self.tell(Signal::Resumed(context.shard));
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        if self.abandoned.is_cancelled() {
            return;
        }
        let desk = self.desk.clone();
        self.desk.runtime.spawn(async move {
            let id = interaction.id();
            let work = tokio::spawn(async move {
                match interaction {
                    Interaction::Command(command) => replies::command(&desk, command).await,
                    Interaction::Autocomplete(command) => autocomplete::complete(&desk, command).await,
                    Interaction::Component(component) => Box::pin(components::clicked(&desk, component)).await,
                    Interaction::Modal(modal) => components::submitted(&desk, modal).await,
                    _ => {}
                }
            });
            if let Err(gone) = work.await {
                tracing::error!(interaction = %id, error = %gone, "an interaction was not handled to its end");
            }
        });
    }
}

/// Sees every event, those too that serenity cannot read and drops without a word.
pub(super) struct Raw(pub(super) Arc<Handler>);

#[async_trait]
impl RawEventHandler for Raw {
    async fn raw_event(&self, _: Context, event: Event) {
        let Self(handler) = self;
        match event {
            Event::GuildMembersChunk(chunk) => {
                handler.tell(Signal::Answered(chunk.nonce.unwrap_or_default()));
            }
            Event::Unknown(unknown) if unknown.kind == "GUILD_MEMBERS_CHUNK" => {
                let nonce = unknown.value["nonce"].as_str().unwrap_or_default();
                handler.tell(Signal::Answered(nonce.to_owned()));
            }
            Event::Unknown(unknown) if unknown.kind == "INTERACTION_CREATE" && !handler.abandoned.is_cancelled() => {
                unreadable(&handler.desk, unknown.value);
            }
            _ => {}
        }
    }
}

/// An interaction lost like that must be heard of, by the person and by the operator.
fn unreadable(desk: &Arc<Desk>, value: Value) {
    metrics::unreadable();
    tracing::error!(
        interaction = value["id"].as_str(),
        kind = value["type"].as_u64(),
        "an interaction could not be read and was not acted upon; Discord has changed, look for a newer drbot"
    );
    let Some(slip) = Slip::of_value(&value) else { return };
    let desk = desk.clone();
    desk.runtime.clone().spawn(async move { answer_unreadable(&desk, &slip, &value).await });
}

/// Who it is, from the interaction itself. A thread is its channel: people are in an incident's thread when it matters.
pub(super) fn caller(
    user: &serenity::all::User,
    member: Option<&serenity::all::Member>,
    channel: serenity::all::ChannelId,
    details: Option<&serenity::all::PartialChannel>,
) -> Caller {
    // That of a channel that is no thread is its category.
    let parent = details.filter(|details| details.thread_metadata.is_some()).and_then(|details| details.parent_id);
    let name = member
        .and_then(|member| member.nick.clone())
        .or_else(|| user.global_name.clone())
        .unwrap_or_else(|| user.name.clone());
    Caller {
        person: Person { id: DiscordId(user.id.get()), name },
        roles: member.map(|member| member.roles.iter().map(|role| DiscordId(role.get())).collect()).unwrap_or_default(),
        channel: DiscordId(parent.unwrap_or(channel).get()),
        is_bot: user.bot,
    }
}
