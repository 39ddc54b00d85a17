//! The range's stand-in for the Enhanced Ant Bot: it trades with itself, into a real database, and answers every endpoint
//! that the runbook calls. A target to recover, not part of drbot.

mod api;
mod database;
mod desk;
mod faults;
mod ledger;
mod portfolio;
mod provider;
mod providers;
mod settings;
mod trader;
mod watch;

use std::{process::ExitCode, sync::Arc, time::Duration};

use drbot::clock::Clock;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    api::Bot, database::Database, desk::Desk, faults::CurrentFaults, ledger::Ledger, providers::Providers,
    settings::Settings,
};

/// How long answers that are on their way may take after the signal to stop.
const FAREWELL: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--version") {
        println!("trading-bot {}", settings::version());
        return ExitCode::SUCCESS;
    }
    tracing_subscriber::fmt().with_ansi(false).with_target(false).init();
    let clock = Clock::system();
    // The same image serves as the bot and as those that it depends on.
    let done = match std::env::args().nth(1).as_deref() {
        Some("provider") => provider::run(clock).await,
        _ => run(clock).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(clock: Clock) -> Result<(), String> {
    let settings = Settings::from_environment()?;
    let desk = Arc::new(Desk::open(clock.clone(), settings.state_file.clone(), settings.forget_halt));
    let database = Arc::new(Database::new(settings.database.clone(), clock.clone()));
    let ledger = Ledger::open(clock.clone(), settings.ledger.as_deref()).map_err(|error| format!("ledger: {error}"))?;
    let listener = TcpListener::bind(&settings.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", settings.listen))?;

    ledger.started(&settings.version);
    let state = desk.state();
    tracing::info!(
        "trading-bot {} listens on {}; trading is {}",
        settings.version,
        settings.listen,
        if state.active { "on" } else { "halted" }
    );
    let providers = Arc::new(Providers::new(&settings.rpc_endpoints));
    let watching = tokio::spawn(providers::watch(providers.clone(), desk.clone(), clock.clone()));
    let trader = tokio::spawn(trader::trade(desk.clone(), database.clone(), clock.clone(), settings.defect));
    let bot = Arc::new(Bot {
        settings,
        clock: clock.clone(),
        started_at: clock.now(),
        desk,
        database,
        ledger,
        faults: CurrentFaults::default(),
        providers,
        watch: watch::Watch::default(),
    });
    let looking = tokio::spawn(watch::watch(bot.clone()));

    let (stop, stopped) = tokio::sync::oneshot::channel();
    let server = axum::serve(listener, api::router(bot.clone())).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());
    asked_to_stop().await.map_err(|error| error.to_string())?;
    tracing::info!("stopping");
    // The trade on its way is let through; no other follows.
    let passage = bot.desk.pass().await;
    trader.abort();
    watching.abort();
    looking.abort();
    drop(passage);
    let _ = stop.send(());
    let _ = clock.timeout(FAREWELL, server).await;
    Ok(())
}

async fn asked_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
