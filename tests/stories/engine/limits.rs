//! Who may start what, and how often.

use drbot::{
    access::Refusal,
    config::settings::{DiscordId, Limits, Target},
    engine::{RequestError, Submitted},
    run::outcome::Outcome,
    runbook::definition::Risk,
};
use futures::future::join_all;

use crate::support::{
    commands::{command, idempotent, read},
    house::{House, dana, gil, omar},
    scripted::Deed,
};

#[tokio::test]
async fn what_no_rule_allows_is_refused() {
    let mut nobodys = command("nobodys", vec![read("a")]);
    nobodys.roles.clear();
    let mut mistaken = command("mistaken", vec![read("a")]);
    mistaken.roles = vec!["operatr".to_owned()];
    let mut house = House::new([command("go", vec![read("a")]), nobodys, mistaken]);
    house.configuration.settings.discord.command_channels = vec![crate::support::house::CHANNEL];
    let bot = house.start().await;
    let mut robot = dana();
    robot.is_bot = true;
    let mut elsewhere = dana();
    elsewhere.channel = DiscordId(7);
    for (caller, command) in
        [(gil(), "go"), (omar(), "go"), (robot, "go"), (elsewhere, "go"), (dana(), "nobodys"), (dana(), "mistaken")]
    {
        match bot.ask(&caller, command, "1").await.unwrap_err() {
            RequestError::Refused(Refusal::Role { .. } | Refusal::Bot | Refusal::Channel { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    match bot.ask(&dana(), "og", "1").await.unwrap_err() {
        RequestError::UnknownCommand { known, .. } => assert_eq!(known, ["go", "mistaken", "nobodys"]),
        other => panic!("{other:?}"),
    }
    assert!(bot.0.store().runs(1).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_request_twice_is_one_run() {
    let house = House::new([command("go", vec![idempotent("a")])]);
    let bot = house.start().await;
    let dana = dana();
    let all = join_all((0..10).map(|_| bot.ask(&dana, "go", "click"))).await;
    let started: Vec<_> = all
        .iter()
        .filter_map(|submitted| match submitted {
            Ok(Submitted::Started(run)) => Some(*run),
            _ => None,
        })
        .collect();
    let [run] = started[..] else { panic!("{all:?}") };
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(bot.ask(&dana, "go", "click").await.unwrap(), Submitted::AlreadyStarted(run));
    assert_eq!(house.world.times("do a"), 1);
}

#[tokio::test]
async fn the_second_is_told_who_holds_the_lock() {
    let mut locked = command("go", vec![idempotent("a")]);
    locked.lock = Some("database".to_owned());
    let house = House::new([locked]);
    house.world.tell("do a", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    match bot.ask(&dana(), "go", "2").await.unwrap_err() {
        RequestError::Locked { lock, holder, command, requester, .. } => {
            assert_eq!((lock.as_str(), holder, command.as_str(), requester.as_str()), ("database", run, "go", "Dana"));
        }
        other => panic!("{other:?}"),
    }
    house.world.sees("do a").await;
    house.world.let_go("do a");
    bot.ends(run, Outcome::Succeeded).await;
    let run = bot.run("go").await;
    bot.ends(run, Outcome::Succeeded).await;
}

#[tokio::test]
async fn on_one_target_never_two_at_once_and_on_two_none_waits_for_the_other() {
    let on = |name: &str, target: &str, step: &str| {
        let mut command = command(name, vec![idempotent(step)]);
        command.target = Some(target.to_owned());
        command
    };
    let mut looks = on("looks", "north", "look");
    (looks.risk, looks.steps) = (Risk::Read, vec![read("look")]);
    let mut house =
        House::new([on("mend", "north", "a"), on("change", "north", "b"), on("other", "south", "c"), looks]);
    let target: Target = serde_json::from_value(serde_json::json!({ "api": "http://127.0.0.1:9" })).unwrap();
    let targets = ["north", "south"].map(|name| (name.to_owned(), target.clone()));
    house.configuration.settings.target = targets.into_iter().collect();
    house.world.tell("do a", [Deed::Hold]);
    house.world.tell("do c", [Deed::Hold]);
    let bot = house.start().await;
    let north = bot.run("mend").await;
    house.world.sees("do a").await;
    match bot.ask(&dana(), "change", "2").await.unwrap_err() {
        RequestError::Locked { lock, holder, .. } => assert_eq!((lock.as_str(), holder), ("target:north", north)),
        other => panic!("{other:?}"),
    }
    // The other target's run gets to its end while this one is still at work; so does one that only looks.
    let south = bot.run("other").await;
    house.world.sees("do c").await;
    house.world.let_go("do c");
    bot.ends(south, Outcome::Succeeded).await;
    let looking = bot.run("looks").await;
    bot.ends(looking, Outcome::Succeeded).await;
    assert!(bot.state(north).await.finished.is_none());
    house.world.let_go("do a");
    bot.ends(north, Outcome::Succeeded).await;
    let run = bot.run("change").await;
    bot.ends(run, Outcome::Succeeded).await;
}

#[tokio::test]
async fn a_lock_of_its_own_takes_nothing_from_the_lock_of_the_target() {
    let on = |name: &str, lock: Option<&str>| {
        let mut command = command(name, vec![idempotent(name)]);
        command.target = Some("prod".to_owned());
        command.lock = lock.map(str::to_owned);
        command
    };
    let mut elsewhere = on("elsewhere", Some("database"));
    elsewhere.target = Some("other".to_owned());
    let mut house =
        House::new([on("restore", Some("database")), on("mend", Some("version")), on("plain", None), elsewhere]);
    let target: Target = serde_json::from_value(serde_json::json!({ "api": "http://127.0.0.1:9" })).unwrap();
    house.configuration.settings.target =
        ["prod", "other"].map(|name| (name.to_owned(), target.clone())).into_iter().collect();
    house.world.tell("do restore", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("restore").await;
    for (command, held) in [("mend", "target:prod"), ("plain", "target:prod"), ("elsewhere", "database")] {
        match bot.ask(&dana(), command, command).await.unwrap_err() {
            RequestError::Locked { lock, holder, command: of, .. } => {
                assert_eq!((lock.as_str(), holder, of.as_str()), (held, run, "restore"));
            }
            other => panic!("{command}: {other:?}"),
        }
    }
    house.world.sees("do restore").await;
    house.world.let_go("do restore");
    bot.ends(run, Outcome::Succeeded).await;
    for command in ["mend", "plain", "elsewhere"] {
        let run = bot.run(command).await;
        bot.ends(run, Outcome::Succeeded).await;
    }
}

#[tokio::test]
async fn one_person_is_throttled_and_stopping_never_is() {
    let mut safe = command("halt", vec![read("a")]);
    safe.risk = Risk::Safe;
    let mut house = House::new([command("go", vec![read("a")]), safe]);
    house.configuration.settings.limits = Limits { commands_per_minute: 1, burst: 2 };
    let bot = house.start().await;
    bot.run("go").await;
    let first = bot.ask(&dana(), "go", "click").await.unwrap();
    match bot.ask(&dana(), "go", "3").await.unwrap_err() {
        RequestError::Throttled { wait } => assert!(wait.as_secs() <= 60),
        other => panic!("{other:?}"),
    }
    let Submitted::Started(run) = first else { panic!("{first:?}") };
    assert_eq!(bot.ask(&dana(), "go", "click").await.unwrap(), Submitted::AlreadyStarted(run), "it is no new one");
    for _ in 0..5 {
        bot.run("halt").await;
    }
    let mut another = omar();
    another.roles.push(DiscordId(10));
    bot.ask(&another, "go", "4").await.unwrap();
}

#[tokio::test]
async fn a_run_that_is_durable_has_a_driver_even_when_its_caller_is_gone() {
    let house = House::new([command("go", vec![idempotent("a")])]);
    let bot = house.start().await;
    let dana = dana();
    for polls in 0..60 {
        let key = polls.to_string();
        let mut asking = Box::pin(bot.ask(&dana, "go", &key));
        for _ in 0..polls {
            if futures::poll!(&mut asking).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(asking);
    }
    // The last one was not dropped, and comes after all others in the store.
    let last = bot.run("go").await;
    bot.ends(last, Outcome::Succeeded).await;
    for run in bot.0.store().runs(100).await.unwrap() {
        bot.ends(run.id, Outcome::Succeeded).await;
    }
}

#[tokio::test]
async fn a_drbot_that_stops_takes_no_more_commands() {
    let house = House::new([command("go", vec![read("a")])]);
    let bot = house.start().await;
    bot.0.stop().await;
    assert!(matches!(bot.ask(&dana(), "go", "1").await.unwrap_err(), RequestError::Stopping));
}
