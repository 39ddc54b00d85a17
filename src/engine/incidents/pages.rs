//! Pages to single contacts, on their way: claimed, said, and what became of them.

use sha2::{Digest, Sha256};

use super::AppendError;
use crate::{
    clock::Timestamp,
    config::settings::DiscordId,
    contacts::{
        Contact,
        way::{To, Way},
    },
    engine::Engine,
    ids::{self, IncidentId},
    incident::{
        event::{Delivery, Event, PageTo, Paged},
        state::{Ack, State},
    },
    run::event::Person,
    store::{
        incidents::AckLink,
        pages::{Claim, Page},
    },
};

/// How often a claim is tried while the incident's journal goes on beneath it.
const CLAIMS: u32 = 20;
/// How long a link in a page acknowledges.
const LINK_LASTS: std::time::Duration = std::time::Duration::from_secs(4 * 3600);

/// A page that is to be sent now, by whoever asked for it.
#[derive(Debug, Clone)]
pub struct Sending {
    pub page: Page,
    pub paged: Paged,
    pub state: State,
    /// Where it goes, looked up now: who corrects an address is heard.
    pub to: Option<To>,
    pub user: Option<DiscordId>,
}

impl Engine {
    /// This process, as the store names it.
    pub fn owner(&self) -> &str {
        &self.0.owner
    }

    /// Claims a page for sending. `None` when it is not needed any more, or another has it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn claim_page(&self, page: &Page, contacts: &[Contact]) -> anyhow::Result<Option<Sending>> {
        let journal = self.0.store.incident_journal(page.incident).await?;
        let paged = journal.iter().find(|entry| entry.seq == page.seq).and_then(|entry| match &entry.event {
            Event::Paged(paged) => Some((**paged).clone()),
            _ => None,
        });
        let Some(paged) = paged else { anyhow::bail!("a page belongs to no call") };
        for _ in 0..CLAIMS {
            let Some(state) = self.incident(page.incident).await? else { return Ok(None) };
            let (needed, now) = (is_needed(&state, &paged), self.0.clock.now());
            match self.0.store.claim_page(page, &self.0.owner, state.seq, needed, now).await? {
                Some(Claim::Claimed(page)) => {
                    let contact = contacts.iter().find(|one| one.role == page.to.role && one.name == page.to.name);
                    let to = match (page.to.way, contact) {
                        (way, _) if Way::SHARED.contains(&way) => Some(To::Shared),
                        (way, Some(contact)) => contact.at(way, page.to.level),
                        (_, None) => None,
                    };
                    let user = contact.and_then(|contact| contact.discord);
                    return Ok(Some(Sending { page, paged, state, to, user }));
                }
                Some(Claim::Cancelled(page)) => {
                    self.tell_delivery(&page, Delivery::Cancelled).await;
                    return Ok(None);
                }
                // The incident went on in between, or another has the page: looked at again.
                None => {}
            }
        }
        Ok(None)
    }

    /// It was taken by the other side.
    ///
    /// # Errors
    /// When the store fails; it is sent again then.
    pub async fn page_delivered(&self, page: &Page) -> anyhow::Result<()> {
        self.0.store.settle_page(page, "delivered", self.0.clock.now()).await?;
        self.tell_delivery(page, Delivery::Delivered).await;
        Ok(())
    }

    /// It will not be delivered; whatever else the contact has is tried at once.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page_undeliverable(&self, page: &Page, why: String, instead: &[PageTo]) -> anyhow::Result<()> {
        self.0.store.add_pages(page.incident, page.seq, instead, self.0.clock.now()).await?;
        self.0.store.settle_page(page, "undeliverable", self.0.clock.now()).await?;
        self.tell_delivery(page, Delivery::Undeliverable { why }).await;
        Ok(())
    }

    /// It is tried again then; whatever else the contact has is tried at once.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page_put_off(
        &self,
        page: &Page,
        until: Timestamp,
        outcome: Delivery,
        instead: &[PageTo],
    ) -> anyhow::Result<()> {
        let may_have_arrived = matches!(outcome, Delivery::Unknown { .. }) && !page.to.way.is_idempotent();
        self.0.store.add_pages(page.incident, page.seq, instead, self.0.clock.now()).await?;
        self.0.store.put_off_page(page, until, may_have_arrived).await?;
        self.tell_delivery(page, outcome).await;
        Ok(())
    }

    async fn tell_delivery(&self, page: &Page, outcome: Delivery) {
        let told = Event::Delivered { page: page.to.clone(), outcome };
        if let Err(AppendError::Store(error)) = self.append_incident(page.incident, |_| Ok(told)).await {
            tracing::error!(error = format!("{error:#}"), "what became of a page is not in the timeline");
        }
    }

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
        let now = self.0.clock.now();
        let Some(link) = self.0.store.use_ack_link(&digest(token), now).await? else { return Ok(None) };
        let contacts = self.0.store.contacts().await?;
        let contact = contacts.iter().find(|one| one.role == link.role && one.name == link.name);
        let id = contact.and_then(|contact| contact.discord).unwrap_or_else(|| stand_in(&link));
        let name = if link.name.is_empty() { "somebody who was paged".to_owned() } else { link.name };
        let by = Person { id, name };
        let acknowledged = self.append_incident(link.incident, |state| {
            let until = now + state.ack_policy.lease;
            Ok(Event::Acknowledged { by, until, how: "by the link in a page".to_owned() })
        });
        match acknowledged.await {
            Ok(state) => Ok(Some(state)),
            Err(AppendError::Store(error)) => Err(error),
            Err(AppendError::Gone | AppendError::Illegal(_)) => Ok(None),
        }
    }
}

/// Whether somebody is still to be reached: an acknowledgement settles the question whether anybody has it, and nothing else.
fn is_needed(state: &State, paged: &Paged) -> bool {
    let held = matches!(state.ack, Ack::Held { .. });
    !state.is_over() && (paged.deadline.is_some() || paged.stall.is_some() || !held)
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

/// The contact's other ways, of every level, the preferred ones first: one of them may work. `can` tells which are set up.
pub fn instead(page: &Page, contacts: &[Contact], can: &dyn Fn(Way) -> bool) -> Vec<PageTo> {
    let contact = contacts.iter().find(|one| one.role == page.to.role && one.name == page.to.name);
    let ways = contact.map(|contact| contact.instead(can)).unwrap_or_default().into_iter();
    ways.map(|(way, level)| PageTo { role: page.to.role.clone(), name: page.to.name.clone(), way, level }).collect()
}

/// The key of a page, the same in every repetition: 1 to 64 of a-z, 0-9 and `-`.
pub fn page_key(page: &Page) -> String {
    if page.to.way == Way::Pagerduty {
        // One alert there an incident here.
        return incident_key(page.incident);
    }
    let to = format!("{}\n{}\n{}\n{}", page.to.role, page.to.name, page.to.way, page.to.level.name());
    let digest = Sha256::digest(to.as_bytes());
    let tail: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{tail}", incident_key(page.incident), page.seq)
}

pub fn incident_key(incident: IncidentId) -> String {
    format!("i{}", incident.short())
}
