//! Looking from a container's network: a thread of its own enters the network namespace of the container's process
//! (setns(2)), and names are asked for where the container asks (its own `resolv.conf` and `hosts`).
//!
//! It needs the right to do so (root, or CAP_SYS_ADMIN and CAP_SYS_PTRACE) and the same machine; nothing in the container
//! is needed, touched or started.

use std::{fs, fs::File, path::PathBuf, sync::Arc};

use nix::sched::{CloneFlags, setns};
use tokio::sync::oneshot;

use crate::actions::{Context, docker::Engine};

/// What the container's process sees under these is how it asks for names.
const RESOLV_CONF: &str = "etc/resolv.conf";
const HOSTS: &str = "etc/hosts";

/// Where something is looked from.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// drbot's own network.
    Here,
    Container(Arc<Inside>),
}

#[derive(Debug)]
pub(super) struct Inside {
    namespace: File,
    /// Texts of the files.
    pub resolv_conf: String,
    pub hosts: String,
}

/// How names are asked for.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub resolv_conf: String,
    pub hosts: String,
}

/// The network of a container that runs.
///
/// # Errors
/// Why it cannot be entered, in a sentence.
pub(super) async fn of(engine: &Engine, container: &str, context: &Context) -> Result<Place, String> {
    let found = engine.inspect(container, context).await.map_err(|error| error.to_string())?;
    let state = found.and_then(|found| found.state);
    let pid = state.and_then(|state| state.pid).filter(|pid| *pid > 0);
    let pid = pid.ok_or_else(|| format!("{container} does not run"))?;
    let process = PathBuf::from(format!("/proc/{pid}"));
    let namespace = File::open(process.join("ns/net"))
        .map_err(|error| format!("the network of {container} cannot be entered: {error} (drbot needs root for it)"))?;
    let read = |name: &str| fs::read_to_string(process.join("root").join(name)).unwrap_or_default();
    Ok(Place::Container(Arc::new(Inside { namespace, resolv_conf: read(RESOLV_CONF), hosts: read(HOSTS) })))
}

impl Place {
    pub(super) fn names(&self) -> Names {
        match self {
            Self::Here => {
                let read = |name: &str| fs::read_to_string(format!("/{name}")).unwrap_or_default();
                Names { resolv_conf: read(RESOLV_CONF), hosts: read(HOSTS) }
            }
            Self::Container(inside) => Names { resolv_conf: inside.resolv_conf.clone(), hosts: inside.hosts.clone() },
        }
    }

    /// Does work there. When the caller goes away, so does the work.
    ///
    /// # Errors
    /// Why the network cannot be entered.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, String> {
        let Self::Container(inside) = self else { return Ok(work.await) };
        let inside = inside.clone();
        let (mut tell, told) = oneshot::channel();
        // A thread that is left in the container's network ends with the look; none of the runtime's own ever goes there.
        let thread = std::thread::Builder::new().name("drbot-network".to_owned()).spawn(move || {
            let entered = setns(&inside.namespace, CloneFlags::CLONE_NEWNET).map_err(|error| error.to_string());
            let runtime = entered.and_then(|()| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_err(|error| error.to_string())
            });
            let done = match runtime {
                Err(error) => Err(error),
                Ok(runtime) => runtime.block_on(async {
                    tokio::select! {
                        done = work => Ok(done),
                        () = tell.closed() => Err("nobody wants to know".to_owned()),
                    }
                }),
            };
            // The caller may be gone.
            let _ = tell.send(done);
        });
        thread.map_err(|error| format!("no thread for it: {error}"))?;
        let done = told.await.map_err(|_| "the look broke off".to_owned())?;
        done.map_err(|error| format!("the container's network cannot be entered: {error} (drbot needs root for it)"))
    }

    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        let namespace = File::open("/proc/self/ns/net").unwrap();
        Self::Container(Arc::new(Inside { namespace, resolv_conf: String::new(), hosts: String::new() }))
    }
}
