//! A look at a run before anybody starts it: what `drbot plan` shows.
//!
//! What must stay true: nothing is done and nothing is remembered. Only actions that are a look are asked, by the very
//! code that a run's steps go through, each within [`LOOK`]; the approval's texts are made by the very code that asks
//! for the approval. So what is shown here is what the approver will see, as far as it is known.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Engine,
    request::{RequestError, check_options, imagined},
};
use crate::{
    access,
    run::{
        context::{self, Scoped},
        event::Event,
        history::{self, History},
        plan,
        preview::{Preview, Probed},
        state::{ApprovalState, State, Status},
    },
    runbook::{
        definition::{Command, Effect},
        template,
    },
};

/// The limit of one probe of a preview; a step's own limit where it is shorter.
pub const LOOK: Duration = Duration::from_secs(30);

/// How many runs the figures are made of, at most.
const RUNS: u32 = 100;

impl Engine {
    /// What a command would do with these options. Its probes are asked when `probe` says so; otherwise nothing outside
    /// is touched.
    ///
    /// # Errors
    /// When the options do not fit, or a template is wrong in itself.
    pub async fn preview(
        &self,
        command: &Command,
        options: BTreeMap<String, String>,
        probe: bool,
    ) -> Result<Preview, RequestError> {
        let configuration = self.configuration();
        let broken = |error: template::TemplateError| RequestError::Broken(error.to_string());
        check_options(command, &options)?;
        let mut state = imagined(&configuration, command, options, self.0.clock.now())?;
        let mut probes = BTreeMap::new();
        if probe {
            self.check_choices(&configuration, command, &state.created.options).await?;
            for index in 0..asked_at(&state) {
                if let Some(found) = self.look_ahead(&mut state, index).await {
                    probes.insert(state.steps[index].definition.id.clone(), found);
                }
            }
        }
        let plan = plan::plan(&state).map_err(broken)?;
        let as_known = |state: &State, text: &str| {
            template::plan_text(text, &context::of(state, Scoped::Command)).map(|planned| planned.value)
        };
        let lock = command.lock.as_deref().map(|lock| as_known(&state, lock)).transpose().map_err(broken)?;
        let asked = command.approval.is_some().then(|| self.approval_with(&state, 1, as_known));
        if let Some(asked) = &asked {
            state.approval =
                ApprovalState::Pending { asked: asked.clone(), asked_at: state.created_at, yes: Vec::new() };
        }
        Ok(Preview { plan, asked, lock, probes, history: None, state })
    }

    /// How long runs of a command took.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn history(&self, command: &Command) -> anyhow::Result<History> {
        let store = &self.0.store;
        let mut runs = Vec::new();
        for run in store.finished_runs(&command.name, command.target.as_deref(), RUNS).await? {
            // A journal that cannot be read tells nothing of how long it took.
            runs.extend(store.journal(run).await.ok().and_then(|journal| State::replay(&journal).ok()));
        }
        Ok(history::of(&runs))
    }

    /// Asks one step that only looks, and keeps what it found for those after it. `None` for steps that do something.
    async fn look_ahead(&self, state: &mut State, index: usize) -> Option<Probed> {
        let step = state.steps[index].definition.clone();
        if step.effect() != Effect::Read {
            return None;
        }
        if !step.action.is_a_look() {
            return Some(Probed::NotAsked("it is more than a look".to_owned()));
        }
        let seen = context::of(state, Scoped::Step(&step));
        let planned = template::plan_action(&step.action, &seen);
        if !planned.is_ok_and(|planned| planned.known) {
            return Some(Probed::NotAsked("it needs what a step before it finds".to_owned()));
        }
        let action = match template::render_action(&step.action, &seen) {
            Ok(action) => action,
            Err(error) => return Some(Probed::Failed(error.to_string())),
        };
        let limit = step.timeout().0.min(LOOK);
        let mut context = match self.context(state, &step.id, 1).await {
            Ok(context) => context,
            Err(error) => return Some(Probed::Failed(format!("{error:#}"))),
        };
        context.timeout = limit;
        let cancel = context.cancel.clone();
        let permit = access::background_read();
        let work = Box::pin(self.act(&permit, &step, &action, &context));
        let done = match self.within(limit, &cancel, work).await {
            Some(Ok(done)) => done,
            Some(Err(failure)) => return Some(Probed::Failed(self.0.secrets.mask(&failure.to_string()))),
            None => return Some(Probed::Failed(format!("no answer within {} s", limit.as_secs()))),
        };
        match self.succeeded(&step, 1, done) {
            Ok(Event::StepSucceeded { outputs, summary, .. }) => {
                let known = &mut state.steps[index];
                known.status = Status::Succeeded;
                known.outputs = outputs;
                known.summary.clone_from(&summary);
                Some(Probed::Found(summary))
            }
            Ok(_) => None,
            Err(message) => Some(Probed::Failed(self.0.secrets.mask(&message))),
        }
    }
}

/// How many steps are done when the approval is asked for; all of them without one.
fn asked_at(state: &State) -> usize {
    let Some(approval) = &state.created.command.approval else { return state.steps.len() };
    let position = |id: &str| state.steps.iter().position(|step| step.definition.id == id);
    match &approval.after {
        Some(after) => position(after).map_or(0, |index| index + 1),
        None => position(&approval.before).unwrap_or(0),
    }
}
