//! The world: actions as they are really carried out.

use anyhow::Result;

use super::{Actions, Context, Done, Failure, Fields, Probe, docker, exec, host, http, postgres};
use crate::runbook::action::Action;

/// Carries actions out in the world. Nothing is connected before it is needed, so it can be had while all is broken.
#[derive(Debug)]
pub struct RealActions {
    http: reqwest::Client,
    docker: docker::Engine,
}

impl RealActions {
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new() -> Result<Self> {
        let host = std::env::var("DOCKER_HOST").ok();
        Ok(Self { http: http::client()?, docker: docker::Engine::new(host.as_deref()) })
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
            Action::Http(action) => http::perform(action, context, &self.http).await,
            Action::Docker(action) => docker::perform(&self.docker, action, context).await,
            Action::Postgres(action) => postgres::perform(&self.docker, action, context).await,
            Action::Host(action) => host::perform(action, context).await,
            Action::Exec(action) => exec::perform(action, context).await,
            other => Err(Failure::refused(format!("`{}` is the engine's own", other.key()))),
        }
    }

    async fn probe(&self, action: &Action, context: &Context) -> Probe {
        match action {
            Action::Docker(action) => docker::probe(&self.docker, action, context).await,
            Action::Postgres(action) => postgres::probe(&self.docker, action, context).await,
            Action::Http(_) => Probe::CannotTell("a request leaves no trace here".to_owned()),
            Action::Exec(_) => Probe::CannotTell("what a program did is not known".to_owned()),
            _ => Probe::DidNotHappen,
        }
    }
}
