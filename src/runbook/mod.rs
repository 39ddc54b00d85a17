//! What a command file says. Pure, but for `load`, which reads the files.

pub mod action;
pub mod context;
pub mod decode;
pub mod definition;
pub mod document;
pub mod expand;
pub mod filters;
#[cfg(test)]
pub(crate) mod hostile;
mod known;
mod later;
pub mod load;
pub mod place;
pub mod plan;
pub mod prepare;
pub mod problem;
pub mod schema;
pub mod series;
pub mod span;
pub mod suggest;
pub mod template;
pub mod validate;

/// Whether a text can be the name of a secret: as environment variables are written. Anything else in its place may be
/// a secret that was put there by mistake, and must not be shown.
pub fn is_secret_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|other| other.is_ascii_uppercase() || other.is_ascii_digit() || other == '_')
}
