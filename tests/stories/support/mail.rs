//! A mail server of another make (aiosmtpd), and a certificate for it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

pub const USER: &str = "drbot";
pub const PASSWORD: &str = "correct horse battery";

pub struct MailServer {
    pub port: u16,
    folder: tempfile::TempDir,
    _process: Child,
}

impl MailServer {
    /// `security` is starttls, tls or open.
    pub async fn start(security: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/peers/bin/python");
        assert!(python.exists(), "aiosmtpd is not installed: run scripts/peers (`make test` does)");
        let folder = tempfile::tempdir().unwrap();
        certificate(folder.path(), "server").await;
        let mut process = Command::new(python)
            .arg(root.join("tests/peers/mail_server.py"))
            .arg(folder.path())
            .arg(security)
            .args([folder.path().join("server.pem"), folder.path().join("server.key")])
            .args([USER, PASSWORD])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut said).await.unwrap();
        let port = said.trim().parse().unwrap_or_else(|_| {
            panic!("{said}{}", std::fs::read_to_string(folder.path().join("log")).unwrap());
        });
        Self { port, folder, _process: process }
    }

    /// The file of who vouches for it: itself.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("server.pem")
    }

    /// The file of somebody who does not.
    pub async fn stranger(&self) -> PathBuf {
        certificate(self.folder.path(), "stranger").await;
        self.folder.path().join("stranger.pem")
    }

    /// What it was handed, in order.
    pub fn mails(&self) -> Vec<Value> {
        let read = |number: u32| std::fs::read(self.folder.path().join(format!("{number}.json"))).ok();
        (1..).map_while(read).map(|bytes| serde_json::from_slice(&bytes).unwrap()).collect()
    }
}

/// `NAME.pem` and `NAME.key` for this machine, vouched for by itself.
async fn certificate(folder: &Path, name: &str) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .arg("-keyout")
        .arg(folder.join(format!("{name}.key")))
        .arg("-out")
        .arg(folder.join(format!("{name}.pem")))
        .output()
        .await
        .expect("the program openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
