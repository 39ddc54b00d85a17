//! Pages as direct messages: sent until Discord has taken them or will never take them.
//!
//! What must stay true: a contact whose messages are closed, or whom Discord keeps from hearing, is called by whatever else they
//! have, at once.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        call::{Refused, until_done},
        rest::Call,
    },
    Presenter,
};
use crate::{
    contacts::{Contact, way::Way},
    engine::incidents::{About, Fate, Sending, page_key},
    incident::event::Delivery,
    progress::words,
};

/// How often it is looked for pages that nobody announced: those that were put off.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long Discord may take until other ways are used too …
const LIMIT: Duration = Duration::from_secs(10);
/// … and until it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

pub(super) async fn keep(presenter: Arc<Presenter>, stop: CancellationToken) {
    let engine = presenter.engine.clone();
    let mut changes = engine.incident_changes();
    loop {
        if let Err(error) = send_all(&presenter).await {
            tracing::error!(error = format!("{error:#}"), "direct messages cannot be sent; it is tried again");
        }
        tokio::select! {
            _ = changes.recv() => {}
            () = engine.clock().sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn send_all(presenter: &Arc<Presenter>) -> anyhow::Result<()> {
    let engine = &presenter.engine;
    let ways = [Way::Discord, Way::DirectMessage];
    let due = engine.store().due_pages(engine.owner(), &ways, engine.clock().now()).await?;
    if due.is_empty() {
        return Ok(());
    }
    let contacts = Arc::new(engine.store().contacts().await?);
    for page in due {
        let Some(sending) = engine.claim_page(&page, &contacts).await? else { continue };
        let (presenter, contacts) = (presenter.clone(), contacts.clone());
        // Side by side: Discord takes one of a person's messages after the other, and hangs for one of them at most.
        presenter.clone().tasks.spawn(async move {
            let hush = presenter.hush.clone();
            hush.run_until_cancelled(Box::pin(deliver(&presenter, &sending, &contacts))).await;
        });
    }
    Ok(())
}

async fn deliver(presenter: &Presenter, sending: &Sending, contacts: &[Contact]) {
    let engine = &presenter.engine;
    let can = |way: Way| way.is_of_chat() || presenter.pager.can(way);
    let sending_it = Box::pin(send(presenter, sending));
    let fate = match engine.clock().timeout(LIMIT, sending_it).await {
        Some(Ok(())) => Fate::Delivered,
        Some(Err(why)) => Fate::Undeliverable { why },
        // It is tried for as long as it is needed: the same message, by its nonce. Whatever else the contact has is used now.
        None => Fate::PutOff {
            until: engine.clock().now() + AGAIN_AFTER,
            outcome: Delivery::Unknown { why: words::discord_does_not_answer() },
        },
    };
    engine.settle_page(sending, fate, contacts, &can).await;
}

/// Repeated with the same nonce until Discord has it; or why it never will.
async fn send(presenter: &Presenter, sending: &Sending) -> Result<(), String> {
    let user = sending.user.ok_or_else(words::no_discord_user)?;
    let About::Call(paged) = &sending.about else { return Ok(()) };
    let open = Call::open_direct(user.0);
    let opened = until_done(&presenter.rest, "opening a direct message", &open).await.map_err(refused)?;
    let channel = opened["id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(words::no_direct_messages)?;
    let place = presenter.engine.store().incident_post(sending.state.id).await.ok().flatten();
    let guild = presenter.engine.configuration().settings.discord.guild;
    let link =
        place.map(|place| format!("https://discord.com/channels/{guild}/{}", place.thread.unwrap_or(place.channel)));
    let now = presenter.engine.clock().now();
    let text = words::direct_page(paged, &sending.state, link.as_deref(), sending.page.may_repeat, now);
    let key = page_key(&sending.page);
    let nonce: String = key.chars().rev().take(25).collect::<Vec<_>>().into_iter().rev().collect();
    let body: Value =
        json!({"content": text, "allowed_mentions": {"parse": []}, "nonce": nonce, "enforce_nonce": true});
    until_done(&presenter.rest, "sending a direct message", &Call::post_message(channel, body))
        .await
        .map_err(refused)?;
    Ok(())
}

fn refused(_: Refused) -> String {
    words::no_direct_messages()
}
