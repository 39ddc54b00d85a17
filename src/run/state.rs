//! What a run is, folded from its events.
//!
//! [`State::apply`] is one `match` of legal transitions; anything else is an [`Illegal`] and changes nothing. So the
//! journal cannot hold a history that could not have happened, whoever writes it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{
    event::{ApprovalAsked, Choice, Created, Entry, Event, FailureKind, Paged, Person, SkipReason},
    glass::{self, GlassBroken},
    lockdown::{self, Lockdown},
    next::Next,
    outcome::Outcome,
};
use crate::{
    clock::Timestamp,
    ids::{IncidentId, RunId},
    runbook::{
        action::Action,
        definition::{Effect, OnFailure, Step},
    },
};

#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub id: RunId,
    /// What never changes is shared: a state is copied for every event.
    pub created: Arc<Created>,
    pub created_at: Timestamp,
    /// In the order of the definition.
    pub steps: Vec<StepState>,
    pub approval: ApprovalState,
    /// How many calls for approval expired although somebody could have answered, and nobody did.
    pub unanswered: u32,
    /// The round of the call for approval that a lockdown came into: nobody's yes counted for a while.
    pub disturbed: Option<u32>,
    pub question: Option<Question>,
    pub cancelled: Option<Person>,
    /// The disaster that it recovers from.
    pub incident: Option<IncidentId>,
    /// What was used last of the run's rungs, and when.
    pub paged: Option<(Timestamp, Paged)>,
    /// The lockdown that the run waits for the end of.
    pub held: Option<Lockdown>,
    /// When the last lockdown began that it was held by: what had been proved before does not hold any more.
    pub last_held: Option<Timestamp>,
    /// Once set, nothing goes forward any more: what was done is taken back, then the run ends like this.
    pub ending: Option<Ending>,
    pub recovered_at: Option<Timestamp>,
    pub finished: Option<Finished>,
    /// Sequence number and time of the last event.
    pub seq: u64,
    pub last_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    pub definition: Arc<Step>,
    pub status: Status,
    /// Attempts begun so far.
    pub attempts: u32,
    /// How often drbot was gone while it was under way.
    pub interruptions: u32,
    /// An attempt ended that may have left something in the world, whatever has become of the step since.
    pub touched: bool,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub outputs: Map<String, Value>,
    pub summary: String,
    /// The rendered action and facts of the last attempt.
    pub action: Option<Action>,
    pub facts: Map<String, Value>,
    pub undo: Undo,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    Pending,
    /// Its intent is journaled, its outcome is not. When nobody is at it (after a crash), it must be settled.
    Running,
    /// Being settled after a crash.
    Interrupted,
    /// It had not taken effect, or a person wants it tried again: to be begun again.
    Again,
    Failed {
        kind: FailureKind,
        message: String,
    },
    Unknown {
        reason: String,
    },
    Succeeded,
    Skipped(SkipReason),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Undo {
    None,
    Running { attempt: u32 },
    Done { summary: String },
    Failed { attempt: u32, message: String },
}

#[derive(Debug, Clone, PartialEq)]
pub enum ApprovalState {
    /// The command needs none.
    NotNeeded,
    NotAsked {
        round: u32,
    },
    Pending {
        asked: ApprovalAsked,
        asked_at: Timestamp,
        yes: Vec<Person>,
    },
    Given {
        asked: ApprovalAsked,
        asked_at: Timestamp,
        given_at: Timestamp,
        yes: Vec<Person>,
        /// Who let it go on without those who had to approve.
        forced: Option<Forced>,
    },
    Denied {
        by: Person,
        reason: String,
    },
    /// Nobody was asked: the emergency is proved.
    Waived {
        round: u32,
        because: String,
    },
    /// Waits for somebody to press "Ask again".
    Lapsed {
        round: u32,
        why: Lapse,
    },
}

/// The glass is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forced {
    pub by: Person,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Lapse {
    Expired,
    Voided(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub step: String,
    pub token: String,
    pub question: String,
    pub choices: Vec<Choice>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    pub outcome: Outcome,
    pub message: String,
    /// Whether what was done is taken back first.
    pub undo: bool,
    /// Whether a person has said to go behind a point of no return, too.
    pub past_return: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    pub at: Timestamp,
    pub outcome: Outcome,
    pub message: String,
}

/// An event that cannot follow what is there.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{event}` cannot happen now: {why}")]
pub struct Illegal {
    pub event: &'static str,
    pub why: String,
}

impl State {
    /// A state from a run's first event.
    ///
    /// # Errors
    /// When the first event is not `run-created`.
    pub fn begin(entry: &Entry) -> Result<Self, Illegal> {
        let Event::RunCreated(created) = &entry.event else {
            return Err(Illegal { event: entry.event.kind(), why: "the first event is `run-created`".to_owned() });
        };
        let steps = created.command.steps.iter().cloned().map(StepState::new).collect();
        let approval = match created.command.approval {
            Some(_) => ApprovalState::NotAsked { round: 1 },
            None => ApprovalState::NotNeeded,
        };
        Ok(Self {
            id: entry.run,
            created: Arc::new((**created).clone()),
            created_at: entry.at,
            steps,
            approval,
            unanswered: 0,
            disturbed: None,
            question: None,
            cancelled: None,
            incident: created.incident,
            paged: None,
            held: None,
            last_held: None,
            ending: None,
            recovered_at: None,
            finished: None,
            seq: entry.seq,
            last_at: entry.at,
        })
    }

    /// A state from a whole journal.
    ///
    /// # Errors
    /// When the journal is empty or holds an illegal event.
    pub fn replay(entries: &[Entry]) -> Result<Self, Illegal> {
        let Some((first, rest)) = entries.split_first() else {
            return Err(Illegal { event: "nothing", why: "the journal is empty".to_owned() });
        };
        let mut state = Self::begin(first)?;
        for entry in rest {
            state.apply(entry)?;
        }
        Ok(state)
    }

    /// Takes one more event.
    ///
    /// # Errors
    /// When it cannot follow; the state is unchanged then.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        let illegal = |why: String| Illegal { event: entry.event.kind(), why };
        if self.finished.is_some() {
            return Err(illegal("the run has ended".to_owned()));
        }
        if entry.seq != self.seq + 1 {
            return Err(illegal(format!("it is number {}, after number {}", entry.seq, self.seq)));
        }
        self.transition(&entry.event, entry.at).map_err(illegal)?;
        self.seq = entry.seq;
        self.last_at = entry.at;
        Ok(())
    }

    fn transition(&mut self, event: &Event, at: Timestamp) -> Result<(), String> {
        match event {
            Event::RunCreated(_) => return Err("the run is there already".to_owned()),
            Event::StepStarted { step, attempt, action, facts } => {
                self.may_begin(step)?;
                let step = self.step_mut(step)?;
                if *attempt != step.attempts + 1 {
                    return Err(format!("attempt {attempt} of step {} after {}", step.definition.id, step.attempts));
                }
                step.status = Status::Running;
                step.attempts = *attempt;
                step.started_at.get_or_insert(at);
                step.ended_at = None;
                step.action = Some((**action).clone());
                step.facts = facts.clone();
            }
            Event::StepSucceeded { step, attempt, outputs, summary, .. } => {
                let step = self.under_way(step, *attempt)?;
                step.status = Status::Succeeded;
                step.touched = true;
                step.ended_at = Some(at);
                step.outputs = outputs.clone();
                step.summary = summary.clone();
            }
            Event::StepFailed { step, attempt, message, kind, found, .. } => {
                let step = self.under_way(step, *attempt)?;
                step.outputs.clone_from(found);
                step.status = Status::Failed { kind: *kind, message: message.clone() };
                // What was refused was not begun.
                step.touched |= !matches!(kind, FailureKind::Refused | FailureKind::WrongTarget);
                step.ended_at = Some(at);
                step.summary = message.clone();
            }
            Event::StepInterrupted { step, attempt } => {
                let step = self.under_way(step, *attempt)?;
                step.status = Status::Interrupted;
                step.interruptions += 1;
            }
            Event::StepNotDone { step, attempt } => {
                let step = self.under_way(step, *attempt)?;
                step.status = Status::Again;
            }
            Event::StepUnknown { step, attempt, reason } => {
                let step = self.under_way(step, *attempt)?;
                step.status = Status::Unknown { reason: reason.clone() };
            }
            Event::StepSkipped { step, reason } => {
                let by_person = matches!(reason, SkipReason::Person { .. });
                let step = self.step_mut(step)?;
                let legal = match step.status {
                    Status::Pending => !by_person,
                    Status::Failed { .. } | Status::Unknown { .. } => by_person,
                    _ => false,
                };
                if !legal {
                    return Err(format!("step {} is {}", step.definition.id, step.status.name()));
                }
                step.status = Status::Skipped(reason.clone());
                step.ended_at = Some(at);
            }
            Event::ApprovalAsked(asked) => {
                self.goes_on()?;
                self.is_let(&Next::AskApproval { round: asked.round })?;
                match &self.approval {
                    ApprovalState::NotAsked { round } if *round == asked.round => {
                        self.approval =
                            ApprovalState::Pending { asked: (**asked).clone(), asked_at: at, yes: Vec::new() };
                    }
                    other => return Err(format!("the approval is {}", other.name())),
                }
            }
            Event::ApprovalGiven { round, by, plan_hash } => self.give(*round, by, plan_hash, at)?,
            Event::GlassBroken(broken) => self.break_glass(broken, at)?,
            Event::ApprovalWithdrawn { round, by } => self.withdraw(*round, by)?,
            Event::ApprovalDenied { round, by, reason } => {
                self.asked_in(*round)?;
                self.approval = ApprovalState::Denied { by: by.clone(), reason: reason.clone() };
                self.end(Outcome::Refused, format!("{} denied it: {reason}", by.name), true, at);
            }
            Event::ApprovalExpired { round } => {
                self.goes_on()?;
                let nobody_answered = match &self.approval {
                    ApprovalState::Pending { asked, yes, .. } if asked.round == *round => yes.is_empty(),
                    other => return Err(format!("the approval is {}", other.name())),
                };
                // A lockdown must not make grounds for breaking the glass.
                let could_be_answered = self.held.is_none() && self.disturbed != Some(*round);
                self.unanswered += u32::from(nobody_answered && could_be_answered);
                self.approval = ApprovalState::Lapsed { round: *round, why: Lapse::Expired };
            }
            Event::ApprovalVoided { round, reason } => {
                self.asked_in(*round)?;
                self.approval = ApprovalState::Lapsed { round: *round, why: Lapse::Voided(reason.clone()) };
            }
            Event::ApprovalWaived { round, because } => {
                self.goes_on()?;
                self.is_let(&Next::WaiveApproval { round: *round })?;
                match &self.approval {
                    ApprovalState::NotAsked { round: due } if due == round => {
                        self.approval = ApprovalState::Waived { round: *round, because: because.clone() };
                    }
                    other => return Err(format!("the approval is {}", other.name())),
                }
            }
            Event::ApprovalRenewed { .. } => {
                self.goes_on()?;
                match &self.approval {
                    ApprovalState::Lapsed { round, .. } => {
                        self.approval = ApprovalState::NotAsked { round: round + 1 };
                    }
                    other => return Err(format!("the approval is {}", other.name())),
                }
            }
            Event::QuestionAsked { step, token, question, choices } => {
                self.may_ask(step)?;
                self.question = Some(Question {
                    step: step.clone(),
                    token: token.clone(),
                    question: question.clone(),
                    choices: choices.clone(),
                });
            }
            Event::QuestionAnswered { step, choice, by, reason } => self.answer(step, choice, by, reason, at)?,
            Event::CancelAsked { by, .. } => {
                self.goes_on()?;
                self.cancelled = Some(by.clone());
                self.end(Outcome::Aborted, format!("{} stopped it", by.name), true, at);
            }
            Event::UndoStarted { step, attempt } => {
                self.may_undo(step, *attempt)?;
                // What failed is being taken back: from here on nothing goes forward.
                self.ending = self.ending.take().or_else(|| self.rollback());
                self.step_mut(step)?.undo = Undo::Running { attempt: *attempt };
            }
            Event::UndoSucceeded { step, summary } => {
                let step = self.step_mut(step)?;
                if !matches!(step.undo, Undo::Running { .. }) {
                    return Err(format!("the undo of step {} had not begun", step.definition.id));
                }
                step.undo = Undo::Done { summary: summary.clone() };
            }
            Event::UndoFailed { step, attempt, message } => {
                let step = self.step_mut(step)?;
                if step.undo != (Undo::Running { attempt: *attempt }) {
                    return Err(format!("undo {attempt} of step {} is not under way", step.definition.id));
                }
                step.undo = Undo::Failed { attempt: *attempt, message: message.clone() };
            }
            Event::Held { lockdown } => {
                if self.held.is_some() {
                    return Err("it is held already".to_owned());
                }
                if lockdown::is_free(self.created.command.risk) {
                    return Err("what only reads or always helps is never held".to_owned());
                }
                self.void_every_yes();
                self.last_held = Some(lockdown.at);
                self.held = Some(lockdown.clone());
            }
            Event::Released { .. } => {
                self.held.take().ok_or("it is not held")?;
            }
            Event::Joined { incident } => {
                if let Some(there) = self.incident {
                    return Err(format!("it belongs to incident {}", there.short()));
                }
                self.incident = Some(*incident);
            }
            Event::Paged(paged) => self.page(paged, at)?,
            Event::Recovered => {
                self.recovered_at.get_or_insert(at);
            }
            Event::Finished { outcome, message } => {
                self.may_finish(*outcome)?;
                self.question = None;
                self.finished = Some(Finished { at, outcome: *outcome, message: message.clone() });
            }
        }
        Ok(())
    }

    /// Whoever locks down may do so because of one of those who said yes: what has not begun yet is asked again.
    fn void_every_yes(&mut self) {
        if self.gate_passed() {
            return;
        }
        match &mut self.approval {
            ApprovalState::Pending { asked, yes, .. } => {
                yes.clear();
                self.disturbed = Some(asked.round);
            }
            ApprovalState::Given { asked: ApprovalAsked { round, .. }, .. } | ApprovalState::Waived { round, .. } => {
                self.approval = ApprovalState::NotAsked { round: *round + 1 };
            }
            _ => {}
        }
    }

    /// Whether somebody was asked, or need not be, for what has not begun yet.
    pub fn approval_is_at_stake(&self) -> bool {
        let is_asked = matches!(
            self.approval,
            ApprovalState::Pending { .. } | ApprovalState::Given { .. } | ApprovalState::Waived { .. }
        );
        is_asked && !self.gate_passed()
    }

    /// The first reason to end counts. What was asked is settled by it.
    fn end(&mut self, outcome: Outcome, message: String, undo: bool, at: Timestamp) {
        self.ending.get_or_insert(Ending { outcome, message, undo, past_return: false });
        self.question = None;
        let asks =
            |step: &&mut StepState| step.status == Status::Running && matches!(step.definition.action, Action::Ask(_));
        if let Some(step) = self.steps.iter_mut().find(asks) {
            step.status = Status::Failed { kind: FailureKind::Cancelled, message: "nobody answered".to_owned() };
            step.ended_at = Some(at);
        }
    }

    fn goes_on(&self) -> Result<(), String> {
        match self.ending {
            Some(_) => Err("the run is being ended".to_owned()),
            None => Ok(()),
        }
    }

    /// One step at a time, in order, behind its gate; and never again what may have been done already.
    fn may_begin(&self, id: &str) -> Result<(), String> {
        self.goes_on()?;
        if self.question.is_some() {
            return Err("a question is open".to_owned());
        }
        let index = self.index(id)?;
        self.is_let(&Next::Begin { step: index })?;
        if let Some(before) = self.steps[..index].iter().find(|step| !step.is_over()) {
            return Err(format!("step {} is {}", before.definition.id, before.status.name()));
        }
        let step = &self.steps[index];
        let legal = match &step.status {
            Status::Pending | Status::Again => true,
            Status::Failed { kind, .. } => step.may_retry(*kind),
            _ => false,
        };
        if !legal {
            return Err(format!("step {id} is {}", step.status.name()));
        }
        if self.lacks_approval(index) {
            return Err(format!("the approval is {}", self.approval.name()));
        }
        Ok(())
    }

    /// What a lockdown does not forbid.
    fn is_let(&self, next: &Next) -> Result<(), String> {
        match &self.held {
            Some(lockdown) if lockdown::forbids(self, next) => Err(format!("{} locked drbot down", lockdown.by)),
            _ => Ok(()),
        }
    }

    fn may_ask(&self, id: &str) -> Result<(), String> {
        self.goes_on()?;
        if self.question.is_some() {
            return Err("another question is open".to_owned());
        }
        let step = &self.steps[self.index(id)?];
        let legal = match step.status {
            Status::Failed { .. } | Status::Unknown { .. } | Status::Again => true,
            Status::Running => matches!(step.definition.action, Action::Ask(_)),
            _ => false,
        };
        if legal { Ok(()) } else { Err(format!("step {id} is {}", step.status.name())) }
    }

    fn may_undo(&self, id: &str, attempt: u32) -> Result<(), String> {
        if let Some(step) = self.under_way_now() {
            return Err(format!("step {} is {}", step.definition.id, step.status.name()));
        }
        if self.ending.is_none() && self.rollback().is_none() {
            return Err("the run is not being ended".to_owned());
        }
        let index = self.index(id)?;
        self.is_let(&Next::Undo { step: index, attempt })?;
        let step = &self.steps[index];
        let before = match &step.undo {
            Undo::None => 0,
            Undo::Running { attempt } | Undo::Failed { attempt, .. } => *attempt,
            Undo::Done { .. } => return Err(format!("step {id} is taken back already")),
        };
        if attempt == before + 1 { Ok(()) } else { Err(format!("undo {attempt} of step {id} after {before}")) }
    }

    /// Whether a rung may be used now: upwards only, and never once recovery is verified.
    fn page(&mut self, paged: &Paged, at: Timestamp) -> Result<(), String> {
        if self.recovered_at.is_some() {
            return Err("recovery is verified".to_owned());
        }
        if !self.created.rungs.iter().any(|rung| rung.percent == paged.percent) {
            return Err(format!("there is no rung at {} %", paged.percent));
        }
        match self.rung_used() {
            Some(used) if used >= paged.percent => Err(format!("the rung at {used} % was used")),
            _ => {
                self.paged = Some((at, paged.clone()));
                Ok(())
            }
        }
    }

    /// The highest rung that was used so far.
    pub fn rung_used(&self) -> Option<u8> {
        self.paged.as_ref().map(|(_, paged)| paged.percent)
    }

    fn may_finish(&self, outcome: Outcome) -> Result<(), String> {
        if let Some(step) = self.under_way_now() {
            return Err(format!("step {} is {}", step.definition.id, step.status.name()));
        }
        if let Some(ending) = &self.ending
            && ![ending.outcome, Outcome::Stuck].contains(&outcome)
        {
            return Err(format!("it ends as {}", ending.outcome));
        }
        match self.steps.iter().find(|step| !step.is_over()) {
            Some(step) if outcome.is_success() => Err(format!("step {} is {}", step.definition.id, step.status.name())),
            _ => Ok(()),
        }
    }

    fn under_way_now(&self) -> Option<&StepState> {
        self.steps.iter().find(|step| matches!(step.status, Status::Running | Status::Interrupted))
    }

    /// How the run ends when the step that failed says that all is taken back then.
    pub fn rollback(&self) -> Option<Ending> {
        self.steps.iter().find_map(|step| match &step.status {
            Status::Failed { kind, message }
                if step.definition.on_failure() == OnFailure::Undo && *kind != FailureKind::WrongTarget =>
            {
                Some(Ending {
                    outcome: if *kind == FailureKind::Refused { Outcome::Refused } else { Outcome::RolledBack },
                    message: format!("{}: {message}", step.definition.name),
                    undo: true,
                    past_return: false,
                })
            }
            _ => None,
        })
    }

    fn give(&mut self, round: u32, by: &Person, plan_hash: &str, at: Timestamp) -> Result<(), String> {
        self.goes_on()?;
        let quorum = self.created.command.approval.as_ref().map_or(1, |approval| approval.quorum);
        if by.id == self.created.requester.id {
            return Err("the requester never approves".to_owned());
        }
        let ApprovalState::Pending { asked, asked_at, yes } = &mut self.approval else {
            return Err(format!("the approval is {}", self.approval.name()));
        };
        if asked.round != round || asked.plan_hash != plan_hash {
            return Err("it is of another plan".to_owned());
        }
        if at >= asked.expires_at {
            return Err("it has expired".to_owned());
        }
        if yes.iter().any(|person| person.id == by.id) {
            return Err(format!("{} has approved already", by.name));
        }
        yes.push(by.clone());
        if yes.len() >= usize::from(quorum) {
            self.approval = ApprovalState::Given {
                asked: asked.clone(),
                asked_at: *asked_at,
                given_at: at,
                yes: std::mem::take(yes),
                forced: None,
            };
        }
        Ok(())
    }

    fn break_glass(&mut self, broken: &GlassBroken, at: Timestamp) -> Result<(), String> {
        self.goes_on()?;
        if self.created.glass.is_none() {
            return Err("nobody may let it go on alone".to_owned());
        }
        if let Some(lockdown) = &self.held {
            return Err(format!("{} locked drbot down", lockdown.by));
        }
        let ApprovalState::Pending { asked, asked_at, yes } = &self.approval else {
            return Err(format!("the approval is {}", self.approval.name()));
        };
        if asked.round != broken.round || asked.plan_hash != broken.plan_hash {
            return Err("it is of another plan".to_owned());
        }
        if at >= asked.expires_at {
            return Err("it has expired".to_owned());
        }
        if !glass::says_why(&broken.reason) {
            return Err("it needs a reason".to_owned());
        }
        if glass::grounds(self, at).is_none() {
            return Err("the deadline is not near, and nobody has let the question expire".to_owned());
        }
        self.approval = ApprovalState::Given {
            asked: asked.clone(),
            asked_at: *asked_at,
            given_at: at,
            yes: yes.clone(),
            forced: Some(Forced { by: broken.by.clone(), reason: broken.reason.clone() }),
        };
        Ok(())
    }

    fn withdraw(&mut self, round: u32, by: &Person) -> Result<(), String> {
        self.goes_on()?;
        if self.gate_passed() {
            return Err("the step has begun".to_owned());
        }
        let (asked, asked_at, yes, forced) = match &self.approval {
            ApprovalState::Pending { asked, asked_at, yes } if asked.round == round => {
                (asked.clone(), *asked_at, yes.clone(), None)
            }
            ApprovalState::Given { asked, asked_at, yes, forced, .. } if asked.round == round => {
                (asked.clone(), *asked_at, yes.clone(), forced.as_ref())
            }
            other => return Err(format!("the approval is {}", other.name())),
        };
        let forced_it = forced.is_some_and(|forced| forced.by.id == by.id);
        let left: Vec<_> = yes.iter().filter(|person| person.id != by.id).cloned().collect();
        if left.len() == yes.len() && !forced_it {
            return Err(format!("{} had not approved", by.name));
        }
        self.approval = ApprovalState::Pending { asked, asked_at, yes: left };
        Ok(())
    }

    /// Whether the approval of this round can still be taken away: until what it allows has begun.
    fn asked_in(&self, round: u32) -> Result<(), String> {
        self.goes_on()?;
        if self.gate_passed() {
            return Err("the step has begun".to_owned());
        }
        match &self.approval {
            ApprovalState::Pending { asked, .. } | ApprovalState::Given { asked, .. } if asked.round == round => Ok(()),
            other => Err(format!("the approval is {}", other.name())),
        }
    }

    fn answer(
        &mut self,
        step: &str,
        choice: &Choice,
        by: &Person,
        reason: &Option<String>,
        at: Timestamp,
    ) -> Result<(), String> {
        match &self.question {
            Some(question) if question.step == step && question.choices.contains(choice) => {}
            Some(_) => return Err("that was not asked".to_owned()),
            None => return Err("nothing is asked".to_owned()),
        }
        match choice {
            Choice::Retry | Choice::DidNotHappen => {
                let step = self.step_mut(step)?;
                step.status = Status::Again;
                step.interruptions = 0;
            }
            Choice::Happened => {
                let step = self.step_mut(step)?;
                step.status = Status::Succeeded;
                step.touched = true;
                step.ended_at = Some(at);
                step.summary = format!("{} says that it happened", by.name);
            }
            Choice::Skip => {
                let Some(reason) = reason.clone() else { return Err("a skip needs a reason".to_owned()) };
                let step = self.step_mut(step)?;
                step.status = Status::Skipped(SkipReason::Person { by: by.clone(), reason });
                step.ended_at = Some(at);
            }
            Choice::Undo => {
                let message = format!("{} had it undone", by.name);
                self.ending = Some(Ending { outcome: Outcome::RolledBack, message, undo: true, past_return: true });
            }
            Choice::Abort => self.end(Outcome::Aborted, format!("{} stopped it", by.name), false, at),
            Choice::Answer(answer) => {
                let step = self.step_mut(step)?;
                step.outputs.insert("answer".to_owned(), Value::from(answer.clone()));
                step.outputs.insert("by".to_owned(), Value::from(by.name.clone()));
                step.summary = format!("{}: {answer}", by.name);
                step.status = Status::Succeeded;
                step.ended_at = Some(at);
            }
        }
        self.question = None;
        Ok(())
    }

    fn index(&self, id: &str) -> Result<usize, String> {
        self.steps.iter().position(|step| step.definition.id == id).ok_or_else(|| format!("there is no step {id}"))
    }

    fn step_mut(&mut self, id: &str) -> Result<&mut StepState, String> {
        let index = self.index(id)?;
        Ok(&mut self.steps[index])
    }

    /// A step whose attempt is under way (or was, when drbot went away).
    fn under_way(&mut self, id: &str, attempt: u32) -> Result<&mut StepState, String> {
        let step = self.step_mut(id)?;
        let under_way = matches!(step.status, Status::Running | Status::Interrupted);
        if !under_way || step.attempts != attempt {
            return Err(format!("attempt {attempt} of step {id} is not under way"));
        }
        Ok(step)
    }

    pub fn step(&self, id: &str) -> Option<&StepState> {
        self.steps.iter().find(|step| step.definition.id == id)
    }

    /// The Recovery Time Objective, where the run says when recovery is verified.
    pub fn objective(&self) -> Option<Duration> {
        self.created.command.recovered.as_ref()?;
        self.created.scenario.as_ref().map(|scenario| scenario.rto.0)
    }

    /// The step that waits for the approval.
    pub fn gate(&self) -> Option<&StepState> {
        self.step(&self.created.command.approval.as_ref()?.before)
    }

    /// Whether a step is behind the approval: the gate itself, and whatever changes something after it (the gate may be
    /// skipped). A gate that is no step guards all of them.
    pub fn is_gated(&self, index: usize) -> bool {
        let Some(approval) = &self.created.command.approval else { return false };
        let gate = self.index(&approval.before).ok();
        gate == Some(index) || (index >= gate.unwrap_or(0) && self.steps[index].definition.effect() != Effect::Read)
    }

    /// Whether a step waits for an approval that is not given.
    pub fn lacks_approval(&self, index: usize) -> bool {
        let passed = matches!(
            self.approval,
            ApprovalState::Given { .. } | ApprovalState::Waived { .. } | ApprovalState::NotNeeded
        );
        self.is_gated(index) && !passed
    }

    /// Whether anything that the approval allows has begun: it cannot be taken back any more.
    pub fn gate_passed(&self) -> bool {
        (0..self.steps.len()).any(|index| self.steps[index].attempts > 0 && self.is_gated(index))
    }

    /// The outputs of steps that are done, by id.
    pub fn outputs(&self) -> BTreeMap<&str, &Map<String, Value>> {
        self.steps.iter().map(|step| (step.definition.id.as_str(), &step.outputs)).collect()
    }

    /// Whether a step was done, or may have been, that cannot be taken back.
    pub fn past_return(&self) -> bool {
        self.steps.iter().any(StepState::is_past_return)
    }

    /// Whether anything on the way failed or was passed over by a person.
    pub fn has_skips(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step.status, Status::Failed { .. } | Status::Skipped(SkipReason::Person { .. })))
    }
}

impl StepState {
    pub(super) fn new(definition: impl Into<Arc<Step>>) -> Self {
        Self {
            definition: definition.into(),
            status: Status::Pending,
            attempts: 0,
            interruptions: 0,
            touched: false,
            started_at: None,
            ended_at: None,
            outputs: Map::new(),
            summary: String::new(),
            action: None,
            facts: Map::new(),
            undo: Undo::None,
        }
    }

    /// Nothing will be done about it any more, unless it is tried again.
    pub fn is_over(&self) -> bool {
        matches!(self.status, Status::Succeeded | Status::Skipped(_) | Status::Failed { .. })
    }

    /// Whether it is tried again by itself after it has failed like this.
    pub fn may_retry(&self, kind: FailureKind) -> bool {
        let attempts = self.definition.retry.as_ref().map_or(1, |retry| retry.attempts);
        matches!(kind, FailureKind::Failed | FailureKind::TimedOut)
            && self.definition.effect() != Effect::Once
            && self.attempts < attempts
    }

    /// Whether it is a point of no return that was passed, or may have been.
    pub fn is_past_return(&self) -> bool {
        let unsettled = matches!(self.status, Status::Running | Status::Interrupted | Status::Unknown { .. });
        self.definition.point_of_no_return && (self.touched || unsettled)
    }
}

impl Status {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "waiting",
            Self::Running => "under way",
            Self::Interrupted => "being settled after an interruption",
            Self::Again => "to be done again",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "of unknown outcome",
            Self::Succeeded => "done",
            Self::Skipped(_) => "skipped",
        }
    }
}

impl ApprovalState {
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotNeeded => "not needed",
            Self::NotAsked { .. } => "not asked for yet",
            Self::Pending { .. } => "pending",
            Self::Given { .. } => "given",
            Self::Denied { .. } => "denied",
            Self::Waived { .. } => "waived",
            Self::Lapsed { why: Lapse::Expired, .. } => "expired",
            Self::Lapsed { why: Lapse::Voided(_), .. } => "void",
        }
    }

    /// What was asked and is still open or granted.
    pub fn asked(&self) -> Option<&ApprovalAsked> {
        match self {
            Self::Pending { asked, .. } | Self::Given { asked, .. } => Some(asked),
            _ => None,
        }
    }
}
