//! Incidents to draw.

use chrono::TimeDelta;

use super::*;

/// `seconds` after 03:12:40, when all of these incidents begin.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp_secs(1_773_285_160).unwrap() + TimeDelta::seconds(seconds)
}

fn marks(times: [Option<i64>; 5]) -> Vec<Mark> {
    let kinds = [MarkKind::Failure, MarkKind::Detected, MarkKind::Responded, MarkKind::Recovered, MarkKind::Closed];
    kinds.into_iter().zip(times).filter_map(|(kind, seconds)| Some(Mark { at: at(seconds?), kind })).collect()
}

pub fn objective(limit: u64, met: Option<i64>) -> Option<Objective> {
    let due_at = at(i64::try_from(limit).unwrap());
    Some(Objective { name: "RTO".to_owned(), limit: Duration::from_secs(limit), due_at, met_at: met.map(at) })
}

fn bar(name: &str, from: i64, until: i64, kind: BarKind) -> Bar {
    Bar { name: name.to_owned(), from: at(from), until: at(until), kind }
}

fn lane(name: &str, note: &str, bars: Vec<Bar>) -> Lane {
    Lane { name: name.to_owned(), note: note.to_owned(), bars }
}

fn dot(seconds: i64, label: &str, kind: DotKind) -> Dot {
    Dot { at: at(seconds), label: label.to_owned(), kind }
}

pub fn corruption() -> Chart {
    let steps = vec![
        bar("Halt trading", 62, 65, BarKind::Done),
        bar("Choose the backup", 65, 69, BarKind::Done),
        bar("Prove the backup", 69, 88, BarKind::Done),
        bar("Restore beside the damaged database", 88, 141, BarKind::Done),
        bar("Approval", 92, 162, BarKind::Waiting),
        bar("Check what was restored", 162, 180, BarKind::Done),
        bar("Stop the trading bot", 180, 187, BarKind::Done),
        bar("Swap the databases", 187, 188, BarKind::Done),
        bar("Start the trading bot", 188, 214, BarKind::Done),
        bar("Compare portfolio and history", 214, 250, BarKind::Done),
    ];
    Chart {
        title: "Database corruption on prod".to_owned(),
        subtitle: "12 March 2026, 03:12 UTC · led by Dana · 0 records lost".to_owned(),
        from: at(0),
        until: at(285),
        marks: marks([Some(0), Some(12), Some(52), Some(250), Some(285)]),
        objective: objective(1800, Some(250)),
        lanes: vec![lane("/restore-db", "succeeded", steps)],
        pages: vec![dot(12, "Alert: Dana", DotKind::Paged), dot(52, "Dana", DotKind::Acknowledged)],
    }
}

pub fn breach() -> Chart {
    let steps = vec![
        bar("Look at the containers", 40, 46, BarKind::Done),
        bar("Restart the engine", 46, 95, BarKind::Failed),
        bar("Restart the engine, second attempt", 100, 158, BarKind::Done),
        bar("Start the database", 158, 181, BarKind::Done),
        bar("Warm the cache", 181, 181, BarKind::Skipped),
        bar("Start the trading bot", 181, 210, BarKind::Done),
    ];
    Chart {
        title: "Complete failure of prod".to_owned(),
        subtitle: "12 March 2026, 03:12 UTC · led by Omar".to_owned(),
        from: at(0),
        until: at(240),
        marks: marks([Some(0), Some(8), Some(34), Some(210), Some(240)]),
        objective: objective(120, Some(210)),
        lanes: vec![lane("/recover", "succeeded", steps)],
        pages: vec![
            dot(8, "Omar", DotKind::Paged),
            dot(34, "Omar", DotKind::Acknowledged),
            dot(60, "50 %: lead", DotKind::Paged),
            dot(90, "75 %: backup", DotKind::Paged),
            dot(108, "90 %: CTO", DotKind::Unreachable),
            dot(120, "100 %: all", DotKind::Paged),
        ],
    }
}

pub fn nobody() -> Chart {
    Chart {
        title: "API outage on prod".to_owned(),
        subtitle: "12 March 2026, 03:12 UTC · nobody has answered".to_owned(),
        from: at(0),
        until: at(5400),
        marks: marks([Some(0), Some(45), None, None, None]),
        objective: objective(3600, None),
        lanes: Vec::new(),
        pages: vec![
            dot(45, "First on call", DotKind::Paged),
            dot(1800, "50 %: Dana, Omar", DotKind::Paged),
            dot(2700, "75 %: lead", DotKind::Unreachable),
            dot(3240, "90 %: CTO", DotKind::Paged),
            dot(3600, "100 %: everybody", DotKind::Paged),
        ],
    }
}

pub fn three_runs() -> Chart {
    let rollback = vec![
        bar("Halt trading", 95, 101, BarKind::Done),
        bar("Keep the evidence", 101, 140, BarKind::Done),
        bar("Approval", 140, 255, BarKind::Waiting),
        bar("Deploy v1.8.2", 255, 340, BarKind::Undone),
        bar("See it answer", 340, 400, BarKind::Failed),
        bar("Put v1.9.0 back", 400, 455, BarKind::Done),
    ];
    let restore = vec![
        bar("Prove the backup", 520, 575, BarKind::Done),
        bar("Restore beside the damaged database", 575, 800, BarKind::Done),
        bar("Approval", 640, 715, BarKind::Waiting),
        bar("Check what was restored", 800, 850, BarKind::Done),
        bar("Swap the databases", 850, 853, BarKind::Done),
        bar("Start the trading bot", 853, 905, BarKind::Done),
    ];
    let resume = vec![
        bar("Reconcile", 960, 1010, BarKind::Done),
        bar("Approval", 1010, 1075, BarKind::Waiting),
        bar("Trade at 10 %", 1075, 1140, BarKind::Running),
    ];
    Chart {
        title: "Application bug, then damaged data, on prod".to_owned(),
        subtitle: "12 March 2026, 03:12 UTC · led by Dana with Omar and Priya".to_owned(),
        from: at(0),
        until: at(1140),
        marks: marks([Some(0), Some(30), Some(80), Some(905), None]),
        objective: objective(1200, Some(905)),
        lanes: vec![
            lane("/rollback", "rolled back", rollback),
            lane("/restore-db", "succeeded", restore),
            lane("/resume", "running", resume),
        ],
        pages: vec![
            dot(30, "Dana", DotKind::Paged),
            dot(80, "Dana", DotKind::Acknowledged),
            dot(600, "50 %: Omar", DotKind::Paged),
            dot(618, "Omar", DotKind::Acknowledged),
            dot(900, "75 %: lead", DotKind::Paged),
        ],
    }
}

pub fn crowded() -> Chart {
    let mut chart = three_runs();
    chart.lanes = (0..19).map(|index| chart.lanes[index % 3].clone()).collect();
    chart
}
