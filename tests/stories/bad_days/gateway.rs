//! The gateway: connections that end, hang, or die without a word.

use std::time::Duration;

use drbot::{clock::Clock, rehearsal::Settings};
use serde_json::json;

use super::{Day, bad_day};
use crate::support::{bot::Bot, drill::Drill, stage::Stage, until};

const RESTARTS: &str = r#"drbot_discord_client_restarts_total{cause="silent"}"#;
const RESUMED: &str = r#"drbot_discord_connects_total{how="resume"} 1"#;
const TWO_SESSIONS: &str = r#"drbot_discord_connects_total{how="identify"} 2"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_is_resumed() {
    bad_day(&[json!({"kind": "drop_gateway"})], &["the session with Discord is resumed"], &[RESUMED]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_that_is_refused_is_a_new_session() {
    let faults = [json!({"kind": "refuse_resume"}), json!({"kind": "drop_gateway"})];
    bad_day(&faults, &["connected to Discord"], &[TWO_SESSIONS]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_session_that_can_be_resumed_is() {
    let fault = json!({"kind": "invalidate_session", "resumable": true});
    bad_day(&[fault], &["the session with Discord is resumed"], &[RESUMED]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_session_is_begun_anew() {
    let fault = json!({"kind": "invalidate_session"});
    bad_day(&[fault], &["connected to Discord"], &[TWO_SESSIONS]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn discord_asks_to_reconnect() {
    bad_day(&[json!({"kind": "reconnect"})], &["the session with Discord is resumed"], &[RESUMED]).await;
}

/// After each of these serenity finds back by itself, or is thrown away.
#[tokio::test(flavor = "multi_thread")]
async fn close_codes_that_pass() {
    let day = Day::begins().await;
    day.with_a_run().await;
    for code in [4000, 4001, 4002, 4005, 4007, 4008, 4009, 4012] {
        day.stage.fault(json!({"kind": "close_gateway", "code": code})).await;
        day.stage.connected().await;
        let said = day.stage.person("Gil").hears("drill", json!({})).await;
        assert!(said.contains("operator"), "after {code}: {said}");
    }
    day.the_run_goes_on().await;
    day.all_is_said("drill").await;
    day.a_new_command_works().await;
}

/// These make serenity spin, and freeze the runtime that it is on.
#[tokio::test(flavor = "multi_thread")]
async fn close_codes_that_freeze_serenity_hold_up_nothing() {
    let day = Day::begins().await;
    day.with_a_run().await;
    for code in [4003, 4010, 4011] {
        let before = day.figure(RESTARTS).await;
        day.stage.fault(json!({"kind": "close_gateway", "code": code})).await;
        if code == 4003 {
            // The run ends and is shown while nobody is at the gateway.
            day.the_run_goes_on().await;
            day.all_is_said("drill").await;
        }
        until("a new client", async || (day.figure(RESTARTS).await > before).then_some(())).await;
        day.stage.connected().await;
        day.a_new_command_works().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_ends_drbot_when_the_run_is_done() {
    refused("4004", "DISCORD_TOKEN").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_intents_end_drbot_when_the_run_is_done() {
    refused("4013", "intents").await;
    refused("4014", "intents").await;
}

async fn refused(code: &str, advice: &str) {
    let mut day = Day::begins().await;
    day.with_a_run().await;
    day.stage.fault(json!({"kind": "close_gateway", "code": code, "again": true})).await;
    day.the_log_says(&[advice, "drbot ends as soon as no run is at work"]).await;
    assert!(!day.bot.is_gone(), "a step is under way");
    day.drill.open_gate();
    // 78: starting again does not help before somebody has done what the log says.
    assert_eq!(day.bot.dies().await.code(), Some(78));
    day.stage.fault(json!({"kind": "clear"})).await;
    day.bot.start();
    day.the_run_goes_on().await;
    day.all_is_said("drill").await;
    day.a_new_command_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_that_does_not_open_is_given_up() {
    let faults = [json!({"kind": "hang_upgrade", "times": 2}), json!({"kind": "drop_gateway"})];
    let day = bad_day(&faults, &["the connection is made anew"], &[]).await;
    let figures = day.bot.figures().await;
    assert!(figures.contains("drbot_discord_client_restarts_total{cause="), "{figures}");
}

/// It hangs from the first: there was no session yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_that_does_not_open_at_the_start_is_given_up() {
    let stage = Stage::open().await;
    let drill = Drill::start().await;
    stage.fault(json!({"kind": "hang_upgrade", "times": 1})).await;
    let mut bot = Bot::for_drill(&stage, &drill);
    bot.start();
    stage.knows("drill").await;
    let day = Day { stage, drill, bot };
    day.the_log_says(&["no session within"]).await;
    day.the_figures_say(&["drbot_discord_client_restarts_total{cause=\"not ready\"} 1", "drbot_discord_up 1"]).await;
    day.drill.open_gate();
    day.a_new_command_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_that_are_not_acknowledged_end_a_connection() {
    let settings = Settings { heartbeat: Duration::from_secs(2), ..Settings::strict(Clock::system()) };
    // Slow enough for serenity to find out by itself.
    let day = Day::begins_with(settings, "4").await;
    day.with_a_run().await;
    day.stage.fault(json!({"kind": "ignore_heartbeats"})).await;
    day.the_run_goes_on().await;
    day.the_log_says(&["this is a new session"]).await;
    day.stage.fault(json!({"kind": "clear"})).await;
    day.all_is_said("drill").await;
    day.stage.connected().await;
    day.a_new_command_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_is_noticed_and_replaced() {
    let log = ["Discord's gateway does not answer", "probes in a row were not answered"];
    let figures = ["drbot_discord_probe_failures_total", "drbot_discord_client_restarts_total{cause=\"silent\"}"];
    let day = bad_day(&[json!({"kind": "silence_gateway"})], &log, &figures).await;
    day.the_figures_say(&["drbot_discord_up 1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_no_other_gateway_is_dialled() {
    let faults = [json!({"kind": "no_gateway_address"}), json!({"kind": "silence_gateway"})];
    let log = ["it cannot be asked where the gateway is: 503"];
    let day = bad_day(&faults, &log, &["drbot_discord_client_restarts_total{cause=\"address\"}"]).await;
    assert!(!day.bot.log().contains("discord.gg"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_said_before_anything_is_dialled() {
    let (stage, drill) = (Stage::open().await, Drill::start().await);
    let mut bot = Bot::for_drill(&stage, &drill).with("DISCORD_TOKEN", "a-wrong-token");
    bot.start();
    assert_eq!(bot.dies().await.code(), Some(78));
    assert!(bot.log().contains("into DISCORD_TOKEN") && !bot.log().contains("a-wrong-token"), "{}", bot.log());
}

/// Never silently deaf: when nothing helps, the process ends for its supervisor.
#[tokio::test(flavor = "multi_thread")]
async fn deaf_for_too_long_drbot_ends_for_its_supervisor() {
    let (stage, drill) = (Stage::open().await, Drill::start().await);
    let mut bot = Bot::for_drill(&stage, &drill).with("DRBOT_CHAT_PACE", "150");
    bot.start();
    stage.knows("drill").await;
    let mut day = Day { stage, drill, bot };
    day.with_a_run().await;
    day.stage.fault(json!({"kind": "silence_gateway", "again": true})).await;
    day.the_log_says(&["nothing was heard from Discord's gateway"]).await;
    assert!(!day.bot.is_gone(), "a step is under way");
    day.drill.open_gate();
    assert_eq!(day.bot.dies().await.code(), Some(1));
    day.stage.fault(json!({"kind": "clear"})).await;
    day.bot.set("DRBOT_CHAT_PACE", "12");
    day.bot.start();
    day.the_run_goes_on().await;
    day.all_is_said("drill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_has_used_up_its_sessions_waits() {
    let stage = Stage::open().await;
    let drill = Drill::start().await;
    let mut bot = Bot::for_drill(&stage, &drill);
    stage.rehearsal.use_up_identifies(960);
    bot.start();
    let day = Day { stage, drill, bot };
    day.the_log_says(&["only 40 new sessions are left for today"]).await;
    assert_eq!(day.stage.get("state").await["connected"], json!(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_does_not_serve() {
    let (stage, drill) = (Stage::open().await, Drill::start().await);
    stage.fault(json!({"kind": "administrator"})).await;
    let mut bot = Bot::for_drill(&stage, &drill);
    bot.start();
    assert_eq!(bot.dies().await.code(), Some(78), "{}", bot.log());
    let log = bot.log();
    assert!(log.contains("the permission Administrator, which its role bot has"), "{log}");
    assert!(log.contains("Send Messages in Threads"), "it says what is needed instead: {log}");
    assert_eq!(stage.get("state").await["commands"], json!([]), "nothing was registered");
    stage.fault(json!({"kind": "clear"})).await;
    bot.start();
    stage.knows("drill").await;
}
