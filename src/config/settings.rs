//! What `drbot.toml` says: roles, channels, scenarios, targets. Values only; secrets are named here and live elsewhere.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{alerts::AlertSettings, paging::PagingSettings};
use crate::runbook::span::Span;

/// What drbot knows of the place it works in: roles, channels, scenarios, targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where drbot is and speaks.
    pub discord: Discord,
    /// Name → Discord role id. Commands name roles by these names.
    pub roles: BTreeMap<String, DiscordId>,
    /// Kinds of disaster, by name, with their objectives.
    #[serde(default)]
    pub scenario: BTreeMap<String, Scenario>,
    /// What is recovered, by name.
    #[serde(default)]
    pub target: BTreeMap<String, Target>,
    /// When people are called because a recovery takes long.
    #[serde(default = "default_ladder")]
    pub escalation: Vec<RungSettings>,
    /// Who may see the contacts table.
    #[serde(default)]
    pub contacts: ContactSettings,
    /// Who may open, acknowledge and close incidents.
    #[serde(default)]
    pub incidents: IncidentSettings,
    /// By what people are reached outside of Discord.
    #[serde(default)]
    pub paging: PagingSettings,
    /// Who may act from the machine that drbot runs on, without Discord. Nobody when left out.
    #[serde(default)]
    pub people: Vec<HostPerson>,
    /// Who may lock drbot down.
    #[serde(default)]
    pub lockdown: LockdownSettings,
    /// Who may let a run go on alone whose approval nobody gives.
    #[serde(default)]
    pub break_glass: BreakGlassSettings,
    /// How many commands one person may give.
    #[serde(default)]
    pub limits: Limits,
    /// drbot's own HTTP listener; none when left out.
    #[serde(default)]
    pub web: Option<Web>,
    /// Who may post alerts to that listener, and what they are about.
    #[serde(default)]
    pub alerts: AlertSettings,
}

/// drbot's own HTTP listener, for Prometheus and for alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Address and port, like `127.0.0.1:9464`. What is shown there is for nobody outside: keep it on loopback, or
    /// behind a proxy.
    #[schemars(with = "String", regex(pattern = r"^(\[[0-9a-fA-F:.]+\]|[0-9.]+):[0-9]+$"), example = &"127.0.0.1:9464")]
    pub listen: SocketAddr,
    /// How drbot's listener is reached from outside, through a proxy that speaks TLS: pages have links that acknowledge
    /// then. None when left out or empty.
    #[serde(default)]
    #[schemars(regex(pattern = "^$|^https?://"), example = &"https://drbot.example.org")]
    pub public_url: Option<String>,
    /// Tells somebody outside again and again that drbot is well; who does not hear it any more raises the alarm.
    #[serde(default)]
    pub heartbeat: Option<Heartbeat>,
}

/// A dead man's switch: a URL that is called while drbot is well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// What is asked for by GET. Any status from 200 to 299 is good.
    #[schemars(regex(pattern = "^https?://."), example = &"https://hc.example/ping/drbot")]
    pub url: String,
    /// How often; at least every second.
    #[serde(default = "default_heartbeat")]
    pub every: Span,
}

fn default_heartbeat() -> Span {
    Span::from_secs(60)
}

/// A Discord id ("snowflake"), written as text because TOML and JSON readers lose digits of large numbers. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiscordId(pub u64);

impl std::fmt::Display for DiscordId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for DiscordId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DiscordId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(id) if id != 0 => Ok(Self(id)),
            _ => Err(serde::de::Error::custom(format!(
                "`{text}` is not a Discord id; it is a number of 17 to 20 digits in quotes (Discord: Copy ID)"
            ))),
        }
    }
}

impl JsonSchema for DiscordId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DiscordId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A Discord id: a number in quotes (Discord: Settings, Advanced, Developer Mode; then Copy ID).",
            "type": "string",
            "pattern": r"^\+?0*[1-9][0-9]{0,19}$",
            "examples": ["200000000000000001"],
        })
    }
}

/// Where drbot is and speaks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discord {
    /// The server.
    pub guild: DiscordId,
    /// Where cards go that belong to no channel of their own, and what drbot says by itself.
    pub channel: DiscordId,
    /// Channels in which commands are taken; everywhere in the guild when empty.
    #[serde(default)]
    pub command_channels: Vec<DiscordId>,
}

/// A kind of disaster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What people read.
    #[schemars(example = &"Database corruption")]
    pub name: String,
    /// Recovery Time Objective: how long recovery may take.
    pub rto: Span,
    /// Recovery Point Objective: how much data, in time, may be lost.
    pub rpo: Span,
    /// How much it matters.
    pub priority: Priority,
    /// Contact roles that are called first; all of them when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responsible: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Nothing works.
    Critical,
    /// Something that matters does not work.
    High,
    /// It can wait a little.
    Medium,
}

/// When a share of the RTO is used and recovery is not verified, these people are called, and those of the rungs below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RungSettings {
    /// Percent of the RTO, 0 to 100; 0 is when an incident is opened.
    #[schemars(range(min = 0, max = 100))]
    pub at: u8,
    /// Contact roles; `responsible` stands for those of the scenario, `everyone` for all.
    pub page: Vec<String>,
    /// Which addresses of a contact are used, each with those before it. When left out: `primary` below 50 %, `secondary`
    /// below 90 %, then `emergency`.
    #[serde(default)]
    pub reach: Option<Level>,
}

/// Which addresses of a contact are used, each with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Discord, and the first telephone number.
    Primary,
    /// And the second one.
    Secondary,
    /// And the emergency address.
    Emergency,
}

impl Level {
    pub const ALL: [Self; 3] = [Self::Primary, Self::Secondary, Self::Emergency];

    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Emergency => "emergency",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    pub fn after(self) -> Option<Self> {
        match self {
            Self::Primary => Some(Self::Secondary),
            Self::Secondary => Some(Self::Emergency),
            Self::Emergency => None,
        }
    }
}

/// The responsible at 50 and 75 %, everyone at 90 and 100 %.
pub fn default_ladder() -> Vec<RungSettings> {
    [(50, "responsible"), (75, "responsible"), (90, "everyone"), (100, "everyone")]
        .map(|(at, who)| RungSettings { at, page: vec![who.to_owned()], reach: None })
        .to_vec()
}

/// Who may see the contacts table, and who may change it. Nobody when left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactSettings {
    /// Roles that may use `/contacts`; they see numbers masked.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Those of them that see numbers whole, in an answer that nobody else sees.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// Those of `roles` that may change it, and say whether a contact is reached; those of `numbers` when left out.
    #[serde(default)]
    pub edit: Vec<String>,
}

/// Who may open, acknowledge and close incidents. Nobody when left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentSettings {
    /// Roles that may use `/incident`, `/note` and `/postmortem`.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Those of them that may set a new deadline.
    #[serde(default)]
    pub deadline: Vec<String>,
    /// How `/incident drill` tries the ladders out. There are no drills when left out.
    #[serde(default)]
    pub drill: Option<DrillSettings>,
}

/// A drill climbs the ladders of an incident within an objective of its own, and calls these contacts alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillSettings {
    /// Contact roles that are called in the place of all others; `everyone` stands for all.
    #[schemars(length(min = 1), example = &["Drill"])]
    pub contacts: Vec<String>,
    /// The objective of a drill, by which its ladders are compressed: 30 s to 1 h; 4 min when left out.
    #[serde(default = "default_drill_rto")]
    pub rto: Span,
    /// Whether PagerDuty, ntfy and the webhook are used, too, which reach whoever listens there.
    #[serde(default)]
    pub services: bool,
}

fn default_drill_rto() -> Span {
    Span::from_secs(240)
}

/// Who may lock drbot down: `/lockdown`, after which nothing begins but reads and halts. Nobody when left out. It is lifted
/// on drbot's host, by these people, drbot's own user or the superuser.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockdownSettings {
    /// Roles that may.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// Who may break the glass: let a run go on alone whose approval nobody gives, near the deadline or when a call for approval
/// has expired unanswered. It is told to everybody, and somebody else has to review it. Nobody may when left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakGlassSettings {
    /// Roles that may.
    #[serde(default)]
    pub roles: Vec<String>,
    /// From this percentage of the RTO on, 1 to 100.
    #[serde(default = "default_near")]
    #[schemars(range(min = 1, max = 100))]
    pub near: u8,
    /// Contact roles that are called when it happens, and when its review is overdue.
    #[serde(default)]
    #[schemars(example = &["Security Team"])]
    pub page: Vec<String>,
    /// Roles that may review it, never who has done it; `roles` when left out.
    #[serde(default)]
    pub review: Vec<String>,
    /// When it has to be reviewed.
    #[serde(default = "default_review_within")]
    pub review_within: Span,
}

impl Default for BreakGlassSettings {
    fn default() -> Self {
        Self {
            roles: Vec::new(),
            near: default_near(),
            page: Vec::new(),
            review: Vec::new(),
            review_within: default_review_within(),
        }
    }
}

fn default_near() -> u8 {
    75
}

fn default_review_within() -> Span {
    Span::from_secs(24 * 60 * 60)
}

/// A user of the machine that drbot runs on, and who that is in Discord.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostPerson {
    /// The user: a name, or a number in quotes.
    #[schemars(length(min = 1), example = &"dana")]
    pub unix: String,
    /// Who that is in Discord: whoever asks for something there does not approve it here.
    pub discord: DiscordId,
    /// What others read.
    #[schemars(length(min = 1, max = 80))]
    pub name: String,
    /// Names of `[roles]`, as the person has them in Discord, which cannot be asked when it is away.
    pub roles: Vec<String>,
}

/// A system that is acted on. Templates see it as `target`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Base URL of its HTTP API, without a slash at the end.
    #[schemars(regex(pattern = "^https?://.*[^/]$"), example = &"http://127.0.0.1:8080")]
    pub api: String,
    /// Containers: role name → container name (`bot = "trading-bot"`).
    #[serde(default)]
    pub containers: BTreeMap<String, String>,
    /// Other addresses of it: name → base URL, without a slash at the end (`prometheus = "http://127.0.0.1:9090"`).
    #[serde(default)]
    #[schemars(extend("additionalProperties" = { "type": "string", "pattern": "^https?://.*[^/]$" }))]
    pub urls: BTreeMap<String, String>,
    /// Programs of yours that commands run by `exec`: name → path, relative to this file; one without a slash is found
    /// in PATH.
    #[serde(default)]
    pub programs: BTreeMap<String, PathBuf>,
    /// The compose project that it is.
    #[serde(default)]
    pub compose: Option<ComposeTarget>,
    /// The Docker engine that its containers run on.
    #[serde(default)]
    pub docker: DockerTarget,
    /// The versions that can be deployed on it.
    #[serde(default)]
    pub versions: Option<VersionsTarget>,
    /// The providers that it depends on, and whose network they are seen from.
    #[serde(default)]
    pub network: Option<NetworkTarget>,
    /// Its PostgreSQL.
    #[serde(default)]
    pub postgres: Option<PostgresTarget>,
    /// How often a sample of counts and newest record is journaled while nothing runs; never when left out.
    #[serde(default)]
    pub sample_every: Option<Span>,
}

/// A target's compose project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComposeTarget {
    /// Its file, relative to this one.
    #[schemars(example = &"docker-compose.prod.yml")]
    pub file: PathBuf,
    /// Its name, as the label `com.docker.compose.project` of its containers has it.
    #[schemars(length(min = 1))]
    pub project: String,
    /// Profiles that belong to it.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// Services that must be up; all that have a container when left out.
    #[serde(default)]
    pub services: Vec<String>,
    /// Variables that the file refers to. The tool's environment is otherwise empty, but for PATH and HOME.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Secrets that the file refers to: variable name to secret name.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = { "type": "string", "pattern": crate::runbook::action::SECRET_NAME }))]
    pub secrets: BTreeMap<String, String>,
}

/// A target's Docker engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DockerTarget {
    /// The program that restarts it, and its arguments. It ends when that is done, or is under way.
    #[serde(default = "default_restart")]
    #[schemars(length(min = 1))]
    pub restart: Vec<String>,
    /// Lets drbot restart it although drbot itself runs in a container: where the command reaches the host.
    #[serde(default)]
    pub restart_from_container: bool,
}

impl Default for DockerTarget {
    fn default() -> Self {
        Self { restart: default_restart(), restart_from_container: false }
    }
}

fn default_restart() -> Vec<String> {
    ["systemctl", "restart", "docker"].map(str::to_owned).to_vec()
}

/// How a target's versions are known: tags of an image, recorded good once they were healthy for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionsTarget {
    /// The image, without a tag.
    #[schemars(length(min = 1), example = &"registry.example/trading-bot")]
    pub image: String,
    /// The container that runs it.
    #[schemars(length(min = 1))]
    pub container: String,
    /// Where it says its version: a URL whose answer has `version`.
    #[schemars(regex(pattern = "^https?://"))]
    pub answers: String,
    /// Where it says that it is healthy: a URL that answers 200 then.
    #[schemars(regex(pattern = "^https?://"))]
    pub health: String,
    /// A version that was healthy for so long is recorded good.
    #[serde(default = "default_healthy_for")]
    pub healthy_for: Span,
    /// The label of the image that names the schema versions that it works with: `3`, or `2-3`. Unknown where it has none.
    #[serde(default)]
    pub schema_label: Option<String>,
    /// A query whose first row has the database's schema `version`.
    #[serde(default)]
    pub schema_query: Option<String>,
}

fn default_healthy_for() -> Span {
    Span::from_secs(600)
}

/// What a target depends on outside: providers of the same service, one of them in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkTarget {
    /// The container that uses them: they are looked at from its network.
    #[schemars(length(min = 1))]
    pub container: String,
    /// The preferred first.
    #[schemars(length(min = 1))]
    pub providers: Vec<Provider>,
    /// How long a look at a provider may take, all of it; one that needs longer is not healthy.
    #[serde(default = "default_patience")]
    pub patience: Span,
}

/// One of several that do the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What people type: a-z, 0-9, `_` and `-`.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_-]{0,31}$"), example = &"helius")]
    pub name: String,
    /// Its address, as the container uses it.
    #[schemars(regex(pattern = "^https?://"))]
    pub url: String,
    /// What the target's configuration calls it; its address when left out.
    #[serde(default)]
    pub setting: Option<String>,
    /// Its address as drbot reaches it, where that is another.
    #[serde(default)]
    #[schemars(regex(pattern = "^https?://"))]
    pub own_url: Option<String>,
    /// What it is asked: a JSON body that is posted. It is only read (GET) when left out.
    #[serde(default)]
    pub ask: Option<serde_json::Value>,
    /// An expression over `status`, `body` and `json`: the answer is a good one. Any status below 400 when left out.
    #[serde(default)]
    #[schemars(example = &"json.result == 'ok'")]
    pub expect: Option<String>,
}

impl Provider {
    /// What the target's configuration calls it.
    pub fn setting(&self) -> &str {
        self.setting.as_deref().unwrap_or(&self.url)
    }
}

fn default_patience() -> Span {
    Span(std::time::Duration::from_millis(1500))
}

/// A target's PostgreSQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresTarget {
    /// Its container. PostgreSQL's tools run in one-shot containers of the same image, on the same network.
    #[schemars(length(min = 1))]
    pub container: String,
    /// The database that is recovered.
    #[schemars(length(min = 1))]
    pub database: String,
    /// A superuser.
    #[schemars(length(min = 1))]
    pub user: String,
    /// Name of the secret that holds the password; never the password itself, and no reference.
    #[schemars(regex(pattern = crate::runbook::action::SECRET_NAME), example = &"DB_PASSWORD")]
    pub password: String,
    /// Where drbot itself reaches the server.
    pub host: String,
    /// The server's port: a number, or a text with a reference (`"${PORT:-5432}"`).
    #[serde(deserialize_with = "number_or_text")]
    #[schemars(schema_with = "port_schema")]
    pub port: u16,
    /// Folder of backups on this machine.
    pub backups: PathBuf,
    /// Tables without which a backup is not whole (`public.trades`).
    #[serde(default)]
    pub critical_tables: Vec<String>,
    /// The table and column that tell how new the data is (`public.trades`, `created_at`).
    pub newest_table: String,
    /// The column of `newest_table` that tells how new the data is.
    pub newest_column: String,
    /// A backup with fewer rows than this share of the last sample is flagged and never the default. 0 to 1.
    #[serde(default = "default_shrink")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub shrink_limit: f64,
}

/// A port as a number, or as the text that a reference to the environment leaves (`"${PORT:-5432}"`).
pub(super) fn number_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    struct Visitor;
    impl serde::de::Visitor<'_> for Visitor {
        type Value = u16;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a port, 1 to 65535")
        }

        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<u16, E> {
            u16::try_from(number).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(number), &self))
        }

        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<u16, E> {
            u16::try_from(number).map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u16, E> {
            text.trim().parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// What [`number_or_text`] takes.
pub(super) fn port_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 65535 },
            { "type": "string", "pattern": r"^\s*\+?[0-9]+\s*$" },
        ],
        "examples": [5432],
    })
}

fn default_shrink() -> f64 {
    0.8
}

/// How many commands one person may give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// In the long run.
    #[schemars(range(min = 1))]
    pub commands_per_minute: u32,
    /// At once.
    #[schemars(range(min = 1))]
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { commands_per_minute: 20, burst: 10 }
    }
}
