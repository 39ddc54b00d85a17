//! Letters: how wide a text is, how much of it fits, and its outline.
//!
//! Every text goes through [`Fonts::glyphs`], whatever it holds: what is unseen is left out, what the fonts lack becomes
//! one box, and of a very long text only the beginning is looked at.

use skrifa::{
    FontRef, GlyphId, MetadataProvider,
    charmap::Charmap,
    instance::{LocationRef, Size},
    metrics::GlyphMetrics,
    outline::{DrawSettings, OutlineGlyphCollection, OutlinePen},
};
use tiny_skia::{Path, PathBuilder};

use super::palette::Color;
use crate::progress::outside;

const REGULAR: &[u8] = include_bytes!("../../../assets/fonts/Inter-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../../assets/fonts/Inter-SemiBold.ttf");

/// No line of the picture holds as many.
const LONGEST: usize = 200;

#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub size: f32,
    pub color: Color,
    bold: bool,
}

impl Style {
    pub fn regular(size: f32, color: Color) -> Self {
        Self { size, color, bold: false }
    }

    pub fn bold(size: f32, color: Color) -> Self {
        Self { size, color, bold: true }
    }
}

pub struct Fonts {
    regular: Face,
    bold: Face,
}

struct Face {
    font: FontRef<'static>,
    charmap: Charmap<'static>,
    outlines: OutlineGlyphCollection<'static>,
}

impl Face {
    fn read(bytes: &'static [u8]) -> anyhow::Result<Self> {
        let font = FontRef::new(bytes)?;
        Ok(Self { charmap: font.charmap(), outlines: font.outline_glyphs(), font })
    }
}

impl Fonts {
    pub fn embedded() -> anyhow::Result<Self> {
        Ok(Self { regular: Face::read(REGULAR)?, bold: Face::read(BOLD)? })
    }

    /// In pixels.
    pub fn width(&self, text: &str, style: Style) -> f32 {
        let metrics = self.metrics(style);
        self.glyphs(text, style).map(|(_, glyph)| advance(&metrics, glyph)).sum()
    }

    /// The text when it fits into `room`, else its beginning and `…`, else nothing.
    pub fn fit(&self, text: &str, style: Style, room: f32) -> String {
        let metrics = self.metrics(style);
        let sign = self.width("…", style);
        let (mut fitting, mut shortened, mut x) = (String::new(), 0, 0.0);
        for (letter, glyph) in self.glyphs(text, style) {
            x += advance(&metrics, glyph);
            if x > room {
                fitting.truncate(shortened);
                let begin = fitting.trim_end();
                return if begin.is_empty() { String::new() } else { format!("{begin}…") };
            }
            fitting.push(letter);
            if x + sign <= room {
                shortened = fitting.len();
            }
        }
        fitting
    }

    /// The outlines of all letters, beginning at `x` on the line `y`.
    pub fn outline(&self, text: &str, style: Style, x: f32, y: f32) -> Option<Path> {
        let metrics = self.metrics(style);
        let mut pen = Pen { builder: PathBuilder::new(), x, y };
        for (_, glyph) in self.glyphs(text, style) {
            let settings = DrawSettings::unhinted(Size::new(style.size), LocationRef::default());
            if let Some(outline) = self.face(style).outlines.get(glyph) {
                // What the font cannot draw leaves a gap.
                let _ = outline.draw(settings, &mut pen);
            }
            pen.x += advance(&metrics, glyph);
        }
        pen.builder.finish()
    }

    fn glyphs(&self, text: &str, style: Style) -> impl Iterator<Item = (char, GlyphId)> {
        let charmap = &self.face(style).charmap;
        let glyph = |letter: char| charmap.map(letter).map(|glyph| (letter, glyph));
        let mut in_gap = false;
        text.chars().take(LONGEST).filter_map(move |letter| {
            let letter = if matches!(letter, '\n' | '\r' | '\t') { ' ' } else { letter };
            if letter.is_control() || outside::is_unseen(letter) || is_mark(letter) {
                return None;
            }
            let known = glyph(letter);
            let is_first_gap = known.is_none() && !in_gap;
            in_gap = known.is_none();
            known.or_else(|| if is_first_gap { glyph('□') } else { None })
        })
    }

    fn face(&self, style: Style) -> &Face {
        if style.bold { &self.bold } else { &self.regular }
    }

    fn metrics(&self, style: Style) -> GlyphMetrics<'static> {
        self.face(style).font.glyph_metrics(Size::new(style.size), LocationRef::default())
    }
}

/// Marks that are put onto another letter, which the fonts cannot do: accents, chosen looks of a letter, colours of skin.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0100}'..='\u{e01ef}')
}

fn advance(metrics: &GlyphMetrics<'_>, glyph: GlyphId) -> f32 {
    metrics.advance_width(glyph).unwrap_or_default()
}

/// Fonts count upwards, pictures downwards.
struct Pen {
    builder: PathBuilder,
    x: f32,
    y: f32,
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.builder.move_to(self.x + x, self.y - y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.builder.line_to(self.x + x, self.y - y);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.builder.quad_to(self.x + cx, self.y - cy, self.x + x, self.y - y);
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        self.builder.cubic_to(self.x + ax, self.y - ay, self.x + bx, self.y - by, self.x + x, self.y - y);
    }

    fn close(&mut self) {
        self.builder.close();
    }
}
