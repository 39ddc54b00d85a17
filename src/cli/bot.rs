//! The bot as a whole: store, engine, chat and console, started and stopped together.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Result, bail};

use super::{Common, room, watchfulness::Watchfulness};
use crate::{
    actions::real::RealActions,
    chat::{self, Chat},
    clock::Clock,
    config::{
        self,
        alerts::AlertSettings,
        load::{COMMANDS_FOLDER, Configuration, SETTINGS_FILE},
        secrets::Secrets,
    },
    console::{Attendance, Console},
    engine::{self, Engine},
    escalation::{self, Escalation, Pulse},
    paging::Pager,
    telemetry::Figures,
    web::{self, Alerts, Heart, Links, Web},
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(super) struct Bot {
    pub(super) engine: Engine,
    pub(super) chat: Chat,
    _web: Option<Web>,
    _heart: Option<Heart>,
    console: Console,
    escalation: Escalation,
    watching: tokio::task::JoinHandle<()>,
}

impl Bot {
    pub(super) async fn start(
        common: &Common,
        secrets: Secrets,
        clock: Clock,
        discord: chat::Settings,
    ) -> Result<Self> {
        let configuration = configuration(common)?;
        keeps_out_of_targets(common, &configuration)?;
        let figures = Figures::keep()?;
        engine::metrics::describe();
        escalation::metrics::describe();
        chat::metrics::describe();
        web::describe();
        let (listener, alerts) = (configuration.settings.web.clone(), configuration.settings.alerts.clone());
        let store = room::store(&common.data, &clock).await?;
        let actions = Arc::new(RealActions::new());
        let engine = Engine::start(configuration, store, actions, secrets, clock).await?;
        let pager = pager(&engine)?;
        let escalation = Escalation::start(engine.clone(), pager.clone());
        let (web, heart) = listen(listener, &alerts, figures, &engine, escalation.pulse())?;
        let chat = Chat::start(discord, engine.clone(), pager)?;
        let console = Console::start(&common.data, engine.clone(), Attendance::Bot);
        let watching = tokio::spawn(watch(common.config.clone(), engine.clone()));
        Ok(Self { engine, chat, _web: web, _heart: heart, console, escalation, watching })
    }

    /// Steps under way end or are parked; what is left to be said is said, for a moment.
    pub(super) async fn stop(self) -> Result<()> {
        tracing::info!("stopping; runs that are under way go on at the next start");
        self.watching.abort();
        drop(self.console);
        tokio::join!(self.escalation.stop(), self.engine.stop());
        let ended = self.chat.stop().await;
        self.engine.store().close().await;
        Ok(ended?)
    }
}

/// The listener, and the heartbeat, where the settings have them.
fn listen(
    settings: Option<config::settings::Web>,
    alerts: &AlertSettings,
    figures: Figures,
    engine: &Engine,
    pulse: Pulse,
) -> Result<(Option<Web>, Option<Heart>)> {
    let Some(settings) = settings else { return Ok((None, None)) };
    let watchfulness = Arc::new(Watchfulness { engine: engine.clone(), pulse });
    let alerts = Alerts::of(alerts, engine.secrets().clone(), watchfulness.clone());
    let is_public = settings.public_url.as_ref().is_some_and(|url| !url.is_empty());
    let links = is_public.then(|| watchfulness.clone() as Arc<dyn Links>);
    let web = Web::start(settings.listen, figures, alerts, links, engine.clock().clone());
    let heart = settings.heartbeat.map(|heartbeat| Heart::start(heartbeat, watchfulness, engine.clock().clone()));
    Ok((Some(web), heart.transpose()?))
}

/// What sends pages, by the settings of the start.
pub(super) fn pager(engine: &Engine) -> Result<Pager> {
    Pager::new(&engine.configuration().settings.paging, engine.secrets().clone(), engine.clock().clone())
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

/// Files that were edited act on the next run. A mistake in them changes nothing but the log.
pub(super) async fn watch(folder: PathBuf, engine: Engine) {
    let mut last = fingerprint(&folder);
    loop {
        engine.clock().sleep(LOOK_EVERY).await;
        let now = fingerprint(&folder);
        if now == last {
            continue;
        }
        last = now;
        match Configuration::load(&folder) {
            Ok(configuration) => {
                tracing::info!(
                    commands = configuration.commands.len(),
                    "the configuration was edited; the next run uses it"
                );
                engine.reconfigure(configuration);
            }
            Err(problems) => {
                for problem in &problems {
                    tracing::error!(%problem, "a mistake in the edited configuration; the one before stays in use");
                }
            }
        }
    }
}

/// Size and time of every file of the configuration.
fn fingerprint(folder: &Path) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    let commands = std::fs::read_dir(folder.join(COMMANDS_FOLDER)).into_iter().flatten();
    let commands = commands.filter_map(|entry| Some(entry.ok()?.path()));
    let files = commands.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let mut seen: Vec<_> = files
        .chain([folder.join(SETTINGS_FILE)])
        .filter_map(|path| {
            let meta = std::fs::metadata(&path).ok()?;
            Some((path, meta.len(), meta.modified().ok()))
        })
        .collect();
    seen.sort();
    seen
}

/// drbot must not keep its memory where a restore could replace it.
pub(super) fn keeps_out_of_targets(common: &Common, configuration: &Configuration) -> Result<()> {
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
