//! Whether the live server is up, and if not, why. Decides whether a fresh server may take its part.
//!
//! What must stay true: a server that runs, but that drbot cannot talk to (a wrong port, a wrong password, a network that
//! is cut), is never taken for one that does not start: it may be serving everybody else. Nor is one that replays its log
//! after a crash, however long that takes: all its data is there.

use std::time::Duration;

use bollard::models::ContainerInspectResponse;

use super::{
    connect::{self, Server},
    fresh, tools,
};
use crate::actions::{Context, Failure, ProgressValue, docker};

const EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// It answers. `started`: it was stopped, and has been started just now.
    Up { started: bool },
    /// It runs, and is not ready yet, as it says itself: it replays its log after a crash.
    Starting(String),
    /// Its container ends whenever it is started, for this reason.
    DoesNotStart(String),
}

/// Looks at the live server; when its container is stopped, starts it once and waits for it: for `limit`, and for
/// `patience` as long as it says itself that it is starting.
///
/// # Errors
/// When nothing can be said: there is no container, or it runs and does not answer, or does not let drbot in.
pub async fn look(
    engine: &docker::Engine,
    context: &Context,
    limit: Duration,
    patience: Duration,
) -> Result<Live, Failure> {
    let live = connect::live(context)?;
    match fresh::wait_ready_within(context, &live, Duration::ZERO).await {
        Ok(()) => return Ok(Live::Up { started: false }),
        Err(Failure::Failed { .. }) => {}
        Err(other) => return Err(other),
    }
    let first = inspect(engine, context, &live).await?;
    let restarts = first.restart_count.unwrap_or(0);
    let begin = context.clock.monotonic();
    let mut started = false;
    let mut found = first;
    loop {
        if !docker::is_running(&found) {
            if started && !is_restarting(&found) {
                return Ok(Live::DoesNotStart(why(engine, context, &live, &found).await));
            }
            if !started {
                fresh::start(engine, context, &live.container).await?;
                started = true;
            }
        }
        let problem = match fresh::wait_ready_within(context, &live, Duration::ZERO).await {
            Ok(()) => return Ok(Live::Up { started }),
            Err(Failure::Failed { message, .. }) => message,
            Err(other) => return Err(other),
        };
        found = inspect(engine, context, &live).await?;
        let is_starting = docker::is_running(&found) && connect::is_starting(&problem);
        if is_starting {
            let doing = format!("waiting for {}, which replays its log after a crash", live.container);
            context.progress.report(ProgressValue { doing, ..ProgressValue::default() });
            if begin.elapsed() >= patience.max(limit) {
                return Ok(Live::Starting(problem));
            }
        } else if begin.elapsed() >= limit {
            // Restarted by Docker again and again: it ends each time.
            if is_restarting(&found) || found.restart_count.unwrap_or(0) > restarts {
                return Ok(Live::DoesNotStart(why(engine, context, &live, &found).await));
            }
            return Err(Failure::failed(format!(
                "the container {} runs, but its server does not answer: {problem}. See host and port of the target, and \
                 the container's log; restart it if it hangs",
                live.container
            )));
        }
        docker::stoppable(context, context.clock.sleep(EVERY)).await?;
    }
}

async fn inspect(
    engine: &docker::Engine,
    context: &Context,
    live: &Server,
) -> Result<ContainerInspectResponse, Failure> {
    engine.inspect(&live.container, context).await?.ok_or_else(|| {
        Failure::failed(format!("there is no container {}; bring it up with compose, then try again", live.container))
    })
}

fn is_restarting(found: &ContainerInspectResponse) -> bool {
    found.state.as_ref().and_then(|state| state.restarting).unwrap_or(false)
}

/// How it ended, with the last words of its log.
async fn why(engine: &docker::Engine, context: &Context, live: &Server, found: &ContainerInspectResponse) -> String {
    let code = found.state.as_ref().and_then(|state| state.exit_code).unwrap_or_default();
    let last = match engine.client(context).await {
        Ok(client) => tools::last_words(client, &live.container, context).await,
        Err(_) => String::new(),
    };
    format!("the server {} does not start: it ended with {code} ({last})", live.container)
}
