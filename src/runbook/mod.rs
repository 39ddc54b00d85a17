//! What a command file says. Pure, but for `load`, which reads the files.

pub mod action;
pub mod decode;
pub mod definition;
pub mod document;
pub mod filters;
mod later;
pub mod prepare;
pub mod problem;
pub mod span;
pub mod suggest;
pub mod template;
