//! From a request's body to a message: the rules for messages that a table of fields cannot state.
//!
//! Creating, editing, answering an interaction and following up all go through here, so that a limit holds everywhere or
//! nowhere. <https://discord.com/developers/docs/resources/message>

use serde_json::{Value, json};

use super::{
    components,
    error::ApiError,
    form::{Field, Problems, join, snowflake},
    model::{
        Attachment, FLAG_COMPONENTS_V2, FLAG_EPHEMERAL, FLAG_SUPPRESS_EMBEDS, FLAG_SUPPRESS_NOTIFICATIONS, Message,
        Upload,
    },
    permissions,
    state::{State, items, text},
    world,
};

/// <https://discord.com/developers/docs/resources/message#embed-object-embed-limits>
const EMBED_TOTAL: usize = 6000;
/// <https://discord.com/developers/docs/reference#uploading-files>
pub const FILE_LIMIT: usize = 10 * 1024 * 1024;
const FILES: usize = 10;

/// Checks the body of a message at `path` against `fields` and the rules.
pub fn check(state: &mut State, path: &str, body: &Value, files: &[Upload], fields: &[Field]) -> Result<(), ApiError> {
    let mut problems = state.examine(path, body, fields);
    embeds_total(&mut problems, path, body);
    components::check(&mut problems, path, items(body, "components"));
    mentions(&mut problems, path, body);
    uploads(&mut problems, path, body, files);
    if body.get("flags").and_then(Value::as_u64).unwrap_or(0) & FLAG_COMPONENTS_V2 != 0 {
        problems.add(&join(path, "flags"), "COMPONENTS_V2", "The rehearsal does not play components V2.");
    }
    problems.into_result(state.strict)?;
    if files.iter().any(|file| file.bytes.len() > FILE_LIMIT) {
        return Err(ApiError::new(413, 40005, "Request entity too large"));
    }
    Ok(())
}

fn embeds_total(problems: &mut Problems, path: &str, body: &Value) {
    let size = |embed: &Value| {
        let fields = items(embed, "fields").iter();
        let own = [text(embed, "title"), text(embed, "description")];
        let inner = [text(&embed["footer"], "text"), text(&embed["author"], "name")];
        let counted =
            own.into_iter().chain(inner).chain(fields.flat_map(|field| [text(field, "name"), text(field, "value")]));
        counted.map(|text| text.chars().count()).sum::<usize>()
    };
    if items(body, "embeds").iter().map(size).sum::<usize>() > EMBED_TOTAL {
        let message = format!("Embed size exceeds maximum size of {EMBED_TOTAL}");
        problems.add(&join(path, "embeds"), "MAX_EMBED_SIZE_EXCEEDED", message);
    }
}

/// `parse` and an explicit list exclude each other.
/// <https://discord.com/developers/docs/resources/message#allowed-mentions-object>
fn mentions(problems: &mut Problems, path: &str, body: &Value) {
    let allowed = &body["allowed_mentions"];
    for kind in ["users", "roles"] {
        let parsed = items(allowed, "parse").iter().any(|word| word == kind);
        if parsed && !items(allowed, kind).is_empty() {
            let message = format!("parse:[\"{kind}\"] and {kind}: [ids...] are mutually exclusive.");
            let at = join(path, "allowed_mentions");
            problems.add(&at, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message);
        }
    }
}

fn uploads(problems: &mut Problems, path: &str, body: &Value, files: &[Upload]) {
    if files.len() > FILES {
        problems.add(&join(path, "files"), "BASE_TYPE_MAX_LENGTH", format!("Must be {FILES} or fewer in length."));
    }
    for (index, described) in items(body, "attachments").iter().enumerate() {
        let known = described.get("id").and_then(snowflake);
        // Small ids name the files of this request; real ones name what the message already has.
        let small = known.filter(|id| *id < 1000);
        if small.is_some_and(|id| !files.iter().any(|file| file.index == id)) {
            let at = join(path, &format!("attachments.{index}.id"));
            problems.add(&at, "ATTACHMENT_NOT_FOUND", "Attachment data not found. Is there a files[n] for it?");
        }
    }
}

/// Writes what the body names into `message`, leaves the rest as it was, and refuses a message with nothing in it.
/// The body has been checked.
pub fn apply(state: &mut State, message: &mut Message, body: &Value, files: &[Upload]) -> Result<(), ApiError> {
    let set = |field: &str| body.get(field).is_some();
    if set("content") {
        message.content = text(body, "content").to_owned();
    }
    if set("embeds") {
        message.embeds = items(body, "embeds").iter().map(embed).collect();
    }
    if set("components") {
        message.components = components::numbered(items(body, "components"));
    }
    attach(state, message, body, files)?;
    link_images(state, message);
    if let Some(flags) = body.get("flags").and_then(Value::as_u64) {
        let settable = FLAG_SUPPRESS_EMBEDS | FLAG_SUPPRESS_NOTIFICATIONS;
        message.flags = (message.flags & !settable) | (flags & settable);
    }
    if set("content") || set("allowed_mentions") {
        mention(state, message, body);
    }
    let empty = message.content.trim().is_empty()
        && message.embeds.is_empty()
        && message.components.is_empty()
        && message.attachments.is_empty();
    if empty { Err(ApiError::empty_message()) } else { Ok(()) }
}

/// An embed as Discord gives it back: with its type, and without nulls.
fn embed(sent: &Value) -> Value {
    let mut embed = sent.clone();
    if let Some(object) = embed.as_object_mut() {
        object.retain(|_, value| !value.is_null());
        object.insert("type".to_owned(), json!("rich"));
    }
    for field in embed.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
        if !field["inline"].is_boolean() {
            field["inline"] = json!(false);
        }
    }
    embed
}

/// A body that lists attachments keeps those alone; one that does not keeps all.
fn attach(state: &mut State, message: &mut Message, body: &Value, files: &[Upload]) -> Result<(), ApiError> {
    let described = items(body, "attachments");
    let describes = |id: u64| described.iter().find(|item| item.get("id").and_then(snowflake) == Some(id));
    if body.get("attachments").is_some() {
        message.attachments.retain(|attachment| describes(attachment.id).is_some());
    }
    if message.attachments.len() + files.len() > FILES {
        return Err(ApiError::new(400, 30015, format!("Maximum number of attachments in a message reached ({FILES})")));
    }
    for file in files {
        let about = describes(file.index);
        let renamed = about.map(|item| text(item, "filename")).filter(|name| !name.is_empty());
        let attachment = Attachment {
            id: state.next_id(),
            filename: safe_name(renamed.unwrap_or(&file.filename)),
            description: about.and_then(|item| item["description"].as_str()).map(str::to_owned),
            content_type: file.content_type.clone(),
            size: file.bytes.len(),
        };
        state.files.insert(attachment.id, (file.content_type.clone(), file.bytes.clone()));
        message.attachments.push(attachment);
    }
    Ok(())
}

/// A file's name as it stands in its URL.
fn safe_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    name.chars().map(safe).collect()
}

/// `attachment://NAME` in an embed becomes the address of the file.
fn link_images(state: &State, message: &mut Message) {
    let files = &message.attachments;
    for embed in &mut message.embeds {
        for (place, key) in [("image", "url"), ("thumbnail", "url"), ("author", "icon_url"), ("footer", "icon_url")] {
            let Some(url) = embed.get_mut(place).and_then(|media| media.get_mut(key)) else { continue };
            let name = url.as_str().and_then(|url| url.strip_prefix("attachment://")).map(str::to_owned);
            if let Some(file) = files.iter().find(|file| Some(&file.filename) == name.as_ref()) {
                *url = json!(format!("{}/rehearsal/api/files/{}/{}", state.url, file.id, file.filename));
            }
        }
    }
}

/// Who is pinged: named in the text, and allowed. Everything is allowed when nothing is said.
fn mention(state: &State, message: &mut Message, body: &Value) {
    let allowed = body.get("allowed_mentions").filter(|allowed| !allowed.is_null());
    let may = |kind: &str, id: u64| {
        allowed.is_none_or(|allowed| {
            items(allowed, "parse").iter().any(|word| word == kind)
                || items(allowed, kind).iter().any(|listed| snowflake(listed) == Some(id))
        })
    };
    let content = &message.content;
    let named = |form: &dyn Fn(u64) -> String, id: u64| content.contains(&form(id));
    let everyone = state.permissions(message.author, message.channel) & permissions::MENTION_EVERYONE != 0;
    let users = state.people.iter().map(|person| person.id);
    message.mentions = users
        .filter(|id| named(&|id| format!("<@{id}>"), *id) || named(&|id| format!("<@!{id}>"), *id))
        .filter(|id| may("users", *id))
        .collect();
    message.mention_roles = (state.roles.iter())
        .filter(|role| role.id != world::ROLE_EVERYONE && (role.mentionable || everyone))
        .map(|role| role.id)
        .filter(|id| named(&|id| format!("<@&{id}>"), *id) && may("roles", *id))
        .collect();
    let called = content.contains("@everyone") || content.contains("@here");
    message.mention_everyone = called && everyone && may("everyone", 0);
}

/// A message with nothing in it yet.
pub fn blank(state: &mut State, channel: u64, author: u64) -> Message {
    Message {
        id: state.next_id(),
        channel,
        author,
        kind: 0,
        content: String::new(),
        created: state.now(),
        edited: None,
        embeds: Vec::new(),
        components: Vec::new(),
        attachments: Vec::new(),
        flags: 0,
        nonce: None,
        tts: false,
        pinned: false,
        mentions: Vec::new(),
        mention_roles: Vec::new(),
        mention_everyone: false,
        reference: None,
        answers: None,
        only_for: None,
        thread: None,
        late_edits: Vec::new(),
    }
}

/// Whether a body asks for an ephemeral message.
pub fn is_ephemeral(body: &Value) -> bool {
    body.get("flags").and_then(Value::as_u64).unwrap_or(0) & FLAG_EPHEMERAL != 0
}
