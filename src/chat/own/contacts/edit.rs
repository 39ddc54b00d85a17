//! `/contacts set | remove | verify`, and the buttons that ask whether it is meant.

use std::collections::BTreeMap;

use serde_json::json;
use serenity::all::{ButtonStyle, CreateActionRow, CreateButton};

use super::{EMERGENCY, NAME, PREFERRED, PRIMARY, ROLE, SECONDARY, USER, body};
use crate::{
    access::Caller,
    chat::{Desk, components::once, slip::Slip},
    contacts::edit::{Wanted, mark},
    engine::ContactError,
    progress::{contact::ContactButton, words::contacts as words},
    refusals::contact_error,
    run::notice::ContactChange,
};

pub(super) async fn set(desk: &Desk, slip: &Slip, who: &Caller, options: &BTreeMap<String, String>, interaction: &str) {
    let option = |name: &str| options.get(name).cloned();
    let wanted = Wanted {
        role: option(ROLE),
        name: option(NAME),
        discord: option(USER),
        primary: option(PRIMARY),
        secondary: option(SECONDARY),
        emergency: option(EMERGENCY),
        preferred: option(PREFERRED),
    };
    let which = options.get(super::CONTACT).map(String::as_str).unwrap_or_default();
    let work = Box::pin(async { said(desk.engine.set_contact(who, which, &wanted).await) });
    answer(desk, slip, interaction, work).await;
}

pub(super) async fn verify(desk: &Desk, slip: &Slip, who: &Caller, which: &str, interaction: &str) {
    let work = Box::pin(async { said(desk.engine.verify_contact(who, which).await) });
    answer(desk, slip, interaction, work).await;
}

/// Says what would follow, with the button that does it.
pub(super) async fn ask_to_remove(desk: &Desk, slip: &Slip, who: &Caller, which: &str) {
    match desk.engine.may_remove_contact(who, which).await {
        Ok((contact, left_open)) => {
            let id = ContactButton::Remove { contact: mark(&contact) }.to_string();
            let button = CreateButton::new(id).label(words::remove_label()).style(ButtonStyle::Danger);
            let text = words::really_remove(&contact, &left_open);
            let question = body(&text, [CreateActionRow::Buttons(vec![button])]);
            slip.ask(desk, question, &words::could_not_ask()).await;
        }
        Err(error) => slip.say(desk, &contact_error(&error)).await,
    }
}

/// A button below such a question, or below what came of a test.
pub(in crate::chat) async fn clicked(
    desk: &Desk,
    slip: &Slip,
    who: &Caller,
    button: &ContactButton,
    interaction: &str,
) {
    let work = async {
        said(match button {
            ContactButton::Remove { contact } => desk.engine.remove_contact(who, contact).await,
            ContactButton::Verify { contact } => desk.engine.verify_contact(who, contact).await,
        })
    };
    let text = once(&desk.engine, interaction, work).await;
    // Delivered twice: the first one is answered.
    if text.is_empty() {
        return;
    }
    match button {
        // In the place of the question, which is answered.
        ContactButton::Remove { .. } => slip.put_in_place(desk, body(&text, json!([]))).await,
        ContactButton::Verify { .. } => slip.say(desk, &text).await,
    }
}

async fn answer(desk: &Desk, slip: &Slip, interaction: &str, work: impl Future<Output = String>) {
    let text = slip.acknowledge_beside(desk, once(&desk.engine, interaction, work)).await;
    // Delivered twice: the first one is answered.
    if !text.is_empty() && !slip.fill_in(desk, &text).await {
        slip.say_in_channel(desk, &text).await;
    }
}

fn said(result: Result<Vec<ContactChange>, ContactError>) -> String {
    match result {
        Ok(changes) => words::done(&changes),
        Err(error) => {
            // Without the error's words: what was typed may be somebody's number.
            tracing::info!("a change of the contacts is refused");
            contact_error(&error)
        }
    }
}
