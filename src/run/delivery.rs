//! Which events people are told of beyond the card, and where.
//!
//! The card is drawn from the state as a whole; these are the messages that cannot be drawn again: they notify, or they
//! keep the log. The store writes a row for each in the same transaction as its event, and chat delivers the rows in
//! order, so none is lost while Discord is away.

use serde::{Deserialize, Serialize};

use super::event::Event;
use crate::runbook::action::Action;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// A message into the run's channel: somebody should look.
    Channel,
    /// A line into the run's thread.
    Thread,
}

impl Delivery {
    pub fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Thread => "thread",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Channel, Self::Thread].into_iter().find(|delivery| delivery.name() == name)
    }
}

/// Where an event is told. `action` is the rendered action of the event's step, where it has one.
pub fn of(event: &Event, action: Option<&Action>) -> &'static [Delivery] {
    match event {
        Event::StepSucceeded { .. } if matches!(action, Some(Action::Notify(_))) => &[Delivery::Channel],
        Event::ApprovalAsked(_) | Event::QuestionAsked { .. } | Event::GlassBroken(_) | Event::Paged(_) => {
            &[Delivery::Channel, Delivery::Thread]
        }
        Event::Finished { .. } => &[Delivery::Thread],
        Event::RunCreated(_) | Event::Recovered | Event::Joined { .. } => &[],
        _ => &[Delivery::Thread],
    }
}
