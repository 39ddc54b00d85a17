//! One attempt of one step: permit, render, journal the intent, act, journal the outcome.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::{
    Engine, failpoint,
    live::{AppendError, Attempting, Live},
    outputs,
    settle::Lost,
};
use crate::{
    access::{self, Permit},
    actions::{Context, Done, Failure, Fields, Labels, Progress},
    config::settings::Target,
    run::{
        context::{self, Scoped},
        event::{Event, FailureKind},
        next::Next,
        plan,
        state::{ApprovalState, State},
    },
    runbook::{
        action::{Action, Postgres},
        definition::{Check, Effect, Step},
        template,
    },
    sample::Sample,
};

/// The longest time that looking at what is there, before a step, may take.
const LOOKING: Duration = Duration::from_secs(15);

/// What an attempt needs: the permission, the action and the check filled in, and what the action is handed.
struct Prepared<'a> {
    permit: Permit,
    step: Step,
    context: Context,
    attempting: Attempting<'a>,
}

impl Engine {
    pub(super) async fn begin_step(&self, live: &Arc<Live>, state: &State, index: usize) -> Result<(), AppendError> {
        let definition = &state.steps[index].definition;
        if let Some(void) = voided(state, index) {
            return self.append_on(live, state, void).await;
        }
        failpoint::at("before-intent", &definition.id);
        let attempt = state.steps[index].attempts + 1;
        let (action, prepared) = self.prepare(live, state, index).await;
        if self.0.stopping.is_cancelled() {
            return Ok(());
        }
        let facts = prepared.as_ref().map(|prepared| prepared.context.facts.clone()).unwrap_or_default();
        let intent = Event::StepStarted {
            step: definition.id.clone(),
            attempt,
            action: Box::new(action.clone()),
            facts: self.mask_fields(facts),
        };
        // Decided on by this very state: a yes that was taken back, or a stop, in between makes it moot.
        self.append_unless_forbidden(live, state, &Next::Begin { step: index }, intent).await?;
        let outcome = match prepared {
            Ok(prepared) => {
                failpoint::at("after-intent", &definition.id);
                if let Action::Ask(ask) = &action {
                    return self.ask(live, definition, ask).await;
                }
                failpoint::during(&definition.id, &self.0.clock);
                let Prepared { permit, step, context, attempting } = prepared;
                let done = self.attempt(live, &permit, &step, &action, context).await;
                drop(attempting);
                failpoint::at("after-effect", &definition.id);
                done
            }
            Err(failure) => Attempted::Failed(failure),
        };
        self.record(live, index, attempt, outcome).await?;
        if changes_servers(&action) {
            self.look_anew(state.id);
        }
        failpoint::at("after-outcome", &definition.id);
        Ok(())
    }

    /// The rendered action, and what it needs to be done; or why it cannot even be begun.
    async fn prepare<'a>(
        &self,
        live: &'a Live,
        state: &State,
        index: usize,
    ) -> (Action, Result<Prepared<'a>, Failure>) {
        let definition = &state.steps[index].definition;
        let unrendered = definition.action.clone();
        let permit = match access::step(&self.configuration().settings, state, index, self.0.clock.now()) {
            Ok(permit) => permit,
            Err(refusal) => return (unrendered, Err(Failure::refused(format!("it may not be done: {refusal}")))),
        };
        let rendered = template::render_action(&unrendered, &context::of(state, Scoped::Step(definition)))
            .and_then(|action| Ok((action, check(state, index)?)));
        let (action, check) = match rendered {
            Ok(rendered) => rendered,
            Err(error) => return (unrendered, Err(Failure::refused(format!("it cannot be filled in: {error}")))),
        };
        let mut context = match self.context(state, &definition.id, state.steps[index].attempts + 1).await {
            Ok(context) => context,
            Err(error) => return (action, Err(Failure::refused(format!("{error:#}")))),
        };
        if let Err(failure) = self.must_be_the_recorded(state, definition, &context).await {
            return (action, Err(failure));
        }
        context.timeout = definition.timeout().0;
        let attempting = live.begin_attempt(context.cancel.clone());
        if !is_of_engine(&action) {
            match self.look(&action, &context).await {
                Ok(facts) => context.facts = facts,
                Err(failure) => return (action, Err(failure)),
            }
        }
        let step = Step { check, ..(**definition).clone() };
        (action, Ok(Prepared { permit, step, context, attempting }))
    }

    /// What the action must know of the world as it is before.
    async fn look(&self, action: &Action, context: &Context) -> Result<Fields, Failure> {
        let limit = context.timeout.min(LOOKING);
        let cancel = context.cancel.child_token();
        let own = Context { cancel: cancel.clone(), ..context.clone() };
        tokio::select! {
            facts = self.within(limit, &cancel, self.0.actions.prepare(action, &own)) => {
                facts.unwrap_or_else(|| Err(Failure::failed("what is there could not be looked at in time")))
            }
            () = context.cancel.cancelled() => Err(Failure::Cancelled),
        }
    }

    /// The last good sample from before the run. It stays the same for the whole run, so it is looked for once.
    async fn sample_before(&self, state: &State, target: Option<&Target>) -> Option<Sample> {
        let name = state.created.command.target.as_ref()?;
        let known = || self.0.samples_before.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sample) = known().get(&state.id) {
            return Some(sample.clone());
        }
        let sample = self.good_sample(name, target, state.created_at).await;
        if let Some(sample) = &sample {
            known().insert(state.id, sample.clone());
        }
        sample
    }

    /// What an action of a step is handed.
    ///
    /// # Errors
    /// When the target that was frozen into the run is none that this drbot understands.
    pub(super) async fn context(&self, state: &State, step: &str, attempt: u32) -> anyhow::Result<Context> {
        let target = target(state).context("the target of this run is not understood")?;
        let sample = self.sample_before(state, target.as_ref()).await;
        Ok(Context {
            labels: Labels { run: state.id.short(), step: step.to_owned(), attempt },
            target: target.map(Arc::new),
            secrets: self.0.secrets.clone(),
            clock: self.0.clock.clone(),
            cancel: self.0.halting.child_token(),
            timeout: crate::runbook::definition::DEFAULT_TIMEOUT.0,
            progress: Progress::default(),
            sample,
            facts: Fields::new(),
        })
    }

    async fn ask(&self, live: &Arc<Live>, step: &Step, ask: &crate::runbook::action::Ask) -> Result<(), AppendError> {
        let choices = ask.choices.iter().cloned().map(crate::run::event::Choice::Answer).collect();
        let event = Event::QuestionAsked {
            step: step.id.clone(),
            token: crate::ids::random_token(),
            question: self.0.secrets.mask(&ask.question),
            choices,
        };
        match self.append(live, event).await {
            // The run was stopped before it could ask.
            Err(AppendError::Illegal(_)) => Err(AppendError::Moved),
            other => other,
        }
    }

    /// Journals what became of an attempt.
    async fn record(
        &self,
        live: &Arc<Live>,
        index: usize,
        attempt: u32,
        outcome: Attempted,
    ) -> Result<(), AppendError> {
        let state = live.state().await;
        let step = &state.steps[index].definition;
        let failed = |message: String, kind, log: Vec<String>| Event::StepFailed {
            step: step.id.clone(),
            attempt,
            message: self.0.secrets.mask(&message),
            kind,
            log: self.mask_lines(log),
            found: Fields::new(),
        };
        let event = match outcome {
            Attempted::Done(done) => match self.succeeded(step, attempt, done) {
                Ok(event) => event,
                Err(message) => failed(message, FailureKind::Failed, Vec::new()),
            },
            // drbot is going away; the step is settled at the next start.
            Attempted::Parked => return Ok(()),
            Attempted::TimedOut { last } => {
                let last = if last.is_empty() { last } else { format!("; last seen: {last}") };
                failed(format!("not done within {}{last}", step.timeout()), FailureKind::TimedOut, Vec::new())
            }
            Attempted::Unsettled { reason, kind } => {
                let lost = Lost::Answer { reason: self.0.secrets.mask(&reason), kind };
                return self.find_out(live, &state, index, lost).await;
            }
            Attempted::Failed(Failure::Refused { message }) => failed(message, FailureKind::Refused, Vec::new()),
            Attempted::Failed(Failure::WrongTarget { message }) => {
                failed(message, FailureKind::WrongTarget, Vec::new())
            }
            Attempted::Failed(Failure::Cancelled) => {
                failed("it was stopped".to_owned(), FailureKind::Cancelled, Vec::new())
            }
            Attempted::Failed(Failure::Failed { message, log }) => failed(message, FailureKind::Failed, log),
            Attempted::Failed(Failure::Found { message, log, found: there }) => {
                let mut event = failed(message, FailureKind::Failed, log);
                if let Event::StepFailed { found, .. } = &mut event {
                    *found = self.mask_fields(there);
                }
                event
            }
            Attempted::Failed(Failure::Unknown { message }) => failed(message, FailureKind::Failed, Vec::new()),
        };
        self.append_surely(live, event).await
    }

    /// The event of a step that was done; an error when an output that it promises is missing.
    pub(super) fn succeeded(&self, step: &Step, attempt: u32, done: Done) -> Result<Event, String> {
        let outputs = outputs::outputs(step, &done.fields)?;
        let outputs = self.mask_fields(outputs);
        let log = if step.keep.is_some() { outputs::evidence(&done) } else { done.log };
        Ok(Event::StepSucceeded {
            step: step.id.clone(),
            attempt,
            outputs,
            summary: self.0.secrets.mask(&done.summary),
            log: self.mask_lines(log),
        })
    }

    fn mask_fields(&self, fields: Fields) -> Fields {
        match self.0.secrets.mask_json(&fields.into()) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
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
    TimedOut {
        last: String,
    },
    /// Whether it took effect must be found out.
    Unsettled {
        reason: String,
        kind: FailureKind,
    },
    /// Stopped because drbot stops.
    Parked,
}

/// Whether the target may be another server after this.
pub(super) fn changes_servers(action: &Action) -> bool {
    matches!(action, Action::Postgres(Postgres::Swap { .. }))
}

/// Whether the engine itself does this action.
pub(super) fn is_of_engine(action: &Action) -> bool {
    matches!(
        action,
        Action::Wait(_)
            | Action::Ask(_)
            | Action::Notify(_)
            | Action::Parallel(_)
            | Action::Call(_)
            | Action::Versions(_)
            | Action::Escalation(_)
    )
}

/// Whether the outcome of a lost attempt must be found out before anything else is done.
pub(super) fn must_be_settled(step: &Step) -> bool {
    step.effect() == Effect::Once
}

/// A step's check, filled in.
///
/// # Errors
/// When its template asks for what is not there.
pub(super) fn check(state: &State, index: usize) -> Result<Option<Check>, template::TemplateError> {
    let step = &state.steps[index].definition;
    let Some(check) = &step.check else { return Ok(None) };
    let action = template::render_action(&check.action, &context::of(state, Scoped::Step(step)))?;
    Ok(Some(Check { action, expect: check.expect.clone() }))
}

/// The approval is void when what it is bound to is not what would be done any more.
fn voided(state: &State, index: usize) -> Option<Event> {
    let ApprovalState::Given { asked, .. } = &state.approval else { return None };
    // The gate itself, or the first that it guards when it was skipped.
    if !state.is_gated(index) || state.gate_passed() {
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
    let Value::Object(mut fields) = state.created.target.clone() else { return Ok(None) };
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
