//! Drafts as snapshots, and the picture's values.

use std::time::Duration;

use super::{
    draft,
    samples::{at, breached, good, opened_by_alert},
    *,
};
use crate::progress::picture::{BarKind, DotKind, MarkKind};

#[test]
fn an_incident_that_went_wrong() {
    insta::assert_snapshot!("breached", draft(&breached()));
}

#[test]
fn an_incident_that_went_well() {
    insta::assert_snapshot!("good", draft(&good()));
}

#[test]
fn one_that_is_open_claims_nothing() {
    let journal = samples::journal(opened_by_alert(), 12, Vec::new());
    let record = Record::of(journal, Vec::new(), at(100)).unwrap();
    let text = draft(&record);
    for fact in [
        "Recovered: not known, because no step of a run has verified a recovery",
        "MTTR, from the failure to verified recovery: not known, because recovery is not verified",
        "MTTA, from the detection to the first response: not known, because nobody has responded",
        "Data lost: unknown, because nothing was run",
        "It is not closed.",
        "- [ ] Nobody responded",
    ] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
    let chart = chart(&record);
    assert_eq!((chart.from, chart.until), (at(0), at(100)));
    assert!(chart.lanes.is_empty() && chart.objective.unwrap().met_at.is_none());
}

#[test]
fn waiting_is_measured_apart() {
    // Of the good one: 10 s for the answer and 60 s for the approval, and nothing was done meanwhile.
    let record = good();
    let total = waits::total(&record, at(12), at(250));
    assert_eq!((total.whole, total.idle), (Duration::from_secs(70), Duration::from_secs(70)));
    let waits: Vec<_> = waits::of(&record).into_iter().map(|wait| (wait.from, wait.until)).collect();
    assert_eq!(waits, [(at(26), Some(at(36))), (at(60), Some(at(120)))]);
}

#[test]
fn the_picture_has_the_same_values() {
    let chart = chart(&breached());
    let marks: Vec<_> = chart.marks.iter().map(|mark| (mark.kind, mark.at)).collect();
    let expected = [
        (MarkKind::Failure, at(0)),
        (MarkKind::Detected, at(12)),
        (MarkKind::Responded, at(95)),
        (MarkKind::Recovered, at(700)),
        (MarkKind::Closed, at(800)),
    ];
    assert_eq!(marks, expected);
    assert_eq!((chart.from, chart.until), (at(0), at(800)));
    let objective = chart.objective.unwrap();
    assert_eq!(objective.name, "Moved deadline");
    assert_eq!((objective.limit, objective.due_at), (Duration::from_secs(720), at(720)), "as somebody answered for it");
    assert_eq!(objective.met_at, Some(at(700)));
    let [lane] = chart.lanes.as_slice() else { panic!("one run") };
    assert_eq!((lane.name.as_str(), lane.note.as_str()), ("/restore-db", "succeeded-with-skips"));
    let bars: Vec<_> = lane.bars.iter().map(|bar| (bar.name.as_str(), bar.kind, bar.from, bar.until)).collect();
    let expected = [
        ("Halt trading", BarKind::Done, at(121), at(125)),
        ("Answer", BarKind::Waiting, at(126), at(150)),
        ("Look at the damage", BarKind::Failed, at(151), at(160)),
        ("Answer", BarKind::Waiting, at(161), at(170)),
        ("Look at the damage", BarKind::Skipped, at(170), at(170)),
        ("Approval", BarKind::Waiting, at(180), at(300)),
        ("To be asked again", BarKind::Waiting, at(300), at(320)),
        ("Approval", BarKind::Waiting, at(321), at(510)),
        ("Restore the backup", BarKind::Failed, at(511), at(540)),
        ("Restore the backup (attempt 2)", BarKind::Done, at(545), at(640)),
        ("Measure what was lost", BarKind::Done, at(641), at(660)),
    ];
    assert_eq!(bars, expected);
    let dots: Vec<_> = chart.pages.iter().map(|dot| (dot.at, dot.label.as_str(), dot.kind)).collect();
    assert_eq!(dots[0], (at(12), "Alert: Omar", DotKind::Paged));
    assert!(dots.contains(&(at(95), "Dana", DotKind::Acknowledged)), "{dots:?}");
    assert!(dots.contains(&(at(210), "50 %", DotKind::Unreachable)), "of the run: {dots:?}");
    assert!(dots.contains(&(at(610), "100 %", DotKind::Unreachable)), "{dots:?}");
}

#[test]
fn who_took_a_call_is_known() {
    use pages::Taken;
    let record = breached();
    let taken: Vec<_> = pages::of(&record).into_iter().map(|page| page.taken).collect();
    assert!(matches!(taken[0], Taken::By { after, .. } if after == Duration::from_secs(83)), "{taken:?}");
    assert!(matches!(&taken[2], Taken::Held { by } if by == "Dana"), "{taken:?}");
}
