//! Discord's bad days: one story for each fault of the rehearsal.
//!
//! In each a run is under way when the fault comes. It goes on to its end, every effect happens once, all that is to be
//! said is there in order once Discord is back, a new command works, and log and figures say what happened.

mod answers;
mod gateway;
mod places;
mod rest;

use std::time::Duration;

use drbot::{
    clock::Clock,
    progress::words,
    rehearsal::Settings,
    run::{
        delivery::{self, Delivery},
        state::State,
    },
};
use serde_json::{Value, json};

use crate::support::{LIMIT, bot::Bot, drill::Drill, stage::Stage, until};

const EFFECTS: [&str; 3] = ["one", "two", "three"];

/// A stage, a bot on it, and something to act on.
pub struct Day {
    pub stage: Stage,
    pub drill: Drill,
    pub bot: Bot,
}

impl Day {
    pub async fn begins() -> Self {
        Self::begins_with(Settings::strict(Clock::system()), "12").await
    }

    pub async fn begins_with(settings: Settings, pace: &str) -> Self {
        let (stage, drill) = (Stage::open_with(settings).await, Drill::start().await);
        let mut bot = Bot::for_drill(&stage, &drill).with("DRBOT_CHAT_PACE", pace);
        bot.start();
        stage.knows("drill").await;
        Self { stage, drill, bot }
    }

    /// A run waits at the gate, and has a card.
    pub async fn with_a_run(&self) {
        self.stage.person("Dana").types("drill", json!({})).await;
        until("the run at the gate", async || {
            let journal = self.bot.journal("drill").await;
            journal
                .iter()
                .any(|entry| entry.event.kind() == "step-started" && entry.event.step() == Some("gate"))
                .then_some(())
        })
        .await;
        self.stage.shows("drill", "Wait at the gate").await;
    }

    /// The run under way ends, whatever is broken, and does everything once.
    pub async fn the_run_goes_on(&self) -> State {
        self.drill.open_gate();
        let state = self.bot.finished("drill").await;
        assert!(state.finished.as_ref().unwrap().outcome.is_success(), "{:?}", state.finished);
        assert_eq!(self.drill.done(), EFFECTS);
        state
    }

    /// All that the newest run of a command has to say is said: the card shows the end, calls are there once, and the
    /// log is in the run's threads, in order.
    pub async fn all_is_said(&self, command: &str) {
        let journal = self.bot.journal(command).await;
        let state = State::replay(&journal).unwrap();
        let run = state.id.short();
        let told = |entry: &&drbot::run::event::Entry| {
            let action = entry.event.step().and_then(|step| state.step(step)?.action.as_ref());
            delivery::of(&entry.event, action).contains(&Delivery::Thread)
        };
        let lines = journal.iter().filter(told).filter_map(|entry| words::thread_line(entry, &state));
        let expected = lines.map(|post| post.text).collect::<Vec<_>>().join("\n");
        let (clock, begin) = (Clock::system(), Clock::system().monotonic());
        loop {
            let said = self.log_of(&run).await;
            if said == expected {
                break;
            }
            assert!(begin.elapsed() < LIMIT, "the log has\n{said}\nand not\n{expected}\n{}", self.bot.log());
            clock.sleep(Duration::from_millis(50)).await;
        }
        let nothing_waits = async || {
            let store = self.bot.store().await;
            let waiting = store.posts_waiting().await.unwrap();
            store.close().await;
            (waiting == 0).then_some(())
        };
        until("nothing to wait any more", nothing_waits).await;
        let over = || async {
            let cards = self.cards_of(&run).await;
            cards.last().filter(|card| card["embeds"][0].to_string().contains("Done")).map(|_| ())
        };
        until(&format!("the last state on the card of {run}\n{}", self.bot.log()), over).await;
    }

    /// Messages of the bot in the threads of a run, oldest first.
    async fn log_of(&self, run: &str) -> String {
        let state = self.stage.get("state").await;
        let channels = state["channels"].as_array().cloned().unwrap_or_default();
        let threads = channels.iter().filter(|channel| {
            channel["thread_metadata"].is_object() && channel["name"].as_str().is_some_and(|name| name.contains(run))
        });
        let mut messages = Vec::new();
        for thread in threads {
            messages.extend(self.stage.messages(thread["id"].as_str().unwrap(), "Lena").await);
        }
        let id = |message: &Value| message["id"].as_str().and_then(|id| id.parse::<u64>().ok());
        messages.sort_by_key(id);
        let texts = messages.iter().filter_map(|message| message["content"].as_str()).filter(|text| !text.is_empty());
        texts.collect::<Vec<_>>().join("\n")
    }

    /// Every card of a run, wherever it is, oldest first.
    pub async fn cards_of(&self, run: &str) -> Vec<Value> {
        let mut cards = Vec::new();
        for channel in ["incidents", "ops"] {
            let messages = self.stage.messages(channel, "Lena").await;
            cards.extend(messages.into_iter().filter(|message| message["embeds"].to_string().contains(run)));
        }
        cards.sort_by_key(|card| card["id"].as_str().and_then(|id| id.parse::<u64>().ok()));
        cards
    }

    /// How often a text stands in a channel.
    pub async fn count(&self, channel: &str, text: &str) -> usize {
        let messages = self.stage.messages(channel, "Lena").await;
        messages.iter().filter(|message| message["content"].as_str().is_some_and(|said| said.contains(text))).count()
    }

    /// A command that is given now is heard, done once, answered, and shown.
    pub async fn a_new_command_works(&self) {
        let before = self.drill.done().len();
        let said = self.stage.person("Dana").hears("drill", json!({})).await;
        assert!(said.contains("has started"), "{said}");
        self.drill.has_done(before + EFFECTS.len()).await;
        self.bot.finished("drill").await;
        assert_eq!(self.drill.done()[before..], EFFECTS);
        self.all_is_said("drill").await;
    }

    /// Waits until the log has each of these words.
    pub async fn the_log_says(&self, words: &[&str]) {
        for word in words {
            let said = async || self.bot.log().contains(word).then_some(());
            until(&format!("{word:?} in the log\n{}", self.bot.log()), said).await;
        }
    }

    /// A figure's value; 0 while it is not there.
    pub async fn figure(&self, name: &str) -> f64 {
        let figures = self.bot.figures().await;
        let value = figures.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or(0.0)
    }

    /// Waits until the figures have each of these lines.
    pub async fn the_figures_say(&self, lines: &[&str]) {
        let (clock, begin) = (Clock::system(), Clock::system().monotonic());
        loop {
            let figures = self.bot.figures().await;
            let Some(missing) = lines.iter().find(|line| !figures.contains(**line)) else { return };
            assert!(begin.elapsed() < LIMIT, "{missing} is not in\n{figures}\n{}", self.bot.log());
            clock.sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A day of the common kind: a run, the faults, the end of the run, the faults cleared, and all is as it should be.
pub async fn bad_day(faults: &[Value], log: &[&str], figures: &[&str]) -> Day {
    let day = Day::begins().await;
    day.with_a_run().await;
    for fault in faults {
        day.stage.fault(fault.clone()).await;
    }
    day.the_run_goes_on().await;
    day.the_log_says(log).await;
    day.the_figures_say(figures).await;
    day.stage.fault(json!({"kind": "clear"})).await;
    day.all_is_said("drill").await;
    assert_eq!(day.count("incidents", "The drill is under way.").await, 1);
    day.stage.connected().await;
    day.a_new_command_works().await;
    day
}
