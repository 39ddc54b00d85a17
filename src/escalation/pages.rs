//! Pages on their way: those that are due are sent side by side, and what comes of each is settled.
//!
//! What must stay true: a page is sent until it was taken or given up, also when drbot is lost while it is on its way; one
//! that may have arrived says so when it is repeated; a way that fails costs no time, since whatever else the contact has is
//! used at once; and a way that hangs holds up no other.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{
    pace::{Hold, Pace},
    ways::Ways,
};
use crate::{
    clock::Timestamp,
    contacts::{Contact, way::Way},
    engine::{
        Engine, failpoint,
        incidents::{About, Fate, Sending, page_key},
    },
    incident::event::{Delivery, Paged},
    paging::{Page, Pager, Sent, Settled},
    progress::words,
    store,
};

/// So many are on their way at once by one way.
const MOST: usize = 16;
/// What may have arrived, and would be a second page, is repeated so often. All else is tried for as long as it is needed.
const ATTEMPTS: u32 = 6;
/// Whoever is told what became of a call does not need it for longer than about an hour.
const ENDS: u32 = 30;
/// The first pause; each is twice the one before.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Room for pages, by their way.
pub(super) struct Room {
    places: HashMap<Way, Arc<Semaphore>>,
    pace: Arc<Pace>,
}

impl Default for Room {
    fn default() -> Self {
        let ways = Way::ALL.into_iter().filter(|way| !way.is_of_chat());
        let places = ways.map(|way| (way, Arc::new(Semaphore::new(MOST)))).collect();
        Self { places, pace: Arc::default() }
    }
}

impl Room {
    fn ways(&self, now: Timestamp) -> Vec<Way> {
        let free = self.places.iter().filter(|(_, room)| room.available_permits() > 0).map(|(way, _)| *way);
        free.filter(|way| self.pace.room(*way, now) > 0).collect()
    }
}

/// Sends what is due, and does not wait for it.
pub(super) async fn send(engine: &Engine, ways: &Ways, room: &Room, tasks: &TaskTracker) {
    let now = engine.clock().now();
    let due = match engine.store().due_pages(engine.owner(), &room.ways(now), now).await {
        Ok(due) => due,
        Err(error) => return tracing::error!(error = format!("{error:#}"), "which pages are due cannot be read"),
    };
    if due.is_empty() {
        return;
    }
    let contacts = match engine.store().contacts().await {
        Ok(contacts) => Arc::new(contacts),
        // A page without an address would be given up.
        Err(error) => return tracing::error!(error = format!("{error:#}"), "the contacts cannot be read; tried again"),
    };
    let mut due = due;
    preferred_first(&mut due, &contacts);
    let mut begun: HashMap<Way, usize> = HashMap::new();
    for page in due {
        let begun = begun.entry(page.to.way).or_default();
        if *begun >= room.pace.room(page.to.way, now) {
            continue;
        }
        let Some(Ok(place)) = room.places.get(&page.to.way).map(|room| room.clone().try_acquire_owned()) else {
            continue;
        };
        *begun += 1;
        failpoint::at("before-claim", page.to.way.name());
        match engine.claim_page(&page, &contacts).await {
            Ok(Some(sending)) => {
                let (engine, ways, contacts) = (engine.clone(), ways.clone(), contacts.clone());
                let pace = room.pace.clone();
                tasks.spawn(async move {
                    deliver(&engine, &ways, &pace, &sending, &contacts).await;
                    drop(place);
                });
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = format!("{error:#}"), "a page cannot be claimed; it is tried again"),
        }
    }
}

/// Of pages to one contact that are due together, those by preferred ways go first.
fn preferred_first(pages: &mut [store::pages::Page], contacts: &[Contact]) {
    let is_together = |one: &store::pages::Page, other: &store::pages::Page| {
        (one.incident, one.seq, &one.to.role, &one.to.name)
            == (other.incident, other.seq, &other.to.role, &other.to.name)
    };
    for together in pages.chunk_by_mut(is_together) {
        let to = &together[0].to;
        let contact = contacts.iter().find(|one| one.role == to.role && one.name == to.name).cloned();
        together.sort_by_key(|page| contact.as_ref().map(|contact| contact.rank(page.to.way)));
    }
}

async fn deliver(engine: &Engine, ways: &Ways, pace: &Pace, sending: &Sending, contacts: &[Contact]) {
    let attempt = AssertUnwindSafe(attempt(engine, &ways.pager, sending)).catch_unwind();
    // A defect of drbot's own: nobody knows how far it came.
    let sent = attempt.await.unwrap_or_else(|_| Sent::Unknown { why: words::paging::broke_off() });
    let (way, now) = (sending.page.to.way, engine.clock().now());
    failpoint::at("after-sending", way.name());
    let hold = match &sent {
        Sent::Failed { again_after: Some(wait), .. } => {
            Some((now + *wait, pace.too_many(way, now + *wait, sending.called_at, now)))
        }
        _ => None,
    };
    let fate = match hold {
        Some((until, Hold::Wait)) => Fate::HeldBack { until, beside: false },
        Some((until, Hold::Beside)) => Fate::HeldBack { until, beside: true },
        Some((_, Hold::Fail)) | None => fate(sent, sending, now),
    };
    if matches!(fate, Fate::Delivered) {
        pace.taken(way);
    }
    engine.settle_page(sending, fate, contacts, &|way| ways.can(way)).await;
}

async fn attempt(engine: &Engine, pager: &Pager, sending: &Sending) -> Sent {
    let Some(to) = &sending.to else {
        return Sent::Refused { why: words::paging::no_such_address() };
    };
    let way = sending.page.to.way;
    failpoint::at("after-claim", way.name());
    let settled = match &sending.about {
        About::Call(paged) => {
            return match letter(engine, sending, paged).await {
                Ok(letter) => pager.send(way, to, &letter).await,
                Err(error) => Sent::Failed { why: words::paging::not_written(&error), again_after: None },
            };
        }
        About::Acknowledged => Settled::Acknowledged,
        About::Over => Settled::Resolved,
    };
    for key in &sending.calls {
        match pager.settle(way, key, settled).await {
            Some(Sent::Delivered { .. }) => {}
            Some(other) => return other,
            None => return Sent::Refused { why: words::paging::not_set_up_any_more(way) },
        }
    }
    Sent::Delivered { receipt: None }
}

fn fate(sent: Sent, sending: &Sending, now: Timestamp) -> Fate {
    let is_call = matches!(sending.about, About::Call(_));
    let (way, attempts, doubtful) = (sending.page.to.way, sending.page.attempts, sending.page.doubtful + 1);
    match sent {
        Sent::Delivered { .. } => Fate::Delivered,
        Sent::Refused { why } => Fate::Undeliverable { why },
        Sent::Unknown { why } if !way.is_idempotent() && doubtful >= ATTEMPTS => Fate::Undeliverable { why },
        Sent::Failed { why, .. } | Sent::Unknown { why } if !is_call && attempts >= ENDS => Fate::Undeliverable { why },
        Sent::Failed { why, again_after } => {
            let pause = again_after.unwrap_or_default().max(pause(attempts));
            Fate::PutOff { until: now + pause, outcome: Delivery::Failed { why } }
        }
        Sent::Unknown { why } => Fate::PutOff { until: now + pause(attempts), outcome: Delivery::Unknown { why } },
    }
}

/// What the page says, with a link that acknowledges where drbot can be reached from outside.
async fn letter(engine: &Engine, sending: &Sending, paged: &Paged) -> anyhow::Result<Page> {
    let Sending { page, state, .. } = sending;
    let configuration = engine.configuration();
    let public = configuration.settings.web.as_ref().and_then(|web| web.public_url.as_deref());
    let link = match public.filter(|url| !url.is_empty()) {
        Some(url) => Some(format!("{}/ack/{}", url.trim_end_matches('/'), engine.ack_link(page).await?)),
        None => None,
    };
    let now = engine.clock().now();
    let beside = engine.beside(state).await;
    let under_way = beside.runs.iter().filter(|run| run.outcome.is_none());
    let doing: Vec<_> = under_way.map(|run| words::page_run(&run.command, run.done, run.steps)).collect();
    let who = if page.to.name.is_empty() { String::new() } else { format!("{} ({})", page.to.name, page.to.role) };
    Ok(Page {
        key: page_key(page),
        who,
        subject: words::page_subject(paged, state),
        text: words::page_text(paged, state, &doing, now),
        short: words::page_short(paged, state, now),
        link,
        code: Some(state.id.short()),
        priority: state.kind.scenario.priority,
        may_repeat: page.may_repeat,
        drill: state.is_drill(),
    })
}

fn pause(attempts: u32) -> Duration {
    (PAUSE * 2_u32.saturating_pow(attempts.saturating_sub(1).min(10))).min(LONGEST_PAUSE)
}
