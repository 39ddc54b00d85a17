//! The timeline of an incident as one picture: what a channel sees when the incident is closed, and what goes with its
//! report. Values in, the bytes of a PNG out.
//!
//! What must stay true: it reads well on a telephone; no colour is the only sign of anything; whatever texts and times
//! it is given, it is drawn, in bounded time and memory. Nothing is held between two pictures: fonts are read from the
//! binary when one is drawn, and its 4 MB of pixels are freed after it.

mod bars;
mod budget;
mod canvas;
mod file;
mod flags;
mod font;
mod frame;
mod legend;
mod pages;
mod palette;
mod scale;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::Context;

use self::{canvas::Canvas, flags::Flags, font::Style, frame::Frame, pages::Pages, scale::Scale};
use super::words::picture as words;
use crate::clock::Timestamp;

/// What is drawn. Offsets, such as `+3:12`, count from `from`.
#[derive(Debug, Clone)]
pub struct Chart {
    pub title: String,
    pub subtitle: String,
    pub from: Timestamp,
    pub until: Timestamp,
    pub marks: Vec<Mark>,
    pub objective: Option<Objective>,
    /// One for each run, in the order in which they are shown.
    pub lanes: Vec<Lane>,
    pub pages: Vec<Dot>,
}

/// A moment that divides the incident: a line through the picture, with a flag.
#[derive(Debug, Clone)]
pub struct Mark {
    pub at: Timestamp,
    pub kind: MarkKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    Failure,
    Detected,
    Responded,
    Recovered,
    Closed,
}

/// How long the recovery may take.
#[derive(Debug, Clone)]
pub struct Objective {
    /// As people call it, such as `RTO`.
    pub name: String,
    pub limit: Duration,
    pub due_at: Timestamp,
    /// When the system was recovered; `None` while it is not.
    pub met_at: Option<Timestamp>,
}

impl Objective {
    /// How long the recovery took, or has taken when the picture ends.
    fn used(&self, until: Timestamp) -> Duration {
        let end = self.met_at.unwrap_or(until);
        let late = (end - self.due_at).to_std();
        let early = (self.due_at - end).to_std().unwrap_or_default();
        late.map_or_else(|_| self.limit.saturating_sub(early), |late| self.limit.saturating_add(late))
    }
}

/// A run and its steps.
#[derive(Debug, Clone)]
pub struct Lane {
    pub name: String,
    /// How it ended, in a word or two; may be empty.
    pub note: String,
    pub bars: Vec<Bar>,
}

#[derive(Debug, Clone)]
pub struct Bar {
    pub name: String,
    pub from: Timestamp,
    pub until: Timestamp,
    pub kind: BarKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarKind {
    Done,
    Failed,
    Skipped,
    Undone,
    Running,
    /// For an approval or an answer.
    Waiting,
}

/// A call for people, or their answer.
#[derive(Debug, Clone)]
pub struct Dot {
    pub at: Timestamp,
    /// The rung or the person, in few letters.
    pub label: String,
    pub kind: DotKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DotKind {
    Paged,
    Acknowledged,
    Unreachable,
}

/// Draws the chart, 1200 pixels wide and at most 900 high.
///
/// # Errors
/// When the fonts or the pixels cannot be had; nothing in `chart` is an error.
pub fn png(chart: &Chart) -> anyhow::Result<Vec<u8>> {
    file::encode(drawn(chart)?.pixels()).context("the picture cannot be written")
}

fn drawn(chart: &Chart) -> anyhow::Result<Canvas> {
    let fonts = font::Fonts::embedded().context("the embedded fonts cannot be read")?;
    let scale = Scale::of(chart);
    let flags = Flags::place(chart, &scale, &fonts);
    let pages = Pages::place(&chart.pages, &scale, &fonts);
    let legend = legend::place(chart, &fonts);
    let frame = Frame::of(chart, flags.height(), pages.height(), legend.height());
    let mut canvas = Canvas::new(frame.height, fonts).context("no memory for the picture")?;
    heading(&mut canvas, chart);
    if let (Some(objective), Some(top)) = (&chart.objective, frame.budget) {
        budget::draw(&mut canvas, objective, chart.until, top);
    }
    bars::bands(&mut canvas, &frame);
    scale.draw(&mut canvas, &frame);
    flags.draw_poles(&mut canvas, &frame);
    pages.draw(&mut canvas, &frame);
    bars::draw(&mut canvas, chart, &scale, &frame);
    flags.draw(&mut canvas, &frame);
    legend.draw(&mut canvas, frame.legend);
    Ok(canvas)
}

fn heading(canvas: &mut Canvas, chart: &Chart) {
    let room = frame::RIGHT - frame::LEFT;
    canvas.text(&chart.title, Style::bold(44.0, palette::TEXT), frame::LEFT, 70.0, room);
    canvas.text(&chart.subtitle, Style::regular(25.0, palette::MUTED), frame::LEFT, 108.0, room);
}
