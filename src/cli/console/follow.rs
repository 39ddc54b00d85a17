//! Following a run until its end. Ctrl-C ends the following, never the run. A drbot that goes away in the middle is waited
//! for: the run goes on when it, or another, is back.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;

use super::{LEFT, code, line::Line, refused, screen::Screen};
use crate::{
    clock::Clock,
    console::{Ask, Reply},
    ids::RunId,
    progress::view::Live,
    run::{event::Entry, state::State},
};

/// How often the card is drawn again, so that its clocks move.
const TICK: Duration = Duration::from_millis(500);

/// How long a drbot that has gone away is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Following<'a> {
    line: &'a Line,
    run: RunId,
    clock: &'a Clock,
    screen: &'a mut Screen,
    state: Option<State>,
    live: Option<Live>,
}

/// Why no more is heard.
enum Cut {
    Gone,
    Refused(String),
}

/// Shows the run until its end; the exit code says how it ended.
/// Where the engine is in this very process, Ctrl-C is not heard here: it ends more than the following.
pub(super) async fn follow(
    line: &Line,
    run: RunId,
    clock: &Clock,
    screen: &mut Screen,
    is_here: bool,
) -> Result<ExitCode> {
    let mut following = Following { line, run, clock, screen, state: None, live: None };
    tokio::select! {
        code = following.until_it_ends() => code,
        told = tokio::signal::ctrl_c(), if !is_here => {
            told?;
            let run = run.short();
            eprintln!(
                "\ndrbot: no longer followed. The run goes on: `drbot status {run} --follow` shows it, `drbot abort {run}` stops it"
            );
            Ok(ExitCode::from(LEFT))
        }
    }
}

impl Following<'_> {
    async fn until_it_ends(&mut self) -> Result<ExitCode> {
        let mut gone_since = None;
        loop {
            let known = self.seen();
            match self.listen().await {
                Err(Cut::Refused(why)) => return Ok(refused(&why)),
                Err(Cut::Gone) if self.state.as_ref().is_none_or(|state| state.finished.is_none()) => {}
                _ => {}
            }
            if let Some(state) = &self.state
                && let Some(finished) = &state.finished
            {
                self.screen.end(state);
                return Ok(code(finished.outcome));
            }
            let now = self.clock.monotonic();
            if self.seen() > known || gone_since.is_none() {
                gone_since = Some(now);
                eprintln!("drbot: the drbot that serves is gone; waiting for it. The run goes on when it is back");
            }
            if gone_since.is_some_and(|since| now - since > PATIENCE) {
                eprintln!(
                    "drbot: nobody is back yet, and nothing of the run is lost. Start `drbot serve`, then \
                     `drbot status {} --follow`",
                    self.run.short()
                );
                return Ok(ExitCode::FAILURE);
            }
            self.clock.sleep(TICK).await;
        }
    }

    fn seen(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.seq)
    }

    /// Takes what comes until the run has ended or the line is cut.
    async fn listen(&mut self) -> Result<(), Cut> {
        self.live = None;
        let ask = Ask::Follow { run: self.run, after: self.seen() };
        let mut asking = self.line.try_ask(&ask).await.ok().flatten().ok_or(Cut::Gone)?;
        loop {
            let reply = tokio::select! {
                reply = asking.next() => reply,
                () = self.clock.sleep(TICK) => {
                    self.draw();
                    continue;
                }
            };
            match reply {
                Ok(Some(Reply::Entry { entry })) => self.take(&entry)?,
                Ok(Some(Reply::Progress { progress })) => self.live = progress.map(Live::from),
                Ok(Some(Reply::Refused { why })) => return Err(Cut::Refused(why)),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Err(Cut::Gone),
            }
            if self.state.as_ref().is_some_and(|state| state.finished.is_some()) {
                return Ok(());
            }
            self.draw();
        }
    }

    fn take(&mut self, entry: &Entry) -> Result<(), Cut> {
        let illegal = |error: crate::run::state::Illegal| Cut::Refused(format!("this journal cannot be: {error}"));
        match &mut self.state {
            Some(state) => state.apply(entry).map_err(illegal)?,
            None => self.state = Some(State::begin(entry).map_err(illegal)?),
        }
        if let Some(state) = &self.state {
            self.screen.event(entry, state);
        }
        Ok(())
    }

    fn draw(&mut self) {
        if let Some(state) = &self.state {
            self.screen.now(state, self.live.as_ref());
        }
    }
}
