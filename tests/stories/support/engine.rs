//! A Docker engine of the story's own: its own socket, data and processes, so that it can be killed.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};

use super::until;

/// Where an engine notes the process of its containerd.
const CONTAINERD: &str = "exec/containerd/containerd.pid";

/// Stopped when dropped.
pub struct OwnEngine {
    folder: tempfile::TempDir,
}

impl OwnEngine {
    /// None where only root could start one.
    pub fn new() -> Option<Self> {
        if !geteuid().is_root() {
            super::passed_over("only root can start a Docker engine of its own");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("daemon.json"), "{}").unwrap();
        // In a network of its own: with `--bridge=none` an engine takes the machine's docker0 away.
        // Processes that were killed may still be listed, until somebody has asked how they ended: by their files the
        // next engine would take them for alive.
        let script = format!(
            "#!/bin/sh\nrm -f {} {}\nsetsid unshare --net dockerd --config-file {} --host unix://{} --data-root {} \
             --exec-root {} --pidfile {} --bridge=none --iptables=false --ip-forward=false --storage-driver vfs </dev/null >>{} 2>&1 &\n",
            at("docker.pid"),
            at(CONTAINERD),
            at("daemon.json"),
            at("docker.sock"),
            at("data"),
            at("exec"),
            at("docker.pid"),
            at("log"),
        );
        std::fs::write(at("restart"), script).unwrap();
        Some(Self { folder })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.at("docker.sock").display())
    }

    /// What starts it, and ends at once.
    pub fn restart(&self) -> Vec<String> {
        vec!["/bin/sh".to_owned(), self.at("restart").display().to_string()]
    }

    pub async fn start(&self) {
        let command = self.restart();
        assert!(Command::new(&command[0]).args(&command[1..]).status().unwrap().success());
        until("the engine to answer", async || self.answers().then_some(())).await;
    }

    pub fn answers(&self) -> bool {
        let mut docker = Command::new("docker");
        docker.args(["--host", &self.host(), "version"]).stdout(Stdio::null()).stderr(Stdio::null());
        docker.status().unwrap().success()
    }

    /// `kill -9`, with its containerd: its socket stays behind.
    pub async fn kill(&self) {
        for file in ["docker.pid", CONTAINERD] {
            let pid = std::fs::read_to_string(self.at(file)).unwrap().trim().parse().unwrap();
            // The containerd may have ended with its engine.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        until("the engine to be gone", async || (!self.answers()).then_some(())).await;
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        let Ok(pid) = std::fs::read_to_string(self.at("docker.pid")) else { return };
        let Ok(pid) = pid.trim().parse().map(Pid::from_raw) else { return };
        let _ = kill(pid, Signal::SIGTERM);
        for _ in 0..100 {
            if kill(pid, None).is_err() {
                break;
            }
            let _ = Command::new("sleep").arg("0.1").status();
        }
        // An engine that was killed leaves its data folder mounted on itself.
        while Command::new("umount").arg(self.at("data")).stderr(Stdio::null()).status().is_ok_and(|it| it.success()) {}
    }
}
