//! One run's steps, done straight by the real actions: no engine, no chat, so that what an action does to the world is
//! seen by itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drbot::{
    actions::{Actions, Context, Done, Failure, Fields, Labels, Probe, Progress, ProgressValue, real::RealActions},
    clock::Clock,
    config::{
        secrets::Secrets,
        settings::{ComposeTarget, PostgresTarget, Target},
    },
    runbook::action::{Action, Postgres},
    sample::Sample,
};
use tokio_util::sync::CancellationToken;

use super::range::Range;

pub const DATABASE: &str = "trading_bot_prod";
pub const PASSWORD: &str = "rehearsal-db-password";

/// A run with its own short name.
pub struct Acting {
    pub run: String,
    pub target: Target,
    pub sample: Option<Sample>,
    pub password: String,
    actions: RealActions,
}

impl Acting {
    /// `run` is eight hex digits, as the engine gives.
    pub fn on(range: &Range, run: &str) -> Self {
        let postgres = PostgresTarget {
            container: range.container("trading-postgres"),
            database: DATABASE.to_owned(),
            user: "antbot".to_owned(),
            password: "DB_PASSWORD".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: range.pg_port,
            backups: range.backups.clone(),
            critical_tables: vec!["public.trades".to_owned(), "public.portfolio_positions".to_owned()],
            newest_table: "public.trades".to_owned(),
            newest_column: "created_at".to_owned(),
            shrink_limit: 0.8,
        };
        let target = Target {
            api: format!("http://127.0.0.1:{}", range.api_port),
            containers: BTreeMap::new(),
            urls: BTreeMap::new(),
            programs: BTreeMap::new(),
            compose: Some(project(range)),
            docker: Default::default(),
            versions: None,
            network: None,
            postgres: Some(postgres),
            sample_every: None,
        };
        Self { run: run.to_owned(), target, sample: None, password: PASSWORD.to_owned(), actions: RealActions::new() }
    }

    /// With Docker's socket at another place.
    #[must_use]
    pub fn with_docker(self, socket: &std::path::Path) -> Self {
        let host = format!("unix://{}", socket.display());
        Self { actions: RealActions::with_docker(Some(&host)), ..self }
    }

    pub fn compose(&mut self) -> &mut ComposeTarget {
        self.target.compose.as_mut().unwrap()
    }

    pub fn postgres(&mut self) -> &mut PostgresTarget {
        self.target.postgres.as_mut().unwrap()
    }

    pub fn scratch(&self) -> String {
        format!("drbot_{}", self.run)
    }

    pub fn kept(&self) -> String {
        format!("{DATABASE}_damaged_{}", self.run)
    }

    pub fn context(&self, step: &str) -> Context {
        let password = self.password.clone();
        Context {
            labels: Labels { run: self.run.clone(), step: step.to_owned(), attempt: 1 },
            target: Some(Arc::new(self.target.clone())),
            secrets: Secrets::from_lookup(move |name| (name == "DB_PASSWORD").then(|| password.clone())),
            clock: Clock::system(),
            cancel: CancellationToken::new(),
            timeout: Duration::from_secs(60),
            progress: Progress::default(),
            sample: self.sample.clone(),
            facts: Fields::new(),
        }
    }

    /// Prepares and performs, as the engine does.
    pub async fn does(&self, step: &str, action: impl Into<Action>) -> Result<Done, Failure> {
        self.does_in(self.context(step), action).await
    }

    pub async fn does_in(&self, mut context: Context, action: impl Into<Action>) -> Result<Done, Failure> {
        let action = action.into();
        context.facts = self.actions.prepare(&action, &context).await?;
        self.actions.perform(&action, &context).await
    }

    /// With what it said of its progress.
    pub async fn does_watched(
        &self,
        step: &str,
        action: impl Into<Action>,
    ) -> (Result<Done, Failure>, Vec<ProgressValue>) {
        let (sender, mut receiver) = tokio::sync::watch::channel(ProgressValue::default());
        let mut context = self.context(step);
        context.progress = Progress::new(sender);
        let watching = tokio::spawn(async move {
            let mut seen = Vec::new();
            while receiver.changed().await.is_ok() {
                seen.push(receiver.borrow_and_update().clone());
            }
            seen
        });
        let result = self.does_in(context, action).await;
        (result, watching.await.unwrap())
    }

    pub async fn prepares(&self, step: &str, action: impl Into<Action>) -> Fields {
        self.actions.prepare(&action.into(), &self.context(step)).await.unwrap()
    }

    pub async fn performs(&self, step: &str, action: impl Into<Action>, facts: &Fields) -> Result<Done, Failure> {
        let context = Context { facts: facts.clone(), ..self.context(step) };
        self.actions.perform(&action.into(), &context).await
    }

    pub async fn probes(&self, step: &str, action: impl Into<Action>, facts: &Fields) -> Probe {
        let context = Context { facts: facts.clone(), ..self.context(step) };
        self.actions.probe(&action.into(), &context).await
    }

    pub fn assess(&self) -> Action {
        Action::Postgres(Postgres::Assess { database: DATABASE.to_owned() })
    }

    pub fn verify(&self, backup: &str) -> Action {
        Action::Postgres(Postgres::Verify { backup: backup.to_owned(), database: DATABASE.to_owned() })
    }

    pub fn restore(&self, verified: &Done) -> Action {
        let text = |name: &str| verified.fields[name].as_str().unwrap().to_owned();
        Action::Postgres(Postgres::Restore {
            backup: text("backup"),
            sha256: text("sha256"),
            into: self.scratch(),
            database: DATABASE.to_owned(),
            jobs: 2,
        })
    }

    pub fn integrity(&self, verified: &Done) -> Action {
        let backup = verified.fields["backup"].as_str().unwrap().to_owned();
        Action::Postgres(Postgres::Integrity { database: self.scratch(), backup })
    }

    pub fn swap(&self) -> Action {
        Action::Postgres(Postgres::Swap { database: DATABASE.to_owned(), with: self.scratch() })
    }

    pub fn loss(&self) -> Action {
        Action::Postgres(Postgres::Loss { database: DATABASE.to_owned() })
    }

    pub fn writes(&self, allow: bool) -> Action {
        Action::Postgres(Postgres::Writes { database: DATABASE.to_owned(), allow })
    }

    pub fn drop_scratch(&self) -> Action {
        Action::Postgres(Postgres::Drop { database: self.scratch() })
    }

    pub fn sql(&self, query: &str, params: &[&str]) -> Action {
        let params = params.iter().map(|text| (*text).to_owned()).collect();
        Action::Postgres(Postgres::Sql { database: DATABASE.to_owned(), query: query.to_owned(), params })
    }

    /// The run's steps up to the restored and checked database beside the live one. Returns what `verify` found.
    pub async fn restores(&self, backup: &str) -> Done {
        let verified = self.does("verify", self.verify(backup)).await.unwrap();
        self.does("restore", self.restore(&verified)).await.unwrap();
        self.does("integrity", self.integrity(&verified)).await.unwrap();
        verified
    }
}

/// The backup of this range with this ending (`dump`, `sql`).
pub fn backup(range: &Range, ending: &str) -> String {
    let mut names: Vec<_> = std::fs::read_dir(&range.backups)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(&format!(".{ending}")) && !name.starts_with('.'))
        .collect();
    names.sort();
    names.pop().expect("a backup")
}

/// Everything in this range that bears the run's label, whatever it is.
pub fn made_by(range: &Range, run: &str) -> Vec<String> {
    let label = format!("label=drbot.run={run}");
    let containers = range.docker(&["ps", "-a", "--filter", &label, "--format", "{{.Names}}"]);
    let volumes = range.docker(&["volume", "ls", "--filter", &label, "--format", "{{.Name}}"]);
    let all = containers.lines().chain(volumes.lines());
    all.filter(|name| name.starts_with(&range.prefix)).map(str::to_owned).collect()
}

/// The reason, which must be a refusal.
pub fn refusal(result: Result<Done, Failure>) -> String {
    match result {
        Err(Failure::Refused { message }) => message,
        other => panic!("not refused: {other:?}"),
    }
}

pub fn failure(result: Result<Done, Failure>) -> String {
    match result {
        Err(Failure::Failed { message, .. }) => message,
        other => panic!("not failed: {other:?}"),
    }
}

/// The range as the compose project that it is.
fn project(range: &Range) -> ComposeTarget {
    let variables = range.variables().into_iter().filter(|(name, _)| name.starts_with("RANGE_"));
    let images = std::env::var("RANGE_IMAGES").ok().map(|images| ("RANGE_IMAGES".to_owned(), images));
    ComposeTarget {
        file: concat!(env!("CARGO_MANIFEST_DIR"), "/range/compose.yaml").into(),
        project: range.project.clone(),
        profiles: Vec::new(),
        services: ["trading-postgres", "redis", "trading-bot"].map(str::to_owned).to_vec(),
        environment: variables.chain(images).collect(),
        secrets: BTreeMap::from([("DB_PASSWORD".to_owned(), "DB_PASSWORD".to_owned())]),
    }
}
