//! What holds for every definition and whatever happens.

use proptest::{collection::vec, option, prelude::*};

use super::build::*;
use crate::{
    run::{
        event::{Choice, Event, FailureKind, SkipReason},
        outcome::Outcome,
        state::State,
    },
    runbook::definition::{Command, Effect, OnFailure, Step},
};

const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn any_step(id: &'static str) -> impl Strategy<Value = Step> {
    let effects = prop_oneof![Just(Effect::Read), Just(Effect::Idempotent), Just(Effect::Once)];
    let failures = prop_oneof![
        Just(OnFailure::Stop),
        Just(OnFailure::Refuse),
        Just(OnFailure::Undo),
        Just(OnFailure::Continue),
        Just(OnFailure::Ask)
    ];
    let conditions = prop_oneof![6 => Just(None), 1 => Just(Some("true")), 1 => Just(Some("false"))];
    (effects, failures, option::of(1..4_u32), 0..3_u8, any::<bool>(), conditions, 0..8_u8).prop_map(
        move |(effect, on_failure, attempts, undo, no_return, condition, kind)| {
            let mut made = if kind == 0 { question(id) } else { step(id, effect) }.failing(on_failure);
            made.point_of_no_return = no_return;
            if let Some(attempts) = attempts {
                made = made.retrying(attempts);
            }
            if let Some(condition) = condition {
                made = made.when(condition);
            }
            match undo {
                0 => made,
                1 => made.undoable(),
                _ => made.half_undoable(),
            }
        },
    )
}

fn any_command() -> impl Strategy<Value = Command> {
    let steps = (1..=IDS.len()).prop_flat_map(|count| IDS[..count].iter().map(|id| any_step(id)).collect::<Vec<_>>());
    let ids = || proptest::sample::select(&IDS[..]);
    (steps, option::of((ids(), option::of(ids()), 1..3_u8)), any::<bool>()).prop_map(|(steps, approval, recovers)| {
        let mut made = command(steps);
        if let Some((before, after, quorum)) = approval {
            made = made.approved(after, before).quorum(quorum);
        }
        if recovers { made.recovered("steps.a.ok") } else { made }
    })
}

/// Something that somebody tries, whether it is possible or not.
#[derive(Debug, Clone)]
enum Attempt {
    /// What the engine would do.
    Turn(Vec<u8>),
    Wait(i64),
    Event(Event),
}

fn any_event() -> impl Strategy<Value = Event> {
    let id = || proptest::sample::select(&["a", "b", "c", "d", "e", "f", "nothing"][..]).prop_map(str::to_owned);
    let choice = || {
        prop_oneof![
            Just(Choice::Retry),
            Just(Choice::Skip),
            Just(Choice::Undo),
            Just(Choice::Abort),
            Just(Choice::Happened),
            Just(Choice::DidNotHappen),
            Just(Choice::Answer("left".to_owned())),
        ]
    };
    let who = || prop_oneof![Just(dana()), Just(omar()), Just(lena())];
    let kind = prop_oneof![
        Just(FailureKind::Failed),
        Just(FailureKind::TimedOut),
        Just(FailureKind::Refused),
        Just(FailureKind::WrongTarget),
        Just(FailureKind::Cancelled)
    ];
    let outcome =
        prop_oneof![Just(Outcome::Succeeded), Just(Outcome::Aborted), Just(Outcome::Failed), Just(Outcome::Stuck)];
    let reason = || option::of(Just("because".to_owned()));
    let now = Tale::of(command(vec![read("a")])).now;
    prop_oneof![
        (id(), 0..4_u32).prop_map(|(id, attempt)| started(&id, attempt)),
        (id(), 0..4_u32).prop_map(|(id, attempt)| succeeded(&id, attempt)),
        (id(), 0..4_u32, kind).prop_map(|(id, attempt, kind)| failed(&id, attempt, kind)),
        (id(), 0..4_u32).prop_map(|(step, attempt)| Event::StepInterrupted { step, attempt }),
        (id(), 0..4_u32).prop_map(|(step, attempt)| Event::StepNotDone { step, attempt }),
        (id(), 0..4_u32).prop_map(|(id, attempt)| unknown(&id, attempt)),
        id().prop_map(|step| Event::StepSkipped { step, reason: SkipReason::Condition }),
        (id(), who()).prop_map(|(step, by)| {
            Event::StepSkipped { step, reason: SkipReason::Person { by, reason: String::new() } }
        }),
        (1..4_u32).prop_map(move |round| asked(round, now)),
        (1..4_u32, who()).prop_map(|(round, by)| given(round, by)),
        (1..4_u32, who()).prop_map(|(round, by)| broken(round, by)),
        (1..4_u32, who()).prop_map(|(round, by)| denied(round, by)),
        (1..4_u32, who()).prop_map(|(round, by)| withdrawn(round, by)),
        (1..4_u32).prop_map(|round| Event::ApprovalExpired { round }),
        (1..4_u32).prop_map(|round| Event::ApprovalVoided { round, reason: "changed".to_owned() }),
        who().prop_map(|by| Event::ApprovalRenewed { by }),
        (id(), vec(choice(), 0..3)).prop_map(|(step, choices)| Event::QuestionAsked {
            step,
            token: String::new(),
            question: String::new(),
            choices
        }),
        (id(), choice(), who(), reason()).prop_map(|(step, choice, by, reason)| Event::QuestionAnswered {
            step,
            choice,
            by,
            reason
        }),
        (who(), reason()).prop_map(|(by, reason)| Event::CancelAsked { by, reason }),
        (id(), 0..4_u32).prop_map(|(step, attempt)| Event::UndoStarted { step, attempt }),
        id().prop_map(|step| Event::UndoSucceeded { step, summary: String::new() }),
        (id(), 0..4_u32).prop_map(|(step, attempt)| Event::UndoFailed { step, attempt, message: String::new() }),
        (proptest::sample::select(&[50_u8, 75, 100, 7][..])).prop_map(paged),
        Just(Event::Recovered),
        outcome.prop_map(|outcome| Event::Finished { outcome, message: String::new() }),
    ]
}

fn any_attempt() -> impl Strategy<Value = Attempt> {
    prop_oneof![
        3 => vec(any::<u8>(), 0..4).prop_map(Attempt::Turn),
        1 => (0..400_i64).prop_map(Attempt::Wait),
        3 => any_event().prop_map(Attempt::Event),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_run_is_sound_and_ends(
        definition in any_command(),
        attempts in vec(any_attempt(), 0..40),
        cut in any::<prop::sample::Index>(),
        whims in vec(any::<u8>(), 0..60),
    ) {
        let mut tale = Tale::of(definition);
        for attempt in attempts {
            match attempt {
                Attempt::Turn(whims) => World::new(whims).turn(&mut tale),
                Attempt::Wait(seconds) => { tale.later(seconds); }
                Attempt::Event(event) => {
                    let before = tale.state.clone();
                    if tale.offer(event).is_err() {
                        prop_assert_eq!(&tale.state, &before, "an illegal event has changed the state");
                    }
                }
            }
        }

        // What the engine decides is always legal, and it comes to an end when people answer.
        World::new(whims).play(&mut tale, 400);

        // Memory and journal agree, from wherever drbot starts again.
        prop_assert_eq!(&State::replay(&tale.journal).unwrap(), &tale.state);
        let cut = cut.index(tale.journal.len()).max(1);
        let mut resumed = State::replay(&tale.journal[..cut]).unwrap();
        for entry in &tale.journal[cut..] {
            resumed.apply(entry).unwrap();
        }
        prop_assert_eq!(&resumed, &tale.state);

        // What is written is read back the same.
        let text = serde_json::to_string(&tale.journal).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<crate::run::event::Entry>>(&text).unwrap(), tale.journal);
    }

    /// Crash after any event: what was decided before is decided again, or is settled first.
    #[test]
    fn nothing_of_effect_once_is_begun_twice_without_a_word_that_it_did_not_happen(
        definition in any_command(),
        whims in vec(any::<u8>(), 0..80),
    ) {
        let mut tale = Tale::of(definition);
        World::new(whims).play(&mut tale, 600);
        for step in &tale.state.steps {
            if step.definition.effect() != Effect::Once {
                continue;
            }
            let mut may = true;
            for entry in tale.journal.iter().filter(|entry| entry.event.step() == Some(&step.definition.id)) {
                match &entry.event {
                    Event::StepStarted { .. } => {
                        prop_assert!(may, "{} was begun again", step.definition.id);
                        may = false;
                    }
                    Event::StepNotDone { .. }
                    | Event::QuestionAnswered { choice: Choice::Retry | Choice::DidNotHappen, .. } => may = true,
                    _ => {}
                }
            }
        }
    }
}
