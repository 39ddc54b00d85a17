//! The Docker engine itself: whether it is up, and if not, why not; and how it is restarted.
//!
//! What must stay true: permission denied is not down, and an engine that drbot may not ask is never restarted. Nor is
//! one that answers, nor any from inside a container: what would be restarted there is nothing, or what drbot stands on.

use std::{fs, io::ErrorKind, path::Path};

use tokio::net::UnixStream;

use super::{Engine, HELLO, stoppable};
use crate::{
    actions::{Context, Done, Failure, Probe, exec},
    runbook::action::Exec,
};

/// How an engine is, seen from its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Up,
    /// There is no socket: nobody has started it, or it ended in good order.
    Missing,
    /// A socket behind which nobody listens: it was killed or crashed.
    Refused,
    /// It takes connections and answers nothing.
    Hanging,
    /// It answers, and not as an engine does.
    Ill,
    /// Nobody knows how it is: drbot may not ask.
    Denied,
}

impl Seen {
    fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Missing => "missing",
            Self::Refused => "refused",
            Self::Hanging => "hanging",
            Self::Ill => "ill",
            Self::Denied => "denied",
        }
    }

    fn is_down(self) -> bool {
        matches!(self, Self::Missing | Self::Refused | Self::Hanging)
    }
}

/// Looks. How it is, is data, never a failure.
pub async fn look(engine: &Engine, context: &Context) -> Result<Done, Failure> {
    let (seen, version, says) = see(engine, context).await?;
    Ok(Done::new(says).with("state", seen.name()).with("down", seen.is_down()).with("version", version))
}

async fn see(engine: &Engine, context: &Context) -> Result<(Seen, Option<String>, String), Failure> {
    let socket = engine.socket.display();
    let connecting = context.clock.timeout(HELLO, UnixStream::connect(&engine.socket));
    let connected = stoppable(context, connecting).await?;
    let seen = match connected {
        Some(Ok(_)) => None,
        Some(Err(error)) => Some(of_error(error.kind())),
        None => Some(Seen::Hanging),
    };
    let asking = async {
        let client = engine.fresh().map_err(|error| error.to_string())?;
        client.version().await.map_err(|error| error.to_string())
    };
    let (seen, version, why) = match seen {
        Some(seen) => (seen, None, String::new()),
        None => match stoppable(context, context.clock.timeout(HELLO, asking)).await? {
            Some(Ok(version)) => (Seen::Up, version.version, String::new()),
            Some(Err(error)) => (Seen::Ill, None, error),
            None => (Seen::Hanging, None, String::new()),
        },
    };
    let says = match seen {
        Seen::Up => format!("Docker {} answers", version.as_deref().unwrap_or_default()),
        Seen::Missing => format!("Docker is down: there is no {socket}"),
        Seen::Refused => format!("Docker is down: nobody listens at {socket}"),
        Seen::Hanging => format!("Docker hangs: no answer at {socket} within {} s", HELLO.as_secs()),
        Seen::Ill => format!("Docker at {socket} answers, but not as it should: {why}"),
        Seen::Denied => format!(
            "drbot may not use {socket} (permission denied), which is not down: nobody knows how Docker is. Give drbot's \
             user the socket's group (usually docker)"
        ),
    };
    Ok((seen, version, says))
}

fn of_error(kind: ErrorKind) -> Seen {
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Seen::Missing,
        ErrorKind::ConnectionRefused => Seen::Refused,
        ErrorKind::PermissionDenied => Seen::Denied,
        // A listener whose queue is full.
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Seen::Hanging,
        _ => Seen::Ill,
    }
}

/// Restarts an engine that is down, by the command that the target names.
///
/// # Errors
/// [`Failure::Refused`] in a container and where it is not known to be down; else as [`exec::perform`].
pub async fn restart(engine: &Engine, context: &Context) -> Result<Done, Failure> {
    let settings = context.target.as_ref().map(|target| target.docker.clone()).unwrap_or_default();
    let command = settings.restart.join(" ");
    if let Some(sign) = inside_container(Path::new("/")).filter(|_| !settings.restart_from_container) {
        return Err(Failure::refused(format!(
            "drbot runs in a container ({sign}): from here Docker is not restarted. Do it on the host: {command}"
        )));
    }
    match see(engine, context).await? {
        (Seen::Up, _, says) => return Ok(Done::new(format!("{says}: nothing was restarted"))),
        (seen, _, says) if !seen.is_down() => return Err(Failure::refused(says)),
        _ => {}
    }
    let Some((program, args)) = settings.restart.split_first() else {
        return Err(Failure::refused("the target does not say how Docker is restarted (`docker.restart`)"));
    };
    let program =
        Exec { program: program.clone(), args: args.to_vec(), env: [].into(), secrets: [].into(), directory: None };
    let done = exec::perform(&program, context).await?;
    match done.fields.get("exit_code").and_then(serde_json::Value::as_i64) {
        Some(0) => Ok(Done::new(format!("{command}: done")).with_log(done.log)),
        code => {
            let code = code.map_or_else(|| "nothing".to_owned(), |code| code.to_string());
            let last = done.log.last().cloned().unwrap_or_default();
            Err(Failure::Failed { message: format!("{command} ended with {code}: {last}"), log: done.log })
        }
    }
}

/// After a crash: an engine that answers needs no restart any more.
pub async fn restarted(engine: &Engine, context: &Context) -> Probe {
    match see(engine, context).await {
        Ok((Seen::Up, _, says)) => Probe::Happened(Done::new(says)),
        Ok((seen, _, _)) if seen.is_down() => Probe::DidNotHappen,
        Ok((_, _, says)) => Probe::CannotTell(says),
        Err(failure) => Probe::CannotTell(failure.to_string()),
    }
}

/// What shows that this process runs in a container, if anything does.
fn inside_container(root: &Path) -> Option<String> {
    for file in [".dockerenv", "run/.containerenv"] {
        if root.join(file).exists() {
            return Some(format!("there is /{file}"));
        }
    }
    let groups = fs::read_to_string(root.join("proc/1/cgroup")).unwrap_or_default();
    let hints = ["docker", "kubepods", "containerd", "libpod", "lxc"];
    let hint = hints.into_iter().find(|hint| groups.contains(hint))?;
    Some(format!("/proc/1/cgroup names {hint}"))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, sync::Arc};

    use super::*;
    use crate::actions::testing::context;

    fn at(socket: &Path) -> Engine {
        Engine::new(Some(&format!("unix://{}", socket.display())))
    }

    async fn state(engine: &Engine) -> String {
        look(engine, &context()).await.unwrap().fields["state"].as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn why_an_engine_does_not_answer_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let engine = at(&socket);
        assert_eq!(state(&engine).await, "missing");
        let listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(state(&engine).await, "hanging", "it takes connections and answers nothing");
        drop(listener);
        assert_eq!(state(&engine).await, "refused", "the socket is there, and nobody listens");
        assert_eq!(of_error(ErrorKind::PermissionDenied), Seen::Denied);
        assert!(!Seen::Denied.is_down() && !Seen::Ill.is_down());
    }

    #[tokio::test]
    async fn a_restart_really_runs_the_targets_command_and_only_when_it_is_down() {
        let folder = tempfile::tempdir().unwrap();
        let engine = at(&folder.path().join("docker.sock"));
        let ran = folder.path().join("ran");
        let mut context = context();
        let target = |from_container| {
            let json = serde_json::json!({
                "api": "http://x",
                "docker": { "restart": ["touch", ran.display().to_string()], "restart_from_container": from_container },
            });
            Arc::new(serde_json::from_value::<crate::config::settings::Target>(json).unwrap())
        };
        context.target = Some(target(false));
        if inside_container(Path::new("/")).is_some() {
            let refused = restart(&engine, &context).await;
            assert!(matches!(refused, Err(Failure::Refused { .. })), "{refused:?}");
            assert!(!ran.exists());
        }
        context.target = Some(target(true));
        restart(&engine, &context).await.unwrap();
        assert!(ran.exists());
        assert!(matches!(restarted(&engine, &context).await, Probe::DidNotHappen));
    }

    #[test]
    fn a_container_is_known_by_its_signs() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(inside_container(root.path()), None);
        fs::create_dir_all(root.path().join("proc/1")).unwrap();
        fs::write(root.path().join("proc/1/cgroup"), "0::/init.scope\n").unwrap();
        assert_eq!(inside_container(root.path()), None);
        fs::write(root.path().join("proc/1/cgroup"), "0::/system.slice/docker-0123abcd.scope\n").unwrap();
        assert!(inside_container(root.path()).unwrap().contains("docker"));
        fs::write(root.path().join(".dockerenv"), "").unwrap();
        assert_eq!(inside_container(root.path()).unwrap(), "there is /.dockerenv");
    }
}
