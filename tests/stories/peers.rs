//! Another library at the rehearsal: it plays Discord, and not just what drbot needs of it.

use std::{path::Path, process::Stdio, time::Duration};

use drbot::clock::Clock;
use tokio::process::Command;

use crate::support::stage::Stage;

/// Logs in, registers commands, is given them, answers, edits, gets a click and a form, posts, makes a thread.
#[tokio::test(flavor = "multi_thread")]
async fn a_discord_py_bot_finds_its_discord() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/peers/bin/python");
    assert!(python.exists(), "discord.py is not installed: run scripts/peers (`make test` does)");
    let stage = Stage::open().await;
    let bot = Command::new(python)
        .arg(root.join("tests/peers/discord_py_bot.py"))
        .arg(stage.url())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = Clock::system().timeout(Duration::from_secs(90), bot).await.expect("the bot to end").unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("discord.py is content"), "{said}");
}
