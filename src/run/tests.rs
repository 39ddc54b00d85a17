//! What may follow what, and what comes next.

mod build;
mod decisions;
mod lockdowns;
mod properties;
mod transitions;
