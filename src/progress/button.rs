//! What a button or a form means, written into its id: at most 100 characters (Components, custom id), read back
//! strictly. Whoever presses an old one is told so: its token is of another question.

use std::fmt;

use crate::ids::RunId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ButtonId {
    Approve {
        run: RunId,
        token: String,
    },
    Deny {
        run: RunId,
        token: String,
    },
    Withdraw {
        run: RunId,
        token: String,
    },
    AskAgain {
        run: RunId,
        token: String,
    },
    BreakGlass {
        run: RunId,
        token: String,
    },
    /// Somebody has looked at a broken glass.
    Review {
        run: RunId,
    },
    /// `index` into the question's choices.
    Answer {
        run: RunId,
        token: String,
        index: usize,
    },
    Stop {
        run: RunId,
    },
    /// Starts a command that is offered at the end of a run.
    Offer {
        run: RunId,
        command: String,
    },
    Plan {
        run: RunId,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModalId {
    ConfirmApproval { run: RunId, token: String },
    DenyReason { run: RunId, token: String },
    SkipReason { run: RunId, token: String, index: usize },
    StopReason { run: RunId },
    BreakGlass { run: RunId, token: String },
    Review { run: RunId },
}

impl ButtonId {
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = Parts::new(text)?;
        let kind = parts.next()?;
        let run = parts.run()?;
        let parsed = match kind {
            "approve" => Self::Approve { run, token: parts.owned()? },
            "deny" => Self::Deny { run, token: parts.owned()? },
            "withdraw" => Self::Withdraw { run, token: parts.owned()? },
            "again" => Self::AskAgain { run, token: parts.owned()? },
            "break-glass" => Self::BreakGlass { run, token: parts.owned()? },
            "review" => Self::Review { run },
            "answer" => Self::Answer { run, token: parts.owned()?, index: parts.next()?.parse().ok()? },
            "stop" => Self::Stop { run },
            "offer" => Self::Offer { run, command: parts.owned()? },
            "plan" => Self::Plan { run },
            _ => return None,
        };
        parts.end().then_some(parsed)
    }
}

impl fmt::Display for ButtonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approve { run, token } => write!(f, "drbot|approve|{run}|{token}"),
            Self::Deny { run, token } => write!(f, "drbot|deny|{run}|{token}"),
            Self::Withdraw { run, token } => write!(f, "drbot|withdraw|{run}|{token}"),
            Self::AskAgain { run, token } => write!(f, "drbot|again|{run}|{token}"),
            Self::BreakGlass { run, token } => write!(f, "drbot|break-glass|{run}|{token}"),
            Self::Review { run } => write!(f, "drbot|review|{run}"),
            Self::Answer { run, token, index } => write!(f, "drbot|answer|{run}|{token}|{index}"),
            Self::Stop { run } => write!(f, "drbot|stop|{run}"),
            Self::Offer { run, command } => write!(f, "drbot|offer|{run}|{command}"),
            Self::Plan { run } => write!(f, "drbot|plan|{run}"),
        }
    }
}

impl ModalId {
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = Parts::new(text)?;
        let kind = parts.next()?;
        let run = parts.run()?;
        let parsed = match kind {
            "confirm-approval" => Self::ConfirmApproval { run, token: parts.owned()? },
            "deny-reason" => Self::DenyReason { run, token: parts.owned()? },
            "skip-reason" => Self::SkipReason { run, token: parts.owned()?, index: parts.next()?.parse().ok()? },
            "stop-reason" => Self::StopReason { run },
            "break-glass" => Self::BreakGlass { run, token: parts.owned()? },
            "review" => Self::Review { run },
            _ => return None,
        };
        parts.end().then_some(parsed)
    }
}

impl fmt::Display for ModalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfirmApproval { run, token } => write!(f, "drbot|confirm-approval|{run}|{token}"),
            Self::DenyReason { run, token } => write!(f, "drbot|deny-reason|{run}|{token}"),
            Self::SkipReason { run, token, index } => write!(f, "drbot|skip-reason|{run}|{token}|{index}"),
            Self::StopReason { run } => write!(f, "drbot|stop-reason|{run}"),
            Self::BreakGlass { run, token } => write!(f, "drbot|break-glass|{run}|{token}"),
            Self::Review { run } => write!(f, "drbot|review|{run}"),
        }
    }
}

struct Parts<'a>(std::str::Split<'a, char>);

impl<'a> Parts<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let mut parts = text.split('|');
        (parts.next()? == "drbot").then_some(Self(parts))
    }

    fn next(&mut self) -> Option<&'a str> {
        self.0.next().filter(|part| !part.is_empty())
    }

    fn owned(&mut self) -> Option<String> {
        self.next().map(str::to_owned)
    }

    fn run(&mut self) -> Option<RunId> {
        self.next()?.parse().ok()
    }

    fn end(&mut self) -> bool {
        self.0.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_and_read_back() {
        let run = RunId::generate();
        let token = crate::ids::random_token();
        let buttons = [
            ButtonId::Approve { run, token: token.clone() },
            ButtonId::Deny { run, token: token.clone() },
            ButtonId::Withdraw { run, token: token.clone() },
            ButtonId::AskAgain { run, token: token.clone() },
            ButtonId::BreakGlass { run, token: token.clone() },
            ButtonId::Review { run },
            ButtonId::Answer { run, token: token.clone(), index: 24 },
            ButtonId::Stop { run },
            ButtonId::Offer { run, command: "a".repeat(32) },
            ButtonId::Plan { run },
        ];
        for button in buttons {
            let text = button.to_string();
            assert!(text.len() <= 100, "{text}");
            assert_eq!(ButtonId::parse(&text), Some(button));
        }
        let modals = [
            ModalId::ConfirmApproval { run, token: token.clone() },
            ModalId::DenyReason { run, token: token.clone() },
            ModalId::SkipReason { run, token: token.clone(), index: 3 },
            ModalId::StopReason { run },
            ModalId::BreakGlass { run, token },
            ModalId::Review { run },
        ];
        for modal in modals {
            let text = modal.to_string();
            assert!(text.len() <= 100, "{text}");
            assert_eq!(ModalId::parse(&text), Some(modal));
        }
    }

    #[test]
    fn what_is_not_ours_is_not_read() {
        for text in ["", "drbot", "drbot|approve|x|y", "drbot|stop|", "other|stop|x", "drbot|plan|x|more"] {
            assert_eq!(ButtonId::parse(text), None, "{text}");
        }
    }
}
