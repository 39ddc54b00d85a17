//! The card as Discord takes it, within every limit, whatever is in it.
//!
//! Limits of Discord (Message, embed limits; Components): title 256, description 4096, field 256 and 1024, footer 2048,
//! 6000 together; 5 rows of 5 buttons; label 80. What does not fit is cut, the least important first: done steps lose
//! their detail before anything else goes.

use super::{
    button::ButtonId,
    incident::IncidentButton,
    outside,
    view::{Bar, Icon, Line, Overall, Press, View},
    words,
};
use crate::run::outcome::Outcome;

#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    pub title: String,
    pub description: String,
    pub colour: u32,
    pub fields: Vec<Field>,
    pub footer: String,
    pub buttons: Vec<Vec<Button>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub value: String,
    pub inline: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Button {
    pub id: String,
    pub label: String,
    pub style: Style,
    pub disabled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Primary,
    Secondary,
    Success,
    Danger,
}

/// Below Discord's 4096, so that title, fields and footer always fit into 6000 beside it.
const DESCRIPTION: usize = 3000;
const FIRST_FIELD: usize = 1000;
const FIELD: usize = 600;

pub fn of(view: &View) -> Card {
    Card {
        title: outside::cut(&outside::plain(&view.title), 200),
        description: description(view),
        colour: colour(view.overall),
        fields: fields(view),
        footer: outside::cut(&words::footer(&view.requester, &view.run.short(), view.elapsed), 200),
        buttons: buttons(view),
    }
}

/// The steps; details of good ones go first when it is too long, then names are cut, then lines.
fn description(view: &View) -> String {
    let lockdown = view.lockdown.iter().map(|text| format!("\n🔒 {text}")).collect::<String>();
    let head = format!("**{}**{lockdown}", words::headline(view.overall));
    for limit in [160, 80, 40, 0] {
        let lines: Vec<_> = view.lines.iter().map(|line| line_text(line, limit)).collect();
        let text = format!("{head}\n{}", lines.join("\n"));
        if text.chars().count() <= DESCRIPTION {
            return text;
        }
    }
    // Only names, and as many of them as there is room for.
    let mut text = head;
    for line in &view.lines {
        let indent = if line.inner { "\u{2003}" } else { "" };
        let short = format!("\n{indent}{} {}", icon(line.icon), outside::cut(&outside::plain(&line.name), 50));
        if text.chars().count() + short.chars().count() > DESCRIPTION {
            text.push_str("\n…");
            break;
        }
        text.push_str(&short);
    }
    text
}

fn line_text(line: &Line, limit: usize) -> String {
    let indent = if line.inner { "\u{2003}" } else { "" };
    let name = outside::seen(outside::cut(&outside::plain(&line.name), 100));
    let name = if matches!(line.icon, Icon::Running) { format!("**{name}**") } else { name };
    let mut text = format!("{indent}{} {name}", icon(line.icon));
    if let Some(took) = line.took.filter(|took| took.as_millis() >= 100) {
        text.push_str(&format!(" · {}", words::duration(took)));
    }
    // What went wrong is never cut away.
    let limit = if matches!(line.icon, Icon::Bad | Icon::Unknown) { limit.max(200) } else { limit };
    if !line.detail.is_empty() && limit > 0 {
        text.push_str(&format!(" — {}", outside::cut(&outside::plain(&line.detail), limit)));
    }
    if let Some(bar) = &line.bar {
        text.push_str(&format!("\n{indent}\u{2003}{}", bar_text(bar)));
    }
    if let Some(why) = &line.why {
        text.push_str(&format!("\n{indent}\u{2003}*{}*", outside::cut(&outside::plain(why), 200)));
    }
    text
}

/// `▓▓▓▓▓░░░░░ 52 % · 10.4 of 20.1 MB · about 14 s`.
pub fn bar_text(bar: &Bar) -> String {
    let total = bar.total.max(1);
    let tenths = usize::try_from(u128::from(bar.done.min(total)) * 10 / u128::from(total)).unwrap_or(0);
    let amount = match bar.unit.as_str() {
        "bytes" => format!("{} of {}", words::bytes(bar.done), words::bytes(bar.total)),
        unit => format!("{} of {} {}", bar.done, bar.total, outside::cut(&outside::plain(unit), 20)),
    };
    let left = bar.left.map(|left| format!(" · about {}", words::duration(left))).unwrap_or_default();
    format!(
        "{}{} {} % · {amount}{left}",
        "▓".repeat(tenths),
        "░".repeat(10 - tenths),
        u128::from(bar.done.min(total)) * 100 / u128::from(total)
    )
}

pub fn icon(icon: Icon) -> &'static str {
    match icon {
        Icon::Waiting => "▫️",
        Icon::Running => "🔄",
        Icon::Good => "✅",
        Icon::Bad => "❌",
        Icon::PassedOver => "⚠️",
        Icon::Skipped => "⏭️",
        Icon::Unknown => "❔",
        Icon::Undone => "↩️",
    }
}

fn colour(overall: Overall) -> u32 {
    match overall {
        Overall::Running => 0x3498db,
        Overall::WaitingForApproval | Overall::WaitingForAnswer | Overall::Held => 0xf1c40f,
        Overall::Undoing => 0xe67e22,
        Overall::Finished(Outcome::Succeeded) => 0x2ecc71,
        Overall::Finished(Outcome::SucceededWithSkips) => 0xf1c40f,
        Overall::Finished(Outcome::Aborted | Outcome::Refused | Outcome::RolledBack) => 0x95a5a6,
        Overall::Finished(Outcome::Failed | Outcome::Stuck) => 0xe74c3c,
    }
}

fn fields(view: &View) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut add = |name: &str, value: String, inline: bool| {
        if !value.is_empty() {
            // What to do now is the last that may be cut.
            let limit = if fields.is_empty() { FIRST_FIELD } else { FIELD };
            fields.push(Field { name: name.to_owned(), value: outside::seen(outside::cut(&value, limit)), inline });
        }
    };
    if !view.ending.is_empty() {
        add("What happened, and what now", view.ending.join("\n"), false);
    }
    if let Some((question, _)) = &view.question {
        add("Decide", outside::plain(question), false);
    }
    if let Some(approval) = words::approval(&view.approval) {
        add("Approval", approval, false);
    }
    if let Some(clock) = &view.clock {
        add("RTO", words::rto(clock), true);
    }
    if let Some(called) = &view.called {
        add("Called", called.clone(), true);
    }
    fields
}

fn buttons(view: &View) -> Vec<Vec<Button>> {
    let buttons: Vec<_> = view.buttons.iter().map(|press| button(view, press)).take(25).collect();
    buttons.chunks(5).map(<[Button]>::to_vec).collect()
}

fn button(view: &View, press: &Press) -> Button {
    let run = view.run;
    let (id, label, style) = match press {
        Press::Approve { token } => {
            (ButtonId::Approve { run, token: token.clone() }, words::approve_label(), Style::Success)
        }
        Press::Deny { token } => (ButtonId::Deny { run, token: token.clone() }, words::deny_label(), Style::Danger),
        Press::Withdraw { token } => {
            (ButtonId::Withdraw { run, token: token.clone() }, words::withdraw_label(), Style::Secondary)
        }
        Press::AskAgain => {
            (ButtonId::AskAgain { run, token: "lapsed".to_owned() }, words::ask_again_label(), Style::Primary)
        }
        Press::BreakGlass { token } => {
            (ButtonId::BreakGlass { run, token: token.clone() }, words::break_glass_label(), Style::Danger)
        }
        Press::Answer { token, index, choice } => (
            ButtonId::Answer { run, token: token.clone(), index: *index },
            words::choice_label(choice),
            match choice {
                crate::run::event::Choice::Retry => Style::Primary,
                crate::run::event::Choice::Abort => Style::Danger,
                _ => Style::Secondary,
            },
        ),
        Press::Plan => (ButtonId::Plan { run }, words::plan_label(), Style::Secondary),
        Press::Stop => (ButtonId::Stop { run }, words::stop_label(), Style::Danger),
        Press::OpenIncident => {
            let id = IncidentButton::OpenFor { run }.to_string();
            let label = outside::cut(&words::open_incident_label(), 80);
            return Button { id, label, style: Style::Secondary, disabled: false };
        }
        Press::Offer { command, fits } => {
            let style = if *fits { Style::Primary } else { Style::Secondary };
            (ButtonId::Offer { run, command: command.clone() }, format!("/{command}"), style)
        }
    };
    Button { id: id.to_string(), label: outside::cut(&label, 80), style, disabled: false }
}
