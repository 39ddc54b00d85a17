//! Taking back what a step did. Undos must be idempotent: one that was interrupted is simply done again.

use std::sync::Arc;

use super::{
    Engine, failpoint,
    live::{AppendError, Live},
};
use crate::{
    access,
    actions::Failure,
    run::{
        context::{self, Scoped},
        event::Event,
        next::Next,
        state::State,
    },
    runbook::{definition::Step, template},
};

impl Engine {
    pub(super) async fn undo(
        &self,
        live: &Arc<Live>,
        state: &State,
        index: usize,
        attempt: u32,
    ) -> Result<(), AppendError> {
        let definition = &state.steps[index].definition;
        let id = definition.id.clone();
        let begins = Next::Undo { step: index, attempt };
        let intent = Event::UndoStarted { step: id.clone(), attempt };
        self.append_unless_forbidden(live, state, &begins, intent).await?;
        failpoint::at("during-undo", &definition.id);
        let event = match self.take_back(live, state, index, definition).await {
            Ok(summary) => Event::UndoSucceeded { step: id, summary: self.0.secrets.mask(&summary) },
            // drbot is going away; it is done again at the next start.
            Err(_) if self.0.halting.is_cancelled() => return Ok(()),
            Err(failure) => Event::UndoFailed { step: id, attempt, message: self.0.secrets.mask(&failure.to_string()) },
        };
        self.append_surely(live, event).await
    }

    async fn take_back(
        &self,
        live: &Arc<Live>,
        state: &State,
        index: usize,
        definition: &Step,
    ) -> Result<String, Failure> {
        let Some(undo) = &definition.undo else { return Ok(String::new()) };
        let action = template::render_action(undo, &context::of(state, Scoped::Step(definition)))
            .map_err(|error| Failure::failed(format!("it cannot be filled in: {error}")))?;
        let step = &state.steps[index];
        let mut context = self
            .context(state, &definition.id, step.attempts)
            .await
            .map_err(|error| Failure::failed(format!("{error:#}")))?;
        context.facts = step.facts.clone();
        context.timeout = definition.timeout().0;
        self.must_be_the_same(state, &context).await?;
        let permit = access::undo(state, index);
        let plain = Step { expect: None, says: None, check: None, ..definition.clone() };
        let cancel = context.cancel.clone();
        // Nobody stops an undo but drbot's own end.
        let work = Box::pin(self.act(&permit, &plain, &action, &context));
        match self.supervise(&cancel, context.timeout, work, self.meanwhile(live, false)).await {
            (Some(Err(Failure::Cancelled)), true) | (None, _) => {
                Err(Failure::failed(format!("not done within {}", definition.timeout())))
            }
            (Some(result), _) => result.map(|done| done.summary),
        }
    }
}
