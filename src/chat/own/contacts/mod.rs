//! `/contacts`: who is called in a disaster; changed, tried out and verified from here.
//!
//! What must stay true: what a whole channel reads has no number and no address in it but masked ones, and what was typed is
//! not repeated anywhere: it may be somebody's number.

mod edit;
mod test;

use futures::FutureExt;
use serde_json::{Value, json};
use serenity::all::CommandInteraction;

use super::{Own, OwnOption, Sub};
use crate::{
    access::{self, Caller, Numbers},
    chat::{Desk, handler::caller, replies, slip::Slip},
    contacts::{edit::handle, way::Way},
    engine::Engine,
    progress::words,
    refusals,
    run::rungs::{EVERYONE, RESPONSIBLE},
    runbook::definition::ValueType,
};

pub(in crate::chat) use edit::clicked;

const SHARE: &str = "share";
const CONTACT: &str = "contact";
const ROLE: &str = "role";
const NAME: &str = "name";
const USER: &str = "user";
const PRIMARY: &str = "primary";
const SECONDARY: &str = "secondary";
const EMERGENCY: &str = "emergency";
const PREFERRED: &str = "preferred";
const WAY: &str = "way";

const COMMAND: &str = "contacts";

const WHO: OwnOption = OwnOption {
    name: CONTACT,
    help: "Who: a name, or a role that one person has",
    kind: ValueType::String,
    required: true,
    choices: Some(|engine, who| contacts(engine, who).boxed()),
};

const fn text(name: &'static str, help: &'static str) -> OwnOption {
    OwnOption { name, help, kind: ValueType::String, required: false, choices: None }
}

pub(super) const OWN: Own = Own {
    name: COMMAND,
    description: "Who is called in a disaster, and how",
    options: &[],
    subcommands: &[
        Sub {
            name: "list",
            description: "Who is in the table, how they are reached, and when that was last seen to work",
            options: &[OwnOption {
                name: SHARE,
                help: "Show it to the whole channel, with numbers masked",
                kind: ValueType::Boolean,
                required: false,
                choices: None,
            }],
        },
        Sub {
            name: "set",
            description: "Change a contact, or add one; \"-\" empties a field. The channel is told",
            options: &[
                WHO,
                OwnOption {
                    choices: Some(|engine, who| roles(engine, who).boxed()),
                    ..text(ROLE, "As the ladders of drbot.toml name it; needed for somebody new")
                },
                text(NAME, "What they are called"),
                text(USER, "Their user in Discord: a mention or an id"),
                text(PRIMARY, "First telephone number, like +49 30 1234567"),
                text(SECONDARY, "Second telephone number"),
                text(EMERGENCY, "Mail address for emergencies"),
                text(PREFERRED, "Ways they prefer, first things first: direct-message email sms voice"),
            ],
        },
        Sub { name: "remove", description: "Take somebody out of the table; asks first", options: &[WHO] },
        Sub { name: "verify", description: "Say that you have seen that a contact is reached", options: &[WHO] },
        Sub {
            name: "test",
            description: "Really send a test page to a contact, and see what comes of it",
            options: &[
                WHO,
                OwnOption {
                    choices: Some(|engine, who| ways(engine, who).boxed()),
                    ..text(WAY, "Only by this way; by all that they have when left out")
                },
            ],
        },
    ],
    give: |desk, command| give(desk, command).boxed(),
};

async fn give(desk: &Desk, command: CommandInteraction) {
    let who = caller(&command.user, command.member.as_deref(), command.channel_id, command.channel.as_ref());
    let given = command.data.options();
    let (sub, options) = (replies::subcommand(&given), replies::options(&given));
    let slip = replies::slip(&command, &who);
    let interaction = command.id.to_string();
    let which = options.get(CONTACT).map(String::as_str).unwrap_or_default();
    match sub.as_deref() {
        Some("set") => edit::set(desk, &slip, &who, &options, &interaction).await,
        Some("remove") => edit::ask_to_remove(desk, &slip, &who, which).await,
        Some("verify") => edit::verify(desk, &slip, &who, which, &interaction).await,
        Some("test") => {
            let way = options.get(WAY).map(String::as_str);
            test::test(desk, &slip, &who, which, way, &interaction).await;
        }
        _ => list(desk, &slip, &who, options.get(SHARE).is_some_and(|share| share == "true")).await,
    }
}

async fn list(desk: &Desk, slip: &Slip, who: &Caller, share: bool) {
    match desk.engine.contacts(who).await {
        Ok(seen) => {
            let whole = seen.numbers == Numbers::Whole && !share;
            let table = words::contacts::table(&seen.contacts, &seen.gaps, whole, desk.engine.clock().now());
            slip.show(desk, &json!({"title": "Contacts", "description": table}), !share).await;
        }
        Err(error) => slip.say(desk, &refusals::request_error(&desk.engine, COMMAND, &error)).await,
    }
}

/// A message's body that calls nobody.
fn body(text: &str, buttons: impl serde::Serialize) -> Value {
    json!({"content": text, "components": buttons, "allowed_mentions": {"parse": []}})
}

async fn contacts(engine: &Engine, who: &Caller) -> Vec<(String, String)> {
    let contacts = engine.nameable_contacts(who).await;
    contacts.iter().map(|contact| (contact.title(), handle(contact))).collect()
}

/// Roles that drbot.toml calls and that contacts have, for who may see the table.
async fn roles(engine: &Engine, who: &Caller) -> Vec<(String, String)> {
    if access::contacts(&engine.configuration().settings, who).is_err() {
        return Vec::new();
    }
    let there = engine.nameable_contacts(who).await.into_iter().map(|contact| contact.role);
    let named = engine.named_roles().into_iter().filter(|role| ![EVERYONE, RESPONSIBLE].contains(&role.as_str()));
    let mut roles: Vec<_> = there.chain(named).collect();
    roles.sort();
    roles.dedup();
    roles.into_iter().map(|role| (role.clone(), role)).collect()
}

async fn ways(engine: &Engine, _: &Caller) -> Vec<(String, String)> {
    let configuration = engine.configuration();
    let set_up = Way::PERSONAL.into_iter().filter(|way| way.is_set_up(&configuration.settings.paging));
    set_up.map(|way| (way.name().to_owned(), way.name().to_owned())).collect()
}
