//! `/incident`: open, list, show, acknowledge, close, say what it is, answer for a new deadline; and `/note`.

use std::collections::BTreeMap;

use futures::FutureExt;
use serde_json::json;
use serenity::all::CommandInteraction;

use super::{Own, OwnOption, Sub};
use crate::{
    access::Caller,
    chat::{Desk, components::once, handler::caller, incidents, render, replies},
    engine::Engine,
    progress::words,
    refusals::{deed_error, open_error},
    runbook::{definition::ValueType, span::Span},
};

const INCIDENT: &str = "incident";
const SCENARIO: &str = "scenario";
const TARGET: &str = "target";
const REASON: &str = "reason";
const IN: &str = "in";
const TEXT: &str = "text";

/// Nobody answers for a deadline that is farther away.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

const WHICH: OwnOption = OwnOption {
    name: INCIDENT,
    help: "Which incident; may be left out when only one is open",
    kind: ValueType::String,
    required: false,
    choices: Some(|engine, who| known(engine, who).boxed()),
};

const KIND: OwnOption = OwnOption {
    name: SCENARIO,
    help: "What kind of disaster it is",
    kind: ValueType::String,
    required: true,
    choices: Some(|engine, who| scenarios(engine, who).boxed()),
};

const WHY: OwnOption = OwnOption {
    name: REASON,
    help: "Why; it goes into the record",
    kind: ValueType::String,
    required: true,
    choices: None,
};

pub(super) const OWN: Own = Own {
    name: "incident",
    description: "Disasters: their clock, who has them, who is called",
    options: &[],
    subcommands: &[
        Sub {
            name: "open",
            description: "Say that there is a disaster: its clock starts, and people are called",
            options: &[
                KIND,
                OwnOption {
                    name: TARGET,
                    help: "What is broken; may be left out when there is only one",
                    kind: ValueType::String,
                    required: false,
                    choices: Some(|engine, who| targets(engine, who).boxed()),
                },
                OwnOption { name: TEXT, help: "What you see", kind: ValueType::String, required: false, choices: None },
            ],
        },
        Sub {
            name: "drill",
            description: "Try the ladders out: nothing has happened, and only the drill's contacts are called",
            options: &[KIND],
        },
        Sub { name: "list", description: "Incidents that are open, and the last ones", options: &[] },
        Sub { name: "show", description: "One incident: its clock, its times, its runs", options: &[WHICH] },
        Sub { name: "ack", description: "Say that you have it, or are still on it", options: &[WHICH] },
        Sub {
            name: "close",
            description: "Nobody is called any more",
            options: &[
                WHICH,
                OwnOption {
                    name: REASON,
                    help: "Why; needed where recovery is not verified",
                    kind: ValueType::String,
                    required: false,
                    choices: None,
                },
            ],
        },
        Sub {
            name: "scenario",
            description: "Say that it is another kind of disaster, with other objectives",
            options: &[KIND, WHICH],
        },
        Sub {
            name: "deadline",
            description: "Answer for a new deadline",
            options: &[
                OwnOption {
                    name: IN,
                    help: "How long from now, like 20m or 1h 30m",
                    kind: ValueType::String,
                    required: true,
                    choices: None,
                },
                WHY,
                WHICH,
            ],
        },
    ],
    give: |desk, command| give(desk, command).boxed(),
};

pub(super) const NOTE: Own = Own {
    name: "note",
    description: "Write a line into an incident's timeline",
    options: &[
        OwnOption {
            name: TEXT,
            help: "What happened, what was found",
            kind: ValueType::String,
            required: true,
            choices: None,
        },
        WHICH,
    ],
    subcommands: &[],
    give: |desk, command| give(desk, command).boxed(),
};

async fn give(desk: &Desk, command: CommandInteraction) {
    let engine = &desk.engine;
    let who = caller(&command.user, command.member.as_deref(), command.channel_id, command.channel.as_ref());
    let given = command.data.options();
    let (sub, options) = (replies::subcommand(&given), replies::options(&given));
    let slip = replies::slip(&command, &who);
    let interaction = command.id.to_string();
    let named = options.get(INCIDENT).map(String::as_str);
    match sub.as_deref() {
        Some("show") => match look(engine, &who, named).await {
            Ok(embed) => slip.show(desk, &embed, true).await,
            Err(text) => slip.say(desk, &text).await,
        },
        Some("list") => {
            let table = list(engine, &who).await;
            slip.show(desk, &json!({"title": "Incidents", "description": table}), true).await;
        }
        sub => {
            let work = once(engine, &interaction, Box::pin(act(engine, &who, sub, &options, &interaction)));
            let text = slip.acknowledge_beside(desk, work).await;
            // Delivered twice: the first one is answered.
            if !text.is_empty() && !slip.fill_in(desk, &text).await {
                slip.say_in_channel(desk, &text).await;
            }
        }
    }
}

async fn act(
    engine: &Engine,
    who: &Caller,
    sub: Option<&str>,
    options: &BTreeMap<String, String>,
    interaction: &str,
) -> String {
    let option = |name: &str| options.get(name).map(String::as_str);
    let now = engine.clock().now();
    if sub == Some("open") {
        let scenario = option(SCENARIO).unwrap_or_default();
        let opened = engine.open_incident(who, interaction, scenario, option(TARGET), option(TEXT)).await;
        return opened.map_or_else(|error| open_error(&error), |state| words::incident_opened(&state));
    }
    if sub == Some("drill") {
        let opened = engine.open_drill(who, interaction, option(SCENARIO).unwrap_or_default()).await;
        return opened.map_or_else(|error| open_error(&error), |state| words::incident_opened(&state));
    }
    // Which are open is for those who may see them.
    if let Err(refusal) = crate::access::incidents(&engine.configuration().settings, who) {
        return deed_error(&crate::engine::incidents::DeedError::Refused(refusal), now);
    }
    let state = match engine.which_incident(option(INCIDENT)).await {
        Ok(state) => state,
        Err(error) => return deed_error(&error, now),
    };
    let done = match sub {
        Some("ack") => engine.acknowledge(state.id, who, "by /incident ack").await.map(|state| words::has_it(&state)),
        Some("close") => {
            engine.close_incident(state.id, who, option(REASON)).await.map(|state| words::incident_closed(&state))
        }
        Some("scenario") => {
            let scenario = option(SCENARIO).unwrap_or_default();
            engine.set_scenario(state.id, who, scenario).await.map(|state| words::scenario_is(&state))
        }
        Some("deadline") => {
            let text = option(IN).unwrap_or_default();
            let span = text.replace(' ', "").parse::<Span>().ok().filter(|span| span.0 <= LONGEST);
            let Some(span) = span else { return words::bad_span(text) };
            let reason = option(REASON).unwrap_or_default();
            engine.move_deadline(state.id, who, span.0, reason).await.map(|state| words::deadline_is(&state))
        }
        _ => engine.note(state.id, who, option(TEXT).unwrap_or_default()).await.map(|_| words::noted()),
    };
    done.unwrap_or_else(|error| deed_error(&error, now))
}

async fn look(engine: &Engine, who: &Caller, named: Option<&str>) -> Result<serde_json::Value, String> {
    let now = engine.clock().now();
    let refused = |refusal| deed_error(&crate::engine::incidents::DeedError::Refused(refusal), now);
    crate::access::incidents(&engine.configuration().settings, who).map_err(refused)?;
    let state = engine.which_incident(named).await.map_err(|error| deed_error(&error, now))?;
    let card = incidents::card(engine, &state).await;
    serde_json::to_value(render::embed(&card)).map_err(|_| words::store_failed())
}

async fn list(engine: &Engine, who: &Caller) -> String {
    let now = engine.clock().now();
    match engine.newest_incidents(who).await {
        Ok(states) => words::incident_list(&states, now),
        Err(error) => deed_error(&error, now),
    }
}

pub(super) async fn known(engine: &Engine, who: &Caller) -> Vec<(String, String)> {
    let now = engine.clock().now();
    let states = engine.newest_incidents(who).await.unwrap_or_default();
    let mut states: Vec<_> = states.iter().collect();
    states.sort_by_key(|state| state.closed.is_some());
    states.iter().map(|state| (words::incident_choice(state, now), state.id.short())).collect()
}

async fn scenarios(engine: &Engine, _: &Caller) -> Vec<(String, String)> {
    let configuration = engine.configuration();
    configuration.settings.scenario.iter().map(|(key, scenario)| (scenario.name.clone(), key.clone())).collect()
}

async fn targets(engine: &Engine, _: &Caller) -> Vec<(String, String)> {
    let configuration = engine.configuration();
    configuration.settings.target.keys().map(|name| (name.clone(), name.clone())).collect()
}
