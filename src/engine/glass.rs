//! Break-glass, and the review that it leaves behind.

use super::{
    Engine,
    abort::{SHORTEST, plain_id},
    answers::{AnswerError, goes_forward},
};
use crate::{
    access::{self, Caller, Refusal},
    contacts::ladder,
    ids::RunId,
    run::{
        event::{ApprovalAsked, Event},
        glass::{self, GlassBroken, Review},
        notice::Notice,
        state::{ApprovalState, State},
    },
};

/// Why nothing counts as reviewed.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error("no review is open")]
    Nothing,
    /// Several are; one for each run is here.
    #[error("several reviews are open")]
    Which(Vec<Review>),
    #[error("there is no review of {run}")]
    Unknown { run: String, open: Vec<Review> },
    #[error("{by} has done it")]
    Done { by: String, at: crate::clock::Timestamp },
    #[error("a note is needed")]
    NoteNeeded,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the store failed")]
    Store(#[source] anyhow::Error),
}

impl Engine {
    /// What `caller` has to type to let the run go on alone, when they may.
    ///
    /// # Errors
    /// Why they may not.
    pub async fn may_break_glass(&self, run: RunId, caller: &Caller, token: &str) -> Result<String, AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        let state = live.state().await;
        self.asked_for(&state, token)?;
        access::break_glass(&self.configuration().settings, &state, caller, self.0.clock.now())?;
        goes_forward(&state, &*self.standing().await)?;
        Ok(glass::word(&state))
    }

    /// Lets a run go on without the approval that it waits for.
    ///
    /// # Errors
    /// Why not.
    pub async fn break_glass(
        &self,
        run: RunId,
        caller: &Caller,
        token: &str,
        typed: &str,
        reason: &str,
    ) -> Result<(), AnswerError> {
        let live = self.live(run).ok_or(AnswerError::Ended)?;
        let contacts = match self.0.store.contacts().await {
            Ok(contacts) => contacts,
            Err(error) => {
                // Told without names: the message stands in the channel all the same.
                tracing::error!(error = format!("{error:#}"), "the contacts cannot be read");
                Vec::new()
            }
        };
        let configuration = self.configuration();
        let settings = &configuration.settings;
        let standing = self.standing().await;
        self.append_if(&live, |state| {
            let now = self.0.clock.now();
            let asked = self.asked_for(state, token)?;
            let grounds = access::break_glass(settings, state, caller, now)?;
            goes_forward(state, &standing)?;
            let expected = glass::word(state);
            if typed.trim() != expected {
                return Err(AnswerError::WrongConfirmation { expected });
            }
            let reason = self.0.secrets.mask(reason.trim());
            if !glass::says_why(&reason) {
                return Err(AnswerError::ReasonTooShort);
            }
            let (called, unreachable) = ladder::reach(&state.created, &settings.break_glass.page, &contacts);
            Ok(Event::GlassBroken(Box::new(GlassBroken {
                round: asked.round,
                by: caller.person.clone(),
                plan_hash: asked.plan_hash.clone(),
                reason,
                grounds,
                called,
                unreachable,
                review_by: now + settings.break_glass.review_within.0,
            })))
        })
        .await?;
        drop(standing);
        tracing::warn!(run = %run.short(), by = caller.person.name, "the glass is broken: a run goes on unapproved");
        super::metrics::glass_broken(&live.state().await.created.command.name);
        self.woken(&live);
        self.count_reviews().await;
        Ok(())
    }

    fn asked_for<'a>(&self, state: &'a State, token: &str) -> Result<&'a ApprovalAsked, AnswerError> {
        if matches!(state.approval, ApprovalState::Lapsed { .. }) {
            return Err(AnswerError::Expired);
        }
        let asked = state.approval.asked().filter(|asked| asked.token == token).ok_or(AnswerError::Stale)?;
        if self.0.clock.now() >= asked.expires_at {
            return Err(AnswerError::Expired);
        }
        Ok(asked)
    }

    /// Whether `caller` may review a run's broken glass.
    ///
    /// # Errors
    /// Why not.
    pub async fn may_review(&self, run: RunId, caller: &Caller) -> Result<(), ReviewError> {
        self.to_be_reviewed(run, caller).await.map(|_| ())
    }

    /// The open reviews that are named as people name a run, or the only one; then it is done.
    ///
    /// # Errors
    /// Why not.
    pub async fn review_named(&self, run: Option<&str>, caller: &Caller, note: &str) -> Result<Review, ReviewError> {
        let open = self.0.store.open_reviews().await.map_err(ReviewError::Store)?;
        let runs: std::collections::BTreeSet<_> = open.iter().map(|review| review.run).collect();
        let run = match run.map(str::trim).filter(|run| !run.is_empty()) {
            Some(run) => {
                let wanted = plain_id(run);
                let found = self.0.store.find_runs(&wanted).await.map_err(ReviewError::Store)?;
                match found.as_slice() {
                    [one] if wanted.len() >= SHORTEST => one.id,
                    _ => return Err(ReviewError::Unknown { run: run.to_owned(), open }),
                }
            }
            None if runs.len() > 1 => return Err(ReviewError::Which(open)),
            None => runs.first().copied().ok_or(ReviewError::Nothing)?,
        };
        self.review(run, caller, note).await
    }

    /// Somebody has looked at a run's broken glass.
    ///
    /// # Errors
    /// Why it does not count.
    pub async fn review(&self, run: RunId, caller: &Caller, note: &str) -> Result<Review, ReviewError> {
        let review = self.to_be_reviewed(run, caller).await?;
        let note = self.0.secrets.mask(note.trim());
        if note.is_empty() {
            return Err(ReviewError::NoteNeeded);
        }
        let now = self.0.clock.now();
        let notice = Notice::Reviewed {
            run,
            command: review.command.clone(),
            breaker: review.breaker.name.clone(),
            by: caller.person.name.clone(),
            note: note.clone(),
        };
        let done = self.0.store.finish_reviews(run, &caller.person, &note, now, &notice).await;
        if !done.map_err(ReviewError::Store)? {
            return Err(self.to_be_reviewed(run, caller).await.err().unwrap_or(ReviewError::Nothing));
        }
        self.noticed();
        self.count_reviews().await;
        Ok(review)
    }

    /// The first open review of a run that is for `caller` to do.
    async fn to_be_reviewed(&self, run: RunId, caller: &Caller) -> Result<Review, ReviewError> {
        let reviews = self.0.store.reviews_of(run).await.map_err(ReviewError::Store)?;
        let Some(last) = reviews.last().cloned() else {
            let open = self.0.store.open_reviews().await.map_err(ReviewError::Store)?;
            return Err(ReviewError::Unknown { run: run.short(), open });
        };
        let open: Vec<_> = reviews.into_iter().filter(|review| review.done.is_none()).collect();
        let settings = &self.configuration().settings;
        let Some(first) = open.first() else {
            access::review(settings, last.breaker.id, caller)?;
            return Err(match last.done {
                Some((by, at)) => ReviewError::Done { by, at },
                None => ReviewError::Nothing,
            });
        };
        // One of another's may be among their own.
        let theirs = open.iter().find(|review| review.breaker.id != caller.person.id).unwrap_or(first);
        access::review(settings, theirs.breaker.id, caller)?;
        Ok(theirs.clone())
    }

    /// Tells the channel of reviews that nobody has done in time; again each time so long has passed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remind_of_reviews(&self) -> anyhow::Result<()> {
        let now = self.0.clock.now();
        let overdue = self.0.store.overdue_reviews(now).await?;
        if overdue.is_empty() {
            return Ok(());
        }
        let contacts = self.0.store.contacts().await?;
        let configuration = self.configuration();
        let settings = &configuration.settings.break_glass;
        // What is wrong with one holds up none of the others.
        let mut failed = None;
        for review in overdue {
            // Told without names where the run cannot be read: the message stands in the channel all the same.
            let called = match self.snapshot(review.run).await {
                Ok(Some(snapshot)) => ladder::reach(&snapshot.state.created, &settings.page, &contacts).0,
                Ok(None) => Vec::new(),
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(run = %review.run.short(), error, "the run of an overdue review cannot be read");
                    Vec::new()
                }
            };
            let notice = Notice::ReviewOverdue {
                run: review.run,
                command: review.command.clone(),
                breaker: review.breaker.name.clone(),
                due_at: review.due_at,
                called,
            };
            match self.0.store.remind_of_review(&review, &notice, now, now + settings.review_within.0).await {
                Ok(()) => tracing::warn!(run = %review.run.short(), "a broken glass is not reviewed in time"),
                Err(error) => failed = Some(error),
            }
        }
        self.noticed();
        failed.map_or(Ok(()), Err)
    }

    /// For the figures.
    pub async fn count_reviews(&self) {
        if let Ok(open) = self.0.store.open_reviews().await {
            super::metrics::reviews_open(open.len());
        }
    }
}
