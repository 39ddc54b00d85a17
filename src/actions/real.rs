//! The world: actions as they are really carried out.

use std::sync::OnceLock;

use super::{
    Actions, Context, Done, Failure, Fields, Probe, compose, docker, exec, host, http,
    identify::{self, Found},
    leftovers, metrics, network, postgres,
};
use crate::runbook::action::Action;

/// Carries actions out in the world. Nothing is connected before it is needed, so it can be had while all is broken.
#[derive(Debug)]
pub struct RealActions {
    /// Made when it is needed first: reading the machine's certificates takes longer than the rest of the start.
    http: OnceLock<reqwest::Client>,
    docker: docker::Engine,
}

impl Default for RealActions {
    fn default() -> Self {
        Self::new()
    }
}

impl RealActions {
    pub fn new() -> Self {
        Self::with_docker(std::env::var("DOCKER_HOST").ok().as_deref())
    }

    /// With the Docker engine at `host`, as `DOCKER_HOST` has it.
    pub fn with_docker(host: Option<&str>) -> Self {
        Self { http: OnceLock::new(), docker: docker::Engine::new(host) }
    }

    fn http(&self) -> Result<&reqwest::Client, Failure> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        let client = http::client().map_err(|error| Failure::refused(format!("{error:#}")))?;
        Ok(self.http.get_or_init(|| client))
    }
}

#[async_trait::async_trait]
impl Actions for RealActions {
    async fn prepare(&self, action: &Action, context: &Context) -> Result<Fields, Failure> {
        match action {
            Action::Docker(action) => docker::prepare(&self.docker, action, context).await,
            Action::Postgres(action) => postgres::prepare(&self.docker, action, context).await,
            _ => Ok(Fields::new()),
        }
    }

    async fn perform(&self, action: &Action, context: &Context) -> Result<Done, Failure> {
        match action {
            Action::Http(action) => http::perform(action, context, self.http()?).await,
            Action::Docker(action) => docker::perform(&self.docker, action, context).await,
            Action::Compose(action) => Box::pin(compose::perform(&self.docker, action, context)).await,
            Action::Postgres(action) => postgres::perform(&self.docker, action, context).await,
            Action::Host(action) => host::perform(action, context).await,
            Action::Metrics(action) => metrics::perform(action, context, self.http()?).await,
            Action::Network(action) => network::perform(&self.docker, action, context).await,
            Action::Exec(action) => exec::perform(action, context).await,
            other => Err(Failure::refused(format!("`{}` is the engine's own", other.key()))),
        }
    }

    async fn probe(&self, action: &Action, context: &Context) -> Probe {
        match action {
            Action::Docker(action) => docker::probe(&self.docker, action, context).await,
            Action::Compose(action) => compose::probe(action, context).await,
            Action::Postgres(action) => postgres::probe(&self.docker, action, context).await,
            Action::Http(_) => Probe::CannotTell("a request leaves no trace here".to_owned()),
            Action::Exec(_) => {
                leftovers::end(context).await;
                Probe::CannotTell("what a program did is not known".to_owned())
            }
            _ => Probe::DidNotHappen,
        }
    }

    async fn identify(&self, context: &Context) -> Found {
        identify::identify(&self.docker, context).await
    }
}
