//! An incident's post: what everybody sees of it, drawn from its state as a whole.

use super::{
    card::{Button, Card, Field, Style},
    outside,
    postmortem::loss::Verdict,
    words,
};
use crate::{
    clock::Timestamp,
    ids::{IncidentId, RunId},
    incident::{
        event::Faster,
        outlook::Forecast,
        state::{Ack, State},
        times,
    },
};

/// What a button below a post means, written into its id: at most 100 characters (Components, custom id).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncidentButton {
    Acknowledge {
        incident: IncidentId,
    },
    NotNow {
        incident: IncidentId,
    },
    Close {
        incident: IncidentId,
    },
    /// Starts the command that fits.
    Run {
        incident: IncidentId,
        command: String,
    },
    /// Below the card of a run that belongs to no incident.
    OpenFor {
        run: RunId,
    },
}

/// The form behind Close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseForm {
    pub incident: IncidentId,
}

impl IncidentButton {
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("incident|")?.split('|');
        let (kind, id) = (parts.next()?, parts.next()?);
        let incident = || id.parse().ok();
        let parsed = match kind {
            "acknowledge" => Self::Acknowledge { incident: incident()? },
            "not-now" => Self::NotNow { incident: incident()? },
            "close" => Self::Close { incident: incident()? },
            "run" => Self::Run { incident: incident()?, command: parts.next()?.to_owned() },
            "open-for" => Self::OpenFor { run: id.parse().ok()? },
            _ => return None,
        };
        parts.next().is_none().then_some(parsed)
    }
}

impl std::fmt::Display for IncidentButton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Acknowledge { incident } => write!(f, "incident|acknowledge|{incident}"),
            Self::NotNow { incident } => write!(f, "incident|not-now|{incident}"),
            Self::Close { incident } => write!(f, "incident|close|{incident}"),
            Self::Run { incident, command } => write!(f, "incident|run|{incident}|{command}"),
            Self::OpenFor { run } => write!(f, "incident|open-for|{run}"),
        }
    }
}

impl CloseForm {
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self { incident: text.strip_prefix("incident|close-form|")?.parse().ok()? })
    }
}

impl std::fmt::Display for CloseForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "incident|close-form|{}", self.incident)
    }
}

/// What is known beside the incident's own journal.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// What remains of the run that recovers.
    pub forecast: Option<Forecast>,
    /// The command for this kind of disaster, where there is one.
    pub fitting: Option<String>,
    /// What would recover sooner than what is under way.
    pub faster: Option<Faster>,
    /// The data that was lost, as the last run that could measured it.
    pub loss: Option<(String, Verdict)>,
    /// A line a run: its command, and how far it is.
    pub runs: Vec<String>,
}

pub fn card(state: &State, beside: &Beside, now: Timestamp) -> Card {
    Card {
        title: outside::cut(&words::incident_title(state), 200),
        description: outside::cut(
            &format!("{}\n{}", words::incident_headline(state), words::incident_because(state)),
            1500,
        ),
        colour: colour(state, now),
        fields: fields(state, beside, now),
        footer: outside::cut(&words::incident_footer(state, now), 200),
        buttons: buttons(state, beside),
    }
}

fn colour(state: &State, now: Timestamp) -> u32 {
    let is_late = !times::clock(state, now).over().is_zero();
    match (&state.closed, &state.recovered) {
        (Some(_), None) => 0x95a5a6,
        (_, Some(_)) => 0x2ecc71,
        (None, None) if is_late => 0xe74c3c,
        (None, None) => 0xe67e22,
    }
}

fn fields(state: &State, beside: &Beside, now: Timestamp) -> Vec<Field> {
    let clock = times::clock(state, now);
    let mut fields = Vec::new();
    let mut add = |name: &str, value: String, inline: bool| {
        if !value.is_empty() {
            fields.push(Field { name: name.to_owned(), value: outside::seen(outside::cut(&value, 900)), inline });
        }
    };
    add("RTO", words::incident_clock(state, &clock), false);
    if !state.is_over() {
        let forecast = beside.forecast.as_ref().and_then(|forecast| words::forecast(forecast, Some(clock.left())));
        add("Still needed", forecast.unwrap_or_default(), false);
        add("Faster path", beside.faster.as_ref().map(words::faster_path).unwrap_or_default(), false);
        add("Acknowledged", words::incident_holder(state), true);
    }
    if !state.is_drill() {
        add("RPO", words::incident_rpo(state, beside.loss.as_ref()), false);
    }
    add("Evidence", words::incident_alerts(state).unwrap_or_default(), false);
    add("Runs", beside.runs.join("\n"), false);
    add("Times", words::incident_times(state), false);
    fields
}

fn buttons(state: &State, beside: &Beside) -> Vec<Vec<Button>> {
    if state.closed.is_some() {
        return Vec::new();
    }
    let incident = state.id;
    let button = |id: IncidentButton, label: String, style: Style| Button {
        id: id.to_string(),
        label: outside::cut(&label, 80),
        style,
        disabled: false,
    };
    let mut buttons = Vec::new();
    if state.recovered.is_none() {
        match &state.ack {
            Ack::Open { .. } | Ack::Exhausted => {
                buttons.push(button(
                    IncidentButton::Acknowledge { incident },
                    words::acknowledge_label(),
                    Style::Success,
                ));
                buttons.push(button(IncidentButton::NotNow { incident }, words::not_now_label(), Style::Secondary));
            }
            Ack::Held { .. } | Ack::Asked { .. } => {
                buttons.push(button(
                    IncidentButton::Acknowledge { incident },
                    words::still_on_it_label(),
                    Style::Secondary,
                ));
            }
        }
        if let Some(command) = &beside.fitting {
            let id = IncidentButton::Run { incident, command: command.clone() };
            buttons.push(button(id, format!("/{command}"), Style::Primary));
        }
    }
    let style = if state.recovered.is_some() { Style::Success } else { Style::Secondary };
    buttons.push(button(IncidentButton::Close { incident }, words::close_label(), style));
    vec![buttons]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_button_means_survives_its_id() {
        let incident = IncidentId::generate();
        for button in [
            IncidentButton::Acknowledge { incident },
            IncidentButton::NotNow { incident },
            IncidentButton::Close { incident },
            IncidentButton::Run { incident, command: "restore-db".to_owned() },
            IncidentButton::OpenFor { run: RunId::generate() },
        ] {
            let text = button.to_string();
            assert!(text.len() <= 100);
            assert_eq!(IncidentButton::parse(&text), Some(button));
        }
        let form = CloseForm { incident };
        assert_eq!(CloseForm::parse(&form.to_string()), Some(form));
        for bad in [
            "",
            "incident|",
            "incident|close",
            "incident|close|x",
            &format!("incident|close|{incident}|more"),
            "drbot|stop|x",
        ] {
            assert_eq!(IncidentButton::parse(bad), None, "{bad}");
        }
    }
}
