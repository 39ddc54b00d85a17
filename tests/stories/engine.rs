//! The engine at work, in a world that does as it is told.

mod approval;
mod crash;
mod escalation;
mod faults;
mod glass;
mod identity;
mod incidents;
mod limits;
mod lockdown;
mod preview;
mod steps;
mod undo;
