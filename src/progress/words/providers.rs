//! Providers as people choose them.

use serde_json::{Map, Value};

use super::super::outside::{clean, cut};

/// A provider as completion shows it: at most 100 characters.
pub fn provider_choice(provider: &Map<String, Value>) -> String {
    let text = |name: &str| provider.get(name).and_then(Value::as_str).unwrap_or_default();
    let preferred = if provider.get("rank") == Some(&Value::from(0)) { " · preferred" } else { "" };
    // Without what may be confidential in it: a path or a query may hold a key.
    let host = text("url").split_once("://").map_or("", |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    cut(&clean(&format!("{} · {host}{preferred}", text("name"))), 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_provider_is_shown_without_its_key() {
        let shown = |value: Value| provider_choice(value.as_object().unwrap());
        let helius = json!({"name": "helius", "url": "https://me:secret@rpc.example:8899/v1?api-key=k", "rank": 0});
        assert_eq!(shown(helius), "helius · rpc.example:8899 · preferred");
        assert_eq!(shown(json!({"name": "b", "url": "http://b", "rank": 1})), "b · b");
    }
}
