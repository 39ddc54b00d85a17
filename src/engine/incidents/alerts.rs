//! Alerts become incidents. They are durable before their sender is answered; what they lead to is then read from the store,
//! so that an alert which was taken a moment before drbot was lost opens its incident at the next start.

use anyhow::Result;

use crate::{
    alerts::{
        alert::{Alert, Status},
        receiver::{Counts, Delivery, Received},
        rules::Rules,
    },
    engine::Engine,
    incident::event::AlertSeen,
    run::notice::Notice,
    store::alerts::StoredAlert,
};

/// What is noted of an alert that opens nothing.
const NONE: &str = "none";

impl Engine {
    /// Takes alerts; durable when this returns.
    ///
    /// # Errors
    /// When they could not be made durable.
    pub async fn alerted(&self, mut delivery: Delivery) -> Result<Received> {
        let rules = Rules::of(&self.configuration().settings)?;
        delivery.alerts.iter_mut().for_each(|alert| rules.assign(alert));
        let changes = self.0.store.receive_alerts(&delivery, self.0.clock.now()).await?;
        let Some(changes) = changes else { return Ok(Received::Replayed) };
        // Whoever sent them is answered now.
        let engine = self.clone();
        self.0.tasks.spawn(async move { engine.attend_to_alerts().await });
        Ok(Received::Taken(Counts::of(changes.iter().map(|change| change.change))))
    }

    /// Brings the incidents to what the store holds of alerts. May be done as often as one likes.
    pub async fn attend_to_alerts(&self) {
        let _alone = self.0.incidents.attending.lock().await;
        if let Err(error) = self.attend().await {
            tracing::error!(error = format!("{error:#}"), "alerts cannot be attended to; it is tried again");
        }
    }

    async fn attend(&self) -> Result<()> {
        loop {
            let unattended = self.0.store.unattended_alerts().await?;
            if unattended.is_empty() {
                break;
            }
            self.attend_to(unattended).await?;
        }
        let mut failed = None;
        for state in self.open_incidents().await {
            for alert in state.firing() {
                if self.0.store.is_over(&alert.source, &alert.fingerprint).await?
                    && let Err(error) = self.alert_resolved(&alert.source, &alert.fingerprint).await
                {
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn attend_to(&self, unattended: Vec<StoredAlert>) -> Result<()> {
        let mut failed = None;
        for stored in unattended {
            let StoredAlert { alert, received_at, .. } = &stored;
            let seen = self.seen(alert, *received_at);
            let opened =
                Box::pin(self.incident_of_alert(seen, alert.scenario.as_deref(), alert.target.as_deref())).await;
            let incident = match opened {
                Ok(Some(state)) => state.id.to_string(),
                Ok(None) => {
                    self.tell_of_unknown(alert).await?;
                    NONE.to_owned()
                }
                // The others are not held up by it.
                Err(super::OpenError::Store(error)) => {
                    failed = failed.or(Some(error));
                    continue;
                }
                Err(error) => {
                    tracing::error!(alert = alert.name, %error, "an alert opens no incident");
                    NONE.to_owned()
                }
            };
            self.0.store.alert_belongs_to(alert, &incident).await?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// No rule says what it is about, and nothing is open that it could belong to: people are to look.
    async fn tell_of_unknown(&self, alert: &Alert) -> Result<()> {
        let now = self.0.clock.now();
        let is_news = {
            let mut told = self.0.incidents.unknown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            alert.status == Status::Firing && told.is_news(&alert.name, now)
        };
        if !is_news {
            return Ok(());
        }
        tracing::warn!(alert = alert.name, "no rule of [alerts] says what this alert is about; it opens nothing");
        let AlertSeen { name, summary, .. } = self.seen(alert, now);
        self.0.store.put_notice(&Notice::AlertUnknown { name, summary }, now).await?;
        self.noticed();
        Ok(())
    }

    /// What a sender wrote may hold what is nobody's business.
    fn seen(&self, alert: &Alert, received_at: crate::clock::Timestamp) -> AlertSeen {
        let is_named_only = alert.summary.is_empty() || alert.summary == alert.name;
        let summary = if is_named_only && !alert.description.is_empty() { &alert.description } else { &alert.summary };
        let description = Some(&alert.description).filter(|text| !text.is_empty() && *text != summary);
        AlertSeen {
            source: alert.source.clone(),
            fingerprint: alert.fingerprint.clone(),
            name: self.0.secrets.mask(&alert.name),
            summary: self.0.secrets.mask(summary),
            description: description.map(|text| self.0.secrets.mask(text)),
            url: Some(self.0.secrets.mask(&alert.url)).filter(|url| !url.is_empty()),
            starts_at: alert.began(received_at),
        }
    }
}
