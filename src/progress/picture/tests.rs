//! What is where in the picture, looked at in its pixels. `target/tmp/timeline-*.png` are incidents to look at.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole pixels")]

use std::{
    collections::BTreeSet,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use super::{
    font::Fonts,
    samples::{at, breach, corruption, crowded, nobody, three_runs},
    *,
};

/// As an independent reader sees the file.
pub struct Picture {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Picture {
    pub fn read(file: &[u8]) -> Self {
        let mut reader = png::Decoder::new(Cursor::new(file)).read_info().expect("a PNG file");
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).expect("whole");
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        Self { width: info.width.try_into().unwrap(), height: info.height.try_into().unwrap(), bytes }
    }

    fn of(chart: &Chart) -> Self {
        Self::read(&png(chart).unwrap())
    }

    fn color(&self, x: usize, y: usize) -> [u8; 3] {
        let begin = (y * self.width + x) * 3;
        self.bytes[begin..begin + 3].try_into().unwrap()
    }

    /// The colours of a part of a row.
    fn row(&self, y: usize, from: usize, until: usize) -> BTreeSet<[u8; 3]> {
        (from..until).map(|x| self.color(x, y)).collect()
    }

    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }
}

fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target")).join("tmp")
}

#[test]
fn incidents_are_drawn_to_be_looked_at() {
    let folder = folder();
    fs::create_dir_all(&folder).unwrap();
    let charts = [
        ("corruption", corruption()),
        ("breach", breach()),
        ("nobody", nobody()),
        ("three-runs", three_runs()),
        ("crowded", crowded()),
    ];
    for (name, chart) in charts {
        let file = png(&chart).unwrap();
        fs::write(folder.join(format!("timeline-{name}.png")), &file).unwrap();
        let (width, height) = Picture::read(&file).size();
        assert!(width == 1200 && (520..=900).contains(&height), "{name}: {width} x {height}");
        assert!(file.len() < 300_000, "{name}: {} bytes are much for a telephone", file.len());
    }
}

/// With one run of one step, from a quarter to three quarters.
fn plain(kind: BarKind) -> Chart {
    let bars = vec![Bar { name: String::new(), from: at(25), until: at(75), kind }];
    let lanes = vec![Lane { name: String::new(), note: String::new(), bars }];
    let (from, until) = (at(0), at(100));
    let (title, subtitle) = (String::new(), String::new());
    Chart { title, subtitle, from, until, marks: Vec::new(), objective: None, lanes, pages: Vec::new() }
}

/// The middle row of the only bar.
fn bar_row(picture: &Picture, kind: BarKind) -> usize {
    let edge = (0..picture.height).find(|y| picture.color(702, *y) == palette::bar(kind).rgb);
    edge.expect("a bar in the middle") + 20
}

#[test]
fn a_bar_is_where_its_times_are() {
    let picture = Picture::of(&plain(BarKind::Done));
    let (row, green) = (bar_row(&picture, BarKind::Done), palette::bar(BarKind::Done).rgb);
    // A quarter and three quarters of the 900 pixels that begin at 252.
    assert_eq!(picture.row(row, 478, 926), BTreeSet::from([green]));
    assert!(!picture.row(row, 256, 476).contains(&green) && !picture.row(row, 928, 1150).contains(&green));
}

#[test]
fn what_a_bar_means_is_told_without_colours() {
    let flat = |kind| {
        let picture = Picture::of(&plain(kind));
        picture.row(bar_row(&picture, kind), 490, 910).len() == 1
    };
    assert!(flat(BarKind::Done));
    assert!(!flat(BarKind::Failed), "it bears a cross");
    assert!(!flat(BarKind::Waiting) && !flat(BarKind::Undone));
}

fn frame(chart: &Chart) -> Frame {
    let (fonts, scale) = (Fonts::embedded().unwrap(), Scale::of(chart));
    let pages = Pages::place(&chart.pages, &scale, &fonts).height();
    Frame::of(chart, Flags::place(chart, &scale, &fonts).height(), pages, legend::place(chart, &fonts).height())
}

#[test]
fn the_limit_is_a_red_line_at_its_time() {
    for (limit, x) in [(120, 702), (180, 927)] {
        let mut chart = plain(BarKind::Done);
        chart.until = at(240);
        chart.objective = samples::objective(limit, Some(210));
        let (picture, frame) = (Picture::of(&chart), frame(&chart));
        let plot = frame.bands_top as usize..frame.axis as usize;
        let reds = |x| plot.clone().filter(|y| picture.color(x, *y) == palette::RED.rgb).count();
        // In dashes.
        assert!(reds(x) * 10 > plot.len() * 5 && reds(x) < plot.len(), "{limit} s: {} of {}", reds(x), plot.len());
        assert_eq!((reds(x - 6), reds(x + 6)), (0, 0), "beside the line of {limit} s");
    }
}

#[test]
fn the_time_beyond_the_limit_is_shaded() {
    let (late, mut kept) = (breach(), breach());
    kept.objective = samples::objective(230, Some(210));
    // Between the last band and the axis.
    let color = |chart: &Chart, x| Picture::of(chart).color(x, frame(chart).axis as usize - 3);
    assert_eq!(color(&late, 665), palette::GROUND.rgb, "10 s before the limit");
    let [red, green, blue] = color(&late, 740);
    assert!(red > green + 20 && red > blue + 20, "10 s after it: {red} {green} {blue}");
    assert_eq!(color(&late, 1077), palette::GROUND.rgb, "10 s after the recovery");
    assert_eq!(color(&kept, 740), palette::GROUND.rgb, "where the limit was kept");
}

#[test]
fn what_no_font_has_is_one_box() {
    let fonts = Fonts::embedded().unwrap();
    let style = Style::bold(24.0, palette::TEXT);
    let width = |text: &str| fonts.width(text, style);
    assert_eq!(width("a😀漢字b"), width("a□b"));
    assert_eq!(width("\u{202e}a\0\u{200b}b\u{301}"), width("ab"));
    assert!(width("1111") == width("8888") && width("Ünïcode żółw Ω Ж") > 100.0);
    assert_eq!(fonts.fit("Restore beside", style, 100.0), "Restor…");
    assert_eq!(fonts.fit("Restore beside", style, 5.0), "");
}

#[test]
fn a_budget_says_what_was_used_or_exceeded() {
    let budget = |chart: Chart| {
        let objective = chart.objective.unwrap();
        words::budget(objective.used(chart.until), objective.limit, objective.met_at.is_some())
    };
    assert_eq!(budget(corruption()), "✓ 4:10 used · 25:50 left");
    assert_eq!(budget(breach()), "✗ 3:30 used · breached by 1:30");
    assert_eq!(budget(nobody()), "✗ 1:30:00 used · breached by 30:00 · not recovered");
}

#[test]
fn ticks_are_what_people_count_in() {
    let ticks = |seconds| {
        let scale = Scale::of(&Chart { until: at(seconds), ..plain(BarKind::Done) });
        scale.ticks().map(|(offset, _)| words::tick(offset, scale.step())).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(ticks(0), "0:00, 0:01");
    assert_eq!(ticks(285), "0:00, 1:00, 2:00, 3:00, 4:00");
    assert_eq!(ticks(5400), "0, 15 min, 30 min, 45 min, 1 h, 1 h 15, 1 h 30");
    assert_eq!(ticks(400_000), "0, 1 d, 2 d, 3 d, 4 d");
    assert_eq!(ticks(40_000_000), "0, 120 d, 240 d, 360 d");
}
