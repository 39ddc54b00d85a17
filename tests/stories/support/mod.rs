//! What stories of the engine need: a clock in the hand, a world that does as it is told, and short words.

pub mod clock;
pub mod commands;
pub mod house;
pub mod scripted;
