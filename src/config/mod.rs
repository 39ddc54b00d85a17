//! What the operator set: settings and secrets.

mod check;
mod environment;
pub mod load;
pub mod schema;
pub mod secrets;
pub mod settings;
