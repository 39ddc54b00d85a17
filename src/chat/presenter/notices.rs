//! What the whole channel is told that belongs to no run, in order; kept in the store until Discord has it.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        call::{Refused, until_done},
        metrics, render,
        rest::Call,
    },
    Presenter,
    posts::{MOST_MENTIONS, ids, mentions},
};
use crate::{
    progress::{button::ButtonId, words},
    run::notice::Notice,
    store::notices::WaitingNotice,
};

/// How often it is looked for what nobody announced: what was changed on the host.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) const RED: u32 = 0xe7_4c3c;
const BLUE: u32 = 0x34_98db;

pub(super) async fn keep(presenter: Arc<Presenter>, stop: CancellationToken) {
    let mut news = presenter.engine.notices();
    loop {
        news.mark_unchanged();
        let goes_on = match presenter.engine.store().waiting_notices().await {
            Ok(waiting) => tell_all(&presenter, waiting).await,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "what the channel is to be told cannot be read");
                false
            }
        };
        let clock = presenter.engine.clock();
        let pause = if goes_on { LOOK_EVERY } else { presenter.timing.patience };
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return },
            () = clock.sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Whether all was told.
async fn tell_all(presenter: &Presenter, waiting: Vec<WaitingNotice>) -> bool {
    for WaitingNotice { number, notice } in waiting {
        let (title, text) = words::notice(&notice);
        let colour = match notice {
            Notice::LockedDown { .. } | Notice::ReviewOverdue { .. } => RED,
            _ => BLUE,
        };
        let (users, buttons) = match &notice {
            Notice::ReviewOverdue { run, called, .. } => {
                let mut users = words::users(called);
                users.truncate(MOST_MENTIONS);
                (users, render::one_button(&ButtonId::Review { run: *run }, words::review_label()))
            }
            _ => (Vec::new(), Vec::new()),
        };
        let body = json!({
            "content": mentions("@", &users),
            "embeds": [{"title": title, "description": text, "color": colour}],
            "components": buttons,
            "allowed_mentions": {"parse": [], "users": ids(&users)},
            // The same for the same notice, whoever sends it again.
            "nonce": format!("n{number:x}"),
            "enforce_nonce": true,
        });
        let channel = presenter.engine.configuration().settings.discord.channel.0;
        match until_done(&presenter.rest, "telling the channel", &Call::post_message(channel, body)).await {
            // People can mend it.
            Err(Refused::Gone | Refused::Forbidden) => return false,
            Ok(_) => {}
            Err(_) => {
                metrics::post_dropped();
                tracing::error!(title, text, "the channel cannot be told this");
            }
        }
        let now = presenter.engine.clock().now();
        if let Err(error) = presenter.engine.store().notice_delivered(number, now).await {
            tracing::error!(error = format!("{error:#}"), "that the channel was told cannot be stored");
            return false;
        }
        presenter.count_waiting().await;
    }
    true
}
