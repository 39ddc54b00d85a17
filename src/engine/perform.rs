//! The work itself, within its limits: timeout, cancel, and the actions that are the engine's own.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Engine, STORE_REST,
    live::{AppendError, Live, LiveProgress},
    outputs,
    step::{Attempted, must_be_settled},
};
use crate::{
    access::{self, Permit},
    actions::{Context, Done, Failure, Fields, Progress, ProgressValue},
    run::{
        event::{Event, FailureKind},
        lockdown,
        next::{self, Next},
    },
    runbook::{
        action::{Action, Escalation, Postgres, Wait},
        definition::{Check, Step},
    },
    sample::Sample,
};

/// How long an action may take to stop once it is told to.
const STOPPING: Duration = Duration::from_secs(15);
/// How long a probe that is over its time may take to end by itself before it is dropped.
const LAST_WORD: Duration = Duration::from_millis(250);
/// The limit of proving a backup while nothing runs.
const PROOF: Duration = Duration::from_secs(300);
/// The limit of one probe of a `wait`.
const PROBE: Duration = Duration::from_secs(5);

impl Engine {
    /// One attempt under the step's limit. When the time is up, or somebody stops it, the work is really stopped
    /// before this returns.
    pub(super) async fn attempt(
        &self,
        live: &Arc<Live>,
        permit: &Permit,
        step: &Step,
        action: &Action,
        mut context: Context,
    ) -> Attempted {
        let (sender, receiver) = watch::channel(ProgressValue::default());
        context.progress = Progress::new(sender);
        let limit = step.timeout().0;
        let work = Box::pin(async {
            let done = self.act(permit, step, action, &context).await?;
            self.verify(step.check.as_ref(), &context).await?;
            Ok(done)
        });
        let told = (step.id.as_str(), receiver.clone());
        let aside = async {
            tokio::join!(self.forward(live, told), self.meanwhile(live, true));
        };
        let (result, timed_out) = self.supervise(&context.cancel, limit, work, aside).await;
        let result = result.unwrap_or_else(|| {
            let message = format!("it was told to stop, and did not within {} s", STOPPING.as_secs());
            Err(Failure::Unknown { message })
        });
        let by_person = context.cancel.is_cancelled() && !timed_out;
        let kind = match (timed_out, by_person) {
            (true, _) => FailureKind::TimedOut,
            (_, true) => FailureKind::Cancelled,
            _ => FailureKind::Failed,
        };
        match result {
            Ok(done) => Attempted::Done(done),
            Err(Failure::Cancelled | Failure::Unknown { .. }) if self.0.halting.is_cancelled() => Attempted::Parked,
            Err(Failure::Cancelled) if must_be_settled(step) => {
                let reason = if timed_out {
                    format!("it was stopped after {}", step.timeout())
                } else {
                    "it was stopped".to_owned()
                };
                Attempted::Unsettled { reason, kind }
            }
            Err(Failure::Cancelled) if timed_out => Attempted::TimedOut { last: receiver.borrow().doing.clone() },
            Err(Failure::Unknown { message }) if must_be_settled(step) => {
                Attempted::Unsettled { reason: message, kind }
            }
            Err(failure) => Attempted::Failed(failure),
        }
    }

    /// Awaits work for at most `limit`, or until `cancel` fires; then tells it to stop and sees it stop. Says whether
    /// the time was up. `None`: it did not stop, and was dropped. What is `aside` goes on meanwhile, and never ends.
    pub(super) async fn supervise<T>(
        &self,
        cancel: &CancellationToken,
        limit: Duration,
        mut work: impl Future<Output = T> + Unpin,
        aside: impl Future<Output = ()>,
    ) -> (Option<T>, bool) {
        let timed_out = tokio::select! {
            result = &mut work => return (Some(result), false),
            () = aside => unreachable!("what is aside never ends"),
            () = self.0.clock.sleep(limit) => true,
            () = cancel.cancelled() => false,
        };
        cancel.cancel();
        (self.0.clock.timeout(STOPPING, work).await, timed_out)
    }

    /// Awaits a probe for at most `limit`. When that is over it is told to stop, and dropped a moment later.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        cancel: &CancellationToken,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = Box::pin(work);
        tokio::select! {
            result = &mut work => Some(result),
            () = self.0.clock.sleep(limit) => {
                cancel.cancel();
                self.0.clock.timeout(LAST_WORD, work).await;
                None
            }
        }
    }

    /// Makes what the action says of its progress known, for as long as it is awaited.
    async fn forward(&self, live: &Live, (step, mut receiver): (&str, watch::Receiver<ProgressValue>)) {
        let since = self.0.clock.now();
        while receiver.changed().await.is_ok() {
            let mut value = receiver.borrow_and_update().clone();
            value.doing = self.0.secrets.mask(&value.doing);
            live.progress.send_replace(Some(LiveProgress { step: step.to_owned(), since, value }));
            self.announce(live.id());
        }
        std::future::pending::<()>().await;
    }

    /// What goes on beside a step: the approval is asked for, expires, and is void in a lockdown. A run that is being ended stops its step
    /// (`stops`), but not the look at what became of it.
    pub(super) async fn meanwhile(&self, live: &Arc<Live>, stops: bool) {
        loop {
            let state = live.state().await;
            if stops && state.ending.is_some() {
                live.cancel_attempt();
            }
            let aside = next::aside(&state, self.0.clock.now());
            match self.hold(live, &state, aside.as_ref()).await {
                Ok(false) => {}
                Ok(true) | Err(AppendError::Moved) => continue,
                Err(error) => {
                    tracing::warn!(run = %live.id().short(), %error, "the lockdown could not be journaled");
                    self.0.clock.sleep(STORE_REST).await;
                    continue;
                }
            }
            let event = match aside.filter(|aside| state.held.is_none() || !lockdown::forbids(&state, aside)) {
                Some(Next::AskApproval { round }) => Event::ApprovalAsked(Box::new(self.approval(&state, round))),
                Some(Next::WaiveApproval { round }) => self.waiver(&state, round),
                Some(Next::ExpireApproval { round }) => Event::ApprovalExpired { round },
                _ => {
                    self.wait(live, next::approval_expiry(&state)).await;
                    if self.0.stopping.is_cancelled() {
                        std::future::pending::<()>().await;
                    }
                    continue;
                }
            };
            match self.append_on(live, &state, event).await {
                Ok(()) | Err(AppendError::Moved) => {}
                Err(error) => {
                    tracing::warn!(run = %live.id().short(), %error, "the approval could not be journaled");
                    self.0.clock.sleep(STORE_REST).await;
                }
            }
        }
    }

    /// Does an action and judges its result. Demands the permit: nothing acts without access having been asked.
    pub(super) async fn act(
        &self,
        permit: &Permit,
        step: &Step,
        action: &Action,
        context: &Context,
    ) -> Result<Done, Failure> {
        let (done, verdict) = self.act_and_judge(permit, step, action, context).await?;
        match verdict {
            Ok(()) => Ok(done),
            Err(message) if matches!(action, Action::Parallel(_)) => {
                Err(Failure::Found { message, log: done.log, found: done.fields })
            }
            Err(message) => Err(Failure::Failed { message, log: done.log }),
        }
    }

    /// Does an action; what it found, and why that is no success.
    async fn act_and_judge(
        &self,
        permit: &Permit,
        step: &Step,
        action: &Action,
        context: &Context,
    ) -> Result<(Done, Result<(), String>), Failure> {
        let done = match action {
            Action::Wait(wait) => return Ok((self.wait_until(permit, step, wait, context).await?, Ok(()))),
            Action::Parallel(branches) => self.parallel(permit, branches, context).await?,
            Action::Notify(notify) => Done::new(notify.message.clone()).with("message", notify.message.clone()),
            Action::Versions(versions) => self.versions(permit, versions, context).await?,
            Action::Escalation(Escalation::Look {}) => Box::pin(self.look_at_escalation(permit)).await?,
            Action::Ask(_) | Action::Call(_) => return Err(Failure::refused("this is no action of its own")),
            action => self.0.actions.perform(action, context).await?,
        };
        let verdict = outputs::judge(action, step.expect.as_deref(), step.says.as_deref(), &done);
        if verdict.is_err() {
            return Ok((done, verdict));
        }
        self.remember(action, &done, context).await;
        self.put_in_place(action, context).await;
        let summary = outputs::line(step.says.as_deref(), &done).unwrap_or_else(|| done.summary.clone());
        Ok((Done { summary, ..done }, verdict))
    }

    /// Does what only reads, whoever carries it out.
    pub(super) async fn look_at(&self, action: &Action, context: &Context) -> Result<Done, Failure> {
        match action {
            Action::Versions(versions) => self.versions(&access::background_read(), versions, context).await,
            Action::Escalation(Escalation::Look {}) => {
                Box::pin(self.look_at_escalation(&access::background_read())).await
            }
            action => self.0.actions.perform(action, context).await,
        }
    }

    /// The step's check, after its action.
    async fn verify(&self, check: Option<&Check>, context: &Context) -> Result<(), Failure> {
        let Some(check) = check else { return Ok(()) };
        let done = self.look_at(&check.action, context).await?;
        outputs::judge(&check.action, check.expect.as_deref(), None, &done)
            .map_err(|message| Failure::failed(format!("its effect is not there: {message}")))
    }

    async fn wait_until(&self, permit: &Permit, step: &Step, wait: &Wait, context: &Context) -> Result<Done, Failure> {
        let stopped = || Failure::Cancelled;
        if let Some(duration) = wait.duration {
            tokio::select! {
                () = self.0.clock.sleep(duration.0) => {}
                () = context.cancel.cancelled() => return Err(stopped()),
            }
        }
        let Some(until) = &wait.until else { return Ok(Done::new("waited")) };
        let mut in_a_row = 0;
        loop {
            let mut probe_context = context.clone();
            probe_context.cancel = context.cancel.child_token();
            let probe = Box::pin(self.act(permit, step, until, &probe_context));
            // Its own token ends with the attempt's: what it does then is still seen to its end.
            let result = self.within(PROBE, &probe_context.cancel, probe).await;
            let last = match result {
                Some(Ok(done)) => {
                    in_a_row += 1;
                    if in_a_row >= wait.times {
                        let summary = match in_a_row {
                            1 => done.summary.clone(),
                            times => format!("{times} times in a row: {}", done.summary),
                        };
                        return Ok(Done { summary, ..done });
                    }
                    done.summary
                }
                Some(Err(Failure::Cancelled)) if context.cancel.is_cancelled() => return Err(stopped()),
                Some(Err(failure)) => {
                    in_a_row = 0;
                    failure.to_string()
                }
                None => {
                    in_a_row = 0;
                    format!("no answer within {} s", PROBE.as_secs())
                }
            };
            context.progress.report(ProgressValue {
                done: u64::from(in_a_row),
                total: u64::from(wait.times),
                unit: "checks",
                doing: last,
            });
            tokio::select! {
                () = self.0.clock.sleep(wait.every.0) => {}
                () = context.cancel.cancelled() => return Err(stopped()),
            }
        }
    }

    /// All branches at once, each with a limit of its own; what one does never delays another.
    async fn parallel(&self, permit: &Permit, branches: &[Step], context: &Context) -> Result<Done, Failure> {
        let results = join_all(branches.iter().map(|branch| self.branch(permit, branch, context))).await;
        if context.cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        outputs::of_branches(branches, results)
    }

    /// What a branch leaves for later, as far as it was found, and how it went: what fails its `expect` was seen, too.
    async fn branch(&self, permit: &Permit, branch: &Step, context: &Context) -> (Fields, Result<Done, Failure>) {
        let limit = branch.timeout().0;
        let mut own = context.clone();
        own.cancel = context.cancel.child_token();
        own.timeout = limit;
        own.progress = Progress::default();
        own.labels.step = format!("{}.{}", context.labels.step, branch.id);
        let work = Box::pin(self.act_and_judge(permit, branch, &branch.action, &own));
        let (done, verdict) = match self.within(limit, &own.cancel, work).await {
            Some(Ok(found)) => found,
            Some(Err(failure)) => return (Fields::new(), Err(failure)),
            None => return (Fields::new(), Err(Failure::failed(format!("no answer within {}", branch.timeout())))),
        };
        outputs::of_branch(branch, done, verdict)
    }

    /// Keeps counts that were read from the living database, for the day when it cannot be read.
    async fn remember(&self, action: &Action, done: &Done, context: &Context) {
        let Action::Postgres(Postgres::Counts { database } | Postgres::Assess { database }) = action else { return };
        if self.0.only_looks {
            return;
        }
        let is_live = context.target.as_ref().and_then(|target| target.postgres.as_ref());
        if is_live.is_none_or(|postgres| postgres.database != *database) {
            return;
        }
        // What is left of a damaged database tells nothing of what there was.
        let is = |field: &str, wanted: &str| done.fields.get(field).is_none_or(|value| value == wanted);
        let live = is("measured_by", "live") && is("database", "ok");
        let Some(tables) = done.fields.get("tables").filter(|_| live) else { return };
        let Ok(tables) = serde_json::from_value::<std::collections::BTreeMap<String, i64>>(tables.clone()) else {
            return;
        };
        let newest = done.fields.get("newest").and_then(|at| at.as_str()).and_then(|at| at.parse().ok());
        let sample = Sample { at: self.0.clock.now(), tables, newest };
        if let Some(name) = self.target_of(context)
            && !sample.tables.is_empty()
            && let Err(error) = self.0.store.put_sample(&name, &sample).await
        {
            tracing::warn!(error = format!("{error:#}"), "a sample could not be kept");
        }
    }

    /// The last sample of a target before a time that shows no damage.
    pub(super) async fn good_sample(
        &self,
        name: &str,
        target: Option<&crate::config::settings::Target>,
        before: crate::clock::Timestamp,
    ) -> Option<Sample> {
        let postgres = target?.postgres.as_ref()?;
        match self.0.store.samples(name, before).await {
            Ok(series) => crate::sample::last_good(series, &postgres.newest_table, &postgres.critical_tables),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "going on without the last sample");
                None
            }
        }
    }

    /// Reads a target's counts now; a database that cannot be read is nothing unusual here.
    pub(super) async fn sample(&self, target: &str, database: &str) {
        let Some(context) = self.background(target, PROBE) else { return };
        let action = Action::Postgres(Postgres::Counts { database: database.to_owned() });
        match self.within(PROBE, &context.cancel, self.0.actions.perform(&action, &context)).await {
            Some(Ok(done)) => self.remember(&action, &done, &context).await,
            Some(Err(failure)) => tracing::debug!(target_name = target, %failure, "no sample of the database"),
            None => tracing::debug!(target_name = target, "no sample of the database: it does not answer"),
        }
    }

    /// Proves the newest backup before it is needed, so that at 03:00 it is known to be good, and that a bad one is heard
    /// of by day.
    pub(super) async fn prove_newest_backup(&self, target: &str, database: &str) {
        let Some(context) = self.background(target, PROOF) else { return };
        let sample = self.good_sample(target, context.target.as_deref(), self.0.clock.now()).await;
        let context = Context { sample, ..context };
        let newest = Postgres::Verify { backup: "newest-verified".to_owned(), database: database.to_owned() };
        let action = Action::Postgres(newest);
        match self.within(PROOF, &context.cancel, self.0.actions.perform(&action, &context)).await {
            Some(Ok(done)) => tracing::debug!(target_name = target, backup = done.summary, "the newest backup is good"),
            Some(Err(Failure::Refused { message })) => {
                tracing::warn!(target_name = target, problem = message, "no backup of this target may be trusted");
            }
            Some(Err(failure)) => tracing::debug!(target_name = target, %failure, "the newest backup was not proved"),
            None => tracing::debug!(target_name = target, "the newest backup was not proved in time"),
        }
    }

    /// What an action is handed that belongs to no run: it may only read.
    pub(super) fn background(&self, target: &str, limit: Duration) -> Option<Context> {
        let configuration = self.configuration();
        let settings = configuration.settings.target.get(target)?;
        Some(Context {
            labels: crate::actions::Labels { run: "background".to_owned(), step: target.to_owned(), attempt: 1 },
            target: Some(Arc::new(settings.clone())),
            secrets: self.0.secrets.clone(),
            clock: self.0.clock.clone(),
            cancel: self.0.stopping.child_token(),
            timeout: limit,
            progress: Progress::default(),
            sample: None,
            facts: Fields::new(),
        })
    }
}
