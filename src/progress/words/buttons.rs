//! Labels of buttons, and the forms that they open.

use super::super::outside::{clean, cut, seen};
use crate::run::event::Choice;

pub fn approve_label() -> String {
    "Approve".to_owned()
}

pub fn deny_label() -> String {
    "Deny".to_owned()
}

pub fn withdraw_label() -> String {
    "Take approval back".to_owned()
}

pub fn ask_again_label() -> String {
    "Ask again".to_owned()
}

pub fn plan_label() -> String {
    "Show the plan".to_owned()
}

pub fn stop_label() -> String {
    "Stop".to_owned()
}

pub fn choice_label(choice: &Choice) -> String {
    match choice {
        Choice::Retry => "Retry".to_owned(),
        Choice::Skip => "Skip with a reason".to_owned(),
        Choice::Undo => "Undo to here".to_owned(),
        Choice::Abort => "Abort".to_owned(),
        Choice::Happened => "It happened".to_owned(),
        Choice::DidNotHappen => "It did not happen".to_owned(),
        Choice::Answer(answer) => seen(clean(answer)),
    }
}

pub fn confirm_title() -> String {
    "Approve".to_owned()
}

/// Discord takes 45 characters (Components, text input label).
pub fn confirm_label(confirm: &str) -> String {
    cut(&format!("Type {} to approve", clean(confirm)), 45)
}

/// Discord takes 100 characters (Components, text input placeholder).
pub fn confirm_placeholder(confirm: &str) -> String {
    seen(cut(&clean(confirm), 100))
}

pub fn deny_title() -> String {
    "Deny".to_owned()
}

pub fn skip_title() -> String {
    "Skip this step".to_owned()
}

pub fn stop_title() -> String {
    "Stop this run".to_owned()
}

pub fn reason_label() -> String {
    "Why? It goes into the record".to_owned()
}
