//! A run of a shipped command from its beginning, or from any prefix of its journal, to its end: the heart alone, with an
//! executor that does as its script says. No store, no clock, no waiting.

use std::collections::BTreeSet;

use drbot::{
    access,
    actions::{Done, Failure, Fields},
    clock::Timestamp,
    config::{
        load::Configuration,
        settings::{DiscordId, Settings},
    },
    engine::outputs,
    ids::RunId,
    run::{
        context::{self, Scoped},
        event::{ApprovalAsked, Choice, Created, Entry, Event, FailureKind, Person, SkipReason},
        next::{self, Next, WaitingOn},
        outcome::Outcome,
        plan,
        state::{ApprovalState, State},
    },
    runbook::{
        self,
        action::Action,
        definition::{Command, Effect, Step},
        template,
    },
};
use serde_json::{Map, Value};

use super::samples::{self, Samples, Way};

/// More turns than any run takes.
const MOST_TURNS: usize = 2000;

/// What becomes of each attempt, and what people say.
#[derive(Debug, Clone)]
pub struct Script {
    pub samples: Samples,
    /// Steps (`step`, `step.branch`) whose attempts fail.
    pub fails: BTreeSet<String>,
    /// What people say when they are asked what to do about a failure.
    pub says: Choice,
    /// Fails only the first time, as when somebody mended it.
    pub mended: bool,
    /// Whether the attempt that drbot was lost at had happened.
    pub happened: bool,
}

impl Script {
    pub fn of(command: &Command, way: Way) -> Self {
        let fails = way.fails.iter().map(|step| (*step).to_owned()).collect();
        Self { samples: samples::of(command, way), fails, says: Choice::Abort, mended: false, happened: false }
    }

    pub fn failing(mut self, step: &str) -> Self {
        self.fails.insert(step.to_owned());
        self
    }

    pub fn saying(mut self, choice: Choice) -> Self {
        self.mended = choice == Choice::Retry;
        self.says = choice;
        self
    }

    fn fails(&self, place: &str, attempts_allowed: u32, attempt: u32) -> bool {
        self.fails.contains(place) && !(self.mended && attempt > attempts_allowed)
    }
}

pub struct Play<'a> {
    settings: &'a Settings,
    script: &'a Script,
    pub state: State,
    pub journal: Vec<Entry>,
    now: Timestamp,
}

/// A run as it is when somebody has just asked for it.
pub fn begun(configuration: &Configuration, command: &Command, way: Way) -> Vec<Entry> {
    let settings = &configuration.settings;
    let target = command.target.as_ref().map(|name| runbook::context::target(name, &settings.target[name]));
    let created = Created {
        command: command.clone(),
        definition_hash: "hash".to_owned(),
        options: way.typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        requester: person(1),
        requester_roles: settings.roles.values().copied().collect(),
        channel: settings.discord.channel,
        target: target.unwrap_or_default(),
        scenario: command.scenario.as_ref().map(|name| settings.scenario[name].clone()),
        incident: None,
        rungs: Vec::new(),
        lock: None,
        glass: None,
        undone: command.undoes.as_ref().map(|name| samples::undone(&configuration.commands[name])),
        locked_down: None,
    };
    let at = Timestamp::from_timestamp_micros(1_700_000_000_000_000).unwrap();
    vec![Entry { run: RunId::generate(), seq: 1, at, event: Event::RunCreated(Box::new(created)) }]
}

fn person(id: u64) -> Person {
    Person { id: DiscordId(id), name: format!("person {id}") }
}

impl<'a> Play<'a> {
    /// Goes on from there, as a drbot that finds this journal, to the end.
    pub fn on(settings: &'a Settings, script: &'a Script, journal: &[Entry]) -> Self {
        let mut play = Self::found(settings, script, journal);
        for _ in 0..MOST_TURNS {
            match next::next(&play.state, play.now) {
                Next::Ended => return play,
                next => play.turn(next),
            }
        }
        panic!("/{} never ends: {:#?}", play.state.created.command.name, play.kinds());
    }

    /// What a drbot that finds this journal does first: the entries of one turn that leaves any.
    pub fn first(settings: &'a Settings, script: &'a Script, journal: &[Entry]) -> Vec<Entry> {
        let mut play = Self::found(settings, script, journal);
        while play.journal.len() == journal.len() && play.state.finished.is_none() {
            play.turn(next::next(&play.state, play.now));
        }
        play.journal.split_off(journal.len())
    }

    fn found(settings: &'a Settings, script: &'a Script, journal: &[Entry]) -> Self {
        let (now, state) = (journal.last().unwrap().at, State::replay(journal).unwrap());
        Self { settings, script, state, journal: journal.to_vec(), now }
    }

    pub fn outcome(&self) -> Outcome {
        self.state.finished.as_ref().unwrap().outcome
    }

    pub fn message(&self) -> &str {
        &self.state.finished.as_ref().unwrap().message
    }

    pub fn kinds(&self) -> Vec<String> {
        let tell = |entry: &Entry| format!("{} {}", entry.event.kind(), entry.event.step().unwrap_or_default());
        self.journal.iter().map(tell).collect()
    }

    /// The steps of the events of this kind, in order.
    pub fn steps_of(&self, kind: &str) -> Vec<&str> {
        let of_kind = self.journal.iter().filter(|entry| entry.event.kind() == kind);
        of_kind.filter_map(|entry| entry.event.step()).collect()
    }

    fn put(&mut self, event: Event) {
        let entry = Entry { run: self.state.id, seq: self.state.seq + 1, at: self.now, event };
        if let Err(illegal) = self.state.apply(&entry) {
            panic!("/{}: {illegal}: {:#?}", self.state.created.command.name, self.kinds());
        }
        self.journal.push(entry);
    }

    fn turn(&mut self, next: Next) {
        match next {
            Next::Begin { step } => self.attempt(step),
            Next::Settle { step } => self.settle(step),
            Next::Skip { step } => self.put(Event::StepSkipped { step: self.id(step), reason: SkipReason::Condition }),
            Next::AskApproval { round } => self.ask_approval(round),
            Next::WaiveApproval { round } => self.waive_approval(round),
            Next::Ask { step, about } => {
                let there = &self.state.steps[step];
                let (question, choices) = (about.question(there), about.choices(there, self.state.past_return()));
                self.put(Event::QuestionAsked { step: self.id(step), token: String::new(), question, choices });
            }
            Next::Undo { step, attempt } => self.undo(step, attempt),
            Next::Recover => self.put(Event::Recovered),
            Next::Finish { outcome, message } => self.put(Event::Finished { outcome, message }),
            Next::Wait { until, on: WaitingOn::Retry } => self.now = until.unwrap(),
            Next::Wait { on: WaitingOn::Approval, .. } => self.approve(),
            Next::Wait { on: WaitingOn::Answer, .. } => self.answer(),
            Next::Wait { on: WaitingOn::AskAgain | WaitingOn::Lockdown, .. }
            | Next::ExpireApproval { .. }
            | Next::Ended => {
                panic!("{next:?}: {:#?}", self.kinds())
            }
        }
    }

    fn id(&self, step: usize) -> String {
        self.state.steps[step].definition.id.clone()
    }

    fn attempt(&mut self, index: usize) {
        let step = self.state.steps[index].definition.clone();
        let attempt = self.state.steps[index].attempts + 1;
        if self.state.is_gated(index)
            && let ApprovalState::Given { asked, .. } = &self.state.approval
        {
            let passed = self.state.gate_passed();
            assert!(passed || asked.plan_hash == plan::hash(&self.state).unwrap(), "the plan is not what was approved");
        }
        access::step(self.settings, &self.state, index, self.now).unwrap();
        let action = self.rendered(&step, &step.action);
        let id = step.id.clone();
        self.put(Event::StepStarted { step: id.clone(), attempt, action: Box::new(action), facts: Map::new() });
        if let Action::Ask(ask) = &step.action {
            return self.question(id, ask.question.clone(), &ask.choices);
        }
        let event = match self.done(&step, attempt) {
            Ok(outputs) => succeeded(id, attempt, outputs),
            Err((message, found)) => {
                let kind =
                    if matches!(step.action, Action::Wait(_)) { FailureKind::TimedOut } else { FailureKind::Failed };
                Event::StepFailed { step: id, attempt, message, kind, log: Vec::new(), found }
            }
        };
        self.put(event);
    }

    /// With its templates filled in, which the file must allow for at this point.
    fn rendered(&self, step: &Step, action: &Action) -> Action {
        let rendered = template::render_action(action, &context::of(&self.state, Scoped::Step(step)));
        rendered.unwrap_or_else(|error| {
            panic!("/{} at {}: {error}: {:#?}", self.state.created.command.name, step.id, self.kinds())
        })
    }

    fn done(&self, step: &Step, attempt: u32) -> Result<Fields, (String, Fields)> {
        let allowed = step.retry.as_ref().map_or(1, |retry| retry.attempts);
        let fails = |place: &str| self.script.fails(place, allowed, attempt);
        let wrong = |message: String| (message, Fields::new());
        let done = match &step.action {
            Action::Parallel(branches) => {
                let branch = |branch: &Step| {
                    let place = format!("{}.{}", step.id, branch.id);
                    if fails(&step.id) || fails(&place) {
                        return (Fields::new(), Err(Failure::failed("it fails")));
                    }
                    let done = Done { fields: self.script.samples[&place].clone(), ..Done::default() };
                    let verdict = outputs::judge(&branch.action, branch.expect.as_deref(), None, &done);
                    outputs::of_branch(branch, done, verdict)
                };
                match outputs::of_branches(branches, branches.iter().map(branch).collect()) {
                    Ok(done) => done,
                    Err(Failure::Found { message, found, .. }) => return Err((message, found)),
                    Err(other) => return Err(wrong(other.to_string())),
                }
            }
            _ if fails(&step.id) => return Err(wrong("it fails".to_owned())),
            _ => Done { fields: self.script.samples[&step.id].clone(), ..Done::default() },
        };
        if let Err(message) = outputs::judge(&step.action, step.expect.as_deref(), None, &done) {
            let found = if matches!(step.action, Action::Parallel(_)) { done.fields } else { Fields::new() };
            return Err((message, found));
        }
        outputs::outputs(step, &done.fields).map_err(wrong)
    }

    /// A step that was under way when drbot was lost.
    fn settle(&mut self, index: usize) {
        let step = self.state.steps[index].definition.clone();
        let (id, attempt) = (step.id.clone(), self.state.steps[index].attempts);
        self.put(Event::StepInterrupted { step: id.clone(), attempt });
        let happened = self.script.happened && step.effect() == Effect::Once;
        let event = match happened.then(|| self.done(&step, attempt)) {
            Some(Ok(outputs)) => succeeded(id, attempt, outputs),
            _ => Event::StepNotDone { step: id, attempt },
        };
        self.put(event);
    }

    fn undo(&mut self, index: usize, attempt: u32) {
        let step = self.state.steps[index].definition.clone();
        self.put(Event::UndoStarted { step: step.id.clone(), attempt });
        self.rendered(&step, step.undo.as_ref().unwrap());
        self.put(Event::UndoSucceeded { step: step.id.clone(), summary: String::new() });
    }

    /// What approvers read must be there when they are asked.
    fn ask_approval(&mut self, round: u32) {
        let approval = self.state.created.command.approval.clone().unwrap();
        let context = context::of(&self.state, Scoped::Command);
        let shown = |text: Option<String>| text.map(|text| template::render_text(&text, &context).unwrap());
        let asked = ApprovalAsked {
            round,
            token: String::new(),
            plan_hash: plan::hash(&self.state).unwrap(),
            plan: Vec::new(),
            cost: shown(approval.cost),
            confirm: shown(approval.confirm),
            expires_at: self.now + approval.expires.0,
        };
        self.put(Event::ApprovalAsked(Box::new(asked)));
    }

    /// So must what is said when nobody is asked.
    fn waive_approval(&mut self, round: u32) {
        let because = self.state.created.command.approval.clone().unwrap().because.unwrap_or_default();
        let because = template::render_text(&because, &context::of(&self.state, Scoped::Command)).unwrap();
        self.put(Event::ApprovalWaived { round, because });
    }

    fn approve(&mut self) {
        let quorum = self.state.created.command.approval.as_ref().unwrap().quorum;
        let ApprovalState::Pending { asked, yes, .. } = self.state.approval.clone() else {
            unreachable!("it is waited for")
        };
        for who in yes.len()..usize::from(quorum) {
            let by = person(10 + who as u64);
            self.put(Event::ApprovalGiven { round: asked.round, by, plan_hash: asked.plan_hash.clone() });
        }
    }

    fn question(&mut self, step: String, question: String, choices: &[String]) {
        let choices = choices.iter().cloned().map(Choice::Answer).collect();
        self.put(Event::QuestionAsked { step, token: String::new(), question, choices });
    }

    fn answer(&mut self) {
        let question = self.state.question.clone().unwrap();
        // A file's own question: its first answer is the way on.
        let choice = match &question.choices[0] {
            Choice::Answer(answer) => Choice::Answer(answer.clone()),
            _ if question.choices.contains(&self.script.says) => self.script.says.clone(),
            _ => Choice::Abort,
        };
        let reason = Some("because".to_owned());
        self.put(Event::QuestionAnswered { step: question.step, choice, by: person(1), reason });
    }
}

fn succeeded(step: String, attempt: u32, outputs: Fields) -> Event {
    Event::StepSucceeded { step, attempt, outputs, summary: "done".to_owned(), log: Vec::new() }
}

/// What steps promised, for comparing ends.
pub fn outputs_of(state: &State) -> Value {
    let steps = state.steps.iter().map(|step| (step.definition.id.clone(), Value::Object(step.outputs.clone())));
    Value::Object(steps.collect())
}
