//! What a step can do, as a command file says it. Values only: `crate::actions` carries them out.
//!
//! Every `String` here is a template until it is rendered, but for the names of secrets, which never are. An action
//! rendered is the same type with the templates filled in, so what is approved, journaled and done is one thing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    definition::{Effect, Step},
    span::Span,
};

/// Names of secrets, as the schema says it; `is_secret_name` decides.
pub(crate) const SECRET_NAME: &str = "^[A-Z][A-Z0-9_]*$";

/// The key under which an action stands in a step; exactly one of them in each.
pub const ACTION_KEYS: [&str; 15] = [
    "http",
    "docker",
    "compose",
    "versions",
    "postgres",
    "host",
    "metrics",
    "network",
    "escalation",
    "exec",
    "wait",
    "ask",
    "notify",
    "parallel",
    "call",
];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Http(Http),
    Docker(Docker),
    Compose(Compose),
    Versions(Versions),
    Postgres(Postgres),
    Host(Host),
    Metrics(Metrics),
    Network(Network),
    Escalation(Escalation),
    Exec(Exec),
    Wait(Wait),
    Ask(Ask),
    Notify(Notify),
    /// Several read-only steps at once. The step succeeds when all of them do, unless they say `on_failure = "continue"`.
    Parallel(Vec<Step>),
    /// The steps of another command, by its name, in the place of this one.
    // Gone from a definition that is frozen into a run.
    Call(String),
}

impl Action {
    /// The key that a file writes it under.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Docker(_) => "docker",
            Self::Compose(_) => "compose",
            Self::Versions(_) => "versions",
            Self::Postgres(_) => "postgres",
            Self::Host(_) => "host",
            Self::Metrics(_) => "metrics",
            Self::Network(_) => "network",
            Self::Escalation(_) => "escalation",
            Self::Exec(_) => "exec",
            Self::Wait(_) => "wait",
            Self::Ask(_) => "ask",
            Self::Notify(_) => "notify",
            Self::Parallel(_) => "parallel",
            Self::Call(_) => "call",
        }
    }

    /// Whether doing it changes nothing in the world, whatever its step claims. Of several at once, each counts as its own
    /// step says: a program that the operator vouches for is a read there as well.
    pub fn only_reads(&self) -> bool {
        match self {
            Self::Http(http) => http.method() == Method::Get,
            Self::Docker(docker) => {
                matches!(
                    docker,
                    Docker::Engine {}
                        | Docker::Ps { .. }
                        | Docker::Inspect { .. }
                        | Docker::Logs { .. }
                        | Docker::Images { .. }
                )
            }
            Self::Versions(versions) => !matches!(versions, Versions::Mark { .. }),
            Self::Compose(compose) => matches!(compose, Compose::Ps { .. }),
            Self::Postgres(postgres) => !matches!(
                postgres,
                Postgres::Restore { .. }
                    | Postgres::Swap { .. }
                    | Postgres::SwapBack { .. }
                    | Postgres::Writes { .. }
                    | Postgres::Drop { .. }
            ),
            Self::Host(_)
            | Self::Metrics(_)
            | Self::Network(_)
            | Self::Escalation(_)
            | Self::Wait(_)
            | Self::Ask(_)
            | Self::Notify(_) => true,
            Self::Parallel(steps) => steps.iter().all(|step| step.effect() == Effect::Read),
            Self::Exec(_) | Self::Call(_) => false,
        }
    }

    /// Whether only whoever wrote the file can know that it changes nothing: by `effect = "read"` it is vouched for.
    pub fn is_vouched_for(&self) -> bool {
        matches!(self, Self::Exec(_) | Self::Docker(Docker::Exec { .. }))
    }

    /// Whether it may be done just to know, without a run: narrower than [`Action::only_reads`], because looking at a
    /// damaged database may start its server, checking a restored one writes its statistics, and waits and questions
    /// take somebody's time.
    pub fn is_a_look(&self) -> bool {
        match self {
            Self::Wait(_) | Self::Ask(_) | Self::Notify(_) => false,
            Self::Postgres(Postgres::Assess { .. } | Postgres::Integrity { .. }) => false,
            Self::Parallel(steps) => steps.iter().all(|step| step.action.is_a_look()),
            other => other.only_reads(),
        }
    }
}

/// A request. Exactly one of the methods is given, with the URL. Redirects are not followed.
/// Result fields: `status`, `json` (when the body is JSON), `body` (text, cut at 64 KiB), `latency_ms`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["get"] }, { "required": ["post"] }, { "required": ["put"] }, { "required": ["delete"] },
]))]
pub struct Http {
    /// The URL that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"{{ target.api }}/health")]
    pub get: Option<String>,
    /// The URL that is posted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"{{ target.api }}/health")]
    pub post: Option<String>,
    /// The URL that is put to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"{{ target.api }}/health")]
    pub put: Option<String>,
    /// The URL that is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"{{ target.api }}/health")]
    pub delete: Option<String>,
    /// Headers, by name. Not `Authorization`: name a secret as `bearer` instead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Name of the secret that is sent as `Authorization: Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = SECRET_NAME), example = &"EMERGENCY_TOKEN")]
    pub bearer: Option<String>,
    /// The body. A text in it that is nothing but `{{ … }}` keeps the type of its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Http {
    pub fn method(&self) -> Method {
        if self.post.is_some() {
            Method::Post
        } else if self.put.is_some() {
            Method::Put
        } else if self.delete.is_some() {
            Method::Delete
        } else {
            Method::Get
        }
    }

    /// The address; the loader has seen to it that exactly one is given.
    pub fn url(&self) -> &str {
        [&self.get, &self.post, &self.put, &self.delete].into_iter().flatten().next().map_or("", String::as_str)
    }
}

/// A verb on a container, by name, or on the engine itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Docker {
    /// Looks whether the engine answers; never fails for how it is. Result fields: `state` (`up`; `missing`: there is no socket;
    /// `refused`: nobody listens; `hanging`; `ill`: it answers wrongly; `denied`: drbot may not ask, so nobody knows), `down`
    /// (true for `missing`, `refused` and `hanging`), `version`.
    Engine {},
    /// Restarts the engine by the target's `docker.restart`, when it is down. Refuses in a container, and where it is not known
    /// that it is down.
    RestartEngine {},
    /// Looks at several containers. Result fields: `containers` (list of `{name, state, health, image, started_at}`;
    /// state is `missing` where there is none), `down` (names of those not running or unhealthy).
    Ps { containers: Vec<String> },
    /// Looks at a container. Result fields: `state` (`running`, `exited`, … or `missing`), `running`, `health`, `image`, `started_at`.
    Inspect { container: String },
    /// Reads a container's log. Result fields: `lines` (the last `tail` that contain one of `matching`, ignoring case), `matched`.
    Logs {
        container: String,
        /// How many of the last lines are looked at.
        #[serde(default = "default_tail")]
        tail: u32,
        /// Only lines that contain one of these; all when empty.
        #[serde(default)]
        matching: Vec<String>,
    },
    /// The tags of an image that this machine has, the newest first. Result fields: `images` (list of `{tag, id, created_at, labels}`).
    Images {
        /// The image's name, without a tag.
        repository: String,
    },
    /// Starts a container.
    Start { container: String },
    /// Stops a container.
    Stop {
        container: String,
        /// How long the container may take by itself before it is killed.
        #[serde(default = "default_grace")]
        grace: Span,
    },
    /// Stops and starts a container.
    Restart {
        container: String,
        /// How long the container may take by itself before it is killed.
        #[serde(default = "default_grace")]
        grace: Span,
    },
    /// Kills a container at once.
    Kill { container: String },
    /// Runs a program inside a container, never a shell's. Result fields: `exit_code`, `stdout`, `stderr`, `json` (when what it
    /// wrote to `stdout` is JSON and nothing else). drbot cannot know what a program does: whoever writes `effect = "read"`
    /// beside it vouches that it changes nothing.
    Exec {
        container: String,
        /// The program and its arguments, each as it is: there is no shell that splits them.
        #[schemars(length(min = 1))]
        command: Vec<String>,
        /// The user that it runs as in the container; the image's when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// Joins a container to a network.
    Connect {
        container: String,
        network: String,
        /// Names by which it is found there, besides its own.
        #[serde(default)]
        aliases: Vec<String>,
    },
    /// Cuts a container off from a network.
    Disconnect { container: String, network: String },
    /// Fetches an image from its registry, as far as this machine has it not. Result fields: `image` (with its tag), `id`.
    Pull { image: String },
}

fn default_tail() -> u32 {
    200
}

fn default_grace() -> Span {
    Span::from_secs(10)
}

/// What is known of the target's versions: the tags of its image that this machine has, and what drbot has recorded of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Versions {
    /// All of them. Result fields: `versions` (list of `{version, image, created_at, present, verdict, good_at, bad_at, why, schema, running}`;
    /// verdict is `good`, `bad` or `unknown`, schema `fits`, `does-not-fit` or `unknown`), `running` (version or null).
    List {},
    /// Chooses one to deploy: by its name, or `last-good`: the one recorded good last that is not running and whose schema does not
    /// misfit. Refuses one that this machine has not, and one whose schema does not fit. Result fields: `version`, `image`, `verdict`,
    /// `good_at`, `why` (it is bad), `schema`, `running`, `running_image`.
    Choose { version: String },
    /// What is deployed, and what was when nothing is. Result fields: `version`, `image`, `deployed` (it has a container), `answers` (what it
    /// says of itself, or null).
    Current {},
    /// Whether the version that runs is this one. Result fields: `same` (the container's image and what it says of itself both are),
    /// `answers` (what it says, or null), `deployed` (the tag of the container's image, or null), `healthy`.
    Answers {
        version: String,
        /// The image's id; whichever the tag names when left out.
        #[serde(default)]
        image: String,
    },
    /// Records a version good or bad, with the reason. Result fields: none.
    Mark { version: String, verdict: Verdict, why: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It may be gone back to.
    Good,
    /// It is not gone back to by itself.
    Bad,
}

/// A verb on the target's compose project. Its state is read from the containers' labels, not from the tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Compose {
    /// Looks at the containers of the project. Result fields: `ready` (all that must be up run, and those that have a health check
    /// are healthy), `services` (list of `{service, name, state, health, image, version}`), `down` (sentences), `starting` (names
    /// of services), `versions` ({service: tag of its image}).
    Ps {
        /// Services that must be up; those of the target when left out.
        #[serde(default)]
        services: Vec<String>,
    },
    /// Creates and starts what the file says, and replaces what is not as it says. Result fields: `changed` (services whose container
    /// is another now, or was started), `services` (as of `ps`). It does not wait for health: `wait` for `compose.ps` does.
    Up {
        /// Only these, and nothing that they depend on; all of the file when left out.
        #[serde(default)]
        services: Vec<String>,
        /// Variables for the file, before those of the target's settings.
        #[serde(default)]
        environment: BTreeMap<String, String>,
        /// False: containers are made as the file says, and none is started.
        #[serde(default = "started", skip_serializing_if = "is_started")]
        start: bool,
    },
    /// Stops and removes the containers and networks of the project. Never its volumes. Result field: `removed` (services).
    Down {},
}

fn started() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_started(start: &bool) -> bool {
    *start
}

/// What can be done with the target's PostgreSQL. Names of databases and backups are checked before use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Postgres {
    /// What is left of the database. Never fails for damage: it reports it.
    /// Result fields: `server` (`up`, `starting` or `down`), `started` (it was stopped, and was started by this), `database` (`ok`, `damaged`,
    /// `unknown` (not all of it could be looked at), `missing`, `unreachable`), `damage` (list of sentences), `unchecked` (what could not be looked at in time),
    /// `tables` ({name: rows}), `newest` (RFC 3339 or null), `measured_by` (`live`, `sample`, `unknown`), `size` (bytes or null).
    Assess { database: String },
    /// Row counts and newest record of a reachable database. Result fields: `tables`, `rows`, `newest`, `size`, `missing`
    /// (the target's critical tables that are not there).
    Counts { database: String },
    /// The backups in the target's folder. Result fields: `backups` (list), `newest` (of those that may be the default), `age` (seconds), `count`.
    Backups {},
    /// Proves one backup. Fails with the reason when it is damaged. `backup` is a file name or `newest-verified`.
    /// Result fields: `backup` (file name), `path`, `sha256`, `size`, `format`, `identity` (size, mtime, inode), `age` (seconds),
    /// `integrity` (`verified` or `unknown`), `tables`, `rows`, `newest`, `loss_seconds`, `loss_rows` (null when unknown), `loss_is_least` (there
    /// may be more), `loss_at_most` (seconds), `loss_how` (measured against what, or why it is unknown), `warnings`, `caution` (the same for a card).
    Verify { backup: String, database: String },
    /// Restores a verified backup beside the live database. Result fields: `server` (`live` or `fresh`), `container`, `volume`, `database`, `bytes`.
    Restore {
        /// The backup's file name, as `verify` found it.
        backup: String,
        /// SHA-256 that `verify` found; the restore fails when the file is not that any more.
        #[serde(default)]
        sha256: String,
        /// The new database: `{{ run.scratch_database }}`.
        into: String,
        /// The live database, whose owner, grants and settings come along.
        database: String,
        /// How many parts are restored at once.
        #[serde(default = "default_jobs")]
        jobs: u32,
    },
    /// Checks a restored database: counts against the backup's manifest, constraints, foreign keys, indexes, newest record; then ANALYZE.
    /// Result fields: `tables`, `rows`, `newest`, `checks` (list of sentences).
    Integrity { database: String, backup: String },
    /// Puts `with` in the place of `database`, by rename or, for a fresh server, by container. Refuses writes in it until `writes` allows them.
    /// Result fields: `kept` (name of the damaged database or volume), `kept_size` (bytes), `drop_hint` (how to drop it later), `interrupted_ms`,
    /// `live_oid` and `kept_oid` (of the two databases; null for containers).
    Swap { database: String, with: String },
    /// Takes a swap by rename back: the database `kept` takes the name `database` again, and the one that has it is kept under another
    /// name. Refuses unless both are those with these OIDs. Refuses writes in it until `writes` allows them. Result fields: those of `swap`.
    SwapBack { database: String, kept: String, kept_oid: String, live_oid: String },
    /// Refuses or allows writes in a database (`default_transaction_read_only`), and ends the sessions that would not notice.
    Writes { database: String, allow: bool },
    /// Drops a database that a run made (its name must be one that drbot gives).
    Drop { database: String },
    /// What was lost, measured against the database that was kept. Result fields: `seconds` or null, `rows` or null, `is_least`
    /// (there may have been more), `at_most` (seconds), `how`.
    Loss { database: String },
    /// One read-only statement with bind parameters. Result fields: `rows` (list of objects), `count`.
    Sql {
        database: String,
        /// One statement that reads, with `$1`, `$2`, … for its parameters.
        query: String,
        /// The values of the parameters. Templates.
        #[serde(default)]
        params: Vec<String>,
    },
}

fn default_jobs() -> u32 {
    2
}

/// Limits that the machine drbot runs on should keep. Result fields: `disk_free_percent`, `memory_free_percent`, `load_per_core`, `problems`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// A folder on the disk that is looked at.
    #[serde(default = "default_path")]
    pub disk_path: String,
    /// At least this much of the disk is free, in percent.
    #[serde(default = "default_free_percent")]
    pub disk_free_percent: u8,
    /// At least this much of the memory is free, in percent.
    #[serde(default = "default_free_percent")]
    pub memory_free_percent: u8,
    /// At most this load of the last minute, per core.
    #[serde(default = "default_load")]
    pub load_per_core: f64,
}

fn default_path() -> String {
    "/".to_owned()
}

fn default_free_percent() -> u8 {
    10
}

fn default_load() -> f64 {
    4.0
}

/// Figures: a page in Prometheus' text format, or what a Prometheus server knows. Each only reads; the step's `expect`
/// judges what was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Metrics {
    /// Reads a page of figures. Result fields: `values` (each name of `select` with its number; null where the page has no such
    /// series, or no finite number), `missing` (the names whose value is null), `series` (the first 100 that were selected, or
    /// of all: list of `{name, labels, value}`), `count` (series on the page), `latency_ms`.
    Scrape {
        /// The URL of the page.
        get: String,
        /// What is looked for, each by a name of its own: a series, with as many labels as tell it from others.
        #[serde(default)]
        #[schemars(extend("propertyNames" = { "pattern": "^[a-z][a-z0-9_]{0,31}$" }))]
        #[schemars(example = &"api_availability{endpoint=\"primary\"}")]
        select: BTreeMap<String, String>,
    },
    /// Asks a Prometheus server for the value of an expression now. Result fields: `value` (a number when there is exactly one
    /// series, else null), `series` (the first 100: list of `{labels, value}`), `count`.
    Query {
        /// The server's address, without a slash at the end.
        prometheus: String,
        /// An expression in Prometheus' language.
        query: String,
    },
    /// What a Prometheus server scrapes. Result fields: `targets` (list of `{job, instance, health, error, scraped_at}`;
    /// health is `up`, `down` or `unknown`), `count`, `down` (`job instance: error` of each that is not up).
    Targets {
        /// The server's address, without a slash at the end.
        prometheus: String,
        /// Only those of these jobs; a job that is not scraped at all counts as down. All when empty.
        #[serde(default)]
        jobs: Vec<String>,
    },
    /// The alerts of a Prometheus server. Result fields: `alerts` (list of `{name, state, labels, since, summary}`), `firing`
    /// and `pending` (their names, each once), `count`.
    Alerts {
        /// The server's address, without a slash at the end.
        prometheus: String,
    },
}

/// drbot's own escalation: the incidents that are open, and whether those are called whom they should call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Escalation {
    /// Looks. Result fields: `open` (how many incidents are open, drills apart), `incidents` (list of `{incident, scenario, target,
    /// holder, seconds_left}`; the holder is null where nobody has it), `overdue_seconds` (for how long the oldest call is due that was not made; 0 when
    /// there is none), `unanswered` (how many of them nobody has), `gaps` (roles that drbot.toml calls and no contact has).
    Look {},
}

/// The target's providers, as they are seen from the network of the container that uses them: name, connection, ping and
/// answer of all at once. Where drbot may not enter that network, it looks from its own and says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Network {
    /// Looks. Result fields: `providers` (list of `{name, setting, url, healthy, why, addresses, dns_ms, tcp_ms, ping_ms, answer_ms,
    /// status, cut_off, own}`; a figure is null where it did not come so far; `cut_off`: drbot reaches it and the container does not;
    /// `own` is drbot's own view, `{healthy, why, answer_ms}`), `healthy`, `down` and `cut_off` (names), `seen_from` (`container`
    /// or `drbot`), `note` (why not from the container, or null).
    Look {},
    /// Looks, and chooses the one to go to: that of the name `to`; or, when `to` is `healthy`, the first healthy one that is not in use.
    /// Refuses one that is not healthy, and a change that is none. Result fields: those of `look`, and `provider`, `setting`, `url` (the
    /// chosen one's), `current` (name of the one in use, or null), `current_setting`, `current_down` (it was seen to be down twice, from
    /// the container), `current_why` (it is down, or null), `back` (whether the chosen one is preferred to the one in use).
    Choose {
        /// The one in use: its name or its setting.
        current: String,
        /// A name, or `healthy`.
        #[serde(default = "default_to")]
        to: String,
    },
}

fn default_to() -> String {
    "healthy".to_owned()
}

/// A program with arguments, never a shell. Result fields: `exit_code`, `stdout`, `stderr`, `json` (when what it wrote to
/// `stdout` is JSON and nothing else). drbot cannot know what a program does: whoever writes `effect = "read"` beside it
/// vouches that it changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// The program: a path, or a name that is found in PATH.
    #[schemars(length(min = 1))]
    pub program: String,
    /// Its arguments, each as it is: there is no shell that splits them.
    #[serde(default)]
    pub args: Vec<String>,
    /// Variables of its otherwise empty environment (PATH is given).
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Secrets that it gets: variable name to secret name.
    #[serde(default)]
    #[schemars(extend("additionalProperties" = { "type": "string", "pattern": SECRET_NAME }))]
    pub secrets: BTreeMap<String, String>,
    /// The folder that it runs in.
    #[serde(default)]
    pub directory: Option<String>,
}

/// Until a probe holds `times` in a row, or for a time. The step's `expect` is applied to each probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["until"] }, { "required": ["for"] }]))]
pub struct Wait {
    /// A probe, which only reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Box<Action>>,
    /// How long; then nothing is probed.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// The time between two probes.
    #[serde(default = "default_every")]
    pub every: Span,
    /// How many times in a row the probe has to hold.
    #[serde(default = "default_times")]
    #[schemars(range(min = 1))]
    pub times: u32,
}

fn default_every() -> Span {
    Span::from_secs(1)
}

fn default_times() -> u32 {
    1
}

/// A question with buttons. Result fields: `answer`, `by`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What is asked. A template.
    pub question: String,
    /// One button each.
    #[schemars(length(min = 1, max = 21))]
    pub choices: Vec<String>,
}

/// A message into the run's channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// What is said. A template.
    pub message: String,
    /// Names of roles (of `drbot.toml`) that are mentioned.
    #[serde(default)]
    pub mention: Vec<String>,
}
