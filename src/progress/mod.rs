//! From a run's state to what people see. Pure: every surface (Discord, the terminal) shows the same view, and every
//! sentence is in [`words`].

pub mod button;
pub mod card;
pub mod contact;
pub mod incident;
pub mod outside;
pub mod paper;
pub mod picture;
pub mod plan;
pub mod postmortem;
pub mod text;
pub mod view;
pub mod words;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
