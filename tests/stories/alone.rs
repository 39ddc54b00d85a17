//! No drbot serves, and there is no Discord: a command given at the host carries itself out.

use std::os::unix::fs::PermissionsExt;

use drbot::run::{event::Event, outcome::Outcome};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use crate::{
    bad_days::Day,
    support::{
        bot::Bot,
        drill::Drill,
        host::{Host, text},
        stage::Stage,
        until,
    },
};

/// Nothing is started, and nothing that Discord needs is set.
async fn nobody_serves() -> (Day, Host) {
    let (stage, drill) = (Stage::open().await, Drill::start().await);
    let host = Host::of(drill.folder());
    let mut bot = Bot::for_drill(&stage, &drill);
    bot.unset("DISCORD_TOKEN");
    bot.unset("DISCORD_API_URL");
    host.stores_of(&bot, "Dana");
    (Day { stage, drill, bot }, host)
}

fn discord_is_back(day: &mut Day) {
    day.bot.set("DISCORD_TOKEN", drbot::rehearsal::world::TOKEN);
    let url = day.stage.url();
    day.bot.set("DISCORD_API_URL", &url);
    day.bot.start();
}

async fn waits_at_the_gate(dana: &mut Child) {
    let mut lines = BufReader::new(dana.stdout.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().expect("it is followed").contains("▶ Wait at the gate") {}
    // Read on, so that nothing is cut off by a pipe that is gone.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
}

fn interrupt(child: &Child) {
    kill(Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()), Signal::SIGINT).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_without_a_bot_is_posted_once_when_one_starts() {
    let (mut day, host) = nobody_serves().await;
    day.drill.open_gate();
    let output = host.gives(&day.bot, "Dana", &["exec", "drill"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("No drbot serves here"), "{}", text(&output));
    assert_eq!(day.drill.done(), ["one", "two", "three"]);

    let dana = host.starts(&day.bot, "Dana", &["exec", "ask"]).await;
    let run = until("a run that waits for its approval", async || {
        let journal = day.bot.journal("ask").await;
        journal.iter().any(|entry| entry.event.kind() == "approval-asked").then(|| journal[0].run.short())
    })
    .await;
    let own = host.types(&day.bot, "Dana", &["approve", &run], "yes\n").await;
    assert!(text(&own).contains("somebody else has to approve it"), "{}", text(&own));
    let omar = host.types(&day.bot, "Omar", &["approve", &run], "yes\n").await;
    assert_eq!(omar.status.code(), Some(0), "{}", text(&omar));
    let dana = dana.wait_with_output().await.unwrap();
    assert_eq!(dana.status.code(), Some(0), "{}", text(&dana));
    assert_eq!(day.drill.done(), ["one", "two", "three", "approved"]);
    assert!(!day.bot.data.join("drbot.sock").exists(), "it ends cleanly");

    let status = host.gives(&day.bot, "Dana", &["status"]).await;
    assert!(text(&status).contains("messages wait for Discord\nnothing is under way"), "{}", text(&status));
    let first = day.bot.journal("drill").await[0].run.short();
    // The second start has nothing to say any more.
    for times in 1..=2 {
        discord_is_back(&mut day);
        let connected = async || (day.bot.log().matches("connected to Discord").count() == times).then_some(());
        until("the bot on Discord", connected).await;
        day.all_is_said("drill").await;
        day.all_is_said("ask").await;
        assert_eq!(day.cards_of(&first).await.len(), 1);
        assert_eq!(day.cards_of(&run).await.len(), 1);
        assert_eq!(day.count("ops", "The drill is under way.").await, 1);
        assert_eq!(day.bot.terminate().await.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_the_run_in_the_journal_and_it_goes_on_from_there() {
    let (day, host) = nobody_serves().await;
    let mut dana = host.starts(&day.bot, "Dana", &["exec", "drill"]).await;
    waits_at_the_gate(&mut dana).await;
    interrupt(&dana);
    let left = dana.wait_with_output().await.unwrap();
    assert_eq!(left.status.code(), Some(130), "{}", text(&left));
    assert!(text(&left).contains("drbot exec --continue"), "{}", text(&left));

    let status = host.gives(&day.bot, "Dana", &["status"]).await;
    let said = text(&status);
    assert!(said.contains("/drill") && said.contains("what is under way rests"), "{said}");
    assert_eq!(day.drill.done(), ["one"], "looking at it does nothing");
    day.drill.open_gate();
    let on = host.gives(&day.bot, "Dana", &["exec", "--continue"]).await;
    assert_eq!(on.status.code(), Some(0), "{}", text(&on));
    assert!(text(&on).contains("goes on with what was interrupted"), "{}", text(&on));
    assert_eq!(day.drill.done(), ["one", "two", "three"], "once each");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_is_stopped_without_a_bot() {
    let (day, host) = nobody_serves().await;
    let mut dana = host.starts(&day.bot, "Dana", &["exec", "drill"]).await;
    waits_at_the_gate(&mut dana).await;
    // As by a loss of power: the socket's file stays.
    dana.kill().await.unwrap();
    assert!(day.bot.data.join("drbot.sock").exists());
    let aborted = host.gives(&day.bot, "Dana", &["abort", "--reason", "the wrong drill"]).await;
    assert_eq!(aborted.status.code(), Some(8), "{}", text(&aborted));
    assert_eq!(day.bot.finished("drill").await.finished.unwrap().outcome, Outcome::Aborted);
    assert_eq!(day.drill.done(), ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_starts_takes_the_run_over() {
    let (mut day, host) = nobody_serves().await;
    let mut dana = host.starts(&day.bot, "Dana", &["exec", "drill"]).await;
    waits_at_the_gate(&mut dana).await;
    discord_is_back(&mut day);
    let run = day.bot.journal("drill").await[0].run.short();
    // Not typed in a channel, it is shown in the one of drbot.toml.
    until("the card", async || (!day.cards_of(&run).await.is_empty()).then_some(())).await;
    day.drill.open_gate();
    let dana = dana.wait_with_output().await.unwrap();
    assert_eq!(dana.status.code(), Some(0), "{}{}", text(&dana), day.bot.log());
    assert_eq!(day.drill.done(), ["one", "two", "three"], "once each");
    day.all_is_said("drill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_under_way_nothing_is_started() {
    let (day, host) = nobody_serves().await;
    let status = host.gives(&day.bot, "Dana", &["status"]).await;
    assert!(text(&status).contains("you are Dana (host): operator"), "{}", text(&status));
    assert!(text(&status).contains("nothing is under way"), "{}", text(&status));
    for arguments in [&["approve"][..], &["deny", "abc", "because"], &["abort"], &["exec", "--continue"]] {
        let output = host.gives(&day.bot, "Dana", arguments).await;
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains("nothing was done"), "{arguments:?}: {}", text(&output));
    }
    let left = host.gives(&day.bot, "Dana", &["exec", "drill", "--no-follow"]).await;
    assert!(text(&left).contains("nobody to leave the run to"), "{}", text(&left));
    let stranger = host.stranger_gives(&day.bot, &["exec", "drill"]).await;
    assert_eq!(stranger.status.code(), Some(3), "{}", text(&stranger));
    assert!(!day.bot.data.join("drbot.sqlite").exists(), "nobody was let in");
    assert_eq!(day.drill.done(), Vec::<String>::new());
    if nix::unistd::Uid::effective().is_root() {
        let other = host.gives(&day.bot, "Omar", &["exec", "ask"]).await;
        assert!(text(&other).contains("its store belongs to the user #61001"), "{}", text(&other));
    }
}

/// `/mend`: is Docker down? If so, it is restarted.
const MEND: &str = r#"
summary = "Look at Docker, and restart it"
risk    = "risky"
roles   = ["operator"]
target  = "drill"

[[steps]]
id      = "look"
name    = "Look at Docker"
docker.engine = {}
outputs = { state = "string", down = "boolean" }

[[steps]]
id      = "restart"
name    = "Restart it"
docker.restart-engine = {}
timeout = "20s"
effect  = "once"
on_failure = "stop"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_that_may_not_be_asked_is_not_down_and_is_left_alone() {
    if !nix::unistd::Uid::effective().is_root() {
        return crate::support::passed_over("only root can make a socket that is closed to somebody");
    }
    let (mut day, host) = nobody_serves().await;
    let folder = day.drill.folder().to_owned();
    let socket = folder.join("docker.sock");
    let _engine = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(folder.join("commands/mend.toml"), MEND).unwrap();
    let restarted = folder.join("restarted");
    let settings = std::fs::read_to_string(folder.join("drbot.toml")).unwrap();
    let restart = format!("\n[target.drill.docker]\nrestart = [\"/usr/bin/touch\", \"{}\"]\n", restarted.display());
    std::fs::write(folder.join("drbot.toml"), settings + restart.as_str()).unwrap();
    day.bot.set("DOCKER_HOST", &format!("unix://{}", socket.display()));
    let output = host.gives(&day.bot, "Dana", &["exec", "mend"]).await;
    assert_eq!(output.status.code(), Some(9), "{}", text(&output));
    assert!(text(&output).contains("permission denied"), "{}", text(&output));
    let journal = day.bot.journal("mend").await;
    let looked = journal.iter().find_map(|entry| match &entry.event {
        Event::StepSucceeded { step, outputs, .. } if step == "look" => Some(outputs.clone()),
        _ => None,
    });
    assert_eq!(serde_json::Value::from(looked.unwrap()), json!({ "state": "denied", "down": false }));
    assert!(!restarted.exists());
}
