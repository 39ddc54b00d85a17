//! What is said of broken glasses and their reviews.

use std::time::Duration;

use super::{
    super::outside::{cut, inline_code, plain},
    ago, duration, name, person,
};
use crate::{
    clock::Timestamp,
    ids::RunId,
    run::{
        event::Called,
        glass::{GlassBroken, Grounds, Review, SHORTEST_REASON},
        state::State,
    },
};

pub fn break_glass_label() -> String {
    "Break the glass".to_owned()
}

pub fn break_glass_title() -> String {
    "Go on without the approval".to_owned()
}

/// Discord takes 45 characters (Components, text input label).
pub fn break_glass_word_label(word: &str) -> String {
    cut(&format!("Type {} to go on alone", super::clean(word)), 45)
}

pub fn break_glass_reason_label() -> String {
    format!("Why? {SHORTEST_REASON} characters or more; all read it")
}

pub fn review_label() -> String {
    "I have reviewed it".to_owned()
}

pub fn review_title() -> String {
    "Review of a broken glass".to_owned()
}

pub fn review_note_label() -> String {
    "What did you find? It goes into the record".to_owned()
}

pub fn glass_is_broken() -> String {
    "The run goes on without the approval. Everybody is told, and somebody else has to review it. Until the step begins you \
     can take it back."
        .to_owned()
}

pub fn reason_too_short() -> String {
    format!("Not done: the reason has fewer than {SHORTEST_REASON} characters. Whoever reviews it must understand it.")
}

pub fn no_glass() -> String {
    "Nobody may let this run go on alone: when it began, [break_glass] in drbot.toml named no role, or it needs no approval."
        .to_owned()
}

pub fn too_early(near: u8, from: Option<Timestamp>) -> String {
    let near = match from {
        Some(from) => format!("when {near} % of the RTO is used ({} UTC), or ", from.format("%H:%M:%S")),
        None => String::new(),
    };
    format!(
        "Not yet: the glass may be broken {near}once a call for approval has expired unanswered. Until then call those who \
         may approve: /contacts list."
    )
}

pub fn own_review() -> String {
    "You broke the glass yourself, so somebody else has to review it.".to_owned()
}

/// `82 % of the RTO was used, and 1 call for approval had expired unanswered`.
fn because(grounds: Grounds) -> String {
    let used = grounds.used.map(|used| format!("{used} % of the RTO was used"));
    let unanswered = match grounds.unanswered {
        0 => None,
        1 => Some("1 call for approval had expired unanswered".to_owned()),
        more => Some(format!("{more} calls for approval had expired unanswered")),
    };
    [used, unanswered].into_iter().flatten().collect::<Vec<_>>().join(", and ")
}

/// In the log.
pub(super) fn glass_broken(broken: &GlassBroken) -> String {
    format!(
        "🔨 {} broke the glass: {} ({})",
        person(&broken.by.name),
        cut(&plain(&broken.reason), 600),
        because(broken.grounds)
    )
}

/// On the card.
pub(super) fn forced(by: &str, reason: &str, waited: Duration) -> String {
    format!(
        "🔨 {} broke the glass after {}: {}\nNobody approved. Somebody else has to review it.",
        person(by),
        duration(waited),
        cut(&plain(reason), 500)
    )
}

/// Into the channel, for everybody: a heading and a text.
pub fn glass_call(state: &State, broken: &GlassBroken, link: &str) -> (String, String) {
    let created = &state.created;
    let target = created.command.target.as_deref().map(|target| format!(" · {}", plain(target))).unwrap_or_default();
    let roles = created.command.approval.iter().flat_map(|approval| &approval.roles);
    let roles = roles.map(|role| name(role)).collect::<Vec<_>>().join(" or ");
    let mut lines = vec![
        format!(
            "**/{}**{target} goes on without the approval of {}: {} decided it alone.",
            plain(&created.command.name),
            cut(&roles, 200),
            person(&broken.by.name),
        ),
        format!("Why: {}", cut(&plain(&broken.reason), 600)),
        format!("What was the case: {}.", because(broken.grounds)),
        format!("Somebody else has to review it until {} UTC.", broken.review_by.format("%Y-%m-%d %H:%M")),
    ];
    if !broken.unreachable.is_empty() {
        let who = broken.unreachable.iter().map(|who| person(who)).collect::<Vec<_>>().join(", ");
        lines.push(format!("Not to be called in Discord: {}. Their numbers: /contacts list.", cut(&who, 400)));
    }
    if broken.called.is_empty() {
        lines.push(
            "**Nobody who should know of it can be called in Discord. Whoever reads this: call them.**".to_owned(),
        );
    }
    lines.push(link.to_owned());
    (format!("🔨 {} broke the glass", person(&broken.by.name)), lines.join("\n"))
}

// ---- reviews -----------------------------------------------------------------------------------------------------------

pub(super) fn reviewed(run: &RunId, command: &str, breaker: &str, by: &str, note: &str) -> (String, String) {
    (
        "The broken glass is reviewed".to_owned(),
        format!(
            "{} reviewed that {} broke the glass of /{} (run {}): {}",
            person(by),
            person(breaker),
            name(command),
            run.short(),
            cut(&plain(note), 600)
        ),
    )
}

pub(super) fn review_overdue(run: &RunId, command: &str, breaker: &str, due: Timestamp) -> (String, String) {
    (
        "🔨 A review is overdue".to_owned(),
        format!(
            "{} broke the glass of /{} (run {}), and nobody else has reviewed it. It was due at {} UTC. The record: \
             `drbot runs {}`.",
            person(breaker),
            name(command),
            run.short(),
            due.format("%Y-%m-%d %H:%M"),
            run.short(),
        ),
    )
}

pub fn review_done() -> String {
    "Recorded; the channel is told.".to_owned()
}

pub fn note_needed() -> String {
    "What did you find? A review without a word is none.".to_owned()
}

pub fn reviewed_already(by: &str, at: Timestamp, now: Timestamp) -> String {
    format!("{} has reviewed it already, {}.", person(by), ago(at, now))
}

pub fn nothing_to_review() -> String {
    "No broken glass waits for a review.".to_owned()
}

pub fn which_review(open: &[Review], now: Timestamp) -> String {
    format!("Several broken glasses wait for a review. Say which:{}", reviews(open, now))
}

pub fn no_such_review(run: &str, open: &[Review], now: Timestamp) -> String {
    let there = match open {
        [] => nothing_to_review(),
        open => format!("These wait for one:{}", reviews(open, now)),
    };
    format!("No glass was broken in a run {}. {there}", inline_code(run, 60))
}

pub fn open_reviews(open: &[Review], now: Timestamp) -> String {
    format!(
        "These broken glasses wait for somebody else's review (drbot review RUN WHAT YOU FOUND):{}",
        reviews(open, now)
    )
}

/// A line each.
fn reviews(open: &[Review], now: Timestamp) -> String {
    let line = |review: &Review| {
        let due = match review.due_at > now {
            true => format!("due in {}", duration(crate::clock::elapsed(now, review.due_at))),
            false => format!("overdue since {}", duration(crate::clock::elapsed(review.due_at, now))),
        };
        format!(
            "\n• {} /{}: {} broke the glass {}; {due}",
            review.run.short(),
            name(&review.command),
            person(&review.breaker.name),
            ago(review.opened_at, now),
        )
    };
    open.iter().take(20).map(line).collect()
}

/// Whom a post may notify.
pub fn users(called: &[Called]) -> Vec<u64> {
    called.iter().map(|one| one.user.0).collect()
}
