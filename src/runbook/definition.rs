//! One file in `commands/`: one slash command. Values only.
//!
//! A definition is frozen into each run when the run is created: as JSON, with every `call` replaced by the steps it
//! stands for. Editing a file acts on the next run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{action::Action, span::Span};

/// Names that templates use as they stand, as the schema says it: `options.backup`, `steps.verify`.
const PLAIN_NAME: &str = "^[a-z][a-z0-9_]{0,31}$";

/// Names of files that are kept in the thread.
const KEPT_NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

/// Whether a file of this name can be kept.
pub(crate) fn is_kept_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    name.len() <= 64 && name.starts_with(|letter: char| letter.is_ascii_alphanumeric()) && name.chars().all(fits)
}

/// One slash command. Its name is the file's: `commands/restore-db.toml` is `/restore-db`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    #[serde(default)]
    #[schemars(skip)]
    pub name: String,
    /// One line, shown by Discord beside the command.
    #[schemars(length(min = 1, max = 100), example = &"Restart the trading bot")]
    pub summary: String,
    /// The scenario of `drbot.toml` whose RTO and RPO the run is measured against.
    #[serde(default)]
    #[schemars(example = &"database-corruption")]
    pub scenario: Option<String>,
    /// How much harm it can do.
    pub risk: Risk,
    /// Roles of `drbot.toml` that may start it; nobody when empty.
    #[serde(default)]
    #[schemars(example = ["operator"])]
    pub roles: Vec<String>,
    /// A template; two runs with the same lock never run at once. A risky or destructive command locks its target besides.
    #[serde(default)]
    #[schemars(example = &"target:{{ target.name }}")]
    pub lock: Option<String>,
    /// The target of `drbot.toml` that it acts on; templates see it as `target`.
    #[serde(default)]
    #[schemars(example = &"prod")]
    pub target: Option<String>,
    /// What people type behind the command, by name: a-z, 0-9 and `_`.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 25, "propertyNames" = { "pattern": PLAIN_NAME }))]
    pub options: BTreeMap<String, OptionSpec>,
    /// A yes of somebody else. Needed by a command of risk `destructive`.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// The command whose runs this one takes back. It is started by `/undo` alone, and sees the run that it takes back as `undone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"restore-db")]
    pub undoes: Option<String>,
    /// What is done, one step after another.
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
    /// When it holds, the RTO clock stops.
    #[serde(default)]
    pub recovered: Option<Recovered>,
    /// What the card offers at the end.
    #[serde(default)]
    pub next: Option<NextCommands>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Only reads.
    Read,
    /// Only brakes, like a halt, and can be given again at any moment: never throttled, locked or held. Besides reading it stops
    /// containers, cuts them off networks, refuses writes, and asks the target's own API, which its file vouches for.
    Safe,
    /// May do harm.
    Risky,
    /// Something is gone afterwards. Needs an approval.
    Destructive,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OptionSpec {
    /// What people type: a `string`, an `integer`, … Nobody can type a `list`, an `object` or `any`.
    #[serde(rename = "type")]
    #[schemars(extend("not" = { "enum": ["list", "object", "any"] }))]
    pub kind: ValueType,
    /// Shown by Discord while a person types.
    #[schemars(length(min = 1, max = 100))]
    pub help: String,
    /// Whether it must be given.
    #[serde(default)]
    pub required: bool,
    /// All values that may be given.
    #[serde(default)]
    #[schemars(length(max = 25))]
    pub choices: Vec<String>,
    /// A list that is looked up while a person types.
    #[serde(default)]
    pub choices_from: Option<ChoicesFrom>,
    /// The value when it is left out, written as a person would type it.
    #[serde(default)]
    pub default: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChoicesFrom {
    /// The backups of the target, newest first, with age, size, and whether they are verified.
    Backups,
    /// The versions of the target, with date, verdict, and whether the schema fits.
    Versions,
    /// The providers of the target, the preferred first.
    Providers,
}

/// The type of an option or an output. A duration is a number of seconds, a timestamp RFC 3339 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValueType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A number of seconds; an option is typed like `5m`.
    Duration,
    /// RFC 3339, like `2026-01-31T12:00:00Z`.
    Timestamp,
    /// Several values.
    List,
    /// Values by name.
    Object,
    /// Any of the above, or null.
    Any,
}

/// A yes by other people than the requester, before a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The id of the step that waits for it.
    pub before: String,
    /// It is asked for when the step of this id is done; at the gate itself when left out.
    #[serde(default)]
    pub after: Option<String>,
    /// Roles of `drbot.toml` that may approve. Never the one who asked.
    #[schemars(length(min = 1), example = ["lead"])]
    pub roles: Vec<String>,
    /// How many different people have to approve.
    #[serde(default = "default_quorum")]
    #[schemars(range(min = 1))]
    pub quorum: u8,
    /// Then somebody has to ask again; it never approves by itself.
    #[serde(default = "default_expires")]
    pub expires: Span,
    /// A template; the approver types what it renders to.
    #[serde(default)]
    #[schemars(example = &"{{ target.name }}")]
    pub confirm: Option<String>,
    /// A template: what will be lost or changed, in one sentence, for the approver.
    #[serde(default)]
    #[schemars(example = &"The bot is away for some seconds.")]
    pub cost: Option<String>,
    /// An expression over the steps before: when it holds as the approval would be asked for, the emergency is proved and nobody is
    /// asked. What cannot be told does not hold. Not in a destructive command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"steps.look.down")]
    pub unless: Option<String>,
    /// A template: the proof, in one sentence, for the card. Beside `unless`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"{{ steps.look.error }}")]
    pub because: Option<String>,
}

fn default_quorum() -> u8 {
    1
}

fn default_expires() -> Span {
    Span::from_secs(300)
}

/// When the RTO clock stops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recovered {
    /// An expression: recovery is verified.
    #[schemars(example = &"steps.healthy.ok")]
    pub when: String,
}

/// What the card offers at the end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextCommands {
    /// Commands that are buttons on the card at the end.
    #[serde(default)]
    #[schemars(length(max = 5), example = ["status"])]
    pub offer: Vec<String>,
    /// Which scenario the symptoms fit, the most telling first. The command of the first that fits is a button, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fits: Vec<Fit>,
}

/// A scenario that the symptoms may fit, and the command for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// The scenario of `drbot.toml`.
    #[schemars(example = &"database-corruption")]
    pub scenario: String,
    /// The command that recovers from it.
    #[schemars(example = &"restore-db")]
    pub command: String,
    /// An expression over the steps: the symptoms are there.
    #[schemars(example = &"not steps.probes.database.ok")]
    pub when: String,
    /// A template: the evidence, in a sentence.
    #[schemars(length(min = 1), example = &"the database does not answer: {{ steps.probes.database.error }}")]
    pub because: String,
}

/// One step of a command. Exactly one action (`http = {…}`, `docker.stop = {…}`) stands beside its other keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Durable: the journal and the templates name the step by it. Not `ok`, `skipped` or `failed`.
    // Steps of a called command are `caller.step`.
    #[schemars(regex(pattern = PLAIN_NAME), example = &"restart")]
    pub id: String,
    /// What people read.
    #[schemars(length(min = 1), example = &"Restart the trading bot")]
    pub name: String,
    /// One sentence: why, and what to do when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    // Beside the other keys in a file; see `schema`.
    #[schemars(skip)]
    pub action: Action,
    /// An expression; the step is skipped when it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"steps.look.running")]
    pub when: Option<String>,
    /// About how long it takes: what the forecast goes by until runs have been measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"20s")]
    pub takes: Option<Span>,
    /// The limit of one attempt. Required for everything but reads (10 s when left out), and for `wait.until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// When it is tried again. Not for an effect of `once`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What a crash, a retry and a resume may do. What only reads is `read`; everything else is `once` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// A probe that tells whether the step's effect is there; asked after the step, and after a crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// An expression over the action's result fields: what counts as success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"status == 200")]
    pub expect: Option<String>,
    /// An expression over the action's result fields: what the card says of what came back, good or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// A file name: all that came back is kept under it in the run's thread, as evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = KEPT_NAME), example = &"memory.json")]
    pub keep: Option<String>,
    /// Named, typed values for later steps, which see them as `steps.ID.NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "pattern": PLAIN_NAME }))]
    pub outputs: BTreeMap<String, Output>,
    /// An action that takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Action>,
    /// Whether a step that failed half-way is taken back too.
    #[serde(default)]
    pub undo_when: UndoWhen,
    /// Reads stop when left out; everything else asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// After this step nothing is undone without asking.
    #[serde(default)]
    pub point_of_no_return: bool,
    /// Where the step's templates look for `steps`: empty, or `caller.` for the steps of a called command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Changes nothing: may be done again at any time.
    Read,
    /// Done twice is as good as once.
    Idempotent,
    /// Must not be done twice. After a crash its `check` settles whether it was done, or a person does.
    Once,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The run ends as failed.
    Stop,
    /// The run ends as refused: what it needs to begin is not there.
    Refuse,
    /// What was done is taken back, and the run ends.
    Undo,
    /// It is passed over; the run ends as not quite good.
    Continue,
    /// A person decides: retry, skip with a reason, undo, abort.
    Ask,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UndoWhen {
    /// Only when the step succeeded.
    #[default]
    Succeeded,
    /// Also when the step failed half-way.
    Started,
}

/// When a step that failed is tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// All attempts together, the first included.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// The wait before the second attempt.
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    #[schemars(skip)]
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

/// An output with its type and where it is found.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LongOutput {
    /// The type that it must have, or the step fails.
    #[serde(rename = "type")]
    kind: ValueType,
    /// An expression over the action's result fields; the output's own name when left out.
    #[serde(default)]
    #[schemars(example = &"json.count")]
    from: Option<String>,
}

/// Both forms that the decoder takes, from the types that it takes them with.
#[derive(JsonSchema)]
#[schemars(untagged, rename = "Output")]
#[expect(dead_code, reason = "only its schema is used")]
enum OutputForms {
    /// The type alone; the value is the result field of the output's own name.
    Short(ValueType),
    Long(LongOutput),
}

impl JsonSchema for Output {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Output".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = OutputForms::json_schema(generator);
        let description =
            "A named, typed value for later steps: `\"integer\"`, or `{ type = \"integer\", from = \"json.count\" }`.";
        schema.insert("description".to_owned(), description.into());
        schema
    }
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
                let long = LongOutput::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Output { kind: long.kind, from: long.from })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
