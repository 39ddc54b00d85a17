//! What a command says as a whole: what Discord takes, who may start it, who must approve it.

use super::Checker;
use crate::runbook::{
    action::{Action, Compose, Postgres},
    definition::{Approval, Command, Fit, OptionSpec, Risk, ValueType},
    document::Place,
    known::{self, Known},
};

/// Discord: Application Commands, "Application Command Structure" and "Application Command Limits".
const LONGEST_NAME: usize = 32;
const LONGEST_TEXT: usize = 100;
const MOST_OPTIONS: usize = 25;
const MOST_CHOICES: usize = 25;
const LONGEST_COMMAND: usize = 8000;

/// Buttons in a row.
const MOST_OFFERS: usize = 5;

/// Names that templates use as they stand: `options.backup`, `steps.verify`.
pub(super) fn is_plain_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_lowercase())
        && characters.all(|other| other.is_ascii_lowercase() || other.is_ascii_digit() || other == '_')
        && name.len() <= LONGEST_NAME
}

impl Checker<'_> {
    pub(super) fn check_command(&mut self) {
        let command = self.command;
        let root = Place::root();
        let name = &command.name;
        let good =
            |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || "-_".contains(character);
        if name.chars().all(good) && name.len() > LONGEST_NAME {
            let message = format!("/{name} has {} characters; Discord takes {LONGEST_NAME}", name.len());
            self.problem(&root, message, "rename the file");
        } else if name.is_empty() || !name.chars().all(good) {
            let help = "rename the file: 1 to 32 of a-z, 0-9, `-` and `_`";
            self.problem(&root, format!("`{name}` cannot be the name of a command"), help);
        }
        self.check_length(&root.key("summary"), "summary", &command.summary);
        if command.roles.is_empty() {
            self.warning(
                &root,
                format!("nobody may start /{name}"),
                "name roles of drbot.toml: `roles = [\"operator\"]`",
            );
        }
        for (index, role) in command.roles.iter().enumerate() {
            self.check_role(&root.key("roles").index(index), role);
        }
        if let Some(settings) = self.world.settings {
            if let Some(scenario) = &command.scenario {
                self.check_scenario(&root.key("scenario"), scenario);
            }
            if let Some(target) = &command.target {
                self.check_name(&root.key("target"), "target", target, settings.target.keys().map(String::as_str));
            }
        }
        self.check_options();
        if let Some(lock) = &command.lock {
            let known = self.known();
            self.check_template(&root.key("lock"), lock, &known);
        }
        self.check_risk();
        self.check_undoes();
        self.check_approval();
        self.check_end();
    }

    /// Taking back is done as the run was: on the same target, and with somebody else's yes where that needed one.
    fn check_undoes(&mut self) {
        let command = self.command;
        let Some(undoes) = &command.undoes else { return };
        let place = Place::root().key("undoes");
        self.check_command_name(&place, undoes);
        let Some(undone) = self.world.commands.get(undoes) else { return };
        let shown = format!("/{undoes}");
        if undone.undoes.is_some() {
            self.problem(&place, format!("{shown} takes something back itself"), "name the command that did it");
        }
        let first = self.world.commands.values().find(|other| other.undoes.as_ref() == Some(undoes));
        if let Some(first) = first.filter(|first| first.name != command.name) {
            let message = format!("{}.toml takes {shown} back already", first.name);
            self.problem(&place, message, "one command is taken back by one file");
        }
        if undone.target != command.target {
            let help = match &undone.target {
                Some(target) => format!("`target = \"{target}\"`, as {shown}"),
                None => format!("leave `target` out, as {shown}"),
            };
            self.problem(&place, format!("{shown} has another target"), help);
        }
        if undone.approval.is_some() && command.approval.is_none() {
            let help = "give it an [approval] too";
            self.problem(&place, format!("{shown} waits for an approval, and taking it back would not"), help);
        }
        if !command.options.is_empty() {
            let help = "what was typed for the run is `undone.options`";
            self.problem_at_key(&Place::root().key("options"), "whoever takes something back types only the run", help);
        }
    }

    fn check_scenario(&mut self, place: &Place, scenario: &str) {
        if let Some(settings) = self.world.settings {
            self.check_name(place, "scenario", scenario, settings.scenario.keys().map(String::as_str));
        }
    }

    fn check_length(&mut self, place: &Place, what: &str, text: &str) {
        let length = text.chars().count();
        if length == 0 || length > LONGEST_TEXT {
            let message = format!("a {what} has 1 to {LONGEST_TEXT} characters for Discord; this one has {length}");
            self.problem(place, message, "");
        }
    }

    fn check_options(&mut self) {
        let command = self.command;
        let place = Place::root().key("options");
        if command.options.len() > MOST_OPTIONS {
            let message = format!("Discord takes {MOST_OPTIONS} options; these are {}", command.options.len());
            self.problem_at_key(&place, message, "");
        }
        for (name, option) in &command.options {
            let place = place.key(name);
            if !is_plain_name(name) {
                let message = match name.chars().count() {
                    0..=LONGEST_NAME => format!("`{name}` cannot be the name of an option"),
                    long => format!("the option's name has {long} characters; Discord takes {LONGEST_NAME}"),
                };
                self.problem_at_key(&place, message, "1 to 32 of a-z, 0-9 and `_`, beginning with a letter");
            }
            self.check_length(&place.key("help"), "help text", &option.help);
            self.check_option(&place, option);
        }
        let texts = command.options.iter().map(|(name, option)| {
            name.len()
                + option.help.chars().count()
                + option.choices.iter().map(|choice| 2 * choice.len()).sum::<usize>()
        });
        let together = command.name.len() + command.summary.chars().count() + texts.sum::<usize>();
        if together > LONGEST_COMMAND {
            let message = format!(
                "all texts of a command have at most {LONGEST_COMMAND} characters for Discord; these have {together}"
            );
            self.problem(&Place::root(), message, "shorten the choices or help texts");
        }
    }

    fn check_option(&mut self, place: &Place, option: &OptionSpec) {
        if matches!(option.kind, ValueType::List | ValueType::Object | ValueType::Any) {
            let help = "one of: string, integer, number, boolean, duration, timestamp";
            self.problem(&place.key("type"), "nobody can type such a value into a chat", help);
        }
        if option.choices.len() > MOST_CHOICES {
            let message = format!("Discord takes {MOST_CHOICES} choices; these are {}", option.choices.len());
            self.problem(&place.key("choices"), message, "use `choices_from`, or leave them out");
        }
        for (index, choice) in option.choices.iter().enumerate() {
            self.check_length(&place.key("choices").index(index), "choice", choice);
        }
        if option.choices_from.is_some() && !option.choices.is_empty() {
            self.problem(
                &place.key("choices_from"),
                "choices are either listed or looked up",
                "leave one of the two out",
            );
        }
        let Some(default) = &option.default else { return };
        let place = place.key("default");
        if option.required {
            self.problem(&place, "a required option needs no default", "leave out `required` or `default`");
        }
        if !option.choices.is_empty() && !option.choices.contains(default) {
            self.problem(&place, format!("the default `{default}` is not among the choices"), "");
        }
        if let Some(wanted) = mismatch(option.kind, default) {
            self.problem(&place, format!("the default `{default}` is not {wanted}"), "");
        }
    }

    fn check_approval(&mut self) {
        let command = self.command;
        let Some(approval) = &command.approval else { return };
        let place = Place::root().key("approval");
        let position = |id: &str| command.steps.iter().position(|step| step.id == id);
        let ids: Vec<&str> = command.steps.iter().map(|step| step.id.as_str()).collect();
        self.check_name(&place.key("before"), "step", &approval.before, ids.iter().copied());
        if let Some(after) = &approval.after {
            self.check_name(&place.key("after"), "step", after, ids.iter().copied());
            if let (Some(after), Some(before)) = (position(after), position(&approval.before))
                && after >= before
            {
                let help = "`after` is where it is asked for, `before` the step that waits for it";
                self.problem(&place.key("after"), "the approval is asked for after the step that waits for it", help);
            }
        }
        self.check_gate(&place.key("before"), position(&approval.before));
        if approval.roles.is_empty() {
            self.problem(&place.key("roles"), "nobody could approve this", "name roles of drbot.toml");
        }
        for (index, role) in approval.roles.iter().enumerate() {
            self.check_role(&place.key("roles").index(index), role);
        }
        if approval.quorum == 0 {
            self.problem(&place.key("quorum"), "an approval by nobody is none", "at least 1");
        }
        if approval.expires.0.is_zero() {
            self.problem(&place.key("expires"), "the approval would expire at once", "");
        }
        if approval.unless.is_some() && command.risk == Risk::Destructive {
            let help = "leave `unless` out: a destructive command always waits for a yes";
            self.problem_at_key(&place.key("unless"), "nothing proves that something may be destroyed", help);
        }
        if approval.because.is_some() && approval.unless.is_none() {
            self.problem_at_key(&place.key("because"), "because of what? there is no `unless`", "");
        }
        self.check_approval_texts(&place, approval);
    }

    /// What cannot be taken back waits for the approval, or the approval comes too late.
    fn check_gate(&mut self, place: &Place, gate: Option<usize>) {
        let steps = self.command.steps.iter().take(gate.unwrap_or_default());
        let mut too_early =
            steps.filter(|step| step.point_of_no_return || is_for_good(&step.action)).map(|step| &step.id);
        let Some(step) = too_early.next() else { return };
        let message =
            format!("the approval comes too late: the step `{step}` cannot be taken back, and is done before it");
        self.problem(place, message, format!("`before = \"{step}\"`, or an earlier step"));
    }

    /// The approver's texts are made when the approval is asked for: from what is known by then.
    fn check_approval_texts(&mut self, place: &Place, approval: &Approval) {
        let position = |id: &str| self.command.steps.iter().position(|step| step.id == id);
        let done = match &approval.after {
            Some(after) => position(after).map(|at| at + 1),
            None => position(&approval.before),
        };
        let Some(done) = done else { return };
        let known = self.known().with("steps", self.known_steps(done));
        if let Some(confirm) = &approval.confirm {
            self.check_template(&place.key("confirm"), confirm, &known);
        }
        if let Some(cost) = &approval.cost {
            self.check_template(&place.key("cost"), cost, &known);
        }
        if let Some(unless) = &approval.unless {
            self.check_expression(&place.key("unless"), unless, &known);
        }
        if let Some(because) = &approval.because {
            self.check_template(&place.key("because"), because, &known);
        }
    }

    fn check_end(&mut self) {
        let root = Place::root();
        if let Some(recovered) = &self.command.recovered {
            let known = self.known().with("steps", self.known_steps(self.command.steps.len()));
            self.check_expression(&root.key("recovered").key("when"), &recovered.when, &known);
        }
        let Some(next) = &self.command.next else { return };
        let place = root.key("next").key("offer");
        if next.offer.len() > MOST_OFFERS {
            self.problem(&place, format!("at most {MOST_OFFERS} commands can be offered"), "");
        }
        for (index, name) in next.offer.iter().enumerate() {
            self.check_command_name(&place.index(index), name);
            if next.offer[..index].contains(name) {
                self.problem(&place.index(index), format!("`{name}` is offered twice"), "one button is enough");
            }
        }
        self.check_fits(&root.key("next").key("fits"), &next.fits);
    }

    fn check_fits(&mut self, place: &Place, fits: &[Fit]) {
        let known = self.known().with("steps", self.known_steps(self.command.steps.len()));
        for (index, fit) in fits.iter().enumerate() {
            let place = place.index(index);
            self.check_scenario(&place.key("scenario"), &fit.scenario);
            self.check_command_name(&place.key("command"), &fit.command);
            self.check_expression(&place.key("when"), &fit.when, &known);
            self.check_template(&place.key("because"), &fit.because, &known);
        }
    }

    /// What the first `count` steps leave for those after them.
    pub(super) fn known_steps(&self, count: usize) -> Known {
        self.steps_of(self.command, count, 0)
    }

    fn steps_of(&self, command: &Command, count: usize, depth: usize) -> Known {
        let mut known = Known::none();
        let own = std::ptr::eq(command, self.command);
        for (index, step) in command.steps.iter().enumerate().take(count) {
            let place = Place::root().key("steps").index(index);
            let doubtful =
                own && (self.document.is_repaired(&place) || self.document.is_repaired(&place.key("outputs")));
            let inner = match &step.action {
                _ if doubtful => Known::Open,
                // Cycles are a problem of their own.
                Action::Call(name) if depth < 8 => match self.world.commands.get(name) {
                    Some(called) => self.steps_of(called, called.steps.len(), depth + 1),
                    None => Known::Open,
                },
                Action::Call(_) => Known::Open,
                _ => known::of_step(step),
            };
            known.insert(&step.id, inner);
        }
        known
    }
}

/// Whether an action touches what is live, and no undo brings it back.
fn is_for_good(action: &Action) -> bool {
    matches!(
        action,
        Action::Postgres(Postgres::Swap { .. } | Postgres::SwapBack { .. }) | Action::Compose(Compose::Down {})
    )
}

/// What a default should be and is not.
fn mismatch(kind: ValueType, default: &str) -> Option<&'static str> {
    let (fits, wanted) = match kind {
        ValueType::Integer => (default.parse::<i64>().is_ok(), "a whole number"),
        ValueType::Number => (default.parse::<f64>().is_ok_and(f64::is_finite), "a number"),
        ValueType::Boolean => (matches!(default, "true" | "false"), "true or false"),
        ValueType::Duration => (default.parse::<crate::runbook::span::Span>().is_ok(), "a length of time like \"5m\""),
        ValueType::Timestamp => {
            (chrono::DateTime::parse_from_rfc3339(default).is_ok(), "a time like 2026-01-31T12:00:00Z")
        }
        ValueType::String | ValueType::List | ValueType::Object | ValueType::Any => (true, ""),
    };
    (!fits).then_some(wanted)
}
