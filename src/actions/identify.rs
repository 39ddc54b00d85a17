//! Which servers a target is: the PostgreSQL cluster's system identifier, and the Docker engine's id.
//!
//! Changes nothing. What does not answer is named, and is no proof of anything.

use super::{Context, Failure, docker, postgres};
use crate::fingerprint::{Kind, Part};

/// What a target was found to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub parts: Vec<Part>,
    /// What could not be looked at, and why.
    pub unseen: Vec<(Kind, String)>,
}

pub async fn identify(engine: &docker::Engine, context: &Context) -> Found {
    let Some(target) = &context.target else { return Found::default() };
    let uses_docker = !target.containers.is_empty() || target.compose.is_some() || target.postgres.is_some();
    let (cluster, docker) = tokio::join!(
        async {
            match &target.postgres {
                Some(_) => Some(in_time(context, Box::pin(postgres::system_identifier(context))).await),
                None => None,
            }
        },
        async { if uses_docker { Some(in_time(context, Box::pin(docker(engine, context))).await) } else { None } }
    );
    let mut found = Found::default();
    for (kind, seen) in [(Kind::Postgres, cluster), (Kind::Docker, docker)] {
        match seen {
            Some(Ok(value)) => found.parts.push(Part { kind, value }),
            Some(Err(failure)) => found.unseen.push((kind, failure.to_string())),
            None => {}
        }
    }
    found
}

/// Within the limit of the look: one that hangs must not hide the other.
async fn in_time(context: &Context, look: impl Future<Output = Result<String, Failure>>) -> Result<String, Failure> {
    let looked = context.clock.timeout(context.timeout, look).await;
    looked.unwrap_or_else(|| Err(Failure::failed(format!("no answer within {} s", context.timeout.as_secs()))))
}

async fn docker(engine: &docker::Engine, context: &Context) -> Result<String, Failure> {
    let client = engine.client(context).await?;
    let info = docker::stoppable(context, client.info()).await?;
    let info = info.map_err(|error| engine.explain("the engine itself", &error))?;
    info.id.filter(|id| !id.is_empty()).ok_or_else(|| Failure::failed("the Docker engine has no id"))
}
