//! How much of the time that a recovery may take was used: the first thing that is looked at, so the first in the picture.

use super::{
    Objective,
    canvas::{Canvas, Hatch, area},
    font::Style,
    frame::{LEFT, RIGHT},
    palette, words,
};
use crate::clock::Timestamp;

const HEIGHT: f32 = 22.0;

pub fn draw(canvas: &mut Canvas, objective: &Objective, until: Timestamp, top: f32) {
    let used = objective.used(until);
    let is_late = used > objective.limit;
    let (limit, taken) = (objective.limit.as_secs_f32(), used.as_secs_f32());
    let is_met = objective.met_at.is_some();
    let spent = palette::budget(share(taken, limit), is_met && !is_late);
    let color = if is_late { palette::RED } else { spent };
    let verdict = words::budget(used, objective.limit, is_met);
    let baseline = top + 26.0;
    let width = canvas.text_before(&verdict, Style::bold(28.0, color), RIGHT, baseline, 860.0);
    let name = format!("{} {}", objective.name, words::clock(objective.limit));
    canvas.text(&name, Style::bold(28.0, palette::TEXT), LEFT, baseline, RIGHT - LEFT - width - 24.0);

    let top = top + 40.0;
    let whole = RIGHT - LEFT;
    let Some(track) = area(LEFT, top, whole, HEIGHT) else { return };
    canvas.rounded(track, 6.0, palette::TRACK);
    let within = whole * if is_late { share(limit, taken) } else { share(taken, limit) };
    if is_late {
        canvas.rounded(track, 6.0, palette::RED.faint(110));
        canvas.hatched(track, 6.0, palette::RED, Hatch::Rising);
    }
    if let Some(bar) = area(LEFT, top, within.max(4.0), HEIGHT) {
        canvas.rounded(bar, 6.0, spent);
    }
    if is_late {
        canvas.pole(LEFT + within, top - 5.0, top + HEIGHT + 5.0, 4.0, palette::TEXT, false);
    }
}

/// Never more than the whole, and the whole of nothing.
fn share(part: f32, whole: f32) -> f32 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 1.0 }
}
