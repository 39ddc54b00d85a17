//! Which part of the picture is where: from the top heading, budget, flags, pages, runs, axis and legend. All heights
//! follow from how much there is to show; what has no room within [`HIGHEST`] is counted in one line instead.

use super::{Chart, Lane};

pub const WIDTH: u32 = 1200;
/// Discord shrinks what is higher than wide.
const HIGHEST: f32 = 900.0;
const LOWEST: f32 = 520.0;

pub const LEFT: f32 = 36.0;
pub const RIGHT: f32 = 1164.0;
/// Names of runs stand left of it.
pub const PLOT_LEFT: f32 = 252.0;
pub const PLOT_RIGHT: f32 = 1152.0;

const MOST_LANES: usize = 14;
/// What letters need.
const LEAST: f32 = 29.0;
/// Between two bands.
const GAP: f32 = 8.0;
/// Between two of many.
const CLOSE: f32 = 4.0;
/// Above and below what is in a band.
const PADDING: f32 = 8.0;
const MORE: f32 = 32.0;
const AXIS: f32 = 82.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    pub top: f32,
    pub height: f32,
}

/// A run's band. When there is room, each of its steps has a row of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub band: Band,
    /// How high the row of one step is.
    pub step: f32,
    pub is_spread: bool,
}

#[derive(Debug)]
pub struct Frame {
    pub height: u32,
    pub budget: Option<f32>,
    pub flags: Band,
    /// Where the first band begins.
    pub bands_top: f32,
    pub pages: Option<Band>,
    /// For the first lanes of the chart.
    pub rows: Vec<Row>,
    /// Where it says how many lanes are not shown.
    pub more: Option<(f32, usize)>,
    pub nothing: Option<Band>,
    pub axis: f32,
    pub legend: f32,
}

impl Frame {
    pub fn of(chart: &Chart, flags: f32, pages: f32, legend: f32) -> Self {
        let heading = if chart.subtitle.is_empty() { 94.0 } else { 132.0 };
        let budget = chart.objective.is_some().then_some(heading);
        let flags = Band { top: heading + if budget.is_some() { 80.0 } else { 0.0 }, height: flags };
        let bands_top = flags.top + flags.height;
        let pages = (pages > 0.0).then_some(Band { top: bands_top, height: pages });
        let lanes_top = bands_top + pages.map_or(0.0, |band| band.height + GAP);
        let room = HIGHEST - lanes_top - AXIS - legend;
        let (rows, left_over) = rows(&chart.lanes, lanes_top, room);
        let mut bottom = rows.last().map_or(lanes_top, |row| row.band.top + row.band.height + GAP);
        let nothing = chart.lanes.is_empty().then_some(Band { top: lanes_top, height: 64.0 });
        bottom += nothing.map_or(0.0, |band| band.height + GAP);
        let more = (left_over > 0).then_some((bottom, left_over));
        bottom += if more.is_some() { MORE } else { 0.0 };
        let height = (bottom + AXIS + legend).clamp(LOWEST, HIGHEST);
        let axis = height - AXIS - legend;
        Self { height: whole(height), budget, flags, bands_top, pages, rows, more, nothing, axis, legend: axis + AXIS }
    }
}

/// The lanes that have room, and how many have none.
fn rows(lanes: &[Lane], top: f32, room: f32) -> (Vec<Row>, usize) {
    let counts: Vec<_> = lanes.iter().take(MOST_LANES).map(|lane| small(lane.bars.len().clamp(1, 50))).collect();
    let steps: f32 = counts.iter().sum();
    let around = (GAP + PADDING * 2.0) * small(counts.len());
    let step = ((room - around) / steps).min(44.0);
    if lanes.len() <= MOST_LANES && step >= LEAST {
        return (stack(top, GAP, counts.iter().map(|count| (count * step + PADDING * 2.0, step, true))), 0);
    }
    let crowded = LEAST + CLOSE;
    let needs = |count: usize| small(count) * crowded + if count < lanes.len() { MORE } else { 0.0 };
    let fitting = (1..=lanes.len().min(MOST_LANES)).rev().find(|count| needs(*count) <= room).unwrap_or(1);
    let more = if fitting < lanes.len() { MORE } else { 0.0 };
    let share = (room - more) / small(fitting);
    let gap = if share > 60.0 { GAP } else { CLOSE };
    let height = (share - gap).clamp(LEAST, 76.0);
    let step = height - if height >= 52.0 { PADDING * 2.0 } else { 6.0 };
    let bands = std::iter::repeat_n((height, step, false), fitting.min(lanes.len()));
    (stack(top, gap, bands), lanes.len().saturating_sub(fitting))
}

fn stack(top: f32, gap: f32, bands: impl Iterator<Item = (f32, f32, bool)>) -> Vec<Row> {
    let place = |top: &mut f32, (height, step, is_spread)| {
        let band = Band { top: *top, height };
        *top += height + gap;
        Some(Row { band, step, is_spread })
    };
    bands.scan(top, place).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
pub fn small(count: usize) -> f32 {
    count as f32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between the lowest and the highest")]
fn whole(height: f32) -> u32 {
    height.ceil() as u32
}
