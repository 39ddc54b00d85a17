//! What `drbot plan` shows is what the approver will see; and looking at it does nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use drbot::{
    engine::{Engine, Request},
    progress::{outside, plan, view, words},
    run::{outcome::Outcome, preview::Probed},
    runbook::{
        action::{Action, Http},
        definition::{ChoicesFrom, Command, OptionSpec, Step, ValueType},
    },
    store::Store,
};
use serde_json::json;

use crate::support::{
    commands::{StepWords, approved, command, once, read},
    house::{House, dana, omar},
    scripted::Deed,
};

const HOSTILE: &str = "\u{1b}[2J@everyone\n  3. Nothing at all  [safe]\u{202e}`**\u{9b}31m";

fn look(id: &str) -> Step {
    let get = Http { get: Some("http://x/{{ options.why }}".to_owned()), ..Http::default() };
    Step { action: Action::Http(get), expect: Some("exit_code == 0".to_owned()), ..read(id) }
}

fn swap() -> Command {
    let steps = vec![look("look").gives("rows", ValueType::Integer), once("prepare"), once("swap"), look("after")];
    let mut made = approved(command("swap", steps), Some("prepare"), "swap");
    let approval = made.approval.as_mut().unwrap();
    approval.cost = Some("{{ steps.look.rows | count }} rows go, because {{ options.why }}".to_owned());
    approval.confirm = Some("swap {{ options.why }}".to_owned());
    made.lock = Some("lock of {{ options.why }}".to_owned());
    let why = OptionSpec {
        kind: ValueType::String,
        help: "Why".to_owned(),
        required: false,
        choices: Vec::new(),
        choices_from: None::<ChoicesFrom>,
        default: Some("no reason".to_owned()),
    };
    made.options.insert("why".to_owned(), why);
    made
}

async fn looker(house: &House, store: Store) -> Engine {
    let world = Arc::new(house.world.clone());
    Engine::to_look(house.configuration.clone(), store, world, house.secrets.clone(), house.clock.clone())
}

fn options(why: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("why".to_owned(), why.to_owned())])
}

#[tokio::test]
async fn the_plan_says_what_the_approver_reads() {
    for why in ["it is broken", HOSTILE] {
        let house = House::new([swap()]);
        let found = Deed::Succeed(json!({ "rows": 1234 }));
        house.world.tell("http look", [found.clone(), found]);
        let store = Store::in_memory().await.unwrap();
        let engine = looker(&house, store.clone()).await;
        let preview = engine.preview(&swap(), options(why), true).await.unwrap();
        assert_eq!(preview.probes, BTreeMap::from([("look".to_owned(), Probed::Found("done".to_owned()))]));
        assert_eq!(house.world.seen_times("http after"), 0);
        assert_eq!(house.world.seen_times("do prepare") + house.world.seen_times("prepare prepare"), 0);
        assert!(store.runs(10).await.unwrap().is_empty());

        let bot = house.start().await;
        let request =
            Request { key: "1".to_owned(), command: "swap".to_owned(), options: options(why), caller: dana() };
        let run = match bot.0.submit(request).await.unwrap() {
            drbot::engine::Submitted::Started(run) => run,
            other => panic!("{other:?}"),
        };
        let token = bot.call_for_approval(run).await;
        let state = bot.state(run).await;
        let (real, seen) = (state.approval.asked().unwrap(), preview.asked.as_ref().unwrap());
        assert_eq!((&real.cost, &real.confirm, &real.plan), (&seen.cost, &seen.confirm, &seen.plan));
        assert!(real.cost.as_ref().unwrap().starts_with("1,234 rows go"));
        // The very words, but for who asks, which run, and how long ago.
        let real_call = words::approval_call("@dba", &state, real, "").replace("Dana", "whoever asks for it");
        assert_eq!(real_call, words::approval_call("@dba", &preview.state, seen, ""));
        let real_plan = words::plan(&state).replace(&real.plan_hash[..12], &seen.plan_hash[..12]);
        assert_eq!(real_plan, words::plan(&preview.state));
        let field = |state| words::approval(&view::of(state, state.last_at, None).approval).unwrap();
        assert_eq!(field(&state).split("Expires").next(), field(&preview.state).split("Expires").next());

        let text = plan::text(&preview);
        for said in ["1,234 rows go", "/swap", "• swap", "operator", "waits here for the approval by dba"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        let steps = text.lines().filter(|line| line.trim_start().starts_with("3. ")).count();
        assert_eq!(steps, 1, "an option cannot forge a step: {text}");
        let json = outside::harmless_json(&serde_json::to_string(&plan::json(&preview)).unwrap());
        for shown in [&text, &json] {
            let bad = |letter: char| (letter.is_control() && letter != '\n') || outside::is_unseen(letter);
            assert!(!shown.contains(bad), "{shown:?}");
        }
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["options"]["why"], why);
        bot.0.approve(run, &omar(), &token, real.confirm.as_deref()).await.unwrap();
        bot.ends(run, Outcome::Succeeded).await;
    }
}

#[tokio::test]
async fn without_probes_nothing_is_asked_and_what_is_known_later_says_so() {
    let house = House::new([swap()]);
    let engine = looker(&house, Store::in_memory().await.unwrap()).await;
    let preview = engine.preview(&swap(), BTreeMap::new(), false).await.unwrap();
    assert!(preview.probes.is_empty() && house.world.ledger().is_empty());
    assert_eq!(house.world.seen_times("http look"), 0);
    let asked = preview.asked.as_ref().unwrap();
    assert_eq!(asked.cost.as_deref(), Some("⟨steps.look.rows: known later⟩ rows go, because no reason"));
    assert_eq!(asked.confirm.as_deref(), Some("swap no reason"));
    assert_eq!(preview.lock.as_deref(), Some("lock of no reason"));
    let again = engine.preview(&swap(), BTreeMap::new(), false).await.unwrap();
    assert_eq!(again.plan.hash(), preview.plan.hash());
    let other = engine.preview(&swap(), options("x"), false).await.unwrap();
    assert_ne!(other.plan.hash(), preview.plan.hash());
    let refused = engine.preview(&swap(), BTreeMap::from([("hwy".to_owned(), String::new())]), false).await;
    assert!(refused.unwrap_err().to_string().contains("hwy"));
}

#[tokio::test]
async fn a_probe_that_fails_or_hangs_is_said_and_holds_nothing_up() {
    let house = House::new([]);
    house.world.tell("http a", [Deed::Fail("nobody is there")]).tell("http b", [Deed::Hang]);
    let steps = vec![look("a"), look("b").change(|step| step.timeout = Some("50ms".parse().unwrap())), read("c")];
    let mut looks = command("looks", steps);
    looks.options = swap().options;
    let engine = looker(&house, Store::in_memory().await.unwrap()).await;
    let preview = engine.preview(&looks, BTreeMap::new(), true).await.unwrap();
    assert_eq!(preview.probes["a"], Probed::Failed("nobody is there".to_owned()));
    assert!(matches!(&preview.probes["b"], Probed::Failed(why) if why.contains("no answer")));
    assert!(matches!(&preview.probes["c"], Probed::NotAsked(_)), "a program may do anything");
    assert_eq!(house.world.ledger(), Vec::<String>::new());
    assert!(plan::text(&preview).contains("No approval is needed."));
}

#[tokio::test]
async fn figures_are_of_runs_that_succeeded() {
    let house = House::new([command("walk", vec![read("a")])]);
    let bot = house.start().await;
    house.world.tell("do a", [Deed::Succeed(json!({})), Deed::Fail("no"), Deed::Succeed(json!({}))]);
    for outcome in [Outcome::Succeeded, Outcome::Failed, Outcome::Succeeded] {
        let run = bot.run("walk").await;
        bot.ends(run, outcome).await;
    }
    let walk = &house.configuration.commands["walk"];
    let engine = looker(&house, Store::open_to_read(house.folder.path()).await.unwrap()).await;
    let history = engine.history(walk).await.unwrap();
    assert_eq!(history.runs, 2);
    assert!(history.whole.unwrap().p90 < Duration::from_secs(20) && history.steps.contains_key("a"));
    let nothing = looker(&house, Store::in_memory().await.unwrap()).await.history(walk).await.unwrap();
    let mut preview = engine.preview(walk, BTreeMap::new(), false).await.unwrap();
    preview.history = Some(nothing);
    assert!(plan::text(&preview).contains("no history yet"));
    preview.history = Some(history);
    assert!(plan::text(&preview).contains("by 2 runs") && plan::text(&preview).contains("took "));
}
