//! The brake, pulled in Discord and let go on the host; and a target that leads to other servers than it did.

use drbot::run::{event::Event, outcome::Outcome};
use nix::unistd::Uid;
use serde_json::{Value, json};

use crate::{
    bad_days::Day,
    support::{
        bot::Bot,
        drill::Drill,
        host::{Host, text},
        range::Range,
        stage::{Stage, has_button},
        until,
    },
};

async fn day() -> (Day, Host) {
    let (stage, drill) = (Stage::open().await, Drill::start().await);
    let settings = drill.folder().join("drbot.toml");
    let text = std::fs::read_to_string(&settings).unwrap() + "\n[lockdown]\nroles = [\"operator\"]\n";
    std::fs::write(&settings, text).unwrap();
    let host = Host::of(drill.folder());
    let bot = Bot::for_drill(&stage, &drill);
    (Day { stage, drill, bot }, host)
}

/// What the channel was told that belongs to no run, in order.
async fn notices(stage: &Stage) -> Vec<String> {
    let mut told = Vec::new();
    for channel in ["incidents", "ops"] {
        let messages = stage.messages(channel, "Lena").await;
        let titles = messages.iter().map(|message| message["embeds"][0]["title"].clone());
        told.extend(
            titles.filter_map(|title| title.as_str().map(str::to_owned)).filter(|title| !title.starts_with('/')),
        );
    }
    told
}

async fn told(stage: &Stage, titles: &[&str]) {
    until("the channel to be told", async || (notices(stage).await == titles).then_some(())).await;
}

const LOCKED: &str = "🔒 drbot is locked down";
const LIFTED: &str = "🔓 The lockdown is lifted";

#[tokio::test(flavor = "multi_thread")]
async fn a_lockdown_holds_a_run_until_it_is_lifted_on_the_host() {
    let (mut day, host) = day().await;
    day.bot.start();
    day.stage.knows("lockdown").await;
    day.stage.person("Dana").types("drill", json!({})).await;
    day.drill.has_done(1).await;
    day.stage.person("Dana").types("ask", json!({})).await;
    let waiting = day.stage.offers("ask", "Approve").await;
    let reason = json!({ "reason": "@everyone `somebody` has Omar's account" });
    let refused = day.stage.person("Gil").hears("lockdown", reason.clone()).await;
    assert!(refused.contains("operator"), "{refused}");
    let locked = day.stage.person("Dana").hears("lockdown", reason).await;
    assert!(locked.contains("drbot unlock"), "{locked}");
    told(&day.stage, &[LOCKED]).await;
    // What reads goes on (the gate), the next effect waits.
    day.drill.open_gate();
    day.stage.shows("drill", "Held").await;
    // No yes counts, not even by the button of before; a no does.
    let card = day.stage.shows("ask", "Held").await;
    assert!(!has_button(&card, "Approve") && has_button(&card, "Deny"), "{card}");
    let yes = day.stage.person("Omar").clicks_on(&waiting, "Approve").await;
    assert!(yes["modal"].is_null(), "{yes}");
    let form = day.stage.person("Omar").clicks("ask", "Deny").await;
    day.stage.person("Omar").fills(&form["modal"], "not now").await;
    assert_eq!(day.bot.finished("ask").await.finished.unwrap().outcome, Outcome::Refused);
    let refused = day.stage.person("Dana").hears("ask", json!({})).await;
    assert!(refused.contains("locked down") && refused.contains("drbot unlock"), "{refused}");
    let again = day.stage.person("Dana").hears("lockdown", json!({ "reason": "again" })).await;
    assert!(again.contains("already"), "{again}");
    // It outlives drbot.
    day.bot.kill().await;
    day.bot.start();
    day.stage.connected().await;
    if Uid::effective().is_root() {
        let stranger = host.stranger_gives(&day.bot, &["unlock", "I", "am", "nobody"]).await;
        assert_eq!(stranger.status.code(), Some(3), "{}", text(&stranger));
        let lena = host.gives(&day.bot, "Lena", &["unlock", "I", "have", "no", "role"]).await;
        assert_eq!(lena.status.code(), Some(3), "{}", text(&lena));
    }
    let status = host.gives(&day.bot, "Dana", &["status"]).await;
    assert!(text(&status).contains("locked down by Dana"), "{}", text(&status));
    assert_eq!(day.drill.done(), ["one"]);
    let unlocked = host.gives(&day.bot, "Dana", &["unlock", "it", "was", "Omar"]).await;
    assert_eq!(unlocked.status.code(), Some(0), "{}", text(&unlocked));
    let state = day.bot.finished("drill").await;
    assert_eq!(state.finished.unwrap().outcome, Outcome::Succeeded);
    assert_eq!(day.drill.done(), ["one", "two", "three"]);
    told(&day.stage, &[LOCKED, LIFTED]).await;
    let journal = day.bot.journal("drill").await;
    let kinds: Vec<_> = journal.iter().map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds.iter().filter(|kind| ["held", "released"].contains(*kind)).count(), 2, "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_locks_and_unlocks_while_nobody_serves_and_discord_hears_of_it_later() {
    let (mut day, host) = day().await;
    host.stores_of(&day.bot, "Dana");
    let locked = host.gives(&day.bot, "Dana", &["lockdown", "a", "laptop", "was", "stolen"]).await;
    assert_eq!(locked.status.code(), Some(0), "{}", text(&locked));
    let status = host.gives(&day.bot, "Dana", &["status"]).await;
    assert!(text(&status).contains("a laptop was stolen"), "{}", text(&status));
    let refused = host.gives(&day.bot, "Dana", &["exec", "drill"]).await;
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("locked down"), "{}", text(&refused));
    assert_eq!(day.drill.done(), Vec::<String>::new());
    let unlocked = host.gives(&day.bot, "Dana", &["unlock", "it", "was", "found"]).await;
    assert_eq!(unlocked.status.code(), Some(0), "{}", text(&unlocked));
    let twice = host.gives(&day.bot, "Dana", &["unlock", "again"]).await;
    assert_eq!(twice.status.code(), Some(3), "{}", text(&twice));
    day.bot.start();
    told(&day.stage, &[LOCKED, LIFTED]).await;
}

/// The ports of the target lead to another system of the same kind: its database is as good as its own to every name.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_leads_to_other_servers_is_not_touched_until_somebody_accepts_it() {
    let (mine, other) = (Range::up(), Range::up());
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &mine).with_configuration(&[]);
    let host = Host::of(&bot.data.parent().unwrap().join("config"));
    bot.start();
    stage.ready().await;
    until("the servers to be on record", async || {
        let shown = host.gives(&bot, "Dana", &["fingerprint"]).await;
        (text(&shown).matches("as recorded").count() == 2).then_some(())
    })
    .await;
    bot.terminate().await;
    for (name, value) in other.variables() {
        bot.set(&name, &value);
    }
    bot.start();
    stage.connected().await;
    other.breaks("rows-damaged");
    let databases = "SELECT string_agg(oid::text || datname, ' ' ORDER BY oid) FROM pg_database";
    let (before, requests) = (other.sql(databases), other.requests().len());
    let shown = host.gives(&bot, "Dana", &["fingerprint", "prod"]).await;
    assert_eq!(shown.status.code(), Some(1), "{}", text(&shown));
    assert!(text(&shown).contains("ANOTHER THAN THE RECORDED"), "{}", text(&shown));
    stage.person("Dana").types("restore-db", json!({})).await;
    let state = bot.finished("restore-db").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Refused, "{:?}", state.finished);
    stage.shows("restore-db", "not the recorded one").await;
    assert_eq!(other.sql(databases), before, "no database was made");
    assert_ne!(other.bot("/status/trading").await["trading"], "halted", "it trades on");
    let posts = other.requests().into_iter().skip(requests).filter(|request| request.starts_with("POST"));
    assert_eq!(posts.collect::<Vec<_>>(), Vec::<String>::new(), "its trading bot was not spoken to");
    // What only reads looks where the names lead.
    stage.person("Dana").types("status", json!({})).await;
    assert!(bot.finished("status").await.finished.unwrap().outcome.is_success());
    let accepted = host.gives(&bot, "Dana", &["fingerprint", "prod", "--accept"]).await;
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted));
    told(&stage, &["The target is another one by now"]).await;
    stage.person("Dana").types("restore-db", json!({})).await;
    stage.person("Omar").approves("restore-db").await;
    let recovered = until("the recovery", async || {
        let journal = bot.journal("restore-db").await;
        let ended = journal.iter().any(|entry| matches!(entry.event, Event::Finished { .. }));
        ended.then(|| journal.iter().any(|entry| matches!(entry.event, Event::Recovered)))
    })
    .await;
    assert!(recovered);
    let _: Value = other.bot("/health").await;
}
