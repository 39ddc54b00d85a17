//! One file in `commands/`: one slash command. Values only.
//!
//! A definition is frozen into each run when the run is created: as JSON, with every `call` replaced by the steps it
//! stands for. Editing a file acts on the next run.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{action::Action, span::Span};

/// A command as its file says it. `name` comes from the file's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    #[serde(default)]
    pub name: String,
    /// One line, shown by Discord beside the command.
    pub summary: String,
    /// The scenario whose RTO and RPO the run is measured against.
    #[serde(default)]
    pub scenario: Option<String>,
    pub risk: Risk,
    /// Roles that may start it; nobody when empty.
    #[serde(default)]
    pub roles: Vec<String>,
    /// A template; two runs with the same lock never run at once.
    #[serde(default)]
    pub lock: Option<String>,
    #[serde(default)]
    pub target: Option<String>,
    #[serde(default)]
    pub options: BTreeMap<String, OptionSpec>,
    #[serde(default)]
    pub approval: Option<Approval>,
    pub steps: Vec<Step>,
    /// When it holds, the RTO clock stops.
    #[serde(default)]
    pub recovered: Option<Recovered>,
    #[serde(default)]
    pub next: Option<NextCommands>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    Read,
    Safe,
    Risky,
    Destructive,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionSpec {
    #[serde(rename = "type")]
    pub kind: ValueType,
    pub help: String,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub choices: Vec<String>,
    /// A list that is looked up while a person types.
    #[serde(default)]
    pub choices_from: Option<ChoicesFrom>,
    #[serde(default)]
    pub default: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChoicesFrom {
    Backups,
}

/// The type of an option or an output. A duration is a number of seconds, a timestamp RFC 3339 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueType {
    String,
    Integer,
    Number,
    Boolean,
    Duration,
    Timestamp,
    List,
    Object,
    /// Any of the above, or null.
    Any,
}

/// A yes by other people than the requester, before a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The step that waits for it.
    pub before: String,
    /// It is asked for when this step is done; at the gate itself when left out.
    #[serde(default)]
    pub after: Option<String>,
    pub roles: Vec<String>,
    #[serde(default = "default_quorum")]
    pub quorum: u8,
    #[serde(default = "default_expires")]
    pub expires: Span,
    /// A template; the approver types what it renders to.
    #[serde(default)]
    pub confirm: Option<String>,
    /// A template: what will be lost or changed, in one sentence, for the approver.
    #[serde(default)]
    pub cost: Option<String>,
}

fn default_quorum() -> u8 {
    1
}

fn default_expires() -> Span {
    Span::from_secs(300)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovered {
    /// An expression.
    pub when: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextCommands {
    #[serde(default)]
    pub offer: Vec<String>,
}

/// One action of a command. In a file the action's own key (`http = {…}`) stands beside these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Durable: the journal names steps by it. Steps of a called command are `caller.step`.
    pub id: String,
    pub name: String,
    /// Why, and what to do if it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub action: Action,
    /// An expression; the step is skipped when it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// An expression over the action's result fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// An expression over the action's result fields: what the card says of the step when it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Output>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Action>,
    #[serde(default)]
    pub undo_when: UndoWhen,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    #[serde(default)]
    pub point_of_no_return: bool,
    /// Where the step's templates look for `steps`: empty, or `caller.` for the steps of a called command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
}

impl Step {
    /// What a crash, a retry and a resume may do. What only reads is a read unless the file says otherwise; anything
    /// else that says nothing is taken for the most dangerous.
    pub fn effect(&self) -> Effect {
        self.effect.unwrap_or(if self.action.only_reads() { Effect::Read } else { Effect::Once })
    }

    pub fn on_failure(&self) -> OnFailure {
        self.on_failure.unwrap_or(if self.effect() == Effect::Read { OnFailure::Stop } else { OnFailure::Ask })
    }

    /// The limit of one attempt; reads have one by default.
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }
}

/// The limit of a read whose file names none.
pub const DEFAULT_TIMEOUT: Span = Span::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Changes nothing: may be done again at any time.
    Read,
    /// Done twice is as good as once.
    Idempotent,
    /// Must not be done twice. After a crash its `check` settles whether it was done, or a person does.
    Once,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    Stop,
    Undo,
    Continue,
    Ask,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoWhen {
    #[default]
    Succeeded,
    /// Also when the step failed half-way.
    Started,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// All attempts together, the first included.
    pub attempts: u32,
    #[serde(default = "default_delay")]
    pub delay: Span,
    /// Each delay is this many times the one before.
    #[serde(default = "default_backoff")]
    pub backoff: f64,
}

fn default_delay() -> Span {
    Span::from_secs(1)
}

fn default_backoff() -> f64 {
    2.0
}

/// A probe that tells whether the step's effect is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub action: Action,
    /// An expression over the probe's result fields. True: the effect is there. False: it is not.
    #[serde(default)]
    pub expect: Option<String>,
}

/// A named, typed value for later steps: `"integer"`, or `{ type = "integer", from = "json.count" }`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Output {
    #[serde(rename = "type")]
    pub kind: ValueType,
    /// An expression over the action's result fields; the output's own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Output;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a type like \"integer\", or { type = \"integer\", from = \"json.count\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Output, E> {
                let kind = ValueType::deserialize(de::value::StrDeserializer::new(text))?;
                Ok(Output { kind, from: None })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Output, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Long {
                    #[serde(rename = "type")]
                    kind: ValueType,
                    #[serde(default)]
                    from: Option<String>,
                }
                let long = Long::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Output { kind: long.kind, from: long.from })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
