//! How the machine that drbot runs on is: disk, memory, load.
//!
//! Being short of something is data (`problems`), never a failure; the step's `expect` judges it. It fails only when it
//! cannot measure.

use std::io;

use anyhow::{Context as _, Result, bail};
use nix::sys::statvfs::statvfs;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::{Context, Done, Failure};
use crate::runbook::{action::Host, span::Span};

const GIB: f64 = (1024 * 1024 * 1024) as f64;

/// Measures, off the runtime's threads: a file system whose server is gone answers never.
///
/// # Errors
/// [`Failure::Failed`] when something cannot be measured, within `context.timeout`.
pub async fn perform(action: &Host, context: &Context) -> Result<Done, Failure> {
    let path = action.disk_path.clone();
    let measuring = tokio::task::spawn_blocking(move || Measured::now(&path));
    let measured = tokio::select! {
        () = context.cancel.cancelled() => return Err(Failure::Cancelled),
        measured = context.clock.timeout(context.timeout, measuring) => measured,
    };
    match measured {
        Some(Ok(Ok(measured))) => Ok(done(action, &measured)),
        Some(Ok(Err(error))) => Err(Failure::failed(context.secrets.mask(&format!("{error:#}")))),
        Some(Err(error)) => Err(Failure::failed(format!("the measuring broke off: {error}"))),
        None => {
            let (path, limit) = (&action.disk_path, Span(context.timeout));
            Err(Failure::failed(format!("the machine cannot be measured: {path} does not answer within {limit}")))
        }
    }
}

/// An amount of which some is free.
#[derive(Debug, Clone, Copy)]
struct Amount {
    free: f64,
    total: f64,
}

impl Amount {
    fn percent(self) -> f64 {
        100.0 * self.free / self.total
    }
}

#[derive(Debug)]
struct Measured {
    /// Bytes, of those that may be had without being root.
    disk: Amount,
    /// Not on file systems that make them as needed.
    inodes: Option<Amount>,
    /// Bytes, counting what can be had back from caches as free.
    memory: Amount,
    /// Average of the last minute.
    load: f64,
    cores: usize,
}

impl Measured {
    fn now(path: &str) -> Result<Self> {
        let (disk, inodes) = disk(path)?;
        let what = RefreshKind::nothing()
            .with_memory(MemoryRefreshKind::nothing().with_ram())
            .with_cpu(CpuRefreshKind::nothing());
        let system = System::new_with_specifics(what).context("the memory cannot be measured")?;
        let memory = Amount { free: system.available_memory() as f64, total: system.total_memory() as f64 };
        if memory.total == 0.0 {
            bail!("the memory cannot be measured");
        }
        let load = System::load_average().context("the load cannot be measured")?.one;
        Ok(Self { disk, inodes, memory, load, cores: system.cpus().len().max(1) })
    }

    fn load_per_core(&self) -> f64 {
        self.load / self.cores as f64
    }
}

/// Space and inodes of the file system that holds `path`, counted as `df` does.
fn disk(path: &str) -> Result<(Amount, Option<Amount>)> {
    let stat =
        statvfs(path).map_err(io::Error::from).with_context(|| format!("the disk of {path} cannot be measured"))?;
    let block = stat.fragment_size() as f64;
    let free = stat.blocks_available() as f64 * block;
    let used = stat.blocks().saturating_sub(stat.blocks_free()) as f64 * block;
    if free + used == 0.0 {
        bail!("the disk of {path} cannot be measured: its file system has no size");
    }
    let inodes = Amount { free: stat.files_available() as f64, total: stat.files() as f64 };
    Ok((Amount { free, total: free + used }, (inodes.total > 0.0).then_some(inodes)))
}

fn done(action: &Host, measured: &Measured) -> Done {
    let problems = problems(action, measured);
    let (disk, memory, load) = (measured.disk.percent(), measured.memory.percent(), measured.load_per_core());
    let summary = match problems.as_slice() {
        [] => format!("{disk:.0} % disk and {memory:.0} % memory free, load {load:.2} per core"),
        problems => problems.join("; "),
    };
    Done::new(summary)
        .with("disk_free_percent", rounded(disk))
        .with("memory_free_percent", rounded(memory))
        .with("load_per_core", rounded(load))
        .with("problems", problems)
}

/// What is beyond the limits of `action`, a sentence each.
fn problems(action: &Host, measured: &Measured) -> Vec<String> {
    let mut problems = Vec::new();
    let mut short = |name: &str, amount: Amount, least: u8, unit: f64, unit_name: &str| {
        if amount.percent() < f64::from(least) {
            let (percent, free, total) = (amount.percent(), amount.free / unit, amount.total / unit);
            problems.push(format!(
                "{name} has {percent:.1} % free ({free:.1} of {total:.1} {unit_name}), less than {least} %"
            ));
        }
    };
    let path = &action.disk_path;
    short(&format!("the disk of {path}"), measured.disk, action.disk_free_percent, GIB, "GiB");
    if let Some(inodes) = measured.inodes {
        short(&format!("the disk of {path}"), inodes, action.disk_free_percent, 1000.0, "thousand inodes");
    }
    short("the memory", measured.memory, action.memory_free_percent, GIB, "GiB");
    let (load, most, cores) = (measured.load_per_core(), action.load_per_core, measured.cores);
    if load > most {
        problems.push(format!("the load is {load:.1} per core (on {cores} cores), more than {most}"));
    }
    problems
}

/// To two digits behind the point: more is noise in a card.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing::context;

    fn limits(disk_path: &str, percent: u8, load_per_core: f64) -> Host {
        Host {
            disk_path: disk_path.to_owned(),
            disk_free_percent: percent,
            memory_free_percent: percent,
            load_per_core,
        }
    }

    #[tokio::test]
    async fn a_machine_within_its_limits_has_no_problems() {
        let done = perform(&limits("/", 0, 1e6), &context()).await.unwrap();
        assert_eq!(done.fields["problems"], serde_json::json!([]));
        for percent in ["disk_free_percent", "memory_free_percent"] {
            let value = done.fields[percent].as_f64().unwrap();
            assert!((0.0..=100.0).contains(&value), "{percent} {value}");
        }
        assert!(done.fields["memory_free_percent"].as_f64().unwrap() > 0.0);
        assert!(done.fields["load_per_core"].as_f64().unwrap() >= 0.0);
    }

    #[tokio::test]
    async fn being_short_is_data() {
        let done = perform(&limits("/", 101, -1.0), &context()).await.unwrap();
        let problems = done.fields["problems"].as_array().unwrap();
        assert!(problems[0].as_str().unwrap().starts_with("the disk of / has "), "{problems:?}");
        assert!(
            problems.iter().any(|problem| problem.as_str().unwrap().starts_with("the memory has ")),
            "{problems:?}"
        );
        assert!(problems.last().unwrap().as_str().unwrap().starts_with("the load is "), "{problems:?}");
    }

    #[test]
    fn problems_are_sentences() {
        let measured = Measured {
            disk: Amount { free: 1.5 * GIB, total: 40.0 * GIB },
            inodes: Some(Amount { free: 0.0, total: 65_536.0 }),
            memory: Amount { free: 0.2 * GIB, total: 8.0 * GIB },
            load: 20.0,
            cores: 4,
        };
        insta::assert_snapshot!(problems(&limits("/var/lib", 10, 4.0), &measured).join("\n"), @r"
        the disk of /var/lib has 3.8 % free (1.5 of 40.0 GiB), less than 10 %
        the disk of /var/lib has 0.0 % free (0.0 of 65.5 thousand inodes), less than 10 %
        the memory has 2.5 % free (0.2 of 8.0 GiB), less than 10 %
        the load is 5.0 per core (on 4 cores), more than 4
        ");
    }

    #[tokio::test]
    async fn a_disk_that_cannot_be_measured_is_a_failure() {
        for path in ["/no/such/path", "/proc"] {
            let result = perform(&limits(path, 10, 4.0), &context()).await;
            let Err(Failure::Failed { message, .. }) = result else { panic!("{result:?}") };
            assert!(message.starts_with(&format!("the disk of {path} cannot be measured")), "{message}");
        }
    }

    #[tokio::test]
    async fn the_cores_of_the_machine_are_counted() {
        let measured = Measured::now("/").unwrap();
        assert!(measured.cores >= std::thread::available_parallelism().unwrap().get());
    }
}
