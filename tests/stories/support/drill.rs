//! Something to act on that needs no containers: a little server that counts what was done to it, and a command that
//! does it. The command waits at a gate in the middle, so that a story can break something while a run is under way.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::until;

/// `/drill`: an effect, a word to the channel, the gate, two more effects.
const DRILL: &str = r#"
summary  = "A drill"
scenario = "drill"
risk     = "risky"
roles    = ["operator"]
target   = "drill"

[[steps]]
id      = "one"
name    = "The first effect"
http    = { post = "{{ target.api }}/one" }
effect  = "once"
timeout = "5s"

[[steps]]
id     = "tell"
name   = "Tell the channel"
notify = { message = "The drill is under way." }

[[steps]]
id      = "gate"
name    = "Wait at the gate"
wait    = { until.http = { get = "{{ target.api }}/gate" }, every = "100ms" }
timeout = "2m"

[[steps]]
id      = "two"
name    = "The second effect"
http    = { post = "{{ target.api }}/two" }
effect  = "once"
timeout = "5s"

[[steps]]
id      = "three"
name    = "The third effect"
http    = { post = "{{ target.api }}/three" }
effect  = "once"
timeout = "5s"
"#;

/// `/ask`: an effect that somebody else has to approve.
const ASK: &str = r#"
summary  = "A drill with an approval"
scenario = "drill"
risk     = "risky"
roles    = ["operator"]
target   = "asking"

[approval]
before  = "approved"
roles   = ["dba"]
quorum  = 1
expires = "5m"

[[steps]]
id      = "approved"
name    = "The approved effect"
http    = { post = "{{ target.api }}/approved" }
effect  = "once"
timeout = "5s"
"#;

pub struct Drill {
    folder: tempfile::TempDir,
    done: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicBool>,
}

impl Drill {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("commands")).unwrap();
        for (name, text) in [("drill", DRILL), ("ask", ASK)] {
            std::fs::write(folder.path().join(format!("commands/{name}.toml")), text).unwrap();
        }
        std::fs::write(folder.path().join("drbot.toml"), settings(&api)).unwrap();
        let drill = Self { folder, done: Arc::default(), open: Arc::default() };
        let (done, open) = (drill.done.clone(), drill.open.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, done.clone(), open.clone()));
            }
        });
        drill
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn open_gate(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    /// What was done, in order.
    pub fn done(&self) -> Vec<String> {
        self.done.lock().unwrap().clone()
    }

    /// Waits until so many effects have happened.
    pub async fn has_done(&self, count: usize) {
        until("an effect", async || (self.done().len() >= count).then_some(())).await;
    }
}

fn settings(api: &str) -> String {
    format!(
        r#"
[discord]
guild            = "100000000000000001"
channel          = "200000000000000002"
command_channels = ["200000000000000001", "200000000000000002"]

[roles]
operator = "300000000000000001"
dba      = "300000000000000002"

[scenario.drill]
name     = "Drill"
rto      = "15m"
rpo      = "5m"
priority = "medium"

[target.drill]
api = "{api}"

# Of its own, so that /ask can wait while /drill is under way: on one target, one thing happens at a time.
[target.asking]
api = "{api}"

[web]
listen = "${{DRBOT_LISTEN:-127.0.0.1:0}}"

[limits]
commands_per_minute = 1000
burst               = 1000
"#
    )
}

/// One request on each connection: POST is an effect, GET asks for the gate.
async fn serve(mut stream: TcpStream, done: Arc<Mutex<Vec<String>>>, open: Arc<AtomicBool>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let status = match method {
        "POST" => {
            done.lock().unwrap().push(path.trim_start_matches('/').to_owned());
            "200 OK"
        }
        _ if open.load(Ordering::Relaxed) => "200 OK",
        _ => "503 Service Unavailable",
    };
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    // A client that has gone is no matter.
    let _ = stream.write_all(answer.as_bytes()).await;
}
