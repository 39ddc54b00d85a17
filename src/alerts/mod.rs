//! What monitoring says: the bodies that are posted to drbot, as alerts of one shape.
//!
//! Pure. A body is untrusted, whoever signed it: an alert carries names and texts of the system that is ill. What must
//! stay true: whatever a body holds, an [`Alert`] is small (its texts are cut), holds no control characters, names no
//! scenario or target that the settings do not know, and is the same alert each time that it is sent
//! ([`alert::Alert::key`]). Nothing here panics on any body.

pub mod alert;
pub mod alertmanager;
pub mod generic;
pub mod receiver;
pub mod rules;

/// Why a body is not taken. For who set the sender up: it says where and what.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    fn json(error: &serde_json::Error) -> Self {
        let what = if error.is_eof() { "the JSON is cut off" } else { "the body does not fit" };
        // Parts of the body are in it.
        Self(alert::line(&format!("{what}: {error}"), LONGEST_COMPLAINT))
    }

    fn at(index: usize, what: impl std::fmt::Display) -> Self {
        Self(alert::line(&format!("alerts[{index}]: {what}"), LONGEST_COMPLAINT))
    }
}

/// Characters.
const LONGEST_COMPLAINT: usize = 300;

#[cfg(test)]
mod tests;
