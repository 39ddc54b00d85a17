//! Starts a tool of the scene and passes on what it prints.
//!
//! What must stay true: only a tool that the scene names is started, with the arguments that stand there and no shell;
//! one at a time; what it prints is kept within bounds; and it does not outlive the rehearsal.

use std::{collections::VecDeque, process::Stdio, sync::Arc, time::Duration};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
};

use super::{
    control::{Mistake, events::Change},
    scene::Tool,
    server::Server,
    state::State,
};

/// Lines that are kept of a run; older ones go first.
const LINES: usize = 500;
/// Bytes that are kept of a line.
const LINE: usize = 2000;
/// How long a tool may take. The longest builds images.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The tool that runs, or the last one that did.
#[derive(Debug, Clone)]
pub struct ToolRun {
    pub id: u64,
    pub name: String,
    pub lines: VecDeque<String>,
    /// Lines that went, to keep within bounds.
    pub dropped: usize,
    /// How it ended; `None` while it runs.
    pub ended: Option<Result<i32, String>>,
}

impl ToolRun {
    /// Without what it printed.
    pub fn summary(&self) -> Value {
        let (exit, error) = match &self.ended {
            Some(Ok(code)) => (Some(*code), None),
            Some(Err(error)) => (None, Some(error.as_str())),
            None => (None, None),
        };
        json!({"run": self.id, "name": self.name, "running": self.ended.is_none(), "exit": exit, "error": error})
    }

    pub fn to_json(&self) -> Value {
        let mut body = self.summary();
        body["first"] = json!(self.dropped);
        body["lines"] = json!(self.lines);
        body
    }
}

/// Starts the tool of this name; refuses when there is none, or while another runs.
pub fn start(server: &Arc<Server>, name: &str) -> Result<Value, Mistake> {
    let (id, tool) = server.with(|state| admit(state, name))?;
    let summary = server.with(|state| state.tool.as_ref().map(ToolRun::summary).unwrap_or_default());
    let server = server.clone();
    tokio::spawn(async move {
        let ended = run(&server, id, &tool).await;
        server.with(|state| {
            if let Some(run) = state.tool.as_mut().filter(|run| run.id == id) {
                run.ended = Some(ended);
            }
        });
    });
    Ok(summary)
}

fn admit(state: &mut State, name: &str) -> Result<(u64, Tool), Mistake> {
    let tool = state.scene.tool(name).cloned().ok_or_else(|| {
        let names: Vec<&str> = state.scene.tools.iter().map(|tool| tool.name.as_str()).collect();
        Mistake::unknown(format!("there is no tool \"{name}\"; there is: {}", names.join(", ")))
    })?;
    if let Some(busy) = state.tool.as_ref().filter(|run| run.ended.is_none()) {
        return Err(Mistake::busy(format!("{} is still running; one tool at a time", busy.name)));
    }
    let id = state.next_id();
    state.tool = Some(ToolRun { id, name: tool.name.clone(), lines: VecDeque::new(), dropped: 0, ended: None });
    Ok((id, tool))
}

async fn run(server: &Arc<Server>, id: u64, tool: &Tool) -> Result<i32, String> {
    let mut child = Command::new(&tool.program)
        .args(&tool.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what it starts can be ended with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", tool.program.display()))?;
    let group = child.id();
    let watched = async {
        tokio::select! {
            ended = server.clock.timeout(LIMIT, finish(server, id, &mut child)) => {
                ended.unwrap_or_else(|| Err(format!("it took longer than {} minutes, and was ended", LIMIT.as_secs() / 60)))
            }
            () = server.stop.cancelled() => Err("the rehearsal ended".to_owned()),
        }
    };
    let ended = watched.await;
    if ended.is_err()
        && let Some(group) = group.and_then(|id| i32::try_from(id).ok())
    {
        // It may have gone by itself meanwhile.
        let _ = killpg(Pid::from_raw(group), Signal::SIGTERM);
    }
    ended
}

async fn finish(server: &Arc<Server>, id: u64, child: &mut Child) -> Result<i32, String> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let printed = async { tokio::join!(pass_on(server, id, out), pass_on(server, id, err)) };
    printed.await;
    let status = child.wait().await.map_err(|error| error.to_string())?;
    status.code().ok_or_else(|| "it was ended by a signal".to_owned())
}

/// Line by line, however long a line is.
async fn pass_on(server: &Server, id: u64, stream: Option<impl AsyncRead + Unpin>) {
    let Some(stream) = stream else { return };
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = u64::try_from(LINE).unwrap_or(u64::MAX);
        match (&mut stream).take(limit).read_until(b'\n', &mut line).await {
            Ok(1..) => {
                let text = String::from_utf8_lossy(&line);
                server.with(|state| add(state, id, text.trim_end()));
            }
            // Unreadable is as good as over.
            Ok(0) | Err(_) => return,
        }
    }
}

fn add(state: &mut State, id: u64, line: &str) {
    let Some(run) = state.tool.as_mut().filter(|run| run.id == id) else { return };
    let number = run.dropped + run.lines.len();
    if run.lines.len() == LINES {
        run.lines.pop_front();
        run.dropped += 1;
    }
    run.lines.push_back(line.to_owned());
    let data = json!({"run": id, "number": number, "line": line});
    // Nobody listening is no error.
    let _ = state.changes.send(Change { kind: "tool", channel: None, only_for: None, data });
}
