//! Whatever happens and whatever people, targets and alerts say: a draft is whole, calls nobody, and nothing breaks out of
//! the line that it is in; and the picture is drawn. `PROPTEST_CASES` sets how hard it is tried.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;

use super::{
    Record, chart, draft,
    samples::{self, at},
};
use crate::{run, runbook::hostile::few};

const HEADINGS: [&str; 12] = [
    "## Summary",
    "## Times",
    "## Objectives",
    "## Impact",
    "## Cause",
    "## Contributing facts",
    "## Timeline",
    "## Waits",
    "## Not as planned",
    "## Calls",
    "## What went well, and what did not",
    "## Action items",
];

/// Fields that people, targets and files fill in.
const OUTSIDE: [&str; 19] = [
    "name",
    "text",
    "reason",
    "summary",
    "source",
    "fingerprint",
    "message",
    "question",
    "how",
    "why",
    "because",
    "role",
    "roles",
    "unreachable",
    "target",
    "command",
    "by",
    "answer",
    "plan",
];

fn hostile() -> impl Strategy<Value = String> {
    let nasty = select(vec![
        "@everyone",
        "<@1>",
        "<@&2>",
        "&commat;here",
        "&#64;x",
        "```",
        "`",
        "**",
        "__",
        "\n# big",
        "\r\n- [x] done",
        "\n\n## Action items\n",
        "| a | b |",
        "[a](http://x)",
        "![a](http://x)",
        "<script>",
        "<!--",
        "\\",
        "\u{202e}",
        "\u{0}",
        "\u{85}",
        "\u{2028}",
        "\u{1b}[2J",
        "_to be written_",
        " ",
        "",
        "😀",
    ]);
    vec(nasty, 0..6).prop_map(|parts| parts.concat())
}

/// Puts texts in where text from outside stands, one after another.
fn spoil(value: &mut Value, texts: &[String], next: &mut usize) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if OUTSIDE.contains(&name.as_str()) {
                    say(field, texts, next);
                }
                spoil(field, texts, next);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, texts, next)),
        _ => {}
    }
}

fn say(field: &mut Value, texts: &[String], next: &mut usize) {
    match field {
        // What kind of thing it is, is said by a word too.
        Value::String(word) if !["person", "run", "alert", "condition"].contains(&word.as_str()) => {
            *word = texts[*next % texts.len()].clone();
            *next += 1;
        }
        Value::Array(items) => items.iter_mut().filter(|item| item.is_string()).for_each(|item| say(item, texts, next)),
        _ => {}
    }
}

fn spoilt<T: serde::Serialize + serde::de::DeserializeOwned>(event: &T, texts: &[String], next: &mut usize) -> T {
    let mut value = serde_json::to_value(event).unwrap();
    spoil(&mut value, texts, next);
    serde_json::from_value(value).unwrap()
}

/// Any events that may follow each other, with any texts.
fn record(picks: &[(usize, usize)], texts: &[String]) -> Record {
    let (all, all_of_runs) = (samples::happens(samples::run()), samples::run_events());
    let mut next = 0;
    let opening = spoilt(&samples::opened_by_alert(), texts, &mut next);
    let created = spoilt(&samples::created(), texts, &mut next);
    let (mut events, mut of_run) = (Vec::new(), Vec::new());
    for (index, (one, other)) in picks.iter().enumerate() {
        let seconds = 20 + i64::try_from(index).unwrap() * 7;
        let (one, other) = (&all[one % all.len()].1, &all_of_runs[other % all_of_runs.len()]);
        // One whose text was a reference may not happen any more; then it happens as it was.
        events.extend([spoilt(one, texts, &mut next), one.clone()].map(|event| (seconds, event)));
        of_run.extend([spoilt(other, texts, &mut next), other.clone()].map(|event| (seconds + 3, event)));
    }
    let until = at(20 + 7 * i64::try_from(picks.len()).unwrap() + 60);
    let run = samples::run_journal(created, 20, of_run);
    Record::of(samples::journal(opening, 12, events), vec![run], until).unwrap()
}

fn is_whole(text: &str) -> Result<(), TestCaseError> {
    let headings: Vec<_> = text.lines().filter(|line| line.starts_with("## ")).collect();
    prop_assert_eq!(headings, HEADINGS);
    prop_assert_eq!(text.lines().filter(|line| line.starts_with("# ")).count(), 1);
    prop_assert!(!text.contains('`'), "{text}");
    let letters: Vec<char> = text.chars().collect();
    for (index, letter) in letters.iter().enumerate() {
        let after = letters.get(index + 1).copied();
        match letter {
            // Cut off just behind it, it begins nothing either.
            '@' | '<' => prop_assert!(matches!(after, Some('\u{200b}' | '…')), "{text}"),
            '&' => prop_assert!(letters[index - 1] == '\\', "{text}"),
            letter => prop_assert!(*letter == '\n' || !letter.is_control(), "{text:?}"),
        }
    }
    let sections = text.split("\n## ").skip(1);
    for section in sections {
        let mut lines = section.lines();
        let heading = lines.next().unwrap_or_default();
        for line in lines.filter(|line| !line.is_empty()) {
            let stands = match heading {
                "Summary" | "Cause" | "What went well, and what did not" => {
                    !line.starts_with(['-', '#', ' ', '>', '|'])
                }
                "Action items" => line.starts_with("- [ ] ") || line == "- none",
                _ => line.starts_with("- "),
            };
            prop_assert!(stands, "{heading}: {line}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn whatever_happens_makes_a_whole_draft(
        picks in vec((0usize..1000, 0usize..1000), 0..120),
        texts in vec(hostile(), 1..12),
    ) {
        let record = record(&picks, &texts);
        is_whole(&draft(&record))?;
        let chart = chart(&record);
        prop_assert!(chart.from <= chart.until);
        prop_assert!(chart.lanes.iter().flat_map(|lane| &lane.bars).all(|bar| bar.from <= bar.until));
    }
}

#[test]
fn every_kind_of_event_is_among_them() {
    let kinds: BTreeSet<_> = samples::run_events().iter().map(run::event::Event::kind).collect();
    assert_eq!(kinds.len(), 29 - 1, "all but run-created: {kinds:?}");
    let kinds: BTreeSet<_> = samples::happens(samples::run()).iter().map(|(_, event)| event.kind()).collect();
    assert_eq!(kinds.len(), 15 - 1, "all but opened: {kinds:?}");
}
