//! What drbot says about itself: logs for people, figures for Prometheus.

mod figures;
mod log;

pub use figures::Figures;
pub use log::{Format, start};
