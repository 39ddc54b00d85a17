//! Short words for definitions, runs and what happens in them. Tests only.

use std::collections::VecDeque;

use serde_json::Map;

use crate::{
    clock::Timestamp,
    config::settings::DiscordId,
    ids::RunId,
    run::{
        event::{ApprovalAsked, Choice, Created, Entry, Event, FailureKind, Paged, Person, SkipReason},
        glass::{Glass, GlassBroken, Grounds},
        lockdown::{self, Lockdown},
        next::{self, Next, WaitingOn},
        rungs::Rung,
        state::{ApprovalState, Illegal, State, Status},
    },
    runbook::{
        action::{Action, Ask, Exec},
        definition::{Approval, Command, Effect, OnFailure, Recovered, Retry, Risk, Step, UndoWhen},
        span::Span,
    },
};

pub fn dana() -> Person {
    person(1, "Dana")
}

pub fn omar() -> Person {
    person(2, "Omar")
}

pub fn lena() -> Person {
    person(3, "Lena")
}

fn person(id: u64, name: &str) -> Person {
    Person { id: DiscordId(id), name: name.to_owned() }
}

pub fn program(verb: &str) -> Action {
    Action::Exec(Exec {
        program: verb.to_owned(),
        args: Vec::new(),
        env: Default::default(),
        secrets: Default::default(),
        directory: None,
    })
}

/// A step of this effect, that stops the run when it fails.
pub fn step(id: &str, effect: Effect) -> Step {
    Step {
        id: id.to_owned(),
        name: id.to_owned(),
        why: None,
        action: program("do"),
        when: None,
        takes: None,
        timeout: Some(Span::from_secs(10)),
        retry: None,
        effect: Some(effect),
        check: None,
        expect: None,
        says: None,
        keep: None,
        outputs: Default::default(),
        undo: None,
        undo_when: UndoWhen::Succeeded,
        on_failure: Some(OnFailure::Stop),
        point_of_no_return: false,
        scope: String::new(),
    }
}

pub fn idempotent(id: &str) -> Step {
    step(id, Effect::Idempotent)
}

pub fn once(id: &str) -> Step {
    step(id, Effect::Once)
}

pub fn read(id: &str) -> Step {
    step(id, Effect::Read)
}

pub fn question(id: &str) -> Step {
    let ask = Ask { question: "Which?".to_owned(), choices: vec!["left".to_owned(), "right".to_owned()] };
    Step { action: Action::Ask(ask), ..read(id) }
}

impl Step {
    pub fn undoable(self) -> Self {
        Self { undo: Some(program("undo")), ..self }
    }

    pub fn half_undoable(self) -> Self {
        Self { undo_when: UndoWhen::Started, ..self.undoable() }
    }

    pub fn no_return(self) -> Self {
        Self { point_of_no_return: true, ..self }
    }

    pub fn failing(self, on_failure: OnFailure) -> Self {
        Self { on_failure: Some(on_failure), ..self }
    }

    pub fn retrying(self, attempts: u32) -> Self {
        Self { retry: Some(Retry { attempts, delay: Span::from_secs(2), backoff: 3.0 }), ..self }
    }

    pub fn when(self, condition: &str) -> Self {
        Self { when: Some(condition.to_owned()), ..self }
    }
}

pub fn command(steps: Vec<Step>) -> Command {
    Command {
        name: "test".to_owned(),
        summary: "A command of the tests".to_owned(),
        scenario: None,
        risk: Risk::Risky,
        roles: vec!["operator".to_owned()],
        lock: None,
        target: None,
        options: Default::default(),
        approval: None,
        undoes: None,
        steps,
        recovered: None,
        next: None,
    }
}

impl Command {
    pub fn approved(self, after: Option<&str>, before: &str) -> Self {
        let approval = Approval {
            before: before.to_owned(),
            after: after.map(str::to_owned),
            roles: vec!["dba".to_owned()],
            quorum: 1,
            expires: Span::from_secs(300),
            confirm: None,
            cost: None,
            unless: None,
            because: None,
        };
        Self { approval: Some(approval), ..self }
    }

    pub fn quorum(mut self, quorum: u8) -> Self {
        if let Some(approval) = &mut self.approval {
            approval.quorum = quorum;
        }
        self
    }

    pub fn recovered(self, when: &str) -> Self {
        Self { recovered: Some(Recovered { when: when.to_owned() }), ..self }
    }
}

/// 50, 75 and 100 % of a minute.
fn rungs(at: Timestamp) -> Vec<Rung> {
    let rung = |(percent, seconds)| Rung {
        percent,
        due_at: at + chrono::TimeDelta::seconds(seconds),
        page: vec!["everyone".to_owned()],
    };
    [(50, 30), (75, 45), (100, 60)].map(rung).to_vec()
}

pub fn paged(percent: u8) -> Event {
    let due_at = Timestamp::from_timestamp_micros(1_700_000_030_000_000).unwrap();
    let (passed_over, called, unreachable) = (Vec::new(), Vec::new(), Vec::new());
    Event::Paged(Box::new(Paged { percent, due_at, passed_over, called, unreachable }))
}

/// A run as a test tells it: its journal so far, the state folded from it, and the time.
#[derive(Clone)]
pub struct Tale {
    pub state: State,
    pub journal: Vec<Entry>,
    pub now: Timestamp,
}

pub fn held() -> Event {
    let at = Timestamp::from_timestamp_micros(0).unwrap();
    Event::Held { lockdown: Lockdown { by: "Lena".to_owned(), at, reason: "why".to_owned() } }
}

pub fn released() -> Event {
    Event::Released { by: "root".to_owned(), reason: "over".to_owned() }
}

impl Tale {
    pub fn of(command: Command) -> Self {
        let now = Timestamp::from_timestamp_micros(1_700_000_000_000_000).unwrap();
        let created = Created {
            command,
            definition_hash: "hash".to_owned(),
            options: Default::default(),
            requester: dana(),
            requester_roles: vec![DiscordId(10)],
            channel: DiscordId(20),
            target: serde_json::Value::Null,
            scenario: None,
            incident: None,
            rungs: rungs(now),
            lock: None,
            glass: Some(Glass { near: 75 }),
            undone: None,
            locked_down: None,
        };
        let first = Entry { run: RunId::generate(), seq: 1, at: now, event: Event::RunCreated(Box::new(created)) };
        Self { state: State::begin(&first).unwrap(), journal: vec![first], now }
    }

    pub fn offer(&mut self, event: Event) -> Result<(), Illegal> {
        let entry = Entry { run: self.state.id, seq: self.state.seq + 1, at: self.now, event };
        self.state.apply(&entry)?;
        self.journal.push(entry);
        Ok(())
    }

    #[track_caller]
    pub fn put(&mut self, event: Event) -> &mut Self {
        if let Err(illegal) = self.offer(event) {
            panic!("{illegal}");
        }
        self
    }

    /// Why an event cannot happen now; that it changes nothing is seen to.
    #[track_caller]
    pub fn refused(&mut self, event: Event) -> String {
        let before = self.state.clone();
        let illegal = self.offer(event).expect_err("this should not be possible");
        assert_eq!(self.state, before, "an illegal event has changed the state");
        illegal.why
    }

    pub fn later(&mut self, seconds: i64) -> &mut Self {
        self.now += chrono::TimeDelta::seconds(seconds);
        self
    }

    pub fn next(&self) -> Next {
        next::next(&self.state, self.now)
    }

    pub fn status(&self, id: &str) -> &Status {
        &self.state.step(id).unwrap().status
    }

    #[track_caller]
    pub fn begins(&mut self, id: &str) -> &mut Self {
        let index = self.index(id);
        assert_eq!(self.next(), Next::Begin { step: index }, "{id} should begin");
        self.put(started(id, self.state.steps[index].attempts + 1))
    }

    #[track_caller]
    pub fn does(&mut self, id: &str) -> &mut Self {
        self.begins(id);
        let attempt = self.state.step(id).unwrap().attempts;
        self.put(succeeded(id, attempt))
    }

    #[track_caller]
    pub fn fails(&mut self, id: &str) -> &mut Self {
        self.begins(id);
        let attempt = self.state.step(id).unwrap().attempts;
        self.put(failed(id, attempt, FailureKind::Failed))
    }

    /// drbot goes away while `id` is under way, comes back, and finds out that it had not happened.
    #[track_caller]
    pub fn is_interrupted_at(&mut self, id: &str) -> &mut Self {
        self.begins(id);
        let index = self.index(id);
        assert_eq!(self.next(), Next::Settle { step: index });
        let attempt = self.state.steps[index].attempts;
        self.put(Event::StepInterrupted { step: id.to_owned(), attempt });
        self.put(Event::StepNotDone { step: id.to_owned(), attempt })
    }

    #[track_caller]
    pub fn asks_approval(&mut self) -> &mut Self {
        let Next::AskApproval { round } = self.next() else { panic!("{:?}", self.next()) };
        let asked = asked(round, self.now);
        self.put(asked)
    }

    #[track_caller]
    pub fn asks(&mut self) -> &mut Self {
        let Next::Ask { step, about } = self.next() else { panic!("{:?}", self.next()) };
        let choices = about.choices(&self.state.steps[step], self.state.past_return());
        let step = self.state.steps[step].definition.id.clone();
        self.put(Event::QuestionAsked { step, token: "t".to_owned(), question: "?".to_owned(), choices })
    }

    #[track_caller]
    pub fn answers(&mut self, choice: Choice) -> &mut Self {
        let step = self.state.question.as_ref().expect("nothing is asked").step.clone();
        let reason = Some("because".to_owned());
        self.put(Event::QuestionAnswered { step, choice, by: dana(), reason })
    }

    #[track_caller]
    pub fn undoes(&mut self, id: &str) -> &mut Self {
        assert_eq!(self.next(), Next::Undo { step: self.index(id), attempt: 1 });
        self.put(Event::UndoStarted { step: id.to_owned(), attempt: 1 });
        self.put(Event::UndoSucceeded { step: id.to_owned(), summary: String::new() })
    }

    pub fn index(&self, id: &str) -> usize {
        self.state.steps.iter().position(|step| step.definition.id == id).unwrap()
    }
}

pub fn started(id: &str, attempt: u32) -> Event {
    Event::StepStarted { step: id.to_owned(), attempt, action: Box::new(program("do")), facts: Map::new() }
}

pub fn succeeded(id: &str, attempt: u32) -> Event {
    Event::StepSucceeded {
        step: id.to_owned(),
        attempt,
        outputs: Map::new(),
        summary: "done".to_owned(),
        log: Vec::new(),
    }
}

pub fn failed(id: &str, attempt: u32, kind: FailureKind) -> Event {
    Event::StepFailed {
        step: id.to_owned(),
        attempt,
        message: "it broke".to_owned(),
        kind,
        log: Vec::new(),
        found: Map::new(),
    }
}

pub fn unknown(id: &str, attempt: u32) -> Event {
    Event::StepUnknown { step: id.to_owned(), attempt, reason: "no answer".to_owned() }
}

pub fn asked(round: u32, now: Timestamp) -> Event {
    Event::ApprovalAsked(Box::new(ApprovalAsked {
        round,
        token: format!("token {round}"),
        plan_hash: "plan".to_owned(),
        plan: Vec::new(),
        cost: None,
        confirm: None,
        expires_at: now + chrono::TimeDelta::seconds(300),
    }))
}

pub fn broken(round: u32, by: Person) -> Event {
    Event::GlassBroken(Box::new(GlassBroken {
        round,
        by,
        plan_hash: "plan".to_owned(),
        reason: "nobody answers, money burns".to_owned(),
        grounds: Grounds { used: None, unanswered: 1 },
        called: Vec::new(),
        unreachable: Vec::new(),
        review_by: Timestamp::UNIX_EPOCH,
    }))
}

pub fn given(round: u32, by: Person) -> Event {
    Event::ApprovalGiven { round, by, plan_hash: "plan".to_owned() }
}

pub fn denied(round: u32, by: Person) -> Event {
    Event::ApprovalDenied { round, by, reason: "not now".to_owned() }
}

pub fn withdrawn(round: u32, by: Person) -> Event {
    Event::ApprovalWithdrawn { round, by }
}

pub fn stopped() -> Event {
    Event::CancelAsked { by: dana(), reason: None }
}

/// Decides, as the world and the people in it would, what follows a decision of `next`. Its whims run out; from then on
/// everything succeeds, and people answer and approve.
pub struct World {
    whims: VecDeque<u8>,
}

impl World {
    pub fn new(whims: impl IntoIterator<Item = u8>) -> Self {
        Self { whims: whims.into_iter().collect() }
    }

    /// Below `of`; 0 is the good way.
    fn whim(&mut self, of: u8) -> u8 {
        self.whims.pop_front().map_or(0, |whim| whim % of)
    }

    /// One turn, as the engine would do it.
    pub fn turn(&mut self, tale: &mut Tale) {
        match tale.next() {
            Next::Begin { step } => self.attempt(tale, step),
            Next::Settle { step } => self.settle(tale, step),
            Next::Skip { step } => {
                let step = tale.state.steps[step].definition.id.clone();
                tale.put(Event::StepSkipped { step, reason: SkipReason::Condition });
            }
            Next::WaiveApproval { round } => {
                tale.put(Event::ApprovalWaived { round, because: String::new() });
            }
            Next::AskApproval { .. } => {
                tale.asks_approval();
            }
            Next::ExpireApproval { round } => {
                tale.put(Event::ApprovalExpired { round });
            }
            Next::Ask { .. } => {
                tale.asks();
            }
            Next::Undo { step, attempt } => self.undo(tale, step, attempt),
            Next::Recover => {
                tale.put(Event::Recovered);
            }
            Next::Finish { outcome, message } => {
                tale.put(Event::Finished { outcome, message });
            }
            Next::Wait { until, on } => self.people(tale, until, on),
            Next::Ended => {}
        }
    }

    fn attempt(&mut self, tale: &mut Tale, index: usize) {
        let id = tale.state.steps[index].definition.id.clone();
        let attempt = tale.state.steps[index].attempts + 1;
        tale.put(started(&id, attempt));
        if let Action::Ask(ask) = tale.state.steps[index].definition.action.clone() {
            if self.whim(3) < 2 {
                let choices = ask.choices.into_iter().map(Choice::Answer).collect();
                tale.put(Event::QuestionAsked { step: id, token: "t".to_owned(), question: ask.question, choices });
            }
            return;
        }
        match self.whim(8) {
            0 | 1 => tale.put(succeeded(&id, attempt)),
            2 => tale.put(failed(&id, attempt, FailureKind::Failed)),
            3 => tale.put(failed(&id, attempt, FailureKind::TimedOut)),
            4 => tale.put(failed(&id, attempt, FailureKind::Refused)),
            5 => tale.put(failed(&id, attempt, FailureKind::Cancelled)),
            6 => tale.put(unknown(&id, attempt)),
            // drbot is lost while at it.
            _ => tale,
        };
    }

    fn settle(&mut self, tale: &mut Tale, index: usize) {
        let id = tale.state.steps[index].definition.id.clone();
        let attempt = tale.state.steps[index].attempts;
        tale.put(Event::StepInterrupted { step: id.clone(), attempt });
        match self.whim(4) {
            0 => tale.put(Event::StepNotDone { step: id, attempt }),
            1 => tale.put(succeeded(&id, attempt)),
            2 => tale.put(unknown(&id, attempt)),
            _ => tale,
        };
    }

    fn undo(&mut self, tale: &mut Tale, index: usize, attempt: u32) {
        let step = tale.state.steps[index].definition.id.clone();
        tale.put(Event::UndoStarted { step: step.clone(), attempt });
        match self.whim(3) {
            0 => tale.put(Event::UndoSucceeded { step, summary: String::new() }),
            1 => tale.put(Event::UndoFailed { step, attempt, message: "it broke".to_owned() }),
            _ => tale,
        };
    }

    fn people(&mut self, tale: &mut Tale, until: Option<Timestamp>, on: WaitingOn) {
        match on {
            WaitingOn::Retry => tale.now = until.expect("a retry has a time"),
            WaitingOn::AskAgain => {
                tale.put(Event::ApprovalRenewed { by: dana() });
            }
            WaitingOn::Approval => self.approver(tale, until),
            WaitingOn::Answer => self.answerer(tale),
            WaitingOn::Lockdown => {
                tale.put(released());
            }
        }
    }

    fn approver(&mut self, tale: &mut Tale, until: Option<Timestamp>) {
        let ApprovalState::Pending { asked, yes, .. } = &tale.state.approval else { panic!("nothing is asked") };
        let round = asked.round;
        let by = if yes.contains(&omar()) { lena() } else { omar() };
        match self.whim(4) {
            0 | 1 => tale.put(given(round, by)),
            2 if tale.state.unanswered > 0 => tale.put(broken(round, dana())),
            2 => tale.put(denied(round, by)),
            _ => {
                tale.now = until.expect("an approval expires");
                tale
            }
        };
    }

    fn answerer(&mut self, tale: &mut Tale) {
        let choices = tale.state.question.as_ref().expect("nothing is asked").choices.clone();
        if choices.is_empty() {
            tale.put(stopped());
            return;
        }
        let of = u8::try_from(choices.len()).unwrap();
        let choice = choices[usize::from(self.whim(of))].clone();
        tale.answers(choice);
    }

    /// Turns until the run has ended.
    pub fn play(&mut self, tale: &mut Tale, most: usize) {
        for _ in 0..most {
            if tale.next() == Next::Ended {
                return;
            }
            if tale.state.held.is_none() && lockdown::forbids(&tale.state, &tale.next()) && self.whim(8) == 7 {
                tale.put(held());
                continue;
            }
            self.turn(tale);
        }
        panic!("not ended after {most} turns: {:?}, {:#?}", tale.next(), tale.state);
    }
}
