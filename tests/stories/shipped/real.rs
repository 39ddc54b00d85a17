//! The engine itself, with its store, writes the same journal as the heart alone: so what is seen of the heart is true of
//! drbot.

use std::{sync::Arc, time::Duration};

use drbot::{
    actions::{Actions, Context, Done, Failure, Fields, Probe, identify::Found},
    clock::Clock,
    config::{load::Configuration, secrets::Secrets, settings::DiscordId},
    engine::{Engine, Submitted},
    ids::RunId,
    run::{event::Choice, outcome::Outcome, state::ApprovalState},
    runbook::{action::Action, definition::Command, span::Span},
};

use super::{
    play::{Play, Script, begun},
    samples::{self, Samples, Way},
    shipped,
};
use crate::support::house::{Bot, House, dana, lena, omar};

/// Does nothing, and brings back what the samples say.
struct Sampled(Samples);

#[async_trait::async_trait]
impl Actions for Sampled {
    async fn prepare(&self, _: &Action, _: &Context) -> Result<Fields, Failure> {
        Ok(Fields::new())
    }

    async fn perform(&self, action: &Action, context: &Context) -> Result<Done, Failure> {
        let fields = self.0.get(&context.labels.step).cloned();
        let fields =
            fields.ok_or_else(|| Failure::failed(format!("no sample of {} {}", action.key(), context.labels.step)))?;
        Ok(Done { fields, ..Done::new("done") })
    }

    async fn identify(&self, _: &Context) -> Found {
        Found::default()
    }

    async fn probe(&self, _: &Action, _: &Context) -> Probe {
        Probe::DidNotHappen
    }
}

/// As shipped, for the people of the house, and in no time.
fn hurried() -> Configuration {
    let mut configuration = shipped();
    for id in configuration.settings.roles.values_mut() {
        *id = DiscordId(11);
    }
    configuration.settings.discord.command_channels.clear();
    for target in configuration.settings.target.values_mut() {
        target.sample_every = None;
    }
    for step in configuration.commands.values_mut().flat_map(|command| &mut command.steps) {
        if let Action::Wait(wait) = &mut step.action {
            wait.every = Span(Duration::from_millis(1));
        }
    }
    configuration
}

/// The engine does these with several actions of its own; their stories are told against real containers.
fn is_of_several(command: &Command) -> bool {
    command.steps.iter().any(|step| match &step.action {
        Action::Versions(_) => true,
        Action::Wait(wait) => matches!(wait.until.as_deref(), Some(Action::Versions(_))),
        _ => false,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_writes_the_same_journal() {
    let configuration = hurried();
    let whole = configuration.commands.values().filter(|command| !is_of_several(command));
    for command in whole {
        let house = House { configuration: configuration.clone(), ..House::new([]) };
        let actions = Arc::new(Sampled(all_samples(&configuration, command)));
        let secrets = Secrets::from_lookup(|_| None);
        let store = house.store().await;
        let bot = Bot(Engine::start(configuration.clone(), store, actions, secrets, Clock::system()).await.unwrap());
        let mut run = bot.run(command.undoes.as_ref().unwrap_or(&command.name)).await;
        if command.undoes.is_some() {
            goes_to_its_end(&bot, run).await;
            let short = run.short();
            match bot.0.undo_run(Some(&short), &dana(), "undo".to_owned()).await.unwrap() {
                (Submitted::Started(undoing), _) => run = undoing,
                other => panic!("{other:?}"),
            }
        }
        goes_to_its_end(&bot, run).await;
        bot.ends(run, Outcome::Succeeded).await;
        let script = Script::of(command, Way::USUAL);
        let play = Play::on(&configuration.settings, &script, &begun(&configuration, command, Way::USUAL));
        let of_steps = |kinds: Vec<String>| {
            kinds
                .iter()
                .map(|kind| kind.trim().to_owned())
                .filter(|kind| !kind.starts_with("approval"))
                .collect::<Vec<_>>()
        };
        assert_eq!(of_steps(bot.kinds(run).await), of_steps(play.kinds()), "/{}", command.name);
    }
}

/// Everybody says yes to everything.
async fn goes_to_its_end(bot: &Bot, run: RunId) {
    loop {
        let moved = bot
            .until(run, "it ends or asks", |state| {
                let pending = matches!(state.approval, ApprovalState::Pending { .. });
                state.finished.is_some() || state.question.is_some() || pending
            })
            .await;
        if moved.finished.is_some() {
            return;
        }
        if let Some(question) = moved.question {
            assert!(matches!(question.choices[0], Choice::Answer(_)), "{question:?}");
            bot.answers(run, question.choices[0].clone()).await;
        }
        if let Some(asked) = moved.approval.asked() {
            for approver in [omar(), lena()] {
                let _ = bot.0.approve(run, &approver, &asked.token, asked.confirm.as_deref()).await;
            }
        }
    }
}

/// Those of the command, and of the one that it takes back.
fn all_samples(configuration: &Configuration, command: &Command) -> Samples {
    let undone = command.undoes.as_ref().map(|name| samples::of(&configuration.commands[name], Way::USUAL));
    let mut all = undone.unwrap_or_default();
    for (step, fields) in samples::of(command, Way::USUAL) {
        // Steps of both may have one name.
        all.entry(step).or_default().extend(fields);
    }
    all
}
