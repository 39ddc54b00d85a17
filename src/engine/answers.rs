//! What people say to a run: yes, no, an answer, stop. Each is an event; none acts by itself.

use std::sync::Arc;

use super::{
    Engine,
    live::{AppendError, Live},
};
use crate::{
    access::{self, Caller, Refusal},
    ids::RunId,
    run::{
        event::{ApprovalAsked, Choice, Event},
        lockdown::{self, Lockdown},
        state::{ApprovalState, State},
    },
};

/// Why an answer does not count. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("there is no such run, or it has ended")]
    Ended,
    /// The button is of an earlier question.
    #[error("the button is of an earlier question")]
    Stale,
    #[error("the approval has expired")]
    Expired,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("not what was to be typed")]
    WrongConfirmation { expected: String },
    #[error("a reason is needed")]
    ReasonNeeded,
    #[error("a longer reason is needed")]
    ReasonTooShort,
    /// Neither approved nor answered, but for what ends the run.
    #[error("drbot is locked down")]
    LockedDown(Lockdown),
    /// Somebody was faster.
    #[error("{0}")]
    TooLate(String),
    #[error("the store failed")]
    Store(#[source] anyhow::Error),
}

impl From<AppendError> for AnswerError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Illegal(illegal) => Self::TooLate(illegal.why),
            AppendError::Moved => Self::TooLate(error.to_string()),
            AppendError::Store(error) => Self::Store(error),
        }
    }
}

impl Engine {
    /// What `caller` would approve, when they may.
    ///
    /// # Errors
    /// Why they may not.
    pub async fn may_approve(&self, run: RunId, caller: &Caller, token: &str) -> Result<ApprovalAsked, AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        let state = live.state().await;
        let asked = self.open_approval(&state, caller, token).cloned()?;
        goes_forward(&state, &*self.standing().await)?;
        Ok(asked)
    }

    /// A yes. Returns how many more are needed.
    ///
    /// # Errors
    /// Why it does not count.
    pub async fn approve(
        &self,
        run: RunId,
        caller: &Caller,
        token: &str,
        typed: Option<&str>,
    ) -> Result<usize, AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        let standing = self.standing().await;
        self.append_if(&live, |state| {
            let asked = self.open_approval(state, caller, token)?;
            goes_forward(state, &standing)?;
            if let Some(expected) = &asked.confirm
                && typed.map(str::trim) != Some(expected)
            {
                return Err(AnswerError::WrongConfirmation { expected: expected.clone() });
            }
            let plan_hash = asked.plan_hash.clone();
            Ok(Event::ApprovalGiven { round: asked.round, by: caller.person.clone(), plan_hash })
        })
        .await?;
        drop(standing);
        self.woken(&live);
        let state = live.state().await;
        Ok(match &state.approval {
            ApprovalState::Pending { yes, .. } => {
                let quorum = state.created.command.approval.as_ref().map_or(1, |approval| usize::from(approval.quorum));
                quorum.saturating_sub(yes.len())
            }
            _ => 0,
        })
    }

    /// Whether `caller` may say no to what was asked with this token.
    ///
    /// # Errors
    /// Why they may not.
    pub async fn may_deny(&self, run: RunId, caller: &Caller, token: &str) -> Result<(), AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        let state = live.state().await;
        if matches!(state.approval, ApprovalState::Lapsed { .. }) {
            return Err(AnswerError::Expired);
        }
        state.approval.asked().filter(|asked| asked.token == token).ok_or(AnswerError::Stale)?;
        Ok(access::deny(&self.configuration().settings, &state, caller)?)
    }

    /// A no. The run takes back what it can and ends.
    ///
    /// # Errors
    /// Why it does not count.
    pub async fn deny(&self, run: RunId, caller: &Caller, token: &str, reason: &str) -> Result<(), AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        self.append_if(&live, |state| {
            if matches!(state.approval, ApprovalState::Lapsed { .. }) {
                return Err(AnswerError::Expired);
            }
            let asked = state.approval.asked().filter(|asked| asked.token == token).ok_or(AnswerError::Stale)?;
            let round = asked.round;
            access::deny(&self.configuration().settings, state, caller)?;
            let reason = reason.trim();
            if reason.is_empty() {
                return Err(AnswerError::ReasonNeeded);
            }
            Ok(Event::ApprovalDenied { round, by: caller.person.clone(), reason: self.0.secrets.mask(reason) })
        })
        .await?;
        live.cancel_attempt();
        self.woken(&live);
        Ok(())
    }

    /// Takes a yes back, before the step has begun.
    ///
    /// # Errors
    /// Why it does not count.
    pub async fn withdraw(&self, run: RunId, caller: &Caller, token: &str) -> Result<(), AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        self.append_if(&live, |state| {
            let asked = state.approval.asked().filter(|asked| asked.token == token).ok_or(AnswerError::Stale)?;
            Ok::<_, AnswerError>(Event::ApprovalWithdrawn { round: asked.round, by: caller.person.clone() })
        })
        .await?;
        self.woken(&live);
        Ok(())
    }

    /// Has a lapsed approval asked for again.
    ///
    /// # Errors
    /// Why it does not count.
    pub async fn ask_again(&self, run: RunId, caller: &Caller) -> Result<(), AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        let standing = self.standing().await;
        self.append_if(&live, |state| {
            access::steer(&self.configuration().settings, state, caller)?;
            goes_forward(state, &standing)?;
            match &state.approval {
                ApprovalState::Lapsed { .. } => Ok(Event::ApprovalRenewed { by: caller.person.clone() }),
                _ => Err(AnswerError::Stale),
            }
        })
        .await?;
        drop(standing);
        self.woken(&live);
        Ok(())
    }

    /// Answers the open question with its choice number `index`.
    ///
    /// # Errors
    /// Why it does not count.
    pub async fn answer(
        &self,
        run: RunId,
        caller: &Caller,
        token: &str,
        index: usize,
        reason: Option<&str>,
    ) -> Result<(), AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        let standing = self.standing().await;
        self.append_if(&live, |state| {
            access::steer(&self.configuration().settings, state, caller)?;
            let question =
                state.question.as_ref().filter(|question| question.token == token).ok_or(AnswerError::Stale)?;
            let choice = question.choices.get(index).cloned().ok_or(AnswerError::Stale)?;
            // What ends the run is never in the way of a lockdown.
            if !matches!(choice, Choice::Abort | Choice::Undo) {
                goes_forward(state, &standing)?;
            }
            let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
            if choice.needs_reason() && reason.is_none() {
                return Err(AnswerError::ReasonNeeded);
            }
            Ok(Event::QuestionAnswered {
                step: question.step.clone(),
                choice,
                by: caller.person.clone(),
                reason: reason.map(|reason| self.0.secrets.mask(reason)),
            })
        })
        .await?;
        drop(standing);
        self.woken(&live);
        Ok(())
    }

    /// Stops a run: work under way is stopped, what can be taken back is.
    ///
    /// # Errors
    /// Why it does not count.
    pub async fn stop_run(&self, run: RunId, caller: &Caller, reason: Option<&str>) -> Result<(), AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        self.append_if(&live, |state| {
            access::steer(&self.configuration().settings, state, caller)?;
            if state.ending.is_some() {
                return Err(AnswerError::TooLate("it is being stopped already".to_owned()));
            }
            let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
            let reason = reason.map(|reason| self.0.secrets.mask(reason));
            Ok(Event::CancelAsked { by: caller.person.clone(), reason })
        })
        .await?;
        live.cancel_attempt();
        self.woken(&live);
        Ok(())
    }

    /// Whether the choice number `index` of the open question needs a reason, when `caller` may make it.
    ///
    /// # Errors
    /// Why they may not.
    pub async fn needs_reason(
        &self,
        run: RunId,
        caller: &Caller,
        token: &str,
        index: usize,
    ) -> Result<bool, AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        let state = live.state().await;
        access::steer(&self.configuration().settings, &state, caller)?;
        let question = state.question.as_ref().filter(|question| question.token == token).ok_or(AnswerError::Stale)?;
        Ok(question.choices.get(index).ok_or(AnswerError::Stale)?.needs_reason())
    }

    /// Whether `caller` may stop the run or answer for it.
    ///
    /// # Errors
    /// Why they may not.
    pub async fn may_steer(&self, run: RunId, caller: &Caller) -> Result<(), AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        access::steer(&self.configuration().settings, &live.state().await, caller).map_err(AnswerError::from)
    }

    pub(super) fn woken(&self, live: &Arc<Live>) {
        live.wake.notify_one();
    }

    fn open_approval<'a>(
        &self,
        state: &'a State,
        caller: &Caller,
        token: &str,
    ) -> Result<&'a ApprovalAsked, AnswerError> {
        if matches!(state.approval, ApprovalState::Lapsed { .. }) {
            return Err(AnswerError::Expired);
        }
        let asked = state.approval.asked().filter(|asked| asked.token == token).ok_or(AnswerError::Stale)?;
        access::approve(&self.configuration().settings, state, caller)?;
        if self.0.clock.now() >= asked.expires_at {
            return Err(AnswerError::Expired);
        }
        Ok(asked)
    }
}

/// Whether a run may be let go forward: not in a lockdown, unless it is free in it.
pub(super) fn goes_forward(state: &State, standing: &Option<Lockdown>) -> Result<(), AnswerError> {
    match standing {
        Some(lockdown) if !lockdown::is_free(state.created.command.risk) => {
            Err(AnswerError::LockedDown(lockdown.clone()))
        }
        _ => Ok(()),
    }
}
