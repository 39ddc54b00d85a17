//! Discord's request bodies, one table each: the fields it knows and the limits it documents for them.
//!
//! Components V2, polls and stickers are not played.

mod commands;
mod messages;

pub use self::{
    commands::{AUTOCOMPLETE, COMMAND},
    messages::{MESSAGE_CREATE, MESSAGE_EDIT, MESSAGE_RESPONSE, MODAL},
};
use super::form::{
    Field,
    Shape::{self, Any, Boolean, Choice, Integer, Snowflake, Text},
    may, must,
};

/// <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response-object>
pub static CALLBACK: [Field; 2] = [must("type", Choice(&[1, 4, 5, 6, 7, 8, 9])), may("data", Any)];

/// <https://discord.com/developers/docs/resources/channel#start-thread-from-message>
const ARCHIVE_AFTER: Shape = Choice(&[60, 1440, 4320, 10080]);
const SLOW_MODE: Field = may("rate_limit_per_user", Integer(0, 21600));
pub static THREAD_FROM_MESSAGE: [Field; 3] =
    [must("name", Text(1, 100)), may("auto_archive_duration", ARCHIVE_AFTER), SLOW_MODE];
pub static THREAD: [Field; 5] = [
    must("name", Text(1, 100)),
    may("auto_archive_duration", ARCHIVE_AFTER),
    SLOW_MODE,
    may("type", Choice(&[11, 12])),
    may("invitable", Boolean),
];
pub static THREAD_EDIT: [Field; 6] = [
    may("name", Text(1, 100)),
    may("archived", Boolean),
    may("auto_archive_duration", ARCHIVE_AFTER),
    may("locked", Boolean),
    may("invitable", Boolean),
    SLOW_MODE,
];
pub static CHANNEL_EDIT: [Field; 2] = [may("name", Text(1, 100)), may("topic", Text(0, 1024))];
pub static DIRECT_CHANNEL: [Field; 1] = [must("recipient_id", Snowflake)];
