//! A faster path, where what is under way comes too late: another command for the same kind of disaster, whose steps needed less
//! than what remains.
//!
//! What must stay true: it is said only where figures stand behind both, and it is a suggestion: nothing is started or stopped by
//! it.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    clock::elapsed,
    engine::Engine,
    incident::{
        event::Faster,
        outlook::{self, Forecast},
        state::State,
    },
    run::history::History,
    runbook::definition::Command,
};

/// What runs took is read again this often.
const FRESH: Duration = Duration::from_secs(60);

/// What runs of a command took, and when that was read.
pub(in crate::engine) struct Read {
    at: Instant,
    history: Arc<History>,
}

impl Engine {
    /// The command that would recover soonest, where what remains of the run under way takes longer than is left.
    pub(super) async fn faster_path(&self, incident: &State, remains: Option<&Forecast>) -> Option<Faster> {
        let remains = remains.filter(|forecast| forecast.is_known())?;
        let left = elapsed(self.0.clock.now(), incident.deadline.due);
        if remains.p90 <= left {
            return None;
        }
        let configuration = self.configuration();
        let others = configuration.commands.values().filter(|command| {
            command.scenario.as_ref() == Some(&incident.kind.key)
                && command.undoes.is_none()
                && (incident.opened.target.is_none() || command.target == incident.opened.target)
                && !incident.runs.iter().any(|joined| joined.command == command.name)
        });
        let mut fastest: Option<Faster> = None;
        for command in others {
            let Some(history) = self.known_history(command).await else { continue };
            let Some(forecast) = outlook::of_command(command, &history).filter(Forecast::is_known) else { continue };
            let is_best = fastest.as_ref().is_none_or(|best| forecast.p90 < best.needs);
            if forecast.p90 < remains.p90 && is_best {
                fastest = Some(Faster { command: command.name.clone(), needs: forecast.p90, runs: forecast.runs });
            }
        }
        fastest
    }

    async fn known_history(&self, command: &Command) -> Option<Arc<History>> {
        let now = self.0.clock.monotonic();
        {
            let read = self.0.command_histories.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(read) = read.get(&command.name).filter(|read| now.saturating_duration_since(read.at) < FRESH) {
                return Some(read.history.clone());
            }
        }
        let history = Arc::new(self.history(command).await.ok()?);
        let mut read = self.0.command_histories.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(command.name.clone(), Read { at: now, history: history.clone() });
        Some(history)
    }
}
