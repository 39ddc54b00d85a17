//! Messages, embeds, components and forms.
//!
//! <https://discord.com/developers/docs/resources/message>, <https://discord.com/developers/docs/components/reference>

use crate::rehearsal::form::{
    Field,
    Shape::{self, Boolean, Choice, Integer, List, Nonce, Object, Snowflake, Tagged, Text, Time, Word},
    may, must,
};

const URL: Shape = Text(0, 2048);
const WHOLE: Shape = Integer(0, i64::MAX);
const NESTED_COMPONENT_ID: Shape = Integer(0, i32::MAX as i64);

static EMBED_MEDIA: [Field; 4] =
    [may("url", URL), may("height", WHOLE), may("width", WHOLE), may("description", Text(0, 4096))];
static EMBED_AUTHOR: [Field; 3] = [may("name", Text(0, 256)), may("url", URL), may("icon_url", URL)];
static EMBED_FOOTER: [Field; 2] = [may("text", Text(0, 2048)), may("icon_url", URL)];
static EMBED_FIELD: [Field; 3] = [must("name", Text(1, 256)), must("value", Text(1, 1024)), may("inline", Boolean)];
static EMBED: [Field; 12] = [
    may("type", Text(0, 32)),
    may("title", Text(0, 256)),
    may("description", Text(0, 4096)),
    may("url", URL),
    may("timestamp", Time),
    may("color", Integer(0, 0xff_ffff)),
    // discord.py sends it; it changes nothing.
    may("flags", WHOLE),
    may("footer", Object(&EMBED_FOOTER)),
    may("image", Object(&EMBED_MEDIA)),
    may("thumbnail", Object(&EMBED_MEDIA)),
    may("author", Object(&EMBED_AUTHOR)),
    may("fields", List(0, 25, &Object(&EMBED_FIELD))),
];

static EMOJI: [Field; 3] = [may("id", Snowflake), may("name", Text(0, 64)), may("animated", Boolean)];
static BUTTON: [Field; 9] = [
    must("type", Choice(&[2])),
    must("style", Choice(&[1, 2, 3, 4, 5])),
    may("id", NESTED_COMPONENT_ID),
    may("label", Text(0, 80)),
    may("custom_id", Text(1, 100)),
    may("url", Text(0, 512)),
    may("disabled", Boolean),
    may("emoji", Object(&EMOJI)),
    may("sku_id", Snowflake),
];
static SELECT_OPTION: [Field; 5] = [
    must("label", Text(1, 100)),
    must("value", Text(1, 100)),
    may("description", Text(0, 100)),
    may("emoji", Object(&EMOJI)),
    may("default", Boolean),
];
static STRING_SELECT: [Field; 9] = [
    must("type", Choice(&[3])),
    must("custom_id", Text(1, 100)),
    must("options", List(1, 25, &Object(&SELECT_OPTION))),
    may("id", NESTED_COMPONENT_ID),
    may("placeholder", Text(0, 150)),
    may("min_values", Integer(0, 25)),
    may("max_values", Integer(1, 25)),
    may("disabled", Boolean),
    may("required", Boolean),
];
static DEFAULT_VALUE: [Field; 2] = [must("id", Snowflake), must("type", Word(&["user", "role", "channel"]))];
static ENTITY_SELECT: [Field; 10] = [
    must("type", Choice(&[5, 6, 7, 8])),
    must("custom_id", Text(1, 100)),
    may("id", NESTED_COMPONENT_ID),
    may("placeholder", Text(0, 150)),
    may("min_values", Integer(0, 25)),
    may("max_values", Integer(1, 25)),
    may("disabled", Boolean),
    may("required", Boolean),
    may("default_values", List(0, 25, &Object(&DEFAULT_VALUE))),
    may("channel_types", List(0, 20, &WHOLE)),
];
static IN_A_ROW: [(i64, &[Field]); 6] = [
    (2, &BUTTON),
    (3, &STRING_SELECT),
    (5, &ENTITY_SELECT),
    (6, &ENTITY_SELECT),
    (7, &ENTITY_SELECT),
    (8, &ENTITY_SELECT),
];
static ROW: [Field; 3] =
    [must("type", Choice(&[1])), may("id", NESTED_COMPONENT_ID), must("components", List(1, 5, &Tagged(&IN_A_ROW)))];

static TEXT_INPUT: [Field; 10] = [
    must("type", Choice(&[4])),
    must("custom_id", Text(1, 100)),
    must("style", Choice(&[1, 2])),
    may("id", NESTED_COMPONENT_ID),
    may("label", Text(1, 45)),
    may("min_length", Integer(0, 4000)),
    may("max_length", Integer(1, 4000)),
    may("required", Boolean),
    may("value", Text(0, 4000)),
    may("placeholder", Text(0, 100)),
];
static IN_A_MODAL_ROW: [(i64, &[Field]); 1] = [(4, &TEXT_INPUT)];
static IN_A_LABEL: [(i64, &[Field]); 6] = [
    (3, &STRING_SELECT),
    (4, &TEXT_INPUT),
    (5, &ENTITY_SELECT),
    (6, &ENTITY_SELECT),
    (7, &ENTITY_SELECT),
    (8, &ENTITY_SELECT),
];
static MODAL_ROW: [Field; 3] = [
    must("type", Choice(&[1])),
    may("id", NESTED_COMPONENT_ID),
    must("components", List(1, 1, &Tagged(&IN_A_MODAL_ROW))),
];
static MODAL_LABEL: [Field; 5] = [
    must("type", Choice(&[18])),
    may("id", NESTED_COMPONENT_ID),
    must("label", Text(1, 45)),
    may("description", Text(0, 100)),
    must("component", Tagged(&IN_A_LABEL)),
];
static MODAL_TEXT: [Field; 3] =
    [must("type", Choice(&[10])), may("id", NESTED_COMPONENT_ID), must("content", Text(1, 4000))];
static IN_A_MODAL: [(i64, &[Field]); 3] = [(1, &MODAL_ROW), (10, &MODAL_TEXT), (18, &MODAL_LABEL)];
pub static MODAL: [Field; 3] =
    [must("custom_id", Text(1, 100)), must("title", Text(1, 45)), must("components", List(1, 5, &Tagged(&IN_A_MODAL)))];

static ALLOWED_MENTIONS: [Field; 4] = [
    may("parse", List(0, 3, &Word(&["users", "roles", "everyone"]))),
    may("users", List(0, 100, &Snowflake)),
    may("roles", List(0, 100, &Snowflake)),
    may("replied_user", Boolean),
];
static REFERENCE: [Field; 5] = [
    may("type", Choice(&[0])),
    must("message_id", Snowflake),
    may("channel_id", Snowflake),
    may("guild_id", Snowflake),
    may("fail_if_not_exists", Boolean),
];
static ATTACHMENT: [Field; 12] = [
    must("id", Snowflake),
    may("filename", Text(0, 1024)),
    may("description", Text(0, 1024)),
    may("title", Text(0, 1024)),
    may("is_spoiler", Boolean),
    // A client that keeps an attachment sends back what it was given.
    may("size", WHOLE),
    may("url", URL),
    may("proxy_url", URL),
    may("height", WHOLE),
    may("width", WHOLE),
    may("content_type", Text(0, 256)),
    may("ephemeral", Boolean),
];

static AN_EMBED: Shape = Object(&EMBED);
static A_ROW: Shape = Object(&ROW);
static AN_ATTACHMENT: Shape = Object(&ATTACHMENT);
const EMBEDS: Field = may("embeds", List(0, 10, &AN_EMBED));
const COMPONENTS: Field = may("components", List(0, 5, &A_ROW));
const MENTIONS: Field = may("allowed_mentions", Object(&ALLOWED_MENTIONS));
const ATTACHMENTS: Field = may("attachments", List(0, 10, &AN_ATTACHMENT));

pub static MESSAGE_CREATE: [Field; 11] = [
    may("content", Text(0, 2000)),
    may("nonce", Nonce),
    may("enforce_nonce", Boolean),
    may("tts", Boolean),
    EMBEDS,
    MENTIONS,
    may("message_reference", Object(&REFERENCE)),
    COMPONENTS,
    ATTACHMENTS,
    may("flags", WHOLE),
    may("sticker_ids", List(0, 0, &Snowflake)),
];
pub static MESSAGE_EDIT: [Field; 6] =
    [may("content", Text(0, 2000)), EMBEDS, MENTIONS, COMPONENTS, ATTACHMENTS, may("flags", WHOLE)];
/// Follow-ups and the data of a callback.
pub static MESSAGE_RESPONSE: [Field; 7] = [
    may("content", Text(0, 2000)),
    may("tts", Boolean),
    EMBEDS,
    MENTIONS,
    COMPONENTS,
    ATTACHMENTS,
    may("flags", WHOLE),
];
