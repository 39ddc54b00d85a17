//! Pages to single contacts, on their way: claimed, said, and what became of them.
//!
//! What must stay true: what became of a page is written down however often the store refuses it; while it does, the page is
//! nobody else's. A page for which a later one stands is not sent any more: after an outage people get one, not ten.

use std::time::Duration;

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
    incident::{
        event::{Delivery, Entry, Event, PageTo, Paged},
        state::{Ack, State},
    },
    store::pages::{Claim, Page},
};

/// How often a claim is tried while the incident's journal goes on beneath it.
const CLAIMS: u32 = 20;
/// So many attempts of a page that fail are told.
const MOST_TOLD: u32 = 6;
/// How long until it is tried again to write down what became of a page.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);

/// A page that is to be sent now, by whoever asked for it.
#[derive(Debug, Clone)]
pub struct Sending {
    pub page: Page,
    pub about: About,
    /// When it was called for.
    pub called_at: Timestamp,
    pub state: State,
    /// Where it goes, looked up now: who corrects an address is heard.
    pub to: Option<To>,
    pub user: Option<DiscordId>,
    /// Where it is told what became of calls: the keys of those.
    pub calls: Vec<String>,
}

/// What is said to the other side.
#[derive(Debug, Clone)]
pub enum About {
    /// Somebody is called.
    Call(Box<Paged>),
    /// Somebody has what they were called for.
    Acknowledged,
    /// It is over.
    Over,
}

/// What became of a page.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It was taken by the other side.
    Delivered,
    /// It will not be delivered.
    Undeliverable { why: String },
    /// It is tried again then.
    PutOff { until: Timestamp, outcome: Delivery },
    /// The other side takes no more at the moment, and has not looked at it: it is sent then, which is no attempt and no news;
    /// `beside` tells whether the contact's other ways are tried by now.
    HeldBack { until: Timestamp, beside: bool },
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
        for _ in 0..CLAIMS {
            let Some(state) = self.incident(page.incident).await? else { return Ok(None) };
            let journal = self.0.store.incident_journal(page.incident).await?;
            let Some(about) = about(&journal, page.seq) else { anyhow::bail!("a page belongs to no call") };
            let (needed, now) = (is_needed(&state, &journal, page, &about), self.0.clock.now());
            match self.0.store.claim_page(page, &self.0.owner, state.seq, needed, now).await? {
                Some(Claim::Claimed(page)) => {
                    let contact = contact_of(&page, contacts);
                    let to = match (page.to.way, contact) {
                        (way, _) if Way::SHARED.contains(&way) => Some(To::Shared),
                        (way, Some(contact)) => contact.at(way, page.to.level),
                        (_, None) => None,
                    };
                    let user = contact.and_then(|contact| contact.discord);
                    let calls = match about {
                        About::Call(_) => Vec::new(),
                        About::Acknowledged | About::Over => self.0.store.calls_before(&page).await?,
                    };
                    let calls = calls.iter().map(page_key).collect();
                    let called_at = journal.iter().find(|entry| entry.seq == page.seq).map_or(now, |entry| entry.at);
                    return Ok(Some(Sending { page, about, called_at, state, to, user, calls }));
                }
                Some(Claim::Cancelled(page)) => {
                    if matches!(about, About::Call(_)) {
                        self.tell_delivery(&page, Delivery::Cancelled).await;
                    }
                    return Ok(None);
                }
                // The incident went on in between, or another has the page: looked at again.
                None => {}
            }
        }
        Ok(None)
    }

    /// Writes down what became of a page; where it was not delivered, whatever else the contact has is tried at once (`can`
    /// tells which ways are set up). Returns when it is written.
    pub async fn settle_page(
        &self,
        sending: &Sending,
        fate: Fate,
        contacts: &[Contact],
        can: &(dyn Fn(Way) -> bool + Sync),
    ) {
        let page = &sending.page;
        let instead = match (&fate, &sending.about) {
            (Fate::Delivered | Fate::HeldBack { beside: false, .. }, _) | (_, About::Acknowledged | About::Over) => {
                Vec::new()
            }
            (_, About::Call(_)) => instead(page, contacts, can),
        };
        let mut said = false;
        while let Err(error) = self.write_fate(page, &fate, &instead).await {
            if !said {
                tracing::error!(
                    incident = %page.incident.short(), way = %page.to.way, error = format!("{error:#}"),
                    "what became of a page cannot be stored; it is tried again"
                );
                said = true;
            }
            self.0.clock.sleep(AFTER_TROUBLE).await;
        }
        let is_final = !matches!(fate, Fate::PutOff { .. });
        let outcome = match fate {
            Fate::Delivered => Delivery::Delivered,
            Fate::Undeliverable { why } => Delivery::Undeliverable { why },
            Fate::PutOff { outcome, .. } => outcome,
            Fate::HeldBack { .. } => return,
        };
        if !sending.state.is_drill() {
            super::super::metrics::page_settled(page.to.way, &outcome);
        }
        // That the other side knows the end is nothing to read; that it will never know is.
        let is_call = matches!(sending.about, About::Call(_));
        // Nor, again and again, that Discord or a service is away.
        let told = if page.to.way.is_of_chat() { 1 } else { MOST_TOLD };
        let is_news = page.attempts <= told || is_final;
        if is_call && is_news || matches!(outcome, Delivery::Undeliverable { .. }) {
            self.tell_delivery(page, outcome).await;
        }
    }

    async fn write_fate(&self, page: &Page, fate: &Fate, instead: &[PageTo]) -> anyhow::Result<()> {
        let (store, now) = (&self.0.store, self.0.clock.now());
        store.add_pages(page.incident, page.seq, instead, now).await?;
        match fate {
            Fate::Delivered => store.settle_page(page, "delivered", now).await,
            Fate::Undeliverable { .. } => store.settle_page(page, "undeliverable", now).await,
            Fate::PutOff { until, outcome } => {
                let may_have_arrived = matches!(outcome, Delivery::Unknown { .. });
                store.put_off_page(page, *until, may_have_arrived).await
            }
            Fate::HeldBack { until, .. } => store.hold_page_back(page, *until).await,
        }
    }

    async fn tell_delivery(&self, page: &Page, outcome: Delivery) {
        let told = Event::Delivered { page: page.to.clone(), outcome };
        if let Err(AppendError::Store(error)) = self.append_incident(page.incident, |_| Ok(told)).await {
            tracing::error!(error = format!("{error:#}"), "what became of a page is not in the timeline");
        }
    }
}

/// What the event of that number asks to be said.
fn about(journal: &[Entry], seq: u64) -> Option<About> {
    match &journal.iter().find(|entry| entry.seq == seq)?.event {
        Event::Paged(paged) => Some(About::Call(paged.clone())),
        Event::Acknowledged { .. } => Some(About::Acknowledged),
        Event::Recovered { .. } | Event::Closed { .. } => Some(About::Over),
        _ => None,
    }
}

/// Whether it is still to be said.
fn is_needed(state: &State, journal: &[Entry], page: &Page, about: &About) -> bool {
    let later = journal.iter().filter(|entry| entry.seq > page.seq);
    match about {
        About::Call(paged) => {
            let stands_for_it = |entry: &Entry| match &entry.event {
                Event::Paged(later) => later.pages.contains(&page.to) && is_as_insistent(later, paged),
                _ => false,
            };
            is_wanted(state, paged) && !later.into_iter().any(stands_for_it)
        }
        // Whoever was called again meanwhile, or told that it is over, need not know.
        About::Acknowledged => !later.into_iter().any(|entry| {
            matches!(
                entry.event,
                Event::Paged(_) | Event::Acknowledged { .. } | Event::Recovered { .. } | Event::Closed { .. }
            )
        }),
        About::Over => !later.into_iter().any(|entry| matches!(entry.event, Event::Paged(_) | Event::Closed { .. })),
    }
}

/// Whether somebody is still to be reached: an acknowledgement settles the question whether anybody has it, and nothing else.
fn is_wanted(state: &State, paged: &Paged) -> bool {
    let held = matches!(state.ack, Ack::Held { .. });
    !state.is_over() && (insists(paged) || !held)
}

/// An acknowledgement does not silence it.
fn insists(paged: &Paged) -> bool {
    paged.deadline.is_some() || paged.stall.is_some()
}

/// What silences the later call would have silenced the earlier one.
fn is_as_insistent(later: &Paged, earlier: &Paged) -> bool {
    insists(later) || !insists(earlier)
}

fn contact_of<'a>(page: &Page, contacts: &'a [Contact]) -> Option<&'a Contact> {
    contacts.iter().find(|one| one.role == page.to.role && one.name == page.to.name)
}

/// The contact's other ways, of every level, the preferred ones first: one of them may work.
fn instead(page: &Page, contacts: &[Contact], can: &dyn Fn(Way) -> bool) -> Vec<PageTo> {
    let ways = contact_of(page, contacts).map(|contact| contact.instead(can)).unwrap_or_default().into_iter();
    ways.map(|(way, level)| PageTo { role: page.to.role.clone(), name: page.to.name.clone(), way, level }).collect()
}

/// The key of a page, the same in every repetition: 1 to 64 of a-z, 0-9 and `-`. Each call has one of its own: who has
/// acknowledged the one before is called again.
pub fn page_key(page: &Page) -> String {
    let to = format!("{}\n{}\n{}\n{}", page.to.role, page.to.name, page.to.way, page.to.level.name());
    let digest = Sha256::digest(to.as_bytes());
    let tail: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("i{}-{}-{tail}", page.incident.short(), page.seq)
}
