//! The runs: bars of steps, each on a row of its own where there is room, else one behind the other. A label stands in its
//! bar, or beside it, or, where neither has room, nowhere.

use tiny_skia::Rect;

use super::{
    Bar, BarKind, Chart, Lane,
    canvas::{Canvas, Hatch, area},
    font::Style,
    frame::{Band, Frame, LEFT, PLOT_LEFT, PLOT_RIGHT, RIGHT, Row, small},
    palette::{self, Color},
    scale::Scale,
    words,
};
use crate::clock::elapsed;

const SIZE: f32 = 22.0;
/// What is shorter is drawn this wide, so that it is seen.
const NARROWEST: f32 = 7.0;
/// A shortened name tells something when this much of it is left.
const TELLING: usize = 9;
/// In a lane whose steps share one row more are beyond what anybody can see.
const MOST: usize = 500;

/// The ground that a run, and the calls, stand on.
pub fn bands(canvas: &mut Canvas, frame: &Frame) {
    let bands = frame.pages.iter().chain(frame.nothing.iter()).copied();
    for Band { top, height } in bands.chain(frame.rows.iter().map(|row| row.band)) {
        if let Some(area) = area(LEFT - 12.0, top, RIGHT - LEFT + 24.0, height) {
            canvas.rounded(area, 8.0, palette::BAND);
        }
    }
}

pub fn draw(canvas: &mut Canvas, chart: &Chart, scale: &Scale, frame: &Frame) {
    for (lane, row) in chart.lanes.iter().zip(&frame.rows) {
        name(canvas, lane, row);
        for (bar, area) in areas(lane, row, scale) {
            fill(canvas, area, bar.kind);
            label(canvas, bar, area, row.is_spread);
        }
    }
    let quiet = Style::regular(SIZE, palette::MUTED);
    if let Some((top, count)) = frame.more {
        canvas.text(&words::more(count), quiet, LEFT + 10.0, top + 23.0, RIGHT);
    }
    if let Some(band) = frame.nothing {
        canvas.text(words::NO_RUN, quiet, LEFT + 10.0, band.top + 40.0, RIGHT);
    }
}

/// Where each bar of a lane is. Steps that share a row and go on at the same time have one half of it each.
fn areas<'a>(lane: &'a Lane, row: &Row, scale: &Scale) -> Vec<(&'a Bar, Rect)> {
    let bars: Vec<_> = lane.bars.iter().take(MOST).collect();
    let halves = if row.is_spread { None } else { halves(&bars) };
    let top = row.band.top + if row.is_spread { 8.0 } else { (row.band.height - row.step) / 2.0 };
    let place = |(index, bar): (usize, &'a Bar)| {
        let (left, right) = (scale.x(bar.from), scale.x(bar.until.max(bar.from)));
        let left = left.min(PLOT_RIGHT - NARROWEST);
        let (down, height) = match &halves {
            _ if row.is_spread => (small(index) * row.step + 2.0, row.step - 4.0),
            None => (0.0, row.step),
            Some(halves) => (if halves[index] { row.step / 2.0 + 1.0 } else { 0.0 }, row.step / 2.0 - 1.0),
        };
        Some((bar, area(left, top + down, (right - left).max(NARROWEST), height)?))
    };
    bars.iter().copied().enumerate().filter_map(place).collect()
}

/// Whether each is in the lower half; `None` when no two are at the same time.
fn halves(bars: &[&Bar]) -> Option<Vec<bool>> {
    let mut end = None;
    let lower = bars.iter().map(|bar| {
        let is_lower = end.is_some_and(|end| bar.from < end);
        if !is_lower {
            end = end.max(Some(bar.until));
        }
        is_lower
    });
    let lower: Vec<_> = lower.collect();
    lower.contains(&true).then_some(lower)
}

fn name(canvas: &mut Canvas, lane: &Lane, row: &Row) {
    let room = PLOT_LEFT - LEFT - 24.0;
    let Band { top, height } = row.band;
    let has_note = !lane.note.is_empty() && height >= 62.0;
    let first = if row.is_spread && height > 70.0 {
        top + 36.0
    } else {
        top + height / 2.0 + 8.0 - if has_note { 14.0 } else { 0.0 }
    };
    canvas.text(&lane.name, Style::bold(24.0, palette::TEXT), LEFT + 10.0, first, room);
    if has_note {
        canvas.text(&lane.note, Style::regular(22.0, palette::MUTED), LEFT + 10.0, first + 29.0, room);
    }
}

pub fn fill(canvas: &mut Canvas, area: Rect, kind: BarKind) {
    let color = palette::bar(kind);
    match kind {
        BarKind::Done | BarKind::Failed => canvas.rounded(area, 5.0, color),
        BarKind::Waiting => hatched(canvas, area, color, Hatch::Rising),
        BarKind::Undone => hatched(canvas, area, color, Hatch::Falling),
        BarKind::Skipped => {
            canvas.rounded(area, 5.0, palette::BAND);
            canvas.outlined(area, 5.0, color);
        }
        BarKind::Running => {
            canvas.rounded(area, 5.0, palette::BAND);
            canvas.rounded(area, 5.0, color.faint(110));
            canvas.outlined(area, 5.0, color);
        }
    }
}

fn hatched(canvas: &mut Canvas, area: Rect, color: Color, hatch: Hatch) {
    canvas.rounded(area, 5.0, palette::BAND);
    canvas.rounded(area, 5.0, color.faint(40));
    canvas.hatched(area, 5.0, color.faint(150), hatch);
    canvas.outlined(area, 5.0, color);
}

fn label(canvas: &mut Canvas, bar: &Bar, area: Rect, is_spread: bool) {
    if area.height() < 22.0 {
        return sign(canvas, area, bar.kind);
    }
    let is_solid = matches!(bar.kind, BarKind::Done | BarKind::Failed);
    let text = format!("{}{}", words::sign(bar.kind), bar.name);
    let style = Style::bold(SIZE, if is_solid { palette::INK } else { palette::TEXT });
    let y = area.top() + area.height() / 2.0 + 8.0;
    let shown = canvas.fonts.fit(&text, style, area.width() - 20.0);
    let is_whole = !shown.ends_with('…') && area.width() > 24.0;
    if is_spread && !is_whole {
        sign(canvas, area, bar.kind);
        beside(canvas, bar, &text, area, y);
    } else if is_whole || shown.chars().count() >= TELLING {
        let took = format!("{text}  {}", words::took(elapsed(bar.from, bar.until)));
        let has_room = is_spread && !bar.name.is_empty() && canvas.fonts.width(&took, style) + 20.0 <= area.width();
        let shown = if has_room { took } else { shown };
        let width = canvas.fonts.width(&shown, style);
        if !is_solid && width > 0.0 {
            plate(canvas, area.left() + 10.0, y, width);
        }
        canvas.text(&shown, style, area.left() + 10.0, y, width + 1.0);
    } else {
        sign(canvas, area, bar.kind);
    }
}

/// What a bar has in its middle when no label is in it.
pub fn sign(canvas: &mut Canvas, area: Rect, kind: BarKind) {
    let radius = (area.height() / 4.0).min(6.0);
    if kind == BarKind::Failed && area.width() > radius * 4.0 {
        let (x, y) = (area.left() + area.width() / 2.0, area.top() + area.height() / 2.0);
        canvas.cross(x, y, radius, 3.0, palette::INK);
    }
}

/// On the side that has room for all of it, to the right when both have; with how long the step took, unless that takes
/// the room of its name.
fn beside(canvas: &mut Canvas, bar: &Bar, text: &str, area: Rect, y: f32) {
    let (strong, quiet) = (Style::regular(SIZE, palette::TEXT), Style::regular(SIZE, palette::MUTED));
    let (right, left) = (PLOT_RIGHT - area.right() - 18.0, area.left() - PLOT_LEFT - 18.0);
    let name = canvas.fonts.width(text, strong);
    let mut took = words::took(elapsed(bar.from, bar.until));
    let mut rest = if took.is_empty() { 0.0 } else { canvas.fonts.width(&took, quiet) + 10.0 };
    if name + rest > right.max(left) {
        (took, rest) = (String::new(), 0.0);
    }
    let is_right = name + rest <= right || right >= left;
    let room = if is_right { right } else { left } - rest;
    let text = canvas.fonts.fit(text, strong, room);
    let width = canvas.fonts.width(&text, strong) + rest;
    let x = if is_right { area.right() + 10.0 } else { area.left() - 10.0 - width };
    plate(canvas, x, y, width);
    let written = canvas.text(&text, strong, x, y, room);
    canvas.text(&took, quiet, x + written + 10.0, y, rest);
}

/// A ground for letters, so that no line runs through them.
fn plate(canvas: &mut Canvas, x: f32, y: f32, width: f32) {
    if let Some(area) = area(x - 4.0, y - 20.0, width + 8.0, 26.0) {
        canvas.rounded(area, 4.0, palette::BAND.faint(215));
    }
}
