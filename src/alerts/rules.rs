//! Which disaster an alert is about, and of what: by the rules of the settings.

use std::collections::{BTreeMap, BTreeSet};

use super::alert::Alert;
use crate::config::{
    alerts::{AlertRule, AlertSettings, BadPattern, Pattern},
    settings::Settings,
};

/// The rules of `[alerts]`, ready to be used.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    scenario: Option<String>,
    target: Option<String>,
    scenarios: BTreeSet<String>,
    targets: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Rule {
    wanted: BTreeMap<String, Pattern>,
    scenario: Option<String>,
    target: Option<String>,
}

impl Rules {
    /// # Errors
    /// When a pattern is none. `drbot check` finds it before.
    pub fn of(settings: &Settings) -> Result<Self, BadPattern> {
        let AlertSettings { rule, scenario, target, .. } = &settings.alerts;
        Ok(Self {
            rules: rule.iter().map(Rule::of).collect::<Result<_, _>>()?,
            scenario: scenario.clone(),
            target: target.clone(),
            scenarios: settings.scenario.keys().cloned().collect(),
            targets: settings.target.keys().cloned().collect(),
        })
    }

    /// Says which scenario and which target an alert is about. Its own labels `scenario` and `target` win when they name
    /// known ones; then the first rule that fits, and what it leaves open is as `[alerts]` says.
    pub fn assign(&self, alert: &mut Alert) {
        let rule = self.rules.iter().find(|rule| rule.fits(&alert.labels));
        let named = |label: &str, known: &BTreeSet<String>| {
            alert.labels.get(label).filter(|value| known.contains(*value)).cloned()
        };
        let scenario = named("scenario", &self.scenarios)
            .or_else(|| rule.and_then(|rule| rule.scenario.clone()))
            .or_else(|| self.scenario.clone());
        let target = named("target", &self.targets)
            .or_else(|| rule.and_then(|rule| rule.target.clone()))
            .or_else(|| self.target.clone());
        (alert.scenario, alert.target) = (scenario, target);
    }
}

impl Rule {
    fn of(rule: &AlertRule) -> Result<Self, BadPattern> {
        let wanted = rule.matches.iter().map(|(label, text)| Ok((label.clone(), Pattern::parse(text)?)));
        Ok(Self {
            wanted: wanted.collect::<Result<_, _>>()?,
            scenario: rule.scenario.clone(),
            target: rule.target.clone(),
        })
    }

    /// A label that is not there is an empty one, as in Prometheus.
    fn fits(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = |label: &String| labels.get(label).map_or("", String::as_str);
        self.wanted.iter().all(|(label, pattern)| pattern.matches(value(label)))
    }
}
