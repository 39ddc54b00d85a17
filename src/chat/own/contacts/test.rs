//! `/contacts test`: a test page by each way that a contact has and that is set up, side by side; what comes of each is shown
//! as it comes.

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use serde_json::{Value, json};

use super::body;
use crate::{
    access::Caller,
    chat::{
        Desk,
        call::{Refused, until_done},
        render,
        rest::Call,
        slip::Slip,
    },
    contacts::{
        Contact,
        edit::mark,
        way::{To, Way},
    },
    ids::random_token,
    paging::{LIMIT, trial::outcome},
    progress::{
        contact::ContactButton,
        words::{self, contacts as said, contacts::Tried},
    },
    refusals::contact_error,
};

/// One address of the contact; a direct message has none but the contact's user.
type Address = (Way, Option<To>);

pub(super) async fn test(desk: &Desk, slip: &Slip, who: &Caller, which: &str, way: Option<&str>, interaction: &str) {
    let engine = &desk.engine;
    slip.acknowledge(desk).await;
    match engine.store().receive(interaction, engine.clock().now()).await {
        Ok(true) => {}
        // Delivered twice: the first one is answered.
        Ok(false) => return,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the store failed");
            return tell(desk, slip, &words::store_failed()).await;
        }
    }
    let only = match way.map(|way| way.trim().parse::<Way>().ok().filter(|way| Way::PERSONAL.contains(way))) {
        None => None,
        Some(Some(way)) => Some(way),
        Some(None) => return tell(desk, slip, &said::not_by_this_way()).await,
    };
    match engine.begin_contact_test(who, which).await {
        Ok(contact) => {
            let addresses = addresses(desk, &contact, only);
            if addresses.is_empty() {
                let why = if only.is_some() { said::not_by_this_way() } else { said::no_way_to(&contact) };
                return tell(desk, slip, &why).await;
            }
            try_all(desk, slip, who, &contact, addresses).await;
        }
        Err(error) => tell(desk, slip, &contact_error(&error)).await,
    }
}

async fn tell(desk: &Desk, slip: &Slip, text: &str) {
    if !slip.fill_in(desk, text).await {
        slip.say_in_channel(desk, text).await;
    }
}

fn addresses(desk: &Desk, contact: &Contact, only: Option<Way>) -> Vec<Address> {
    let mut addresses: Vec<Address> = Vec::new();
    for way in Way::PERSONAL.into_iter().filter(|way| only.is_none_or(|only| only == *way)) {
        if way == Way::DirectMessage {
            addresses.extend(contact.discord.map(|_| (way, None)));
        } else if desk.pager.can(way) {
            addresses.extend(way.reaches(contact).into_iter().map(|to| (way, Some(to))));
        }
    }
    addresses
}

/// Sends all, shows what came of each as it comes, and offers to say in the end that it arrived.
async fn try_all(desk: &Desk, slip: &Slip, who: &Caller, contact: &Contact, addresses: Vec<Address>) {
    let line = |(way, to): &Address| Tried {
        way: way.name(),
        to: to.as_ref().map_or_else(said::in_discord, ToString::to_string),
        outcome: None,
    };
    let mut tried: Vec<Tried> = addresses.iter().map(line).collect();
    slip.fill_in(desk, &said::tried(contact, &tried)).await;
    let mut under_way: FuturesUnordered<BoxFuture<'_, (usize, bool, String)>> = FuturesUnordered::new();
    for (index, address) in addresses.into_iter().enumerate() {
        under_way.push(Box::pin(async move {
            let (good, outcome) = try_one(desk, who, contact, address).await;
            (index, good, outcome)
        }));
    }
    let mut arrived = false;
    while let Some((index, good, outcome)) = under_way.next().await {
        arrived |= good;
        if let Some(tried) = tried.get_mut(index) {
            tried.outcome = Some(outcome);
        }
        if !under_way.is_empty() {
            slip.fill_in(desk, &said::tried(contact, &tried)).await;
        }
    }
    let verify = ContactButton::Verify { contact: mark(contact) }.to_string();
    let buttons = if arrived { render::a_button(&verify, said::verify_label()) } else { Vec::new() };
    let text = said::tried(contact, &tried);
    if !slip.fill_in_body(desk, body(&text, buttons)).await {
        slip.say_in_channel(desk, &text).await;
    }
}

/// Whether it was taken, and what came of it in words.
async fn try_one(desk: &Desk, who: &Caller, contact: &Contact, (way, to): Address) -> (bool, String) {
    let Some(to) = to else { return direct(desk, who, contact).await };
    let trial = desk.pager.try_out(way, &to, contact, format!("test-{}", random_token())).await;
    let good = trial.is_good();
    let left = trial.left_open.map(|left| format!("; {}", said::left_open(&outcome(&left)))).unwrap_or_default();
    (good, outcome(&trial.sent) + &left)
}

async fn direct(desk: &Desk, who: &Caller, contact: &Contact) -> (bool, String) {
    let sending = async {
        let user = contact.discord.ok_or(Refused::Gone)?;
        let opened = until_done(&desk.rest, "opening a direct message", &Call::open_direct(user.0)).await?;
        let channel = opened["id"].as_str().and_then(|id| id.parse().ok()).ok_or(Refused::Rejected)?;
        let nonce: String = random_token().chars().take(25).collect();
        let message: Value = json!({
            "content": said::direct_test(contact, &who.person.name),
            "allowed_mentions": {"parse": []},
            "nonce": nonce,
            "enforce_nonce": true,
        });
        until_done(&desk.rest, "sending a direct message", &Call::post_message(channel, message)).await
    };
    match desk.engine.clock().timeout(LIMIT, sending).await {
        Some(Ok(_)) => (true, said::taken(None)),
        Some(Err(_)) => (false, said::refused(&words::no_direct_messages())),
        None => (false, said::unknown(&said::no_answer_from_discord())),
    }
}
