//! An incident: one disaster, its clock, and whoever is told in time. Pure: no I/O, no clock of its own, no randomness.
//!
//! A run recovers something; an incident is why. Like a run it is a fold over events ([`event::Event`], [`state::State`]),
//! and [`next::next`] decides what is due. What must stay true: an acknowledgement stops the ladder that asks whether
//! anybody has it, never the one that asks whether recovery makes its deadline; that one is stopped by verified recovery,
//! by closing, or by a new deadline that somebody answers for. The four times of an incident are never blended.

pub mod event;
pub mod ladder;
pub mod next;
pub mod outlook;
pub mod state;
pub mod times;

#[cfg(test)]
mod tests;
