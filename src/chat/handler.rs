//! What Discord tells us: ready, and interactions. Each is handled in a task of its own; a panic there must be heard.

use std::sync::Arc;

use serenity::{
    all::{Context, Event, EventHandler, Interaction, RawEventHandler, Ready, ResumedEvent},
    async_trait,
};

use super::{autocomplete, components, presenter::Presenter, register, replies};
use crate::{access::Caller, config::settings::DiscordId, engine::Engine, run::event::Person};

pub(super) struct Handler {
    engine: Engine,
    presenter: Arc<Presenter>,
}

impl Handler {
    pub(super) fn new(engine: Engine, presenter: Arc<Presenter>) -> Self {
        Self { engine, presenter }
    }
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, context: Context, ready: Ready) {
        tracing::info!(user = ready.user.name, session = ready.session_id, "connected to Discord");
        register::commands(&context.http, &self.engine.configuration()).await;
        self.presenter.catch_up().await;
    }

    async fn resume(&self, _: Context, _: ResumedEvent) {
        tracing::info!("the session with Discord is resumed");
    }

    async fn interaction_create(&self, context: Context, interaction: Interaction) {
        let engine = self.engine.clone();
        let id = interaction.id();
        let work = tokio::spawn(async move {
            match interaction {
                Interaction::Command(command) => replies::command(&engine, &context, command).await,
                Interaction::Autocomplete(command) => autocomplete::complete(&engine, &context, command).await,
                Interaction::Component(component) => components::clicked(&engine, &context, component).await,
                Interaction::Modal(modal) => components::submitted(&engine, &context, modal).await,
                _ => {}
            }
        });
        if let Err(gone) = work.await {
            tracing::error!(interaction = %id, error = %gone, "an interaction was not handled to its end");
        }
    }
}

/// serenity drops what it cannot read without a word. An interaction lost like that must be heard of.
pub(super) struct Unknown;

#[async_trait]
impl RawEventHandler for Unknown {
    async fn raw_event(&self, _: Context, event: Event) {
        if let Event::Unknown(unknown) = event
            && unknown.kind == "INTERACTION_CREATE"
        {
            tracing::error!("an interaction could not be read; the person sees that the application did not respond");
        }
    }
}

/// Who it is, from the interaction itself.
pub(super) fn caller(
    user: &serenity::all::User,
    member: Option<&serenity::all::Member>,
    channel: serenity::all::ChannelId,
) -> Caller {
    let name = member
        .and_then(|member| member.nick.clone())
        .or_else(|| user.global_name.clone())
        .unwrap_or_else(|| user.name.clone());
    Caller {
        person: Person { id: DiscordId(user.id.get()), name },
        roles: member.map(|member| member.roles.iter().map(|role| DiscordId(role.get())).collect()).unwrap_or_default(),
        channel: DiscordId(channel.get()),
        is_bot: user.bot,
    }
}
