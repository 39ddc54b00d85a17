//! Every sentence that drbot says to people. Small functions, typed arguments, no I/O.
//!
//! The reader is tired and it is 03:00: calm, short, exact, and always what to do. What comes from outside (targets,
//! options, people) goes through [`super::outside`] before it is shown: it may be hostile.

mod answers;
mod buttons;
pub mod console;
pub mod contacts;
mod diagnosis;
mod escalation;
mod glass;
mod incidents;
mod lockdown;
pub mod paging;
pub mod picture;
pub mod postmortem;
mod providers;
mod runs;
mod undo;
mod versions;

use std::time::Duration;

use serde_json::{Map, Value};

pub use answers::*;
pub use buttons::*;
use diagnosis::fitting;
use escalation::{called, rung};
pub use escalation::{called_so_far, page};
pub use glass::*;
pub use incidents::*;
pub use lockdown::*;
pub use providers::provider_choice;
pub use runs::{aborting, ended_already, no_run_of_yours, no_such_run, nothing_under_way, run_choice, which_run};
pub use undo::*;
pub use versions::version_choice;

use super::{
    outside::{clean, code, cut, inline_code, plain, readable, seen},
    view,
};
use crate::{
    clock::{Timestamp, elapsed},
    run::{
        event::{ApprovalAsked, Entry, Event, FailureKind, SkipReason},
        outcome::Outcome,
        state::{ApprovalState, State, Status, StepState, Undo},
    },
    runbook::{
        action::{Action, Postgres},
        definition::OnFailure,
    },
};

// ---- figures ---------------------------------------------------------------------------------------------------------

/// `7 min 40 s`, `2 h 5 min`, `0.4 s`.
pub fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span.is_zero() => "0 s".to_owned(),
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// `12:41`.
pub fn minutes(span: Duration) -> String {
    format!("{}:{:02}", span.as_secs() / 60, span.as_secs() % 60)
}

/// `20.1 MB`.
pub fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let size = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", size / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", size / 1e6),
        _ => format!("{:.1} GB", size / 1e9),
    }
}

/// `200,000`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

pub fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", duration(elapsed(then, now)))
}

/// The name of a command or an option.
fn name(name: &str) -> String {
    cut(&plain(name), 100)
}

/// Somebody's name, which they chose themselves.
fn person(name: &str) -> String {
    cut(&plain(name), 80)
}

fn list(names: &[String]) -> String {
    cut(&names.iter().map(|name| cut(&plain(name), 100)).collect::<Vec<_>>().join(", "), 1500)
}

// ---- messages in the channel -------------------------------------------------------------------------------------------

pub fn approval_call(mentions: &str, state: &State, asked: &ApprovalAsked, link: &str) -> String {
    let cost = asked.cost.as_deref().map(|cost| format!(" {}", cut(&plain(cost), 700))).unwrap_or_default();
    format!(
        "{mentions} {} asks for approval of **/{}**.{cost} {link}",
        person(&state.created.requester.name),
        plain(&state.created.command.name),
    )
    .trim()
    .to_owned()
}

pub fn question_call(requester: &str, state: &State, question: &str, link: &str) -> String {
    format!(
        "{}, **/{}** needs a decision: {} {link}",
        person(requester),
        plain(&state.created.command.name),
        cut(&plain(question), 900),
    )
}

pub fn announcement(mentions: &str, message: &str) -> String {
    cut(format!("{mentions} {}", plain(message)).trim(), 1900)
}

// ---- the thread --------------------------------------------------------------------------------------------------------

/// At most 100 characters (Channels, thread name).
/// A moment in a thread: Discord shows it by the clock of whoever reads it.
fn stamp(at: Timestamp) -> String {
    format!("<t:{}:T>", at.timestamp())
}

pub fn thread_name(state: &State) -> String {
    cut(&format!("/{} {} · log", state.created.command.name, state.id.short()), 100)
}

/// What the thread is told of an event: a line, and a file when the output is long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadPost {
    pub text: String,
    pub file: Option<(String, String)>,
}

/// Output up to this length stands in the message; longer output is a file.
const LONGEST_INLINE: usize = 1200;

pub fn thread_line(entry: &Entry, state: &State) -> Option<ThreadPost> {
    let mut text = format!("{} {}", stamp(entry.at), cut(&event_line(entry, state)?, 500));
    let log = match &entry.event {
        Event::StepSucceeded { log, .. } | Event::StepFailed { log, .. } if !log.is_empty() => log.join("\n"),
        _ => return Some(ThreadPost { text, file: None }),
    };
    let kept = entry.event.step().and_then(|step| state.step(step)?.definition.keep.clone());
    if let Some(name) = kept {
        return Some(ThreadPost { text, file: Some((name, log)) });
    }
    // Measured as it is shown: what was made harmless is longer than it was.
    let is_short = log.chars().nth(LONGEST_INLINE).is_none();
    if let Some(shown) = is_short.then(|| code(&log)).filter(|shown| shown.chars().nth(LONGEST_INLINE).is_none()) {
        text.push_str(&format!("\n```\n{shown}\n```"));
        return Some(ThreadPost { text, file: None });
    }
    let step =
        cut(entry.event.step().unwrap_or("run"), 60).replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    Some(ThreadPost { text, file: Some((format!("{step}-{}.log", entry.seq), log)) })
}

/// The same line for `drbot runs`.
pub fn timeline_line(entry: &Entry, state: &State) -> String {
    readable(&event_line(entry, state).unwrap_or_else(|| entry.event.kind().to_owned()).replace("**", ""))
}

fn event_line(entry: &Entry, state: &State) -> Option<String> {
    let name = |step: &str| {
        let name = state.step(step).map_or(step, |step| step.definition.name.as_str());
        format!("**{}**", seen(cut(&plain(name), 100)))
    };
    Some(match &entry.event {
        Event::Joined { incident } => format!("🚨 belongs to incident {} from here on", incident.short()),
        Event::RunCreated(created) => {
            format!("{} gave /{}", person(&created.requester.name), plain(&created.command.name))
        }
        Event::StepStarted { step, attempt: 1, .. } => format!("▶ {}", name(step)),
        Event::StepStarted { step, attempt, .. } => format!("▶ {} (attempt {attempt})", name(step)),
        Event::StepSucceeded { step, summary, .. } if summary.is_empty() => format!("✅ {}", name(step)),
        Event::StepSucceeded { step, summary, .. } => format!("✅ {}: {}", name(step), plain(summary)),
        Event::StepFailed { step, message, kind, .. } => {
            let how = match kind {
                FailureKind::Failed => "failed",
                FailureKind::TimedOut => "took too long",
                FailureKind::Refused | FailureKind::WrongTarget => "was refused",
                FailureKind::Cancelled => "was stopped",
            };
            format!("❌ {} {how}: {}", name(step), plain(message))
        }
        Event::StepInterrupted { step, .. } => {
            format!("🔌 I was gone while {} was under way; finding out what became of it", name(step))
        }
        Event::StepNotDone { step, .. } => format!("↩ {} had not taken effect; it is done again", name(step)),
        Event::StepUnknown { step, reason, .. } => {
            format!("❔ nobody can tell whether {} happened: {}", name(step), plain(reason))
        }
        Event::StepSkipped { step, reason: SkipReason::Condition } => format!("⏭ {} is not needed", name(step)),
        Event::StepSkipped { step, reason: SkipReason::Person { by, reason } } => {
            format!("⏭ {} skipped {}: {}", person(&by.name), name(step), plain(reason))
        }
        Event::ApprovalAsked(asked) => format!(
            "🔔 approval is asked for; it expires at {} UTC. Plan {}",
            asked.expires_at.format("%H:%M:%S"),
            asked.plan_hash.get(..12).unwrap_or_default()
        ),
        Event::ApprovalGiven { by, .. } => format!("👍 {} approved", person(&by.name)),
        Event::GlassBroken(broken) => glass_broken(broken),
        Event::ApprovalDenied { by, reason, .. } => format!("👎 {} denied: {}", person(&by.name), plain(reason)),
        Event::ApprovalWithdrawn { by, .. } => format!("{} took the approval back", person(&by.name)),
        Event::ApprovalWaived { because, .. } if because.is_empty() => "🔓 no approval is needed".to_owned(),
        Event::ApprovalWaived { because, .. } => format!("🔓 no approval is needed: {}", plain(because)),
        Event::ApprovalExpired { .. } => "⌛ the approval expired".to_owned(),
        Event::ApprovalVoided { reason, .. } => format!("the approval is void: {}", plain(reason)),
        Event::ApprovalRenewed { by } => format!("{} has it asked again", person(&by.name)),
        Event::QuestionAsked { question, .. } => format!("❓ {}", plain(question)),
        Event::QuestionAnswered { step, choice, by, reason } => {
            let why = reason.as_deref().map(|reason| format!(" ({})", plain(reason))).unwrap_or_default();
            format!("{} answered for {}: {}{why}", person(&by.name), name(step), plain(&choice_label(choice)))
        }
        Event::CancelAsked { by, reason } => {
            let why = reason.as_deref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
            format!("🛑 {} stopped it{why}", person(&by.name))
        }
        Event::UndoStarted { step, .. } => format!("↩ taking back {}", name(step)),
        Event::UndoSucceeded { step, .. } => format!("↩ {} is taken back", name(step)),
        Event::UndoFailed { step, message, .. } => {
            format!("❌ {} could not be taken back: {}", name(step), plain(message))
        }
        Event::Paged(paged) => format!(
            "📟 {}: {}",
            rung(paged, entry.at),
            match called(paged).as_str() {
                "" => "nobody can be called in Discord".to_owned(),
                names => format!("{names} called"),
            }
        ),
        Event::Held { lockdown } => held(lockdown),
        Event::Released { by, reason } => released(by, reason),
        Event::Recovered => "🟢 recovery is verified".to_owned(),
        Event::Finished { outcome, message } if message.is_empty() => format!("🏁 {outcome}"),
        Event::Finished { outcome, message } => format!("🏁 {outcome}: {}", plain(message)),
    })
}

// ---- the card ----------------------------------------------------------------------------------------------------------

pub fn expired() -> String {
    "It expired. Nothing has happened; trading stays halted.".to_owned()
}

/// What stands behind a step's name.
pub fn step_detail(step: &StepState, doing: Option<&str>) -> String {
    let detail = match (&step.undo, &step.status) {
        (Undo::Done { .. }, _) => "taken back".to_owned(),
        (Undo::Running { .. }, _) => "being taken back".to_owned(),
        (Undo::Failed { message, .. }, _) => format!("could not be taken back: {message}"),
        (_, Status::Running) => doing.unwrap_or_default().to_owned(),
        (_, Status::Interrupted) => "I was gone; finding out what became of it".to_owned(),
        (_, Status::Again) => "to be done again".to_owned(),
        (_, Status::Failed { message, .. }) => message.clone(),
        (_, Status::Unknown { reason }) => format!("nobody can tell whether it happened: {reason}"),
        (_, Status::Succeeded) => step.summary.clone(),
        (_, Status::Skipped(SkipReason::Condition)) => "not needed".to_owned(),
        (_, Status::Skipped(SkipReason::Person { by, reason })) => format!("skipped by {}: {reason}", by.name),
        (_, Status::Pending) => String::new(),
    };
    if step.attempts > 1 && !detail.is_empty() { format!("{detail} (attempt {})", step.attempts) } else { detail }
}

pub fn headline(overall: view::Overall) -> String {
    match overall {
        view::Overall::Running => "Under way".to_owned(),
        view::Overall::WaitingForApproval => "Waiting for approval".to_owned(),
        view::Overall::WaitingForAnswer => "Needs a decision".to_owned(),
        view::Overall::Held => "Held: drbot is locked down".to_owned(),
        view::Overall::Undoing => "Taking back what was done".to_owned(),
        view::Overall::Finished(outcome) => match outcome {
            Outcome::Succeeded => "Done",
            Outcome::SucceededWithSkips => "Done, but not everything went well",
            Outcome::Failed => "Failed",
            Outcome::RolledBack => "Failed; what was done is taken back",
            Outcome::Stuck => "Stuck: a person must look",
            Outcome::Aborted => "Stopped",
            Outcome::Refused => "Refused",
        }
        .to_owned(),
    }
}

pub fn rto(clock: &view::RtoClock) -> String {
    let objective = duration(clock.objective);
    match (clock.stopped, clock.objective.checked_sub(clock.used)) {
        (false, Some(left)) if clock.over => format!("not recovered; {} of {objective} were left", minutes(left)),
        (false, None) if clock.over => format!("not recovered; the objective of {objective} was missed"),
        (true, Some(_)) => format!("recovered in {} of {objective}", duration(clock.used)),
        (true, None) => format!("recovered in {}, over the objective of {objective}", duration(clock.used)),
        (false, Some(left)) => with_forecast(format!("{} left of {objective}", minutes(left)), clock, Some(left)),
        (false, None) => {
            let over = duration(clock.used.saturating_sub(clock.objective));
            with_forecast(format!("⚠ missed by {over}"), clock, None)
        }
    }
}

fn with_forecast(text: String, clock: &view::RtoClock, left: Option<Duration>) -> String {
    match clock.forecast.as_ref().and_then(|of| forecast(of, left)) {
        Some(forecast) => format!("{text}\n{forecast}"),
        None => text,
    }
}

pub fn approval(approval: &view::Approval) -> Option<String> {
    match approval {
        view::Approval::None => None,
        view::Approval::Open { roles, cost, expires_in, yes, quorum, confirm } => {
            // Who may approve, and until when, must not be cut away behind it.
            let mut text = cost.as_deref().map(|cost| cut(&plain(cost), 400)).unwrap_or_default();
            if !text.is_empty() {
                text.push('\n');
            }
            let typed = if *confirm { ", and type the name that the form asks for" } else { "" };
            text.push_str(&format!(
                "{} may approve{typed}; not the one who asked. Expires in {}.",
                cut(&roles.iter().map(|role| name(role)).collect::<Vec<_>>().join(" or "), 200),
                minutes(*expires_in)
            ));
            if *quorum > 1 {
                text.push_str(&format!(" {} of {quorum} so far.", yes.len()));
            }
            Some(text)
        }
        view::Approval::Given { by, waited } => Some(format!("{} approved after {}.", list(by), duration(*waited))),
        view::Approval::Forced { by, reason, waited } => Some(forced(by, reason, *waited)),
        view::Approval::Lapsed { why } => Some(format!("{} Press Ask again.", plain(why))),
        view::Approval::Waived { because } if because.is_empty() => {
            Some("Nobody is asked: the emergency is proved.".to_owned())
        }
        view::Approval::Waived { because } => {
            Some(format!("Nobody is asked: the emergency is proved. {}", cut(&plain(because), 400)))
        }
        view::Approval::Denied { by, reason } => Some(format!("{} denied: {}", plain(by), plain(reason))),
    }
}

pub fn footer(requester: &str, run: &str, took: Duration) -> String {
    format!("asked by {} · run {run} · {}", cut(&clean(requester), 80), duration(took))
}

/// What happened and what to do now; empty while the run goes on.
pub fn ending(state: &State) -> Vec<String> {
    let Some(finished) = &state.finished else { return Vec::new() };
    let mut text = Vec::new();
    if !finished.message.is_empty() {
        text.push(format!("{}.", plain(finished.message.trim_end_matches('.'))));
    }
    if !finished.outcome.is_success() {
        text.extend(deciding(state).and_then(|step| step.definition.why.as_deref()).map(plain));
    }
    text.extend(fitting(state));
    if let Some(loss) = loss(state) {
        text.push(loss);
    }
    if let Some(swap) = view::swap(state) {
        text.extend(kept(swap));
    }
    if let Some(back) = view::swap_back(state) {
        text.extend(given_back(state, back));
    }
    let restores =
        state.created.command.steps.iter().any(|step| matches!(step.action, Action::Postgres(Postgres::Swap { .. })));
    if restores {
        let swap_begun = state.steps.iter().any(|step| step.definition.point_of_no_return && step.attempts > 0);
        if view::swap(state).is_some() && !writes_allowed(state) {
            let database = state.created.target.get("database").and_then(Value::as_str).unwrap_or_default();
            text.push(format!(
                "The restored database is in place, and refuses writes until somebody allows them: ALTER DATABASE \"{}\" \
                 RESET default\\_transaction\\_read\\_only; see first that trading is halted.",
                plain(database)
            ));
        }
        if view::swap(state).is_none() && !swap_begun {
            text.push("The live database is as it was before.".to_owned());
        }
        let halted = state.steps.iter().any(|step| step.definition.id.starts_with("halt.") && step.attempts > 0);
        if halted {
            text.push("Trading stays halted. Resuming it is a person's decision.".to_owned());
        }
    }
    if finished.outcome == Outcome::Stuck {
        text.push(
            "Nothing more is done by itself. Look at the step that failed, and at the log in the thread.".to_owned(),
        );
    }
    text
}

/// The step that ended the run: the last that failed or is unknown, and was not passed over.
fn deciding(state: &State) -> Option<&StepState> {
    state.steps.iter().rev().find(|step| match step.status {
        Status::Failed { .. } => step.definition.on_failure() != OnFailure::Continue,
        Status::Unknown { .. } => true,
        _ => false,
    })
}

/// Whether the write fence of the swap is taken down again.
fn writes_allowed(state: &State) -> bool {
    state.steps.iter().any(|step| {
        let allows = matches!(step.definition.action, Action::Postgres(Postgres::Writes { allow: true, .. }));
        allows && step.status == Status::Succeeded
    })
}

/// What was lost, as a step measured it.
pub fn loss(state: &State) -> Option<String> {
    let loss = view::loss(state)?;
    let time = |name: &str| Some(duration(Duration::from_secs_f64(loss.get(name)?.as_f64()?.clamp(0.0, 1e9))));
    let rows = loss.get("rows").and_then(Value::as_i64).map(|rows| format!("{} rows", count(rows)));
    let how = loss.get("how").and_then(Value::as_str).map(|how| format!(" ({})", plain(how))).unwrap_or_default();
    let is_least = loss.get("is_least").and_then(Value::as_bool).unwrap_or(false);
    let known = match (time("seconds"), rows) {
        (Some(time), Some(rows)) => format!("{time} ({rows})"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => format!("unknown{how}"),
    };
    let (least, how) = if is_least { ("at least ", how) } else { ("", String::new()) };
    let bounded = is_least || known.starts_with("unknown");
    let most = time("at_most").filter(|_| bounded).map(|most| format!(", at most {most}")).unwrap_or_default();
    Some(format!("Data lost: {least}{known}{most}{how}."))
}

/// After a swap that was taken back.
fn given_back(state: &State, back: &Map<String, Value>) -> Vec<String> {
    let said = |name: &str| back.get(name).and_then(Value::as_str).map(plain).unwrap_or_default();
    let mut lines = vec![
        format!(
            "The database from before the restore is in place again; the restored one is kept as {}.",
            said("kept")
        ),
        format!("To drop it later: {}", said("drop_hint")),
    ];
    if !writes_allowed(state) {
        lines.push("It refuses writes until somebody allows them; see first that trading is halted.".to_owned());
    }
    lines.push("Trading stays halted. Resuming it is a person's decision.".to_owned());
    lines
}

fn kept(swap: &Map<String, Value>) -> Vec<String> {
    let text = |name: &str| swap.get(name).and_then(Value::as_str).map(plain);
    let Some(kept) = text("kept").filter(|kept| !kept.is_empty()) else { return Vec::new() };
    let size =
        swap.get("kept_size").and_then(Value::as_u64).map(|size| format!(" ({})", bytes(size))).unwrap_or_default();
    let mut lines = vec![format!("The damaged data is kept as {kept}{size}.")];
    if let Some(hint) = text("drop_hint") {
        lines.push(format!("To drop it later: {hint}"));
    }
    lines
}

/// The whole plan for who asks to see it.
pub fn plan(state: &State) -> String {
    let Some(asked) = state.approval.asked() else { return approval_not_open(state.approval.name()) };
    let steps: Vec<_> = asked.plan.iter().map(|line| format!("• {}", plain(line))).collect();
    let cost = asked.cost.as_deref().map(|cost| format!("{}\n", plain(cost))).unwrap_or_default();
    let hash = asked.plan_hash.get(..12).unwrap_or_default();
    cut(&format!("{cost}After the approval:\n{}\nPlan {hash}", steps.join("\n")), 1900)
}

// ---- completion --------------------------------------------------------------------------------------------------------

/// A backup as completion shows it: at most 100 characters, most important first.
pub fn backup_choice(backup: &Map<String, Value>) -> String {
    let mut parts = Vec::new();
    if let Some(age) = backup.get("age").or_else(|| backup.get("age_seconds")).and_then(Value::as_f64) {
        parts.push(format!("{} old", duration(Duration::from_secs_f64(age.clamp(0.0, 1e9)))));
    }
    if let Some(size) = backup.get("size").and_then(Value::as_u64) {
        parts.push(bytes(size));
    }
    if let Some(integrity) = backup.get("integrity").and_then(Value::as_str) {
        parts.push(integrity.to_owned());
    }
    let flags = backup.get("flags").or_else(|| backup.get("warnings")).and_then(Value::as_array);
    if flags.is_some_and(|flags| !flags.is_empty()) {
        parts.push("⚠ flagged".to_owned());
    }
    if let Some(loss) = backup.get("loss_seconds").and_then(Value::as_f64) {
        parts.push(format!("loses {}", duration(Duration::from_secs_f64(loss.clamp(0.0, 1e9)))));
    }
    let file = backup.get("file").and_then(Value::as_str).unwrap_or_default();
    parts.push(file.to_owned());
    cut(&clean(&parts.join(" · ")), 100)
}

// ---- the report of a play ----------------------------------------------------------------------------------------------

/// What and how much, for the end of a play.
pub fn report(state: &State) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let Some(finished) = &state.finished else { return lines };
    lines.push(("Outcome".to_owned(), finished.outcome.to_string()));
    let verified = state.recovered_at.map(|at| duration(elapsed(state.created_at, at)));
    lines.push(("Command to verified recovery".to_owned(), verified.unwrap_or_else(|| "not recovered".to_owned())));
    if let ApprovalState::Given { asked_at, given_at, .. } = &state.approval {
        lines.push(("Of that, until approved".to_owned(), duration(elapsed(*asked_at, *given_at))));
    }
    if let Some(scenario) = &state.created.scenario {
        lines.push(("Recovery Time Objective".to_owned(), duration(scenario.rto.0)));
    }
    if let Some(swap) = view::swap(state) {
        if let Some(interrupted) = swap.get("interrupted_ms").and_then(Value::as_u64) {
            lines.push(("Database out of reach".to_owned(), format!("{interrupted} ms")));
        }
        if let Some(kept) = swap.get("kept").and_then(Value::as_str) {
            lines.push(("Damaged data kept as".to_owned(), kept.to_owned()));
        }
    }
    if let Some(loss) = loss(state) {
        lines.push(("Data lost".to_owned(), loss.trim_start_matches("Data lost: ").trim_end_matches('.').to_owned()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        let shown: Vec<_> = [0, 400, 9_900, 59_000, 60_000, 460_000, 7_500_000, 90_000_000]
            .map(|ms| duration(Duration::from_millis(ms)))
            .into();
        assert_eq!(shown, ["0 s", "0.4 s", "9.9 s", "59 s", "1 min", "7 min 40 s", "2 h 5 min", "1 d 1 h"]);
        assert_eq!([count(0), count(999), count(1_000), count(-200_000)], ["0", "999", "1,000", "-200,000"]);
        assert_eq!([bytes(1), bytes(20_100_000)], ["1 B", "20.1 MB"]);
    }
}
