//! What the operator set: settings and secrets.

pub mod load;
pub mod secrets;
pub mod settings;
