//! The same facts as a picture.

use super::{
    Record, Run, actions, pages, waits,
    work::{self, End, Work},
};
use crate::{
    clock::Timestamp,
    incident::{event::Event, times},
    progress::{
        picture::{Bar, BarKind, Chart, Dot, DotKind, Lane, Mark, MarkKind, Objective},
        words::postmortem as words,
    },
    run::state::Undo,
};

pub fn chart(record: &Record) -> Chart {
    let state = &record.state;
    let marks = marks(record);
    let clock = times::clock(state, record.at);
    let from = marks.iter().map(|mark| mark.at).chain([state.opened_at, state.deadline.from.at]).min();
    let until = record.runs.iter().map(|run| run_end(record, run)).chain(marks.iter().map(|mark| mark.at)).max();
    let target = state.opened.target.as_deref().map(|target| format!(" on {target}")).unwrap_or_default();
    Chart {
        title: format!("{}{}{target}", if state.is_drill() { "[DRILL] " } else { "" }, state.kind.scenario.name),
        subtitle: words::subtitle(record),
        from: from.unwrap_or(state.opened_at),
        until: until.unwrap_or(record.at).max(record.end()),
        marks,
        objective: Some(Objective {
            name: words::objective(state).to_owned(),
            limit: clock.whole,
            due_at: clock.due,
            met_at: state.recovered.as_ref().map(|recovered| recovered.at),
        }),
        lanes: record.runs.iter().map(|run| lane(record, run)).collect(),
        pages: dots(record),
    }
}

fn marks(record: &Record) -> Vec<Mark> {
    let times = times::of(&record.state);
    let seen = [
        (MarkKind::Failure, times.failure.map(|seen| seen.at)),
        (MarkKind::Detected, Some(times.detected.at)),
        (MarkKind::Responded, times.responded.map(|seen| seen.at)),
        (MarkKind::Recovered, times.recovered.map(|seen| seen.at)),
        (MarkKind::Closed, record.state.closed.as_ref().map(|closed| closed.at)),
    ];
    seen.into_iter().filter_map(|(kind, at)| Some(Mark { at: at?, kind })).collect()
}

/// What goes on is drawn until the picture ends.
fn run_end(record: &Record, run: &Run) -> Timestamp {
    run.state.finished.as_ref().map_or_else(|| record.end().max(run.state.last_at), |finished| finished.at)
}

fn lane(record: &Record, run: &Run) -> Lane {
    let end = run_end(record, run);
    let steps = work::of(run).into_iter().map(|work| bar(run, &work, end));
    let waits = waits::of_run(run).into_iter().map(|wait| Bar {
        name: words::waits_for(&wait.on).to_owned(),
        from: wait.from,
        until: wait.until.unwrap_or(end),
        kind: BarKind::Waiting,
    });
    let mut bars: Vec<_> = steps.chain(waits).collect();
    bars.sort_by_key(|bar| bar.from);
    Lane { name: format!("/{}", run.state.created.command.name), note: words::ended(&run.state), bars }
}

fn bar(run: &Run, work: &Work, end: Timestamp) -> Bar {
    let step = words::attempt(&actions::name(run, &work.step), work.attempt);
    let is_undone = run.state.step(&work.step).is_some_and(|step| matches!(step.undo, Undo::Done { .. }));
    let kind = match work.end {
        End::None => BarKind::Running,
        End::Good if is_undone && !work.is_undo => BarKind::Undone,
        End::Good => BarKind::Done,
        End::Bad | End::Unknown => BarKind::Failed,
        End::Skipped => BarKind::Skipped,
    };
    let name = match (work.is_undo, work.end) {
        (true, _) => words::takes_back(&step),
        (false, End::Unknown) => words::unclear(&step),
        (false, _) => step,
    };
    Bar { name, from: work.from, until: work.until.unwrap_or(end), kind }
}

fn dots(record: &Record) -> Vec<Dot> {
    let kind = |is_reached: bool| if is_reached { DotKind::Paged } else { DotKind::Unreachable };
    let mut dots: Vec<Dot> = pages::of_runs(record)
        .map(|(entry, paged)| Dot {
            at: entry.at,
            label: words::paged_of_run(paged),
            kind: kind(!paged.called.is_empty()),
        })
        .collect();
    dots.extend(record.journal.iter().filter_map(|entry| match &entry.event {
        Event::Paged(paged) => {
            let is_reached = !paged.called.is_empty() || !paged.pages.is_empty() || !paged.roles.is_empty();
            Some(Dot { at: entry.at, label: words::paged(paged), kind: kind(is_reached) })
        }
        Event::Acknowledged { by, .. } => {
            Some(Dot { at: entry.at, label: words::acknowledged(&by.name), kind: DotKind::Acknowledged })
        }
        _ => None,
    }));
    dots.sort_by_key(|dot| dot.at);
    dots
}
