//! Buttons below an incident's post and its calls.

use serenity::all::CreateInteractionResponse;

use super::{
    Desk,
    components::{offer, once},
    render,
    slip::Slip,
};
use crate::{
    access::Caller,
    engine::{Engine, incidents::RunBeside},
    incident::state::State,
    progress::{
        card::Card,
        incident::{self, CloseForm, IncidentButton},
        postmortem, words,
    },
    refusals::{deed_error, open_error},
};

pub(super) async fn clicked(desk: &Desk, slip: &Slip, who: &Caller, button: &IncidentButton, interaction: &str) {
    let engine = &desk.engine;
    if let IncidentButton::Close { incident } = button {
        let state = engine.incident(*incident).await.ok().flatten();
        // What is recovered needs no reason, nor does a drill; anything else asks for it in a form, which must be the first answer.
        if state.is_some_and(|state| !state.is_over() && !state.is_drill()) {
            return ask_why(desk, slip, CloseForm { incident: *incident }).await;
        }
    }
    let text = once(engine, interaction, Box::pin(act(engine, who, button, interaction))).await;
    if !text.is_empty() {
        slip.say(desk, &text).await;
    }
}

async fn ask_why(desk: &Desk, slip: &Slip, form: CloseForm) {
    let modal = render::modal(form.to_string(), words::close_title(), words::close_reason_label(), String::new(), true);
    let body = serde_json::to_value(CreateInteractionResponse::Modal(modal)).unwrap_or_default();
    if !slip.respond(desk, body).await {
        slip.say_in_channel(desk, &words::press_again()).await;
    }
}

async fn act(engine: &Engine, who: &Caller, button: &IncidentButton, interaction: &str) -> String {
    let now = engine.clock().now();
    let done = match button {
        IncidentButton::Acknowledge { incident } => {
            engine.acknowledge(*incident, who, "by the button").await.map(|state| words::has_it(&state))
        }
        IncidentButton::NotNow { incident } => {
            engine.note(*incident, who, &words::not_now()).await.map(|_| words::noted_not_now())
        }
        IncidentButton::Close { incident } => {
            engine.close_incident(*incident, who, None).await.map(|state| words::incident_closed(&state))
        }
        IncidentButton::Run { command, .. } => return offer(engine, who, command, interaction).await,
        IncidentButton::OpenFor { run } => {
            let opened = engine.open_incident_for(*run, who, interaction).await;
            return opened.map_or_else(|error| open_error(&error), |state| words::incident_opened(&state));
        }
    };
    done.unwrap_or_else(|error| deed_error(&error, now))
}

pub(super) async fn close(engine: &Engine, who: &Caller, form: CloseForm, reason: &str) -> String {
    let closed = engine.close_incident(form.incident, who, Some(reason)).await;
    closed.map_or_else(|error| deed_error(&error, engine.clock().now()), |state| words::incident_closed(&state))
}

pub(super) async fn answer(desk: &Desk, slip: &Slip, text: &str) {
    // Delivered twice: the first one is answered.
    if !text.is_empty() && !slip.fill_in(desk, text).await {
        slip.say_in_channel(desk, text).await;
    }
}

/// An incident's post, as it is now.
pub(super) async fn card(engine: &Engine, state: &State) -> Card {
    let beside = engine.beside(state).await;
    let line = |run: &RunBeside| {
        words::incident_run(&words::RunLine {
            command: run.command.clone(),
            short: run.run.short(),
            requester: run.requester.clone(),
            done: run.done,
            steps: run.steps,
            waits: run.waits,
            outcome: run.outcome,
        })
    };
    let runs = beside.runs.iter().map(line).collect();
    let rpo = state.kind.scenario.rpo.0;
    let loss = beside.runs.iter().rev().find_map(|run| postmortem::loss::measured(&run.state, rpo));
    let beside =
        incident::Beside { forecast: beside.forecast, fitting: beside.fitting, faster: beside.faster, loss, runs };
    incident::card(state, &beside, engine.clock().now())
}
