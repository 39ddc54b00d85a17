//! Pages on their way: those that are due are sent side by side, and what comes of each is settled.
//!
//! What must stay true: a page is sent until it was taken or given up, also when drbot is lost while it is on its way; one
//! that may have arrived says so when it is repeated; and a way that fails costs no time: whatever else the contact has is
//! used at once.

use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::{
    clock::Timestamp,
    contacts::Contact,
    engine::{
        Engine,
        incidents::{Sending, instead, page_key},
    },
    incident::event::Delivery,
    paging::{Page, Pager, Sent},
    progress::words,
    store,
};

/// So many are on their way at once.
const MOST: usize = 32;
/// Given up after so many attempts.
const ATTEMPTS: u32 = 6;
/// The first pause; each is twice the one before.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Sends what is due, and does not wait for it.
pub(super) async fn send(engine: &Engine, pager: &Pager, tasks: &TaskTracker) {
    let now = engine.clock().now();
    let due = match engine.store().due_pages(engine.owner(), false, now).await {
        Ok(due) => due,
        Err(error) => return tracing::error!(error = format!("{error:#}"), "which pages are due cannot be read"),
    };
    let room = MOST.saturating_sub(tasks.len());
    if due.is_empty() || room == 0 {
        return;
    }
    let contacts = match engine.store().contacts().await {
        Ok(contacts) => contacts,
        // A page without an address would be given up.
        Err(error) => return tracing::error!(error = format!("{error:#}"), "the contacts cannot be read; tried again"),
    };
    let mut mine = due;
    preferred_first(&mut mine, &contacts);
    for page in mine.into_iter().take(room) {
        match engine.claim_page(&page, &contacts).await {
            Ok(Some(sending)) => {
                let (engine, pager, contacts) = (engine.clone(), pager.clone(), contacts.clone());
                tasks.spawn(async move {
                    let page = sending.page.clone();
                    if let Err(error) = deliver(&engine, &pager, sending, &contacts).await {
                        tracing::error!(
                            incident = %page.incident.short(), way = %page.to.way, error = format!("{error:#}"),
                            "what became of a page cannot be stored"
                        );
                    }
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

async fn deliver(engine: &Engine, pager: &Pager, sending: Sending, contacts: &[Contact]) -> anyhow::Result<()> {
    let page = &sending.page;
    let instead = instead(page, contacts, &|way| way.is_of_chat() || pager.can(way));
    let Some(to) = &sending.to else {
        let why = "the contact has no such address any more".to_owned();
        return engine.page_undeliverable(page, why, &instead).await;
    };
    let sent = pager.send(page.to.way, to, &letter(engine, &sending).await?).await;
    let now = engine.clock().now();
    let last = page.attempts >= ATTEMPTS;
    match sent {
        Sent::Delivered { .. } => engine.page_delivered(page).await,
        Sent::Refused { why } => engine.page_undeliverable(page, why, &instead).await,
        Sent::Failed { why, .. } | Sent::Unknown { why } if last => {
            engine.page_undeliverable(page, why, &instead).await
        }
        Sent::Failed { why, again_after } => {
            let until = now + again_after.unwrap_or_default().max(pause(page.attempts));
            engine.page_put_off(page, until, Delivery::Failed { why }, &instead).await
        }
        Sent::Unknown { why } => {
            let until: Timestamp = now + pause(page.attempts);
            engine.page_put_off(page, until, Delivery::Unknown { why }, &instead).await
        }
    }
}

/// What the page says, with a link that acknowledges where drbot can be reached from outside.
async fn letter(engine: &Engine, sending: &Sending) -> anyhow::Result<Page> {
    let Sending { page, paged, state, .. } = sending;
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
        drill: false,
    })
}

fn pause(attempts: u32) -> Duration {
    (PAUSE * 2_u32.saturating_pow(attempts.saturating_sub(1).min(10))).min(LONGEST_PAUSE)
}
