//! What the picture of an incident is told of it.

use super::{ended, waits};
use crate::{
    config::settings::Level,
    incident::{event::Paged, state::State},
    progress::postmortem::Record,
    run,
};

/// Below the title: when, who, how the runs ended.
pub fn subtitle(record: &Record) -> String {
    let state = &record.state;
    let mut parts = vec![state.opened_at.format("%-d %B %Y, %H:%M UTC").to_string()];
    parts.push(match &state.responded {
        Some((_, by)) => format!("first to respond: {}", by.name),
        None => "nobody has responded".to_owned(),
    });
    if let [only] = record.runs.as_slice() {
        parts.push(format!("/{} {}", only.state.created.command.name, ended(&only.state)));
    } else if !record.runs.is_empty() {
        parts.push(format!("{} runs", record.runs.len()));
    }
    parts.join(" · ")
}

/// What the limit is: the scenario's, or one that somebody answered for.
pub fn objective(state: &State) -> &'static str {
    if state.deadline.moved.is_some() { "Moved deadline" } else { "RTO" }
}

/// A rung and who was called.
pub fn paged(paged: &Paged) -> String {
    let why = match (paged.deadline, paged.ack, &paged.stall) {
        (Some(0), ..) => "Alert".to_owned(),
        (Some(percent), ..) => format!("{percent} %"),
        (None, Some(Level::Primary), _) => "Nobody has it".to_owned(),
        (None, Some(level), _) => format!("Still nobody ({})", level.name()),
        (None, None, Some(_)) => "It stands still".to_owned(),
        (None, None, None) => "Called".to_owned(),
    };
    let mut names: Vec<&str> = paged.called.iter().map(|one| one.name.as_str()).collect();
    names.extend(paged.pages.iter().map(|page| page.name.as_str()).filter(|name| !name.is_empty()));
    names.extend(paged.roles.iter().map(String::as_str));
    named(&why, names)
}

pub fn paged_of_run(paged: &run::event::Paged) -> String {
    named(&format!("{} %", paged.percent), paged.called.iter().map(|one| one.name.as_str()).collect())
}

fn named(why: &str, mut names: Vec<&str>) -> String {
    names.dedup();
    match names.as_slice() {
        [] => why.to_owned(),
        [one] => format!("{why}: {one}"),
        [first, second] => format!("{why}: {first}, {second}"),
        [first, rest @ ..] => format!("{why}: {first} + {}", rest.len()),
    }
}

pub fn acknowledged(name: &str) -> String {
    name.to_owned()
}

pub fn waits_for(on: &waits::On) -> &'static str {
    match on {
        waits::On::Approval { .. } => "Approval",
        waits::On::Renewal { .. } => "To be asked again",
        waits::On::Answer { .. } => "Answer",
        waits::On::Lockdown => "Lockdown",
    }
}

/// The name of a step, from its second attempt with the number.
pub fn attempt(step: &str, attempt: u32) -> String {
    if attempt > 1 { format!("{step} (attempt {attempt})") } else { step.to_owned() }
}

pub fn takes_back(step: &str) -> String {
    format!("Take back: {step}")
}

pub fn unclear(step: &str) -> String {
    format!("{step} (outcome unknown)")
}
