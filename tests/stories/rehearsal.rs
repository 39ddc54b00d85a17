//! The rehearsal plays Discord for a bot that knows nothing of it: serenity, with only its addresses changed.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a story that cannot go on has failed")]

use std::{sync::Arc, time::Duration};

use drbot::{
    clock::Clock,
    rehearsal::{Rehearsal, Settings, world},
};
use serde_json::{Value, json};
use serenity::all::{
    ActionRowComponent, ButtonStyle, ChannelId, ClientBuilder, CommandOptionType, Context, CreateActionRow,
    CreateAllowedMentions, CreateAttachment, CreateAutocompleteResponse, CreateButton, CreateCommand,
    CreateCommandOption, CreateEmbed, CreateInputText, CreateInteractionResponse, CreateInteractionResponseFollowup,
    CreateInteractionResponseMessage, CreateMessage, CreateModal, CreateSelectMenu, CreateSelectMenuKind,
    CreateSelectMenuOption, CreateThread, EditInteractionResponse, EditMessage, EditThread, EventHandler,
    GatewayIntents, GuildId, Http, HttpBuilder, InputTextStyle, Interaction, Message, Nonce, Ready, ResumedEvent,
    RoleId, ShardManager, UserId, async_trait,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const PATIENCE: Duration = Duration::from_secs(10);
const INCIDENTS: ChannelId = ChannelId::new(world::INCIDENTS);

/// What the bot heard.
#[derive(Debug)]
enum Heard {
    Ready(Box<Ready>),
    Resumed,
    Interaction(Box<Interaction>),
    Message(Box<Message>),
}

struct Ears(UnboundedSender<Heard>);

#[async_trait]
impl EventHandler for Ears {
    async fn ready(&self, _: Context, ready: Ready) {
        let _ = self.0.send(Heard::Ready(Box::new(ready)));
    }

    async fn resume(&self, _: Context, _: ResumedEvent) {
        let _ = self.0.send(Heard::Resumed);
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        let _ = self.0.send(Heard::Interaction(Box::new(interaction)));
    }

    async fn message(&self, _: Context, message: Message) {
        let _ = self.0.send(Heard::Message(Box::new(message)));
    }
}

/// A rehearsal with a bot at its gateway, and a hand on the control API.
struct Stage {
    rehearsal: Rehearsal,
    http: Arc<Http>,
    heard: UnboundedReceiver<Heard>,
    shards: Arc<ShardManager>,
    hand: Hand,
}

/// The control API.
#[derive(Clone)]
struct Hand {
    api: String,
    client: reqwest::Client,
}

impl Hand {
    fn new(rehearsal: &Rehearsal) -> Self {
        Self { api: format!("{}/rehearsal/api", rehearsal.api_url()), client: reqwest::Client::new() }
    }

    async fn post(&self, call: &str, body: Value) -> (u16, Value) {
        let response = self.client.post(format!("{}/{call}", self.api)).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn get(&self, call: &str) -> Value {
        self.client.get(format!("{}/{call}", self.api)).send().await.unwrap().json().await.unwrap()
    }

    /// Starts a call that ends when the bot has reacted.
    fn does(&self, call: &'static str, body: Value) -> tokio::task::JoinHandle<Value> {
        let hand = self.clone();
        tokio::spawn(async move {
            let (status, answer) = hand.post(call, body).await;
            assert_eq!(status, 200, "{answer}");
            answer
        })
    }

    async fn messages(&self, channel: &str, person: &str) -> Vec<Value> {
        self.get(&format!("messages?channel={channel}&person={person}")).await.as_array().unwrap().clone()
    }
}

fn settings() -> Settings {
    Settings { limits: false, ..Settings::strict(Clock::system()) }
}

impl Stage {
    async fn set() -> Self {
        Self::set_with(settings()).await
    }

    async fn set_with(settings: Settings) -> Self {
        let rehearsal = Rehearsal::start(settings).await.unwrap();
        let http = HttpBuilder::new(world::TOKEN).proxy(rehearsal.api_url()).ratelimiter_disabled(true).build();
        http.set_application_id(world::APPLICATION.into());
        let (said, heard) = unbounded_channel();
        let intents = GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::MESSAGE_CONTENT;
        let mut client = ClientBuilder::new_with_http(http, intents).event_handler(Ears(said)).await.unwrap();
        let (http, shards) = (client.http.clone(), client.shard_manager.clone());
        tokio::spawn(async move { client.start().await });
        let hand = Hand::new(&rehearsal);
        let mut stage = Self { rehearsal, http, heard, shards, hand };
        let ready = stage.hears(|heard| match heard {
            Heard::Ready(ready) => Some(ready),
            _ => None,
        });
        assert_eq!(ready.await.user.id, UserId::new(world::BOT_USER));
        // serenity dials the real gateway when it is not told of another: it must have asked this one.
        assert_eq!(stage.hand.get("state").await["connected"], true);
        let asked = stage.hand.get("log?path=/gateway").await;
        assert!(!asked.as_array().unwrap().is_empty());
        stage
    }

    /// The next thing heard that `wanted` takes; others are passed over.
    async fn hears<T>(&mut self, wanted: impl Fn(Heard) -> Option<T>) -> T {
        let search = async {
            loop {
                let heard = self.heard.recv().await.expect("the bot is gone");
                if let Some(found) = wanted(heard) {
                    return found;
                }
            }
        };
        Clock::system().timeout(PATIENCE, search).await.expect("the bot has not heard it")
    }

    async fn interaction(&mut self) -> Interaction {
        self.hears(|heard| match heard {
            Heard::Interaction(interaction) => Some(*interaction),
            _ => None,
        })
        .await
    }

    async fn registers(&self, commands: Vec<CreateCommand>) {
        GuildId::new(world::GUILD).set_commands(&self.http, commands).await.unwrap();
    }

    /// Ends the play: nothing that the bot sent was unknown to the rehearsal.
    async fn ends(self) {
        for entry in self.hand.get("log").await.as_array().unwrap() {
            assert_eq!(entry.get("unknown"), None, "{entry}");
        }
        self.shards.shutdown_all().await;
        self.rehearsal.shutdown().await;
    }
}

fn restore() -> CreateCommand {
    let target = CreateCommandOption::new(CommandOptionType::String, "target", "What to restore").required(true);
    let who = CreateCommandOption::new(CommandOptionType::User, "who", "Who approves");
    CreateCommand::new("restore")
        .description("Restore a target")
        .add_option(target.set_autocomplete(true))
        .add_option(who)
}

fn says(content: &str) -> CreateInteractionResponse {
    CreateInteractionResponse::Message(CreateInteractionResponseMessage::new().content(content))
}

fn button(id: &str, label: &str) -> CreateActionRow {
    CreateActionRow::Buttons(vec![CreateButton::new(id).label(label).style(ButtonStyle::Danger)])
}

#[tokio::test]
async fn a_person_runs_a_command_and_the_bot_answers() {
    let mut stage = Stage::set().await;
    stage.registers(vec![restore()]).await;
    let dana = stage.hand.does("command", json!({
        "person": "Dana", "channel": "#incidents", "command": "restore", "options": {"target": "main", "who": "Omar"},
    }));
    let Interaction::Command(command) = stage.interaction().await else { panic!("not a command") };
    assert_eq!(command.data.name, "restore");
    assert_eq!(command.data.options[0].value.as_str(), Some("main"));
    assert_eq!(command.data.resolved.users.keys().next(), Some(&UserId::new(world::OMAR)));
    let member = command.member.as_ref().unwrap();
    assert_eq!(member.roles, [RoleId::new(world::ROLE_OPERATOR)]);
    assert!(!member.permissions.unwrap().administrator());
    command.create_response(&stage.http, says("Restoring main")).await.unwrap();

    let reaction = dana.await.unwrap();
    assert_eq!(reaction["acknowledged"], true);
    assert_eq!(reaction["response"]["content"], "Restoring main");
    assert_eq!(reaction["response"]["interaction_metadata"]["user"]["username"], "dana");
    let original = command.get_response(&stage.http).await.unwrap();
    assert_eq!(original.content, "Restoring main");
    stage.ends().await;
}

#[tokio::test]
async fn a_button_is_pressed_and_the_message_changes() {
    let mut stage = Stage::set().await;
    let card = CreateMessage::new().content("Restore main?").components(vec![button("ok", "Approve")]);
    let card = INCIDENTS.send_message(&stage.http, card).await.unwrap();
    let omar = stage.hand.does("click", json!({"person": "Omar", "message": "latest", "label": "Approve"}));
    let Interaction::Component(press) = stage.interaction().await else { panic!("not a press") };
    assert_eq!((press.data.custom_id.as_str(), press.message.id), ("ok", card.id));
    let update = CreateInteractionResponseMessage::new().content("Approved by Omar").components(vec![]);
    press.create_response(&stage.http, CreateInteractionResponse::UpdateMessage(update)).await.unwrap();
    assert_eq!(omar.await.unwrap()["response"]["content"], "Approved by Omar");

    let (status, error) =
        stage.hand.post("click", json!({"person": "Omar", "message": card.id, "label": "Approve"})).await;
    assert_eq!(status, 404);
    assert!(error["error"].as_str().unwrap().contains("is not on message"), "{error}");
    stage.ends().await;
}

#[tokio::test]
async fn the_bot_posts_edits_and_deletes() {
    let mut stage = Stage::set().await;
    let first = CreateMessage::new().embed(CreateEmbed::new().title("RTO 30:00").field("Step", "1 of 4", true));
    let mut card = INCIDENTS.send_message(&stage.http, first).await.unwrap();
    card.edit(&stage.http, EditMessage::new().embed(CreateEmbed::new().title("RTO 12:00"))).await.unwrap();
    let seen = stage.hand.messages("incidents", "Gil").await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["embeds"][0]["title"], "RTO 12:00");
    assert!(!seen[0]["edited_timestamp"].is_null());
    let heard = stage.hears(|heard| match heard {
        Heard::Message(message) => Some(message.id),
        _ => None,
    });
    assert_eq!(heard.await, card.id);
    card.delete(&stage.http).await.unwrap();
    assert!(stage.hand.messages("incidents", "Gil").await.is_empty());
    stage.ends().await;
}

#[tokio::test]
async fn an_ephemeral_answer_is_seen_by_its_addressee_alone() {
    let mut stage = Stage::set().await;
    stage.registers(vec![CreateCommand::new("status").description("Status")]).await;
    let dana = stage.hand.does("command", json!({"person": "Dana", "channel": "ops", "command": "/status"}));
    let Interaction::Command(command) = stage.interaction().await else { panic!("not a command") };
    command.defer_ephemeral(&stage.http).await.unwrap();
    assert_eq!(dana.await.unwrap()["response"]["flags"], 64 | 128);
    let edit = EditInteractionResponse::new().content("All is well");
    command.edit_response(&stage.http, edit).await.unwrap();
    let more = CreateInteractionResponseFollowup::new().content("Really").ephemeral(true);
    command.create_followup(&stage.http, more).await.unwrap();

    let seen: Vec<Value> =
        stage.hand.messages("ops", "Dana").await.iter().map(|seen| seen["content"].clone()).collect();
    assert_eq!(seen, ["All is well", "Really"]);
    assert!(stage.hand.messages("ops", "Omar").await.is_empty());
    stage.ends().await;
}

#[tokio::test]
async fn a_form_is_opened_filled_in_and_answered() {
    let mut stage = Stage::set().await;
    stage.registers(vec![CreateCommand::new("note").description("Note")]).await;
    let lena = stage.hand.does("command", json!({"person": "Lena", "channel": "ops", "command": "note"}));
    let Interaction::Command(command) = stage.interaction().await else { panic!("not a command") };
    let input = CreateInputText::new(InputTextStyle::Paragraph, "What happened?", "what").required(true);
    let form = CreateModal::new("note-form", "A note").components(vec![CreateActionRow::InputText(input)]);
    command.create_response(&stage.http, CreateInteractionResponse::Modal(form)).await.unwrap();
    let form = lena.await.unwrap()["modal"].clone();
    assert_eq!((&form["title"], &form["custom_id"]), (&json!("A note"), &json!("note-form")));

    let values = json!({"person": "Lena", "modal": form["id"], "values": {"what": "The disk is full"}});
    let lena = stage.hand.does("submit", values);
    let Interaction::Modal(submitted) = stage.interaction().await else { panic!("not a form") };
    let ActionRowComponent::InputText(text) = &submitted.data.components[0].components[0] else { panic!("no text") };
    assert_eq!((text.custom_id.as_str(), text.value.as_deref()), ("what", Some("The disk is full")));
    submitted.create_response(&stage.http, says("Noted")).await.unwrap();
    assert_eq!(lena.await.unwrap()["response"]["content"], "Noted");
    stage.ends().await;
}

#[tokio::test]
async fn an_option_is_completed_while_it_is_typed() {
    let mut stage = Stage::set().await;
    stage.registers(vec![restore()]).await;
    let typing = json!({
        "person": "Dana", "channel": "incidents", "command": "restore", "options": {"target": "ma"}, "focused": "target",
    });
    let dana = stage.hand.does("autocomplete", typing);
    let Interaction::Autocomplete(typing) = stage.interaction().await else { panic!("not autocomplete") };
    assert_eq!(typing.data.autocomplete().unwrap().value, "ma");
    let choices = CreateAutocompleteResponse::new().add_string_choice("Main", "main");
    typing.create_response(&stage.http, CreateInteractionResponse::Autocomplete(choices)).await.unwrap();
    assert_eq!(dana.await.unwrap()["choices"], json!([{"name": "Main", "value": "main"}]));
    stage.ends().await;
}

#[tokio::test]
async fn a_select_gives_what_was_chosen() {
    let mut stage = Stage::set().await;
    let options = ["one", "two"].map(|name| CreateSelectMenuOption::new(name.to_uppercase(), name)).to_vec();
    let menu = CreateSelectMenu::new("step", CreateSelectMenuKind::String { options }).placeholder("Which step?");
    let card = CreateMessage::new().content("Skip").select_menu(menu);
    INCIDENTS.send_message(&stage.http, card).await.unwrap();
    let (status, error) =
        stage.hand.post("click", json!({"person": "Omar", "label": "Which step?", "values": ["3"]})).await;
    assert_eq!((status, error["error"].as_str()), (400, Some("\"3\" is not in this select; there is: ONE, TWO")));
    let omar = stage.hand.does("click", json!({"person": "Omar", "custom_id": "step", "values": ["TWO"]}));
    let Interaction::Component(chosen) = stage.interaction().await else { panic!("not a choice") };
    let serenity::all::ComponentInteractionDataKind::StringSelect { values } = &chosen.data.kind else {
        panic!("no values")
    };
    assert_eq!(values, &["two"]);
    chosen.create_response(&stage.http, CreateInteractionResponse::Acknowledge).await.unwrap();
    assert_eq!(omar.await.unwrap()["acknowledged"], true);
    stage.ends().await;
}

#[tokio::test]
async fn a_file_is_posted_and_can_be_read() {
    let stage = Stage::set().await;
    let report = CreateMessage::new().add_file(CreateAttachment::bytes(b"what happened".as_slice(), "report.md"));
    let message = INCIDENTS.send_message(&stage.http, report).await.unwrap();
    assert_eq!(message.attachments[0].size, 13);
    assert_eq!(message.attachments[0].download().await.unwrap(), b"what happened");
    stage.ends().await;
}

#[tokio::test]
async fn a_thread_holds_the_details_until_it_is_archived() {
    let stage = Stage::set().await;
    let card = INCIDENTS.say(&stage.http, "Incident").await.unwrap();
    let thread = INCIDENTS.create_thread_from_message(&stage.http, card.id, CreateThread::new("INC-1")).await.unwrap();
    let mut step = thread.id.say(&stage.http, "Step 1").await.unwrap();
    thread.id.edit_thread(&stage.http, EditThread::new().archived(true)).await.unwrap();
    let error = step.edit(&stage.http, EditMessage::new().content("Step 2")).await.unwrap_err();
    assert_eq!(code(&error), 50083);
    let seen = stage.hand.messages("INC-1", "Gil").await;
    assert_eq!(seen.last().unwrap()["content"], "Step 1");
    stage.ends().await;
}

fn code(error: &serenity::Error) -> isize {
    match error {
        serenity::Error::Http(serenity::http::HttpError::UnsuccessfulRequest(response)) => response.error.code,
        other => panic!("not an answer: {other}"),
    }
}

#[tokio::test]
async fn a_nonce_keeps_a_retried_post_from_doubling() {
    let stage = Stage::set().await;
    let card = || {
        let quiet = CreateAllowedMentions::new();
        CreateMessage::new()
            .content("Card")
            .nonce(Nonce::String("run-1".to_owned()))
            .enforce_nonce(true)
            .allowed_mentions(quiet)
    };
    let fault = json!({"kind": "rest_status", "path": "/channels/*/messages", "status": 502, "after": true});
    stage.hand.post("fault", fault).await;
    INCIDENTS.send_message(&stage.http, card()).await.unwrap_err();
    INCIDENTS.send_message(&stage.http, card()).await.unwrap();
    assert_eq!(stage.hand.messages("incidents", "Gil").await.len(), 1);
    stage.ends().await;
}

#[tokio::test]
async fn a_dropped_connection_is_resumed_and_nothing_is_missed() {
    let mut stage = Stage::set().await;
    stage.hand.post("fault", json!({"kind": "drop_gateway"})).await;
    stage.hand.post("say", json!({"person": "Gil", "channel": "ops", "content": "Is it down?"})).await;
    let (mut resumed, mut message) = (false, None);
    while !(resumed && message.is_some()) {
        match stage.hears(Some).await {
            Heard::Ready(_) => panic!("identified anew"),
            Heard::Resumed => resumed = true,
            Heard::Message(heard) => message = Some(heard.content),
            Heard::Interaction(_) => {}
        }
    }
    assert_eq!(message.as_deref(), Some("Is it down?"));
    stage.ends().await;
}

#[tokio::test]
async fn a_refused_resume_ends_in_a_new_session() {
    let mut stage = Stage::set().await;
    stage.hand.post("fault", json!({"kind": "refuse_resume"})).await;
    stage.hand.post("fault", json!({"kind": "drop_gateway"})).await;
    stage
        .hears(|heard| match heard {
            Heard::Ready(_) => Some(()),
            Heard::Resumed => panic!("resumed"),
            _ => None,
        })
        .await;
    stage.ends().await;
}

#[tokio::test]
async fn without_a_bot_nobody_hears() {
    let rehearsal = Rehearsal::start(settings()).await.unwrap();
    let hand = Hand::new(&rehearsal);
    let commands = format!("{}/api/v10/applications/{}/commands", rehearsal.api_url(), world::APPLICATION);
    let command = hand.client.post(commands).header("Authorization", format!("Bot {}", world::TOKEN));
    let command = command.json(&json!({"name": "go", "description": "Go"})).send().await.unwrap();
    assert_eq!(command.status(), 201);
    let (_, reaction) = hand.post("command", json!({"person": "Dana", "channel": "ops", "command": "go"})).await;
    assert_eq!(reaction["acknowledged"], false);
    assert!(reaction["error"].as_str().unwrap().starts_with("not connected"), "{reaction}");
    rehearsal.shutdown().await;
}

#[tokio::test]
async fn a_bot_that_says_nothing_did_not_respond() {
    let mut stage = Stage::set().await;
    stage.registers(vec![CreateCommand::new("go").description("Go")]).await;
    let dana = stage.hand.does("command", json!({"person": "Dana", "channel": "ops", "command": "go"}));
    let Interaction::Command(command) = stage.interaction().await else { panic!("not a command") };
    assert_eq!(dana.await.unwrap()["error"], "The application did not respond within 3 seconds.");
    assert_eq!(code(&command.create_response(&stage.http, says("late")).await.unwrap_err()), 10062);
    stage.ends().await;
}

#[tokio::test]
async fn too_many_messages_are_refused_with_the_time_to_wait() {
    let rehearsal = Rehearsal::start(Settings::strict(Clock::system())).await.unwrap();
    let client = reqwest::Client::new();
    let url = format!("{}/api/v10/channels/{}/messages", rehearsal.api_url(), world::INCIDENTS);
    let post = async || {
        let request = client.post(&url).header("Authorization", format!("Bot {}", world::TOKEN));
        request.json(&json!({"content": "a"})).send().await.unwrap()
    };
    let first = post().await;
    assert_eq!((first.status().as_u16(), &first.headers()["x-ratelimit-limit"]), (200, "5".parse().as_ref().unwrap()));
    assert_eq!(first.headers()["x-ratelimit-remaining"], "4");
    for _ in 0..4 {
        assert_eq!(post().await.status(), 200);
    }
    let refused = post().await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-ratelimit-scope"]),
        (429, "user".parse().as_ref().unwrap())
    );
    assert!(refused.headers().contains_key("retry-after"));
    let body: Value = refused.json().await.unwrap();
    assert_eq!((&body["message"], &body["global"]), (&json!("You are being rate limited."), &json!(false)));
    assert!(body["retry_after"].as_f64().unwrap() <= 5.0);
    rehearsal.shutdown().await;
}

#[tokio::test]
async fn the_event_stream_shows_a_card_as_it_changes() {
    let stage = Stage::set().await;
    let events = stage.hand.client.get(format!("{}/events?channel=incidents", stage.hand.api)).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut card = INCIDENTS.say(&stage.http, "step 1").await.unwrap();
    card.edit(&stage.http, EditMessage::new().content("step 2")).await.unwrap();
    let mut events = events;
    let mut read = String::new();
    while !read.contains("event: update") || !read.contains("step 2") {
        let chunk = Clock::system().timeout(PATIENCE, events.chunk()).await.expect("no event").unwrap().unwrap();
        read.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(read.starts_with("event: create"), "{read}");
    drop(events);
    stage.ends().await;
}

#[tokio::test]
async fn an_unknown_fault_and_a_foreign_page_are_refused() {
    let rehearsal = Rehearsal::start(settings()).await.unwrap();
    let hand = Hand::new(&rehearsal);
    let (status, error) = hand.post("fault", json!({"kind": "flood"})).await;
    assert_eq!(status, 400);
    assert!(error["error"].as_str().unwrap().contains("drop_gateway"), "{error}");
    for (name, value) in [("Origin", "https://example.com"), ("Host", "example.com")] {
        let foreign = hand.client.get(format!("{}/state", hand.api)).header(name, value).send().await.unwrap();
        assert_eq!(foreign.status(), 403);
    }
    rehearsal.shutdown().await;
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let open = Settings { listen: "0.0.0.0:0".parse().unwrap(), ..settings() };
    let error = Rehearsal::start(open).await.unwrap_err();
    assert!(error.to_string().contains("loopback only"), "{error}");
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_and_logged() {
    let rehearsal = Rehearsal::start(settings()).await.unwrap();
    let hand = Hand::new(&rehearsal);
    let post = async |path: &str, kind: &str, body: &'static str| {
        let request = hand.client.post(format!("{}/api/{path}", rehearsal.api_url())).body(body);
        let request = request.header("Authorization", format!("Bot {}", world::TOKEN)).header("Content-Type", kind);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap()["code"].clone())
    };
    let messages = format!("v10/channels/{}/messages", world::INCIDENTS);
    assert_eq!(post(&messages, "application/json", "{").await, (400, json!(50109)));
    assert_eq!(post(&messages, "multipart/form-data", "{}").await, (400, json!(50109)));
    assert_eq!(post("v6/gateway", "application/json", "{}").await, (404, json!(50041)));
    assert_eq!(post("v10/nowhere", "application/json", r#"{"a": 1}"#).await, (404, json!(0)));
    let log = hand.get("log?path=nowhere").await;
    assert_eq!(log[0]["unknown"], json!(["route POST /nowhere"]));
    assert_eq!((&log[0]["status"], &log[0]["body"]), (&json!(404), &json!({"a": 1})));
    rehearsal.shutdown().await;
}
