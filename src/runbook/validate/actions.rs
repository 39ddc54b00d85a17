//! What actions say: requests, programs, waits, questions, and every template in them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Checker, command::is_plain_name};
use crate::{
    config::settings::Target,
    runbook::{
        action::{Action, Ask, Exec, Http, Metrics, Notify, Wait},
        definition::{Effect, Step},
        document::{Place, Segment},
        is_secret_name,
        known::Known,
        series::Series,
        template,
    },
};

/// Discord: a button's label, and buttons of a message; four are the card's own (approve, deny, plan, stop).
const LONGEST_LABEL: usize = 80;
const MOST_BUTTONS: usize = 21;

impl Checker<'_> {
    pub(super) fn check_action(&mut self, place: &Place, action: &Action, known: &Known) {
        let inside = place.key(action.key());
        match action {
            Action::Http(http) => self.check_http(&inside, http),
            Action::Exec(exec) => self.check_exec(&inside, exec),
            Action::Wait(wait) => self.check_wait(&inside, wait),
            Action::Ask(ask) => self.check_ask(&inside, ask),
            Action::Notify(Notify { mention, .. }) => {
                for (index, role) in mention.iter().enumerate() {
                    self.check_role(&inside.key("mention").index(index), role);
                }
            }
            Action::Parallel(branches) => return self.check_branches(&inside, branches, known),
            Action::Postgres(_) if self.command.target.is_none() => {
                self.problem_at_key(&inside, "which database server? the command has no target", "`target = \"…\"`");
            }
            Action::Compose(_) => self.check_table(&inside, "compose", |target| target.compose.is_some()),
            Action::Versions(_) => self.check_table(&inside, "versions", |target| target.versions.is_some()),
            Action::Network(_) => self.check_table(&inside, "network", |target| target.network.is_some()),
            Action::Metrics(Metrics::Scrape { select, .. }) => self.check_select(&inside.key("scrape"), select),
            _ => {}
        }
        let json = serde_json::to_value(action).unwrap_or_default();
        self.check_texts(place, &json, known);
    }

    /// Every template in an action. Names of secrets are none.
    fn check_texts(&mut self, place: &Place, value: &Value, known: &Known) {
        match value {
            Value::String(text) => self.check_template(place, text, known),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.check_texts(&place.index(index), item, known);
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    let inside_body =
                        place.segments().iter().any(|segment| matches!(segment, Segment::Key(key) if key == "json"));
                    if inside_body || !["bearer", "secrets"].contains(&key.as_str()) {
                        self.check_texts(&place.key(key), field, known);
                    }
                }
            }
            _ => {}
        }
    }

    /// What is done with a table of the target needs that table.
    fn check_table(&mut self, place: &Place, table: &str, has: impl Fn(&Target) -> bool) {
        let Some(name) = &self.command.target else {
            return self.problem_at_key(place, "of which target? the command has none", "`target = \"…\"`");
        };
        let target = self.world.settings.and_then(|settings| settings.target.get(name));
        if target.is_some_and(|target| !has(target)) {
            let message = format!("the target `{name}` has no table `{table}`");
            self.problem_at_key(place, message, format!("[target.{name}.{table}] in drbot.toml"));
        }
    }

    fn check_http(&mut self, place: &Place, http: &Http) {
        let methods = [("get", &http.get), ("post", &http.post), ("put", &http.put), ("delete", &http.delete)];
        let given: Vec<&str> = methods.iter().filter(|(_, url)| url.is_some()).map(|(name, _)| *name).collect();
        match given.as_slice() {
            [_] => {}
            [] => self.problem(
                place,
                "a request has a method with its URL",
                "`get`, `post`, `put` or `delete` = \"https://…\"",
            ),
            [_, second, ..] => {
                let message = format!("a request has exactly one method; this one has {}", given.join(" and "));
                self.problem_at_key(&place.key(second), message, "");
            }
        }
        if http.get.is_some() && http.json.is_some() {
            self.problem_at_key(&place.key("json"), "a `get` sends no body", "`post` or `put`, or leave out `json`");
        }
        if let Some(secret) = &http.bearer {
            self.check_secret(&place.key("bearer"), secret);
        }
        let written = http.headers.keys().find(|name| name.eq_ignore_ascii_case("authorization"));
        if let Some(name) = written {
            let help = "name the secret instead: `bearer = \"EMERGENCY_TOKEN\"`";
            self.problem_at_key(&place.key("headers").key(name), "secrets do not stand in files", help);
        }
    }

    fn check_select(&mut self, place: &Place, select: &BTreeMap<String, String>) {
        for (name, series) in select {
            let place = place.key("select").key(name);
            if !is_plain_name(name) {
                let help = "1 to 32 of a-z, 0-9 and `_`, beginning with a letter";
                self.problem_at_key(&place, format!("`{name}` cannot be the name of a value"), help);
            }
            if !template::is_template(series)
                && let Err(wrong) = Series::parse(series)
            {
                self.problem(&place, format!("this names no series: {wrong}"), "like `up{job=\"trading-bot\"}`");
            }
        }
    }

    fn check_exec(&mut self, place: &Place, exec: &Exec) {
        if exec.program.trim().is_empty() {
            self.problem(&place.key("program"), "which program?", "");
        }
        for (variable, secret) in &exec.secrets {
            self.check_secret(&place.key("secrets").key(variable), secret);
        }
    }

    fn check_secret(&mut self, place: &Place, name: &str) {
        if !is_secret_name(name) {
            // The text itself may be a secret, and is not repeated.
            let help = "the name of a variable of .env, like EMERGENCY_TOKEN; never the secret itself, and no template";
            self.problem(place, "this is not the name of a secret", help);
            return;
        }
        let message = format!("the secret {name} is not set");
        let help = crate::config::load::where_to_put(name);
        let here = self.document.problem(place, message).with_help(help);
        self.findings.secrets.entry(name.to_owned()).or_insert(here);
    }

    fn check_wait(&mut self, place: &Place, wait: &Wait) {
        match (&wait.until, &wait.duration) {
            (None, None) | (Some(_), Some(_)) => {
                self.problem(
                    place,
                    "it waits either until a probe holds or for a time",
                    "`until.http = {…}` or `for = \"10s\"`",
                );
            }
            (Some(until), None) => self.check_reads(&place.key("until"), "a probe", until),
            (None, Some(_)) => {}
        }
        if wait.times == 0 {
            self.problem(&place.key("times"), "a probe that need not hold is none: at least 1", "");
        }
        let until = place.key("until");
        match wait.until.as_deref() {
            Some(Action::Http(http)) => self.check_http(&until.key("http"), http),
            Some(Action::Metrics(Metrics::Scrape { select, .. })) => {
                self.check_select(&until.key("metrics").key("scrape"), select);
            }
            _ => {}
        }
    }

    fn check_ask(&mut self, place: &Place, ask: &Ask) {
        if ask.choices.is_empty() || ask.choices.len() > MOST_BUTTONS {
            self.problem(&place.key("choices"), format!("a question has 1 to {MOST_BUTTONS} buttons"), "");
        }
        for (index, choice) in ask.choices.iter().enumerate() {
            if choice.is_empty() || choice.chars().count() > LONGEST_LABEL {
                let message = format!("a button has 1 to {LONGEST_LABEL} characters for Discord");
                self.problem(&place.key("choices").index(index), message, "");
            }
        }
    }

    pub(super) fn check_reads(&mut self, place: &Place, what: &str, action: &Action) {
        let probes = matches!(
            action,
            Action::Http(_)
                | Action::Docker(_)
                | Action::Compose(_)
                | Action::Versions(_)
                | Action::Postgres(_)
                | Action::Host(_)
                | Action::Metrics(_)
                | Action::Network(_)
                | Action::Escalation(_)
                | Action::Exec(_)
        );
        if !probes || (!action.only_reads() && !action.is_vouched_for()) {
            self.problem(
                place,
                format!("{what} only reads"),
                "http get, docker ps, inspect, logs, engine or exec, compose ps, a reading verb of versions or postgres, host, metrics, network, escalation, or exec",
            );
        }
    }

    fn check_branches(&mut self, place: &Place, branches: &[Step], known: &Known) {
        if branches.is_empty() {
            self.problem(place, "there is nothing to do at once", "");
        }
        self.check_ids(place, branches);
        for (index, branch) in branches.iter().enumerate() {
            let place = place.index(index);
            let claims =
                branch.effect == Some(Effect::Read) && matches!(branch.action, Action::Http(_) | Action::Exec(_));
            let inner =
                matches!(branch.action, Action::Parallel(_) | Action::Call(_) | Action::Ask(_) | Action::Notify(_));
            if inner || !(branch.action.only_reads() || claims) {
                let help =
                    "make it a step of its own; `effect = \"read\"` for a program or request that changes nothing";
                self.problem_at_key(&place.key("action"), "what is done at once only reads", help);
                continue;
            }
            for (key, given) in [("undo", branch.undo.is_some()), ("point_of_no_return", branch.point_of_no_return)] {
                if given {
                    self.problem_at_key(&place.key(key), format!("a read has no `{key}`"), "");
                }
            }
            self.check_step(&place, branch, known);
        }
    }
}
