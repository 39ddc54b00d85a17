//! Plays a disaster on the range: breaks it, types the command as the on-call engineer, approves as another person, and
//! shows the card as it changes. People act through the rehearsal's control API, so the bot sees nothing but Discord.

mod incident;

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::{Common, bot::Bot};
use crate::{
    access::Caller,
    clock::{Clock, elapsed},
    config::settings::DiscordId,
    engine::Snapshot,
    ids::RunId,
    progress::{text, view, words},
    run::{
        event::Person,
        state::{ApprovalState, State},
    },
};

/// How long a play may take altogether.
const LIMIT: Duration = Duration::from_secs(20 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Play {
    /// Rows of the trading database are damaged; /restore-db brings them back.
    DatabaseCorruption,
    /// Every container is killed; /recover brings them up again.
    CompleteFailure,
    /// A version of the trading bot is deployed that leaks and loses trades; /rollback goes back to the last good one.
    ApplicationBug,
    /// The trading bot is cut off from its provider's network; /failover goes to another.
    NetworkPartition,
    /// The trading bot's provider is gone; /failover goes to another.
    ApiOutage,
    /// The database's container is killed: Prometheus, Alertmanager, an incident, people, recovery, post-mortem.
    DatabaseDown,
    /// An alert comes, and nobody answers: the ladders climb, with time compressed.
    NobodyAnswers,
}

impl Play {
    /// What happened, in a heading.
    fn disaster(self) -> &'static str {
        match self {
            Self::DatabaseCorruption => "The database is damaged",
            Self::CompleteFailure => "Everything is down",
            Self::ApplicationBug => "A version with a bug is deployed",
            Self::NetworkPartition => "The way to the provider is cut",
            Self::ApiOutage => "The provider is gone",
            Self::DatabaseDown => "The database's container is killed",
            Self::NobodyAnswers => "Nobody answers",
        }
    }

    /// How `range/break` calls it.
    fn verb(self) -> &'static str {
        match self {
            Self::DatabaseCorruption => "rows-damaged",
            Self::CompleteFailure => "complete-failure",
            Self::ApplicationBug => "bad-version",
            Self::NetworkPartition => "network-partition",
            Self::ApiOutage => "api-outage",
            Self::DatabaseDown | Self::NobodyAnswers => "container-killed",
        }
    }

    /// The command that recovers from it.
    fn command(self) -> &'static str {
        match self {
            Self::DatabaseCorruption | Self::DatabaseDown | Self::NobodyAnswers => "restore-db",
            Self::CompleteFailure => "recover",
            Self::ApplicationBug => "rollback",
            Self::NetworkPartition | Self::ApiOutage => "failover",
        }
    }
}

/// Plays it to its end; whether the recovery succeeded.
pub(super) async fn perform(play: Play, bot: &Bot, common: &Common, url: &str, clock: &Clock) -> Result<bool> {
    let command = play.command();
    let stage = Stage { http: reqwest::Client::new(), url: url.to_owned(), clock: clock.clone() };
    stage.wait_for(command).await?;
    if matches!(play, Play::DatabaseDown | Play::NobodyAnswers) {
        return clock
            .timeout(LIMIT, incident::perform(play, &stage, bot, common, clock))
            .await
            .context("the play took over 20 minutes")?;
    }
    if play == Play::ApplicationBug {
        heading("What runs is healthy for a while, so that there is a version to go back to");
        stage.sees_a_good_version(bot).await?;
    }
    heading(play.disaster());
    break_range(common, play.verb()).await?;
    heading(&format!("Dana (on call) types /{command}"));
    let run = stage.command(bot, command).await?;
    let state = clock.timeout(LIMIT, stage.to_the_end(bot, run)).await.context("the play took over 20 minutes")??;
    report(&state);
    Ok(state.finished.as_ref().is_some_and(|finished| finished.outcome.is_success()) && state.recovered_at.is_some())
}

fn heading(text: &str) {
    println!("\n▌ {text}\n");
}

async fn break_range(common: &Common, verb: &str) -> Result<()> {
    let script = common.config.join("range/break");
    let script = std::path::absolute(&script)?;
    let status = tokio::process::Command::new(&script)
        .arg(verb)
        .status()
        .await
        .with_context(|| format!("{} cannot be run", script.display()))?;
    ensure!(status.success(), "range/break {verb} failed; is the range up? (range/up)");
    Ok(())
}

/// The people on the stage, and how they act.
struct Stage {
    http: reqwest::Client,
    url: String,
    clock: Clock,
}

impl Stage {
    async fn post(&self, verb: &str, body: Value) -> Result<Value> {
        let response = self.http.post(format!("{}/rehearsal/api/{verb}", self.url)).json(&body).send().await?;
        let status = response.status();
        let answer: Value = response.json().await.with_context(|| format!("the rehearsal's answer to {verb}"))?;
        ensure!(status.is_success(), "the rehearsal refuses {verb}: {answer}");
        Ok(answer)
    }

    async fn get(&self, what: &str) -> Result<Value> {
        let response = self.http.get(format!("{}/rehearsal/api/{what}", self.url)).send().await?;
        Ok(response.error_for_status()?.json().await?)
    }

    /// Somebody, as the bot sees them.
    fn caller(&self, bot: &Bot, name: &str) -> Caller {
        let settings = &bot.engine.configuration().settings;
        Caller {
            person: Person { id: DiscordId(400_000_000_000_000_002), name: name.to_owned() },
            roles: settings.roles.values().copied().collect(),
            channel: settings.discord.channel,
            is_bot: false,
        }
    }

    async fn wait_for(&self, name: &str) -> Result<()> {
        for _ in 0..200 {
            let state = self.get("state").await?;
            let commands = state["commands"].as_array().cloned().unwrap_or_default();
            if commands.iter().any(|command| command["name"] == name) {
                return Ok(());
            }
            self.clock.sleep(Duration::from_millis(50)).await;
        }
        bail!("the bot did not register /{name} within 10 s");
    }

    /// As long as the settings say that a version must be healthy before it is good.
    async fn sees_a_good_version(&self, bot: &Bot) -> Result<()> {
        let settings = bot.engine.configuration().settings.clone();
        let longest = settings.target.values().filter_map(|target| target.versions.as_ref()?.healthy_for.0.into());
        let limit = longest.max().unwrap_or_default() + Duration::from_secs(90);
        let seen = async {
            loop {
                for target in settings.target.keys() {
                    let known = bot.engine.store().versions(target).await?;
                    if let Some(good) = known.iter().find(|version| version.is_good()) {
                        println!("{} is recorded good.", good.name);
                        return anyhow::Ok(());
                    }
                }
                self.clock.sleep(Duration::from_millis(250)).await;
            }
        };
        self.clock.timeout(limit, seen).await.context("no version was recorded good")?
    }

    async fn command(&self, bot: &Bot, name: &str) -> Result<RunId> {
        let mut changes = bot.engine.changes();
        let body = json!({ "person": "Dana", "channel": "incidents", "command": name, "options": {} });
        let answer = self.post("command", body).await?;
        let started = async {
            loop {
                let run = changes.recv().await?;
                if let Some(snapshot) = bot.engine.snapshot(run).await?
                    && snapshot.state.created.command.name == name
                {
                    return anyhow::Ok(run);
                }
            }
        };
        match self.clock.timeout(Duration::from_secs(5), started).await {
            Some(run) => run,
            None => bail!("the command was not taken: {}", answer["response"]["content"]),
        }
    }

    /// Shows the card as it changes, approves when it is time, and returns the state at the end.
    async fn to_the_end(&self, bot: &Bot, run: RunId) -> Result<State> {
        let mut screen = Screen::new();
        let mut approved = false;
        loop {
            let snapshot = bot.engine.snapshot(run).await?.context("the run is gone")?;
            screen.show(&snapshot, &self.clock);
            if snapshot.state.finished.is_some() {
                return Ok(snapshot.state);
            }
            if let ApprovalState::Pending { asked, .. } = &snapshot.state.approval
                && !approved
                && self.approve(bot, run, asked.confirm.as_deref().unwrap_or_default()).await?
            {
                approved = true;
                screen.say("Omar (DBA) reads the plan, presses Approve, and types the name that it asks for");
            }
            self.clock.sleep(Duration::from_millis(250)).await;
        }
    }

    /// Presses the button once it is there; false while it is not.
    async fn approve(&self, bot: &Bot, run: RunId, confirm: &str) -> Result<bool> {
        // The card of an incident's run is in the incident's thread.
        let Some(place) = bot.engine.store().card(run).await? else { return Ok(false) };
        let messages = self.get(&format!("messages?channel={}&person=Omar", place.channel)).await?;
        let with_button = messages.as_array().into_iter().flatten().rev().find(|message| {
            let rows = message["components"].as_array().into_iter().flatten();
            rows.flat_map(|row| row["components"].as_array().into_iter().flatten())
                .any(|button| button["label"] == "Approve" && button["disabled"] != true)
        });
        let Some(message) = with_button else { return Ok(false) };
        let click = json!({ "person": "Omar", "message": message["id"], "label": "Approve" });
        let answer = self.post("click", click).await?;
        let modal = &answer["modal"];
        if modal.is_null() {
            bail!("Omar's click was answered with {}", answer["response"]["content"]);
        }
        let input = modal["components"][0]["components"][0]["custom_id"].as_str().unwrap_or("text").to_owned();
        let mut values = serde_json::Map::new();
        values.insert(input, Value::from(confirm));
        self.post("submit", json!({ "person": "Omar", "modal": modal["id"], "values": values })).await?;
        Ok(true)
    }
}

/// Shows a card in place at a terminal; elsewhere, each time a step changes.
struct Screen {
    in_place: bool,
    lines: usize,
    last: String,
}

impl Screen {
    fn new() -> Self {
        Self { in_place: std::io::stdout().is_terminal(), lines: 0, last: String::new() }
    }

    fn show(&mut self, snapshot: &Snapshot, clock: &Clock) {
        let live = snapshot.progress.as_ref().map(crate::chat::live);
        let card = text::card(&view::of(&snapshot.state, clock.now(), live.as_ref()), 100, self.in_place);
        let key = if self.in_place { card.clone() } else { snapshot.state.seq.to_string() };
        if key == self.last {
            return;
        }
        self.last = key;
        let mut out = std::io::stdout().lock();
        let back = if self.in_place && self.lines > 0 { format!("\x1b[{}A\x1b[J", self.lines) } else { String::new() };
        // A terminal that is gone is no reason to end a recovery.
        let _ = writeln!(out, "{back}{card}\n");
        self.lines = card.lines().count() + 1;
    }

    fn say(&mut self, text: &str) {
        heading(text);
        self.lines = 0;
    }
}

fn report(state: &State) {
    heading("How it went");
    for (what, figure) in words::report(state) {
        println!("  {what:<34} {figure}");
    }
    let steps = state.steps.iter().filter_map(|step| Some((step, step.started_at?, step.ended_at?)));
    for (step, started, ended) in steps {
        println!("    {:<46} {}", step.definition.name, words::duration(elapsed(started, ended)));
    }
    println!();
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;
    use crate::config::load::Configuration;

    fn shipped() -> Configuration {
        Configuration::load_for_paper(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn name(play: Play) -> String {
        play.to_possible_value().unwrap().get_name().to_owned()
    }

    #[test]
    fn every_play_breaks_what_the_range_can_break() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("range/break");
        let output = std::process::Command::new(script).arg("--list").output().unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        for play in Play::value_variants() {
            assert!(listed.lines().any(|verb| verb == play.verb()), "range/break cannot do {}: {listed}", play.verb());
        }
    }

    /// The disaster of the settings that it plays.
    fn scenario(play: Play) -> String {
        match play {
            Play::ApiOutage => "external-api-outage".to_owned(),
            Play::DatabaseDown | Play::NobodyAnswers => "database-corruption".to_owned(),
            play => name(play),
        }
    }

    #[test]
    fn every_disaster_of_the_settings_has_a_play_whose_command_is_meant_for_it() {
        let shipped = shipped();
        let plays: BTreeSet<String> = Play::value_variants().iter().map(|play| scenario(*play)).collect();
        assert_eq!(plays, shipped.settings.scenario.keys().cloned().collect());
        for play in Play::value_variants() {
            let command = &shipped.commands[play.command()];
            let meant_for = command.scenario.as_deref().unwrap_or_default();
            // One command is for both: what the trading bot sees of a cut and of an outage is the same.
            let both = *play == Play::NetworkPartition && meant_for == scenario(Play::ApiOutage);
            assert!(meant_for == scenario(*play) || both, "{play:?}: /{} is for {meant_for}", command.name);
        }
    }

    #[test]
    fn make_help_names_every_play() {
        let makefile = include_str!("../../Makefile");
        let help = makefile.lines().find(|line| line.contains("make demo  ")).unwrap();
        for play in Play::value_variants() {
            assert!(help.contains(&name(*play)), "not {}: {help}", name(*play));
        }
    }

    /// Dana is on call and types the command's name; Omar, a DBA, alone presses Approve and types what is asked for.
    #[test]
    fn the_people_of_the_stage_can_play_every_command_to_its_end() {
        let shipped = shipped();
        for play in Play::value_variants() {
            let command = &shipped.commands[play.command()];
            let name = &command.name;
            assert!(command.undoes.is_none(), "nobody can type /{name}");
            assert!(command.options.values().all(|option| !option.required), "/{name} needs more than its name");
            assert!(command.roles.iter().any(|role| role == "operator"), "Dana may not start /{name}");
            if let Some(approval) = &command.approval {
                assert!(
                    approval.roles.iter().any(|role| role == "dba") && approval.quorum == 1,
                    "Omar alone cannot approve /{name}"
                );
                assert!(
                    approval.confirm.is_some() || approval.unless.is_some(),
                    "no form opens for the approval of /{name}"
                );
            }
        }
    }
}
