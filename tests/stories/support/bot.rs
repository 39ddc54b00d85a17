//! The real program, as a process: `drbot serve` against a stage, killed and started again as the story wants.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use drbot::{ids::RunId, run::event::Entry, run::state::State, store::Store};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use super::{range::Range, stage::Stage, until};

/// The bot of a story: its folder of data outlives its processes.
pub struct Bot {
    pub data: PathBuf,
    variables: Vec<(String, String)>,
    process: Option<Child>,
    _folder: tempfile::TempDir,
}

impl Bot {
    /// A bot for this stage and this range; not started yet.
    pub fn new(stage: &Stage, range: &Range) -> Self {
        Self::with_variables(stage, range.variables())
    }

    /// A bot whose target is not there: nothing listens on its ports, and its containers do not exist.
    pub fn alone(stage: &Stage) -> Self {
        let nowhere = [("RANGE_PREFIX", "nowhere-"), ("RANGE_API_PORT", "9"), ("RANGE_PG_PORT", "9")];
        let nowhere = nowhere.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::with_variables(stage, nowhere.to_vec())
    }

    /// With the shipped configuration, changed: of each file's text, every first is replaced by its second.
    pub fn with_configuration(self, changes: &[(&str, &str)]) -> Self {
        let (root, folder) = (Path::new(env!("CARGO_MANIFEST_DIR")), self._folder.path().join("config"));
        std::fs::create_dir_all(folder.join("commands")).unwrap();
        let commands = std::fs::read_dir(root.join("commands")).unwrap().map(|entry| entry.unwrap().file_name());
        let files = commands.map(|name| Path::new("commands").join(name)).chain([PathBuf::from("drbot.toml")]);
        let mut texts: Vec<_> = files.map(|file| (std::fs::read_to_string(root.join(&file)).unwrap(), file)).collect();
        for (old, new) in changes {
            assert!(texts.iter().any(|(text, _)| text.contains(old)), "nothing to change: {old}");
            texts.iter_mut().for_each(|(text, _)| *text = text.replace(old, new));
        }
        for (text, file) in texts {
            let text = text.replace("\"range/", &format!("\"{}/range/", root.display()));
            std::fs::write(folder.join(file), text).unwrap();
        }
        self.with("DRBOT_CONFIG", &folder.display().to_string())
    }

    /// A bot for a drill: its commands act on nothing but the drill, and bad days are noticed in seconds.
    pub fn for_drill(stage: &Stage, drill: &super::drill::Drill) -> Self {
        let bot = Self::with_variables(stage, Vec::new());
        bot.with("DRBOT_CONFIG", &drill.folder().display().to_string()).with("DRBOT_CHAT_PACE", "12")
    }

    fn with_variables(stage: &Stage, mut variables: Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        variables.extend([
            ("DISCORD_TOKEN".to_owned(), drbot::rehearsal::world::TOKEN.to_owned()),
            ("DISCORD_API_URL".to_owned(), stage.url()),
            ("DRBOT_DATA".to_owned(), folder.path().join("data").display().to_string()),
            ("DRBOT_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("DRBOT_CONFIG".to_owned(), env!("CARGO_MANIFEST_DIR").to_owned()),
            ("PATH".to_owned(), std::env::var("PATH").unwrap()),
            ("HOME".to_owned(), std::env::var("HOME").unwrap_or_default()),
        ]);
        Self { data: folder.path().join("data"), variables, process: None, _folder: folder }
    }

    /// Sets a variable for the next start.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(there, _)| there != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub fn unset(&mut self, name: &str) {
        self.variables.retain(|(there, _)| there != name);
    }

    pub fn start(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = self.program();
        let child = command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.process = Some(child);
    }

    /// The program with the bot's variables, in its folder.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drbot"));
        command
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self._folder.path())
            .kill_on_drop(true);
        command
    }

    pub async fn terminate(&mut self) -> std::process::ExitStatus {
        let mut child = self.process.take().unwrap();
        let id = i32::try_from(child.id().unwrap()).unwrap();
        kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
        child.wait().await.unwrap()
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.process.take().unwrap().kill().await.unwrap();
    }

    /// Waits until the process has ended by itself, and returns how.
    pub async fn dies(&mut self) -> std::process::ExitStatus {
        let child = self.process.as_mut().unwrap();
        let waited = tokio::time::timeout(super::LIMIT, child.wait()).await;
        let Ok(status) = waited else { panic!("the process does not die\n{}", tail(&self.log())) };
        self.process = None;
        status.unwrap()
    }

    /// Whether the process has ended.
    pub fn is_gone(&mut self) -> bool {
        self.process.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// What Prometheus would read of the process that runs now.
    pub async fn figures(&self) -> String {
        reqwest::get(format!("{}/metrics", self.listens().await)).await.unwrap().text().await.unwrap()
    }

    /// Where the process that runs now listens.
    pub async fn listens(&self) -> String {
        let log = self.log();
        let line = log.lines().rev().find(|line| line.contains("figures are served"));
        let url = line.and_then(|line| line.split_once("url=\"")?.1.split('"').next()).expect("figures are served");
        url.trim_end_matches("/metrics").to_owned()
    }

    fn log_file(&self) -> PathBuf {
        self._folder.path().join("drbot.log")
    }

    pub async fn store(&self) -> Store {
        Store::open_to_read(Path::new(&self.data)).await.unwrap()
    }

    /// Puts the shipped contacts into the store, beside the bot that serves.
    pub async fn imports_contacts(&self) {
        self.imports(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/contacts.csv"))).await;
    }

    pub async fn imports(&self, contacts: &Path) {
        let output = Command::new(env!("CARGO_BIN_EXE_drbot"))
            .args(["contacts", "import"])
            .arg(contacts)
            .env_clear()
            .env("DRBOT_DATA", &self.data)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The journal of the newest run of a command.
    pub async fn journal(&self, command: &str) -> Vec<Entry> {
        let Ok(store) = Store::open_to_read(&self.data).await else { return Vec::new() };
        let runs = store.runs(100).await.unwrap_or_default();
        let journal = match runs.iter().find(|run| run.command == command) {
            Some(run) => store.journal(run.id).await.unwrap_or_default(),
            None => Vec::new(),
        };
        store.close().await;
        journal
    }

    /// Waits until the newest run of a command has ended, and returns its last state.
    pub async fn finished(&self, command: &str) -> State {
        until(&format!("/{command} to end\n{}", tail(&self.log())), async || {
            let journal = self.journal(command).await;
            let state = State::replay(&journal).ok()?;
            state.finished.is_some().then_some(state)
        })
        .await
    }

    /// As [`Bot::finished`], of a run that is none of those before.
    pub async fn finished_after(&self, command: &str, before: &[RunId]) -> State {
        until(&format!("the next /{command} to end"), async || {
            let state = self.finished(command).await;
            (!before.contains(&state.id)).then_some(state)
        })
        .await
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
