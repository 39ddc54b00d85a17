//! Versions as people choose them.

use serde_json::{Map, Value};

use super::super::outside::{clean, cut};

/// A version as completion shows it: at most 100 characters, most important first.
pub fn version_choice(version: &Map<String, Value>) -> String {
    let text = |name: &str| version.get(name).and_then(Value::as_str);
    let day = |name: &str| text(name).map(|at| at.chars().take(16).collect::<String>().replace('T', " "));
    let mut parts = vec![text("version").unwrap_or_default().to_owned()];
    if version.get("running") == Some(&Value::from(true)) {
        parts.push("running now".to_owned());
    }
    match (text("verdict"), day("good_at"), text("why")) {
        (Some("good"), Some(at), _) => parts.push(format!("good {at}")),
        (Some("bad"), _, Some(why)) => parts.push(format!("⚠ bad: {}", cut(why, 30))),
        (Some("bad"), ..) => parts.push("⚠ bad".to_owned()),
        _ => parts.push("never seen good".to_owned()),
    }
    match text("schema") {
        Some("fits") => parts.push("schema fits".to_owned()),
        Some("does-not-fit") => parts.push("⚠ schema does not fit".to_owned()),
        _ => parts.push("schema unknown".to_owned()),
    }
    if let Some(at) = day("created_at") {
        parts.push(format!("built {at}"));
    }
    cut(&clean(&parts.join(" · ")), 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_told_by_what_matters() {
        let shown = |value: Value| version_choice(value.as_object().unwrap());
        assert_eq!(
            shown(
                json!({"version": "v1.2.3", "verdict": "good", "good_at": "2026-01-31T12:00:07Z", "schema": "fits", "running": false, "created_at": "2026-01-30T09:00:00+00:00"})
            ),
            "v1.2.3 · good 2026-01-31 12:00 · schema fits · built 2026-01-30 09:00"
        );
        assert_eq!(
            shown(
                json!({"version": "v2", "verdict": "bad", "why": "it leaks", "schema": "does-not-fit", "running": true})
            ),
            "v2 · running now · ⚠ bad: it leaks · ⚠ schema does not fit"
        );
    }
}
