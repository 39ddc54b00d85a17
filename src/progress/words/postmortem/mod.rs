//! Sentences of a post-mortem: each a fact with where it comes from, and blanks for people. All times are UTC.

mod actions;
mod events;
mod picture;

use std::time::Duration;

pub use self::{
    actions::action,
    events::{event, event_of_run, page, page_of_run, wait},
    picture::{acknowledged, attempt, objective, paged, paged_of_run, subtitle, takes_back, unclear, waits_for},
};
use super::{
    super::{
        outside::{cut, plain},
        postmortem::{Record, Run, loss::Verdict, waits},
    },
    duration, incident_name, person,
};
use crate::{
    clock::{Timestamp, elapsed},
    config::settings::Priority,
    incident::{
        event::{AlertSeen, Because, Event, Seen},
        state::State,
        times::{self, Times},
    },
    run::{self, event::Event as RunEvent},
};

/// What is left to people.
pub fn to_be_written() -> String {
    "_to be written_".to_owned()
}

pub fn nothing() -> String {
    "none".to_owned()
}

pub fn title(state: &State) -> String {
    format!("Post-mortem: {}", incident_name(state))
}

pub fn preface(record: &Record) -> String {
    format!(
        "Incident {}. Drawn up by drbot from its journals as of {}; all times are UTC. {} stands where only people can say it.",
        record.state.id.short(),
        stamp(record.at),
        to_be_written()
    )
}

pub fn stamp(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A line of the timeline.
pub fn at(at: Timestamp, line: &str) -> String {
    format!("{} · {line}", stamp(at))
}

pub(super) fn text(text: &str) -> String {
    cut(&plain(text), 400)
}

pub(super) fn command_of(state: &run::state::State) -> String {
    format!("/{} {}", cut(&plain(&state.created.command.name), 40), state.id.short())
}

// ---- the summary -------------------------------------------------------------------------------------------------------

/// One paragraph, of facts alone.
pub fn summary(record: &Record) -> String {
    let state = &record.state;
    let mut sentences = vec![because(state), ran(&record.runs)];
    sentences.push(match (&state.recovered, times::of(state).to_recover()) {
        (Some(recovered), Some(took)) => {
            format!("Recovery was verified at {}, {} after the failure.", stamp(recovered.at), duration(took))
        }
        (Some(recovered), None) => format!(
            "Recovery was verified at {}, {} after it was detected; when it failed is not known.",
            stamp(recovered.at),
            duration(elapsed(state.opened.detected.at, recovered.at))
        ),
        (None, _) => "Recovery was not verified.".to_owned(),
    });
    sentences.extend(record.runs.iter().filter_map(|run| super::loss(&run.state)));
    sentences.push(match &state.closed {
        Some(closed) => {
            let why = closed.reason.as_deref().map(|reason| format!(": {}", text(reason))).unwrap_or_default();
            let why = why.trim_end_matches('.');
            format!("{} closed it at {}{why}.", person(&closed.by.name), stamp(closed.at))
        }
        None => "It is not closed.".to_owned(),
    });
    sentences.join(" ")
}

fn because(state: &State) -> String {
    let (at, priority) = (stamp(state.opened_at), priority(state.kind.scenario.priority));
    let what = format!("an incident of priority {priority} ({})", incident_name(state));
    match &state.opened.because {
        Because::Person { by, .. } => format!("At {at} {} opened {what}.", person(&by.name)),
        Because::Run { by, command, .. } => {
            format!("At {at} {} opened {what} while /{} was under way.", person(&by.name), text(command))
        }
        Because::Alert(alert) => format!("At {at} the alert {} opened {what}.", text(&alert.name)),
    }
}

fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Critical => "critical",
        Priority::High => "high",
        Priority::Medium => "medium",
    }
}

fn ran(runs: &[Run]) -> String {
    let line = |run: &Run| {
        let by = person(&run.state.created.requester.name);
        format!("{} by {by} ({})", command_of(&run.state), ended(&run.state))
    };
    match runs {
        [] => "Nothing was run.".to_owned(),
        runs => format!("Run: {}.", runs.iter().map(line).collect::<Vec<_>>().join(", ")),
    }
}

/// How a run ended, in a word or two.
pub fn ended(state: &run::state::State) -> String {
    state.finished.as_ref().map_or_else(|| "under way".to_owned(), |finished| finished.outcome.to_string())
}

// ---- times and objectives ----------------------------------------------------------------------------------------------

/// The four times, each with its source, and the figures that follow; a reason where one is missing.
pub fn times(record: &Record) -> Vec<String> {
    let times = times::of(&record.state);
    let mut lines = vec![
        moment("Failure", times.failure.as_ref(), "nothing was measured that shows when it failed"),
        moment("Detected", Some(&times.detected), ""),
        moment("Responded", times.responded.as_ref(), "nobody has done anything on it"),
        moment("Recovered", times.recovered.as_ref(), "no step of a run has verified a recovery"),
        figure("MTTD, from the failure to its detection", times.to_detect(), &times, false),
        figure("MTTA, from the detection to the first response", times.to_acknowledge(), &times, false),
        figure("MTTR, from the failure to verified recovery", times.to_recover(), &times, true),
    ];
    if let (None, Some(took)) = (times.to_recover(), times.from_detection_to_recovery()) {
        lines.push(format!("From the detection to verified recovery, which is not the MTTR: **{}**", duration(took)));
    }
    lines
}

fn moment(name: &str, seen: Option<&Seen>, missing: &str) -> String {
    match seen {
        Some(seen) => format!("{name}: {} ({})", stamp(seen.at), text(&seen.source)),
        None => format!("{name}: not known, because {missing}"),
    }
}

fn figure(name: &str, span: Option<Duration>, times: &Times, to_recovery: bool) -> String {
    if let Some(span) = span {
        return format!("{name}: **{}**", duration(span));
    }
    let why = match (to_recovery, &times.recovered, &times.failure) {
        (true, None, _) => "recovery is not verified",
        (_, _, None) if !name.starts_with("MTTA") => "when it failed is not known",
        _ => "nobody has responded",
    };
    format!("{name}: not known, because {why}")
}

/// The deadline, and the scenario's own objective where somebody answered for another.
pub fn rto(record: &Record) -> Vec<String> {
    let state = &record.state;
    let (clock, from) = (times::clock(state, record.at), &state.deadline.from);
    let rto = state.kind.scenario.rto.0;
    let since = format!("from {} ({})", stamp(from.at), text(&from.source));
    let end = if state.recovered.is_some() {
        "until recovery was verified"
    } else if state.closed.is_some() {
        "until it was closed, with recovery not verified"
    } else {
        "so far, with recovery not verified"
    };
    let mut lines = vec![format!(
        "RTO: {} {since}; used: {} {end}. {}",
        duration(rto),
        duration(clock.used),
        kept(clock.used, rto)
    )];
    if let Some((by, reason)) = &state.deadline.moved {
        lines.push(format!(
            "Deadline: {} answered for {} ({} {since}): {}. {}",
            person(&by.name),
            stamp(clock.due),
            duration(clock.whole),
            text(reason).trim_end_matches('.'),
            kept(clock.used, clock.whole)
        ));
    }
    lines
}

fn kept(used: Duration, limit: Duration) -> String {
    match used.checked_sub(limit).filter(|over| !over.is_zero()) {
        Some(over) => format!("**Breached by {}.**", duration(over)),
        None => format!("{} were left.", duration(limit.saturating_sub(used))),
    }
}

pub fn rpo(state: &State) -> String {
    format!("RPO: {} of data may be lost", duration(state.kind.scenario.rpo.0))
}

pub fn loss_unmeasured(record: &Record) -> String {
    let why = if record.runs.is_empty() { "nothing was run" } else { "no run measured it" };
    format!("Data lost: unknown, because {why}")
}

pub fn loss(state: &run::state::State, verdict: Verdict) -> String {
    let measured = super::loss(state).unwrap_or_default();
    let verdict = match verdict {
        Verdict::Within => "Within the RPO.".to_owned(),
        Verdict::Over { by, at_least: false } => format!("**Over the RPO by {}.**", duration(by)),
        Verdict::Over { by, at_least: true } => format!("**Over the RPO by at least {}.**", duration(by)),
        Verdict::Unknown => "Whether that is within the RPO is unknown.".to_owned(),
    };
    format!("{measured} Measured by {}. {verdict}", command_of(state))
}

// ---- impact and facts --------------------------------------------------------------------------------------------------

pub fn impact(record: &Record) -> Vec<String> {
    let state = &record.state;
    let target = state.opened.target.as_deref().map_or_else(to_be_written, text);
    let blank = |what: &str| format!("{what}: {}", to_be_written());
    vec![
        format!("What was hit: {target}"),
        blank("Who was affected, and how"),
        blank("What it cost"),
        blank("What customers and partners were told"),
    ]
}

/// What was seen that may have to do with the cause.
pub fn facts(record: &Record) -> Vec<String> {
    let state = &record.state;
    let mut lines = Vec::new();
    if let Because::Person { by, text: Some(said) } = &state.opened.because {
        lines.push(format!("{} said when opening it: {}", person(&by.name), text(said)));
    }
    lines.extend(state.alerts.values().map(|alert| {
        let until = alert.resolved_at.map_or_else(|| "not resolved".to_owned(), |at| format!("resolved {}", stamp(at)));
        format!("{}; since {}, {until}", alert_of(&alert.alert), stamp(alert.alert.starts_at))
    }));
    for run in &record.runs {
        lines.extend(run.journal.iter().filter_map(|entry| failed(run, &entry.event)));
    }
    lines
}

/// Names of alerts and where they come from; they bear no more labels by the time an incident has them.
pub(super) fn alert_of(alert: &AlertSeen) -> String {
    let summary = text(&alert.summary);
    let summary = if summary.is_empty() { String::new() } else { format!(": {summary}") };
    format!("alert {}{summary} (from {})", text(&alert.name), text(&alert.source))
}

fn failed(run: &Run, event: &RunEvent) -> Option<String> {
    let (step, attempt, message) = match event {
        RunEvent::StepFailed { step, attempt, message, .. } => (step, attempt, message),
        RunEvent::StepUnknown { step, attempt, reason } => (step, attempt, reason),
        _ => return None,
    };
    let name = run.state.step(step).map_or(step.as_str(), |step| step.definition.name.as_str());
    Some(format!("{}: {} (attempt {attempt}): {}", command_of(&run.state), text(name), text(message)))
}

pub fn closed_unverified(state: &State) -> Option<String> {
    let closed = state.closed.as_ref().filter(|_| state.recovered.is_none())?;
    let reason = closed.reason.as_deref().map_or_else(|| "no reason was given".to_owned(), text);
    Some(at(closed.at, &format!("{} closed it with recovery not verified: {reason}", person(&closed.by.name))))
}

// ---- waits -------------------------------------------------------------------------------------------------------------

/// What of the way to recovery went by waiting.
pub fn waited(record: &Record) -> Option<String> {
    let state = &record.state;
    let recovered = state.recovered.as_ref()?;
    let from = state.deadline.from.at;
    let total = waits::total(record, from, recovered.at);
    let whole = elapsed(from, recovered.at);
    Some(format!(
        "Of the {} until recovery was verified, {} went by waiting for people, {} of it with nothing else under way; \
         without that it took {}",
        duration(whole),
        duration(total.whole),
        duration(total.idle),
        duration(whole.saturating_sub(total.idle))
    ))
}

/// Whoever did something on an incident is known by name.
pub(super) fn by(event: &Event) -> String {
    event.by().map_or_else(|| "somebody".to_owned(), |by| person(&by.name))
}

// ---- answers -----------------------------------------------------------------------------------------------------------

/// Beside the files in the thread.
pub fn message(state: &State, by: &str) -> String {
    format!("📄 The post-mortem of incident {} so far, for {}.", state.id.short(), person(by))
}

pub fn posted(state: &State, channel: u64) -> String {
    format!(
        "The post-mortem of incident {} is in <#{channel}>: the draft in Markdown, and the timeline.",
        state.id.short()
    )
}

pub fn not_posted() -> String {
    "The post-mortem cannot be posted: Discord refuses it. `drbot postmortem` on the host writes it, too.".to_owned()
}

pub fn not_drawn_up() -> String {
    "The post-mortem cannot be drawn up: the journals cannot be read. The log says why.".to_owned()
}
