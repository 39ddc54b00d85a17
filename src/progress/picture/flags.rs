//! The moments that divide an incident, and its limit: poles through the picture, each with a flag that names it.
//!
//! What must stay true: no flag covers another, and no pole runs through a flag. A flag hangs to the right of its pole,
//! or to the left where the picture ends; of two that meet, the one whose pole the other's cloth would cross hangs lower.
//! Where each would cross the other's, one of the poles stands without its flag: its colour and place still tell.

use super::{
    Chart,
    canvas::{Canvas, area},
    font::{Fonts, Style},
    frame::{Frame, LEFT, RIGHT, small},
    palette::{self, Color},
    scale::Scale,
    words,
};

/// More moments than a chart has kinds for are drawn without their flags.
const MOST: usize = 8;
const HEIGHT: f32 = 33.0;
const APART: f32 = 38.0;
const SIZE: f32 = 24.0;
const PADDING: f32 = 10.0;

#[derive(Debug)]
struct Flag {
    x: f32,
    name: String,
    offset: String,
    color: Color,
    is_limit: bool,
    width: f32,
    is_left: bool,
    /// From the bottom.
    tier: usize,
    /// A pole alone.
    is_bare: bool,
}

impl Flag {
    fn left(&self) -> f32 {
        if self.is_left { self.x - self.width } else { self.x }
    }

    fn meets(&self, other: &Self) -> bool {
        self.left() < other.left() + other.width + 6.0 && other.left() < self.left() + self.width + 6.0
    }

    fn covers(&self, x: f32) -> bool {
        (self.left() - 6.0..self.left() + self.width + 6.0).contains(&x)
    }
}

#[derive(Debug)]
pub struct Flags {
    flags: Vec<Flag>,
    /// Where the time beyond the limit begins and ends.
    late: Option<(f32, f32)>,
}

impl Flags {
    pub fn place(chart: &Chart, scale: &Scale, fonts: &Fonts) -> Self {
        let mut flags: Vec<_> = chart
            .marks
            .iter()
            .take(MOST)
            .map(|mark| {
                let offset = words::offset(mark.at - chart.from);
                (scale.x(mark.at), words::mark(mark.kind).to_owned(), offset, palette::mark(mark.kind), false)
            })
            .collect();
        let limit = chart.objective.as_ref().filter(|objective| scale.shows(objective.due_at));
        flags.extend(limit.map(|objective| {
            let span = words::clock(objective.limit);
            (scale.x(objective.due_at), objective.name.clone(), span, palette::RED, true)
        }));
        let mut flags: Vec<_> = flags.into_iter().map(|flag| hang(flag, fonts)).collect();
        flags.sort_by(|one, other| one.x.total_cmp(&other.x));
        turn(&mut flags);
        raise(&mut flags);
        while let Some((index, _)) = fault(&flags) {
            flags[index].is_bare = true;
            flags[index].width = 0.0;
            raise(&mut flags);
        }
        let late = limit.map(|objective| (scale.x(objective.due_at), scale.x(objective.met_at.unwrap_or(chart.until))));
        Self { flags, late: late.filter(|(due, end)| due < end) }
    }

    pub fn height(&self) -> f32 {
        let tiers = self.flags.iter().map(|flag| flag.tier + 1).max().unwrap_or_default();
        small(tiers) * APART + 6.0
    }

    /// What is behind the bars.
    pub fn draw_poles(&self, canvas: &mut Canvas, frame: &Frame) {
        if let Some(late) = self
            .late
            .and_then(|(due, end)| area(due, frame.bands_top - 4.0, end - due, frame.axis - frame.bands_top + 4.0))
        {
            canvas.block(late, palette::RED.faint(46));
        }
        for flag in &self.flags {
            let width = if flag.is_limit { 4.0 } else { 3.0 };
            canvas.pole(flag.x, top(flag, frame) + HEIGHT - 2.0, frame.axis, width, flag.color, flag.is_limit);
        }
    }

    pub fn draw(&self, canvas: &mut Canvas, frame: &Frame) {
        for flag in &self.flags {
            if flag.is_bare {
                continue;
            }
            let (left, top) = (flag.left(), top(flag, frame));
            let Some(cloth) = area(left, top, flag.width, HEIGHT) else { continue };
            canvas.rounded(cloth, 4.0, palette::BAND);
            let pole = if flag.is_limit { 4.0 } else { 3.0 };
            canvas.pole(flag.x, top, top + HEIGHT, pole, flag.color, false);
            let (x, y) = (left + PADDING, top + 25.0);
            let room = flag.width - PADDING;
            let name = canvas.text(&flag.name, Style::bold(SIZE, flag.color), x, y, room);
            let offset = Style::regular(SIZE, palette::TEXT);
            canvas.text(&flag.offset, offset, x + name + 8.0, y, room - name);
        }
    }
}

fn hang((x, name, offset, color, is_limit): (f32, String, String, Color, bool), fonts: &Fonts) -> Flag {
    let name = fonts.fit(&name, Style::bold(SIZE, color), 200.0);
    let written = fonts.width(&name, Style::bold(SIZE, color)) + fonts.width(&offset, Style::regular(SIZE, color));
    let width = (written + 8.0 + PADDING * 2.0).ceil();
    let is_left = x + width > RIGHT;
    Flag { x, name, offset, color, is_limit, width, is_left, tier: 0, is_bare: false }
}

/// One that would hang over the pole of a flag to its right that hangs to the left hangs to the left, too: they would
/// cross each other's poles.
fn turn(flags: &mut [Flag]) {
    for index in (0..flags.len()).rev() {
        let (before, after) = flags.split_at_mut(index + 1);
        let Some(flag) = before.last_mut() else { continue };
        let crosses = after.iter().any(|other| other.is_left && flag.covers(other.x));
        flag.is_left |= crosses && flag.x - flag.width >= LEFT;
    }
}

/// Those that hang to the right from the last to the first, then those to the left from the first to the last: so the
/// pole of each that is already placed is beyond the cloth of the next, or below it.
fn raise(flags: &mut [Flag]) {
    flags.iter_mut().for_each(|flag| flag.tier = 0);
    let right = (0..flags.len()).rev().filter(|index| !flags[*index].is_left);
    let left = (0..flags.len()).filter(|index| flags[*index].is_left);
    let order: Vec<_> = right.chain(left).filter(|index| !flags[*index].is_bare).collect();
    for (count, index) in order.iter().enumerate() {
        let flag = &flags[*index];
        let below = order[..count].iter().map(|other| &flags[*other]);
        let tier = below.filter(|other| other.meets(flag) || flag.covers(other.x)).map(|other| other.tier + 1).max();
        flags[*index].tier = tier.unwrap_or_default();
    }
}

fn top(flag: &Flag, frame: &Frame) -> f32 {
    frame.flags.top + frame.flags.height - small(flag.tier + 1) * APART
}

/// The first flag that another one covers, or whose cloth another's pole runs through; and that other one.
fn fault(flags: &[Flag]) -> Option<(usize, usize)> {
    flags.iter().enumerate().filter(|(_, flag)| !flag.is_bare).find_map(|(index, flag)| {
        let (left, right) = (flag.left() + 1.0, flag.left() + flag.width - 1.0);
        let other = flags.iter().enumerate().filter(|(place, _)| *place != index).find(|(_, other)| {
            let is_crossed = left < other.x && other.x < right && other.tier > flag.tier;
            let other_right = other.left() + other.width;
            let is_covered = !other.is_bare && flag.tier == other.tier && left < other_right && other.left() < right;
            is_crossed || is_covered
        });
        Some((index, other?.0))
    })
}

#[cfg(test)]
impl Flags {
    /// A flag that is covered or crossed, and by which.
    pub fn fault(&self) -> Option<(&str, &str)> {
        let name = |index: usize| self.flags[index].name.as_str();
        fault(&self.flags).map(|(flag, other)| (name(flag), name(other)))
    }

    /// How many poles stand without a flag.
    pub fn bare(&self) -> usize {
        self.flags.iter().filter(|flag| flag.is_bare).count()
    }
}
