//! Templates and expressions: they parse, and every name and filter in them exists.

use std::collections::HashSet;

use super::Checker;
use crate::runbook::{document::Place, known::Known, suggest, template};

impl Checker<'_> {
    pub(super) fn check_template(&mut self, place: &Place, text: &str, known: &Known) {
        if !template::is_template(text) || !self.has_good_size(place, text) {
            return;
        }
        let environment = template::environment();
        match environment.template_from_str(text) {
            Ok(parsed) => self.check_names(place, parsed.undeclared_variables(true), known),
            Err(error) => self.syntax(place, "template", text, &error),
        }
        for code in code_of(text) {
            self.check_filters(place, code);
        }
    }

    pub(super) fn check_expression(&mut self, place: &Place, text: &str, known: &Known) {
        if text.contains("{{") {
            let help = format!("write it without braces: `{}`", text.replace("{{", "").replace("}}", "").trim());
            self.problem(place, "this is an expression already, and takes no `{{ }}`", help);
            return;
        }
        if !self.has_good_size(place, text) {
            return;
        }
        let environment = template::environment();
        match environment.compile_expression(text) {
            Ok(parsed) => self.check_names(place, parsed.undeclared_variables(true), known),
            Err(error) => self.syntax(place, "expression", text, &error),
        }
        self.check_filters(place, text);
    }

    fn has_good_size(&mut self, place: &Place, text: &str) -> bool {
        let size = template::check_size(text);
        if let Err(error) = &size {
            self.problem(place, error.message.clone(), "");
        }
        size.is_ok()
    }

    fn syntax(&mut self, place: &Place, what: &str, text: &str, error: &minijinja::Error) {
        let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        let near = error.range().and_then(|range| text.get(range)).filter(|near| !near.is_empty());
        let near = near.map(|near| format!(", at `{near}`")).unwrap_or_default();
        self.problem(place, format!("this {what} does not parse: {detail}{near}"), "");
    }

    fn check_names(&mut self, place: &Place, names: HashSet<String>, known: &Known) {
        let environment = template::environment();
        let functions: HashSet<&str> = environment.globals().map(|(name, _)| name).collect();
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort();
        for name in names.iter().filter(|name| !functions.contains(name.as_str())) {
            let Err((message, help)) = known.look_up(name) else { continue };
            let help = match name.split('.').next() {
                Some("target") if self.command.target.is_none() => {
                    "name the target of the command: `target = \"…\"`".to_owned()
                }
                Some("scenario") if self.command.scenario.is_none() => {
                    "name the scenario of the command: `scenario = \"…\"`".to_owned()
                }
                Some("steps") => self.later_step(name).unwrap_or(help),
                _ => help,
            };
            self.problem(place, message, help);
        }
    }

    /// Help for a step that exists, but is not done yet where it is asked for.
    fn later_step(&self, name: &str) -> Option<String> {
        let id = name.split('.').nth(1)?;
        self.command.steps.iter().any(|step| step.id == id && name.split('.').count() == 2).then_some(())?;
        Some(format!("the step `{id}` comes later; only what is done before can be asked for"))
    }

    fn check_filters(&mut self, place: &Place, code: &str) {
        let environment = template::environment();
        for filter in filters_of(code) {
            let probe = environment.compile_expression_owned(format!("none|{filter}"));
            let unknown = probe.and_then(|probe| probe.eval(())).err();
            if unknown.is_some_and(|error| error.kind() == minijinja::ErrorKind::UnknownFilter) {
                let common =
                    crate::runbook::filters::NAMES.into_iter().chain(["round", "join", "default", "length", "first"]);
                self.problem(place, format!("there is no filter `{filter}`"), suggest::help(&filter, common));
            }
        }
    }
}

/// What stands between the braces of a template.
fn code_of(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let Some(inner) = rest.get(start + 2..) else { break };
        let end = inner.find("}}").into_iter().chain(inner.find("%}")).min().unwrap_or(inner.len());
        parts.push(&inner[..end]);
        rest = inner.get(end + 2..).unwrap_or_default();
    }
    parts
}

/// The words after a `|`, outside of quotes.
fn filters_of(code: &str) -> Vec<String> {
    let mut filters = Vec::new();
    let mut quote = None;
    let mut characters = code.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '|') => {
                while characters.next_if(|next| next.is_whitespace()).is_some() {}
                let mut word = String::new();
                while let Some(next) = characters.next_if(|next| next.is_alphanumeric() || *next == '_') {
                    word.push(next);
                }
                if !word.is_empty() {
                    filters.push(word);
                }
            }
            _ => {}
        }
    }
    filters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_found_outside_of_quotes() {
        assert_eq!(filters_of("a|count ~ 'x|y' | join(\"|\") | age"), ["count", "join", "age"]);
        assert_eq!(code_of("a {{ x | f }} b {% if y %}"), [" x | f ", " if y "]);
        assert_eq!(code_of("{{"), [""]);
    }
}
