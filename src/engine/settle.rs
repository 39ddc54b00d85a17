//! After a crash: what became of a step that was under way? Found out by probing, or asked of a person; never guessed.

use super::{
    Engine,
    live::{AppendError, Live},
    outputs,
    step::is_of_engine,
};
use crate::{
    actions::{Context, Probe},
    run::{
        event::Event,
        state::{State, Status},
    },
    runbook::definition::Effect,
};

impl Engine {
    /// Settles a step that was under way when drbot was lost.
    pub(super) async fn settle(&self, live: &Live, state: &State, index: usize) -> Result<(), AppendError> {
        let step = &state.steps[index];
        if step.status == Status::Running {
            let event = Event::StepInterrupted { step: step.definition.id.clone(), attempt: step.attempts };
            self.append(live, event).await?;
        }
        self.find_out(live, state, index, "drbot was gone while it was done".to_owned()).await
    }

    /// Finds out whether the last attempt of a step took effect, and journals that.
    pub(super) async fn find_out(
        &self,
        live: &Live,
        state: &State,
        index: usize,
        reason: String,
    ) -> Result<(), AppendError> {
        let step = &state.steps[index];
        let (id, attempt) = (step.definition.id.clone(), step.attempts);
        let not_done = Event::StepNotDone { step: id.clone(), attempt };
        let Some(action) = step.action.as_ref().filter(|action| !is_of_engine(action)) else {
            return self.append(live, not_done).await;
        };
        let mut context = match self.context(state, &id, attempt).await {
            Ok(context) => context,
            Err(error) => return Err(AppendError::Store(error)),
        };
        context.facts = step.facts.clone();
        context.timeout = step.definition.timeout().0;
        // Asked even of what may simply be done again: it ends what the lost attempt left running.
        let probe = self.0.actions.probe(action, &context).await;
        let event = match (step.definition.effect(), probe) {
            (Effect::Read, _) => not_done,
            (_, Probe::Happened(done)) => match self.succeeded(&step.definition, attempt, done) {
                Ok(event) => event,
                // It happened, but what later steps need was lost with the answer: done again where that is harmless.
                Err(_) if step.definition.effect() == Effect::Idempotent => not_done,
                Err(missing) => Event::StepUnknown { step: id, attempt, reason: format!("It happened, but {missing}") },
            },
            (_, Probe::DidNotHappen) => not_done,
            (Effect::Idempotent, Probe::CannotTell(_)) => not_done,
            (Effect::Once, Probe::CannotTell(why)) => match self.check(state, index, &context).await {
                Some(true) => Event::StepSucceeded {
                    step: id,
                    attempt,
                    outputs: serde_json::Map::new(),
                    summary: "its check shows that it happened".to_owned(),
                    log: Vec::new(),
                },
                Some(false) => not_done,
                None => {
                    Event::StepUnknown { step: id, attempt, reason: self.0.secrets.mask(&format!("{reason}; {why}")) }
                }
            },
        };
        self.append(live, event).await
    }

    /// What the step's own check says; `None` when it has none or cannot tell.
    async fn check(&self, state: &State, index: usize, context: &Context) -> Option<bool> {
        let check = state.steps[index].definition.check.as_ref()?;
        let scoped = crate::run::context::of(state, crate::run::context::Scoped::Step(&state.steps[index].definition));
        let action = crate::runbook::template::render_action(&check.action, &scoped).ok()?;
        let done = self.0.clock.timeout(context.timeout, self.0.actions.perform(&action, context)).await?.ok()?;
        Some(outputs::judge(&action, check.expect.as_deref(), &done.fields).is_ok())
    }
}
