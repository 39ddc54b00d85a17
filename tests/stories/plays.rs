//! `drbot rehearse --play`: what `make demo` shows, played to its end on a range of the story's own.
//!
//! That each play fits the range and the commands, the tests beside `src/cli/play.rs` tell; here four are performed: one in
//! which nobody is asked, one in which somebody has to say yes and type a name, one that begins with an alert, and one in
//! which nobody answers.

use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::support::{LIMIT, host::text, range::Range};

/// The play, as somebody starts it at a shell who does not stay.
async fn performs(range: &Range, play: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_drbot"))
        .args(["--log", "warn", "rehearse", "--listen", "127.0.0.1:0", "--play", play, "--leave"])
        .env_clear()
        .envs(range.variables())
        .env("PATH", std::env::var("PATH").unwrap())
        .env("HOME", std::env::var("HOME").unwrap_or_default())
        .env("DRBOT_CONFIG", env!("CARGO_MANIFEST_DIR"))
        .env("DRBOT_DATA", folder.path().join("data"))
        .env("DRBOT_LISTEN", format!("127.0.0.1:{}", range.alerts_port))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ended = tokio::time::timeout(2 * LIMIT, child.wait_with_output()).await;
    ended.unwrap_or_else(|_| panic!("the play {play} does not end")).unwrap()
}

fn tells(output: &Output, texts: &[&str]) {
    let said = text(output);
    let mut rest = said.as_str();
    for text in texts {
        let at = rest.find(text).unwrap_or_else(|| panic!("{text:?} is not told where it belongs:\n{said}"));
        rest = &rest[at..];
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disasters_are_played_to_their_ends_and_a_play_that_cannot_be_is_no_success() {
    let range = Range::up();
    let cut = performs(&range, "network-partition").await;
    assert!(cut.status.success(), "{}", text(&cut));
    tells(
        &cut,
        &["The way to the provider is cut", "Dana (on call) types /failover", "Nobody is asked", "How it went"],
    );
    assert_eq!(range.bot("/config").await["primary_rpc"], "quicknode_endpoint");

    let trades = || range.sql("SELECT count(*) FROM trades").parse::<u64>().unwrap();
    let before = trades();
    let damaged = performs(&range, "database-corruption").await;
    assert!(damaged.status.success(), "{}", text(&damaged));
    let told =
        ["The database is damaged", "Dana (on call) types /restore-db", "Omar (DBA) reads the plan", "How it went"];
    tells(&damaged, &told);
    assert!(trades() > before / 2, "three in five were gone: {} of {before}", trades());
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");

    // It is cut off already.
    let again = performs(&range, "network-partition").await;
    assert!(!again.status.success(), "{}", text(&again));
    tells(&again, &["range/break network-partition failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_played_to_its_post_mortem_and_another_that_nobody_answers() {
    let range = Range::up_with_monitoring();
    let down = performs(&range, "database-down").await;
    assert!(down.status.success(), "{}", text(&down));
    tells(
        &down,
        &[
            "The database's container is killed",
            "presses Acknowledge",
            "presses the command that fits",
            "How it went",
            "recovery is verified",
            "closes the incident",
        ],
    );
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");

    let unanswered = performs(&range, "nobody-answers").await;
    assert!(unanswered.status.success(), "{}", text(&unanswered));
    let climbed = ["does anybody have it?", "50 %", "90 %", "The deadline is missed"];
    tells(&unanswered, &climbed);
}
