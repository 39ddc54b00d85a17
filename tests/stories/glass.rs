//! Break-glass in Discord and on the host: one person goes on alone, everybody hears of it, somebody else reviews it.

use drbot::run::{outcome::Outcome, state::ApprovalState};
use serde_json::{Value, json};

use crate::{
    bad_days::Day,
    support::{
        bot::Bot,
        drill::Drill,
        host::{Host, text},
        stage::{Stage, has_button},
        until,
    },
};

const GLASS: &str = r#"
[break_glass]
roles         = ["operator"]
near          = 1
page          = ["Security Team"]
review        = ["dba", "operator"]
review_within = "1h"
"#;

/// The deadline is near from the first second on.
async fn day() -> (Day, Host) {
    let (stage, drill) = (Stage::open().await, Drill::start().await);
    let edit = |file: &str, change: &dyn Fn(String) -> String| {
        let file = drill.folder().join(file);
        std::fs::write(&file, change(std::fs::read_to_string(&file).unwrap())).unwrap();
    };
    edit("drbot.toml", &|text| text.replace("rto      = \"15m\"", "rto      = \"60s\"") + GLASS);
    edit("commands/ask.toml", &|text| text + "\n[recovered]\nwhen = \"steps.approved.ok\"\n");
    let host = Host::of(drill.folder());
    let bot = Bot::for_drill(&stage, &drill);
    let table = drill.folder().join("contacts.csv");
    let row = "Role,Name,Discord,Primary,Secondary,Emergency\nSecurity Team,Lena,400000000000000003,,,\n";
    std::fs::write(&table, row).unwrap();
    let imported = bot.program().args(["contacts", "import"]).arg(&table).output().await.unwrap();
    assert!(imported.status.success(), "{}", text(&imported));
    (Day { stage, drill, bot }, host)
}

/// The newest message whose embed has this title.
async fn post(stage: &Stage, title: &str) -> Value {
    until(&format!("a post {title:?}"), async || {
        let mut messages = stage.messages("incidents", "Gil").await;
        messages.extend(stage.messages("ops", "Gil").await);
        messages.into_iter().rev().find(|message| message["embeds"][0]["title"].as_str() == Some(title))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_alone_goes_on_and_another_reviews_it() {
    let (mut day, _) = day().await;
    day.bot.start();
    day.stage.knows("ask").await;
    day.stage.person("Dana").types("ask", json!({})).await;
    let card = day.stage.offers("ask", "Break the glass").await;
    assert!(has_button(&card, "Approve"), "{card}");
    let refused = day.stage.person("Omar").clicks_on(&card, "Break the glass").await;
    assert!(refused["modal"].is_null(), "{refused}");
    let form = day.stage.person("Dana").clicks_on(&card, "Break the glass").await;
    let reason = "@everyone nobody answers <@&300000000000000002> `at all`";
    let wrong = day.stage.person("Dana").fills_in(&form["modal"], &["asking?", reason]).await;
    assert!(wrong.contains("Not approved"), "{wrong}");
    let form = day.stage.person("Dana").clicks("ask", "Break the glass").await;
    let good = day.stage.person("Dana").fills_in(&form["modal"], &["asking", reason]).await;
    assert!(good.contains("review"), "{good}");
    let state = day.bot.finished("ask").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Succeeded);
    assert!(matches!(&state.approval, ApprovalState::Given { forced: Some(_), .. }));
    assert_eq!(day.drill.done(), ["approved"]);
    day.stage.shows("ask", "Dana broke the glass").await;
    let told = post(&day.stage, "🔨 Dana broke the glass").await;
    assert_eq!(told["content"], "<@400000000000000003>");
    assert_eq!(told["mention_roles"].as_array().map_or(0, Vec::len), 0, "{told}");
    let said = told["embeds"][0]["description"].as_str().unwrap();
    assert!(said.contains("nobody answers") && !said.contains("@everyone") && !said.contains("<@&3"), "{said}");
    assert!(said.contains("% of the RTO was used"), "{said}");
    // Not by who did it; then by somebody else, once.
    let own = day.stage.person("Dana").clicks_on(&told, "I have reviewed it").await;
    assert!(own["modal"].is_null(), "{own}");
    // It outlives drbot.
    day.bot.kill().await;
    day.bot.start();
    day.stage.connected().await;
    let form = day.stage.person("Omar").clicks_on(&told, "I have reviewed it").await;
    let done = day.stage.person("Omar").fills(&form["modal"], "it was right").await;
    assert!(done.contains("Recorded"), "{done}");
    let reviewed = post(&day.stage, "The broken glass is reviewed").await;
    assert!(reviewed["embeds"][0]["description"].as_str().unwrap().contains("it was right"), "{reviewed}");
    let again = day.stage.person("Omar").clicks_on(&told, "I have reviewed it").await;
    assert!(again["modal"].is_null(), "{again}");
    assert!(day.bot.figures().await.contains("drbot_reviews_open 0"), "{}", day.bot.figures().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_broken_and_reviewed_on_the_host() {
    let (mut day, host) = day().await;
    day.bot.start();
    day.stage.knows("ask").await;
    day.stage.person("Dana").types("ask", json!({})).await;
    day.stage.offers("ask", "Break the glass").await;
    let why = ["break-glass", "--reason", "Discord is dying and nobody answers"];
    let omar = host.types(&day.bot, "Omar", &why, "asking\n").await;
    assert_eq!(omar.status.code(), Some(3), "{}", text(&omar));
    let wrong = host.types(&day.bot, "Dana", &why, "yes\n").await;
    assert_eq!(wrong.status.code(), Some(3), "{}", text(&wrong));
    let dana = host.types(&day.bot, "Dana", &why, "asking\n").await;
    assert_eq!(dana.status.code(), Some(0), "{}", text(&dana));
    assert!(text(&dana).contains("WITHOUT the approval of dba"), "{}", text(&dana));
    let state = day.bot.finished("ask").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Succeeded);
    let run = state.id.short();
    let listed = host.gives(&day.bot, "Omar", &["review"]).await;
    assert!(text(&listed).contains(&run) && text(&listed).contains("Dana"), "{}", text(&listed));
    let own = host.gives(&day.bot, "Dana", &["review", &run, "I", "was", "right"]).await;
    assert_eq!(own.status.code(), Some(3), "{}", text(&own));
    let done = host.gives(&day.bot, "Omar", &["review", &run, "she", "was", "right"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    post(&day.stage, "The broken glass is reviewed").await;
    let none = host.gives(&day.bot, "Omar", &["review"]).await;
    assert!(text(&none).contains("No broken glass"), "{}", text(&none));
    post(&day.stage, "🔨 Dana (host) broke the glass").await;
}
