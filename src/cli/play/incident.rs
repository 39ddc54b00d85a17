//! Plays of incidents: an alert opens one without anybody typing; and what happens when nobody answers.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Play, Stage, break_range, heading};
use crate::{
    alerts::{
        alert::{Alert, Status},
        receiver::Delivery,
    },
    cli::{Common, bot::Bot},
    clock::Clock,
    ids::{IncidentId, RunId},
    incident::{event::Event, state::State},
    progress::{outside::readable, text, words},
    runbook::span::Span,
};

/// How long an alert may take from the broken database to the post.
const DETECTED_WITHIN: Duration = Duration::from_secs(120);
/// In the play in which nobody answers, recovery may take no longer.
const SHORT: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(200);

/// Plays it to its end; whether it went as it should.
pub(super) async fn perform(play: Play, stage: &Stage, bot: &Bot, common: &Common, clock: &Clock) -> Result<bool> {
    let mut teller = Teller::new(clock);
    match play {
        Play::NobodyAnswers => nobody_answers(stage, bot, &mut teller).await,
        _ => database_down(stage, bot, common, &mut teller).await,
    }
}

async fn database_down(stage: &Stage, bot: &Bot, common: &Common, teller: &mut Teller<'_>) -> Result<bool> {
    heading("The database's container is killed. Nobody types anything");
    break_range(common, "container-killed").await?;
    let opened = teller.clock.timeout(DETECTED_WITHIN, opened(bot, teller.clock)).await;
    let id =
        opened.context("no alert came: is the range up with its monitoring, and does it post to [web] listen?")?.id;
    teller.tell(bot, id).await?;
    heading("Omar (DBA) presses Acknowledge");
    let post = stage.post_of(bot, id).await?;
    stage.press(&post, "Omar", "Acknowledge").await?;
    teller.tell(bot, id).await?;
    heading("Dana (on call) presses the command that fits");
    let post = stage.post_of(bot, id).await?;
    let label = button(&post, "/").context("the post offers no command")?;
    println!("{label}");
    stage.press(&post, "Dana", &label).await?;
    let run = joined(bot, id, teller.clock).await?;
    let state = stage.to_the_end(bot, run).await?;
    super::report(&state);
    for _ in 0..50 {
        if bot.engine.incident(id).await?.is_some_and(|state| state.recovered.is_some()) {
            break;
        }
        teller.clock.sleep(LOOK).await;
    }
    teller.tell(bot, id).await?;
    let recovered = bot.engine.incident(id).await?.is_some_and(|state| state.recovered.is_some());
    if recovered {
        heading("Recovered. Omar closes the incident");
        let post = stage.post_of(bot, id).await?;
        stage.press(&post, "Omar", "Close").await?;
        teller.tell(bot, id).await?;
        heading("The post-mortem is a draft away: /postmortem, or `drbot postmortem`. Its picture is in the thread");
    }
    Ok(recovered)
}

async fn nobody_answers(stage: &Stage, bot: &Bot, teller: &mut Teller<'_>) -> Result<bool> {
    heading(&format!("An alert comes, recovery may take {}, and everybody is asleep", words::duration(SHORT)));
    let mut configuration = (*bot.engine.configuration()).clone();
    let scenario = configuration.settings.scenario.get_mut("database-corruption");
    scenario.context("drbot.toml has no scenario database-corruption")?.rto = Span(SHORT);
    bot.engine.reconfigure(configuration);
    let now = teller.clock.now();
    let alert = Alert {
        source: "generic".to_owned(),
        fingerprint: format!("play-{}", now.timestamp_micros()),
        name: "DatabaseDown".to_owned(),
        status: Status::Firing,
        starts_at: now,
        ends_at: None,
        labels: [("scenario".to_owned(), "database-corruption".to_owned())].into(),
        summary: "a play: the database does not answer".to_owned(),
        description: String::new(),
        url: String::new(),
        scenario: None,
        target: None,
    };
    bot.engine.alerted(Delivery { alerts: vec![alert], signature: None }).await?;
    let id =
        teller.clock.timeout(DETECTED_WITHIN, opened(bot, teller.clock)).await.context("no incident was opened")?.id;
    loop {
        let state = teller.tell(bot, id).await?;
        if state.deadline.breached_at.is_some() {
            heading("The deadline is missed. Omar wakes up, and closes the play");
            bot.engine.close_incident(id, &stage.caller(bot, "Omar"), Some("a play")).await?;
            teller.tell(bot, id).await?;
            return Ok(true);
        }
        teller.clock.sleep(LOOK).await;
    }
}

/// The incident that is open, once one is.
async fn opened(bot: &Bot, clock: &Clock) -> State {
    loop {
        if let Some(state) = bot.engine.open_incidents().await.into_iter().next() {
            return state;
        }
        clock.sleep(LOOK).await;
    }
}

async fn joined(bot: &Bot, id: IncidentId, clock: &Clock) -> Result<RunId> {
    for _ in 0..100 {
        let state = bot.engine.incident(id).await?.context("the incident is gone")?;
        if let Some(joined) = state.runs.last() {
            return Ok(joined.run);
        }
        clock.sleep(LOOK).await;
    }
    bail!("the command was not taken")
}

/// The label of the first button that begins like this.
fn button(post: &Value, begins: &str) -> Option<String> {
    let rows = post["components"].as_array()?.iter();
    let buttons = rows.flat_map(|row| row["components"].as_array().into_iter().flatten());
    buttons.filter_map(|button| button["label"].as_str()).find(|label| label.starts_with(begins)).map(str::to_owned)
}

impl Stage {
    /// The incident's post, once Discord has it.
    async fn post_of(&self, bot: &Bot, id: IncidentId) -> Result<Value> {
        for _ in 0..100 {
            if let Some(place) = bot.engine.store().incident_post(id).await? {
                let messages = self.get(&format!("messages?channel={}&person=Omar", place.channel)).await?;
                let all = messages.as_array().into_iter().flatten();
                let found = all.into_iter().find(|message| message["id"] == json!(place.message.to_string()));
                if let Some(post) = found.filter(|_| place.thread.is_some()) {
                    return Ok(post.clone());
                }
            }
            self.clock.sleep(LOOK).await;
        }
        bail!("the incident was not posted")
    }

    async fn press(&self, message: &Value, person: &str, label: &str) -> Result<()> {
        self.post("click", json!({ "person": person, "message": message["id"], "label": label })).await?;
        Ok(())
    }
}

/// Prints the timeline as it grows.
struct Teller<'a> {
    clock: &'a Clock,
    told: u64,
}

impl<'a> Teller<'a> {
    fn new(clock: &'a Clock) -> Self {
        Self { clock, told: 0 }
    }

    async fn tell(&mut self, bot: &Bot, id: IncidentId) -> Result<State> {
        let state = bot.engine.incident(id).await?.context("the incident is gone")?;
        for entry in bot.engine.store().incident_journal(id).await? {
            if entry.seq <= self.told {
                continue;
            }
            self.told = entry.seq;
            if let Event::Opened(opened) = &entry.event {
                let late = crate::clock::elapsed(opened.detected.at, entry.at);
                println!("  {} (opened {} after the alert began)", words::incident_name(&state), words::duration(late));
            }
            if let Some(line) = words::incident_line(&entry, &state, self.clock.now()) {
                for (number, line) in text::moments(&named(&entry.event, &line.text)).lines().enumerate() {
                    let indent = if number == 0 { "  " } else { "           " };
                    println!("{indent}{}", readable(&line.replace("**", "")));
                }
            }
        }
        Ok(state)
    }
}

/// A terminal knows no mentions.
fn named(event: &Event, text: &str) -> String {
    let called = match event {
        Event::Paged(paged) => paged.called.as_slice(),
        _ => &[],
    };
    called
        .iter()
        .fold(text.to_owned(), |text, one| text.replace(&format!("<@{}>", one.user), &format!("@{}", one.name)))
}
