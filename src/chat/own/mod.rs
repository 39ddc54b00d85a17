//! drbot's own slash commands: those that no file describes. One table, read by registration, completion and whoever
//! carries a command out, so that a new one is a line here and a module beside.

mod abort;
pub(super) mod contacts;
mod incident;
mod lockdown;
mod postmortem;
mod undo;

use futures::future::BoxFuture;
use serenity::all::CommandInteraction;

use super::Desk;
use crate::{access::Caller, engine::Engine, runbook::definition::ValueType};

/// A command of drbot's own. Its name stands in [`crate::config::load::OWN_COMMANDS`] too, so that no file takes it.
pub(super) struct Own {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) options: &'static [OwnOption],
    /// Instead of options: what it does is named first, and each has options of its own.
    pub(super) subcommands: &'static [Sub],
    pub(super) give: for<'a> fn(&'a Desk, CommandInteraction) -> BoxFuture<'a, ()>,
}

impl Own {
    /// Those of a subcommand, where one is named.
    pub(super) fn options_of(&self, sub: Option<&str>) -> &'static [OwnOption] {
        match sub {
            Some(name) => self.subcommands.iter().find(|sub| sub.name == name).map_or(&[], |sub| sub.options),
            None => self.options,
        }
    }
}

pub(super) struct Sub {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) options: &'static [OwnOption],
}

#[derive(Clone, Copy)]
pub(super) struct OwnOption {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: ValueType,
    pub(super) required: bool,
    pub(super) choices: Option<Choices>,
}

/// What may be typed, best first, with what is shown for it; nothing for who may not give the command.
pub(super) type Choices = for<'a> fn(&'a Engine, &'a Caller) -> BoxFuture<'a, Vec<(String, String)>>;

const OWN: [Own; 7] =
    [abort::OWN, contacts::OWN, incident::OWN, lockdown::OWN, incident::NOTE, postmortem::OWN, undo::OWN];

pub(super) fn all() -> &'static [Own] {
    &OWN
}

pub(super) fn named(name: &str) -> Option<&'static Own> {
    all().iter().find(|own| own.name == name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_file_takes_the_name_of_one() {
        let names: Vec<_> = super::all().iter().map(|own| own.name).collect();
        assert_eq!(names, crate::config::load::OWN_COMMANDS);
    }
}
