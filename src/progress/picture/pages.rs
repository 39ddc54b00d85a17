//! Who was called when, and who answered: signs on a lane of their own. Labels hang below them in two lines; a label that
//! has room in neither is left out, its sign never.

use super::{
    Dot, DotKind,
    canvas::{Canvas, area},
    font::{Fonts, Style},
    frame::{Frame, LEFT, PLOT_LEFT, RIGHT, small},
    palette,
    scale::Scale,
    words,
};

const SIZE: f32 = 23.0;
const LINE: f32 = 28.0;
const LINES: usize = 2;
/// More would be one stain, and labels are for some.
const MOST: usize = 200;
const WIDEST: f32 = 190.0;

#[derive(Debug)]
struct Placed {
    x: f32,
    kind: DotKind,
    label: Option<(String, f32, usize)>,
}

#[derive(Debug)]
pub struct Pages {
    dots: Vec<Placed>,
    lines: usize,
}

impl Pages {
    pub fn place(dots: &[Dot], scale: &Scale, fonts: &Fonts) -> Self {
        let mut dots: Vec<_> = dots.iter().take(MOST).map(|dot| (scale.x(dot.at), dot)).collect();
        dots.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let mut ends = [0.0_f32; LINES];
        let mut lines = 0;
        let mut place = |(x, dot): (f32, &Dot)| {
            let style = Style::regular(SIZE, palette::TEXT);
            let text = fonts.fit(&dot.label, style, WIDEST);
            let width = fonts.width(&text, style);
            let centre = (x - width / 2.0).min(RIGHT - width).max(PLOT_LEFT - 40.0);
            let room = free(&ends, centre, x).filter(|_| !text.is_empty());
            if let Some((line, left)) = room {
                ends[line] = left + width + 12.0;
                lines = lines.max(line + 1);
            }
            Placed { x, kind: dot.kind, label: room.map(|(line, left)| (text, left, line)) }
        };
        let dots = dots.into_iter().map(&mut place).collect();
        Self { dots, lines }
    }

    /// Zero when there is nothing to show.
    pub fn height(&self) -> f32 {
        if self.dots.is_empty() { 0.0 } else { 48.0 + LINE * small(self.lines) }
    }

    pub fn draw(&self, canvas: &mut Canvas, frame: &Frame) {
        let Some(band) = frame.pages else { return };
        canvas.text(
            words::PAGES,
            Style::bold(24.0, palette::TEXT),
            LEFT + 10.0,
            band.top + 34.0,
            PLOT_LEFT - LEFT - 24.0,
        );
        let style = Style::regular(SIZE, palette::TEXT);
        for dot in &self.dots {
            if dot.label.as_ref().is_some_and(|(_, _, line)| *line > 0) {
                canvas.pole(dot.x, band.top + 30.0, band.top + 70.0, 2.0, palette::MUTED, false);
            }
        }
        for dot in &self.dots {
            if let Some((text, left, line)) = &dot.label {
                let y = band.top + 62.0 + LINE * small(*line);
                let width = canvas.fonts.width(text, style);
                if let Some(plate) = area(left - 4.0, y - 21.0, width + 8.0, 27.0) {
                    canvas.rounded(plate, 4.0, palette::BAND);
                }
                canvas.text(text, style, *left, y, width);
            }
        }
        for dot in &self.dots {
            sign(canvas, dot.kind, dot.x, band.top + 24.0);
        }
    }
}

/// The first line that is free where the label belongs, or else free so near that it still begins before its sign's
/// middle.
fn free(ends: &[f32], centre: f32, x: f32) -> Option<(usize, f32)> {
    let as_it_is = ends.iter().position(|end| *end <= centre).map(|line| (line, centre));
    as_it_is.or_else(|| ends.iter().position(|end| *end <= x - 8.0).map(|line| (line, ends[line])))
}

/// Each kind has a shape of its own.
pub fn sign(canvas: &mut Canvas, kind: DotKind, x: f32, y: f32) {
    let color = palette::dot(kind);
    match kind {
        DotKind::Paged => {
            canvas.triangle(x, y, 17.0, palette::BAND);
            canvas.triangle(x, y, 13.0, color);
        }
        DotKind::Acknowledged => {
            canvas.circle(x, y, 15.0, palette::BAND);
            canvas.circle(x, y, 12.0, color);
            canvas.tick(x, y, 6.0, 3.0, palette::INK);
        }
        DotKind::Unreachable => {
            canvas.circle(x, y, 15.0, palette::BAND);
            canvas.ring(x, y, 10.5, 3.0, color);
            canvas.cross(x, y, 4.0, 3.0, color);
        }
    }
}
