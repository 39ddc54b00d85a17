//! What happened, a line each.

use std::time::Duration;

use super::{alert_of, by, command_of, stamp, text};
use crate::{
    clock::Timestamp,
    incident::event::{Because, Delivery, Entry, Event, PageTo, Paged, Stall},
    progress::{
        outside::{cut, plain},
        postmortem::{
            pages::{Page, Sent, Taken},
            waits::{On, Wait},
        },
        words::{duration, event_line, list, person},
    },
    run::{self, event::Called},
};

/// A line is cut here.
const LONGEST: usize = 700;

pub fn event(entry: &Entry) -> String {
    let line = match &entry.event {
        Event::Opened(opened) => opened_because(&opened.because),
        Event::RunJoined { run, command, .. } => {
            format!("{} runs /{} ({})", by(&entry.event), text(command), run.short())
        }
        Event::AlertFired { alert } => format!("fires: {}", alert_of(alert)),
        Event::AlertResolved { name, .. } => format!("resolved: alert {}", text(name)),
        Event::Acknowledged { until, how, .. } => {
            format!("{} has it until {} ({})", by(&entry.event), stamp(*until), text(how))
        }
        Event::Renewed { until, .. } => format!("{} is on it, until {}", by(&entry.event), stamp(*until)),
        Event::StillAsked { by, .. } => format!("{} is asked whether they are still on it", person(&by.name)),
        Event::Paged(paged) => format!("called: {}; {}", why(paged), whom(paged)),
        Event::Delivered { page, outcome } => format!("{}: {}", to(page), delivery(outcome)),
        Event::Noted { text: said, .. } => format!("{} notes: {}", by(&entry.event), cut(&plain(said), 600)),
        Event::ScenarioChanged { kind, .. } => format!(
            "{} says that it is {}: recovery within {}",
            by(&entry.event),
            text(&kind.scenario.name),
            duration(kind.scenario.rto.0)
        ),
        Event::DeadlineMoved { due, reason, .. } => {
            format!("{} answers for a new deadline, {}: {}", by(&entry.event), stamp(*due), text(reason))
        }
        Event::ClockSetBack { by, .. } => {
            format!("drbot's clock was set back by {}: what is due comes sooner by as much", duration(*by))
        }
        Event::Recovered { run, at } => format!("recovery is verified by run {}, at {}", run.short(), stamp(*at)),
        Event::Relapsed { alert, .. } => format!("it is back: {}", alert_of(alert)),
        Event::Closed { reason: Some(reason), .. } => format!("{} closes it: {}", by(&entry.event), text(reason)),
        Event::Closed { reason: None, .. } => format!("{} closes it", by(&entry.event)),
    };
    cut(&line, LONGEST)
}

fn opened_because(because: &Because) -> String {
    match because {
        Because::Person { by, text: Some(said) } => format!("{} opens it: {}", person(&by.name), text(said)),
        Because::Person { by, text: None } => format!("{} opens it", person(&by.name)),
        Because::Run { by, command, run } => {
            format!("{} opens it while /{} ({}) is under way", person(&by.name), text(command), run.short())
        }
        Because::Alert(alert) => format!("opened by {}", alert_of(alert)),
    }
}

/// The same as in the run's thread.
pub fn event_of_run(entry: &run::event::Entry, state: &run::state::State) -> String {
    let line = event_line(entry, state).unwrap_or_else(|| entry.event.kind().to_owned());
    cut(&format!("{}: {line}", command_of(state)), LONGEST)
}

// ---- calls -------------------------------------------------------------------------------------------------------------

pub fn page(page: &Page<'_>) -> String {
    let mut parts = vec![why(page.paged), mentioned(&page.paged.called, &page.paged.roles)];
    parts.extend(page.sent.iter().map(sent));
    if !page.paged.unreachable.is_empty() {
        parts.push(format!("not to be reached: {}", list(&page.paged.unreachable)));
    }
    parts.push(taken(&page.taken));
    cut(&parts.join("; "), 2000)
}

/// One that a run made by itself.
pub fn page_of_run(paged: &run::event::Paged) -> String {
    let mut parts = vec![format!("{} % of the run's RTO was used", paged.percent), mentioned(&paged.called, &[])];
    if !paged.unreachable.is_empty() {
        parts.push(format!("not to be reached: {}", list(&paged.unreachable)));
    }
    cut(&parts.join("; "), 2000)
}

fn why(paged: &Paged) -> String {
    let mut parts = Vec::new();
    if let Some(percent) = paged.deadline {
        parts.push(format!("{percent} % of the time used"));
    }
    if paged.repeat > 0 {
        parts.push(format!("again, number {}", paged.repeat));
    }
    if let Some(early) = paged.early {
        let (needs, left) = (duration(early.needs), duration(early.left));
        parts.push(format!("early, because by the forecast {needs} more was needed and {left} was left"));
    }
    if let Some(level) = paged.ack {
        parts.push(format!("nobody had it ({} level)", level.name()));
    }
    match &paged.stall {
        Some(Stall::Approval { run, .. }) => parts.push(format!("the approval of run {} waited", run.short())),
        Some(Stall::Expired { run, .. }) => parts.push(format!("the time to approve run {} ran out", run.short())),
        Some(Stall::Step { run, step }) => parts.push(format!("step {} of run {} took long", text(step), run.short())),
        Some(Stall::Unknown { run, step }) => {
            parts.push(format!("nobody could tell whether step {} of run {} happened", text(step), run.short()));
        }
        None => {}
    }
    if !paged.passed_over.is_empty() {
        let passed: Vec<_> = paged.passed_over.iter().map(|percent| format!("{percent} %")).collect();
        parts.push(format!("stands for {} as well", passed.join(", ")));
    }
    parts.push(format!("due {}", stamp(paged.due_at)));
    parts.join(", ")
}

fn whom(paged: &Paged) -> String {
    let mut parts = vec![mentioned(&paged.called, &paged.roles)];
    let others: Vec<_> = paged.pages.iter().map(to).collect();
    if !others.is_empty() {
        parts.push(others.join(", "));
    }
    if !paged.unreachable.is_empty() {
        parts.push(format!("not to be reached: {}", list(&paged.unreachable)));
    }
    parts.join("; ")
}

fn mentioned(called: &[Called], roles: &[String]) -> String {
    let people = called.iter().map(|one| format!("{} ({})", person(&one.name), text(&one.role)));
    let roles = roles.iter().map(|role| format!("role {}", text(role)));
    let all: Vec<_> = people.chain(roles).collect();
    if all.is_empty() { "nobody mentioned".to_owned() } else { format!("mentioned in Discord: {}", all.join(", ")) }
}

fn to(page: &PageTo) -> String {
    if page.name.is_empty() { page.way.to_string() } else { format!("{} to {}", page.way, person(&page.name)) }
}

fn sent(sent: &Sent<'_>) -> String {
    let heard = sent.heard.iter().map(|(outcome, after)| format!("{} after {}", delivery(outcome), duration(*after)));
    let heard: Vec<_> = heard.collect();
    if heard.is_empty() {
        return format!("{}: what became of it is not known", to(sent.to));
    }
    format!("{}: {}", to(sent.to), heard.join(", "))
}

fn delivery(outcome: &Delivery) -> String {
    match outcome {
        Delivery::Delivered => "delivered".to_owned(),
        Delivery::Unknown { why } => format!("may have arrived ({})", text(why)),
        Delivery::Failed { why } => format!("failed ({})", text(why)),
        Delivery::Undeliverable { why } => format!("not delivered ({})", text(why)),
        Delivery::Cancelled => "not needed any more".to_owned(),
    }
}

fn taken(taken: &Taken<'_>) -> String {
    let after = |event: &Event, after: &Duration, how: &str| format!("{} {how} after {}", by(event), duration(*after));
    match taken {
        Taken::Held { by } => format!("{} had it already", person(by)),
        Taken::Nobody => "nobody took it".to_owned(),
        Taken::By { event, after: span } => match event {
            Event::Acknowledged { how, .. } => format!("{} ({})", after(event, span, "acknowledged"), text(how)),
            Event::RunJoined { command, .. } => after(event, span, &format!("took it with /{}", text(command))),
            _ => after(event, span, "took it"),
        },
    }
}

// ---- waits -------------------------------------------------------------------------------------------------------------

pub fn wait(wait: &Wait, now: Timestamp) -> String {
    let what = match &wait.on {
        On::Approval { round } => format!("for the approval (round {round})"),
        On::Renewal { round } => format!("for somebody to ask for the approval again (round {round})"),
        On::Answer { question, .. } => format!("for an answer to {}", text(question)),
        On::Lockdown => "for the lockdown to be lifted".to_owned(),
    };
    let command = format!("/{} {}", text(&wait.command), wait.run.short());
    let ended = wait.ended.as_ref().map_or_else(|| "it goes on".to_owned(), ended);
    format!("{command} {what}: {} from {}; {ended}", duration(wait.took(now)), stamp(wait.from))
}

fn ended(event: &run::event::Event) -> String {
    use run::event::Event;
    let by = |by: &run::event::Person| person(&by.name);
    match event {
        Event::ApprovalGiven { by: who, .. } => format!("{} approved", by(who)),
        Event::ApprovalDenied { by: who, reason, .. } => format!("{} denied: {}", by(who), text(reason)),
        Event::ApprovalExpired { .. } => "it expired, nobody answered".to_owned(),
        Event::ApprovalVoided { reason, .. } => format!("it became void: {}", text(reason)),
        Event::ApprovalRenewed { by: who } => format!("{} had it asked again", by(who)),
        Event::GlassBroken(broken) => format!("{} broke the glass: {}", by(&broken.by), text(&broken.reason)),
        Event::QuestionAnswered { by: who, choice, .. } => {
            format!("{} answered: {}", by(who), text(&crate::progress::words::choice_label(choice)))
        }
        Event::CancelAsked { by: who, .. } => format!("{} stopped the run", by(who)),
        Event::Released { by, reason } => format!("{} lifted it: {}", person(by), text(reason)),
        Event::Held { .. } => "a lockdown came".to_owned(),
        _ => "the run went on or ended without an answer".to_owned(),
    }
}
