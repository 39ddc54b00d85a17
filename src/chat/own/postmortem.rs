//! `/postmortem`: the draft of an incident's post-mortem and its timeline, as files in its thread.

use std::time::Duration;

use futures::FutureExt;
use serde_json::json;
use serenity::all::CommandInteraction;

use super::{Own, OwnOption, incident};
use crate::{
    access::{self, Caller},
    chat::{
        Desk,
        call::{Refused, until_done},
        components::once,
        handler::caller,
        papers,
        papers::Paper,
        replies,
        rest::Call,
    },
    engine::{Engine, incidents::DeedError},
    incident::state::State,
    progress::words,
    refusals::deed_error,
    runbook::definition::ValueType,
};

const INCIDENT: &str = "incident";

/// Whoever asks is told after so long that it could not be posted.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const OWN: Own = Own {
    name: "postmortem",
    description: "Draw up the post-mortem of an incident, and its timeline",
    options: &[OwnOption {
        name: INCIDENT,
        help: "Which incident; the one that is open, or else the last, when left out",
        kind: ValueType::String,
        required: false,
        choices: Some(|engine, who| incident::known(engine, who).boxed()),
    }],
    subcommands: &[],
    give: |desk, command| give(desk, command).boxed(),
};

async fn give(desk: &Desk, command: CommandInteraction) {
    let who = caller(&command.user, command.member.as_deref(), command.channel_id, command.channel.as_ref());
    let options = replies::options(&command.data.options());
    let slip = replies::slip(&command, &who);
    let interaction = command.id.to_string();
    let named = options.get(INCIDENT).map(String::as_str);
    let work = once(&desk.engine, &interaction, Box::pin(draw_up(desk, &who, named, &interaction)));
    let text = slip.acknowledge_beside(desk, work).await;
    // Delivered twice: the first one is answered.
    if !text.is_empty() && !slip.fill_in(desk, &text).await {
        slip.say_in_channel(desk, &text).await;
    }
}

async fn draw_up(desk: &Desk, who: &Caller, named: Option<&str>, interaction: &str) -> String {
    let engine = &desk.engine;
    let state = match meant(engine, who, named).await {
        Ok(state) => state,
        Err(error) => return deed_error(&error, engine.clock().now()),
    };
    let papers = match papers::both(engine, state.id).await {
        Ok(papers) => papers,
        Err(error) => {
            tracing::error!(incident = %state.id.short(), error = format!("{error:#}"), "a post-mortem cannot be drawn up");
            return words::postmortem::not_drawn_up();
        }
    };
    match post(desk, &state, who, papers, interaction).await {
        Some(channel) => words::postmortem::posted(&state, channel),
        None => words::postmortem::not_posted(),
    }
}

/// The one that is named or open; where none is open, the last.
async fn meant(engine: &Engine, who: &Caller, named: Option<&str>) -> Result<State, DeedError> {
    access::incidents(&engine.configuration().settings, who)?;
    match engine.which_incident(named).await {
        Err(DeedError::None) => {
            let newest = engine.store().newest_incidents().await.map_err(DeedError::Store)?;
            let last = *newest.first().ok_or(DeedError::None)?;
            engine.incident(last).await.map_err(DeedError::Store)?.ok_or(DeedError::None)
        }
        found => found,
    }
}

/// Into its thread, or where drbot speaks when that is gone; returns where.
async fn post(desk: &Desk, state: &State, who: &Caller, papers: Vec<Paper>, interaction: &str) -> Option<u64> {
    let engine = &desk.engine;
    let place = engine.store().incident_post(state.id).await.ok().flatten();
    let there = place.map(|place| place.thread.unwrap_or(place.channel));
    let mut channels: Vec<u64> = there.into_iter().collect();
    channels.push(engine.configuration().settings.discord.channel.0);
    channels.dedup();
    let body = json!({
        "content": words::postmortem::message(state, &who.person.name),
        "allowed_mentions": {"parse": []},
        "nonce": format!("P{interaction}"),
        "enforce_nonce": true,
    });
    for channel in channels {
        let call = Call::post_message(channel, body.clone()).with_files(papers.clone());
        let posting = until_done(&desk.rest, "posting a post-mortem", &call);
        match engine.clock().timeout(PATIENCE, posting).await {
            Some(Ok(_)) => return Some(channel),
            Some(Err(Refused::Gone | Refused::Forbidden)) => {}
            Some(Err(_)) | None => return None,
        }
    }
    None
}
