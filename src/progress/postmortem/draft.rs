//! The draft: sections in a fixed order, so that two post-mortems can be held beside each other.

use super::{Record, Run, actions, loss, pages, waits};
use crate::{clock::Timestamp, progress::words::postmortem as words, run};

/// How the lines of a section stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Paragraph,
    List,
    /// To be ticked off.
    Tasks,
}

/// The whole draft, in Markdown.
pub fn draft(record: &Record) -> String {
    let mut text = format!("# {}\n\n{}\n", one_line(&words::title(&record.state)), one_line(&words::preface(record)));
    for (heading, shape, lines) in sections(record) {
        text.push_str(&format!("\n## {heading}\n\n"));
        let (shape, lines) = if lines.is_empty() { (Shape::List, vec![words::nothing()]) } else { (shape, lines) };
        for line in lines {
            text.push_str(match shape {
                Shape::Paragraph => "",
                Shape::List => "- ",
                Shape::Tasks => "- [ ] ",
            });
            text.push_str(&one_line(&line));
            text.push('\n');
        }
    }
    text
}

/// A name that is written as `&commat;` is read as a mention by those who take Markdown for HTML.
fn one_line(line: &str) -> String {
    line.replace(['\n', '\r'], " ").replace('&', "\\&")
}

fn sections(record: &Record) -> Vec<(&'static str, Shape, Vec<String>)> {
    vec![
        ("Summary", Shape::Paragraph, vec![words::summary(record)]),
        ("Times", Shape::List, words::times(record)),
        ("Objectives", Shape::List, objectives(record)),
        ("Impact", Shape::List, words::impact(record)),
        ("Cause", Shape::Paragraph, vec![words::to_be_written()]),
        ("Contributing facts", Shape::List, words::facts(record)),
        ("Timeline", Shape::List, timeline(record)),
        ("Waits", Shape::List, waiting(record)),
        ("Not as planned", Shape::List, deviations(record)),
        ("Calls", Shape::List, calls(record)),
        ("What went well, and what did not", Shape::Paragraph, vec![words::to_be_written()]),
        ("Action items", Shape::Tasks, actions::of(record).iter().map(words::action).collect()),
    ]
}

fn objectives(record: &Record) -> Vec<String> {
    let mut lines = words::rto(record);
    lines.push(words::rpo(&record.state));
    let measured = loss::of(record);
    if measured.is_empty() {
        lines.push(words::loss_unmeasured(record));
    }
    lines.extend(measured.into_iter().map(|(run, verdict)| words::loss(&run.state, verdict)));
    lines
}

/// Every event, of the incident and of its runs, in the order of time.
fn timeline(record: &Record) -> Vec<String> {
    let mut lines: Vec<(Timestamp, String)> =
        record.journal.iter().map(|entry| (entry.at, words::event(entry))).collect();
    for Run { state, journal } in &record.runs {
        lines.extend(journal.iter().map(|entry| (entry.at, words::event_of_run(entry, state))));
    }
    // Stable: what was written in the same instant stays in the order of its journal.
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(at, line)| words::at(at, &line)).collect()
}

fn waiting(record: &Record) -> Vec<String> {
    let waits = waits::of(record);
    if waits.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<_> = waits.iter().map(|wait| words::wait(wait, record.at)).collect();
    lines.extend(words::waited(record));
    lines
}

/// What was skipped, overridden, taken back, or failed, and why.
fn deviations(record: &Record) -> Vec<String> {
    let changes = |kind: &str| ["scenario-changed", "deadline-moved", "relapsed"].contains(&kind);
    let mut lines: Vec<(Timestamp, String)> = record
        .journal
        .iter()
        .filter(|entry| changes(entry.event.kind()))
        .map(|entry| (entry.at, words::event(entry)))
        .collect();
    for Run { state, journal } in &record.runs {
        let odd = journal.iter().filter(|entry| is_odd(&entry.event));
        lines.extend(odd.map(|entry| (entry.at, words::event_of_run(entry, state))));
    }
    lines.sort_by_key(|(at, _)| *at);
    let mut lines: Vec<_> = lines.into_iter().map(|(at, line)| words::at(at, &line)).collect();
    lines.extend(words::closed_unverified(&record.state));
    lines
}

fn is_odd(event: &run::event::Event) -> bool {
    use run::event::{Choice, Event, SkipReason};
    match event {
        Event::StepSkipped { reason, .. } => matches!(reason, SkipReason::Person { .. }),
        Event::QuestionAnswered { choice, .. } => !matches!(choice, Choice::Answer(_)),
        Event::Finished { outcome, .. } => !outcome.is_success(),
        Event::StepFailed { .. }
        | Event::StepInterrupted { .. }
        | Event::StepNotDone { .. }
        | Event::StepUnknown { .. }
        | Event::GlassBroken(_)
        | Event::ApprovalDenied { .. }
        | Event::ApprovalWithdrawn { .. }
        | Event::ApprovalExpired { .. }
        | Event::ApprovalVoided { .. }
        | Event::ApprovalWaived { .. }
        | Event::CancelAsked { .. }
        | Event::UndoStarted { .. }
        | Event::UndoSucceeded { .. }
        | Event::UndoFailed { .. }
        | Event::Held { .. }
        | Event::Released { .. } => true,
        _ => false,
    }
}

fn calls(record: &Record) -> Vec<String> {
    let mut lines: Vec<(Timestamp, String)> =
        pages::of(record).iter().map(|page| (page.at, words::page(page))).collect();
    lines.extend(pages::of_runs(record).map(|(entry, paged)| (entry.at, words::page_of_run(paged))));
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(at, line)| words::at(at, &line)).collect()
}
