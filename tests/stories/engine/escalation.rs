//! Rungs of the RTO: who is called when, and that nobody is called in vain.

use std::{path::Path, time::Duration};

use drbot::{
    config::settings::{Priority, Scenario, default_ladder},
    contacts::file,
    escalation::Escalation,
    ids::RunId,
    run::{
        event::{Event, Paged},
        outcome::Outcome,
    },
    runbook::definition::{Command, Recovered},
};

use crate::support::{
    clock::HandClock,
    commands::{StepWords, approved, command, once, read},
    house::{Bot, House, omar},
    scripted::Deed,
};

const MINUTE: Duration = Duration::from_secs(60);

/// An RTO of 30 minutes: rungs after 15, 22½, 27 and 30.
fn house(command: Command, hand: &HandClock) -> House {
    let mut house = House::new([Command { scenario: Some("corruption".to_owned()), ..command }]).on(hand.clock());
    let settings = &mut house.configuration.settings;
    settings.escalation = default_ladder();
    let scenario = Scenario {
        name: "Corruption".to_owned(),
        rto: "30m".parse().unwrap(),
        rpo: "10m".parse().unwrap(),
        priority: Priority::Critical,
        responsible: vec!["DBA".to_owned()],
    };
    settings.scenario.insert("corruption".to_owned(), scenario);
    house
}

async fn with_contacts(house: &House) -> (Bot, Escalation) {
    let bot = house.start().await;
    let text = "Role,Name,Discord\nDBA,Omar,400000000000000002\nLead,Lena,400000000000000003\n";
    bot.0
        .store()
        .replace_contacts(&file::parse(Path::new("x"), text, drbot::clock::Clock::system().now()).unwrap().contacts)
        .await
        .unwrap();
    let escalation = Escalation::start(bot.0.clone(), bot.pager());
    (bot, escalation)
}

/// One that waits for an approval that nobody gives.
fn waiting() -> Command {
    approved(command("go", vec![read("look"), once("act")]), None, "act")
}

async fn pages(bot: &Bot, run: RunId) -> Vec<Paged> {
    let paged = |event: Event| match event {
        Event::Paged(paged) => Some(*paged),
        _ => None,
    };
    bot.journal(run).await.into_iter().filter_map(paged).collect()
}

async fn until_paged(bot: &Bot, run: RunId, percent: u8) -> Vec<Paged> {
    bot.until(run, &format!("the rung at {percent} %"), |state| state.rung_used() == Some(percent)).await;
    pages(bot, run).await
}

fn percents(pages: &[Paged]) -> Vec<u8> {
    pages.iter().map(|paged| paged.percent).collect()
}

fn names(paged: &Paged) -> Vec<&str> {
    paged.called.iter().map(|called| called.name.as_str()).collect()
}

/// Whoever is due is called before this returns: the watch has looked once more.
async fn looked(hand: &HandClock) {
    for _ in 0..2 {
        hand.pass(Duration::from_millis(250)).await;
    }
    hand.is_slept_on(Duration::from_millis(250)).await;
}

#[tokio::test]
async fn each_rung_is_used_at_its_time_and_once() {
    let hand = HandClock::new();
    let house = house(waiting(), &hand);
    let (bot, _escalation) = with_contacts(&house).await;
    let run = bot.run("go").await;
    bot.call_for_approval(run).await;
    hand.advance(15 * MINUTE - Duration::from_secs(1));
    looked(&hand).await;
    assert_eq!(pages(&bot, run).await, []);
    hand.advance(Duration::from_secs(1));
    let first = until_paged(&bot, run, 50).await;
    assert_eq!(names(&first[0]), ["Omar"]);
    looked(&hand).await;
    hand.advance(8 * MINUTE);
    until_paged(&bot, run, 75).await;
    looked(&hand).await;
    hand.advance(5 * MINUTE);
    let third = until_paged(&bot, run, 90).await;
    assert_eq!(names(&third[2]), ["Omar", "Lena"]);
    looked(&hand).await;
    hand.advance(60 * MINUTE);
    until_paged(&bot, run, 100).await;
    looked(&hand).await;
    let all = pages(&bot, run).await;
    assert_eq!(percents(&all), [50, 75, 90, 100]);
    assert!(all.iter().all(|paged| paged.passed_over.is_empty()));
}

#[tokio::test]
async fn after_a_downtime_only_the_highest_rung_is_used_once_and_late() {
    let hand = HandClock::new();
    let house = house(waiting(), &hand);
    let (bot, escalation) = with_contacts(&house).await;
    let run = bot.run("go").await;
    bot.call_for_approval(run).await;
    drop(escalation);
    bot.0.stop().await;
    drop(bot);
    hand.advance(28 * MINUTE);
    for start in 0..2 {
        let (bot, escalation) = with_contacts(&house).await;
        let all = until_paged(&bot, run, 90).await;
        looked(&hand).await;
        assert_eq!(percents(&all), [90], "start {start}");
        assert_eq!(all[0].passed_over, [50, 75]);
        let journal = bot.0.store().journal(run).await.unwrap();
        let entry = journal.iter().find(|entry| matches!(entry.event, Event::Paged(_))).unwrap();
        assert_eq!(entry.at - all[0].due_at, chrono::TimeDelta::minutes(1));
        drop(escalation);
        bot.0.stop().await;
    }
    let (bot, _escalation) = with_contacts(&house).await;
    hand.advance(2 * MINUTE);
    assert_eq!(percents(&until_paged(&bot, run, 100).await), [90, 100]);
}

#[tokio::test]
async fn nobody_is_called_after_the_end_or_once_recovery_is_verified() {
    let hand = HandClock::new();
    let house_of_end = house(waiting(), &hand);
    let (bot, _escalation) = with_contacts(&house_of_end).await;
    let run = bot.run("go").await;
    let token = bot.call_for_approval(run).await;
    bot.0.approve(run, &omar(), &token, None).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    hand.advance(60 * MINUTE);
    looked(&hand).await;
    assert_eq!(pages(&bot, run).await, []);

    let hand = HandClock::new();
    let recovers = Command {
        recovered: Some(Recovered { when: "steps.look.ok".to_owned() }),
        ..command("go", vec![read("look"), once("tidy").within(7200)])
    };
    let house_of_recovery = house(recovers, &hand);
    house_of_recovery.world.tell("do tidy", [Deed::Hang]);
    let (bot, _escalation) = with_contacts(&house_of_recovery).await;
    let run = bot.run("go").await;
    bot.until(run, "recovery is verified", |state| state.recovered_at.is_some()).await;
    house_of_recovery.world.sees("do tidy").await;
    hand.advance(60 * MINUTE);
    looked(&hand).await;
    assert_eq!(pages(&bot, run).await, []);
}

#[tokio::test]
async fn with_nobody_to_reach_the_rung_says_so_and_the_next_is_heard_by_whom_there_is_by_then() {
    let hand = HandClock::new();
    let house = house(waiting(), &hand);
    let bot = house.start().await;
    let _escalation = Escalation::start(bot.0.clone(), bot.pager());
    let run = bot.run("go").await;
    bot.call_for_approval(run).await;
    hand.advance(15 * MINUTE);
    let first = until_paged(&bot, run, 50).await;
    assert_eq!((names(&first[0]), first[0].unreachable.clone()), (vec![], vec!["DBA".to_owned()]));
    let text = "Role,Name,Discord,Primary\nDBA,Omar,,+49 30 1234567\nLead,Lena,400000000000000003,\n";
    bot.0
        .store()
        .replace_contacts(&file::parse(Path::new("x"), text, drbot::clock::Clock::system().now()).unwrap().contacts)
        .await
        .unwrap();
    looked(&hand).await;
    hand.advance(8 * MINUTE);
    // Nobody responsible can be reached at 75 %: so 90 % is used at once.
    let second = until_paged(&bot, run, 90).await;
    assert_eq!((names(&second[1]), second[1].passed_over.clone()), (vec!["Lena"], vec![75]));
    assert_eq!(second[1].unreachable, ["Omar (DBA)"]);
}

#[tokio::test]
async fn a_hundred_runs_that_are_due_at_once_are_all_called_for() {
    let hand = HandClock::new();
    let house = house(waiting(), &hand);
    let (bot, _escalation) = with_contacts(&house).await;
    let mut runs = Vec::new();
    for _ in 0..100 {
        let run = bot.run("go").await;
        bot.call_for_approval(run).await;
        runs.push(run);
    }
    hand.advance(15 * MINUTE);
    for run in runs {
        assert_eq!(percents(&until_paged(&bot, run, 50).await), [50]);
    }
}
