//! What is shipped for who watches drbot: only figures that there are, and rules that Prometheus takes.

use std::{collections::BTreeSet, path::Path, process::Command};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The words of a text that are names of drbot's figures, without the endings that Prometheus puts to a histogram's.
fn figures(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'));
    let words = words.filter(|word| word.starts_with("drbot_"));
    words.map(|word| word.trim_end_matches("_bucket").to_owned()).collect()
}

/// The names that the sources declare.
fn declared(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            declared(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let constants = text.lines().filter(|line| line.contains(": &str = \"drbot_"));
            found.extend(constants.flat_map(figures));
        }
    }
}

#[test]
fn the_shipped_rules_and_dashboard_name_figures_that_there_are() {
    let mut known = BTreeSet::new();
    declared(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut known);
    assert!(known.contains("drbot_alerts_received_total") && known.len() > 20, "{known:?}");
    for path in ["docs/monitoring/rules.yml", "docs/monitoring/grafana-dashboard.json", "docs/operations.md"] {
        let named = figures(&read(path));
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(named.len() > 8 && unknown.is_empty(), "{path}: {unknown:?}");
    }
    let documented = figures(&read("docs/operations.md"));
    let missing: Vec<_> = known.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/operations.md does not name {missing:?}");
}

#[test]
fn the_dashboard_is_one() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("docs/monitoring/grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let shown = panels.iter().filter(|panel| panel["type"] != "row");
    assert!(shown.clone().count() > 12);
    for panel in shown {
        let asked = panel["targets"].as_array().unwrap();
        assert!(asked.iter().all(|target| !target["expr"].as_str().unwrap().is_empty()), "{}", panel["title"]);
    }
}

/// promtool comes with Debian's prometheus: on this machine, or in the range's image.
#[test]
fn prometheus_takes_the_shipped_rules() {
    let image = crate::support::range::image("prometheus:bookworm");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for rules in ["docs/monitoring/rules.yml", "range/prometheus/rules.yml"] {
        let file = root.join(rules);
        let here = Command::new("promtool").args(["check", "rules"]).arg(&file).output();
        let output = here.unwrap_or_else(|_| {
            let mount = format!("{}:/rules.yml:ro", file.display());
            let run =
                ["run", "--rm", "--network", "none", "-v", &mount, &image, "promtool", "check", "rules", "/rules.yml"];
            Command::new("docker").args(run).output().unwrap()
        });
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.contains("rules found"), "{rules}: {said}");
    }
}
