//! A program of the operator's, with arguments and never through a shell.
//!
//! What must stay true: nothing of it goes on behind drbot's back. It runs in a process group of its own, and when the
//! attempt is over (told to stop, out of time, dropped) the whole group is ended, not only the program that was started.
//! Nor can it hold drbot up or fill it up: what it leaves behind with its output open is ended as well, and of endless
//! output the beginning and the end are kept. (A process that leaves the group on purpose is out of reach.)

use std::{
    fs, io,
    os::unix::process::ExitStatusExt,
    path::Path,
    pin::{Pin, pin},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{Fuse, FusedFuture, join},
};
use nix::{
    errno::Errno,
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

use super::{
    Context, Done, Failure, leftovers,
    output::{Kept, Output},
};
use crate::{
    clock::Clock,
    runbook::{action::Exec, span::Span},
};

/// How long a group that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// How long output is still read once the program itself has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Between two looks whether the group is gone.
const LOOK: Duration = Duration::from_millis(20);

/// Runs the program to its end. Any exit code is a result; one that a signal ended counts as 128 and the signal, as in a
/// shell.
///
/// # Errors
/// [`Failure::Refused`] when it cannot be run at all, [`Failure::Failed`] when it was stopped after `context.timeout`,
/// [`Failure::Cancelled`] when it was stopped because that was asked for, [`Failure::Unknown`] when it would not die.
pub async fn perform(action: &Exec, context: &Context) -> Result<Done, Failure> {
    let mut command = command(action, context)?;
    if context.cancel.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    let started = context.clock.monotonic();
    let mut child = command.spawn().map_err(|error| not_started(action, &error))?;
    let mut group = Group::of(&child)?;
    let (mut out, mut err) = (Kept::default(), Kept::default());
    let reading = join(drain(child.stdout.take(), &mut out), drain(child.stderr.take(), &mut err));
    let end = attend(&mut child, &mut group, reading, context).await;
    let took = context.clock.monotonic() - started;
    let output = Output { out: out.text(&context.secrets), err: err.text(&context.secrets) };
    match end {
        End::Exited { status, leftovers } => Ok(done(action, status, leftovers, took, output)),
        End::Cancelled => Err(Failure::Cancelled),
        End::Overdue => Err(Failure::Failed {
            message: format!("{} was not done within {} and was stopped", action.program, Span(context.timeout)),
            log: output.lines(),
        }),
        End::Undead => Err(Failure::Unknown {
            message: format!("{} was killed but does not end (process group {})", action.program, group.id),
        }),
        End::Lost(error) => Err(Failure::Unknown {
            message: format!("how {} ended cannot be found out ({error}); it was killed", action.program),
        }),
    }
}

fn command(action: &Exec, context: &Context) -> Result<Command, Failure> {
    let mut command = Command::new(&action.program);
    command
        .args(&action.args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
        .env("LANG", "C.UTF-8")
        .envs(leftovers::marks(&context.labels))
        .envs(&action.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    for (variable, name) in &action.secrets {
        let secret = context.secrets.resolve(name).map_err(|error| Failure::refused(format!("{error:#}")))?;
        command.env(variable, secret.expose_secret());
    }
    if let Some(directory) = &action.directory {
        if !Path::new(directory).is_dir() {
            return Err(Failure::refused(format!("there is no directory {directory} to run {} in", action.program)));
        }
        command.current_dir(directory);
    }
    Ok(command)
}

fn not_started(action: &Exec, error: &io::Error) -> Failure {
    use io::ErrorKind::{ArgumentListTooLong, InvalidInput, NotADirectory, NotFound, PermissionDenied};
    let program = &action.program;
    match error.kind() {
        NotFound | NotADirectory => Failure::refused(format!("there is no program {program}")),
        PermissionDenied => Failure::refused(format!("{program} may not be executed")),
        InvalidInput | ArgumentListTooLong => Failure::refused(format!("{program} cannot be run like this: {error}")),
        _ if error.raw_os_error() == Some(Errno::ENOEXEC as i32) => {
            Failure::refused(format!("{program} is not something that can be executed ({error})"))
        }
        _ => Failure::failed(format!("{program} could not be started: {error}")),
    }
}

fn done(action: &Exec, status: ExitStatus, leftovers: Leftovers, took: Duration, output: Output) -> Done {
    let signal = status.signal();
    let code = status.code().unwrap_or_else(|| 128 + signal.unwrap_or_default());
    let how = match signal {
        Some(signal) => format!("was killed by signal {signal}"),
        None => format!("ended with {code}"),
    };
    let mut log = output.lines();
    let program = &action.program;
    let json = serde_json::from_str::<Value>(&output.out).ok();
    match leftovers {
        Leftovers::None => {}
        Leftovers::Stopped => {
            log.push(format!("{program} left processes behind that held its output open; they were stopped"));
        }
        Leftovers::OutOfReach => log.push(format!(
            "{program} left a process behind that holds its output open and is out of reach; it was not waited for"
        )),
    }
    let done = Done::new(format!("{} {how} in {} ms", action.program, took.as_millis()))
        .with("exit_code", code)
        .with("stdout", output.out)
        .with("stderr", output.err)
        .with_log(log);
    match json {
        Some(json) => done.with("json", json),
        None => done,
    }
}

/// How an attempt ended.
enum End {
    /// By itself. `leftovers`: processes that it had started and that still held its output were ended.
    Exited {
        status: ExitStatus,
        leftovers: Leftovers,
    },
    Cancelled,
    Overdue,
    /// Killed, and there all the same: it hangs in the kernel, or is another user's.
    Undead,
    Lost(io::Error),
}

/// What a program that ended by itself left behind with its output open.
enum Leftovers {
    None,
    /// Processes of its group, which were ended.
    Stopped,
    /// A process that had left its group.
    OutOfReach,
}

/// Stays with the program until it and what belongs to it has ended, or is ended. Reads its output all the while.
async fn attend(child: &mut Child, group: &mut Group, reading: impl Future, context: &Context) -> End {
    let clock = &context.clock;
    let mut reading = pin!(reading.fuse());
    let exit = tokio::select! {
        biased;
        exit = during(reading.as_mut(), child.wait()) => Ok(exit),
        () = context.cancel.cancelled() => Err(End::Cancelled),
        () = clock.sleep(context.timeout) => Err(End::Overdue),
    };
    if exit.is_ok() && (reading.is_terminated() || clock.timeout(LAST_WORDS, reading.as_mut()).await.is_some()) {
        group.release();
    }
    let leftovers = match (group.held, group.is_gone()) {
        (false, _) => Leftovers::None,
        (true, false) => Leftovers::Stopped,
        (true, true) => Leftovers::OutOfReach,
    };
    if group.held {
        if !during(reading.as_mut(), group.end(child, clock)).await {
            return End::Undead;
        }
        // What a process that left the group may hold open, nobody waits for.
        clock.timeout(LOOK, reading).await;
    }
    match exit {
        Ok(Ok(status)) => End::Exited { status, leftovers },
        Ok(Err(error)) => End::Lost(error),
        Err(end) => end,
    }
}

/// Does `work`, with `reading` going on beside it as long as it has anything to read.
async fn during<T>(mut reading: Pin<&mut Fuse<impl Future>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = &mut reading, if !reading.is_terminated() => {}
        }
    }
}

/// The process group of a program; killed when dropped, unless it was released.
///
/// Its number belongs to it as long as one of its processes lives, and is given to no other process soon after.
struct Group {
    id: Pid,
    held: bool,
}

impl Group {
    fn of(child: &Child) -> Result<Self, Failure> {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.ok_or_else(|| Failure::Unknown { message: "the program has no process number".to_owned() })?;
        Ok(Self { id: Pid::from_raw(id), held: true })
    }

    fn release(&mut self) {
        self.held = false;
    }

    /// Whether none of its processes lives. Orphans that are dead stay in the group until the machine's first process
    /// collects them, which in a container without an init is never; so where the group is not empty, `/proc` decides.
    fn is_gone(&self) -> bool {
        if killpg(self.id, None) == Err(Errno::ESRCH) {
            return true;
        }
        let Ok(processes) = fs::read_dir("/proc") else { return false };
        !processes.flatten().any(|process| match fs::read(process.path().join("stat")) {
            Ok(stat) => lives_in(&String::from_utf8_lossy(&stat), self.id),
            // Without file descriptors it cannot be told.
            Err(error) => matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EMFILE | Errno::ENFILE)),
        })
    }

    /// Asks the group to end, kills it when it does not, and tells whether it is gone.
    async fn end(&mut self, child: &mut Child, clock: &Clock) -> bool {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            // An error here is a group that is gone, or one that may not be signalled, which shows in a moment.
            let _ = killpg(self.id, signal);
            let ending = async {
                let _ = child.wait().await;
                while !self.is_gone() {
                    clock.sleep(LOOK).await;
                }
            };
            if clock.timeout(GRACE, ending).await.is_some() {
                self.release();
                return true;
            }
        }
        false
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.held {
            let _ = killpg(self.id, Signal::SIGKILL);
        }
    }
}

/// Whether a line of `/proc/PID/stat` (proc(5)) is of a process of `group` that is not dead.
fn lives_in(stat: &str, group: Pid) -> bool {
    // The program's name, in brackets, may hold anything.
    let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let (state, _parent, its_group) = (fields.next(), fields.next(), fields.next());
    its_group.and_then(|id| id.parse().ok()) == Some(group.as_raw()) && !matches!(state, Some("Z" | "X"))
}

async fn drain(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Kept) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 * 1024];
    // A pipe that cannot be read has come to its end as well.
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        kept.push(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::actions::output::{HALF, SHOWN_LINES};
    use crate::actions::testing::{TOKEN, context, context_with_timeout, until};

    fn shell(script: &str) -> Exec {
        program("/bin/sh", &["-c", script])
    }

    fn program(program: &str, args: &[&str]) -> Exec {
        Exec {
            program: program.to_owned(),
            args: args.iter().map(ToString::to_string).collect(),
            env: [].into(),
            secrets: [].into(),
            directory: None,
        }
    }

    /// Processes of a group that live (a zombie is dead), as `/proc` shows them.
    fn alive(group: i32) -> usize {
        let stats =
            fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok());
        stats
            .filter(|stat| {
                let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
                fields[0] != "Z" && fields[0] != "X" && fields[2] == group.to_string()
            })
            .count()
    }

    /// A script in a folder of its own that says its process group in a file once all it starts is there.
    struct Scene {
        folder: tempfile::TempDir,
        action: Exec,
    }

    impl Scene {
        fn of(script: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let action = Exec { directory: Some(folder.path().display().to_string()), ..shell(script) };
            Self { folder, action }
        }

        fn group(&self) -> Option<i32> {
            fs::read_to_string(self.folder.path().join("group")).ok()?.trim().parse().ok()
        }
    }

    const SAY_GROUP: &str = "echo $$ > new; mv new group";

    #[tokio::test]
    async fn the_exit_code_is_a_result() {
        let done = perform(&shell("echo out; echo err >&2; exit 3"), &context()).await.unwrap();
        assert_eq!(done.fields["exit_code"], 3);
        assert_eq!((&done.fields["stdout"], &done.fields["stderr"]), (&"out\n".into(), &"err\n".into()));
        assert_eq!(done.log, ["out", "err"]);
        assert!(done.summary.starts_with("/bin/sh ended with 3 in "), "{}", done.summary);
        let done = perform(&shell("kill -9 $$"), &context()).await.unwrap();
        assert_eq!(done.fields["exit_code"], 137);
        assert!(done.summary.contains("killed by signal 9"), "{}", done.summary);
    }

    #[tokio::test]
    async fn arguments_are_not_a_shells() {
        let done = perform(&program("echo", &["$HOME; `id`", "*"]), &context()).await.unwrap();
        assert_eq!(done.fields["stdout"], "$HOME; `id` *\n");
    }

    #[tokio::test]
    async fn the_environment_is_what_was_given() {
        let mut action = program("env", &[]);
        action.env = [("MODE".to_owned(), "drill".to_owned())].into();
        action.secrets = [("PGPASSWORD".to_owned(), "TOKEN".to_owned())].into();
        let done = perform(&action, &context()).await.unwrap();
        let mut lines: Vec<&str> = done.fields["stdout"].as_str().unwrap().lines().collect();
        lines.sort_unstable();
        let path = format!("PATH={}", std::env::var("PATH").unwrap());
        assert_eq!(lines, ["DRBOT_RUN=", "DRBOT_STEP=", "LANG=C.UTF-8", "MODE=drill", &path, "PGPASSWORD=[TOKEN]"]);
        assert!(!format!("{done:?}").contains(TOKEN));
    }

    #[tokio::test]
    async fn it_cannot_ask_for_input() {
        let done = perform(&program("cat", &[]), &context()).await.unwrap();
        assert_eq!((&done.fields["exit_code"], &done.fields["stdout"]), (&0.into(), &"".into()));
    }

    #[tokio::test]
    async fn what_cannot_be_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain").display().to_string();
        fs::write(&plain, "no program").unwrap();
        let mut secret = program("true", &[]);
        secret.secrets = [("A".to_owned(), "OTHER".to_owned())].into();
        let cases = [
            (program("/no/such/program", &[]), "there is no program /no/such/program"),
            (program("no-such-program", &[]), "there is no program no-such-program"),
            (program(&plain, &[]), "plain may not be executed"),
            (Exec { directory: Some("/no/such".to_owned()), ..program("true", &[]) }, "there is no directory /no/such"),
            (program("true", &["a\0b"]), "true cannot be run like this"),
            (secret, "the secret OTHER is not set"),
        ];
        for (action, words) in cases {
            let result = perform(&action, &context()).await;
            let Err(Failure::Refused { message }) = result else { panic!("{result:?}") };
            assert!(message.contains(words), "{message}");
        }
    }

    #[tokio::test]
    async fn endless_output_is_bounded_and_says_where_it_is_cut() {
        let done =
            perform(&shell("echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo last"), &context()).await;
        let done = done.unwrap();
        let text = done.fields["stdout"].as_str().unwrap();
        assert!(text.len() <= 2 * HALF, "{}", text.len());
        assert!(text.starts_with("first\nxxx") && text.ends_with("xxx\nlast\n"));
        assert!(text.contains("bytes are left out here"));

        let yes = perform(&program("yes", &[]), &context_with_timeout(Duration::from_millis(300))).await;
        let Err(Failure::Failed { message, log }) = yes else { panic!("{yes:?}") };
        assert_eq!(message, "yes was not done within 300ms and was stopped");
        assert_eq!(log.len(), SHOWN_LINES);
    }

    #[test]
    fn no_half_of_a_secret_stays_at_the_cut() {
        let context = context();
        context.secrets.resolve("TOKEN").unwrap();
        let mut kept = Kept::default();
        let half = TOKEN.len() / 2;
        kept.push(&vec![b'a'; HALF - half]);
        kept.push(TOKEN.as_bytes());
        kept.push(&vec![b'b'; 3 * HALF]);
        kept.push(TOKEN.as_bytes());
        kept.push(&vec![b'c'; HALF - half]);
        let text = kept.text(&context.secrets);
        assert!(!text.contains(&TOKEN[..half]) && !text.contains(&TOKEN[half..]));
        assert!(text.starts_with('a') && text.ends_with('c') && text.len() < 2 * HALF);
    }

    #[tokio::test]
    async fn told_to_stop_it_ends_the_whole_group() {
        let scene = Scene::of(&format!("sleep 1000 & (sleep 1000; :) & {SAY_GROUP}; wait"));
        let context = context();
        let stopping = async {
            let group = until(&context.clock, || scene.group()).await;
            until(&context.clock, || (alive(group) >= 3).then_some(())).await;
            context.cancel.cancel();
            (group, Instant::now())
        };
        let (result, (group, told)) = tokio::join!(perform(&scene.action, &context), stopping);
        assert!(matches!(result, Err(Failure::Cancelled)), "{result:?}");
        assert_eq!(alive(group), 0);
        assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
    }

    #[tokio::test]
    async fn a_group_that_will_not_end_is_killed() {
        let scene = Scene::of(&format!("trap '' TERM; sleep 1000 & {SAY_GROUP}; while :; do sleep 1000; done"));
        let context = context();
        let stopping = async {
            let group = until(&context.clock, || scene.group()).await;
            context.cancel.cancel();
            (group, Instant::now())
        };
        let (result, (group, told)) = tokio::join!(perform(&scene.action, &context), stopping);
        assert!(matches!(result, Err(Failure::Cancelled)), "{result:?}");
        assert_eq!(alive(group), 0);
        assert!(told.elapsed() >= GRACE, "{:?}", told.elapsed());
    }

    #[tokio::test]
    async fn out_of_time_it_ends_the_whole_group() {
        let scene = Scene::of(&format!("echo working; sleep 1000 & {SAY_GROUP}; wait"));
        let result = perform(&scene.action, &context_with_timeout(Duration::from_secs(1))).await;
        let Err(Failure::Failed { message, log }) = result else { panic!("{result:?}") };
        assert!(message.contains("was not done within 1s"), "{message}");
        assert_eq!(log, ["working"]);
        assert_eq!(alive(scene.group().unwrap()), 0);
    }

    #[tokio::test]
    async fn dropped_it_ends_the_whole_group() {
        let scene = Scene::of(&format!("trap '' TERM; sleep 1000 & {SAY_GROUP}; wait"));
        let (action, context) = (scene.action.clone(), context());
        let clock = context.clock.clone();
        let task = tokio::spawn(async move { perform(&action, &context).await.is_ok() });
        let group = until(&clock, || scene.group()).await;
        task.abort();
        until(&clock, || (alive(group) == 0).then_some(())).await;
    }

    #[tokio::test]
    async fn what_it_leaves_behind_with_its_output_open_is_ended() {
        let scene = Scene::of(&format!("sleep 1000 & {SAY_GROUP}; echo done"));
        let started = Instant::now();
        let done = perform(&scene.action, &context()).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert_eq!((&done.fields["exit_code"], &done.fields["stdout"]), (&0.into(), &"done\n".into()));
        assert!(done.log.last().unwrap().contains("left processes behind"), "{:?}", done.log);
        assert_eq!(alive(scene.group().unwrap()), 0);
    }

    #[tokio::test]
    async fn one_that_left_the_group_holds_nothing_up() {
        let scene = Scene::of("setsid sh -c 'echo $$ > new; mv new group; exec sleep 8' & echo done");
        let context = context();
        let started = Instant::now();
        let done = perform(&scene.action, &context).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert_eq!(done.fields["stdout"], "done\n");
        assert!(done.log.last().unwrap().contains("out of reach"), "{:?}", done.log);
        let group = until(&context.clock, || scene.group()).await;
        assert_eq!(alive(group), 1);
        killpg(Pid::from_raw(group), Signal::SIGKILL).unwrap();
    }
}
