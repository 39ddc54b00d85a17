//! Colours on a dark ground like Discord's. The hues are those of Okabe and Ito, lightened for the ground, which people
//! with any sight of colours can tell apart; each also has a sign, a hatching or an outline of its own.

use super::{BarKind, DotKind, MarkKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color {
    pub rgb: [u8; 3],
    pub alpha: u8,
}

impl Color {
    /// The same, let through by this much of 255.
    pub const fn faint(self, alpha: u8) -> Self {
        Self { alpha, ..self }
    }
}

pub const GROUND: Color = rgb(0x1e, 0x1f, 0x22);
pub const BAND: Color = rgb(0x2b, 0x2d, 0x31);
pub const GRID: Color = rgb(0x3c, 0x3f, 0x46);
pub const TRACK: Color = rgb(0x45, 0x48, 0x50);
pub const TEXT: Color = rgb(0xf2, 0xf3, 0xf5);
pub const MUTED: Color = rgb(0xb5, 0xba, 0xc1);
/// Letters on a bright colour.
pub const INK: Color = rgb(0x11, 0x12, 0x14);

pub const RED: Color = rgb(0xff, 0x6b, 0x57);
const GREEN: Color = rgb(0x35, 0xc3, 0x94);
const BLUE: Color = rgb(0x66, 0xb9, 0xee);
const YELLOW: Color = rgb(0xf3, 0xcf, 0x4d);
const ORANGE: Color = rgb(0xf5, 0xa5, 0x3a);
const PURPLE: Color = rgb(0xdb, 0x97, 0xc6);

pub fn mark(kind: MarkKind) -> Color {
    match kind {
        MarkKind::Failure => ORANGE,
        MarkKind::Detected => YELLOW,
        MarkKind::Responded => BLUE,
        MarkKind::Recovered => GREEN,
        MarkKind::Closed => MUTED,
    }
}

pub fn bar(kind: BarKind) -> Color {
    match kind {
        BarKind::Done => GREEN,
        BarKind::Failed => RED,
        BarKind::Skipped => MUTED,
        BarKind::Undone => PURPLE,
        BarKind::Running => BLUE,
        BarKind::Waiting => YELLOW,
    }
}

pub fn dot(kind: DotKind) -> Color {
    match kind {
        DotKind::Paged => ORANGE,
        DotKind::Acknowledged => BLUE,
        DotKind::Unreachable => RED,
    }
}

/// `share` of the limit is used; `is_over` when no more will be.
pub fn budget(share: f32, is_over: bool) -> Color {
    if is_over || share < 0.75 { GREEN } else { YELLOW }
}

const fn rgb(red: u8, green: u8, blue: u8) -> Color {
    Color { rgb: [red, green, blue], alpha: 255 }
}
