//! Whatever texts and times a chart holds: it is drawn, no larger than ever, and soon.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{font::Fonts, samples::at, tests::Picture, *};
use crate::runbook::hostile::few;

fn text() -> impl Strategy<Value = String> {
    let nasty = select(vec![
        "",
        "\0",
        "\u{1b}[2J",
        "\u{202e}",
        "\u{2066}",
        "\u{200b}",
        "\n",
        "\t",
        "e\u{301}",
        "😀",
        "👨\u{200d}👩",
        "漢字",
        "العربية",
        "\u{feff}",
        "\u{fffd}",
        "\u{ffff}",
        "…",
        "□",
        " ",
        "W",
        "i",
        "□□",
        "\u{e0041}",
        "<svg>",
        "&amp;",
    ]);
    let long = (select(vec!["W", "😀", "\u{202e}", "\u{301}", " ", "i"]), 200..10_000_usize);
    prop_oneof![
        4 => vec(nasty, 0..6).prop_map(|pieces| pieces.concat()),
        3 => ".{0,40}",
        1 => long.prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        6 => (-60..4000_i64).prop_map(at),
        2 => Just(at(0)),
        1 => (-400_000_000..400_000_000_i64).prop_map(at),
        1 => any::<i32>().prop_map(|nanos| at(0) + chrono::TimeDelta::nanoseconds(i64::from(nanos))),
        1 => select(vec![Timestamp::MIN_UTC, Timestamp::MAX_UTC, Timestamp::UNIX_EPOCH]),
    ]
}

fn bar() -> impl Strategy<Value = Bar> {
    use BarKind::*;
    let kind = select(vec![Done, Failed, Skipped, Undone, Running, Waiting]);
    (text(), time(), time(), kind).prop_map(|(name, from, until, kind)| Bar { name, from, until, kind })
}

fn lane() -> impl Strategy<Value = Lane> {
    (text(), text(), vec(bar(), 0..12)).prop_map(|(name, note, bars)| Lane { name, note, bars })
}

fn dot() -> impl Strategy<Value = Dot> {
    use DotKind::*;
    let kind = select(vec![Paged, Acknowledged, Unreachable]);
    (time(), text(), kind).prop_map(|(at, label, kind)| Dot { at, label, kind })
}

fn mark() -> impl Strategy<Value = Mark> {
    use MarkKind::*;
    let kind = select(vec![Failure, Detected, Responded, Recovered, Closed]);
    (time(), kind).prop_map(|(at, kind)| Mark { at, kind })
}

fn objective() -> impl Strategy<Value = Objective> {
    let limit = prop_oneof![Just(0), 1..100_000_u64, Just(u64::MAX)].prop_map(Duration::from_secs);
    (text(), limit, time(), proptest::option::of(time())).prop_map(|(name, limit, due_at, met_at)| Objective {
        name,
        limit,
        due_at,
        met_at,
    })
}

fn chart() -> impl Strategy<Value = Chart> {
    let head = (text(), text(), time(), time(), proptest::option::of(objective()));
    (head, vec(mark(), 0..12), vec(lane(), 0..20), vec(dot(), 0..30)).prop_map(
        |((title, subtitle, from, until, objective), marks, lanes, pages)| Chart {
            title,
            subtitle,
            from,
            until,
            marks,
            objective,
            lanes,
            pages,
        },
    )
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn whatever_it_holds_a_chart_is_drawn(chart in chart()) {
        let canvas = drawn(&chart).unwrap();
        let (width, height) = (canvas.pixels().width(), canvas.pixels().height());
        prop_assert!(width == 1200 && (500..=900).contains(&height), "{width} x {height}");
    }

    #[test]
    fn what_fits_is_no_wider_than_its_room(text in text(), room in 0.0..1200.0_f32, size in 18.0..50.0_f32) {
        let fonts = Fonts::embedded().unwrap();
        let style = Style::bold(size, palette::TEXT);
        let fitting = fonts.fit(&text, style, room);
        prop_assert!(fonts.width(&fitting, style) <= room + 0.01, "{fitting:?} in {room}");
        prop_assert!(fitting.chars().count() <= 200);
        prop_assert!(!fitting.contains(|letter: char| letter.is_control() || crate::progress::outside::is_unseen(letter)));
    }

    #[test]
    fn ticks_are_few_and_apart(from in time(), until in time()) {
        let chart = Chart { title: String::new(), subtitle: String::new(), from, until, marks: Vec::new(), objective: None, lanes: Vec::new(), pages: Vec::new() };
        let scale = Scale::of(&chart);
        let places: Vec<_> = scale.ticks().map(|(_, at)| scale.x(at)).collect();
        prop_assert!((1..=8).contains(&places.len()), "{places:?}");
        prop_assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 120.0), "{places:?}");
    }

    #[test]
    fn flags_cover_neither_each_other_nor_a_pole(seconds in vec(0..1000_i64, 0..6), due in 0..1500_i64) {
        let mut chart = Chart {
            title: String::new(), subtitle: String::new(), from: at(0), until: at(1000), marks: Vec::new(),
            objective: Some(Objective { name: "RTO".to_owned(), limit: Duration::from_secs(600), due_at: at(due), met_at: None }),
            lanes: Vec::new(), pages: Vec::new(),
        };
        let kinds = [MarkKind::Failure, MarkKind::Detected, MarkKind::Responded, MarkKind::Recovered, MarkKind::Closed];
        chart.marks = seconds.into_iter().zip(kinds).map(|(seconds, kind)| Mark { at: at(seconds), kind }).collect();
        let flags = Flags::place(&chart, &Scale::of(&chart), &Fonts::embedded().unwrap());
        prop_assert_eq!(flags.fault(), None);
        // Few poles lose their flags, however the moments lie.
        prop_assert!(flags.bare() <= 1, "{} without a flag", flags.bare());
    }
}

#[test]
fn a_hundred_thousand_of_everything_take_no_more_room() {
    let many = 100_000;
    let bar = Bar { name: "x".repeat(10_000), from: at(0), until: at(5), kind: BarKind::Done };
    let chart = Chart {
        title: "t".repeat(1 << 20),
        subtitle: "\u{202e}".repeat(1 << 20),
        from: at(0),
        until: at(10),
        marks: vec![Mark { at: at(3), kind: MarkKind::Detected }; many],
        objective: None,
        lanes: vec![Lane { name: String::new(), note: String::new(), bars: vec![bar; 50] }; 2000],
        pages: vec![Dot { at: at(4), label: "page".to_owned(), kind: DotKind::Paged }; many],
    };
    assert_eq!(Picture::read(&png(&chart).unwrap()).size(), (1200, 900));
}
