//! Whatever a target, a person or a file says: what is shown of it stays within Discord's limits, calls nobody, breaks
//! out of nothing, and has buttons that read back. `PROPTEST_CASES` sets how hard it is tried.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use super::{
    button::{ButtonId, ModalId},
    card,
    incident::IncidentButton,
    outside,
    tests::{Story, at},
    text, view, words,
};
use crate::{
    config::settings::DiscordId,
    run::{
        event::{ApprovalAsked, Choice, Entry, Event, FailureKind, Person, SkipReason},
        outcome::Outcome,
        state::{ApprovalState, Finished, Forced, Lapse, Question, State, Status, Undo},
    },
    runbook::hostile::few,
};

/// Texts that have broken something somewhere.
fn hostile() -> impl Strategy<Value = String> {
    let nasty = select(vec![
        "@everyone",
        "@here",
        "<@1>",
        "<@!1>",
        "<@&300>",
        "<#5>",
        "</halt:5>",
        "<t:1:R>",
        "<:x:5>",
        "<a:x:5>",
        "```",
        "`",
        "``",
        "**",
        "*",
        "__",
        "~~",
        "||",
        "\\",
        "\\\\",
        "\n",
        "\r\n",
        "\t",
        " ",
        "\0",
        "\u{7}",
        "\u{1b}[2J",
        "\u{9b}31m",
        "\u{7f}",
        "\u{85}",
        "\u{ad}",
        "\u{61c}",
        "\u{180e}",
        "\u{200b}",
        "\u{200d}",
        "\u{202e}",
        "\u{2028}",
        "\u{2066}",
        "\u{feff}",
        "\u{e0041}",
        "\u{fffd}",
        "\u{1f468}\u{200d}\u{1f469}",
        "e\u{301}",
        "\u{1d54f}",
        "# ",
        "-# ",
        "> ",
        ">>> ",
        "- ",
        "1. ",
        "[x](http://y)",
        "http://y.example/@everyone",
        "discord.gg/x",
        "a",
        "\u{d7ff}",
        "\u{ffff}",
        "|",
        "{{ x }}",
    ]);
    let long = (select(vec!["a", "@", "`", "\\", "\n", " ", "\u{200b}", "😀", "<@&3>", "*"]), 50..3000_usize);
    let piece = prop_oneof![
        8 => nasty.prop_map(str::to_owned),
        2 => ".{0,40}",
        1 => any::<String>(),
        1 => long.prop_map(|(text, times)| text.repeat(times)),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn person(name: &str) -> Person {
    Person { id: DiscordId(7), name: name.to_owned() }
}

/// A run in any state, with these texts wherever a text can come from outside.
fn run_of(texts: &[String], marks: &[u8]) -> (State, Option<view::Live>) {
    let mut state = Story::asked().state;
    let mut next = texts.iter().cycle();
    let mut text = || next.next().cloned().unwrap_or_default();
    let mut marks = marks.iter().cycle().copied();
    let mut mark = || marks.next().unwrap_or_default();
    let created = Arc::make_mut(&mut state.created);
    created.requester.name = text();
    created.target["name"] = text().into();
    created.target["database"] = text().into();
    for step in &mut state.steps {
        let definition = Arc::make_mut(&mut step.definition);
        definition.name = if mark() % 3 == 0 { text() } else { definition.name.clone() };
        definition.why = Some(text());
        step.summary = text();
        step.attempts = u32::from(mark() % 4);
        step.started_at = Some(at(1));
        step.ended_at = (mark() % 2 == 0).then(|| at(i64::from(mark())));
        for name in ["kept", "drop_hint", "how", "backup", "api", "container"] {
            step.outputs.insert(name.to_owned(), json!(text()));
        }
        for branch in ["api", "container"] {
            let result = json!({ "ok": mark() % 2 == 0, "summary": text(), "error": text() });
            step.outputs.insert(branch.to_owned(), result);
        }
        step.outputs.insert("seconds".to_owned(), json!(f64::from(mark()) * 1e30));
        step.outputs.insert("kept_size".to_owned(), json!(u64::MAX));
        step.undo = match mark() % 8 {
            0 => Undo::Done { summary: text() },
            1 => Undo::Failed { attempt: 3, message: text() },
            _ => Undo::None,
        };
        step.status = match mark() % 9 {
            0 => Status::Pending,
            1 => Status::Running,
            2 => Status::Interrupted,
            3 => Status::Failed { kind: FailureKind::Failed, message: text() },
            4 => Status::Unknown { reason: text() },
            5 => Status::Skipped(SkipReason::Person { by: person(&text()), reason: text() }),
            6 => Status::Skipped(SkipReason::Condition),
            _ => Status::Succeeded,
        };
    }
    let asked = ApprovalAsked {
        round: 1,
        token: "t".repeat(32),
        plan_hash: "ab".repeat(32),
        plan: (0..mark()).map(|_| text()).collect(),
        cost: (mark() % 4 != 0).then(&mut text),
        confirm: (mark() % 4 != 0).then(&mut text),
        expires_at: at(300),
    };
    state.approval = match mark() % 6 {
        0 => ApprovalState::Denied { by: person(&text()), reason: text() },
        1 => ApprovalState::Lapsed { round: 1, why: Lapse::Voided(text()) },
        2 => ApprovalState::Given {
            asked,
            asked_at: at(1),
            given_at: at(2),
            yes: (0..mark()).map(|_| person(&text())).collect(),
            forced: (mark() % 2 == 0).then(|| Forced { by: person(&text()), reason: text() }),
        },
        _ => ApprovalState::Pending { asked, asked_at: at(1), yes: vec![person(&text())] },
    };
    if mark() % 3 == 0 {
        let answers = (0..21).map(|_| Choice::Answer(text())).collect();
        let (step, token) = ("swap".to_owned(), "q".repeat(32));
        state.question = Some(Question { step, token, question: text(), choices: answers });
    }
    if mark() % 3 == 0 {
        let outcomes =
            [Outcome::Succeeded, Outcome::Failed, Outcome::Stuck, Outcome::RolledBack, Outcome::SucceededWithSkips];
        let outcome = outcomes[usize::from(mark()) % outcomes.len()];
        state.finished = Some(Finished { at: at(50), outcome, message: text() });
    }
    let running = state.steps.iter().find(|step| step.status == Status::Running).map(|step| step.definition.id.clone());
    let live = running.map(|step| view::Live {
        step,
        done: u64::MAX - u64::from(mark()),
        total: if mark() % 2 == 0 { u64::MAX } else { u64::from(mark()) },
        unit: text(),
        doing: text(),
        started_at: at(1),
    });
    (state, live)
}

fn count(text: &str) -> usize {
    text.chars().count()
}

/// Not empty in Discord's eyes, and not longer than `most`.
fn fits(what: &str, text: &str, most: usize) -> Result<(), TestCaseError> {
    let seen = text.chars().any(|letter| !letter.is_whitespace() && !outside::is_unseen(letter));
    prop_assert!(seen, "{what} is empty: {text:?}");
    prop_assert!(count(text) <= most, "{what} has {} characters of {most}", count(text));
    Ok(())
}

/// Nobody is called, nothing is hidden or turned around.
fn calls_nobody(what: &str, text: &str) -> Result<(), TestCaseError> {
    // The moment before a line is drbot's own.
    let text = text.strip_prefix("<t:").and_then(|rest| rest.split_once(":T> ")).map_or(text, |(_, line)| line);
    for call in ["@everyone", "@here", "<@", "<#", "</", "<t:", "<:", "<a:"] {
        prop_assert!(!text.contains(call), "{what} contains {call}: {text:?}");
    }
    // A zero-width space is how drbot itself breaks a mention.
    let bad =
        |letter: char| letter != '\u{200b}' && letter != '\n' && (letter.is_control() || outside::is_unseen(letter));
    prop_assert!(!text.contains(bad), "{what} has characters that nobody sees: {text:?}");
    Ok(())
}

/// Of Markdown there is only what drbot put there: it is closed on the line where it was opened, and no line is a
/// heading or a quotation.
fn is_closed(what: &str, text: &str) -> Result<(), TestCaseError> {
    for line in text.lines() {
        let mut escaped = false;
        let mut stars = 0;
        for letter in line.chars() {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '*' => stars += 1,
                '_' | '~' | '|' | '[' | ']' => prop_assert!(false, "{what} has markup of somebody else: {line:?}"),
                _ => {}
            }
        }
        prop_assert!(stars % 2 == 0, "{what} opens what it does not close: {line:?}");
        prop_assert!(!escaped, "{what} ends in half an escape: {line:?}");
        for start in ["#", "-#", ">"] {
            prop_assert!(!line.trim_start().starts_with(start), "{what} has a line that is a heading: {line:?}");
        }
    }
    Ok(())
}

fn good_card(card: &card::Card) -> Result<(), TestCaseError> {
    fits("the title", &card.title, 256)?;
    fits("the description", &card.description, 4096)?;
    fits("the footer", &card.footer, 2048)?;
    let mut total = count(&card.title) + count(&card.description) + count(&card.footer);
    prop_assert!(card.fields.len() <= 25);
    for field in &card.fields {
        fits("a field's name", &field.name, 256)?;
        fits("a field", &field.value, 1024)?;
        is_closed("a field", &field.value)?;
        calls_nobody("a field", &field.value)?;
        prop_assert!(!field.value.contains('`'));
        total += count(&field.name) + count(&field.value);
    }
    prop_assert!(total <= 6000, "{total} characters in all");
    for (what, text) in
        [("the title", &card.title), ("the description", &card.description), ("the footer", &card.footer)]
    {
        calls_nobody(what, text)?;
        prop_assert!(!text.contains('`'), "{what} has a backtick");
    }
    is_closed("the description", &card.description)?;
    let mut ids = BTreeSet::new();
    prop_assert!(card.buttons.len() <= 5 && card.buttons.iter().all(|row| (1..=5).contains(&row.len())));
    for button in card.buttons.iter().flatten() {
        prop_assert!(
            button.id.len() <= 100
                && (ButtonId::parse(&button.id).is_some() || IncidentButton::parse(&button.id).is_some()),
            "{}",
            button.id
        );
        fits("a label", &button.label, 80)?;
        calls_nobody("a label", &button.label)?;
        prop_assert!(ids.insert(button.id.clone()), "the same button twice");
    }
    Ok(())
}

/// A message in the channel, an answer to one person.
fn good_message(what: &str, text: &str, backticks: bool) -> Result<(), TestCaseError> {
    fits(what, text, 2000)?;
    calls_nobody(what, text)?;
    prop_assert!(!text.contains("```"), "{what}: {text}");
    for line in text.lines() {
        prop_assert!(line.matches('`').count() % 2 == 0, "{what} has a backtick that is not closed: {line:?}");
    }
    if !backticks {
        is_closed(what, text)?;
    }
    Ok(())
}

fn events(text: &str, log: Vec<String>) -> Vec<Event> {
    let text = || text.to_owned();
    let step = || "swap".to_owned();
    let by = || person(&text());
    let outputs = Map::new;
    vec![
        Event::StepSucceeded { step: step(), attempt: 1, outputs: outputs(), summary: text(), log: log.clone() },
        Event::StepFailed {
            step: text(),
            attempt: 1,
            message: text(),
            kind: FailureKind::TimedOut,
            log,
            found: Map::new(),
        },
        Event::StepUnknown { step: step(), attempt: 1, reason: text() },
        Event::StepSkipped { step: step(), reason: SkipReason::Person { by: by(), reason: text() } },
        Event::ApprovalDenied { round: 1, by: by(), reason: text() },
        Event::ApprovalVoided { round: 1, reason: text() },
        Event::QuestionAsked { step: step(), token: text(), question: text(), choices: vec![Choice::Answer(text())] },
        Event::QuestionAnswered { step: step(), choice: Choice::Answer(text()), by: by(), reason: Some(text()) },
        Event::CancelAsked { by: by(), reason: Some(text()) },
        Event::UndoFailed { step: step(), attempt: 1, message: text() },
        Event::Finished { outcome: Outcome::Failed, message: text() },
    ]
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn a_card_is_a_card_whatever_is_in_it(texts in vec(hostile(), 1..12), marks in vec(any::<u8>(), 1..60)) {
        let (state, live) = run_of(&texts, &marks);
        let view = view::of(&state, at(60), live.as_ref());
        good_card(&card::of(&view))?;
        let terminal = text::card(&view, 100, false);
        prop_assert!(!terminal.contains(|letter: char| letter.is_control() && letter != '\n'), "{terminal:?}");
        prop_assert!(!terminal.contains(outside::is_unseen), "{terminal:?}");
        let plan = words::plan(&state);
        good_message("the plan", &plan, false)?;
        if let Some(asked) = state.approval.asked() {
            good_message("the call for approval", &words::approval_call("", &state, asked, "link"), false)?;
            if let Some(confirm) = &asked.confirm {
                prop_assert!(count(&words::confirm_label(confirm)) <= 45);
                prop_assert!(count(&words::confirm_placeholder(confirm)) <= 100);
                calls_nobody("the form", &words::confirm_label(confirm))?;
            }
        }
        fits("the thread's name", &words::thread_name(&state), 100)?;
        for (_, figure) in words::report(&state) {
            prop_assert!(count(&figure) < 100_000);
        }
    }

    #[test]
    fn what_is_said_of_an_event_is_a_message(text in hostile(), log in vec(hostile(), 0..4), more in hostile()) {
        let state = run_of(&[text.clone(), more], &[3, 1, 4, 1, 5, 9, 2, 6]).0;
        for (seq, event) in events(&text, log).into_iter().enumerate() {
            let entry = Entry { run: state.id, seq: seq as u64, at: at(3), event };
            let Some(post) = words::thread_line(&entry, &state) else { continue };
            fits("a line of the log", &post.text, 2000)?;
            calls_nobody("a line of the log", &post.text)?;
            let (head, block) = post.text.split_once("\n```\n").map_or((&*post.text, None), |(head, rest)| (head, Some(rest)));
            is_closed("a line of the log", head)?;
            prop_assert!(!head.contains('\n') && !head.contains('`'), "{head:?}");
            if let Some(block) = block {
                let inside = block.strip_suffix("\n```").expect("the block is closed at the end");
                prop_assert!(!inside.contains('`'), "{inside:?}");
            }
            if let Some((name, _)) = &post.file {
                prop_assert!(name.len() <= 100 && !name.contains(['/', '\\', '\0', '\n']), "{name:?}");
            }
            let line = words::timeline_line(&entry, &state);
            prop_assert!(!line.contains(|letter: char| letter.is_control() || outside::is_unseen(letter)), "{line:?}");
        }
    }

    #[test]
    fn every_answer_is_a_message(one in hostile(), two in hostile(), names in vec(hostile(), 0..30)) {
        let state = run_of(&[one.clone(), two.clone()], &[2, 7, 1, 8]).0;
        let answers = [
            ("started", words::started(&one, "cafe")),
            ("unknown_command", words::unknown_command(&one, &names)),
            ("missing_role", words::missing_role(&one, &names)),
            ("locked", words::locked(&one, "cafe", &two, at(1), at(2))),
            ("bad_option", words::bad_option(&one, &two)),
            ("broken", words::broken(&one)),
            ("too_late", words::too_late(&one)),
            ("announcement", words::announcement("", &format!("x{one}"))),
            ("question_call", words::question_call(&one, &state, &two, "link")),
        ];
        for (what, answer) in answers {
            good_message(what, &answer, what == "broken")?;
        }
        for (what, answer) in [
            ("unknown_choice", words::unknown_choice(&one, &two, &names)),
            ("wrong_confirmation", words::wrong_confirmation(&one)),
        ] {
            good_message(what, &answer, true)?;
        }
        let backup: Map<String, Value> =
            [("file", json!(one)), ("integrity", json!(two)), ("age", json!(1e300)), ("size", json!(u64::MAX))]
                .map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        fits("a backup", &words::backup_choice(&backup), 100)?;
        calls_nobody("a backup", &words::backup_choice(&backup))?;
    }

    #[test]
    fn ids_of_buttons_read_back_or_not_at_all(text in hostile(), token in "[0-9a-f]{32}") {
        let run = Story::asked().state.id;
        for id in [ButtonId::Approve { run, token: token.clone() }, ButtonId::Answer { run, token, index: 24 }] {
            prop_assert_eq!(ButtonId::parse(&id.to_string()), Some(id));
        }
        for prefix in ["", "drbot|", "drbot|answer|", "drbot|stop|"] {
            let wrong = format!("{prefix}{text}");
            prop_assert!(ButtonId::parse(&wrong).is_none_or(|id| id.to_string() == wrong));
            prop_assert!(ModalId::parse(&wrong).is_none_or(|id| id.to_string() == wrong));
        }
    }
}

#[test]
fn a_megabyte_is_no_trouble() {
    for letter in ["@everyone ", "`", "\n", "\u{202e}"] {
        let text = letter.repeat((1 << 20) / letter.len());
        let begin = crate::clock::Clock::system().monotonic();
        let (state, live) = run_of(std::slice::from_ref(&text), &[3, 4, 5, 1]);
        good_card(&card::of(&view::of(&state, at(60), live.as_ref()))).unwrap();
        for event in events(&text, vec![text.clone()]) {
            let entry = Entry { run: state.id, seq: 1, at: at(3), event };
            if let Some(post) = words::thread_line(&entry, &state) {
                fits("a line of the log", &post.text, 2000).unwrap();
            }
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{letter:?} took {:?}", begin.elapsed());
    }
}
