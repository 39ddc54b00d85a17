//! The host's command line: the way in when Discord is down, or when somebody is alone at the machine.

use drbot::run::{event::Event, outcome::Outcome};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    bad_days::Day,
    support::{
        bot::Bot,
        drill::Drill,
        host::{Host, text},
        range::Range,
        stage::Stage,
        until,
    },
};

/// A command whose approver types a word.
const WORD: &str = r#"
summary  = "A drill whose approver types a word"
scenario = "drill"
risk     = "risky"
roles    = ["operator"]
target   = "drill"

[approval]
before  = "worded"
roles   = ["dba"]
quorum  = 1
expires = "5m"
confirm = "{{ target.name }}"
cost    = "A drill is done."

[[steps]]
id      = "worded"
name    = "The worded effect"
http    = { post = "{{ target.api }}/worded" }
effect  = "once"
timeout = "5s"
"#;

async fn day() -> (Day, Host) {
    let (stage, drill) = (Stage::open().await, Drill::start().await);
    std::fs::write(drill.folder().join("commands/word.toml"), WORD).unwrap();
    let host = Host::of(drill.folder());
    let mut bot = Bot::for_drill(&stage, &drill);
    bot.start();
    stage.knows("drill").await;
    (Day { stage, drill, bot }, host)
}

/// The short id of the newest run of a command, once it waits for its approval.
async fn waits_for_approval(bot: &Bot, command: &str) -> String {
    until("a run that waits for its approval", async || {
        let journal = bot.journal(command).await;
        let asked = journal.iter().any(|entry| matches!(entry.event, Event::ApprovalAsked(_)));
        asked.then(|| journal[0].run.short())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_given_at_the_host_and_shown_there_and_in_discord() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range).with_configuration(&[]);
    let host = Host::of(&bot.data.parent().unwrap().join("config"));
    bot.start();
    stage.ready().await;
    let output = host.gives(&bot, "Dana", &["exec", "status"]).await;
    let said = text(&output);
    let state = bot.finished("status").await;
    assert_eq!(state.finished.unwrap().outcome, Outcome::Succeeded, "{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
    let plan = said.find("Steps").expect("the plan comes first");
    let begin = said.find("Dana (host) gave /status").expect("then what happens");
    let card = said.find("│ /status · prod · Done").expect("then the card");
    assert!(plan < begin && begin < card, "{said}");
    assert_eq!(state.created.requester.id.0, drbot::rehearsal::world::DANA);
    let shown = stage.shows("status", "Done").await;
    assert!(shown.to_string().contains("asked by Dana (host)"), "{shown}");
    let output = host.gives(&bot, "Dana", &["status"]).await;
    assert!(text(&output).contains("you are Dana (host): operator\nnothing is under way"), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_approves_at_the_host() {
    let (day, host) = day().await;
    let dana = host.starts(&day.bot, "Dana", &["exec", "word"]).await;
    let run = waits_for_approval(&day.bot, "word").await;

    let own = host.types(&day.bot, "Dana", &["approve", &run], "drill\n").await;
    assert_eq!(own.status.code(), Some(3), "{}", text(&own));
    assert!(text(&own).contains("somebody else has to approve it"), "{}", text(&own));
    let without = host.types(&day.bot, "Lena", &["approve", &run], "drill\n").await;
    assert!(text(&without).contains("dba"), "who has not the role may not: {}", text(&without));
    let wrong = host.types(&day.bot, "Omar", &["approve", &run], "dril\n").await;
    assert_eq!(wrong.status.code(), Some(3), "{}", text(&wrong));
    assert!(text(&wrong).contains("what you typed is not `drill`"), "{}", text(&wrong));
    assert_eq!(day.drill.done(), Vec::<String>::new(), "nothing is done without a yes");

    let right = host.types(&day.bot, "Omar", &["approve", &run], "drill\n").await;
    let said = text(&right);
    assert_eq!(right.status.code(), Some(0), "{said}");
    assert!(
        said.contains("The worded effect") && said.contains("A drill is done."),
        "what is approved is shown: {said}"
    );
    let dana = dana.wait_with_output().await.unwrap();
    assert_eq!(dana.status.code(), Some(0), "{}", text(&dana));
    assert!(text(&dana).contains("Omar (host) approved"), "{}", text(&dana));
    assert_eq!(day.drill.done(), ["worded"]);
    let late = host.types(&day.bot, "Omar", &["approve", &run], "drill\n").await;
    assert_eq!(late.status.code(), Some(3), "{}", text(&late));
    day.all_is_said("word").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_in_discord_does_not_approve_at_the_host() {
    let (day, host) = day().await;
    day.stage.person("Dana").types("ask", json!({})).await;
    let run = waits_for_approval(&day.bot, "ask").await;
    let own = host.types(&day.bot, "Dana", &["approve", &run], "yes\n").await;
    assert!(text(&own).contains("somebody else has to approve it"), "{}", text(&own));
    let unsure = host.types(&day.bot, "Omar", &["approve"], "\n").await;
    assert_eq!(unsure.status.code(), Some(3), "{}", text(&unsure));
    assert_eq!(day.drill.done(), Vec::<String>::new());
    let denied = host.gives(&day.bot, "Omar", &["deny", &run, "not", "now"]).await;
    assert_eq!(denied.status.code(), Some(0), "{}", text(&denied));
    let state = day.bot.finished("ask").await;
    assert_eq!(state.finished.unwrap().outcome, Outcome::Refused);
    assert_eq!(day.drill.done(), Vec::<String>::new());
    let journal = day.bot.journal("ask").await;
    assert!(journal.iter().any(|entry| {
        matches!(&entry.event, Event::ApprovalDenied { by, reason, .. } if by.name == "Omar (host)" && reason == "not now")
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_may_do_nothing() {
    let (day, host) = day().await;
    day.stage.person("Dana").types("ask", json!({})).await;
    let run = waits_for_approval(&day.bot, "ask").await;
    let everything: [&[&str]; 8] = [
        &["exec", "drill"],
        &["exec", "no-such-command"],
        &["approve", &run],
        &["deny", &run, "because"],
        &["answer", &run],
        &["abort", &run],
        &["status"],
        &["status", &run, "--follow"],
    ];
    for arguments in everything {
        let output = host.stranger_gives(&day.bot, arguments).await;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.contains("nobody to drbot") && said.contains("[[people]]"), "{arguments:?}: {said}");
        assert!(!said.contains("Dana"), "{arguments:?} tells nothing: {said}");
    }
    assert_eq!(day.drill.done(), Vec::<String>::new());
    assert_eq!(day.bot.journal("drill").await, []);
    // Without the role, but known.
    let output = host.gives(&day.bot, "Lena", &["exec", "drill"]).await;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("operator"), "{}", text(&output));
    let output = host.gives(&day.bot, "Lena", &["abort", &run]).await;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_while_discord_was_down_is_posted_in_order() {
    let (day, host) = day().await;
    day.stage.fault(json!({"kind": "html_error", "status": 500, "path": "/channels/*", "times": 0})).await;
    let dana = host.starts(&day.bot, "Dana", &["exec", "drill"]).await;
    day.drill.has_done(1).await;
    let mut follower = host.starts(&day.bot, "Omar", &["status", "--follow", "--json"]).await;
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut followed = vec![lines.next_line().await.unwrap().expect("it follows")];
    day.drill.open_gate();
    let dana = dana.wait_with_output().await.unwrap();
    assert_eq!(dana.status.code(), Some(0), "{}", text(&dana));
    assert_eq!(day.drill.done(), ["one", "two", "three"]);
    while let Some(line) = lines.next_line().await.unwrap() {
        followed.push(line);
    }
    assert_eq!(follower.wait().await.unwrap().code(), Some(0));
    let events: Vec<drbot::run::event::Entry> =
        followed.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events, day.bot.journal("drill").await, "whoever follows sees the journal");

    let asked = host.starts(&day.bot, "Dana", &["exec", "word"]).await;
    let run = waits_for_approval(&day.bot, "word").await;
    assert_eq!(host.types(&day.bot, "Omar", &["approve", &run], "drill\n").await.status.code(), Some(0));
    assert_eq!(asked.wait_with_output().await.unwrap().status.code(), Some(0));
    let status = host.gives(&day.bot, "Dana", &["status"]).await;
    assert!(text(&status).contains("messages wait for Discord"), "{}", text(&status));
    day.stage.fault(json!({"kind": "clear"})).await;
    day.all_is_said("drill").await;
    day.all_is_said("word").await;
    assert_eq!(day.count("ops", "The drill is under way.").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_following_and_not_the_run() {
    let (day, host) = day().await;
    let mut dana = host.starts(&day.bot, "Dana", &["exec", "drill"]).await;
    let mut lines = BufReader::new(dana.stdout.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().expect("it follows").contains("Wait at the gate") {}
    while !lines.next_line().await.unwrap().expect("it follows").contains("▶ Wait at the gate") {}
    kill(Pid::from_raw(i32::try_from(dana.id().unwrap()).unwrap()), Signal::SIGINT).unwrap();
    let dana = dana.wait_with_output().await.unwrap();
    assert_eq!(dana.status.code(), Some(130), "{}", text(&dana));
    assert!(text(&dana).contains("The run goes on"), "{}", text(&dana));
    assert_eq!(day.drill.done(), ["one"]);

    let mut follower = host.starts(&day.bot, "Omar", &["status", "--follow"]).await;
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut followed = lines.next_line().await.unwrap().expect("it follows");
    let aborted = host.gives(&day.bot, "Dana", &["abort", "--reason", "the wrong drill"]).await;
    assert_eq!(aborted.status.code(), Some(0), "{}", text(&aborted));
    while let Some(line) = lines.next_line().await.unwrap() {
        followed += &format!("\n{line}");
    }
    assert_eq!(follower.wait().await.unwrap().code(), Some(8), "{followed}");
    assert!(followed.contains("Dana (host) stopped it: the wrong drill"), "{followed}");
    assert_eq!(day.drill.done(), ["one"], "nothing went on");
}
