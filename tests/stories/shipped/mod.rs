//! Every file in `commands/`, whichever there are: it succeeds; it fails at each of its steps in turn and ends as the file
//! says; what it takes back it takes back last first; and from every prefix of its journal it comes to the same end.
//!
//! A new file is covered as soon as it lies there. Where it needs a sample or a way that cannot be told from it, the
//! story fails and says what to add to `samples`.

mod play;
mod real;
mod samples;

use std::path::Path;

use drbot::{
    config::load::Configuration,
    run::{
        event::{Choice, Entry},
        outcome::Outcome,
        state::Status,
    },
    runbook::{
        action::Action,
        definition::{Command, Effect, OnFailure, Step, UndoWhen},
    },
};

use self::{
    play::{Play, Script, begun, outputs_of},
    samples::{WAYS, Way},
};

fn shipped() -> Configuration {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Configuration::load_with(root, |_| None).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// Each command in a thread of its own.
fn each(test: impl Fn(&Configuration, &Command) + Sync) {
    let configuration = shipped();
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("commands")).unwrap();
    let files = files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "toml"));
    assert_eq!(configuration.commands.len(), files.count(), "every file is a command");
    std::thread::scope(|scope| {
        for command in configuration.commands.values() {
            let (configuration, test) = (&configuration, &test);
            std::thread::Builder::new()
                .name(command.name.clone())
                .spawn_scoped(scope, move || test(configuration, command))
                .unwrap();
        }
    });
}

#[test]
fn every_command_succeeds() {
    each(|configuration, command| {
        let script = Script::of(command, Way::USUAL);
        let play = Play::on(&configuration.settings, &script, &begun(configuration, command, Way::USUAL));
        assert_eq!(play.outcome(), Outcome::Succeeded, "/{}: {}: {:#?}", command.name, play.message(), play.kinds());
        assert_eq!(
            play.state.recovered_at.is_some(),
            command.recovered.is_some(),
            "/{}: its clock stops",
            command.name
        );
        assert!(play.steps_of("undo-started").is_empty());
    });
}

#[test]
fn every_step_that_fails_ends_its_run_as_the_file_says() {
    each(|configuration, command| {
        for failing in failing(configuration, command) {
            failing.is_tried();
        }
    });
}

#[test]
fn from_every_prefix_of_its_journal_a_command_comes_to_the_same_end() {
    each(|configuration, command| {
        let script = Script::of(command, Way::USUAL);
        let whole = Play::on(&configuration.settings, &script, &begun(configuration, command, Way::USUAL));
        resumes_from(1, configuration, &script, &whole);
        // Once a step has failed: the tail of what is stopped or taken back.
        for failing in failing(configuration, command) {
            let step = failing.step;
            for choice in [Choice::Abort, Choice::Undo] {
                let script = failing.script().saying(choice.clone());
                let play = failing.play(&script);
                let failed = play
                    .journal
                    .iter()
                    .position(|entry| entry.event.kind() == "step-failed" && entry.event.step() == Some(&step.id));
                // Where nobody is asked, what they would say changes nothing.
                if choice == Choice::Undo && !failing.is_asked_about(&play) {
                    continue;
                }
                if let Some(failed) = failed.filter(|_| !play.outcome().is_success()) {
                    resumes_from(failed, configuration, &script, &play);
                }
            }
        }
    });
}

/// Goes on from each prefix that holds more than `shortest` entries; the attempt that drbot was lost at had happened, or
/// not.
///
/// Where no attempt was under way, what comes next is what came next: then so is the end.
fn resumes_from(shortest: usize, configuration: &Configuration, script: &Script, whole: &Play<'_>) {
    for cut in shortest..whole.journal.len() {
        let prefix = &whole.journal[..cut];
        let lost =
            prefix.last().filter(|entry| entry.event.kind() == "step-started").and_then(|entry| entry.event.step());
        let lost_once =
            lost.and_then(|id| whole.state.step(id)).is_some_and(|step| step.definition.effect() == Effect::Once);
        if !matches!(whole.journal[cut - 1].event.kind(), "step-started" | "undo-started") {
            let first = Play::first(&configuration.settings, script, prefix);
            assert_eq!(first[0], whole.journal[cut], "/{}", whole.state.created.command.name);
            continue;
        }
        for happened in [false, true] {
            if happened && !lost_once {
                continue;
            }
            let script = Script { happened, ..script.clone() };
            let resumed = Play::on(&configuration.settings, &script, prefix);
            let end = |play: &Play<'_>| {
                let statuses: Vec<_> =
                    play.state.steps.iter().map(|step| (step.definition.id.clone(), step.status.clone())).collect();
                let undone: Vec<_> = play.steps_of("undo-succeeded").into_iter().map(str::to_owned).collect();
                (play.outcome(), play.message().to_owned(), statuses, outputs_of(&play.state), undone)
            };
            let what = || format!("/{}, cut after {:?}", whole.state.created.command.name, whole.kinds()[cut - 1]);
            assert_eq!(end(&resumed), end(whole), "{}", what());
            for step in whole.state.steps.iter().filter(|step| step.definition.effect() == Effect::Once) {
                assert!(is_done_once(&resumed.journal, &step.definition.id), "{}: {:#?}", what(), resumed.kinds());
            }
        }
    }
}

/// A step of effect `once` is begun again only after somebody has seen that it had not happened.
fn is_done_once(journal: &[Entry], id: &str) -> bool {
    let mut may = true;
    journal.iter().filter(|entry| entry.event.step() == Some(id)).all(|entry| match entry.event.kind() {
        "step-started" => std::mem::replace(&mut may, false),
        "step-not-done" | "question-answered" => {
            may = true;
            true
        }
        _ => true,
    })
}

/// Every step of a command that can fail.
fn failing<'a>(configuration: &'a Configuration, command: &'a Command) -> impl Iterator<Item = Failing<'a>> {
    let usual = Well::of(configuration, command, Way::USUAL, None);
    let steps = command.steps.iter().filter(|step| !matches!(step.action, Action::Ask(_)));
    steps.map(move |step| Failing::of(configuration, command, step, &usual))
}

/// A run in which all goes well but for what its way says.
#[derive(Clone)]
struct Well {
    script: Script,
    journal: Vec<Entry>,
    outcome: Outcome,
}

impl Well {
    fn of(configuration: &Configuration, command: &Command, way: Way, fails: Option<&str>) -> Self {
        let mut script = Script::of(command, way);
        script.fails.extend(fails.map(str::to_owned));
        let play = Play::on(&configuration.settings, &script, &begun(configuration, command, way));
        let (journal, outcome) = (play.journal.clone(), play.outcome());
        Self { script, journal, outcome }
    }

    /// What is there when the step is about to begin.
    fn until(&self, step: &str) -> Option<&[Entry]> {
        let begins = |entry: &Entry| entry.event.kind() == "step-started" && entry.event.step() == Some(step);
        self.journal.iter().position(begins).map(|at| &self.journal[..at])
    }
}

/// A step of a command, made to fail, in a run in which it is reached.
struct Failing<'a> {
    configuration: &'a Configuration,
    command: &'a Command,
    step: &'a Step,
    well: Well,
}

impl<'a> Failing<'a> {
    fn of(configuration: &'a Configuration, command: &'a Command, step: &'a Step, usual: &Well) -> Self {
        let known = WAYS.iter().find(|(name, id, _)| *name == command.name && *id == step.id);
        let told = || {
            let (.., way) = known?;
            Some(Well::of(configuration, command, *way, None))
        };
        let wanted = command.steps.iter().filter(|other| {
            let name = other.id.strip_prefix(&step.scope).unwrap_or_default();
            step.when.as_ref().is_some_and(|when| when.contains(&format!("not steps.{name}.ok")))
        });
        let guessed = wanted.map(|other| Well::of(configuration, command, Way::USUAL, Some(&other.id)));
        let mut ways = told().into_iter().chain([usual.clone()]).chain(guessed);
        match ways.find(|well| well.until(&step.id).is_some()) {
            Some(well) => Self { configuration, command, step, well },
            None => panic!(
                "no way is known to the step {id} of commands/{name}.toml: it is passed over when all is well ({when}).\nAdd \
                 to WAYS in tests/stories/shipped/samples.rs what must be typed, fail or be seen before it: \
                 (\"{name}\", \"{id}\", Way {{ fails: &[\"…\"], ..Way::USUAL }})",
                id = step.id,
                name = command.name,
                when = step.when.as_deref().unwrap_or_default(),
            ),
        }
    }

    fn script(&self) -> Script {
        self.well.script.clone().failing(&self.step.id)
    }

    /// From where the step is about to begin; what was before is as in the run that goes well.
    fn play<'s>(&self, script: &'s Script) -> Play<'s>
    where
        'a: 's,
    {
        Play::on(&self.configuration.settings, script, self.well.until(&self.step.id).unwrap())
    }

    fn is_tried(&self) {
        let script = self.script();
        let play = self.play(&script);
        if !play.steps_of("step-failed").contains(&&*self.step.id) {
            // What looks at several things may say that none of them matters.
            let Action::Parallel(branches) = &self.step.action else { panic!("{}: {:#?}", self.step.id, play.kinds()) };
            assert!(branches.iter().all(|branch| branch.on_failure() == OnFailure::Continue), "{}", self.step.id);
            assert!(play.outcome().is_success(), "{}: {:#?}", self.step.id, play.kinds());
            return;
        }
        self.ends_as_the_file_says(&play);
        if self.is_asked_about(&play) {
            self.people_decide();
        }
        // Each of several things by itself: it fails them all, or is passed over.
        if let Action::Parallel(branches) = &self.step.action {
            for branch in branches {
                let script = self.well.script.clone().failing(&format!("{}.{}", self.step.id, branch.id));
                let play = self.play(&script);
                let fails = play.steps_of("step-failed").contains(&&*self.step.id);
                assert!(fails || branch.on_failure() == OnFailure::Continue, "{}: {:#?}", branch.id, play.kinds());
                if fails {
                    self.ends_as_the_file_says(&play);
                }
            }
        }
    }

    fn attempts(&self) -> usize {
        match &self.step.retry {
            Some(retry) if self.step.effect() != Effect::Once => retry.attempts as usize,
            _ => 1,
        }
    }

    fn begun_times(&self, play: &Play<'_>) -> usize {
        play.steps_of("step-started").iter().filter(|id| **id == self.step.id).count()
    }

    fn is_asked_about(&self, play: &Play<'_>) -> bool {
        play.steps_of("question-asked").contains(&&*self.step.id)
    }

    #[track_caller]
    fn ends(&self, play: &Play<'_>, outcome: Outcome) {
        let what = || format!("/{} at {}: {}: {:#?}", self.command.name, self.step.id, play.message(), play.kinds());
        assert_eq!(play.outcome(), outcome, "{}", what());
        let undone = if outcome == Outcome::RolledBack { undoable(play) } else { Vec::new() };
        assert_eq!(play.steps_of("undo-started"), undone, "{}", what());
    }

    fn ends_as_the_file_says(&self, play: &Play<'_>) {
        assert_eq!(self.begun_times(play), self.attempts(), "/{} at {}", self.command.name, self.step.id);
        let nothing_after = || {
            let last = *play.steps_of("step-started").last().unwrap();
            assert_eq!(last, self.step.id, "/{}: {:#?}", self.command.name, play.kinds());
            assert!(play.message().starts_with(&self.step.name), "{}", play.message());
        };
        match self.step.on_failure() {
            OnFailure::Stop => {
                self.ends(play, Outcome::Failed);
                nothing_after();
            }
            OnFailure::Refuse => {
                self.ends(play, Outcome::Refused);
                nothing_after();
            }
            OnFailure::Continue => self.ends(play, Outcome::SucceededWithSkips),
            OnFailure::Undo if !past_return(play) => {
                self.ends(play, Outcome::RolledBack);
                nothing_after();
            }
            // The script's people stop what they are asked about, and nothing is taken back then.
            OnFailure::Undo | OnFailure::Ask => {
                assert!(self.is_asked_about(play), "/{} at {}", self.command.name, self.step.id);
                self.ends(play, Outcome::Aborted);
            }
        }
    }

    fn people_decide(&self) {
        let script = self.script().saying(Choice::Retry);
        let play = self.play(&script);
        self.ends(&play, self.well.outcome);
        assert_eq!(self.begun_times(&play), self.attempts() + 1);
        let script = self.script().saying(Choice::Skip);
        let play = self.play(&script);
        assert!(matches!(play.state.step(&self.step.id).unwrap().status, Status::Skipped(_)));
        self.ends(&play, Outcome::SucceededWithSkips);
        let script = self.script().saying(Choice::Undo);
        let play = self.play(&script);
        // Where it is too late for that, it is not offered, and they stop it.
        self.ends(&play, if past_return(&play) { Outcome::Aborted } else { Outcome::RolledBack });
    }
}

/// Whether a point of no return was begun.
fn past_return(play: &Play<'_>) -> bool {
    let begun = play.steps_of("step-started");
    play.state.created.command.steps.iter().any(|step| step.point_of_no_return && begun.contains(&&*step.id))
}

/// What the file says that is taken back, last first.
fn undoable<'p>(play: &'p Play<'_>) -> Vec<&'p str> {
    let (begun, done) = (play.steps_of("step-started"), play.steps_of("step-succeeded"));
    let is_taken_back = |step: &&Step| {
        let there = if step.undo_when == UndoWhen::Started { &begun } else { &done };
        step.undo.is_some() && there.contains(&&*step.id)
    };
    play.state.created.command.steps.iter().rev().filter(is_taken_back).map(|step| &*step.id).collect()
}
