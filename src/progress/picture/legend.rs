//! What the colours and shapes mean, of those that the picture has.

use super::{
    BarKind, Chart, DotKind, bars,
    canvas::{Canvas, area},
    font::{Fonts, Style},
    frame::{LEFT, RIGHT, small},
    pages, palette, words,
};

const SIZE: f32 = 22.0;
const LINE: f32 = 38.0;
const SWATCH: f32 = 30.0;

#[derive(Debug, Clone, Copy)]
enum Sign {
    Bar(BarKind),
    Dot(DotKind),
}

#[derive(Debug)]
pub struct Legend {
    /// With where each begins, and in which line.
    items: Vec<(Sign, f32, usize)>,
}

const BARS: [BarKind; 6] =
    [BarKind::Done, BarKind::Failed, BarKind::Undone, BarKind::Skipped, BarKind::Waiting, BarKind::Running];
const DOTS: [DotKind; 3] = [DotKind::Paged, DotKind::Acknowledged, DotKind::Unreachable];

pub fn place(chart: &Chart, fonts: &Fonts) -> Legend {
    let has_bar = |kind: &BarKind| chart.lanes.iter().flat_map(|lane| &lane.bars).any(|bar| bar.kind == *kind);
    let has_dot = |kind: &DotKind| chart.pages.iter().any(|dot| dot.kind == *kind);
    let bars = BARS.into_iter().filter(has_bar).map(Sign::Bar);
    let signs = bars.chain(DOTS.into_iter().filter(has_dot).map(Sign::Dot));
    let (mut x, mut line) = (LEFT, 0);
    let items = signs.map(|sign| {
        let width = SWATCH + 10.0 + fonts.width(name(sign), Style::regular(SIZE, palette::MUTED));
        if x + width > RIGHT {
            (x, line) = (LEFT, line + 1);
        }
        let left = x;
        x += width + 26.0;
        (sign, left, line)
    });
    Legend { items: items.collect() }
}

impl Legend {
    pub fn height(&self) -> f32 {
        self.items.last().map_or(0.0, |(_, _, line)| small(line + 1) * LINE) + 16.0
    }

    pub fn draw(&self, canvas: &mut Canvas, top: f32) {
        for (sign, x, line) in &self.items {
            let middle = top + small(*line) * LINE + 16.0;
            match sign {
                Sign::Bar(kind) => {
                    if let Some(swatch) = area(*x, middle - 10.0, SWATCH, 20.0) {
                        bars::fill(canvas, swatch, *kind);
                        bars::sign(canvas, swatch, *kind);
                    }
                }
                Sign::Dot(kind) => pages::sign(canvas, *kind, x + SWATCH / 2.0, middle),
            }
            let style = Style::regular(SIZE, palette::MUTED);
            canvas.text(name(*sign), style, x + SWATCH + 10.0, middle + 8.0, RIGHT);
        }
    }
}

fn name(sign: Sign) -> &'static str {
    match sign {
        Sign::Bar(kind) => words::bar(kind),
        Sign::Dot(kind) => words::dot(kind),
    }
}
