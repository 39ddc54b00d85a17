//! The heart: what a run is, as events, and what comes next. Pure: no I/O, no clock of its own, no randomness.
//!
//! [`event::Event`] is the only thing ever written about a run. [`state::State`] is a fold over events with one `match`
//! of legal transitions. [`next::next`] decides what to do. Live execution, recovery after a crash, the card, the
//! timeline all fold the same events, so they cannot disagree.

pub mod context;
pub mod delivery;
pub mod diagnosis;
pub mod event;
pub mod glass;
pub mod history;
pub mod lockdown;
pub mod next;
pub mod notice;
pub mod outcome;
pub mod plan;
pub mod preview;
pub mod rungs;
pub mod state;

#[cfg(test)]
mod tests;
