//! What the operator set: settings and secrets.

pub mod alerts;
mod check;
mod environment;
pub mod load;
mod masking;
pub mod paging;
pub mod schema;
pub mod secrets;
pub mod settings;
