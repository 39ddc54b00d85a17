//! Who was called, which way, whether it arrived, and who took it then.

use std::time::Duration;

use super::Record;
use crate::{
    clock::{Timestamp, elapsed},
    incident::{
        event::{Delivery, Entry, Event, PageTo, Paged},
        state::State,
    },
    run,
};

/// One call for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<'a> {
    pub at: Timestamp,
    pub paged: &'a Paged,
    /// What became of those that went another way than by a mention.
    pub sent: Vec<Sent<'a>>,
    pub taken: Taken<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sent<'a> {
    pub to: &'a PageTo,
    /// All that was heard of it, and how long after the call.
    pub heard: Vec<(&'a Delivery, Duration)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Taken<'a> {
    /// Somebody had it already.
    Held {
        by: String,
    },
    /// The first who took it behind the call, and how.
    By {
        event: &'a Event,
        after: Duration,
    },
    Nobody,
}

/// Of the incident, in order.
pub fn of(record: &Record) -> Vec<Page<'_>> {
    let mut state: Option<State> = None;
    let mut pages = Vec::new();
    for (index, entry) in record.journal.iter().enumerate() {
        if let Event::Paged(paged) = &entry.event {
            let rest = &record.journal[index + 1..];
            let holder = state.as_ref().and_then(State::holder).filter(|_| paged.ack.is_none());
            let taken = holder.map_or_else(|| taken(entry, rest), |by| Taken::Held { by: by.name.clone() });
            let sent = paged.pages.iter().map(|to| Sent { to, heard: heard(entry, to, rest) }).collect();
            pages.push(Page { at: entry.at, paged, sent, taken });
        }
        // The journal was replayed when the record was made.
        match &mut state {
            None => state = State::begin(entry).ok(),
            Some(state) => drop(state.apply(entry)),
        }
    }
    pages
}

/// Calls that runs made by themselves, before an incident was there.
pub fn of_runs(record: &Record) -> impl Iterator<Item = (&run::event::Entry, &run::event::Paged)> {
    record.runs.iter().flat_map(|run| &run.journal).filter_map(|entry| match &entry.event {
        run::event::Event::Paged(paged) => Some((entry, &**paged)),
        _ => None,
    })
}

/// What was heard of a page until the same contact was called the same way again.
fn heard<'a>(called: &Entry, to: &PageTo, rest: &'a [Entry]) -> Vec<(&'a Delivery, Duration)> {
    let again = |entry: &&Entry| matches!(&entry.event, Event::Paged(paged) if paged.pages.contains(to));
    let heard = rest.iter().take_while(|entry| !again(entry)).filter_map(|entry| match &entry.event {
        Event::Delivered { page, outcome } if page == to => Some((outcome, elapsed(called.at, entry.at))),
        _ => None,
    });
    heard.collect()
}

fn taken<'a>(called: &Entry, rest: &'a [Entry]) -> Taken<'a> {
    let takes = |entry: &&Entry| {
        matches!(
            entry.event,
            Event::Acknowledged { .. }
                | Event::Renewed { .. }
                | Event::RunJoined { .. }
                | Event::ScenarioChanged { .. }
                | Event::DeadlineMoved { .. }
        )
    };
    match rest.iter().find(takes) {
        Some(entry) => Taken::By { event: &entry.event, after: elapsed(called.at, entry.at) },
        None => Taken::Nobody,
    }
}

/// Who could not be reached, each once, in the order of the calls.
pub fn unreachable(record: &Record) -> Vec<String> {
    let of_incident = of(record).into_iter().flat_map(|page| page.paged.unreachable.clone());
    let of_runs = of_runs(record).flat_map(|(_, paged)| paged.unreachable.clone());
    let mut names: Vec<String> = Vec::new();
    for name in of_incident.chain(of_runs) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
