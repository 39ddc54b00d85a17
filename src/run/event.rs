//! What can be written about a run. Append-only; a variant or field that was ever written stays readable.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    glass::{Glass, GlassBroken},
    lockdown::Lockdown,
    outcome::Outcome,
    rungs::Rung,
};
use crate::{
    clock::Timestamp,
    config::settings::{DiscordId, Scenario},
    ids::{IncidentId, RunId},
    runbook::{
        action::Action,
        definition::{Command, Risk},
    },
};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub run: RunId,
    /// From 1, without gaps.
    pub seq: u64,
    pub at: Timestamp,
    pub event: Event,
}

/// Somebody who asked, approved or answered. The name is what was shown then; the id is who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: DiscordId,
    pub name: String,
}

/// Everything that a run needs to know, frozen when it is created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Created {
    pub command: Command,
    /// SHA-256 of the frozen definition's JSON.
    pub definition_hash: String,
    pub options: BTreeMap<String, String>,
    pub requester: Person,
    /// Role ids that the requester had.
    pub requester_roles: Vec<DiscordId>,
    pub channel: DiscordId,
    /// The target's settings as templates see them; no secrets.
    pub target: Value,
    pub scenario: Option<Scenario>,
    /// The disaster that it recovers from; its ladders are climbed instead of the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// When people are called, in the order of their times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<Rung>,
    /// What its file locks, rendered.
    pub lock: Option<String>,
    /// Under which circumstances one person may let it go on alone; nobody may when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glass: Option<Glass>,
    /// The run that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<Undone>,
    /// What stood when the run began, in a run that is free in a lockdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_down: Option<Lockdown>,
}

impl Created {
    /// Whether its command may leave its target another than it was.
    pub fn may_change_its_target(&self) -> bool {
        self.command.risk >= Risk::Risky
    }

    /// The names that no other run has while this one goes on: what its file locks, and the target that it may do harm to,
    /// whatever its file says.
    pub fn locks(&self) -> BTreeSet<String> {
        let of_target = self.command.target.as_ref().filter(|_| self.may_change_its_target());
        self.lock.clone().into_iter().chain(of_target.map(|target| format!("target:{target}"))).collect()
    }
}

/// A run that is taken back by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undone {
    pub run: RunId,
    pub command: String,
    /// What templates saw of it at its end.
    pub context: Value,
    /// The newest run that may change the target when it was found that nothing has been changed there since.
    pub newest: RunId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    RunCreated(Box<Created>),
    /// The intent: durable before the first byte goes out.
    StepStarted {
        step: String,
        attempt: u32,
        /// The rendered action; secrets are named in it, never valued.
        action: Box<Action>,
        /// What settles a crash: OIDs, start times.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        facts: Map<String, Value>,
    },
    StepSucceeded {
        step: String,
        attempt: u32,
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        outputs: Map<String, Value>,
        summary: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        log: Vec<String>,
    },
    StepFailed {
        step: String,
        attempt: u32,
        message: String,
        kind: FailureKind,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        log: Vec<String>,
        /// What the branches of a `parallel` found, by their ids: the evidence.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        found: Map<String, Value>,
    },
    /// drbot was gone while the step was under way; what became of it is being found out.
    StepInterrupted {
        step: String,
        attempt: u32,
    },
    /// It was found out that the interrupted step had not taken effect.
    StepNotDone {
        step: String,
        attempt: u32,
    },
    /// Nobody can tell whether the step took effect.
    StepUnknown {
        step: String,
        attempt: u32,
        reason: String,
    },
    StepSkipped {
        step: String,
        reason: SkipReason,
    },
    ApprovalAsked(Box<ApprovalAsked>),
    ApprovalGiven {
        round: u32,
        by: Person,
        plan_hash: String,
    },
    /// One person lets the run go on without the approval.
    GlassBroken(Box<GlassBroken>),
    ApprovalDenied {
        round: u32,
        by: Person,
        reason: String,
    },
    /// An approver took the yes back before the step began.
    ApprovalWithdrawn {
        round: u32,
        by: Person,
    },
    ApprovalExpired {
        round: u32,
    },
    /// What was approved is not what would be done any more.
    ApprovalVoided {
        round: u32,
        reason: String,
    },
    /// Nobody is asked: the emergency is proved, as the command's file says.
    ApprovalWaived {
        round: u32,
        because: String,
    },
    /// Somebody wants it asked again.
    ApprovalRenewed {
        by: Person,
    },
    QuestionAsked {
        step: String,
        token: String,
        question: String,
        choices: Vec<Choice>,
    },
    QuestionAnswered {
        step: String,
        choice: Choice,
        by: Person,
        reason: Option<String>,
    },
    CancelAsked {
        by: Person,
        reason: Option<String>,
    },
    UndoStarted {
        step: String,
        attempt: u32,
    },
    UndoSucceeded {
        step: String,
        summary: String,
    },
    UndoFailed {
        step: String,
        attempt: u32,
        message: String,
    },
    /// A lockdown holds the run before its next step.
    Held {
        lockdown: Lockdown,
    },
    /// The lockdown was lifted; the run goes on.
    Released {
        by: String,
        reason: String,
    },
    /// An incident was opened for it; whose ladders are climbed from here on, instead of the run's own.
    Joined {
        incident: IncidentId,
    },
    /// A rung was due and recovery was not verified: people are called.
    Paged(Box<Paged>),
    /// Recovery is verified: the RTO clock stops.
    Recovered,
    Finished {
        outcome: Outcome,
        message: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalAsked {
    /// From 1; a new one each time it is asked again.
    pub round: u32,
    /// Goes into the buttons, so that those of another round are known to be stale.
    pub token: String,
    /// SHA-256 of the rendered plan.
    pub plan_hash: String,
    /// What will be done, a line a step.
    pub plan: Vec<String>,
    /// What it will cost, in a sentence.
    pub cost: Option<String>,
    /// What the approver types.
    pub confirm: Option<String>,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paged {
    /// The rung that is used.
    pub percent: u8,
    /// When the rung that set it off was due; long before the event when drbot was down.
    pub due_at: Timestamp,
    /// Rungs that this one stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<u8>,
    pub called: Vec<Called>,
    /// Who should be called and cannot be, in Discord.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<String>,
}

/// A contact that is called in Discord.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    pub role: String,
    pub name: String,
    pub user: DiscordId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    Failed,
    TimedOut,
    Refused,
    Cancelled,
    /// The target leads to other servers than the recorded ones: the run ends, and nothing is taken back there.
    WrongTarget,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// Its `when` did not hold.
    Condition,
    Person {
        by: Person,
        reason: String,
    },
}

/// A button under a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    Retry,
    /// Needs a reason.
    Skip,
    Undo,
    Abort,
    /// Of an unknown outcome: it did happen.
    Happened,
    /// Of an unknown outcome: it did not happen.
    DidNotHappen,
    /// Of a command file's `ask`.
    Answer(String),
}

impl Choice {
    pub fn needs_reason(&self) -> bool {
        matches!(self, Self::Skip)
    }
}

impl Event {
    /// The name that the store and the timeline give it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunCreated(_) => "run-created",
            Self::StepStarted { .. } => "step-started",
            Self::StepSucceeded { .. } => "step-succeeded",
            Self::StepFailed { .. } => "step-failed",
            Self::StepInterrupted { .. } => "step-interrupted",
            Self::StepNotDone { .. } => "step-not-done",
            Self::StepUnknown { .. } => "step-unknown",
            Self::StepSkipped { .. } => "step-skipped",
            Self::ApprovalAsked(_) => "approval-asked",
            Self::ApprovalGiven { .. } => "approval-given",
            Self::GlassBroken(_) => "glass-broken",
            Self::ApprovalDenied { .. } => "approval-denied",
            Self::ApprovalWithdrawn { .. } => "approval-withdrawn",
            Self::ApprovalExpired { .. } => "approval-expired",
            Self::ApprovalVoided { .. } => "approval-voided",
            Self::ApprovalWaived { .. } => "approval-waived",
            Self::ApprovalRenewed { .. } => "approval-renewed",
            Self::QuestionAsked { .. } => "question-asked",
            Self::QuestionAnswered { .. } => "question-answered",
            Self::CancelAsked { .. } => "cancel-asked",
            Self::UndoStarted { .. } => "undo-started",
            Self::UndoSucceeded { .. } => "undo-succeeded",
            Self::UndoFailed { .. } => "undo-failed",
            Self::Held { .. } => "held",
            Self::Released { .. } => "released",
            Self::Joined { .. } => "joined",
            Self::Paged(_) => "paged",
            Self::Recovered => "recovered",
            Self::Finished { .. } => "finished",
        }
    }

    /// The step that it is about.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::StepStarted { step, .. }
            | Self::StepSucceeded { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepInterrupted { step, .. }
            | Self::StepNotDone { step, .. }
            | Self::StepUnknown { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::QuestionAsked { step, .. }
            | Self::QuestionAnswered { step, .. }
            | Self::UndoStarted { step, .. }
            | Self::UndoSucceeded { step, .. }
            | Self::UndoFailed { step, .. } => Some(step),
            _ => None,
        }
    }
}
