//! Whether a command is as harmless as it says it is.
//!
//! `risk` decides what holds a command up. What is `safe` is never throttled, takes no lock, is not held against the target's
//! recorded servers, and begins in a lockdown. So it may do no more than brake; what can do more is refused here, and not left
//! to whoever writes the word.

use super::Checker;
use crate::runbook::{
    action::{Action, Docker, Method, Postgres},
    definition::{Effect, Risk, Step},
    document::Place,
};

impl Checker<'_> {
    pub(super) fn check_risk(&mut self) {
        let command = self.command;
        if self.document.is_repaired(&Place::root().key("risk")) {
            // Nobody knows which was meant.
            return;
        }
        if command.risk == Risk::Destructive && command.approval.is_none() && !command.steps.is_empty() {
            let help = "add [approval], or lower the risk";
            self.problem_at_key(&Place::root().key("approval"), "a destructive command waits for an approval", help);
        }
        for (index, step) in command.steps.iter().enumerate() {
            let place = Place::root().key("steps").index(index);
            match command.risk {
                Risk::Read => self.check_read_step(&place, step),
                Risk::Safe => self.check_safe_step(&place, step),
                Risk::Risky | Risk::Destructive => {}
            }
        }
    }

    fn check_read_step(&mut self, place: &Place, step: &Step) {
        // What is called has a risk of its own, which is compared at the call.
        if !matches!(step.action, Action::Call(_)) && step.effect() != Effect::Read {
            let message = format!("a command of risk `read` only reads; the step `{}` does more", step.id);
            self.problem_at_key(&place.key("action"), message, "raise the risk");
        }
    }

    fn check_safe_step(&mut self, place: &Place, step: &Step) {
        for (key, given) in [("undo", step.undo.is_some()), ("point_of_no_return", step.point_of_no_return)] {
            if given {
                let message = format!("a command of risk `safe` only brakes; a brake has no `{key}`");
                self.problem_at_key(&place.key(key), message, "raise the risk");
            }
        }
        if matches!(step.action, Action::Call(_)) || step.effect() == Effect::Read {
            return;
        }
        if !only_brakes(&step.action) {
            let message = format!("a command of risk `safe` only brakes; the step `{}` may do more", step.id);
            let help =
                "raise the risk; or stop a container, cut it off a network, refuse writes, or ask the target's own API";
            self.problem_at_key(&place.key("action"), message, help);
        } else if step.effect() == Effect::Once {
            let message = format!(
                "a command of risk `safe` can be given at any moment, and again; the step `{}` cannot",
                step.id
            );
            let help = "say `effect = \"idempotent\"` if doing it twice is as good as once, or raise the risk";
            self.problem_at_key(&place.key("action"), message, help);
        }
    }
}

/// Whether an action can only stop something, and nothing is gone afterwards. What a request does, whoever writes the file
/// vouches for.
fn only_brakes(action: &Action) -> bool {
    match action {
        Action::Http(http) => http.method() != Method::Delete,
        Action::Docker(docker) => matches!(docker, Docker::Stop { .. } | Docker::Disconnect { .. }),
        Action::Postgres(postgres) => matches!(postgres, Postgres::Writes { allow: false, .. }),
        _ => false,
    }
}
