//! What every surface shows of a run, as plain data.

use std::time::Duration;

use serde_json::Value;

use super::words;
use crate::{
    clock::{Timestamp, elapsed},
    ids::RunId,
    incident::{outlook::Forecast, times},
    run::{
        diagnosis,
        event::{Choice, SkipReason},
        glass,
        outcome::Outcome,
        state::{ApprovalState, Lapse, State, Status, StepState, Undo},
    },
    runbook::{
        action::{Action, Postgres},
        definition::OnFailure,
    },
};

/// How far the step under way is.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    pub step: String,
    pub done: u64,
    /// 0 where it is not known.
    pub total: u64,
    pub unit: String,
    pub doing: String,
    pub started_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct View {
    pub run: RunId,
    pub title: String,
    pub overall: Overall,
    pub requester: String,
    pub started_at: Timestamp,
    pub lines: Vec<Line>,
    pub clock: Option<RtoClock>,
    pub elapsed: Duration,
    /// What is in the way of everything but reads and halts.
    pub lockdown: Option<String>,
    /// Who was called because the RTO is being used up.
    pub called: Option<String>,
    pub approval: Approval,
    /// The open question and its choices.
    pub question: Option<(String, Vec<Choice>)>,
    /// What happened and what to do now, at the end.
    pub ending: Vec<String>,
    pub buttons: Vec<Press>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overall {
    Running,
    WaitingForApproval,
    WaitingForAnswer,
    Undoing,
    /// A lockdown is in the way.
    Held,
    Finished(Outcome),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub icon: Icon,
    pub name: String,
    pub took: Option<Duration>,
    pub detail: String,
    /// Why, and what to do: shown when it went wrong, until the ending says it.
    pub why: Option<String>,
    pub bar: Option<Bar>,
    /// One of several inside another line.
    pub inner: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Waiting,
    Running,
    Good,
    Bad,
    PassedOver,
    Skipped,
    Unknown,
    Undone,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub done: u64,
    pub total: u64,
    pub unit: String,
    /// Estimated from the rate so far.
    pub left: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RtoClock {
    pub objective: Duration,
    pub used: Duration,
    /// The clock has stopped: recovery is verified.
    pub stopped: bool,
    /// The run is over, recovered or not.
    pub over: bool,
    /// When the objective is reached, for surfaces that count down by themselves.
    pub due: Timestamp,
    /// What remains, by what it took before.
    pub forecast: Option<Forecast>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Approval {
    None,
    Open {
        roles: Vec<String>,
        cost: Option<String>,
        expires_in: Duration,
        yes: Vec<String>,
        quorum: u8,
        confirm: bool,
    },
    Given {
        by: Vec<String>,
        waited: Duration,
    },
    /// Somebody broke the glass.
    Forced {
        by: String,
        reason: String,
        waited: Duration,
    },
    Lapsed {
        why: String,
    },
    Denied {
        by: String,
        reason: String,
    },
    Waived {
        because: String,
    },
}

/// A button that makes sense now.
#[derive(Debug, Clone, PartialEq)]
pub enum Press {
    Approve {
        token: String,
    },
    Deny {
        token: String,
    },
    Withdraw {
        token: String,
    },
    AskAgain,
    /// For when nobody can be waited for.
    BreakGlass {
        token: String,
    },
    Answer {
        token: String,
        index: usize,
        choice: Choice,
    },
    Plan,
    Stop,
    /// For a run that recovers, of which nobody has opened an incident.
    OpenIncident,
    /// `fits`: it is for the scenario that the symptoms fit best.
    Offer {
        command: String,
        fits: bool,
    },
}

pub fn of(state: &State, now: Timestamp, live: Option<&Live>) -> View {
    let end = state.finished.as_ref().map_or(now, |finished| finished.at);
    View {
        run: state.id,
        title: title(state),
        overall: overall(state),
        requester: state.created.requester.name.clone(),
        started_at: state.created_at,
        lines: lines(state, end, live),
        clock: clock(state, end),
        elapsed: elapsed(state.created_at, end),
        lockdown: match &state.held {
            Some(lockdown) if state.finished.is_none() => Some(words::holds(lockdown)),
            _ => state.created.locked_down.as_ref().map(words::stood),
        },
        called: state.paged.as_ref().map(|(_, paged)| words::called_so_far(paged)),
        approval: approval(state, now),
        question: state.question.as_ref().map(|question| (question.question.clone(), question.choices.clone())),
        ending: words::ending(state),
        buttons: buttons(state, now),
    }
}

impl View {
    /// With what is known of the time beside the run's own journal: what remains, and the clock of its incident.
    #[must_use]
    pub fn in_time(mut self, forecast: Option<Forecast>, incident: Option<times::Clock>) -> Self {
        if let Some(clock) = &mut self.clock {
            clock.forecast = forecast;
            if let Some(incident) = incident.filter(|_| !clock.over) {
                (clock.objective, clock.used, clock.due) = (incident.whole, incident.used, incident.due);
            }
        }
        self
    }
}

fn title(state: &State) -> String {
    let target = state.created.target.get("name").and_then(Value::as_str);
    let what = match &state.created.undone {
        Some(undone) => format!("/undo · /{} {}", undone.command, undone.run.short()),
        None => format!("/{}", state.created.command.name),
    };
    match target {
        Some(target) => format!("{what} · {target}"),
        None => what,
    }
}

fn overall(state: &State) -> Overall {
    match &state.finished {
        Some(finished) => Overall::Finished(finished.outcome),
        None if state.held.is_some() => Overall::Held,
        None if state.ending.is_some() || state.steps.iter().any(|step| step.undo != Undo::None) => Overall::Undoing,
        None if state.question.is_some() => Overall::WaitingForAnswer,
        None if at_gate(state) => Overall::WaitingForApproval,
        None => Overall::Running,
    }
}

/// Nothing is left to be done but to approve.
fn at_gate(state: &State) -> bool {
    let open = matches!(state.approval, ApprovalState::Pending { .. } | ApprovalState::Lapsed { .. });
    let next = state.steps.iter().find(|step| matches!(step.status, Status::Pending | Status::Running));
    open && next.map(|step| &step.definition.id) == state.gate().map(|step| &step.definition.id)
}

/// The steps, those of called commands folded into one line while there is nothing to see in them.
fn lines(state: &State, now: Timestamp, live: Option<&Live>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut rest = state.steps.as_slice();
    while let Some(first) = rest.first() {
        let group = first.definition.scope.as_str();
        let length = match group {
            "" => 1,
            _ => rest.iter().take_while(|step| step.definition.scope == group).count(),
        };
        let (these, others) = rest.split_at(length);
        rest = others;
        let quiet = these.iter().all(|step| {
            matches!(step.status, Status::Succeeded | Status::Pending | Status::Skipped(SkipReason::Condition))
        });
        if length > 1 && quiet {
            lines.push(folded(these));
        } else {
            lines.extend(these.iter().flat_map(|step| of_step(step, now, live, state.finished.is_some())));
        }
    }
    lines
}

/// One line for the steps of a called command: the last of them is what it was for.
fn folded(steps: &[StepState]) -> Line {
    let last = &steps[steps.len() - 1];
    let done = steps.iter().all(|step| !matches!(step.status, Status::Pending));
    let begun = steps.iter().any(|step| !matches!(step.status, Status::Pending));
    let took = match (steps.iter().find_map(|step| step.started_at), last.ended_at) {
        (Some(from), Some(to)) if done => Some(elapsed(from, to)),
        _ => None,
    };
    Line {
        icon: match (done, begun) {
            (true, _) => Icon::Good,
            (false, true) => Icon::Running,
            (false, false) => Icon::Waiting,
        },
        name: last.definition.name.clone(),
        took,
        detail: String::new(),
        why: None,
        bar: None,
        inner: false,
    }
}

fn of_step(step: &StepState, now: Timestamp, live: Option<&Live>, is_over: bool) -> Vec<Line> {
    let passed_over = step.definition.on_failure() == OnFailure::Continue;
    let icon = match (&step.undo, &step.status) {
        (Undo::Done { .. }, _) => Icon::Undone,
        (Undo::Failed { .. }, _) => Icon::Bad,
        (_, Status::Pending) => Icon::Waiting,
        (_, Status::Running | Status::Interrupted | Status::Again) => Icon::Running,
        (_, Status::Failed { .. }) if passed_over => Icon::PassedOver,
        (_, Status::Failed { .. }) => Icon::Bad,
        (_, Status::Unknown { .. }) => Icon::Unknown,
        (_, Status::Succeeded) => Icon::Good,
        (_, Status::Skipped(_)) => Icon::Skipped,
    };
    let took = match (step.started_at, step.ended_at) {
        (Some(from), Some(to)) => Some(elapsed(from, to)),
        (Some(from), None) => Some(elapsed(from, now)),
        _ => None,
    };
    let live = live.filter(|live| live.step == step.definition.id && step.status == Status::Running);
    let mut line = Line {
        icon,
        name: step.definition.name.clone(),
        took,
        detail: words::step_detail(step, live.map(|live| live.doing.as_str())),
        why: (matches!(icon, Icon::Bad | Icon::Unknown) && !is_over).then(|| step.definition.why.clone()).flatten(),
        bar: live.and_then(|live| bar(live, now)),
        inner: false,
    };
    let branches = branches(step);
    if !branches.is_empty() {
        line.detail = String::new();
    }
    std::iter::once(line).chain(branches).collect()
}

/// One line a branch of a parallel step that is done, well or not.
pub(super) fn branches(step: &StepState) -> Vec<Line> {
    if !matches!(step.status, Status::Succeeded | Status::Failed { .. }) {
        return Vec::new();
    }
    let Action::Parallel(branches) = &step.definition.action else { return Vec::new() };
    let lines = branches.iter().filter_map(|branch| {
        let result = step.outputs.get(&branch.id)?;
        let good = result["ok"] == true;
        let text = if good { &result["summary"] } else { &result["error"] };
        Some(Line {
            icon: if good { Icon::Good } else { Icon::Bad },
            name: branch.name.clone(),
            took: None,
            detail: text.as_str().unwrap_or_default().to_owned(),
            why: None,
            bar: None,
            inner: true,
        })
    });
    lines.collect()
}

fn bar(live: &Live, now: Timestamp) -> Option<Bar> {
    if live.total == 0 {
        return None;
    }
    let done = live.done.min(live.total);
    let spent = elapsed(live.started_at, now);
    let left = (done > 0 && spent > Duration::from_secs(1)).then(|| {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let ratio = (live.total - done) as f64 / done as f64;
        spent.mul_f64(ratio.min(1e6))
    });
    Some(Bar { done, total: live.total, unit: live.unit.clone(), left })
}

fn clock(state: &State, end: Timestamp) -> Option<RtoClock> {
    let objective = state.objective()?;
    let stop = state.recovered_at.unwrap_or(end);
    Some(RtoClock {
        objective,
        used: elapsed(state.created_at, stop),
        stopped: state.recovered_at.is_some(),
        over: state.finished.is_some(),
        due: state.created_at + objective,
        forecast: None,
    })
}

fn approval(state: &State, now: Timestamp) -> Approval {
    let definition = state.created.command.approval.as_ref();
    let names = |people: &[crate::run::event::Person]| people.iter().map(|person| person.name.clone()).collect();
    match &state.approval {
        ApprovalState::NotNeeded | ApprovalState::NotAsked { .. } => Approval::None,
        // Nobody is asked any more.
        ApprovalState::Pending { .. } | ApprovalState::Lapsed { .. } if state.finished.is_some() => Approval::None,
        ApprovalState::Pending { asked, yes, .. } => Approval::Open {
            roles: definition.map(|approval| approval.roles.clone()).unwrap_or_default(),
            cost: asked.cost.clone(),
            expires_in: elapsed(now, asked.expires_at),
            yes: names(yes),
            quorum: definition.map_or(1, |approval| approval.quorum),
            confirm: asked.confirm.is_some(),
        },
        ApprovalState::Given { forced: Some(forced), asked_at, given_at, .. } => Approval::Forced {
            by: forced.by.name.clone(),
            reason: forced.reason.clone(),
            waited: elapsed(*asked_at, *given_at),
        },
        ApprovalState::Given { yes, asked_at, given_at, .. } => {
            Approval::Given { by: names(yes), waited: elapsed(*asked_at, *given_at) }
        }
        ApprovalState::Waived { because, .. } => Approval::Waived { because: because.clone() },
        ApprovalState::Denied { by, reason } => Approval::Denied { by: by.name.clone(), reason: reason.clone() },
        ApprovalState::Lapsed { why: Lapse::Expired, .. } => Approval::Lapsed { why: words::expired() },
        ApprovalState::Lapsed { why: Lapse::Voided(reason), .. } => Approval::Lapsed { why: reason.clone() },
    }
}

fn buttons(state: &State, now: Timestamp) -> Vec<Press> {
    if state.finished.is_some() {
        return offers(state);
    }
    if state.ending.is_some() {
        return Vec::new();
    }
    let mut buttons = Vec::new();
    if let Some(question) = &state.question {
        buttons.extend(question.choices.iter().cloned().enumerate().map(|(index, choice)| Press::Answer {
            token: question.token.clone(),
            index,
            choice,
        }));
    }
    match &state.approval {
        ApprovalState::Pending { asked, .. } => {
            buttons.push(Press::Approve { token: asked.token.clone() });
            buttons.push(Press::Deny { token: asked.token.clone() });
            buttons.push(Press::Plan);
            if glass::grounds(state, now).is_some() {
                buttons.push(Press::BreakGlass { token: asked.token.clone() });
            }
        }
        ApprovalState::Given { asked, .. } if state.gate().is_some_and(|gate| gate.attempts == 0) => {
            buttons.push(Press::Withdraw { token: asked.token.clone() });
        }
        ApprovalState::Lapsed { .. } => buttons.push(Press::AskAgain),
        _ => {}
    }
    if state.held.is_some() {
        // Whatever lets the run go forward is refused.
        buttons.retain(|press| match press {
            Press::Approve { .. } | Press::AskAgain | Press::BreakGlass { .. } => false,
            Press::Answer { choice, .. } => matches!(choice, Choice::Abort | Choice::Undo),
            _ => true,
        });
    }
    buttons.push(Press::Stop);
    // Where nobody is to be called there is no clock to be followed.
    if state.created.command.recovered.is_some() && state.incident.is_none() && !state.created.rungs.is_empty() {
        buttons.push(Press::OpenIncident);
    }
    buttons
}

/// What fits the symptoms, one button; then what the file offers in any case.
fn offers(state: &State) -> Vec<Press> {
    let fitting = diagnosis::of(state).into_iter().next().map(|fit| fit.command);
    let offered = state.created.command.next.iter().flat_map(|next| next.offer.clone());
    let offered = offered.filter(|command| fitting.as_ref() != Some(command));
    let first = fitting.clone().map(|command| Press::Offer { command, fits: true });
    first.into_iter().chain(offered.map(|command| Press::Offer { command, fits: false })).collect()
}

/// The outputs of the step that measured the loss.
pub fn loss(state: &State) -> Option<&serde_json::Map<String, Value>> {
    let step = state.steps.iter().find(|step| {
        step.status == Status::Succeeded && matches!(step.definition.action, Action::Postgres(Postgres::Loss { .. }))
    })?;
    Some(&step.outputs)
}

/// The outputs of the step that took a swap back, when it is done.
pub fn swap_back(state: &State) -> Option<&serde_json::Map<String, Value>> {
    let step = state.steps.iter().find(|step| {
        let swaps_back = matches!(step.definition.action, Action::Postgres(Postgres::SwapBack { .. }));
        swaps_back && step.status == Status::Succeeded
    })?;
    Some(&step.outputs)
}

/// The outputs of the step that swapped the database, when it is done.
pub fn swap(state: &State) -> Option<&serde_json::Map<String, Value>> {
    let step = state.steps.iter().find(|step| {
        step.status == Status::Succeeded && matches!(step.definition.action, Action::Postgres(Postgres::Swap { .. }))
    })?;
    Some(&step.outputs)
}
