//! The bot as a whole: store, engine and chat, started and stopped together.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use secrecy::SecretString;

use super::Common;
use crate::{
    actions::real::RealActions,
    chat::{self, Chat},
    clock::Clock,
    config::{load::Configuration, secrets::Secrets},
    engine::Engine,
    store::Store,
};

/// Edits of a card are merged over this time: below one a second in a channel is what Discord takes without a wait.
const EDIT_EVERY: Duration = Duration::from_millis(1200);

pub(super) struct Bot {
    pub(super) engine: Engine,
    pub(super) chat: Chat,
}

impl Bot {
    pub(super) async fn start(
        common: &Common,
        secrets: Secrets,
        clock: Clock,
        token: SecretString,
        api_url: Option<String>,
    ) -> Result<Self> {
        let configuration = configuration(common)?;
        keeps_out_of_targets(common, &configuration)?;
        let store = Store::open(&common.data).await?;
        let actions = Arc::new(RealActions::new()?);
        let engine = Engine::start(configuration, store, actions, secrets, clock).await?;
        let chat = Chat::start(chat::Settings { token, api_url, edit_every: EDIT_EVERY }, engine.clone())?;
        Ok(Self { engine, chat })
    }

    /// Steps under way end or are parked; what is left to be said is said, for a moment.
    pub(super) async fn stop(self) -> Result<()> {
        tracing::info!("stopping; runs that are under way go on at the next start");
        self.engine.stop().await;
        let chat = self.chat;
        let ended = tokio::task::spawn_blocking(move || chat.stop()).await.context("Discord's thread")?;
        self.engine.store().close().await;
        ended
    }
}

/// The configuration, or every mistake in it on standard error.
pub(super) fn configuration(common: &Common) -> Result<Configuration> {
    Configuration::load(&common.config).map_err(|problems| {
        for problem in &problems {
            eprintln!("{problem}");
        }
        anyhow::anyhow!(
            "{} {} in the configuration; nothing is started. `drbot check` shows them again",
            problems.len(),
            if problems.len() == 1 { "mistake" } else { "mistakes" }
        )
    })
}

/// drbot must not keep its memory where a restore could replace it.
fn keeps_out_of_targets(common: &Common, configuration: &Configuration) -> Result<()> {
    let data = std::path::absolute(&common.data)?;
    for (name, target) in &configuration.settings.target {
        if let Some(postgres) = &target.postgres
            && data.starts_with(std::path::absolute(&postgres.backups)?)
        {
            bail!(
                "the store {} is inside the backups of the target {name}; set DRBOT_DATA to a folder elsewhere",
                data.display()
            );
        }
    }
    Ok(())
}

/// Returns on Ctrl-C or SIGTERM.
pub(super) async fn told_to_stop() -> Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
