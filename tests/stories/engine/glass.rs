//! Break-glass: one person alone, near the deadline or when nobody answers; and the review by somebody else.

use std::time::Duration;

use drbot::{
    access::{self, Refusal},
    config::settings::{DiscordId, Priority, Scenario},
    contacts::Contact,
    engine::{AnswerError, ReviewError},
    ids::RunId,
    run::{
        event::Event,
        glass::{GlassBroken, Grounds},
        notice::Notice,
        outcome::Outcome,
        state::ApprovalState,
    },
    runbook::{
        definition::{Command, Recovered},
        span::Span,
    },
};

use super::faults::in_the_file;
use crate::support::{
    clock::HandClock,
    commands::{approved, command, idempotent, once, read},
    house::{Bot, House, dana, gil, lena, omar},
};

const WHY: &str = "Omar and Lena do not answer, money burns";

/// Approved by a dba; dana is an operator.
fn restore() -> Command {
    let mut restore =
        approved(command("restore", vec![read("verify"), idempotent("restore"), once("swap")]), Some("verify"), "swap");
    restore.steps[1].timeout = Some(Span::from_secs(2000));
    restore.scenario = Some("fire".to_owned());
    restore.recovered = Some(Recovered { when: "steps.swap.ok".to_owned() });
    restore
}

fn house(hand: &HandClock) -> House {
    let mut house = House::new([restore()]).on(hand.clock());
    let settings = &mut house.configuration.settings;
    let fire = Scenario {
        name: "Fire".to_owned(),
        rto: Span::from_secs(400),
        rpo: Span::from_secs(60),
        priority: Priority::High,
        responsible: Vec::new(),
    };
    settings.scenario.insert("fire".to_owned(), fire);
    settings.break_glass.roles = vec!["operator".to_owned()];
    settings.break_glass.near = 50;
    settings.break_glass.page = vec!["Security Team".to_owned(), "Board".to_owned()];
    settings.break_glass.review = vec!["dba".to_owned(), "operator".to_owned()];
    settings.break_glass.review_within = Span::from_secs(1000);
    house
}

async fn with_contacts(bot: &Bot) {
    let lena = Contact {
        role: "Security Team".to_owned(),
        name: "Lena".to_owned(),
        discord: Some(DiscordId(3)),
        primary: None,
        secondary: None,
        emergency: None,
        prefers: Vec::new(),
        verified: None,
    };
    bot.0.store().replace_contacts(&[lena]).await.unwrap();
}

async fn asked(bot: &Bot) -> (RunId, String) {
    let run = bot.run("restore").await;
    (run, bot.call_for_approval(run).await)
}

async fn broken(bot: &Bot, run: RunId) -> GlassBroken {
    let journal = bot.journal(run).await;
    let mut events = journal.into_iter().rev().filter_map(|event| match event {
        Event::GlassBroken(broken) => Some(*broken),
        _ => None,
    });
    events.next().expect("the glass was broken")
}

#[tokio::test]
async fn near_the_deadline_who_asked_for_it_may_go_on_alone() {
    let hand = HandClock::new();
    let house = house(&hand);
    let bot = house.start().await;
    with_contacts(&bot).await;
    let (run, token) = asked(&bot).await;
    let early = bot.0.break_glass(run, &dana(), &token, "restore", WHY).await.unwrap_err();
    let AnswerError::Refused(Refusal::TooEarly { near: 50, from: Some(from) }) = early else { panic!("{early:?}") };
    assert_eq!(from, bot.state(run).await.created_at + Duration::from_secs(200));
    assert!(bot.0.may_break_glass(run, &dana(), &token).await.is_err());
    hand.advance(Duration::from_secs(204));
    assert_eq!(bot.0.may_break_glass(run, &dana(), &token).await.unwrap(), "restore");
    let mut robot = dana();
    robot.is_bot = true;
    for (caller, wanted) in [(omar(), Refusal::Role { roles: vec!["operator".to_owned()] }), (robot, Refusal::Bot)] {
        match bot.0.break_glass(run, &caller, &token, "restore", WHY).await.unwrap_err() {
            AnswerError::Refused(refusal) => assert_eq!(refusal, wanted),
            other => panic!("{other:?}"),
        }
    }
    let wrong = bot.0.break_glass(run, &dana(), &token, "restored", WHY).await.unwrap_err();
    assert!(matches!(wrong, AnswerError::WrongConfirmation { .. }), "{wrong:?}");
    for short in ["", "           money", "fourteen chars"] {
        let refused = bot.0.break_glass(run, &dana(), &token, "restore", short).await.unwrap_err();
        assert!(matches!(refused, AnswerError::ReasonTooShort), "{refused:?}");
    }
    let stale = bot.0.break_glass(run, &dana(), "of yesterday", "restore", WHY).await.unwrap_err();
    assert!(matches!(stale, AnswerError::Stale), "{stale:?}");
    assert_eq!(house.world.times("do swap"), 0);
    bot.0.break_glass(run, &dana(), &token, " restore ", WHY).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(house.world.times("do swap"), 1);
    let broken = broken(&bot, run).await;
    assert_eq!((broken.by.name.as_str(), broken.reason.as_str()), ("Dana", WHY));
    assert_eq!(broken.grounds, Grounds { used: Some(51), unanswered: 0 });
    assert_eq!(broken.called.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Lena"]);
    assert_eq!(broken.unreachable, ["Board"]);
    let waiting = bot.0.store().waiting(run).await.unwrap();
    let journal = bot.0.store().journal(run).await.unwrap();
    let seq = journal.iter().find(|entry| entry.event.kind() == "glass-broken").unwrap().seq;
    assert_eq!(waiting.iter().filter(|row| row.seq == seq).count(), 2, "the channel and the log are told");
}

#[tokio::test]
async fn a_call_that_nobody_answers_is_a_ground_and_a_lockdown_is_stronger() {
    let hand = HandClock::new();
    let house = {
        let mut house = house(&hand);
        house.configuration.settings.break_glass.near = 100;
        house.configuration.settings.lockdown.roles = vec!["operator".to_owned()];
        house
    };
    let bot = house.start().await;
    let (run, token) = asked(&bot).await;
    let expires = bot.state(run).await.approval.asked().unwrap().expires_at;
    let time = drbot::clock::elapsed(bot.state(run).await.last_at, expires);
    hand.advance(time);
    let late = bot.0.break_glass(run, &dana(), &token, "restore", WHY).await.unwrap_err();
    assert!(matches!(late, AnswerError::Expired), "{late:?}");
    bot.until(run, "it has lapsed", |state| matches!(state.approval, ApprovalState::Lapsed { .. })).await;
    bot.0.ask_again(run, &dana()).await.unwrap();
    let token = bot.call_for_approval(run).await;
    bot.0.lock_down(&dana(), "who is that?").await.unwrap();
    let held = bot.0.break_glass(run, &dana(), &token, "restore", WHY).await.unwrap_err();
    assert!(matches!(held, AnswerError::LockedDown(_)), "{held:?}");
    // One that it notices only when it is over would make what is said below void.
    bot.until(run, "it is held", |state| state.held.is_some()).await;
    let keeper = access::keeper(&bot.0.configuration().settings, None, true, "root").unwrap();
    bot.0.lift_lockdown(&keeper, "it was nobody").await.unwrap();
    bot.until(run, "it is let go", |state| state.held.is_none() && state.approval.asked().is_some()).await;
    let token = bot.call_for_approval(run).await;
    bot.0.break_glass(run, &dana(), &token, "restore", WHY).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(broken(&bot, run).await.grounds.unanswered, 1);
}

#[tokio::test]
async fn it_can_be_taken_back_and_denied_until_the_step_begins() {
    let hand = HandClock::new();
    let house = house(&hand);
    house.world.tell("do restore", [crate::support::scripted::Deed::Hold]);
    let bot = house.start().await;
    let (run, token) = asked(&bot).await;
    house.world.sees("do restore").await;
    hand.advance(Duration::from_secs(200));
    bot.0.break_glass(run, &dana(), &token, "restore", WHY).await.unwrap();
    let forced =
        |state: &drbot::run::state::State| matches!(&state.approval, ApprovalState::Given { forced: Some(_), .. });
    assert!(forced(&bot.state(run).await));
    let twice = bot.0.break_glass(run, &dana(), &token, "restore", WHY).await.unwrap_err();
    assert!(matches!(twice, AnswerError::Refused(Refusal::NotOpen { .. })), "{twice:?}");
    assert!(bot.0.withdraw(run, &omar(), &token).await.is_err());
    bot.0.withdraw(run, &dana(), &token).await.unwrap();
    assert!(matches!(bot.state(run).await.approval, ApprovalState::Pending { .. }));
    bot.0.break_glass(run, &dana(), &token, "restore", WHY).await.unwrap();
    bot.0.deny(run, &omar(), &token, "I am here, and no").await.unwrap();
    house.world.let_go("do restore");
    bot.ends(run, Outcome::Refused).await;
    assert_eq!(house.world.times("do swap"), 0);
    assert_eq!(bot.0.store().open_reviews().await.unwrap().len(), 2, "both times are to be looked at");
}

#[tokio::test]
async fn without_a_role_in_the_settings_nobody_may() {
    let hand = HandClock::new();
    let mut house = house(&hand);
    house.configuration.settings.break_glass.roles.clear();
    let bot = house.start().await;
    let (run, token) = asked(&bot).await;
    hand.advance(Duration::from_secs(250));
    let refused = bot.0.break_glass(run, &dana(), &token, "restore", WHY).await.unwrap_err();
    assert!(matches!(refused, AnswerError::Refused(Refusal::NoGlass)), "{refused:?}");
}

#[tokio::test]
async fn somebody_else_reviews_it_and_is_reminded_until_then() {
    let hand = HandClock::new();
    let house = house(&hand);
    let bot = house.start().await;
    with_contacts(&bot).await;
    assert!(matches!(bot.0.review_named(None, &omar(), "fine").await, Err(ReviewError::Nothing)));
    let (run, token) = asked(&bot).await;
    hand.advance(Duration::from_secs(200));
    bot.0.break_glass(run, &dana(), &token, "restore", WHY).await.unwrap();
    bot.ends(run, Outcome::Succeeded).await;
    assert!(matches!(bot.0.review(run, &dana(), "all fine").await, Err(ReviewError::Refused(Refusal::OwnReview))));
    assert!(matches!(bot.0.review(run, &gil(), "all fine").await, Err(ReviewError::Refused(Refusal::Role { .. }))));
    assert!(matches!(bot.0.review(run, &omar(), "  ").await, Err(ReviewError::NoteNeeded)));
    let notices = async || {
        let waiting = bot.0.store().waiting_notices().await.unwrap();
        waiting.into_iter().map(|waiting| waiting.notice).collect::<Vec<_>>()
    };
    bot.0.remind_of_reviews().await.unwrap();
    assert_eq!(notices().await, [], "it is not due yet");
    hand.advance(Duration::from_secs(1000));
    for _ in 0..3 {
        bot.0.remind_of_reviews().await.unwrap();
    }
    let told = notices().await;
    let [Notice::ReviewOverdue { called, breaker, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((called.len(), breaker.as_str()), (1, "Dana"), "once each time");
    hand.advance(Duration::from_secs(1000));
    bot.0.remind_of_reviews().await.unwrap();
    assert_eq!(notices().await.len(), 2);
    bot.0.review_named(Some(&run.short()), &lena(), "it was right; two more dbas are on call now").await.unwrap();
    assert!(matches!(notices().await.last(), Some(Notice::Reviewed { by, .. }) if by == "Lena"));
    match bot.0.review(run, &omar(), "again").await {
        Err(ReviewError::Done { by, .. }) => assert_eq!(by, "Lena"),
        other => panic!("{other:?}"),
    }
    hand.advance(Duration::from_secs(5000));
    bot.0.remind_of_reviews().await.unwrap();
    assert_eq!(notices().await.len(), 3, "what is reviewed is not told of again");
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_silences_no_review() {
    let hand = HandClock::new();
    let house = house(&hand);
    let bot = house.start().await;
    with_contacts(&bot).await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (run, token) = asked(&bot).await;
        hand.advance(Duration::from_secs(200));
        bot.0.break_glass(run, &dana(), &token, "restore", WHY).await.unwrap();
        bot.ends(run, Outcome::Succeeded).await;
        runs.push(run);
    }
    in_the_file(
        house.folder.path(),
        &format!("UPDATE journal SET event = '{{}}' WHERE run = '{}' AND seq = 2", runs[0]),
    )
    .await;
    hand.advance(Duration::from_secs(2000));
    let notices = bot.0.notices();
    bot.0.remind_of_reviews().await.unwrap();
    assert!(notices.has_changed().unwrap(), "the channel is told at once");
    let told = bot.0.store().waiting_notices().await.unwrap();
    let told: Vec<_> = told
        .into_iter()
        .filter_map(|waiting| match waiting.notice {
            Notice::ReviewOverdue { run, called, .. } => Some((run, called.len())),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(runs[0], 0), (runs[1], 1)]);
    bot.0.remind_of_reviews().await.unwrap();
    assert_eq!(bot.0.store().waiting_notices().await.unwrap().len(), told.len(), "once each time");
}
