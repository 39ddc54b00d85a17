//! What a run is, folded from its events.
//!
//! [`State::apply`] is one `match` of legal transitions; anything else is an [`Illegal`] and changes nothing. So the
//! journal cannot hold a history that could not have happened, whoever writes it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    event::{ApprovalAsked, Choice, Created, Entry, Event, FailureKind, Person, SkipReason},
    outcome::Outcome,
};
use crate::{
    clock::Timestamp,
    ids::RunId,
    runbook::{action::Action, definition::Step},
};

#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub id: RunId,
    pub created: Created,
    pub created_at: Timestamp,
    /// In the order of the definition.
    pub steps: Vec<StepState>,
    pub approval: ApprovalState,
    pub question: Option<Question>,
    pub cancelled: Option<Person>,
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
    pub definition: Step,
    pub status: Status,
    /// Attempts begun so far.
    pub attempts: u32,
    /// How often drbot was gone while it was under way.
    pub interruptions: u32,
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
    },
    Denied {
        by: Person,
        reason: String,
    },
    /// Waits for somebody to press "Ask again".
    Lapsed {
        round: u32,
        why: Lapse,
    },
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
            created: (**created).clone(),
            created_at: entry.at,
            steps,
            approval,
            question: None,
            cancelled: None,
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
                if self.ending.is_some() {
                    return Err("the run is being ended".to_owned());
                }
                let step = self.step_mut(step)?;
                if !matches!(step.status, Status::Pending | Status::Again | Status::Failed { .. }) {
                    return Err(format!("step {} is {}", step.definition.id, step.status.name()));
                }
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
                step.ended_at = Some(at);
                step.outputs = outputs.clone();
                step.summary = summary.clone();
            }
            Event::StepFailed { step, attempt, message, kind, .. } => {
                let step = self.under_way(step, *attempt)?;
                step.status = Status::Failed { kind: *kind, message: message.clone() };
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
            Event::ApprovalAsked(asked) => match &self.approval {
                ApprovalState::NotAsked { round } if *round == asked.round => {
                    self.approval = ApprovalState::Pending { asked: (**asked).clone(), asked_at: at, yes: Vec::new() };
                }
                other => return Err(format!("the approval is {}", other.name())),
            },
            Event::ApprovalGiven { round, by, plan_hash } => self.give(*round, by, plan_hash, at)?,
            Event::ApprovalWithdrawn { round, by } => self.withdraw(*round, by)?,
            Event::ApprovalDenied { round, by, reason } => {
                self.asked_in(*round)?;
                self.approval = ApprovalState::Denied { by: by.clone(), reason: reason.clone() };
                self.end(Outcome::Refused, format!("{} denied it: {reason}", by.name), true);
            }
            Event::ApprovalExpired { round } => {
                if !matches!(&self.approval, ApprovalState::Pending { asked, .. } if asked.round == *round) {
                    return Err(format!("the approval is {}", self.approval.name()));
                }
                self.approval = ApprovalState::Lapsed { round: *round, why: Lapse::Expired };
            }
            Event::ApprovalVoided { round, reason } => {
                self.asked_in(*round)?;
                self.approval = ApprovalState::Lapsed { round: *round, why: Lapse::Voided(reason.clone()) };
            }
            Event::ApprovalRenewed { .. } => match &self.approval {
                ApprovalState::Lapsed { round, .. } => {
                    self.approval = ApprovalState::NotAsked { round: round + 1 };
                }
                other => return Err(format!("the approval is {}", other.name())),
            },
            Event::QuestionAsked { step, token, question, choices } => {
                if self.question.is_some() {
                    return Err("another question is open".to_owned());
                }
                self.step_mut(step)?;
                self.question = Some(Question {
                    step: step.clone(),
                    token: token.clone(),
                    question: question.clone(),
                    choices: choices.clone(),
                });
            }
            Event::QuestionAnswered { step, choice, by, reason } => self.answer(step, choice, by, reason, at)?,
            Event::CancelAsked { by, .. } => {
                self.cancelled.get_or_insert(by.clone());
                self.question = None;
                self.end(Outcome::Aborted, format!("{} stopped it", by.name), true);
            }
            Event::UndoStarted { step, attempt } => {
                let step = self.step_mut(step)?;
                step.undo = Undo::Running { attempt: *attempt };
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
                step.undo = Undo::Failed { attempt: *attempt, message: message.clone() };
            }
            Event::Recovered => {
                self.recovered_at.get_or_insert(at);
            }
            Event::Finished { outcome, message } => {
                if let Some(step) = self.steps.iter().find(|step| step.status == Status::Running) {
                    return Err(format!("step {} is under way", step.definition.id));
                }
                self.question = None;
                self.finished = Some(Finished { at, outcome: *outcome, message: message.clone() });
            }
        }
        Ok(())
    }

    /// The first reason to end counts.
    fn end(&mut self, outcome: Outcome, message: String, undo: bool) {
        self.ending.get_or_insert(Ending { outcome, message, undo });
    }

    fn give(&mut self, round: u32, by: &Person, plan_hash: &str, at: Timestamp) -> Result<(), String> {
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
            };
        }
        Ok(())
    }

    fn withdraw(&mut self, round: u32, by: &Person) -> Result<(), String> {
        let gate_passed = self.gate().is_some_and(|gate| gate.attempts > 0);
        if gate_passed {
            return Err("the step has begun".to_owned());
        }
        let (asked, asked_at, yes) = match &self.approval {
            ApprovalState::Pending { asked, asked_at, yes } | ApprovalState::Given { asked, asked_at, yes, .. }
                if asked.round == round =>
            {
                (asked.clone(), *asked_at, yes.clone())
            }
            other => return Err(format!("the approval is {}", other.name())),
        };
        let left: Vec<_> = yes.iter().filter(|person| person.id != by.id).cloned().collect();
        if left.len() == yes.len() {
            return Err(format!("{} had not approved", by.name));
        }
        self.approval = ApprovalState::Pending { asked, asked_at, yes: left };
        Ok(())
    }

    fn asked_in(&self, round: u32) -> Result<(), String> {
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
                step.ended_at = Some(at);
                step.summary = format!("{} says that it happened", by.name);
            }
            Choice::Skip => {
                let Some(reason) = reason.clone() else { return Err("a skip needs a reason".to_owned()) };
                let step = self.step_mut(step)?;
                step.status = Status::Skipped(SkipReason::Person { by: by.clone(), reason });
                step.ended_at = Some(at);
            }
            Choice::Undo => self.end(Outcome::RolledBack, format!("{} had it undone", by.name), true),
            Choice::Abort => self.end(Outcome::Aborted, format!("{} stopped it", by.name), false),
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

    fn step_mut(&mut self, id: &str) -> Result<&mut StepState, String> {
        self.steps.iter_mut().find(|step| step.definition.id == id).ok_or_else(|| format!("there is no step {id}"))
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

    /// The step that waits for the approval.
    pub fn gate(&self) -> Option<&StepState> {
        self.step(&self.created.command.approval.as_ref()?.before)
    }

    /// The outputs of steps that are done, by id.
    pub fn outputs(&self) -> BTreeMap<&str, &Map<String, Value>> {
        self.steps.iter().map(|step| (step.definition.id.as_str(), &step.outputs)).collect()
    }

    /// Whether a step was done that cannot be taken back.
    pub fn past_return(&self) -> bool {
        self.steps.iter().any(|step| {
            step.definition.point_of_no_return && !matches!(step.status, Status::Pending | Status::Skipped(_))
        })
    }

    /// Whether anything on the way failed or was passed over by a person.
    pub fn has_skips(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step.status, Status::Failed { .. } | Status::Skipped(SkipReason::Person { .. })))
    }
}

impl StepState {
    pub(super) fn new(definition: Step) -> Self {
        Self {
            definition,
            status: Status::Pending,
            attempts: 0,
            interruptions: 0,
            started_at: None,
            ended_at: None,
            outputs: Map::new(),
            summary: String::new(),
            action: None,
            facts: Map::new(),
            undo: Undo::None,
        }
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
