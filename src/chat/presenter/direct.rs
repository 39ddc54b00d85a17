//! Pages as direct messages: sent until Discord has taken them or will never take them.

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
    contacts::way::Way,
    engine::incidents::{Sending, instead, page_key},
    progress::words,
};

/// How often it is looked for pages that nobody announced: those that were put off.
const LOOK_EVERY: Duration = Duration::from_secs(5);

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

async fn send_all(presenter: &Presenter) -> anyhow::Result<()> {
    let engine = &presenter.engine;
    let due = engine.store().due_pages(engine.owner(), true, engine.clock().now()).await?;
    if due.is_empty() {
        return Ok(());
    }
    let contacts = engine.store().contacts().await?;
    for page in due {
        let Some(sending) = engine.claim_page(&page, &contacts).await? else { continue };
        match send(presenter, &sending).await {
            Ok(()) => engine.page_delivered(&sending.page).await?,
            Err(why) => {
                // It may be the one way that they prefer: all others are used at once.
                let can = |way: Way| way == Way::DirectMessage || presenter.pager.can(way);
                let others = instead(&sending.page, &contacts, &can);
                engine.page_undeliverable(&sending.page, why, &others).await?;
            }
        }
    }
    Ok(())
}

/// Repeated with the same nonce until Discord has it; or why it never will.
async fn send(presenter: &Presenter, sending: &Sending) -> Result<(), String> {
    let user = sending.user.ok_or_else(words::no_discord_user)?;
    let open = Call::open_direct(user.0);
    let opened = until_done(&presenter.rest, "opening a direct message", &open).await.map_err(refused)?;
    let channel = opened["id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(words::no_direct_messages)?;
    let place = presenter.engine.store().incident_post(sending.state.id).await.ok().flatten();
    let guild = presenter.engine.configuration().settings.discord.guild;
    let link =
        place.map(|place| format!("https://discord.com/channels/{guild}/{}", place.thread.unwrap_or(place.channel)));
    let now = presenter.engine.clock().now();
    let text = words::direct_page(&sending.paged, &sending.state, link.as_deref(), now);
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
