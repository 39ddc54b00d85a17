//! What a command file says. Pure, but for `load`, which reads the files.

pub mod action;
pub mod definition;
pub mod problem;
pub mod span;
pub mod template;
