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
    Settings { limits: false, ..Settings::new(Clock::system()) }
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
