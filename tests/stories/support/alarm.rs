//! What monitoring posts when a database is down, as Alertmanager posts it.

use drbot::clock::Clock;
use serde_json::json;

use super::bot::Bot;

/// What the range's bot takes alerts by.
pub const TOKEN: &str = "rehearsal-alerts-token";

/// Alertmanager tells the bot that the database of a target is down.
pub async fn database_down(bot: &Bot, target: &str) {
    let labels = json!({
        "alertname": "DatabaseDown", "severity": "critical", "target": target, "scenario": "database-corruption",
    });
    let alert = json!({
        "status": "firing", "labels": labels, "annotations": {"summary": "The database is not reachable."},
        "startsAt": Clock::system().now().to_rfc3339(), "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph", "fingerprint": format!("down-{target}"),
    });
    let body = json!({
        "version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": "firing", "receiver": "drbot",
        "groupLabels": {}, "commonLabels": labels, "commonAnnotations": {}, "externalURL": "http://alertmanager.example",
        "alerts": [alert],
    });
    let url = format!("{}/alerts/alertmanager", bot.listens().await);
    let answer = reqwest::Client::new().post(url).bearer_auth(TOKEN).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}
