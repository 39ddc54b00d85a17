//! An engine without Discord, in the process of a command that was given while no drbot served.
//!
//! It is a bot but for chat: the same store and its lock, the same socket, the same escalation; what is to be said waits
//! in the outbox. The command itself asks over the socket like everybody, so it may do nothing more than with a bot. What
//! must stay true: somebody who is nobody starts nothing, the store gets no files of a user that is not its own, and the
//! engine ends when it is needed no more, or when a bot comes.

use std::{future::Future, os::unix::fs::MetadataExt, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use nix::unistd::Uid;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Host, LEFT, line::Line, shown};
use crate::{
    actions::real::RealActions,
    cli::bot::{configuration, keeps_out_of_targets, pager, told_to_stop, watch},
    config::load::Configuration,
    console::{Attendance, Console, Nobody, SOCKET, User, who},
    engine::Engine,
    escalation::Escalation,
    ids::RunId,
    progress::words::console as words,
    run::event::Person,
    store::{Store, Taken},
};

/// How long a drbot may take that has the store and does not listen yet, or not any more.
const BETWEEN: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct Alone {
    /// Nothing more is wanted here; what is at work still ends.
    enough: CancellationToken,
    /// Ends at once.
    leave: CancellationToken,
    work: JoinHandle<()>,
}

/// Who gives the command, as `drbot.toml` knows them.
pub(super) struct Me {
    pub(super) person: Person,
    pub(super) roles: Vec<String>,
}

/// Who the user of this process is to drbot; else why nobody.
pub(super) fn me(configuration: &Configuration) -> Result<Me, String> {
    let (settings, user) = (&configuration.settings, User::me());
    let caller = who(settings, &user).map_err(|nobody| match nobody {
        Nobody::Stranger => words::stranger(user.name.as_deref(), user.uid),
        Nobody::Several(names) => words::two_people(user.uid, &names),
    })?;
    let roles = settings.roles.iter().filter(|(_, id)| caller.roles.contains(id)).map(|(name, _)| name.clone());
    Ok(Me { roles: roles.collect(), person: caller.person })
}

pub(super) fn is_there(folder: &Path) -> bool {
    folder.join("drbot.sqlite").exists()
}

/// The runs in the store that have not ended, oldest first.
pub(super) async fn unfinished(folder: &Path) -> Result<Vec<RunId>> {
    if !is_there(folder) {
        return Ok(Vec::new());
    }
    let store = Store::open_to_read(folder).await?;
    let runs = store.runs(u32::MAX).await;
    store.close().await;
    Ok(runs?.into_iter().rev().filter(|run| run.finished_at.is_none()).map(|run| run.id).collect())
}

impl Alone {
    /// For a command that starts something. `None` where a drbot serves; an `Err` inside says why nothing is started.
    pub(super) async fn unless_served(line: &Line, host: &Host) -> Result<Result<Option<Self>, String>> {
        if line.is_served().await? {
            return Ok(Ok(None));
        }
        let configuration = configuration(&host.common)?;
        if let Err(why) = me(&configuration).and_then(|_| may_serve(host)) {
            return Ok(Err(why));
        }
        keeps_out_of_targets(&host.common, &configuration)?;
        Self::start(line, host, configuration).await.map(Ok)
    }

    /// For a command that is about a run: an engine is started only where one is left that fits.
    pub(super) async fn for_unfinished(
        line: &Line,
        host: &Host,
        run: Option<&str>,
    ) -> Result<Result<Option<Self>, String>> {
        if line.is_served().await? {
            return Ok(Ok(None));
        }
        if let Err(why) = me(&configuration(&host.common)?) {
            return Ok(Err(why));
        }
        let mut runs = unfinished(&host.common.data).await?;
        if let Some(run) = run.map(str::trim).filter(|run| !run.is_empty()) {
            let wanted = run.replace('-', "").to_lowercase();
            runs.retain(|run| run.to_string().replace('-', "").ends_with(&wanted));
        }
        if runs.is_empty() {
            return Ok(Err(words::nothing_there(&host.common.data)));
        }
        Self::unless_served(line, host).await
    }

    /// `None` when somebody else was faster.
    async fn start(line: &Line, host: &Host, configuration: Configuration) -> Result<Option<Self>> {
        let (folder, clock) = (&host.common.data, &host.clock);
        let begun = clock.monotonic();
        let store = loop {
            match Store::open(folder).await {
                Err(error) if error.is::<Taken>() && clock.monotonic() - begun < BETWEEN => {
                    if line.is_served().await? {
                        return Ok(None);
                    }
                    clock.sleep(LOOK).await;
                }
                opened => break opened?,
            }
        };
        let actions = Arc::new(RealActions::new());
        let engine = Engine::start(configuration, store, actions, host.secrets.clone(), clock.clone()).await?;
        eprintln!("drbot: {}", shown(&words::serves_alone(&engine.under_way().await, clock.now())));
        let (enough, leave) = (CancellationToken::new(), CancellationToken::new());
        let console = Console::start(folder, engine.clone(), Attendance::Alone(leave.clone()));
        let attend = attend(engine, console, host.common.config.clone(), enough.clone(), leave.clone());
        let alone = Self { enough, leave, work: tokio::spawn(attend) };
        let begun = clock.monotonic();
        loop {
            match line.is_served().await {
                Ok(true) => return Ok(Some(alone)),
                looked if clock.monotonic() - begun >= BETWEEN => {
                    alone.ends_now().await?;
                    looked?;
                    anyhow::bail!("nobody can be spoken to at {}", folder.join(SOCKET).display());
                }
                _ => clock.sleep(LOOK).await,
            }
        }
    }

    /// Ends when nothing is at work here any more and nobody follows.
    async fn ends(mut self) -> Result<()> {
        self.enough.cancel();
        tokio::select! {
            ended = &mut self.work => return ended.context("the engine did not end well"),
            told = told_to_stop() => told?,
        }
        eprintln!("\ndrbot: {}", words::stops_here());
        self.ends_now().await
    }

    async fn ends_now(self) -> Result<()> {
        self.leave.cancel();
        self.work.await.context("the engine did not end well")
    }
}

/// Does the work of a command, with the engine that it needs.
pub(super) async fn attended(alone: Option<Alone>, work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let Some(alone) = alone else { return work.await };
    tokio::select! {
        code = work => {
            alone.ends().await?;
            code
        }
        told = told_to_stop() => {
            told?;
            eprintln!("\ndrbot: {}", words::stops_here());
            alone.ends_now().await?;
            Ok(ExitCode::from(LEFT))
        }
    }
}

/// What keeps this user from being the engine.
pub(super) fn may_serve(host: &Host) -> Result<(), String> {
    let folder = &host.common.data;
    if let Ok(meta) = std::fs::metadata(folder)
        && meta.uid() != Uid::effective().as_raw()
    {
        let owner = User::of(meta.uid()).name.unwrap_or_else(|| format!("#{}", meta.uid()));
        return Err(words::store_of_another(folder, &owner));
    }
    if host.env_is_closed { Err(words::env_is_closed()) } else { Ok(()) }
}

/// Holds what makes up the engine, until it is not needed any more or a bot comes.
async fn attend(
    engine: Engine,
    console: Console,
    configuration: std::path::PathBuf,
    enough: CancellationToken,
    leave: CancellationToken,
) {
    let escalation = match pager(&engine) {
        Ok(pager) => Some(Escalation::start_without_chat(engine.clone(), pager)),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "nobody is called");
            None
        }
    };
    let watching = tokio::spawn(watch(configuration, engine.clone()));
    let needless = async {
        enough.cancelled().await;
        let mut said = false;
        while console.open() > 0 || engine.is_at_work().await {
            // Whoever has just been served is gone in a moment.
            if !said && engine.is_at_work().await {
                eprintln!("drbot: {}", words::others_go_on());
                said = true;
            }
            engine.clock().sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = needless => {}
        () = leave.cancelled() => {}
    }
    watching.abort();
    drop(console);
    let hushed = async {
        if let Some(escalation) = escalation {
            escalation.stop().await;
        }
    };
    tokio::join!(hushed, engine.stop());
    engine.store().close().await;
}
