//! Sentences of escalation: who is called, why, and how they can be reached.

use std::time::Duration;

use super::{
    super::outside::{cut, plain},
    duration, minutes, person,
};
use crate::{
    clock::{Timestamp, elapsed},
    run::{
        event::Paged,
        state::{ApprovalState, State, Status},
    },
};

/// A rung later than this is marked as late.
const LATE: Duration = Duration::from_secs(2);

/// `75 % of the RTO is used (late by 3 min 12 s)`.
pub(super) fn rung(paged: &Paged, at: Timestamp) -> String {
    let used = match paged.percent {
        100 => "**The RTO is used up**".to_owned(),
        percent => format!("**{percent} % of the RTO is used**"),
    };
    let late = elapsed(paged.due_at, at);
    if late > LATE { format!("{used} (late by {})", duration(late)) } else { used }
}

pub(super) fn called(paged: &Paged) -> String {
    paged.called.iter().map(|one| person(&one.name)).collect::<Vec<_>>().join(", ")
}

/// People are called because the RTO is being used up. `at` is when the rung was used, `now` when this is said.
pub fn page(mentions: &str, state: &State, paged: &Paged, at: Timestamp, now: Timestamp, link: &str) -> String {
    let created = &state.created;
    let icon = if paged.percent >= 90 { "🔴" } else { "🟠" };
    let scenario = created.scenario.as_ref();
    let mut lines = vec![format!(
        "{icon} {} and recovery is not verified: **/{}**{}. {mentions}",
        rung(paged, at),
        plain(&created.command.name),
        scenario.map(|scenario| format!(" ({})", plain(&scenario.name))).unwrap_or_default(),
    )];
    lines.push(format!("Now: {}", now_doing(state, now)));
    if let Some(scenario) = scenario {
        let rto = scenario.rto.0;
        let used = elapsed(state.created_at, now);
        lines.push(match rto.checked_sub(used) {
            Some(left) => format!("Left: {} of {}.", minutes(left), duration(rto)),
            None => format!("The objective of {} is missed by {}.", duration(rto), duration(used.saturating_sub(rto))),
        });
    }
    if elapsed(paged.due_at, at) > LATE {
        lines.push("This call is late: drbot was not running when it was due, or could not write.".to_owned());
    }
    if !paged.unreachable.is_empty() {
        let who = paged.unreachable.iter().map(|who| person(who)).collect::<Vec<_>>().join(", ");
        lines.push(format!("Not to be called in Discord: {}. Their numbers: /contacts list.", cut(&who, 400)));
    }
    if paged.called.is_empty() {
        lines.push(
            "**Nobody in the contacts table can be called in Discord. Whoever reads this: call them.**".to_owned(),
        );
    }
    lines.push(link.to_owned());
    lines.join("\n")
}

/// What a run is at, in a sentence.
fn now_doing(state: &State, now: Timestamp) -> String {
    let done = state.steps.iter().filter(|step| matches!(step.status, Status::Succeeded | Status::Skipped(_))).count();
    let so_far = format!("{done} of {} steps done", state.steps.len());
    let waits = match (&state.question, &state.approval) {
        (Some(question), _) => Some(format!("**waits for a decision**: {}", cut(&plain(&question.question), 200))),
        (None, ApprovalState::Pending { asked_at, .. }) => {
            let roles = state.created.command.approval.as_ref().map(|approval| approval.roles.join(" or "));
            Some(format!(
                "**waits for approval** by {} since {}",
                plain(&roles.unwrap_or_default()),
                duration(elapsed(*asked_at, now))
            ))
        }
        (None, ApprovalState::Lapsed { .. }) => Some("**the approval lapsed**: press Ask again on the card".to_owned()),
        _ => None,
    };
    let running = state.steps.iter().find(|step| matches!(step.status, Status::Running | Status::Interrupted));
    let running = running.map(|step| {
        let since = step.started_at.map(|at| format!(" for {}", duration(elapsed(at, now)))).unwrap_or_default();
        format!("{}{since}", cut(&plain(&step.definition.name), 120))
    });
    let parts: Vec<_> = [running, waits, Some(so_far)].into_iter().flatten().collect();
    format!("{}.", parts.join("; "))
}

/// For the card: who was called last.
pub fn called_so_far(paged: &Paged) -> String {
    match called(paged) {
        names if names.is_empty() => format!("at {} %: nobody can be called in Discord", paged.percent),
        names => cut(&format!("at {} %: {names}", paged.percent), 1000),
    }
}
