//! Whether a target is what it was: looked at before the first step of a run that changes something, against the record.
//!
//! The record is made at the first look while nothing is wrong, and changed by a person on drbot's host, or by a run that
//! put a server in place itself. What must stay true: no step that changes something begins on a server that is another
//! than the recorded one; and a server that is down keeps nobody from recovering it. A halt is never held up by this.

use std::{sync::PoisonError, time::Duration};

use super::{Engine, step::is_of_engine};
use crate::{
    access::Keeper,
    actions::{Context, Failure, identify::Found},
    clock::{Timestamp, elapsed},
    fingerprint::{Kind, Part, Recorded, Verdict, judge},
    ids::RunId,
    run::{lockdown, state::State},
    runbook::{
        action::{Action, Postgres},
        definition::{Effect, Step},
    },
};

/// The limit of one look.
const LOOK: Duration = Duration::from_secs(2);
/// A look at all servers is good for so long: a run may wait for people for hours.
const HOLDS: Duration = Duration::from_secs(60);
/// A server that did not answer is looked at again after so long, at the next step that changes something.
const AGAIN: Duration = Duration::from_secs(15);

/// What is on record for a target, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub found: Found,
    pub recorded: Vec<Recorded>,
}

/// What was seen of a run's servers: none of them was another than the recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identified {
    at: Timestamp,
    /// All of them answered.
    whole: bool,
}

impl Engine {
    /// Refuses a step that changes something on other servers than the recorded ones.
    pub(super) async fn must_be_the_recorded(
        &self,
        state: &State,
        step: &Step,
        context: &Context,
    ) -> Result<(), Failure> {
        let touches = !is_of_engine(&step.action) || matches!(step.action, Action::Parallel(_));
        if step.effect() == Effect::Read || !touches || lockdown::is_free(state.created.command.risk) {
            return Ok(());
        }
        self.must_be_the_same(state, context).await
    }

    /// Refuses to go on with a run on other servers than the recorded ones.
    pub(super) async fn must_be_the_same(&self, state: &State, context: &Context) -> Result<(), Failure> {
        if lockdown::is_free(state.created.command.risk) {
            return Ok(());
        }
        let Some(target) = &state.created.command.target else { return Ok(()) };
        let now = self.0.clock.now();
        let seen = self.0.identified.lock().unwrap_or_else(PoisonError::into_inner).get(&state.id).copied();
        let holds = |seen: Identified| elapsed(seen.at, now) < if seen.whole { HOLDS } else { AGAIN };
        if seen.is_some_and(holds) {
            return Ok(());
        }
        let Identity { found, recorded } = self.identity(target, context).await?;
        // drbot may have been lost after it had put a server in place, and before that was on record.
        let (own, others): (Vec<_>, Vec<_>) =
            found.parts.iter().cloned().partition(|part| is_put_in_place(state, part, &recorded));
        let mut new = match judge(&others, &recorded) {
            Verdict::Fits { new } => new,
            Verdict::Differs { found, recorded } => {
                return Err(Failure::WrongTarget { message: is_another(target, &found, &recorded) });
            }
        };
        new.extend(own);
        for (kind, why) in &found.unseen {
            tracing::warn!(run = %state.id.short(), target, kind = kind.name(), why, "whether it is the recorded server cannot be seen");
        }
        self.put_on_record(target, &new, &format!("run {}", state.id.short())).await?;
        let whole = found.unseen.is_empty();
        let identified = Identified { at: now, whole };
        self.0.identified.lock().unwrap_or_else(PoisonError::into_inner).insert(state.id, identified);
        Ok(())
    }

    /// The run has put a new server in the place of the old one: that is the recorded one from now on.
    pub(super) async fn put_in_place(&self, action: &Action, context: &Context) {
        let fresh = context.facts.get("mode").is_some_and(|mode| mode == "container");
        if !matches!(action, Action::Postgres(Postgres::Swap { .. })) || !fresh {
            return;
        }
        let cancel = context.cancel.child_token();
        let own = Context { cancel: cancel.clone(), timeout: LOOK, ..context.clone() };
        let found = self.within(LOOK * 2, &cancel, self.0.actions.identify(&own)).await.unwrap_or_default();
        let parts: Vec<_> = found.parts.into_iter().filter(|part| part.kind == Kind::Postgres).collect();
        for target in self.targets_on(context) {
            if parts.is_empty() {
                tracing::warn!(target, "the server that was put in place cannot be seen; it is looked at again");
            }
            if let Err(failure) = self.put_on_record(&target, &parts, &format!("run {}", context.labels.run)).await {
                tracing::error!(target, %failure, "the new server is not on record; `drbot fingerprint` accepts it");
            }
        }
    }

    /// What was seen of a run's servers does not hold any more.
    pub(super) fn look_anew(&self, run: RunId) {
        self.0.identified.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
    }

    /// All targets whose PostgreSQL is this one.
    fn targets_on(&self, context: &Context) -> Vec<String> {
        let Some(used) = context.target.as_ref().and_then(|target| target.postgres.as_ref()) else { return Vec::new() };
        let configuration = self.configuration();
        let same = configuration.settings.target.iter().filter(|(_, target)| {
            target.postgres.as_ref().is_some_and(|there| (&there.host, there.port) == (&used.host, used.port))
        });
        same.map(|(name, _)| name.clone()).collect()
    }

    /// What a target of the configuration is, and what is on record for it; `None` when there is no such target.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn identity_of(&self, target: &str) -> anyhow::Result<Option<Identity>> {
        let Some(context) = self.background(target, LOOK) else { return Ok(None) };
        Ok(Some(self.identity(target, &context).await?))
    }

    /// Puts these servers on record for a target, whatever was.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn accept(&self, keeper: &Keeper, target: &str, parts: &[Part]) -> anyhow::Result<()> {
        self.0.store.record_fingerprint(target, parts, keeper.by(), self.0.clock.now(), true).await?;
        self.noticed();
        Ok(())
    }

    /// Puts a target on record at the first look, and says by day when it is another than the recorded.
    pub(super) async fn note_identity(&self, target: &str) {
        let Ok(Some(Identity { found, recorded })) = self.identity_of(target).await else { return };
        match judge(&found.parts, &recorded) {
            Verdict::Fits { new } => {
                if let Err(failure) = self.put_on_record(target, &new, "drbot, at the first look").await {
                    tracing::warn!(target, %failure, "which servers this target is could not be put on record");
                }
            }
            Verdict::Differs { found, recorded } => {
                tracing::warn!(target, problem = is_another(target, &found, &recorded), "nothing is changed there");
            }
        }
    }

    async fn identity(&self, target: &str, context: &Context) -> Result<Identity, Failure> {
        let cancel = context.cancel.child_token();
        let own = Context { cancel: cancel.clone(), timeout: LOOK, ..context.clone() };
        // Each server has its time, so that one that hangs does not hide another.
        let looked = self.within(LOOK * 2, &cancel, self.0.actions.identify(&own)).await;
        let unanswered = || {
            let why = format!("no answer within {} s", LOOK.as_secs());
            Found { parts: Vec::new(), unseen: Kind::ALL.map(|kind| (kind, why.clone())).into() }
        };
        let recorded = self.0.store.fingerprint(target).await;
        let recorded = recorded.map_err(|error| Failure::failed(format!("{error:#}")))?;
        Ok(Identity { found: looked.unwrap_or_else(unanswered), recorded })
    }

    async fn put_on_record(&self, target: &str, parts: &[Part], by: &str) -> Result<(), Failure> {
        if parts.is_empty() || self.0.only_looks {
            return Ok(());
        }
        for part in parts {
            tracing::info!(target, kind = part.kind.name(), value = part.value, by, "a server is put on record");
        }
        let recorded = self.0.store.record_fingerprint(target, parts, by, self.0.clock.now(), false).await;
        recorded.map_err(|error| Failure::failed(format!("{error:#}")))
    }

    /// The name of the target that an action works on.
    pub(super) fn target_of(&self, context: &Context) -> Option<String> {
        let configuration = self.configuration();
        configuration.settings.target.iter().find_map(|(name, target)| {
            let same = context.target.as_ref().is_some_and(|used| used.postgres == target.postgres);
            same.then(|| name.clone())
        })
    }
}

/// Whether this is the server that a swap of this run has put in place (or was about to, when drbot was lost), which is not
/// on record yet: nothing was recorded since the swap began.
fn is_put_in_place(state: &State, part: &Part, recorded: &[Recorded]) -> bool {
    let swapped = state.steps.iter().find(|step| {
        matches!(step.definition.action, Action::Postgres(Postgres::Swap { .. }))
            && step.facts.get("mode").is_some_and(|mode| mode == "container")
    });
    let Some(begun) = swapped.and_then(|step| step.started_at) else { return false };
    let before = recorded.iter().find(|recorded| recorded.part.kind == part.kind);
    part.kind == Kind::Postgres && before.is_some_and(|before| before.part != *part && before.at < begun)
}

fn is_another(target: &str, found: &Part, recorded: &Recorded) -> String {
    let what = match found.kind {
        Kind::Postgres => "The PostgreSQL server",
        Kind::Docker => "The Docker engine",
    };
    format!(
        "{what} of the target {target} is not the recorded one: it is {}, and {} is on record since {} ({}). Nothing is \
         changed there. See drbot.toml for what the target leads to; if it is meant to be another by now, say so on \
         drbot's host: drbot fingerprint {target} --accept",
        found.value,
        recorded.part.value,
        recorded.at.format("%Y-%m-%d %H:%M"),
        recorded.by,
    )
}
