//! A program inside a container, with arguments and never through a shell.
//!
//! The engine starts it and cannot stop it. What must stay true all the same: nothing of it goes on behind drbot's back.
//! It bears the marks of its run in its environment, like every program that drbot starts ([`leftovers`]), and is ended by
//! them from the host; where drbot may not see it (another user's, another machine's), that is said, and its step is unknown.

use std::time::Duration;

use bollard::{
    container::LogOutput,
    exec::{CreateExecOptions, StartExecOptions, StartExecResults},
};
use futures::StreamExt;
use serde_json::Value;

use super::Engine;
use crate::{
    actions::{
        Context, Done, Failure, leftovers,
        output::{Kept, Output},
    },
    runbook::span::Span,
};

/// How long the engine may take to notice that a program has ended.
const NOTICE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);

/// Runs the program to its end. Any exit code is a result.
///
/// # Errors
/// [`Failure::Failed`] when it could not be started, or was stopped after `context.timeout`; [`Failure::Cancelled`] when it
/// was stopped because that was asked for; [`Failure::Unknown`] when it could not be stopped.
pub async fn perform(
    engine: &Engine,
    container: &str,
    command: &[String],
    user: Option<&str>,
    context: &Context,
) -> Result<Done, Failure> {
    if context.cancel.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    // Of an attempt that was interrupted, something may be left.
    leftovers::end(context).await;
    let client = engine.client(context).await?;
    let marks = leftovers::marks(&context.labels).map(|(name, value)| format!("{name}={value}"));
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        env: Some(marks.to_vec()),
        cmd: Some(command.to_vec()),
        user: user.map(str::to_owned),
        ..CreateExecOptions::default()
    };
    let program = command.first().map_or("", String::as_str);
    let created = client.create_exec(container, options).await.map_err(|error| engine.explain(container, &error))?;
    let started = context.clock.monotonic();
    let (mut out, mut err) = (Kept::default(), Kept::default());
    let work = async {
        let running = client.start_exec(&created.id, None::<StartExecOptions>).await;
        if let StartExecResults::Attached { mut output, .. } =
            running.map_err(|error| engine.explain(container, &error))?
        {
            while let Some(piece) = output.next().await {
                match piece.map_err(|error| engine.explain(container, &error))? {
                    LogOutput::StdErr { message } => err.push(&message),
                    other => out.push(&other.into_bytes()),
                }
            }
        }
        // The output may be closed a moment before the engine knows the exit code.
        loop {
            let seen = client.inspect_exec(&created.id).await.map_err(|error| engine.explain(container, &error))?;
            if let (Some(false), Some(code)) = (seen.running, seen.exit_code) {
                return Ok(code);
            }
            context.clock.sleep(LOOK).await;
        }
    };
    let ended = tokio::select! {
        biased;
        code = work => code.map_err(Stop::Lost),
        () = context.cancel.cancelled() => Err(Stop::Cancelled),
        () = context.clock.sleep(context.timeout) => Err(Stop::Overdue),
    };
    let output = Output { out: out.text(&context.secrets), err: err.text(&context.secrets) };
    let stop = match ended {
        Ok(code) => {
            let took = context.clock.monotonic() - started;
            return Ok(done(container, program, code, took, output));
        }
        Err(stop) => stop,
    };
    leftovers::end(context).await;
    if !is_over(client, &created.id, context).await {
        return Err(Failure::Unknown {
            message: format!(
                "{program} may still run in {container}: drbot cannot see or end it from here. On the host: docker top {container}"
            ),
        });
    }
    Err(match stop {
        Stop::Lost(failure) => failure,
        Stop::Cancelled => Failure::Cancelled,
        Stop::Overdue => Failure::Failed {
            message: format!("{program} in {container} was not done within {} and was stopped", Span(context.timeout)),
            log: output.lines(),
        },
    })
}

enum Stop {
    /// The engine does not answer any more.
    Lost(Failure),
    Cancelled,
    Overdue,
}

/// Whether the engine says that it does not run; one that was never started has an end as well.
async fn is_over(client: &bollard::Docker, id: &str, context: &Context) -> bool {
    let ending = async {
        loop {
            match client.inspect_exec(id).await {
                Ok(seen) if seen.running == Some(false) => return true,
                Ok(_) => context.clock.sleep(LOOK).await,
                Err(_) => return false,
            }
        }
    };
    context.clock.timeout(NOTICE, ending).await.unwrap_or(false)
}

fn done(container: &str, program: &str, code: i64, took: Duration, output: Output) -> Done {
    let json = serde_json::from_str::<Value>(&output.out).ok();
    let log = output.lines();
    let done = Done::new(format!("{program} in {container} ended with {code} in {} ms", took.as_millis()))
        .with("exit_code", code)
        .with("stdout", output.out)
        .with("stderr", output.err)
        .with_log(log);
    match json {
        Some(json) => done.with("json", json),
        None => done,
    }
}
