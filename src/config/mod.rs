//! What the operator set: settings and secrets.

pub mod secrets;
pub mod settings;
