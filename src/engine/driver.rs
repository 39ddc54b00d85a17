//! The loop of one run: ask what is next, do it, ask again.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;

use super::{
    Engine, STORE_REST,
    live::{AppendError, Live},
};
use crate::{
    clock::Timestamp,
    ids,
    run::{
        event::{ApprovalAsked, Event, SkipReason},
        next::{self, About, Next},
        state::State,
    },
    runbook::template::TemplateError,
};

/// The longest time that an approval stays open, whatever the file says.
const LONGEST_APPROVAL: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) async fn drive(engine: Engine, live: Arc<Live>) {
    while !engine.0.stopping.is_cancelled() {
        // A panic leaves the step that was under way of unknown outcome, as a crash does, and is settled like one.
        let turn = AssertUnwindSafe(turn(&engine, &live)).catch_unwind().await;
        let rest = || engine.wait(&live, Some(engine.0.clock.now() + STORE_REST));
        match turn {
            Ok(Ok(Turn::Go)) => {}
            Ok(Ok(Turn::Ended)) => return engine.leave(&live),
            // Somebody's click came in between: look again.
            Ok(Err(AppendError::Moved)) => {
                tracing::debug!(run = %live.id().short(), "the run has changed in the meantime")
            }
            Ok(Err(error)) if error.is_lost() => {
                tracing::error!(run = %live.id().short(), %error, "this run is left alone from now on");
                return engine.leave(&live);
            }
            Ok(Err(AppendError::Illegal(illegal))) => {
                tracing::error!(run = %live.id().short(), %illegal, "drbot wanted what cannot be");
                rest().await;
            }
            Ok(Err(AppendError::Store(error))) => {
                tracing::error!(
                    run = %live.id().short(),
                    error = format!("{error:#}"),
                    "the journal cannot be written; nothing proceeds until it can"
                );
                rest().await;
            }
            Err(_) => {
                tracing::error!(run = %live.id().short(), "drbot has an error in itself (a panic); the step is settled like after a crash");
                rest().await;
            }
        }
    }
}

enum Turn {
    Go,
    Ended,
}

async fn turn(engine: &Engine, live: &Arc<Live>) -> Result<Turn, AppendError> {
    let state = live.state().await;
    let now = engine.0.clock.now();
    if engine.hold(live, &state, Some(&next::unhindered(&state, now))).await? {
        return Ok(Turn::Go);
    }
    match next::next(&state, now) {
        Next::Begin { step } => engine.begin_step(live, &state, step).await?,
        Next::Settle { step } => engine.settle(live, &state, step).await?,
        Next::Skip { step } => {
            let step = state.steps[step].definition.id.clone();
            engine.append_on(live, &state, Event::StepSkipped { step, reason: SkipReason::Condition }).await?;
        }
        Next::AskApproval { round } => {
            let asked = engine.approval(&state, round);
            engine.append_on(live, &state, Event::ApprovalAsked(Box::new(asked))).await?;
        }
        Next::WaiveApproval { round } => {
            let waived = engine.waiver(&state, round);
            engine.append_on(live, &state, waived).await?;
        }
        Next::ExpireApproval { round } => engine.append_on(live, &state, Event::ApprovalExpired { round }).await?,
        Next::Ask { step, about } => engine.append_on(live, &state, question(&state, step, about)).await?,
        Next::Undo { step, attempt } => engine.undo(live, &state, step, attempt).await?,
        Next::Recover => engine.append_on(live, &state, Event::Recovered).await?,
        Next::Finish { outcome, message } => {
            engine.append_on(live, &state, Event::Finished { outcome, message }).await?
        }
        Next::Wait { until, .. } => engine.wait(live, until).await,
        Next::Ended => return Ok(Turn::Ended),
    }
    Ok(Turn::Go)
}

fn question(state: &State, index: usize, about: About) -> Event {
    let step = &state.steps[index];
    Event::QuestionAsked {
        step: step.definition.id.clone(),
        token: ids::random_token(),
        question: about.question(step),
        choices: about.choices(step, state.past_return()),
    }
}

impl Engine {
    fn leave(&self, live: &Live) {
        self.forget(live.id());
        self.announce(live.id());
    }

    /// Holds no work: returns when somebody wakes the run, at `until`, or when drbot stops.
    pub(super) async fn wait(&self, live: &Live, until: Option<Timestamp>) {
        let due = async {
            match until {
                Some(at) => self.0.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = live.wake.notified() => {}
            () = due => {}
            () = self.0.stopping.cancelled() => {}
        }
    }

    /// What approvers are asked: the plan as it is rendered now, and what binds their yes to it.
    pub(super) fn approval(&self, state: &State, round: u32) -> ApprovalAsked {
        self.approval_with(state, round, super::step::render_for_people)
    }

    /// That nobody is asked, and the proof for people.
    pub(super) fn waiver(&self, state: &State, round: u32) -> Event {
        let approval = state.created.command.approval.as_ref();
        let because = approval.and_then(|approval| approval.because.as_deref()).map(|because| {
            let text = super::step::render_for_people(state, because);
            text.map_or_else(|error| format!("(cannot be told: {error})"), |text| self.0.secrets.mask(&text))
        });
        Event::ApprovalWaived { round, because: because.unwrap_or_default() }
    }

    /// The approval's texts, filled in by `render`.
    pub(super) fn approval_with(
        &self,
        state: &State,
        round: u32,
        render: impl Fn(&State, &str) -> Result<String, TemplateError>,
    ) -> ApprovalAsked {
        let plan = super::step::plan_lines(state);
        let approval = state.created.command.approval.clone();
        let shown = |template: Option<String>| {
            let text = template?;
            match render(state, &text) {
                Ok(text) => Some(self.0.secrets.mask(&text)),
                Err(error) => Some(format!("(cannot be told: {error})")),
            }
        };
        let expires =
            approval.as_ref().map_or(Duration::from_secs(300), |approval| approval.expires.0.min(LONGEST_APPROVAL));
        ApprovalAsked {
            round,
            token: ids::random_token(),
            // What cannot be rendered matches nothing at the gate, so it is never done.
            plan_hash: crate::run::plan::hash(state).unwrap_or_default(),
            plan,
            cost: shown(approval.as_ref().and_then(|approval| approval.cost.clone())),
            confirm: shown(approval.and_then(|approval| approval.confirm)),
            expires_at: self.0.clock.now() + expires,
        }
    }

    /// Journals a sample of each target's database from time to time, so that losses can be told when it is gone, and
    /// proves new backups before they are needed; and notes which version runs, so that a good one is known, and
    /// which servers the target is.
    pub(super) fn start_sampling(&self) {
        let configuration = self.configuration();
        for (name, target) in &configuration.settings.target {
            let Some(every) = target.sample_every else { continue };
            let every = every.0.max(Duration::from_secs(1));
            let engine = self.clone();
            let name = name.clone();
            let database = target.postgres.as_ref().map(|postgres| postgres.database.clone());
            self.0.tasks.spawn(async move {
                loop {
                    engine.note_identity(&name).await;
                    engine.note_version(&name, every).await;
                    if let Some(database) = &database {
                        engine.sample(&name, database).await;
                        engine.prove_newest_backup(&name, database).await;
                    }
                    tokio::select! {
                        () = engine.0.clock.sleep(every) => {}
                        () = engine.0.stopping.cancelled() => return,
                    }
                }
            });
        }
    }
}
