//! The card for a terminal: the same view, in plain characters.

use super::{
    card,
    outside::{cut, harmless, plain, readable},
    view::{Icon, Line, Overall, View},
    words,
};
use crate::clock::Timestamp;

/// Moments as Discord has them (`<t:…:T>`), as a terminal can show them: in UTC.
pub fn moments(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("<t:") {
        shown.push_str(before);
        let moment = behind.split_once('>').and_then(|(inside, rest)| {
            let seconds = inside.split(':').next()?.parse().ok()?;
            Some((Timestamp::from_timestamp(seconds, 0)?, rest))
        });
        match moment {
            Some((at, behind)) => {
                shown.push_str(&at.format("%H:%M:%S UTC").to_string());
                rest = behind;
            }
            None => {
                shown.push_str("<t:");
                rest = behind;
            }
        }
    }
    shown + rest
}

/// `width` columns at most; colours when `colour`.
pub fn card(view: &View, width: usize, colour: bool) -> String {
    let inner = width.clamp(40, 200) - 2;
    let mut lines = vec![paint(
        &format!("{} · {}", harmless(&cut(&view.title, 200)), words::headline(view.overall)),
        hue(view.overall),
        colour,
    )];
    for line in &view.lines {
        lines.extend(step(line, inner, colour));
    }
    for (name, text) in sections(view) {
        lines.push(String::new());
        for (index, part) in text.iter().enumerate() {
            let label = if index == 0 { name } else { "" };
            lines.extend(
                wrap(&readable(part), inner - 11)
                    .into_iter()
                    .enumerate()
                    .map(|(row, part)| format!("{:<10} {part}", if row == 0 { label } else { "" })),
            );
        }
    }
    let labels: Vec<_> =
        card::of(view).buttons.into_iter().flatten().map(|button| format!("[{}]", readable(&button.label))).collect();
    if !labels.is_empty() {
        lines.push(String::new());
        lines.push(labels.join(" "));
    }
    lines.push(paint(&readable(&words::footer(&view.requester, &view.run.short(), view.elapsed)), "2", colour));
    lines.iter().map(|line| format!("│ {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn sections(view: &View) -> Vec<(&'static str, Vec<String>)> {
    let mut sections = Vec::new();
    if let Some(clock) = &view.clock {
        sections.push(("RTO", vec![words::rto(clock)]));
    }
    if let Some(called) = &view.called {
        sections.push(("Called", vec![called.clone()]));
    }
    if let Some(approval) = words::approval(&view.approval) {
        sections.push(("Approval", approval.lines().map(str::to_owned).collect()));
    }
    if let Some((question, _)) = &view.question {
        sections.push(("Decide", vec![plain(question)]));
    }
    if !view.ending.is_empty() {
        sections.push(("Now", view.ending.clone()));
    }
    sections
}

fn step(line: &Line, width: usize, colour: bool) -> Vec<String> {
    let (sign, hue) = match line.icon {
        Icon::Waiting => ("·", "2"),
        Icon::Running => ("▶", "36"),
        Icon::Good => ("✓", "32"),
        Icon::Bad => ("✗", "31"),
        Icon::PassedOver => ("!", "33"),
        Icon::Skipped => ("-", "2"),
        Icon::Unknown => ("?", "33"),
        Icon::Undone => ("↩", "2"),
    };
    let indent = if line.inner { "  " } else { "" };
    let took = line.took.filter(|took| took.as_millis() >= 100).map(|took| format!("  {}", words::duration(took)));
    let detail =
        if line.detail.is_empty() { String::new() } else { format!(" — {}", harmless(&cut(&line.detail, 1000))) };
    let text = format!("{indent}{sign} {}{}{detail}", harmless(&cut(&line.name, 200)), took.unwrap_or_default());
    let mut lines = vec![paint(&cut(&text, width), hue, colour)];
    if let Some(bar) = &line.bar {
        lines.push(format!("{indent}  {}", readable(&card::bar_text(bar))));
    }
    if let Some(why) = &line.why {
        lines.extend(wrap(&harmless(&cut(why, 1000)), width - 4).into_iter().map(|part| format!("{indent}  {part}")));
    }
    lines
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

fn hue(overall: Overall) -> &'static str {
    match overall {
        Overall::Running => "1;36",
        Overall::WaitingForApproval | Overall::WaitingForAnswer | Overall::Undoing | Overall::Held => "1;33",
        Overall::Finished(outcome) if outcome.is_success() => "1;32",
        Overall::Finished(_) => "1;31",
    }
}

fn paint(text: &str, hue: &str, colour: bool) -> String {
    if colour { format!("\x1b[{hue}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_readable_and_what_is_none_stays() {
        assert_eq!(moments("<t:0:T> a <t:3600> b <t:x> <t:1"), "00:00:00 UTC a 01:00:00 UTC b <t:x> <t:1");
    }
}
