//! What `drbot.toml` says: roles, channels, scenarios, targets. Values only; secrets are named here and live elsewhere.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::runbook::span::Span;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub discord: Discord,
    /// Name → Discord role id. Commands name roles by these names.
    pub roles: BTreeMap<String, DiscordId>,
    #[serde(default)]
    pub scenario: BTreeMap<String, Scenario>,
    #[serde(default)]
    pub target: BTreeMap<String, Target>,
    /// When people are called because a recovery takes long.
    #[serde(default = "default_ladder")]
    pub escalation: Vec<RungSettings>,
    #[serde(default)]
    pub contacts: ContactSettings,
    #[serde(default)]
    pub limits: Limits,
    /// drbot's own HTTP listener; none when left out.
    #[serde(default)]
    pub web: Option<Web>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Address and port. What is shown there is for nobody outside: keep it on loopback, or behind a proxy.
    pub listen: SocketAddr,
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discord {
    pub guild: DiscordId,
    /// Where cards go that belong to no channel of their own, and what drbot says by itself.
    pub channel: DiscordId,
    /// Channels in which commands are taken; everywhere in the guild when empty.
    #[serde(default)]
    pub command_channels: Vec<DiscordId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    /// Recovery Time Objective.
    pub rto: Span,
    /// Recovery Point Objective.
    pub rpo: Span,
    pub priority: Priority,
    /// Contact roles that are called first; all of them when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responsible: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    Critical,
    High,
    Medium,
}

/// When a share of the RTO is used and recovery is not verified, these people are called, and those of the rungs below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RungSettings {
    /// Percent of the RTO, 1 to 100.
    pub at: u8,
    /// Contact roles; `responsible` stands for those of the scenario, `everyone` for all.
    pub page: Vec<String>,
}

/// The responsible at 50 and 75 %, everyone at 90 and 100 %.
pub fn default_ladder() -> Vec<RungSettings> {
    [(50, "responsible"), (75, "responsible"), (90, "everyone"), (100, "everyone")]
        .map(|(at, who)| RungSettings { at, page: vec![who.to_owned()] })
        .to_vec()
}

/// Who may see the contacts table. Nobody when left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactSettings {
    /// Roles that may use `/contacts`; they see numbers masked.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Those of them that see numbers whole, in an answer that nobody else sees.
    #[serde(default)]
    pub numbers: Vec<String>,
}

/// A system that is acted on. Templates see it as `target`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Base URL of its HTTP API, without a slash at the end.
    pub api: String,
    /// Containers: role name → container name (`bot = "trading-bot"`).
    #[serde(default)]
    pub containers: BTreeMap<String, String>,
    /// Name of its database; the same as `postgres.database`, so that templates read well.
    #[serde(default)]
    pub postgres: Option<PostgresTarget>,
    /// How often a sample of counts and newest record is journaled while nothing runs; never when left out.
    #[serde(default)]
    pub sample_every: Option<Span>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresTarget {
    /// Its container. PostgreSQL's tools run in one-shot containers of the same image, on the same network.
    pub container: String,
    pub database: String,
    /// A superuser.
    pub user: String,
    /// Name of the secret that holds the password.
    pub password: String,
    /// Where drbot itself reaches the server.
    pub host: String,
    #[serde(deserialize_with = "number_or_text")]
    pub port: u16,
    /// Folder of backups on this machine.
    pub backups: PathBuf,
    /// Tables without which a backup is not whole (`public.trades`).
    #[serde(default)]
    pub critical_tables: Vec<String>,
    /// The table and column that tell how new the data is (`public.trades`, `created_at`).
    pub newest_table: String,
    pub newest_column: String,
    /// A backup with fewer rows than this share of the last sample is flagged and never the default. 0 to 1.
    #[serde(default = "default_shrink")]
    pub shrink_limit: f64,
}

/// A port as a number, or as the text that a reference to the environment leaves (`"${PORT:-5432}"`).
fn number_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
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

fn default_shrink() -> f64 {
    0.8
}

/// How many commands one person may give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub commands_per_minute: u32,
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { commands_per_minute: 20, burst: 10 }
    }
}
