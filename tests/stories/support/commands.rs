//! Commands in few words. A step runs the program `do`, takes itself back with `undo`, is checked with `check`.

use drbot::runbook::{
    action::{Action, Ask, Exec},
    definition::{Approval, Check, Command, Effect, OnFailure, Output, Retry, Risk, Step, UndoWhen, ValueType},
    span::Span,
};

pub fn program(verb: &str) -> Action {
    Action::Exec(Exec {
        program: verb.to_owned(),
        args: Vec::new(),
        env: Default::default(),
        secrets: Default::default(),
        directory: None,
    })
}

pub fn step(id: &str, effect: Effect) -> Step {
    Step {
        id: id.to_owned(),
        name: id.to_owned(),
        why: None,
        action: program("do"),
        when: None,
        takes: None,
        timeout: Some(Span::from_secs(100)),
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

pub fn read(id: &str) -> Step {
    step(id, Effect::Read)
}

pub fn idempotent(id: &str) -> Step {
    step(id, Effect::Idempotent)
}

pub fn once(id: &str) -> Step {
    step(id, Effect::Once)
}

pub fn question(id: &str) -> Step {
    let ask = Ask { question: "Which?".to_owned(), choices: vec!["left".to_owned(), "right".to_owned()] };
    Step { action: Action::Ask(ask), ..read(id) }
}

pub fn parallel(id: &str, branches: Vec<Step>) -> Step {
    Step { action: Action::Parallel(branches), ..read(id) }
}

pub trait StepWords: Sized {
    fn change(self, change: impl FnOnce(&mut Step)) -> Self;

    fn undoable(self) -> Self {
        self.change(|step| step.undo = Some(program("undo")))
    }

    fn half_undoable(self) -> Self {
        self.undoable().change(|step| step.undo_when = UndoWhen::Started)
    }

    fn failing(self, on_failure: OnFailure) -> Self {
        self.change(|step| step.on_failure = Some(on_failure))
    }

    fn retrying(self, attempts: u32) -> Self {
        let retry = Retry { attempts, delay: Span::from_secs(2), backoff: 3.0 };
        self.change(|step| step.retry = Some(retry))
    }

    fn within(self, seconds: u64) -> Self {
        self.change(|step| step.timeout = Some(Span::from_secs(seconds)))
    }

    fn checked(self, expect: Option<&str>) -> Self {
        let check = Check { action: program("check"), expect: expect.map(str::to_owned) };
        self.change(|step| step.check = Some(check))
    }

    fn gives(self, output: &str, kind: ValueType) -> Self {
        self.change(|step| drop(step.outputs.insert(output.to_owned(), Output { kind, from: None })))
    }
}

impl StepWords for Step {
    fn change(mut self, change: impl FnOnce(&mut Step)) -> Self {
        change(&mut self);
        self
    }
}

/// A command that operators may start.
pub fn command(name: &str, steps: Vec<Step>) -> Command {
    Command {
        name: name.to_owned(),
        summary: "A command of the stories".to_owned(),
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

/// With the approval of a dba before a step, asked for after another.
pub fn approved(mut command: Command, after: Option<&str>, before: &str) -> Command {
    command.approval = Some(Approval {
        before: before.to_owned(),
        after: after.map(str::to_owned),
        roles: vec!["dba".to_owned()],
        quorum: 1,
        expires: Span::from_secs(300),
        confirm: None,
        unless: None,
        because: None,
        cost: None,
    });
    command
}
