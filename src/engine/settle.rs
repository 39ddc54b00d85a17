//! What became of an attempt whose outcome is not known, because drbot was lost or the answer was? Found out by probing,
//! or asked of a person; never guessed.

use std::sync::Arc;

use super::{
    Engine,
    live::{AppendError, Live},
    outputs,
    step::{changes_servers, is_of_engine},
};
use crate::{
    actions::{Context, Done, Failure, Probe},
    run::{
        event::{Event, FailureKind},
        next::INTERRUPTIONS,
        state::State,
    },
    runbook::definition::{Effect, Step},
};

/// Why the outcome of an attempt is not known.
pub(super) enum Lost {
    /// drbot was gone, or broke, while it was under way.
    Attempt,
    /// It did not say in time, or its answer did not arrive.
    Answer { reason: String, kind: FailureKind },
}

impl Lost {
    fn reason(&self) -> &str {
        match self {
            Self::Attempt => "drbot was gone while it was done",
            Self::Answer { reason, .. } => reason,
        }
    }

    /// It had not taken effect. After a crash it is begun again; an attempt that was seen to its end has failed, so that
    /// a target that never answers is not tried for ever.
    fn not_done(&self, step: &Step, attempt: u32) -> Event {
        let step = step.id.clone();
        match self {
            Self::Attempt => Event::StepNotDone { step, attempt },
            Self::Answer { reason, kind } => {
                let message = format!("{reason}; it has not happened");
                Event::StepFailed {
                    step,
                    attempt,
                    message,
                    kind: *kind,
                    log: Vec::new(),
                    found: serde_json::Map::new(),
                }
            }
        }
    }
}

impl Engine {
    /// Settles a step that was under way when drbot was lost.
    pub(super) async fn settle(&self, live: &Arc<Live>, state: &State, index: usize) -> Result<(), AppendError> {
        let step = &state.steps[index];
        let (id, attempt) = (step.definition.id.clone(), step.attempts);
        if step.interruptions > INTERRUPTIONS {
            // Finding out is what drbot breaks at: never a crash loop.
            let reason = format!("drbot was lost {} times while it was done or looked at", step.interruptions);
            return self.append(live, Event::StepUnknown { step: id, attempt, reason }).await;
        }
        self.append(live, Event::StepInterrupted { step: id, attempt }).await?;
        self.find_out(live, state, index, Lost::Attempt).await
    }

    /// Finds out whether the last attempt of a step took effect, and journals that.
    pub(super) async fn find_out(
        &self,
        live: &Arc<Live>,
        state: &State,
        index: usize,
        lost: Lost,
    ) -> Result<(), AppendError> {
        let step = &state.steps[index];
        let definition = &step.definition;
        if step.action.as_ref().is_none_or(is_of_engine) {
            return self.append_surely(live, lost.not_done(definition, step.attempts)).await;
        }
        // Asked even of what may simply be done again: it ends what the lost attempt left running.
        let answer = match self.context(state, &definition.id, step.attempts).await {
            Ok(context) if definition.effect() != Effect::Read => {
                // On other servers than the recorded ones nothing is settled, and nothing is done again.
                match self.must_be_the_same(state, &context).await {
                    Ok(()) => self.ask_the_world(live, state, index, context).await,
                    Err(Failure::WrongTarget { message }) => {
                        let reason = self.0.secrets.mask(&message);
                        let (step, attempt) = (definition.id.clone(), step.attempts);
                        return self.append_surely(live, Event::StepUnknown { step, attempt, reason }).await;
                    }
                    Err(failure) => Probe::CannotTell(failure.to_string()),
                }
            }
            Ok(context) => self.ask_the_world(live, state, index, context).await,
            Err(error) => Probe::CannotTell(format!("{error:#}")),
        };
        if self.0.halting.is_cancelled() && matches!(answer, Probe::CannotTell(_)) {
            // drbot is going away; the step is settled at the next start.
            return Ok(());
        }
        if step.action.as_ref().is_some_and(changes_servers) {
            self.look_anew(state.id);
        }
        self.append_surely(live, self.verdict(definition, step.attempts, &lost, answer)).await
    }

    /// The probe of the action, and where that cannot tell, the step's own check; within the step's time.
    async fn ask_the_world(&self, live: &Arc<Live>, state: &State, index: usize, mut context: Context) -> Probe {
        let step = &state.steps[index];
        let Some(action) = &step.action else { return Probe::DidNotHappen };
        context.facts = step.facts.clone();
        context.timeout = step.definition.timeout().0;
        let _attempting = live.begin_attempt(context.cancel.clone());
        let work = Box::pin(async {
            match self.0.actions.probe(action, &context).await {
                Probe::CannotTell(why) if step.definition.effect() == Effect::Once => {
                    match self.check(state, index, &context).await {
                        Some(true) => Probe::Happened(Done::new("its check shows that it happened")),
                        Some(false) => Probe::DidNotHappen,
                        None => Probe::CannotTell(why),
                    }
                }
                answer => answer,
            }
        });
        let (answer, _) = self.supervise(&context.cancel, context.timeout, work, self.meanwhile(live, false)).await;
        answer.unwrap_or_else(|| Probe::CannotTell("it could not be looked at in time".to_owned()))
    }

    fn verdict(&self, step: &Step, attempt: u32, lost: &Lost, answer: Probe) -> Event {
        let not_done = lost.not_done(step, attempt);
        let unknown = |reason: String| Event::StepUnknown {
            step: step.id.clone(),
            attempt,
            reason: self.0.secrets.mask(&reason),
        };
        match (step.effect(), answer) {
            (Effect::Read, _) | (_, Probe::DidNotHappen) | (Effect::Idempotent, Probe::CannotTell(_)) => not_done,
            (Effect::Once, Probe::CannotTell(why)) => unknown(format!("{}; {why}", lost.reason())),
            (effect, Probe::Happened(done)) => match self.succeeded(step, attempt, done) {
                Ok(event) => event,
                // It happened, but what later steps need was lost with the answer: done again where that is harmless.
                Err(_) if effect == Effect::Idempotent => not_done,
                Err(missing) => unknown(format!("It happened, but {missing}")),
            },
        }
    }

    /// What the step's own check says; `None` when it has none or cannot tell.
    async fn check(&self, state: &State, index: usize, context: &Context) -> Option<bool> {
        let check = super::step::check(state, index).ok()??;
        let done = self.look_at(&check.action, context).await.ok()?;
        outputs::tells(&check.action, check.expect.as_deref(), &done)
    }
}
