//! What the picture of an incident says. Short: each of them has a place of its own size.

use std::time::Duration;

use chrono::TimeDelta;

use super::super::picture::{BarKind, DotKind, MarkKind};
use crate::clock::Timestamp;

pub const PAGES: &str = "Pages";
pub const NO_RUN: &str = "No run";

pub fn mark(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Failure => "✗ Failure",
        MarkKind::Detected => "◆ Detected",
        MarkKind::Responded => "● Responded",
        MarkKind::Recovered => "✓ Recovered",
        MarkKind::Closed => "■ Closed",
    }
}

pub fn bar(kind: BarKind) -> &'static str {
    match kind {
        BarKind::Done => "Done",
        BarKind::Failed => "Failed",
        BarKind::Skipped => "Skipped",
        BarKind::Undone => "Taken back",
        BarKind::Running => "Still running",
        BarKind::Waiting => "Waiting",
    }
}

/// Before a step's name, besides its colour.
pub fn sign(kind: BarKind) -> &'static str {
    match kind {
        BarKind::Failed => "✗ ",
        BarKind::Undone => "↩ ",
        BarKind::Skipped => "– ",
        BarKind::Running => "▶ ",
        BarKind::Done | BarKind::Waiting => "",
    }
}

pub fn dot(kind: DotKind) -> &'static str {
    match kind {
        DotKind::Paged => "Paged",
        DotKind::Acknowledged => "Acknowledged",
        DotKind::Unreachable => "Not reached",
    }
}

/// Runs that are not shown.
pub fn more(count: usize) -> String {
    format!("and {count} more")
}

/// `✓ 4:10 used · 25:50 left`, `✗ 3:30 used · breached by 1:30`.
pub fn budget(used: Duration, limit: Duration, is_met: bool) -> String {
    let open = if is_met { "" } else { " · not recovered" };
    match used.checked_sub(limit).filter(|late| !late.is_zero()) {
        Some(late) => format!("✗ {} used · breached by {}{open}", clock(used), clock(late)),
        None if is_met => format!("✓ {} used · {} left", clock(used), clock(limit.saturating_sub(used))),
        None => format!("{} used · {} left{open}", clock(used), clock(limit.saturating_sub(used))),
    }
}

/// `3:12`, `1:03:12`, `2 d 3 h`.
pub fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds % 86_400 / 3600, seconds % 3600 / 60);
    match seconds {
        0..3600 => format!("{minutes}:{:02}", seconds % 60),
        3600..86_400 => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
        _ => format!("{days} d {hours} h"),
    }
}

/// From the beginning of the incident: `+3:12`.
pub fn offset(span: TimeDelta) -> String {
    let sign = if span < TimeDelta::zero() { '−' } else { '+' };
    format!("{sign}{}", clock(span.abs().to_std().unwrap_or_default()))
}

/// How long a step took, beside its name.
pub fn took(span: Duration) -> String {
    if span < Duration::from_secs(1) { String::new() } else { clock(span) }
}

/// Below the axis, `step` seconds from the next: as short as it is still exact.
pub fn tick(offset: i64, step: i64) -> String {
    let (days, hours, minutes) = (offset / 86_400, offset % 86_400 / 3600, offset % 3600 / 60);
    match (days, hours, minutes) {
        _ if step < 900 => clock(Duration::from_secs(offset.unsigned_abs())),
        (0, 0, 0) => "0".to_owned(),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, ..) => format!("{hours} h {minutes}"),
        (_, 0, _) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}

/// The time of day below a tick, in UTC; the day where days go by.
pub fn time_of_day(at: Timestamp, span: i64, step: i64) -> String {
    let form = match (span, step) {
        (0..3600, _) => "%H:%M:%S",
        (0..86_400, _) => "%H:%M",
        (_, 0..86_400) => "%d %b %H:%M",
        (0..31_536_000, _) => "%d %b",
        _ => "%b %Y",
    };
    at.format(form).to_string()
}
