//! A name that leads to other servers than it did: nothing is changed there.

use drbot::{
    access,
    clock::Clock,
    config::settings::Target,
    engine::Identity,
    fingerprint::{Kind, Part},
    run::{outcome::Outcome, state::Status},
    runbook::definition::{OnFailure, Risk},
};

use crate::support::{
    commands::{StepWords, command, idempotent, once, question, read},
    house::{Bot, House, dana},
    scripted::Deed,
};

fn part(kind: Kind, value: &str) -> Part {
    Part { kind, value: value.to_owned() }
}

fn house() -> House {
    let target: Target = serde_json::from_value(serde_json::json!({ "api": "http://127.0.0.1:1" })).unwrap();
    let steps = vec![read("look"), idempotent("first").failing(OnFailure::Continue), once("second")];
    let back = command("back", vec![once("do").undoable(), question("which")]);
    let hangs = command("hangs", vec![idempotent("long")]);
    let mut commands = [command("work", steps), command("halt", vec![idempotent("stop")]), back, hangs];
    commands[1].risk = Risk::Safe;
    for command in &mut commands {
        command.target = Some("prod".to_owned());
    }
    let mut house = House::new(commands).on(Clock::system());
    house.configuration.settings.target.insert("prod".to_owned(), target);
    house
}

async fn works(bot: &Bot, outcome: Outcome) -> drbot::run::state::State {
    let run = bot.run("work").await;
    bot.ends(run, outcome).await
}

#[tokio::test]
async fn nothing_is_changed_on_other_servers_until_somebody_accepts_them() {
    let house = house();
    let (mine, other) = (part(Kind::Postgres, "7001"), part(Kind::Postgres, "7002"));
    let docker = part(Kind::Docker, "ABCD");
    house.world.servers([mine.clone()]);
    let bot = house.start().await;
    // The first look is the record, and what comes to it is added.
    works(&bot, Outcome::Succeeded).await;
    house.world.servers([mine, docker.clone()]);
    works(&bot, Outcome::Succeeded).await;
    let Identity { recorded, .. } = bot.0.identity_of("prod").await.unwrap().unwrap();
    assert_eq!(recorded.len(), 2, "{recorded:?}");
    let before = house.world.ledger();
    for servers in [vec![other.clone(), docker.clone()], vec![part(Kind::Docker, "EFGH")]] {
        house.world.servers(servers);
        let state = works(&bot, Outcome::Refused).await;
        assert_eq!(state.steps[0].status, Status::Succeeded, "looking is free");
        assert!(
            matches!(&state.steps[1].status, Status::Failed { message, .. } if message.contains("not the recorded one"))
        );
        assert_eq!(state.steps[2].status, Status::Pending, "the run ends, whatever its file says");
        assert_eq!(house.world.times("do first") + house.world.times("do second"), 4, "nothing was done");
    }
    assert_eq!(house.world.ledger().iter().filter(|deed| !deed.ends_with("look")).count(), {
        before.iter().filter(|deed| !deed.ends_with("look")).count()
    });
    // A halt asks nobody.
    let halt = bot.run("halt").await;
    bot.ends(halt, Outcome::Succeeded).await;
    // A server that is down is no other server.
    house.world.servers([]);
    works(&bot, Outcome::Succeeded).await;
    house.world.servers([other.clone(), docker]);
    let keeper = access::keeper(&bot.0.configuration().settings, None, true, "root").unwrap();
    bot.0.accept(&keeper, "prod", &[other]).await.unwrap();
    works(&bot, Outcome::Succeeded).await;
    let notices = bot.0.store().waiting_notices().await.unwrap();
    assert_eq!(notices.len(), 1, "the channel is told");
}

/// drbot comes back, and the name leads elsewhere by now.
#[tokio::test]
async fn on_other_servers_nothing_is_taken_back_and_nothing_is_settled() {
    let house = house();
    house.world.servers([part(Kind::Postgres, "7001")]);
    house.world.tell("do long", [Deed::Hang]);
    let bot = house.start().await;
    let back = bot.run("back").await;
    bot.until(back, "it asks", |state| state.question.is_some()).await;
    bot.0.stop().await;
    drop(bot);
    house.world.servers([part(Kind::Postgres, "7002")]);
    let bot = house.start().await;
    bot.0.stop_run(back, &dana(), None).await.unwrap();
    let state = bot.ends(back, Outcome::Stuck).await;
    assert!(state.finished.unwrap().message.contains("not the recorded one"));
    assert_eq!(house.world.times("undo do"), 0);

    house.world.servers([part(Kind::Postgres, "7001")]);
    let hangs = bot.run("hangs").await;
    house.world.sees("do long").await;
    bot.0.stop().await;
    drop(bot);
    house.world.servers([part(Kind::Postgres, "7002")]);
    let probes = house.world.seen_times("probe long");
    let bot = house.start().await;
    let state = bot.until(hangs, "a person is asked", |state| state.question.is_some()).await;
    assert!(matches!(&state.steps[0].status, Status::Unknown { reason } if reason.contains("not the recorded one")));
    assert_eq!(house.world.seen_times("probe long"), probes, "nobody looks there what became of it");
}
