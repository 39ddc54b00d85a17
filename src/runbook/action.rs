//! What a step can do, as a command file says it. Values only: `crate::actions` carries them out.
//!
//! Every `String` here is a template until it is rendered, but for the names of secrets, which never are. An action
//! rendered is the same type with the templates filled in, so what is approved, journaled and done is one thing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{definition::Step, span::Span};

/// The key under which an action stands in a step; exactly one of them in each.
pub const ACTION_KEYS: [&str; 10] =
    ["http", "docker", "postgres", "host", "exec", "wait", "ask", "notify", "parallel", "call"];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Http(Http),
    Docker(Docker),
    Postgres(Postgres),
    Host(Host),
    Exec(Exec),
    Wait(Wait),
    Ask(Ask),
    Notify(Notify),
    /// Several read-only steps at once. The step succeeds when all of them do, unless they say `on_failure = "continue"`.
    Parallel(Vec<Step>),
    /// The steps of another command, in the place of this one. Gone from a definition that is frozen into a run.
    Call(String),
}

impl Action {
    /// The key that a file writes it under.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Docker(_) => "docker",
            Self::Postgres(_) => "postgres",
            Self::Host(_) => "host",
            Self::Exec(_) => "exec",
            Self::Wait(_) => "wait",
            Self::Ask(_) => "ask",
            Self::Notify(_) => "notify",
            Self::Parallel(_) => "parallel",
            Self::Call(_) => "call",
        }
    }

    /// Whether doing it changes nothing in the world, whatever its step claims.
    pub fn only_reads(&self) -> bool {
        match self {
            Self::Http(http) => http.method() == Method::Get,
            Self::Docker(docker) => {
                matches!(docker, Docker::Ps { .. } | Docker::Inspect { .. } | Docker::Logs { .. })
            }
            Self::Postgres(postgres) => !matches!(
                postgres,
                Postgres::Restore { .. } | Postgres::Swap { .. } | Postgres::Writes { .. } | Postgres::Drop { .. }
            ),
            Self::Host(_) | Self::Wait(_) | Self::Ask(_) | Self::Notify(_) => true,
            Self::Parallel(steps) => steps.iter().all(|step| step.action.only_reads()),
            Self::Exec(_) | Self::Call(_) => false,
        }
    }
}

/// A request. Exactly one of the methods is given, with the URL. Redirects are not followed.
/// Result fields: `status`, `json` (when the body is JSON), `body` (text, cut at 64 KiB), `latency_ms`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub get: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Name of the secret that is sent as `Authorization: Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<String>,
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

/// A verb on a container, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Docker {
    /// Looks at the named containers. Result fields: `containers` (list of `{name, state, health, image, started_at}`;
    /// state is `missing` where there is none), `down` (names of those not running or unhealthy).
    Ps {
        containers: Vec<String>,
    },
    /// Result fields: `state` (`running`, `exited`, … or `missing`), `running`, `health`, `image`, `started_at`.
    Inspect {
        container: String,
    },
    /// Result fields: `lines` (the last `tail` that contain one of `matching`, ignoring case), `matched`.
    Logs {
        container: String,
        #[serde(default = "default_tail")]
        tail: u32,
        #[serde(default)]
        matching: Vec<String>,
    },
    Start {
        container: String,
    },
    Stop {
        container: String,
        /// How long the container may take by itself before it is killed.
        #[serde(default = "default_grace")]
        grace: Span,
    },
    Restart {
        container: String,
        #[serde(default = "default_grace")]
        grace: Span,
    },
    Kill {
        container: String,
    },
}

fn default_tail() -> u32 {
    200
}

fn default_grace() -> Span {
    Span::from_secs(10)
}

/// What can be done with the target's PostgreSQL. Names of databases and backups are checked before use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Postgres {
    /// What is left of the database. Never fails for damage: it reports it.
    /// Result fields: `server` (`up`, `starting` or `down`), `started` (it was stopped, and was started by this), `database` (`ok`, `damaged`,
    /// `unknown` (not all of it could be looked at), `missing`, `unreachable`), `damage` (list of sentences), `unchecked` (what could not be looked at in time),
    /// `tables` ({name: rows}), `newest` (RFC 3339 or null), `measured_by` (`live`, `sample`, `unknown`), `size` (bytes or null).
    Assess { database: String },
    /// Row counts and newest record of a reachable database. Result fields: `tables`, `rows`, `newest`, `size`.
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
        backup: String,
        /// SHA-256 that `verify` found; the restore fails when the file is not that any more.
        #[serde(default)]
        sha256: String,
        into: String,
        /// The live database, whose owner, grants and settings come along.
        database: String,
        #[serde(default = "default_jobs")]
        jobs: u32,
    },
    /// Checks a restored database: counts against the backup's manifest, constraints, foreign keys, indexes, newest record; then ANALYZE.
    /// Result fields: `tables`, `rows`, `newest`, `checks` (list of sentences).
    Integrity { database: String, backup: String },
    /// Puts `with` in the place of `database`, by rename or, for a fresh server, by container. Refuses writes in it until `writes` allows them.
    /// Result fields: `kept` (name of the damaged database or volume), `kept_size` (bytes), `drop_hint` (how to drop it later), `interrupted_ms`.
    Swap { database: String, with: String },
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
        query: String,
        #[serde(default)]
        params: Vec<String>,
    },
}

fn default_jobs() -> u32 {
    2
}

/// Limits that the machine drbot runs on should keep. Result fields: `disk_free_percent`, `memory_free_percent`, `load_per_core`, `problems`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    #[serde(default = "default_path")]
    pub disk_path: String,
    #[serde(default = "default_free_percent")]
    pub disk_free_percent: u8,
    #[serde(default = "default_free_percent")]
    pub memory_free_percent: u8,
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

/// A program with arguments, never a shell. Result fields: `exit_code`, `stdout`, `stderr`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    pub program: String,
    #[serde(default)]
    pub args: Vec<String>,
    /// Variables of its otherwise empty environment (PATH is given).
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Secrets that it gets: variable name to secret name.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    #[serde(default)]
    pub directory: Option<String>,
}

/// Until a probe holds `times` in a row, or for a time. The step's `expect` is applied to each probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Box<Action>>,
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    #[serde(default = "default_every")]
    pub every: Span,
    #[serde(default = "default_times")]
    pub times: u32,
}

fn default_every() -> Span {
    Span::from_secs(1)
}

fn default_times() -> u32 {
    1
}

/// A question with buttons. Result fields: `answer`, `by`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    pub question: String,
    pub choices: Vec<String>,
}

/// A message into the run's channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    pub message: String,
    /// Names of roles (of `drbot.toml`) that are mentioned.
    #[serde(default)]
    pub mention: Vec<String>,
}
