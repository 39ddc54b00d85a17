//! Sentences about incidents: the post, the thread's lines, calls to people, answers.

use std::time::Duration;

use super::{
    super::{
        outside::{cut, plain, readable},
        postmortem::loss::Verdict,
    },
    ago, duration, list, minutes, person, stamp,
};
use crate::{
    clock::{Timestamp, elapsed},
    config::settings::Level,
    contacts::way::Way,
    incident::{
        event::{AlertSeen, Because, Delivery, Entry, Event, Faster, Paged, Stall},
        outlook::Forecast,
        state::{Ack, Alert, State},
        times::{self, Clock},
    },
    run::outcome::Outcome,
};

/// A call later than this is marked as late.
const LATE: Duration = Duration::from_secs(2);

/// What everything that is said of a drill begins with.
const DRILL: &str = "[DRILL] ";

fn drill(state: &State) -> &'static str {
    if state.is_drill() { DRILL } else { "" }
}

/// What people call an incident: its kind, and where.
pub fn incident_name(state: &State) -> String {
    format!("{}{}", drill(state), kind_and_place(state))
}

fn kind_and_place(state: &State) -> String {
    let name = cut(&plain(&state.kind.scenario.name), 80);
    match &state.opened.target {
        Some(target) => format!("{name} · {}", cut(&plain(target), 40)),
        None => name,
    }
}

pub fn incident_title(state: &State) -> String {
    let icon = match (&state.closed, &state.recovered) {
        (Some(_), _) => "🏁",
        (None, Some(_)) => "✅",
        (None, None) if state.is_drill() => "🧯",
        (None, None) => "🚨",
    };
    format!("{icon} {}", incident_name(state))
}

/// For a list, and for completion.
pub fn incident_choice(state: &State, now: Timestamp) -> String {
    let is = match (&state.closed, &state.recovered) {
        (Some(_), _) => "closed",
        (None, Some(_)) => "recovered",
        (None, None) => "open",
    };
    let name = format!("{}{}", drill(state), state.kind.scenario.name);
    format!("{} · {name} · {is} · {}", state.id.short(), ago(state.opened_at, now))
}

/// Why there is one.
pub fn incident_because(state: &State) -> String {
    match &state.opened.because {
        Because::Person { by, text: Some(text) } => {
            format!("{} opened it: {}", person(&by.name), cut(&plain(text), 600))
        }
        Because::Person { by, text: None } => format!("{} opened it.", person(&by.name)),
        Because::Run { command, by, .. } => {
            format!("{} opened it while /{} was under way.", person(&by.name), cut(&plain(command), 40))
        }
        Because::Alert(alert) => alert_line(alert),
    }
}

fn alert_line(alert: &AlertSeen) -> String {
    let summary = cut(&plain(&alert.summary), 400);
    let name = cut(&plain(&alert.name), 100);
    if summary.is_empty() { format!("**{name}**") } else { format!("**{name}**: {summary}") }
}

/// What the sender says beyond the line, and where to look.
fn alert_more(alert: &AlertSeen) -> Vec<String> {
    let description = alert.description.as_ref().map(|text| text.replace(['\n', '\r'], " "));
    let description = description.map(|text| format!("> {}", cut(&plain(&text), 250)));
    // As it is, so that it can be clicked; what is no plain address is not shown.
    let is_plain = |url: &&String| {
        url.len() <= 300 && url.chars().all(|letter| letter.is_ascii_graphic() && !"<>()[]`|*".contains(letter))
    };
    let url = alert.url.as_ref().filter(is_plain).map(|url| format!("> <{url}>"));
    description.into_iter().chain(url).collect()
}

/// A run of an incident, as a line of its post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    pub command: String,
    pub short: String,
    pub requester: String,
    pub done: usize,
    pub steps: usize,
    pub waits: bool,
    pub outcome: Option<Outcome>,
}

pub fn incident_run(run: &RunLine) -> String {
    let is = match run.outcome {
        Some(outcome) => outcome.to_string(),
        None if run.waits => "**waits for people**".to_owned(),
        None => format!("{} of {} steps done", run.done, run.steps),
    };
    format!("/{} ({}) by {}: {is}", cut(&plain(&run.command), 40), run.short, person(&run.requester))
}

/// The name of an incident's thread: at most 100 characters (Start Thread from Message).
pub fn incident_thread(state: &State) -> String {
    cut(
        &format!(
            "{}{} {} {}",
            drill(state),
            state.kind.scenario.name,
            state.opened.target.as_deref().unwrap_or_default(),
            state.id.short()
        ),
        100,
    )
}

/// The evidence: alerts that fire, and those that did; each as a line, and what else is said of them as far as there is room.
pub fn incident_alerts(state: &State) -> Option<String> {
    if state.alerts.is_empty() {
        return None;
    }
    let (firing, over): (Vec<_>, Vec<_>) = state.alerts.values().partition(|alert| alert.resolved_at.is_none());
    let of = |alert: &Alert| match alert.resolved_at {
        None => (format!("🔴 {}", cut(&alert_line(&alert.alert), 250)), alert_more(&alert.alert)),
        Some(_) => (format!("🟢 {} (resolved)", cut(&plain(&alert.alert.name), 100)), Vec::new()),
    };
    let all: Vec<_> = firing.into_iter().chain(over).map(of).collect();
    let mut shown = 0;
    let mut used = 0;
    for (line, _) in &all {
        used += line.chars().count() + 1;
        if shown == 8 || used > ALERTS_LENGTH {
            break;
        }
        shown += 1;
    }
    let mut left = ALERTS_LENGTH.saturating_sub(all[..shown].iter().map(|(line, _)| line.chars().count() + 1).sum());
    let mut lines = Vec::new();
    for (line, more) in &all[..shown] {
        lines.push(line.clone());
        for piece in more {
            let takes = piece.chars().count() + 1;
            if takes <= left {
                left -= takes;
                lines.push(piece.clone());
            }
        }
    }
    if all.len() > shown {
        lines.push(format!("and {} more", all.len() - shown));
    }
    Some(lines.join("\n"))
}

/// What a field of the post has room for, the line of how many more aside.
const ALERTS_LENGTH: usize = 850;

/// Who has it.
pub fn incident_holder(state: &State) -> String {
    match &state.ack {
        Ack::Held { by, .. } => format!("{} has it", person(&by.name)),
        Ack::Asked { by, .. } => format!("{} had it; are they still on it?", person(&by.name)),
        Ack::Open { .. } => "nobody yet".to_owned(),
        Ack::Exhausted => "**nobody**, and everybody responsible was called".to_owned(),
    }
}

/// The clock of the objective, as Discord counts it down by itself.
pub fn incident_clock(state: &State, clock: &Clock) -> String {
    let whole = duration(clock.whole);
    let over = clock.over();
    let text = match (clock.stopped, state.recovered.is_some()) {
        (true, true) if over.is_zero() => format!("recovered in {} of {whole}", duration(clock.used)),
        (true, true) => {
            format!("recovered in {}, {} over the objective of {whole}", duration(clock.used), duration(over))
        }
        (true, false) => format!("closed after {}, not recovered", duration(clock.used)),
        (false, _) if over.is_zero() => {
            format!(
                "{} left of {whole}, {} used; until <t:{due}:T> (<t:{due}:R>)",
                minutes(clock.left()),
                minutes(clock.used),
                due = clock.due.timestamp()
            )
        }
        (false, _) => format!("⚠ **missed by {}** (objective {whole})", duration(over)),
    };
    match &state.deadline.moved {
        Some((by, reason)) => format!("{text}\nDeadline of {}'s: {}", person(&by.name), cut(&plain(reason), 200)),
        None => text,
    }
}

/// What remains, by what it took before; and whether that is in time.
pub fn forecast(forecast: &Forecast, left: Option<Duration>) -> Option<String> {
    if !forecast.is_known() {
        return None;
    }
    let source = match (forecast.runs, forecast.estimated) {
        (0, _) => "estimated".to_owned(),
        (1, 0) => "by 1 run".to_owned(),
        (runs, 0) => format!("by {runs} runs"),
        (runs, _) => format!("by {runs} runs and estimates"),
    };
    let span = if forecast.p50 == forecast.p90 {
        minutes(forecast.p90)
    } else {
        format!("{} to {}", minutes(forecast.p50), minutes(forecast.p90))
    };
    let waits = if forecast.waits { " once people have decided" } else { "" };
    let risk = left
        .filter(|left| forecast.p90 > *left)
        .map(|left| format!("⚠ **at risk by {}**: ", minutes(forecast.p90.saturating_sub(left))));
    Some(format!("{}{span} more{waits} ({source})", risk.unwrap_or_default()))
}

/// What would recover sooner than what is under way.
pub fn faster_path(faster: &Faster) -> String {
    let source = match faster.runs {
        0 => "estimated".to_owned(),
        1 => "by 1 run".to_owned(),
        runs => format!("by {runs} runs"),
    };
    let command = cut(&plain(&faster.command), 40);
    format!(
        "Faster: **/{command}** needs {} from its start ({source}). One thing happens at a time: stop what is under way first.",
        minutes(faster.needs)
    )
}

/// The data that may be lost and, where it was measured, the data that was.
pub fn incident_rpo(state: &State, measured: Option<&(String, Verdict)>) -> String {
    let objective = format!("objective: {} of data", duration(state.kind.scenario.rpo.0));
    let Some((measured, verdict)) = measured else {
        let why = if state.runs.is_empty() { "nothing was run yet" } else { "no run has measured it" };
        return format!("Data lost: unknown, because {why} ({objective})");
    };
    let verdict = match verdict {
        Verdict::Within => "within the".to_owned(),
        Verdict::Over { by, at_least: false } => format!("⚠ **{} over the**", duration(*by)),
        Verdict::Over { by, at_least: true } => format!("⚠ **at least {} over the**", duration(*by)),
        Verdict::Unknown => "nobody knows whether that is within the".to_owned(),
    };
    format!("{measured} {verdict} {objective}")
}

/// The four times, each with its source.
pub fn incident_times(state: &State) -> String {
    let times = times::of(state);
    let mut lines = vec![match &times.failure {
        Some(seen) => format!("failure: after {} ({})", stamp(seen.at), cut(&plain(&seen.source), 100)),
        None => "failure: not known".to_owned(),
    }];
    lines.push(format!("detected: {} ({})", stamp(times.detected.at), cut(&plain(&times.detected.source), 120)));
    if let Some(seen) = &times.responded {
        lines.push(format!("responded: {} ({})", stamp(seen.at), person(&seen.source)));
    }
    if let Some(seen) = &times.recovered {
        lines.push(format!("recovered: {} ({})", stamp(seen.at), cut(&plain(&seen.source), 80)));
    }
    let figure = |name: &str, span: Option<Duration>| span.map(|span| format!("{name} {}", duration(span)));
    let figures: Vec<_> = [
        figure("MTTD", times.to_detect()),
        // Who opens it has noticed it: there was no alert to answer.
        figure("MTTA", times.to_acknowledge().filter(|_| times::was_alerted(state))),
        figure("MTTR", times.to_recover()),
        // The failure is not known: this is not the MTTR.
        figure("recovered after detection", times.from_detection_to_recovery().filter(|_| times.failure.is_none())),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !figures.is_empty() {
        lines.push(figures.join(" · "));
    }
    lines.join("\n")
}

pub fn incident_footer(state: &State, now: Timestamp) -> String {
    let opened = ago(state.opened_at, now);
    let calls = if state.pages == 1 { "1 call".to_owned() } else { format!("{} calls", state.pages) };
    format!("incident {} · opened {opened} · {calls}", state.id.short())
}

pub fn incident_headline(state: &State) -> String {
    match (&state.closed, &state.recovered) {
        (Some(closed), _) => match &closed.reason {
            Some(reason) => format!("**Closed** by {}: {}", person(&closed.by.name), cut(&plain(reason), 400)),
            None => format!("**Closed** by {}", person(&closed.by.name)),
        },
        (None, Some(_)) => {
            "**Recovered, verified.** Nobody is called any more. Look whether all is well, then close it.".to_owned()
        }
        (None, None) if state.firing().next().is_none() && !state.alerts.is_empty() => {
            "**Open.** Its alerts are resolved; nothing has verified a recovery. Look, and close it.".to_owned()
        }
        (None, None) if state.is_drill() => {
            "**A drill: nothing has happened.** Its contacts are called as they would be. Acknowledge it, and close it when you have seen enough.".to_owned()
        }
        (None, None) => "**Open**".to_owned(),
    }
}

pub fn acknowledge_label() -> String {
    "Acknowledge".to_owned()
}

pub fn still_on_it_label() -> String {
    "Still on it".to_owned()
}

pub fn not_now_label() -> String {
    "Not now".to_owned()
}

/// What the timeline says of that button.
pub fn not_now() -> String {
    "not now: the command that fits is not to be run yet".to_owned()
}

pub fn noted_not_now() -> String {
    "Noted: nothing is run now. That is no acknowledgement: others are called until somebody has it.".to_owned()
}

pub fn close_label() -> String {
    "Close".to_owned()
}

pub fn open_incident_label() -> String {
    "Open an incident".to_owned()
}

pub fn close_title() -> String {
    "Close the incident".to_owned()
}

pub fn close_reason_label() -> String {
    "Why, and what is still to be done".to_owned()
}

/// A message into the thread of an incident.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    /// Discord users that it calls.
    pub users: Vec<u64>,
    /// Discord roles, by their names in `drbot.toml`.
    pub roles: Vec<String>,
    /// It asks for an answer.
    pub asks: bool,
}

impl Line {
    fn quiet(text: String) -> Option<Self> {
        Some(Self { text, ..Self::default() })
    }
}

/// What an entry of the journal says in the thread. `state` is the incident as it is now: who is called in vain does not come
/// the next time.
pub fn incident_line(entry: &Entry, state: &State, now: Timestamp) -> Option<Line> {
    let line = line(entry, state, now)?;
    Some(match line.text.split_once(":T> ").filter(|_| state.is_drill()) {
        Some((moment, text)) => Line { text: format!("{moment}:T> {DRILL}{text}"), ..line },
        None => line,
    })
}

fn line(entry: &Entry, state: &State, now: Timestamp) -> Option<Line> {
    let at = stamp(entry.at);
    match &entry.event {
        // The post says it.
        Event::Opened(_) | Event::Renewed { .. } => None,
        Event::RunJoined { run, command, by } => {
            Line::quiet(format!("{at} ▶️ {} runs /{} ({})", person(&by.name), cut(&plain(command), 40), run.short()))
        }
        Event::AlertFired { alert } => Line::quiet(format!("{at} 🔴 {}", alert_line(alert))),
        Event::AlertResolved { name, .. } => Line::quiet(format!("{at} 🟢 {} is resolved", cut(&plain(name), 100))),
        Event::Acknowledged { by, how, .. } => {
            Line::quiet(format!("{at} 👍 {} has it ({})", person(&by.name), plain(how)))
        }
        Event::StillAsked { by, .. } => {
            let current = matches!(&state.ack, Ack::Asked { by: asked, .. } if asked.id == by.id) && !state.is_over();
            // Who acknowledged by a link and has no user in Discord cannot be mentioned there.
            let is_user = by.id.0 >> 63 == 0;
            let whom = if is_user { format!("<@{}>", by.id) } else { person(&by.name) };
            let text = format!("{at} ❔ {whom}, are you still on it? Else the next is called in a moment.");
            let users = if current && is_user { vec![by.id.0] } else { Vec::new() };
            Some(Line { text, users, roles: Vec::new(), asks: current })
        }
        Event::Paged(paged) => Some(called(entry, paged, state, now)),
        Event::Delivered { page, outcome } => Line::quiet(delivered(&at, page, outcome)?),
        Event::Noted { by, text } => Line::quiet(format!("{at} 📝 {}: {}", person(&by.name), cut(&plain(text), 1500))),
        Event::ScenarioChanged { by, kind, .. } => Line::quiet(format!(
            "{at} 🔀 {} says that it is **{}**: recovery within {}",
            person(&by.name),
            cut(&plain(&kind.scenario.name), 80),
            duration(kind.scenario.rto.0)
        )),
        Event::DeadlineMoved { by, due, reason, .. } => Line::quiet(format!(
            "{at} ⏱️ {} answers for a new deadline, <t:{}:T>: {}",
            person(&by.name),
            due.timestamp(),
            cut(&plain(reason), 400)
        )),
        Event::ClockSetBack { by, .. } => Line::quiet(format!(
            "{at} 🕰️ the clock of drbot's machine was set back by {}: what is due comes sooner by as much",
            duration(*by)
        )),
        Event::Recovered { run, .. } => Line::quiet(format!("{at} ✅ recovery is verified by run {}", run.short())),
        Event::Relapsed { alert, .. } => Line::quiet(format!("{at} 🔁 **it is back**: {}", alert_line(alert))),
        Event::Closed { by, reason } => Line::quiet(match reason {
            Some(reason) => format!("{at} 🏁 {} closed it: {}", person(&by.name), cut(&plain(reason), 400)),
            None => format!("{at} 🏁 {} closed it", person(&by.name)),
        }),
    }
}

fn delivered(at: &str, page: &crate::incident::event::PageTo, outcome: &Delivery) -> Option<String> {
    let to = if page.name.is_empty() {
        page.way.to_string()
    } else {
        format!("{} to {} ({})", page.way, person(&page.name), cut(&plain(&page.role), 60))
    };
    let why = |why: &str| cut(&plain(why), 200);
    Some(match outcome {
        // Whoever reads the thread knows that Discord delivers.
        Delivery::Delivered if page.way == Way::DirectMessage => return None,
        Delivery::Delivered => format!("{at} 📨 {to}: delivered"),
        Delivery::Unknown { why: reason } => format!("{at} 📨 {to}: may have arrived ({}); sent again", why(reason)),
        Delivery::Failed { why: reason } => format!("{at} ⚠️ {to}: failed ({}); tried again", why(reason)),
        Delivery::Undeliverable { why: reason } => format!("{at} ❌ {to}: **not delivered** ({})", why(reason)),
        Delivery::Cancelled => return None,
    })
}

fn called(entry: &Entry, paged: &Paged, state: &State, now: Timestamp) -> Line {
    let at = stamp(entry.at);
    let late = elapsed(paged.due_at, entry.at);
    let icon = if paged.deadline.is_some_and(|percent| percent >= 90) { "🔴" } else { "🟠" };
    let mut text = format!("{at} {icon} {}", why_called(paged, state));
    if late > LATE && paged.early.is_none() {
        text.push_str(&format!(" (late by {})", duration(late)));
    }
    // Said when it is true no more, it would be a false alarm: then it is a line of the record, and calls nobody.
    let current = !state.is_over();
    let users: Vec<u64> = paged.called.iter().map(|one| one.user.0).collect();
    if current {
        for user in users.iter().take(30) {
            text.push_str(&format!(" <@{user}>"));
        }
        text.push_str(&format!("\n{}", times_left(state, now)));
    } else {
        let names = paged.called.iter().map(|one| person(&one.name)).collect::<Vec<_>>().join(", ");
        text.push_str(&format!(" {names}"));
    }
    let mut others: Vec<String> = Vec::new();
    for page in &paged.pages {
        let to =
            if page.name.is_empty() { page.way.to_string() } else { format!("{} to {}", page.way, person(&page.name)) };
        if !others.contains(&to) {
            others.push(to);
        }
    }
    if !others.is_empty() {
        text.push_str(&format!("\nAlso: {}.", cut(&others.join(", "), 400)));
    }
    if let Some(faster) = &paged.faster {
        text.push_str(&format!("\n{}", faster_path(faster)));
    }
    if !paged.unreachable.is_empty() {
        text.push_str(&format!("\n⚠ Not to be reached: {}.", list(&paged.unreachable)));
    }
    if paged.called.is_empty() && paged.pages.is_empty() && paged.roles.is_empty() {
        text.push_str("\n**🔴 Nobody can be called. Whoever reads this: call them; numbers are in /contacts list.**");
    }
    Line {
        text: cut(&text, 1900),
        users: if current { users } else { Vec::new() },
        roles: if current { paged.roles.clone() } else { Vec::new() },
        asks: current && paged.ack.is_some(),
    }
}

fn why_called(paged: &Paged, state: &State) -> String {
    let mut parts: Vec<String> = Vec::new();
    match (paged.deadline, &paged.early) {
        (Some(percent), Some(breach)) => parts.push(format!(
            "**by the forecast recovery comes too late**: {} more is needed and {} is left (the call for {percent} % comes early)",
            minutes(breach.needs),
            minutes(breach.left)
        )),
        (Some(0), None) => parts.push("**a disaster**".to_owned()),
        (Some(100), None) if paged.repeat > 0 => parts.push("**the deadline is missed, and recovery is not verified**".to_owned()),
        (Some(100), None) => parts.push("**the time is used up**, and recovery is not verified".to_owned()),
        (Some(percent), None) => parts.push(format!("**{percent} % of the time is used**, and recovery is not verified")),
        (None, _) => {}
    }
    if let Some(level) = paged.ack {
        parts.push(match level {
            Level::Primary => "does anybody have it?".to_owned(),
            Level::Secondary => "nobody has acknowledged it".to_owned(),
            Level::Emergency => "**still nobody has acknowledged it**".to_owned(),
        });
    }
    match &paged.stall {
        Some(Stall::Approval { run, .. }) => {
            parts.push(format!("run {} has waited for its approval for long", run.short()))
        }
        Some(Stall::Expired { run, .. }) => parts.push(format!(
            "the time to approve run {} ran out; it waits until somebody has it asked again",
            run.short()
        )),
        Some(Stall::Step { run, step }) => {
            parts.push(format!(
                "step {} of run {} takes much longer than it did before",
                cut(&plain(step), 60),
                run.short()
            ));
        }
        Some(Stall::Unknown { run, step }) => {
            parts.push(format!(
                "nobody knows whether step {} of run {} happened: somebody has to look",
                cut(&plain(step), 60),
                run.short()
            ));
        }
        None => {}
    }
    format!("{}: {}", kind_and_place(state), parts.join("; "))
}

fn times_left(state: &State, now: Timestamp) -> String {
    let clock = times::clock(state, now);
    if clock.over().is_zero() {
        format!("{} left of {}.", minutes(clock.left()), duration(clock.whole))
    } else {
        format!("The deadline is missed by {}.", duration(clock.over()))
    }
}

// ---- answers -----------------------------------------------------------------------------------------------------------

pub fn incident_opened(state: &State) -> String {
    format!("Incident {} is open: {}.", state.id.short(), incident_name(state))
}

pub fn no_drills() -> String {
    "drbot.toml says nothing of drills: `[incidents] drill = { contacts = [\"Drill\"] }` names the contact roles that they call.".to_owned()
}

pub fn no_drill_contacts(roles: &[String]) -> String {
    format!("Nobody would be called: no contact has the role {}. `/contacts set` gives it to somebody.", list(roles))
}

pub fn incident_is_open(short: &str) -> String {
    format!("Incident {short} is open for that already; it was not opened twice. `/incident show {short}`")
}

pub fn has_it(state: &State) -> String {
    let left = duration(state.ack_policy.lease);
    format!(
        "You have incident {}. After {left} without anything from you, you are asked whether you still do.",
        state.id.short()
    )
}

pub fn noted() -> String {
    "Noted in the timeline.".to_owned()
}

pub fn incident_closed(state: &State) -> String {
    format!("Incident {} is closed.", state.id.short())
}

pub fn scenario_is(state: &State) -> String {
    format!("Incident {} is **{}** now.", state.id.short(), cut(&plain(&state.kind.scenario.name), 80))
}

pub fn deadline_is(state: &State) -> String {
    format!("The deadline of incident {} is <t:{}:T> now.", state.id.short(), state.deadline.due.timestamp())
}

pub fn no_incident() -> String {
    "No incident is open. `/incident open` opens one.".to_owned()
}

pub fn which_incident(open: &[State], now: Timestamp) -> String {
    let lines: Vec<_> = open.iter().take(20).map(|state| plain(&incident_choice(state, now))).collect();
    format!("Several incidents are open; name one:\n{}", lines.join("\n"))
}

pub fn unknown_incident(name: &str) -> String {
    format!("There is no incident {}. `/incident list` shows them.", cut(&plain(name), 60))
}

pub fn incident_is_closed() -> String {
    "It is closed already.".to_owned()
}

pub fn unknown_scenario(name: &str, known: &[String]) -> String {
    format!("There is no scenario {}; drbot.toml has {}.", cut(&plain(name), 60), list(known))
}

pub fn unknown_target(name: &str, known: &[String]) -> String {
    format!("There is no target {}; drbot.toml has {}.", cut(&plain(name), 60), list(known))
}

pub fn run_without_scenario() -> String {
    "That command has no scenario, so there is nothing to open an incident for.".to_owned()
}

pub fn closing_needs_a_reason() -> String {
    "Recovery is not verified: say why it is closed all the same.".to_owned()
}

pub fn words_needed() -> String {
    "There is nothing to note down.".to_owned()
}

pub fn deadline_is_past() -> String {
    "That deadline would have passed already.".to_owned()
}

pub fn bad_span(text: &str) -> String {
    format!("`{}` is no length of time up to a week; write 20m, 1h 30m or 90s.", cut(&plain(text), 40))
}

/// Those that are open, and those that were last.
pub fn incident_list(states: &[State], now: Timestamp) -> String {
    if states.is_empty() {
        return "There was no incident yet.".to_owned();
    }
    let mut text = String::new();
    for state in states.iter().take(20) {
        let clock = times::clock(state, now);
        text.push_str(&format!(
            "{}\n\u{2003}{}\n",
            plain(&incident_choice(state, now)),
            incident_clock(state, &clock).lines().next().unwrap_or_default()
        ));
    }
    cut(&text, 3900)
}

// ---- pages, far away from Discord: no markup ---------------------------------------------------------------------------

/// One line: what it is, and why somebody is called.
pub fn page_subject(paged: &Paged, state: &State) -> String {
    unmarked(&why_called(paged, state))
}

/// What is the matter, what is being done, what is left.
pub fn page_text(paged: &Paged, state: &State, doing: &[String], now: Timestamp) -> String {
    let mut lines = vec![
        format!("{}.", unmarked(&why_called(paged, state))),
        unmarked(&incident_because(state)),
        unmarked(&times_left(state, now)),
        match doing {
            [] => "Nothing is being done yet.".to_owned(),
            doing => format!("Under way: {}.", doing.join(", ")),
        },
        format!("Acknowledged: {}.", unmarked(&incident_holder(state))),
    ];
    lines.extend(paged.faster.as_ref().map(|faster| unmarked(&faster_path(faster))));
    let firing: Vec<_> = state.firing().take(5).map(|alert| format!("- {}", unmarked(&alert_line(alert)))).collect();
    if !firing.is_empty() {
        lines.push(format!("Alerts:\n{}", firing.join("\n")));
    }
    lines.join("\n")
}

/// For a text message and a voice.
pub fn page_short(paged: &Paged, state: &State, now: Timestamp) -> String {
    cut(&format!("{}. {}", unmarked(&why_called(paged, state)), unmarked(&times_left(state, now))), 110)
}

pub fn page_run(command: &str, done: usize, steps: usize) -> String {
    format!("/{command} ({done} of {steps} steps done)")
}

/// Where nothing is shown bold, asterisks are noise.
fn unmarked(text: &str) -> String {
    readable(&text.replace("**", ""))
}

pub fn direct_page(paged: &Paged, state: &State, link: Option<&str>, may_repeat: bool, now: Timestamp) -> String {
    let mut text = format!("{}{}\n{}", drill(state), cut(&why_called(paged, state), 1200), times_left(state, now));
    if let Some(link) = link {
        text.push_str(&format!("\n{link}"));
    }
    if may_repeat {
        text.push_str("\nThis may be a repetition.");
    }
    text.push_str(&format!("\n`/incident ack {}` there says that you have it.", state.id.short()));
    text
}

pub fn no_discord_user() -> String {
    "the contact has no Discord user any more".to_owned()
}

pub fn no_direct_messages() -> String {
    "Discord takes no direct message from drbot to them; they may have closed theirs".to_owned()
}

pub fn discord_does_not_answer() -> String {
    "Discord does not take it yet".to_owned()
}

// ---- the page behind a link --------------------------------------------------------------------------------------------

pub fn linked_title(state: &State) -> String {
    unmarked(&incident_name(state))
}

pub fn linked_done() -> String {
    "You have it".to_owned()
}

pub fn linked(state: &State, now: Timestamp) -> Vec<String> {
    let mut lines = vec![unmarked(&incident_because(state)), unmarked(&times_left(state, now))];
    lines.push(format!("Acknowledged: {}.", unmarked(&incident_holder(state))));
    lines.push(format!("Incident {}; its thread in Discord has the rest.", state.id.short()));
    lines
}
