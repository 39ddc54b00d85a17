//! What the parts of the picture draw with: rectangles, lines, hatchings and letters on one sheet of pixels.

use tiny_skia::{
    FillRule, FilterQuality, LineCap, Paint, Path, PathBuilder, Pattern, Pixmap, PixmapRef, Rect, SpreadMode, Stroke,
    Transform,
};

use super::{
    font::{Fonts, Style},
    frame::WIDTH,
    palette::{self, Color},
};

pub struct Canvas {
    pixmap: Pixmap,
    pub fonts: Fonts,
}

/// Which way the lines of a hatching lean, besides their colour another sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hatch {
    Rising,
    Falling,
}

/// The edge of the square that a hatching repeats.
const TILE: f32 = 14.0;

impl Canvas {
    /// `None` when there is no memory for it.
    pub fn new(height: u32, fonts: Fonts) -> Option<Self> {
        let mut pixmap = Pixmap::new(WIDTH, height)?;
        let [red, green, blue] = palette::GROUND.rgb;
        pixmap.fill(tiny_skia::Color::from_rgba8(red, green, blue, 255));
        Some(Self { pixmap, fonts })
    }

    pub fn pixels(&self) -> PixmapRef<'_> {
        self.pixmap.as_ref()
    }

    /// The whole rectangle, to the pixel.
    pub fn block(&mut self, area: Rect, color: Color) {
        self.pixmap.fill_rect(area, &paint(color), Transform::identity(), None);
    }

    pub fn rounded(&mut self, area: Rect, radius: f32, color: Color) {
        self.fill(rounded(area, radius), color);
    }

    pub fn outlined(&mut self, area: Rect, radius: f32, color: Color) {
        let inner = area.inset(1.0, 1.0).unwrap_or(area);
        let stroke = Stroke { width: 2.0, ..Stroke::default() };
        if let Some(path) = rounded(inner, radius) {
            self.pixmap.stroke_path(&path, &paint(color), &stroke, Transform::identity(), None);
        }
    }

    pub fn hatched(&mut self, area: Rect, radius: f32, color: Color, hatch: Hatch) {
        let (Some(path), Some(tile)) = (rounded(area, radius), tile(color, hatch)) else { return };
        let shader =
            Pattern::new(tile.as_ref(), SpreadMode::Repeat, FilterQuality::Nearest, 1.0, Transform::identity());
        let paint = Paint { shader, ..Paint::default() };
        self.pixmap.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), None);
    }

    /// A line straight down, whole pixels wide; in dashes when it is `dashed`.
    pub fn pole(&mut self, x: f32, top: f32, bottom: f32, width: f32, color: Color, dashed: bool) {
        let (length, gap) = if dashed { (14.0, 8.0) } else { (bottom - top, 0.0) };
        let mut y = top;
        while y < bottom && length > 0.0 {
            if let Some(area) = area((x - width / 2.0).round(), y, width, length.min(bottom - y)) {
                self.block(area, color);
            }
            y += length + gap;
        }
    }

    pub fn circle(&mut self, x: f32, y: f32, radius: f32, color: Color) {
        self.fill(PathBuilder::from_circle(x, y, radius), color);
    }

    pub fn triangle(&mut self, x: f32, y: f32, radius: f32, color: Color) {
        let mut builder = PathBuilder::new();
        builder.move_to(x, y - radius);
        builder.line_to(x + radius, y + radius * 0.8);
        builder.line_to(x - radius, y + radius * 0.8);
        builder.close();
        self.fill(builder.finish(), color);
    }

    /// Writes as much as fits into `room`, on the line `y`; says how wide it became.
    pub fn text(&mut self, text: &str, style: Style, x: f32, y: f32, room: f32) -> f32 {
        let text = self.fonts.fit(text, style, room);
        self.fill(self.fonts.outline(&text, style, x, y), style.color);
        self.fonts.width(&text, style)
    }

    /// As [`Self::text`], ending at `x`.
    pub fn text_before(&mut self, text: &str, style: Style, x: f32, y: f32, room: f32) -> f32 {
        let text = self.fonts.fit(text, style, room);
        let width = self.fonts.width(&text, style);
        self.text(&text, style, x - width, y, room)
    }

    fn fill(&mut self, path: Option<Path>, color: Color) {
        if let Some(path) = path {
            self.pixmap.fill_path(&path, &paint(color), FillRule::Winding, Transform::identity(), None);
        }
    }

    pub fn cross(&mut self, x: f32, y: f32, radius: f32, width: f32, color: Color) {
        let mut builder = PathBuilder::new();
        for side in [-1.0, 1.0] {
            builder.move_to(x - radius, y - radius * side);
            builder.line_to(x + radius, y + radius * side);
        }
        self.stroke(builder.finish(), width, color);
    }

    pub fn tick(&mut self, x: f32, y: f32, radius: f32, width: f32, color: Color) {
        let mut builder = PathBuilder::new();
        builder.move_to(x - radius, y);
        builder.line_to(x - radius * 0.25, y + radius * 0.75);
        builder.line_to(x + radius, y - radius * 0.7);
        self.stroke(builder.finish(), width, color);
    }

    pub fn ring(&mut self, x: f32, y: f32, radius: f32, width: f32, color: Color) {
        self.stroke(PathBuilder::from_circle(x, y, radius), width, color);
    }

    fn stroke(&mut self, path: Option<Path>, width: f32, color: Color) {
        let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
        if let Some(path) = path {
            self.pixmap.stroke_path(&path, &paint(color), &stroke, Transform::identity(), None);
        }
    }
}

/// `None` for what has no area.
pub fn area(x: f32, y: f32, width: f32, height: f32) -> Option<Rect> {
    Rect::from_xywh(x, y, width, height)
}

fn paint(color: Color) -> Paint<'static> {
    let mut paint = Paint::default();
    let [red, green, blue] = color.rgb;
    paint.set_color_rgba8(red, green, blue, color.alpha);
    paint.anti_alias = true;
    paint
}

fn tile(color: Color, hatch: Hatch) -> Option<Pixmap> {
    let mut tile = Pixmap::new(14, 14)?;
    let mut builder = PathBuilder::new();
    // Three lines, so that the square's corners meet their neighbours'.
    for shift in [-TILE, 0.0, TILE] {
        let (from, to) = if hatch == Hatch::Rising { (TILE, 0.0) } else { (0.0, TILE) };
        builder.move_to(shift - TILE, from + (from - to));
        builder.line_to(shift + TILE * 2.0, to - (from - to));
    }
    let stroke = Stroke { width: 4.0, ..Stroke::default() };
    tile.stroke_path(&builder.finish()?, &paint(color), &stroke, Transform::identity(), None);
    Some(tile)
}

/// A rectangle whose corners are quarter circles.
fn rounded(area: Rect, radius: f32) -> Option<Path> {
    let radius = radius.min(area.width() / 2.0).min(area.height() / 2.0);
    let (left, top, right, bottom) = (area.left(), area.top(), area.right(), area.bottom());
    // What of the radius a Bézier's handle leaves for the best circle.
    let handle = radius * 0.447_7;
    let mut builder = PathBuilder::new();
    builder.move_to(left + radius, top);
    builder.line_to(right - radius, top);
    builder.cubic_to(right - handle, top, right, top + handle, right, top + radius);
    builder.line_to(right, bottom - radius);
    builder.cubic_to(right, bottom - handle, right - handle, bottom, right - radius, bottom);
    builder.line_to(left + radius, bottom);
    builder.cubic_to(left + handle, bottom, left, bottom - handle, left, bottom - radius);
    builder.line_to(left, top + radius);
    builder.cubic_to(left, top + handle, left + handle, top, left + radius, top);
    builder.close();
    builder.finish()
}
