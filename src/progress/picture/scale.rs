//! Where a moment is in the picture, and which moments are named below it.

use super::{
    Chart,
    canvas::{Canvas, area},
    font::Style,
    frame::{Frame, PLOT_LEFT, PLOT_RIGHT},
    palette, words,
};
use crate::clock::Timestamp;

/// From one tick to the next, in pixels, at least: wide enough for a time of day.
const APART: f64 = 140.0;

const DAY: i64 = 86_400;

/// Steps that people count in, in seconds.
const STEPS: [i64; 22] = [
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
];

/// A limit that is not reached in the picture is shown when the picture grows by no more than this for it.
const WIDER: i64 = 2;

#[derive(Debug, Clone, Copy)]
pub struct Scale {
    from: Timestamp,
    /// In milliseconds, never below a second.
    span: i64,
}

impl Scale {
    pub fn of(chart: &Chart) -> Self {
        let from = chart.from.min(chart.until);
        let shown = (chart.from.max(chart.until) - from).num_milliseconds();
        let due = chart.objective.as_ref().map_or(0, |objective| (objective.due_at - from).num_milliseconds());
        let span = if due > shown && due / WIDER <= shown { due + due / 12 } else { shown };
        Self { from, span: span.max(1000) }
    }

    /// Between the edges of the plot, whatever the moment.
    #[expect(clippy::cast_possible_truncation, reason = "a pixel")]
    pub fn x(&self, at: Timestamp) -> f32 {
        let share = float((at - self.from).num_milliseconds()) / float(self.span);
        (f64::from(PLOT_LEFT) + f64::from(PLOT_RIGHT - PLOT_LEFT) * share.clamp(0.0, 1.0)) as f32
    }

    /// Whether the picture shows this moment at all.
    pub fn shows(&self, at: Timestamp) -> bool {
        (0..=self.span).contains(&(at - self.from).num_milliseconds())
    }

    /// In seconds: the first of [`STEPS`] that leaves room between two ticks; beyond them as many months as it takes.
    pub fn step(&self) -> i64 {
        let least = float(self.span) / 1000.0 * APART / f64::from(PLOT_RIGHT - PLOT_LEFT);
        let step = STEPS.into_iter().find(|step| float(*step) >= least);
        step.unwrap_or_else(|| {
            let mut step = 60 * DAY;
            while float(step) < least {
                step *= 2;
            }
            step
        })
    }

    pub fn ticks(&self) -> impl Iterator<Item = (i64, Timestamp)> {
        let (from, step) = (self.from, self.step());
        (0..=self.span / 1000 / step).filter_map(move |count| {
            let offset = count * step;
            Some((offset, from.checked_add_signed(chrono::TimeDelta::try_seconds(offset)?)?))
        })
    }

    pub fn draw(&self, canvas: &mut Canvas, frame: &Frame) {
        let (strong, weak) = (Style::bold(24.0, palette::TEXT), Style::regular(22.0, palette::MUTED));
        if let Some(axis) = area(PLOT_LEFT, frame.axis, PLOT_RIGHT - PLOT_LEFT, 2.0) {
            canvas.block(axis, palette::TRACK);
        }
        let step = self.step();
        for (offset, at) in self.ticks() {
            let x = self.x(at);
            canvas.pole(x, frame.bands_top, frame.axis + 8.0, 2.0, palette::GRID, false);
            centred(canvas, &words::tick(offset, step), strong, x, frame.axis + 36.0);
            centred(canvas, &words::time_of_day(at, self.span / 1000, step), weak, x, frame.axis + 64.0);
        }
    }
}

fn centred(canvas: &mut Canvas, text: &str, style: Style, x: f32, y: f32) {
    let width = canvas.fonts.width(text, style);
    let left = (x - width / 2.0).min(super::frame::RIGHT - width);
    canvas.text(text, style, left, y, width);
}

#[expect(clippy::cast_precision_loss, reason = "shares of a picture")]
fn float(number: i64) -> f64 {
    number as f64
}
