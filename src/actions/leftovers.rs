//! Programs that an interrupted attempt left running.
//!
//! A program is ended with the attempt that started it, but not with a drbot that was killed. So each bears the run and
//! the step that started it in its environment, and whoever settles the attempt ends what still bears them.

use std::{collections::BTreeSet, fs, time::Duration};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{Context, Labels};

const RUN: &str = "DRBOT_RUN";
const STEP: &str = "DRBOT_STEP";
/// How long they may take to end by themselves.
const GRACE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// The variables that a program is started with.
pub fn marks(labels: &Labels) -> [(&'static str, &str); 2] {
    [(RUN, &labels.run), (STEP, &labels.step)]
}

/// Ends the process groups of this step. Says whether none is left.
pub async fn end(context: &Context) -> bool {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let groups = groups(&context.labels);
        if groups.is_empty() {
            return true;
        }
        for group in groups {
            tracing::warn!(run = context.labels.run, step = context.labels.step, %group, "ending what an interrupted step left running");
            // One that has just ended by itself is no error.
            let _ = killpg(group, signal);
        }
        let ending = async {
            while !self::groups(&context.labels).is_empty() {
                context.clock.sleep(LOOK).await;
            }
        };
        context.clock.timeout(GRACE, ending).await;
    }
    groups(&context.labels).is_empty()
}

/// Groups with a process that bears both marks (proc(5): `/proc/PID/environ`, as it was when the program was started).
fn groups(labels: &Labels) -> BTreeSet<Pid> {
    if labels.run.is_empty() {
        // Nobody's.
        return BTreeSet::new();
    }
    let wanted = marks(labels).map(|(name, value)| format!("{name}={value}").into_bytes());
    let Ok(processes) = fs::read_dir("/proc") else { return BTreeSet::new() };
    let bearing = processes.flatten().filter_map(|process| {
        let folder = process.path();
        let environment = fs::read(folder.join("environ")).ok()?;
        let bears = |mark: &Vec<u8>| environment.split(|byte| *byte == 0).any(|one| one == mark.as_slice());
        if !wanted.iter().all(bears) {
            return None;
        }
        let stat = fs::read(folder.join("stat")).ok()?;
        group_of(&String::from_utf8_lossy(&stat))
    });
    bearing.collect()
}

/// The process group in a line of `/proc/PID/stat`; none of a process that is dead.
fn group_of(stat: &str) -> Option<Pid> {
    // The program's name, in brackets, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let (state, _parent, group) = (fields.next()?, fields.next()?, fields.next()?);
    if matches!(state, "Z" | "X") {
        return None;
    }
    // 0 and 1 would be everything.
    group.parse().ok().filter(|group| *group > 1).map(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::CommandExt, process::Command};

    use super::*;
    use crate::actions::testing::context;

    #[tokio::test]
    async fn what_bears_the_marks_is_ended_with_its_group_and_nothing_else() {
        let mut context = context();
        context.labels = Labels { run: crate::ids::random_token(), step: "deploy".to_owned(), attempt: 1 };
        let start = |labels: &Labels| {
            let mut command = Command::new("sh");
            // The child of a child, and one that does not listen.
            command.args(["-c", "trap '' TERM; sleep 60 & sleep 60"]).envs(marks(labels)).process_group(0);
            command.spawn().unwrap()
        };
        let mut left = start(&context.labels);
        let mut other = start(&Labels { step: "other".to_owned(), ..context.labels.clone() });
        let seen = async {
            while groups(&context.labels).len() != 1 {
                context.clock.sleep(LOOK).await;
            }
        };
        assert!(context.clock.timeout(Duration::from_secs(20), seen).await.is_some(), "{:?}", groups(&context.labels));
        let reaped = std::thread::spawn(move || left.wait().unwrap());
        assert!(end(&context).await);
        assert!(!reaped.join().unwrap().success());
        assert!(other.try_wait().unwrap().is_none(), "another step's program goes on");
        killpg(Pid::from_raw(i32::try_from(other.id()).unwrap()), Signal::SIGKILL).unwrap();
        other.wait().unwrap();
    }
}
