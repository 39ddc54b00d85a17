//! Links in pages: whoever has one may acknowledge, once, as the contact that it was sent to.
//!
//! What must stay true: a link is used up behind the acknowledgement, never before it: who has clicked has it, or the link
//! still works.

use sha2::{Digest, Sha256};

use super::AppendError;
use crate::{
    config::settings::DiscordId,
    engine::Engine,
    ids,
    incident::{event::Event, state::State},
    run::event::Person,
    store::{incidents::AckLink, pages::Page},
};

/// How long a link in a page acknowledges.
const LINK_LASTS: std::time::Duration = std::time::Duration::from_secs(4 * 3600);

impl Engine {
    /// A link for whom a page goes to: who has it may acknowledge, once, until it expires.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn ack_link(&self, page: &Page) -> anyhow::Result<String> {
        let token = ids::random_token();
        let link = AckLink {
            incident: page.incident,
            role: page.to.role.clone(),
            name: page.to.name.clone(),
            expires_at: self.0.clock.now() + LINK_LASTS,
        };
        self.0.store.put_ack_link(&digest(&token), &link).await?;
        Ok(token)
    }

    /// What a link is for, as long as it can be used.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn linked(&self, token: &str) -> anyhow::Result<Option<(AckLink, State)>> {
        let link = self.0.store.ack_link(&digest(token), self.0.clock.now()).await?;
        let Some(link) = link else { return Ok(None) };
        let state = self.incident(link.incident).await?;
        Ok(state.map(|state| (link, state)))
    }

    /// Acknowledges by a link. `None` when it was used, has expired, or the incident is closed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn acknowledge_by_link(&self, token: &str) -> anyhow::Result<Option<State>> {
        let _alone = self.0.incidents.linking.lock().await;
        let now = self.0.clock.now();
        let digest = digest(token);
        let Some(link) = self.0.store.ack_link(&digest, now).await? else { return Ok(None) };
        let contacts = self.0.store.contacts().await?;
        let contact = contacts.iter().find(|one| one.role == link.role && one.name == link.name);
        let id = contact.and_then(|contact| contact.discord).unwrap_or_else(|| stand_in(&link));
        let name = if link.name.is_empty() { "somebody who was paged".to_owned() } else { link.name };
        let by = Person { id, name };
        let acknowledged = self.append_incident(link.incident, |state| {
            let until = now + state.ack_policy.lease;
            Ok(Event::Acknowledged { by, until, how: "by the link in a page".to_owned() })
        });
        let state = match acknowledged.await {
            Ok(state) => state,
            Err(AppendError::Store(error)) => return Err(error),
            Err(AppendError::Gone | AppendError::Illegal(_)) => return Ok(None),
        };
        if let Err(error) = self.0.store.use_up_ack_link(&digest, now).await {
            tracing::error!(incident = %state.id.short(), error = format!("{error:#}"), "a link was used and is not used up: it works again");
        }
        Ok(Some(state))
    }

    /// Links that nobody can use any more are forgotten.
    pub async fn forget_old_links(&self) {
        if let Err(error) = self.0.store.forget_ack_links(self.0.clock.now() - LINK_LASTS).await {
            tracing::warn!(error = format!("{error:#}"), "old links cannot be forgotten");
        }
    }
}

fn digest(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who has no user in Discord is told apart all the same. Discord's own ids begin far below.
fn stand_in(link: &AckLink) -> DiscordId {
    let digest = Sha256::digest(format!("{}\n{}", link.role, link.name).as_bytes());
    let bytes: [u8; 8] = std::array::from_fn(|index| digest[index]);
    DiscordId(u64::from_be_bytes(bytes) | 1 << 63)
}
