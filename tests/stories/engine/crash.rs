//! drbot goes away at every instant, comes back, and nothing of effect once is done twice.

use std::time::Duration;

use drbot::{
    ids::RunId,
    run::{
        event::{Choice, Entry, Event},
        outcome::Outcome,
        state::{ApprovalState, State, Status},
    },
    runbook::definition::Command,
    store::journal::{Creation, Ownership},
};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::support::{
    clock::HandClock,
    commands::{StepWords, approved, command, idempotent, once, parallel, read},
    house::{Bot, House, dana, omar},
    scripted::Deed,
};

/// Every kind of step, and an approval that is asked for early.
fn recover() -> Command {
    let steps = vec![
        read("look"),
        parallel("probes", vec![read("one"), read("two")]),
        idempotent("restore").half_undoable(),
        once("swap"),
        once("start").checked(Some("there")),
        read("healthy"),
    ];
    approved(command("recover", steps), Some("look"), "swap").tap(|command| {
        command.lock = Some("database".to_owned());
    })
}

trait Tap: Sized {
    fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Tap for Command {}

fn house() -> House {
    let house = House::new([recover()]);
    // Only its check tells of this one.
    house.world.opaque("start");
    house
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Approves what is asked, until the run has ended.
async fn attend(bot: &Bot, run: RunId) -> State {
    loop {
        let pending = |state: &State| matches!(state.approval, ApprovalState::Pending { .. });
        let moved = |state: &State| state.finished.is_some() || state.question.is_some() || pending(state);
        let state = bot.until(run, "the run wants something or ends", moved).await;
        assert!(state.question.is_none(), "nobody should be asked: {:?}", state.question);
        if state.finished.is_some() {
            return state;
        }
        if let Some(asked) = state.approval.asked() {
            let _ = bot.0.approve(run, &omar(), &asked.token, None).await;
        }
    }
}

fn judge(house: &House, state: &State, what: &str) {
    let outcome = state.finished.as_ref().unwrap();
    assert_eq!(outcome.outcome, Outcome::Succeeded, "{what}: {}", outcome.message);
    for step in ["swap", "start"] {
        assert_eq!(house.world.times(&format!("do {step}")), 1, "{what}: {:?}", house.world.ledger());
    }
    assert!(house.world.times("do restore") >= 1 && house.world.times("undo restore") == 0, "{what}");
}

/// A drbot that is killed when the world has seen so many moments. `None`: the run ended before.
fn life_until(house: &House, moments: usize, run: Option<RunId>) -> (RunId, bool) {
    house.world.freeze_in(Some(moments));
    let runtime = runtime();
    let (run, killed) = runtime.block_on(async {
        let bot = house.start().await;
        let run = match run {
            Some(run) => run,
            None => bot.run("recover").await,
        };
        tokio::select! {
            () = house.world.is_frozen() => (run, true),
            _ = attend(&bot, run) => (run, false),
        }
    });
    runtime.shutdown_background();
    house.world.freeze_in(None);
    (run, killed)
}

fn last_life(house: &House, run: RunId) -> State {
    runtime().block_on(async {
        let bot = house.start().await;
        attend(&bot, run).await
    })
}

#[test]
fn killed_at_any_moment_it_comes_to_the_same_end() {
    let mut kills = 0;
    for moments in 0.. {
        let house = house();
        let (run, killed) = life_until(&house, moments, None);
        if !killed {
            break;
        }
        kills += 1;
        judge(&house, &last_life(&house, run), &format!("killed after {moments} moments"));
    }
    assert!(kills >= 15, "only {kills} moments");
}

#[test]
fn killed_again_while_it_recovers_it_comes_to_the_same_end() {
    for first in (0..16).step_by(2) {
        for second in 0..3 {
            let house = house();
            let (run, _) = life_until(&house, first, None);
            let (run, _) = life_until(&house, second, Some(run));
            judge(&house, &last_life(&house, run), &format!("killed after {first}, then after {second}"));
        }
    }
}

/// The store and the world as a drbot leaves them that is killed when this much of the journal is durable.
async fn left_behind(journal: &[Entry], last_happened: bool) -> House {
    let house = house();
    let store = house.store().await;
    let ownership = Ownership { owner: "the drbot before".to_owned(), generation: 1 };
    let (first, rest) = journal.split_first().unwrap();
    let Event::RunCreated(created) = &first.event else { panic!("{first:?}") };
    let made = store.create_run(first.run, "request", (**created).clone(), &ownership, first.at).await.unwrap();
    assert_eq!(made, Creation::Created(first.clone()));
    for entry in rest {
        store.append(entry, &ownership, &[]).await.unwrap();
    }
    let state = State::replay(journal).unwrap();
    for step in &state.steps {
        let there = step.status == Status::Succeeded || (step.status == Status::Running && last_happened);
        if there {
            house.world.put(&first.run.short(), &step.definition.id, step.attempts);
        }
    }
    house
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_every_prefix_of_the_journal_it_comes_to_the_same_end() {
    let whole = house();
    let bot = whole.start().await;
    let run = bot.run("recover").await;
    attend(&bot, run).await;
    let journal = bot.0.store().journal(run).await.unwrap();
    assert!(journal.len() > 14, "{journal:?}");
    for cut in 1..journal.len() {
        for last_happened in [false, true] {
            let house = left_behind(&journal[..cut], last_happened).await;
            let bot = house.start().await;
            let state = attend(&bot, run).await;
            judge(&house, &state, &format!("cut after {:?}, {last_happened}", journal[cut - 1].event.kind()));
        }
    }
}

#[tokio::test]
async fn every_prefix_of_an_undo_comes_to_its_end() {
    let make = || {
        let steps = vec![idempotent("a").undoable(), once("b").undoable(), read("c")];
        let house = House::new([command("go", steps)]);
        house.world.tell("do c", [Deed::Hang]);
        house
    };
    let whole = make();
    let bot = whole.start().await;
    let run = bot.run("go").await;
    whole.world.sees("do c").await;
    bot.0.stop_run(run, &dana(), None).await.unwrap();
    bot.ends(run, Outcome::Aborted).await;
    let journal = bot.0.store().journal(run).await.unwrap();
    let stopped = journal.iter().position(|entry| matches!(entry.event, Event::CancelAsked { .. })).unwrap();
    for cut in stopped + 1..journal.len() {
        let house = left_behind(&journal[..cut], true).await;
        let bot = house.start().await;
        let state = bot.ends(run, Outcome::Aborted).await;
        assert_eq!(house.world.times("do b"), 1, "nothing goes forward");
        assert_eq!(house.world.seen_times("do c"), 0);
        let undone = |id: &str| matches!(state.step(id).unwrap().undo, drbot::run::state::Undo::Done { .. });
        assert!(undone("a") && undone("b"));
    }
}

#[tokio::test]
async fn a_shutdown_parks_the_step_and_the_next_start_goes_on() {
    let hand = HandClock::new();
    for step in [once("a"), idempotent("a"), read("a")] {
        let house = House::new([command("go", vec![step, read("b")])]).on(hand.clock());
        house.world.tell("do a", [Deed::Hang]);
        let bot = house.start().await;
        let run = bot.run("go").await;
        house.world.sees("do a").await;
        let stopping = tokio::spawn(async move { bot.0.stop().await });
        hand.pass(Duration::from_secs(8)).await;
        stopping.await.unwrap();
        assert_eq!(house.world.seen_times("stopped a"), 1, "nothing goes on behind its back");
        let bot = house.start().await;
        bot.ends(run, Outcome::Succeeded).await;
        let kinds = bot.kinds(run).await;
        assert!(kinds[1..].starts_with(&[
            "step-started a".to_owned(),
            "step-interrupted a".to_owned(),
            "step-not-done a".to_owned(),
            "step-started a".to_owned(),
            "step-succeeded a".to_owned(),
        ]));
    }
}

#[tokio::test]
async fn a_step_that_ends_in_time_is_not_parked() {
    let house = House::new([command("go", vec![once("a"), once("b")])]);
    house.world.tell("do a", [Deed::Hold]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    house.world.sees("do a").await;
    let stopping = tokio::spawn({
        let bot = bot.clone();
        async move { bot.0.stop().await }
    });
    bot.ask_until_stopping().await;
    house.world.let_go("do a");
    stopping.await.unwrap();
    assert_eq!(bot.kinds(run).await.last().unwrap(), "step-succeeded a");
    assert_eq!(house.world.seen_times("prepare b"), 0, "nothing new begins");
    drop(bot);
    let bot = house.start().await;
    bot.ends(run, Outcome::Succeeded).await;
    assert_eq!(house.world.ledger(), ["do a", "do b"]);
}

impl Bot {
    async fn ask_until_stopping(&self) {
        while !matches!(self.ask(&dana(), "no command", "x").await, Err(drbot::engine::RequestError::Stopping)) {
            tokio::task::yield_now().await;
        }
    }
}

/// A once step that was under way when drbot was stopped.
async fn parked(house: &House, hand: &HandClock) -> RunId {
    house.world.tell("do a", [Deed::Hang]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    house.world.sees("do a").await;
    let stopping = tokio::spawn(async move { bot.0.stop().await });
    hand.pass(Duration::from_secs(8)).await;
    stopping.await.unwrap();
    run
}

#[tokio::test]
async fn a_probe_that_hangs_holds_the_run_no_longer_than_its_step_may() {
    let hand = HandClock::new();
    let house = House::new([command("go", vec![once("a").within(30)])]).on(hand.clock());
    let run = parked(&house, &hand).await;
    house.world.tell("probe a", [Deed::HangDeaf]);
    let bot = house.start().await;
    hand.pass(Duration::from_secs(30)).await;
    hand.pass(Duration::from_secs(15)).await;
    bot.answers(run, Choice::Happened).await;
    bot.ends(run, Outcome::Succeeded).await;
}

#[tokio::test]
async fn a_probe_that_hangs_can_be_stopped() {
    let hand = HandClock::new();
    let house = House::new([command("go", vec![once("a")])]).on(hand.clock());
    let run = parked(&house, &hand).await;
    house.world.tell("probe a", [Deed::Hang]);
    let bot = house.start().await;
    house.world.sees("probe a").await;
    bot.0.stop_run(run, &dana(), None).await.unwrap();
    let state = bot.ends(run, Outcome::Aborted).await;
    assert!(state.finished.unwrap().message.contains("Nobody knows whether \"a\" happened"));
}

#[tokio::test]
async fn a_shutdown_while_it_finds_out_leaves_it_to_the_next_start() {
    let hand = HandClock::new();
    let house = House::new([command("go", vec![once("a")])]).on(hand.clock());
    let run = parked(&house, &hand).await;
    house.world.tell("probe a", [Deed::Hang, Deed::Succeed(json!({ "found": true }))]);
    let bot = house.start().await;
    house.world.sees("probe a").await;
    let stopping = tokio::spawn(async move { bot.0.stop().await });
    hand.pass(Duration::from_secs(8)).await;
    stopping.await.unwrap();
    let bot = house.start().await;
    let state = bot.ends(run, Outcome::Succeeded).await;
    assert_eq!((state.steps[0].attempts, house.world.seen_times("do a")), (1, 1));
}

#[tokio::test]
async fn an_approval_that_expired_while_drbot_was_away_has_expired() {
    let hand = HandClock::new();
    let house = House::new([approved(command("go", vec![once("a")]), None, "a")]).on(hand.clock());
    let bot = house.start().await;
    let run = bot.run("go").await;
    let token = bot.call_for_approval(run).await;
    bot.0.stop().await;
    drop(bot);
    hand.advance(Duration::from_secs(3600));
    let bot = house.start().await;
    assert!(bot.0.approve(run, &omar(), &token, None).await.is_err());
    bot.until(run, "it has lapsed", |state| matches!(state.approval, ApprovalState::Lapsed { .. })).await;
    assert_eq!(house.world.seen_times("do a"), 0);
}

#[tokio::test]
async fn a_target_that_is_not_understood_any_more_ends_the_run_and_does_not_turn_for_ever() {
    let house = House::new([command("go", vec![once("a")])]);
    let bot = house.start().await;
    let run = bot.run("go").await;
    bot.ends(run, Outcome::Succeeded).await;
    let mut journal = bot.0.store().journal(run).await.unwrap();
    let Event::RunCreated(created) = &mut journal[0].event else { panic!() };
    created.target = json!({ "of_another": "release" });
    let house = left_behind(&journal[..2], false).await;
    let bot = house.start().await;
    bot.answers(run, Choice::DidNotHappen).await;
    let state = bot.ends(run, Outcome::Refused).await;
    assert!(state.finished.unwrap().message.contains("is not understood"));
    assert_eq!(house.world.seen_times("do a"), 0);
}
