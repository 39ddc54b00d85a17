//! Which names a template or an expression may ask for, known before anything has run.
//!
//! The result fields of an action are listed here a second time, beside the words at each action in `action`: this list
//! is what the checker believes.

use std::collections::BTreeMap;

use super::{
    action::{Action, Compose, Docker, Escalation, Metrics, Network, Postgres, Versions},
    definition::{Step, ValueType},
    suggest,
};

/// What stands behind a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// Exactly these names.
    Fields(BTreeMap<String, Known>),
    /// A value without anything inside.
    Plain,
    /// Nobody knows what is inside.
    Open,
}

/// Names that every step has.
pub const STEP_NAMES: [&str; 3] = ["ok", "skipped", "failed"];

impl Known {
    pub fn none() -> Self {
        Self::Fields(BTreeMap::new())
    }

    fn fields(plain: &[&str], open: &[&str]) -> Self {
        let plain = plain.iter().map(|name| ((*name).to_owned(), Self::Plain));
        let open = open.iter().map(|name| ((*name).to_owned(), Self::Open));
        Self::Fields(plain.chain(open).collect())
    }

    #[must_use]
    pub fn with(mut self, name: &str, known: Known) -> Self {
        self.insert(name, known);
        self
    }

    pub fn insert(&mut self, name: &str, known: Known) {
        if let Self::Fields(fields) = self {
            fields.insert(name.to_owned(), known);
        }
    }

    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Fields(fields) => fields.keys().map(String::as_str).collect(),
            Self::Plain | Self::Open => Vec::new(),
        }
    }

    pub fn of_json(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Object(fields) => {
                Self::Fields(fields.iter().map(|(name, inner)| (name.clone(), Self::of_json(inner))).collect())
            }
            serde_json::Value::Array(_) => Self::Open,
            _ => Self::Plain,
        }
    }

    fn of_type(kind: ValueType) -> Self {
        match kind {
            ValueType::List | ValueType::Object | ValueType::Any => Self::Open,
            _ => Self::Plain,
        }
    }

    /// Whether `steps.verify.rows` is there.
    ///
    /// # Errors
    /// What is not there, and what to do about it.
    pub fn look_up(&self, path: &str) -> Result<(), (String, String)> {
        let mut known = self;
        let mut walked = String::new();
        for part in path.split('.') {
            match known {
                Self::Open => return Ok(()),
                Self::Plain => {
                    return Err((format!("`{walked}` has nothing inside"), format!("`{path}` asks for more")));
                }
                Self::Fields(fields) => match fields.get(part) {
                    Some(inner) => known = inner,
                    None => {
                        let place = if walked.is_empty() { "here".to_owned() } else { format!("in `{walked}`") };
                        return Err((format!("there is no `{part}` {place}"), suggest::help(part, known.names())));
                    }
                },
            }
            if !walked.is_empty() {
                walked.push('.');
            }
            walked.push_str(part);
        }
        Ok(())
    }
}

/// What later steps see of a step.
pub fn of_step(step: &Step) -> Known {
    let mut known = Known::fields(&STEP_NAMES, &[]);
    if let Action::Parallel(branches) = &step.action {
        for branch in branches {
            known.insert(&branch.id, of_branch(branch));
        }
    }
    for (name, output) in &step.outputs {
        known.insert(name, Known::of_type(output.kind));
    }
    known
}

/// The result fields of an action, which `expect` and `outputs` are about.
pub fn of_result(action: &Action) -> Known {
    match action {
        Action::Http(_) => Known::fields(&["status", "body", "latency_ms"], &["json"]),
        Action::Docker(docker) => of_docker(docker),
        Action::Compose(compose) => of_compose(compose),
        Action::Versions(versions) => of_versions(versions),
        Action::Postgres(postgres) => of_postgres(postgres),
        Action::Host(_) => Known::fields(&["disk_free_percent", "memory_free_percent", "load_per_core"], &["problems"]),
        Action::Metrics(metrics) => of_metrics(metrics),
        Action::Network(network) => of_network(network),
        Action::Escalation(Escalation::Look {}) => {
            Known::fields(&["open", "overdue_seconds", "unanswered"], &["incidents", "gaps"])
        }
        Action::Exec(_) => Known::fields(&["exit_code", "stdout", "stderr"], &["json"]),
        Action::Wait(wait) => wait.until.as_deref().map_or_else(Known::none, of_result),
        Action::Ask(_) => Known::fields(&["answer", "by"], &[]),
        Action::Notify(_) | Action::Call(_) => Known::none(),
        Action::Parallel(branches) => {
            branches.iter().fold(Known::none(), |known, branch| known.with(&branch.id, of_branch(branch)))
        }
    }
}

/// What a step of several at once sees of each of them.
fn of_branch(branch: &Step) -> Known {
    let known = Known::fields(&["ok", "summary", "error"], &[]);
    branch.outputs.iter().fold(known, |known, (name, output)| known.with(name, Known::of_type(output.kind)))
}

fn of_docker(docker: &Docker) -> Known {
    match docker {
        Docker::Engine {} => Known::fields(&["state", "down", "version"], &[]),
        Docker::Ps { .. } => Known::fields(&[], &["containers", "down"]),
        Docker::Inspect { .. } => {
            Known::fields(&["state", "running", "health", "image", "image_id", "started_at"], &[])
        }
        Docker::Logs { .. } => Known::fields(&["matched"], &["lines"]),
        Docker::Images { .. } => Known::fields(&[], &["images"]),
        Docker::Exec { .. } => Known::fields(&["exit_code", "stdout", "stderr"], &["json"]),
        Docker::Pull { .. } => Known::fields(&["image", "id"], &[]),
        Docker::RestartEngine {}
        | Docker::Start { .. }
        | Docker::Stop { .. }
        | Docker::Restart { .. }
        | Docker::Connect { .. }
        | Docker::Disconnect { .. }
        | Docker::Kill { .. } => Known::none(),
    }
}

fn of_versions(versions: &Versions) -> Known {
    match versions {
        Versions::List {} => Known::fields(&["running"], &["versions"]),
        Versions::Choose { .. } => {
            Known::fields(&["version", "image", "verdict", "good_at", "why", "schema", "running", "running_image"], &[])
        }
        Versions::Current {} => Known::fields(&["version", "image", "deployed", "answers"], &[]),
        Versions::Answers { .. } => Known::fields(&["same", "answers", "deployed", "healthy"], &[]),
        Versions::Mark { .. } => Known::none(),
    }
}

fn of_compose(compose: &Compose) -> Known {
    match compose {
        Compose::Ps { .. } => Known::fields(&["ready"], &["services", "down", "starting", "versions"]),
        Compose::Up { .. } => Known::fields(&[], &["changed", "services"]),
        Compose::Down {} => Known::fields(&[], &["removed"]),
    }
}

fn of_metrics(metrics: &Metrics) -> Known {
    match metrics {
        Metrics::Scrape { select, .. } => {
            let names: Vec<&str> = select.keys().map(String::as_str).collect();
            Known::fields(&["count", "latency_ms"], &["series", "missing"]).with("values", Known::fields(&names, &[]))
        }
        Metrics::Query { .. } => Known::fields(&["value", "count"], &["series"]),
        Metrics::Targets { .. } => Known::fields(&["count"], &["targets", "down"]),
        Metrics::Alerts { .. } => Known::fields(&["count"], &["alerts", "firing", "pending"]),
    }
}

fn of_network(network: &Network) -> Known {
    let (plain, lists) = (["seen_from", "note"], ["providers", "healthy", "down", "cut_off"]);
    match network {
        Network::Look {} => Known::fields(&plain, &lists),
        Network::Choose { .. } => {
            let chosen =
                ["provider", "setting", "url", "current", "current_setting", "current_down", "current_why", "back"];
            Known::fields(&[&plain[..], &chosen].concat(), &lists)
        }
    }
}

fn of_postgres(postgres: &Postgres) -> Known {
    match postgres {
        Postgres::Assess { .. } => Known::fields(
            &["server", "started", "database", "newest", "measured_by", "size"],
            &["damage", "unchecked", "tables"],
        ),
        Postgres::Counts { .. } => Known::fields(&["rows", "newest", "size"], &["tables", "missing"]),
        Postgres::Backups {} => Known::fields(&["age", "count"], &["backups", "newest"]),
        Postgres::Verify { .. } => Known::fields(
            &[
                "backup",
                "path",
                "sha256",
                "size",
                "format",
                "age",
                "integrity",
                "rows",
                "newest",
                "loss_seconds",
                "loss_rows",
                "loss_is_least",
                "loss_at_most",
                "loss_how",
                "caution",
            ],
            &["identity", "tables", "warnings"],
        ),
        Postgres::Restore { .. } => Known::fields(&["server", "container", "volume", "database", "bytes"], &[]),
        Postgres::Integrity { .. } => Known::fields(&["rows", "newest"], &["tables", "checks"]),
        Postgres::Swap { .. } | Postgres::SwapBack { .. } => {
            Known::fields(&["kept", "kept_size", "drop_hint", "interrupted_ms", "live_oid", "kept_oid"], &[])
        }
        Postgres::Writes { .. } | Postgres::Drop { .. } => Known::none(),
        Postgres::Loss { .. } => Known::fields(&["seconds", "rows", "is_least", "at_most", "how"], &[]),
        Postgres::Sql { .. } => Known::fields(&["count"], &["rows"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_name_is_explained() {
        let known = Known::none().with("steps", Known::none().with("verify", Known::fields(&["rows"], &["tables"])));
        assert!(known.look_up("steps.verify.rows").is_ok());
        assert!(known.look_up("steps.verify.tables.anything").is_ok());
        assert!(known.look_up("steps").is_ok());
        let (message, help) = known.look_up("steps.verfiy.rows").unwrap_err();
        assert_eq!(message, "there is no `verfiy` in `steps`");
        assert_eq!(help, "did you mean `verify`? allowed: verify");
        assert!(known.look_up("steps.verify.rows.x").unwrap_err().0.contains("nothing inside"));
    }
}
