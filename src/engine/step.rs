//! One attempt of one step: permit, render, journal the intent, act, journal the outcome.

use serde_json::Map;

use super::{
    Engine, failpoint,
    live::{AppendError, Live},
    outputs,
};
use crate::{
    access::{self, Permit},
    actions::{Context, Done, Failure, Fields, Labels, Progress},
    config::settings::Target,
    run::{
        context::{self, Scoped},
        event::{Event, FailureKind},
        plan,
        state::{ApprovalState, State, Status},
    },
    runbook::{
        action::Action,
        definition::{Effect, Step},
        template,
    },
};

impl Engine {
    pub(super) async fn begin_step(&self, live: &Live, state: &State, index: usize) -> Result<(), AppendError> {
        let definition = &state.steps[index].definition;
        if let Some(void) = voided(state, index) {
            return self.append(live, void).await;
        }
        failpoint::at("before-intent", &definition.id);
        let attempt = state.steps[index].attempts + 1;
        let (action, prepared) = self.prepare(state, index).await;
        let intent = Event::StepStarted {
            step: definition.id.clone(),
            attempt,
            action: Box::new(action.clone()),
            facts: prepared.as_ref().map(|(_, context)| context.facts.clone()).unwrap_or_default(),
        };
        self.append(live, intent).await?;
        let outcome = match prepared {
            Ok((permit, context)) => {
                failpoint::at("after-intent", &definition.id);
                if let Action::Ask(ask) = &action {
                    return self.ask(live, definition, ask).await;
                }
                failpoint::during(&definition.id, &self.0.clock);
                let done = self.attempt(live, &permit, definition, &action, context).await;
                failpoint::at("after-effect", &definition.id);
                done
            }
            Err(failure) => Attempted::Failed(failure),
        };
        self.record(live, definition, attempt, outcome).await?;
        failpoint::at("after-outcome", &definition.id);
        Ok(())
    }

    /// The rendered action, and what it needs to be done; or why it cannot even be begun.
    async fn prepare(&self, state: &State, index: usize) -> (Action, Result<(Permit, Context), Failure>) {
        let definition = &state.steps[index].definition;
        let unrendered = definition.action.clone();
        let permit = match access::step(&self.configuration().settings, state, index, self.0.clock.now()) {
            Ok(permit) => permit,
            Err(refusal) => return (unrendered, Err(Failure::refused(format!("it may not be done: {refusal}")))),
        };
        let action = match template::render_action(&unrendered, &context::of(state, Scoped::Step(definition))) {
            Ok(action) => action,
            Err(error) => return (unrendered, Err(Failure::refused(format!("it cannot be filled in: {error}")))),
        };
        let mut context = match self.context(state, &definition.id, state.steps[index].attempts + 1).await {
            Ok(context) => context,
            Err(error) => return (action, Err(Failure::failed(format!("{error:#}")))),
        };
        context.timeout = definition.timeout().0;
        if !is_of_engine(&action) {
            let facts = self.0.clock.timeout(definition.timeout().0, self.0.actions.prepare(&action, &context)).await;
            match facts.unwrap_or_else(|| Err(Failure::failed("what is there could not be looked at in time"))) {
                Ok(facts) => context.facts = facts,
                Err(failure) => return (action, Err(failure)),
            }
        }
        (action, Ok((permit, context)))
    }

    /// What an action of a step is handed.
    pub(super) async fn context(&self, state: &State, step: &str, attempt: u32) -> anyhow::Result<Context> {
        let target = target(state)?;
        let sample = match &state.created.command.target {
            Some(name) => self.0.store.last_sample(name, state.created_at).await?,
            None => None,
        };
        Ok(Context {
            labels: Labels { run: state.id.short(), step: step.to_owned(), attempt },
            target: target.map(std::sync::Arc::new),
            secrets: self.0.secrets.clone(),
            clock: self.0.clock.clone(),
            cancel: self.0.halting.child_token(),
            timeout: crate::runbook::definition::DEFAULT_TIMEOUT.0,
            progress: Progress::default(),
            sample,
            facts: Fields::new(),
        })
    }

    async fn ask(&self, live: &Live, step: &Step, ask: &crate::runbook::action::Ask) -> Result<(), AppendError> {
        let choices = ask.choices.iter().cloned().map(crate::run::event::Choice::Answer).collect();
        let event = Event::QuestionAsked {
            step: step.id.clone(),
            token: crate::ids::random_token(),
            question: self.0.secrets.mask(&ask.question),
            choices,
        };
        self.append(live, event).await
    }

    /// Journals what became of an attempt.
    async fn record(&self, live: &Live, step: &Step, attempt: u32, outcome: Attempted) -> Result<(), AppendError> {
        let failed = |message: String, kind, log: Vec<String>| Event::StepFailed {
            step: step.id.clone(),
            attempt,
            message: self.0.secrets.mask(&message),
            kind,
            log: self.mask_lines(log),
        };
        let event = match outcome {
            Attempted::Done(done) => match self.succeeded(step, attempt, done) {
                Ok(event) => event,
                Err(message) => failed(message, FailureKind::Failed, Vec::new()),
            },
            // drbot is going away; the step is settled at the next start.
            Attempted::Parked => return Ok(()),
            Attempted::TimedOut => {
                failed(format!("not done within {}", step.timeout()), FailureKind::TimedOut, Vec::new())
            }
            Attempted::Unsettled(reason) => {
                let state = live.state().await;
                let index = state.steps.iter().position(|there| there.definition.id == step.id).unwrap_or_default();
                return self.find_out(live, &state, index, reason).await;
            }
            Attempted::Failed(Failure::Refused { message }) => failed(message, FailureKind::Refused, Vec::new()),
            Attempted::Failed(Failure::Cancelled) => {
                failed("it was stopped".to_owned(), FailureKind::Cancelled, Vec::new())
            }
            Attempted::Failed(Failure::Failed { message, log }) => failed(message, FailureKind::Failed, log),
            Attempted::Failed(Failure::Unknown { message }) => failed(message, FailureKind::Failed, Vec::new()),
        };
        self.append(live, event).await
    }

    /// The event of a step that was done; an error when an output that it promises is missing.
    pub(super) fn succeeded(&self, step: &Step, attempt: u32, done: Done) -> Result<Event, String> {
        let outputs = outputs::outputs(step, &done.fields)?;
        let outputs = match self.0.secrets.mask_json(&outputs.into()) {
            serde_json::Value::Object(outputs) => outputs,
            _ => Map::new(),
        };
        Ok(Event::StepSucceeded {
            step: step.id.clone(),
            attempt,
            outputs,
            summary: self.0.secrets.mask(&done.summary),
            log: self.mask_lines(done.log),
        })
    }

    fn mask_lines(&self, lines: Vec<String>) -> Vec<String> {
        lines.iter().map(|line| self.0.secrets.mask(line)).collect()
    }
}

/// What became of an attempt.
pub(super) enum Attempted {
    Done(Done),
    Failed(Failure),
    /// Over its time; its work has really stopped, and it may be begun again.
    TimedOut,
    /// Whether it took effect must be found out.
    Unsettled(String),
    /// Stopped because drbot stops.
    Parked,
}

/// Whether the engine itself does this action.
pub(super) fn is_of_engine(action: &Action) -> bool {
    matches!(action, Action::Wait(_) | Action::Ask(_) | Action::Notify(_) | Action::Parallel(_) | Action::Call(_))
}

/// Whether the outcome of a lost attempt must be found out before anything else is done.
pub(super) fn must_be_settled(step: &Step) -> bool {
    step.effect() == Effect::Once
}

/// The approval is void when what it is bound to is not what would be done any more.
fn voided(state: &State, index: usize) -> Option<Event> {
    let step = &state.steps[index];
    let is_gate = state.gate().is_some_and(|gate| gate.definition.id == step.definition.id);
    let ApprovalState::Given { asked, .. } = &state.approval else { return None };
    if !is_gate || step.status != Status::Pending {
        return None;
    }
    let reason = match plan::hash(state) {
        Ok(hash) if hash == asked.plan_hash => return None,
        Ok(_) => "the plan is not the one that was approved".to_owned(),
        Err(error) => format!("the plan cannot be told: {error}"),
    };
    Some(Event::ApprovalVoided { round: asked.round, reason })
}

/// The target as it was frozen into the run.
pub(super) fn target(state: &State) -> anyhow::Result<Option<Target>> {
    let serde_json::Value::Object(mut fields) = state.created.target.clone() else { return Ok(None) };
    fields.remove("name");
    fields.remove("database");
    Ok(Some(serde_json::from_value(fields.into())?))
}

/// What will be done from the gate on, a line a step.
pub(super) fn plan_lines(state: &State) -> Vec<String> {
    let gate = state.gate().map(|gate| gate.definition.id.as_str());
    let behind = state.steps.iter().skip_while(|step| Some(step.definition.id.as_str()) != gate);
    behind.map(|step| step.definition.name.clone()).collect()
}

pub(super) fn render_for_people(state: &State, text: &str) -> Result<String, template::TemplateError> {
    template::render_text(text, &context::of(state, Scoped::Command))
}
