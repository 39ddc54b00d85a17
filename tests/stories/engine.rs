//! The engine at work, in a world that does as it is told.

mod approval;
mod crash;
mod escalation;
mod faults;
mod limits;
mod preview;
mod steps;
