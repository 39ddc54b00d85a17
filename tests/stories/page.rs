//! The page of the rehearsal, in a real browser: what people see and do, and what hostile text cannot do.

use drbot::{
    rehearsal::{Scene, Tool, world},
    run::outcome::Outcome,
};
use serde_json::{Value, json};

use crate::support::{
    bot::Bot,
    browser::{
        Browser, DESK, PHONE,
        keys::{BACK, DOWN, ENTER, ESCAPE, TAB, UP},
    },
    range::Range,
    stage::Stage,
    until,
};

/// What the bot itself says, by Discord's API.
async fn bot_says(stage: &Stage, message: Value) -> Value {
    let url = format!("{}/api/v10/channels/{}/messages", stage.url(), world::INCIDENTS);
    let request = reqwest::Client::new().post(url).header("authorization", format!("Bot {}", world::TOKEN));
    let answer = request.json(&message).send().await.unwrap();
    let status = answer.status();
    let body = answer.json().await.unwrap();
    assert!(status.is_success(), "{body}");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disaster_is_recovered_on_the_page() {
    let range = Range::up();
    let stage = Stage::open().await;
    let mut bot = Bot::new(&stage, &range);
    bot.start();
    stage.ready().await;
    range.breaks("rows-damaged");
    let browser = Browser::open(&stage.url(), DESK).await;
    browser.reads("#presence", "connected").await;

    // Dana types the command: the name is completed, then the option, then the backup.
    browser.types("/resto").await;
    browser.reads("[role=option][aria-selected=true]", "/restore-db").await;
    browser.types(TAB).await;
    browser.reads(".command-name", "/restore-db").await;
    browser.reads("[role=option]", "backup").await;
    browser.types(TAB).await;
    browser.reads("[role=option][aria-selected=true]", ".dump").await;
    browser.types(".dump").await;
    browser.reads("[role=option][aria-selected=true]", ".dump").await;
    browser.types(ENTER).await;
    let chosen = browser.script("return document.querySelector('[data-option=backup]').value", vec![]).await;
    assert!(chosen.as_str().unwrap().contains(".dump"), "{chosen}");
    browser.types(ENTER).await;

    // She may not approve what she asked for; the answer is hers alone.
    browser.presses(".components button", "Approve").await;
    browser.reads(".only-you", "Only you can see this").await;
    browser.presses("#me-button", "").await;
    browser.presses("[data-person=Omar]", "").await;
    browser.reads("#me-button", "Omar").await;
    browser.misses(".only-you").await;

    // Omar may, and types what the form asks for.
    browser.presses(".components button", "Approve").await;
    browser.sees("dialog input").await;
    browser.types(ENTER).await;
    browser.reads("dialog .problem", "required").await;
    browser.types(format!("trading_bot_prod{ENTER}")).await;
    browser.misses("dialog").await;

    // The same card changes to its end, and its thread tells the rest.
    browser.reads(".embed", "recovered in").await;
    browser.reads(".embed", "Omar approved").await;
    browser.presses(".thread-chip", "").await;
    browser.reads(".place-name", "/restore-db").await;
    browser.reads("#log", "Omar approved").await;
    let state = bot.finished("restore-db").await;
    assert_eq!(state.finished.as_ref().unwrap().outcome, Outcome::Succeeded);
    assert_eq!(range.bot("/status/trading").await["trading"], "halted");
    browser.is_whole().await;
    browser.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_stays_text() {
    let stage = Stage::open().await;
    let browser = Browser::open(&stage.url(), DESK).await;
    browser.script("window.hurt = []; document.addEventListener('securitypolicyviolation', (event) => hurt.push(event.violatedDirective)); window.alert = () => hurt.push('alert')", vec![]).await;
    let texts = [
        "<script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)>".to_owned(),
        "[press](javascript:alert(1)) javascript:alert(1) <javascript:alert(1)> [x](https://evil.example/a\"onmouseover=alert(1))".to_owned(),
        "https://evil.example/picture.png <https://evil.example> [good](https://evil.example/)".to_owned(),
        "*".repeat(2000),
        "**_~~||`".repeat(250),
        "[".repeat(2000),
        "> ".repeat(1000),
        "```".repeat(666),
        format!("{}end", "*_".repeat(900)),
        "<t:99999999999999:R> <t:8640000000001:R> <t:-1:F> <@1> <@&2> <#3> <:x:4> </a:5>".to_owned(),
        format!("{}{}", "\u{202e}sdrawkcab \u{2066}", "\u{5d0}\u{5d1}\u{5d2}".repeat(50)),
        "z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}".repeat(160),
        "W".repeat(2000),
        "line\n".repeat(390),
        "@everyone @here".to_owned(),
    ];
    for text in &texts {
        let said = stage.post("say", json!({"person": "Gil", "channel": "incidents", "content": text})).await;
        assert!(said["error"].is_null(), "{said}");
    }
    let evil = "https://evil.example/picture.png";
    let hostile = "<b onclick=alert(1)>W</b>";
    bot_says(
        &stage,
        json!({
            "content": "x".repeat(2000),
            "embeds": [{
                "title": format!("{hostile}{}", "W".repeat(200)), "url": "javascript:alert(1)", "description": "W".repeat(3000),
                "author": {"name": hostile, "url": "javascript:alert(1)", "icon_url": evil},
                "footer": {"text": "W".repeat(300), "icon_url": evil}, "image": {"url": evil}, "thumbnail": {"url": evil},
                "fields": (0..25).map(|n| json!({"name": hostile, "value": "W".repeat(30), "inline": n % 4 != 0})).collect::<Vec<_>>(),
            }],
            "components": [{"type": 1, "components": [
                {"type": 2, "style": 1, "label": "W".repeat(80), "custom_id": "\"]<script>alert(1)</script>"},
                {"type": 2, "style": 5, "label": "link", "url": "https://evil.example/"},
            ]}],
        }),
    )
    .await;
    // Each is there, word for word where it is no markdown, and the last one too: nothing hung.
    browser.reads("#log", "<script>alert(1)</script><img src=x onerror=alert(1)>").await;
    browser.reads(".embed-title", hostile).await;
    browser.reads(".pill", "@everyone").await;
    let shown = browser.script("return document.querySelectorAll('.message').length", vec![]).await;
    assert_eq!(shown, json!(texts.len() + 1));
    let links = "return [...document.querySelectorAll('#log [href]')].map((node) => node.getAttribute('href'))";
    for link in browser.script(links, vec![]).await.as_array().unwrap() {
        assert!(link.as_str().unwrap().starts_with("https://"), "{link}");
    }
    let made =
        "return document.querySelectorAll('#log script, #log img, #log iframe, #log [onclick], #log [onerror]').length";
    assert_eq!(browser.script(made, vec![]).await, json!(0));
    let wide = "return [...document.querySelectorAll('#log .message *')].filter((node) => node.checkVisibility() && \
        node.getBoundingClientRect().right > innerWidth && !node.closest('pre')).map((node) => node.className)";
    assert_eq!(browser.script(wide, vec![]).await, json!([]));
    // A press that nobody answers is said where it was pressed.
    browser.presses(".components button", "").await;
    browser.reads(".failure", "This interaction failed").await;
    assert_eq!(browser.script("return window.hurt", vec![]).await, json!([]));
    browser.is_whole().await;
    browser.closes().await;
}

fn tool(name: &str, arguments: &[&str], dangerous: bool) -> Tool {
    Tool {
        name: name.to_owned(),
        title: format!("The {name}"),
        description: "For a test".to_owned(),
        dangerous,
        program: "/bin/sh".into(),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panels_break_things_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let waits = format!("echo begun; until [ -e '{}' ]; do sleep 0.05; done; echo ended; exit 3", gate.display());
    let scene = Scene {
        welcome: "Hello **there**".to_owned(),
        steps: vec!["Try it".to_owned()],
        tools_title: "Tools of a test".to_owned(),
        tools_about: "They do nothing.".to_owned(),
        tools: vec![tool("hammer", &["-c", &waits], true), tool("feather", &["-c", "seq 1 2000"], false)],
        ..Scene::default()
    };
    let stage = Stage::with_scene(scene).await;
    let mut bot = Bot::alone(&stage);
    bot.start();
    stage.ready().await;
    let browser = Browser::open(&stage.url(), DESK).await;
    browser.reads(".guide", "Hello there").await;

    // A tool runs, alone, and what it prints is shown while it runs.
    browser.presses("#open-tools", "").await;
    browser.presses("[data-tool=hammer]", "").await;
    browser.reads(".run-output", "begun").await;
    browser.reads(".run-state", "running").await;
    let second = stage.post("tool", json!({"name": "feather"})).await;
    assert!(second["error"].as_str().unwrap().contains("still running"), "{second}");
    std::fs::write(&gate, "").unwrap();
    browser.reads(".run-state", "failed with exit code 3").await;
    browser.presses("[data-tool=feather]", "").await;
    browser.reads(".run-state", "done").await;
    browser.reads(".run-output", "2000").await;
    let run = stage.get("tool").await;
    assert_eq!((run["first"].clone(), run["lines"].as_array().unwrap().len()), (json!(1500), 500));
    for name in ["/bin/sh", "hammer; ls", ""] {
        let refused = stage.post("tool", json!({"name": name})).await;
        assert!(refused["error"].as_str().unwrap().contains("hammer, feather"), "{refused}");
    }

    // The button that was pressed has lost the focus, being disabled for a while; Escape closes the panel all the same.
    browser.script("document.activeElement.blur()", vec![]).await;
    browser.types(ESCAPE).await;
    browser.misses("#panel").await;

    // A fault that stays is switched, one that happens is pressed.
    browser.presses("#open-faults", "").await;
    browser.presses("[data-fault=duplicate_interactions]", "").await;
    browser.reads(".active-count", "1 in force").await;
    assert_eq!(stage.get("state").await["faults"]["duplicate_interactions"], json!(true));
    browser.presses("#clear-faults", "").await;
    browser.reads(".active-count", "Nothing is broken").await;
    browser.presses("[data-fault=drop_gateway]", "").await;
    until("the bot to be dropped and come back", async || {
        bot.log().contains("the session with Discord is resumed").then_some(())
    })
    .await;

    // The strip says when the bot is away, and goes when it is back.
    bot.terminate().await;
    browser.reads("#connection", "Bot is not connected").await;
    bot.start();
    browser.misses("#connection").await;
    browser.reads("#presence", "Bot connected").await;
    browser.is_whole().await;
    browser.closes().await;
}

/// A command as the page lists it: by its subcommands, where it has some.
fn paths(command: &Value) -> Vec<String> {
    let name = command["name"].as_str().unwrap();
    let options = command["options"].as_array().into_iter().flatten();
    let subs: Vec<_> = options.filter(|option| option["type"] == json!(1)).collect();
    match subs[..] {
        [] => vec![name.to_owned()],
        _ => subs.iter().map(|sub| format!("{name} {}", sub["name"].as_str().unwrap())).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_done_by_keyboard_and_on_a_phone() {
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage);
    bot.start();
    stage.ready().await;
    let browser = Browser::open(&stage.url(), PHONE).await;

    // Arrows go through the commands, Escape closes the list, Backspace goes back.
    let state = stage.get("state").await;
    let mut names: Vec<String> = state["commands"].as_array().unwrap().iter().flat_map(paths).collect();
    names.sort_unstable();
    browser.types("/").await;
    browser.reads("[role=option][aria-selected=true]", &names[0]).await;
    browser.types(format!("{DOWN}{DOWN}")).await;
    browser.reads("[role=option][aria-selected=true]", &names[2]).await;
    browser.types(UP).await;
    browser.reads("[role=option][aria-selected=true]", &names[1]).await;
    browser.types(format!("restore{ENTER}")).await;
    browser.reads(".command-name", "/restore-db").await;
    browser.types(TAB).await;
    browser.sees("[data-option=backup]").await;
    browser.types(format!("{ESCAPE}{BACK}{BACK}")).await;
    browser.misses(".command-name").await;
    assert_eq!(browser.focus().await, "composer");
    browser.types(format!("{ESCAPE}{}", BACK.repeat(20))).await;
    browser.types(format!("/stat{TAB}{ENTER}")).await;
    browser.reads(".embed", "/status").await;

    // Ordinary words, and a word that is no command.
    browser.types(format!("Is **anybody** there?{ENTER}")).await;
    browser.reads("#log strong", "anybody").await;
    browser.types(format!("/nothing{ENTER}")).await;
    browser.reads(".problem", "There is no command /nothing").await;
    browser.types(BACK.repeat(20)).await;

    // Another person, by keyboard; then the drawer and a sheet, by finger.
    browser.presses("#menu", "").await;
    browser.sees("#me-button").await;
    browser.script("document.querySelector('#me-button').focus()", vec![]).await;
    browser.types(ENTER).await;
    browser.types(format!("{DOWN}{ENTER}")).await;
    browser.reads("#me-button", "Omar").await;
    let said =
        stage.post("say", json!({"person": "Gil", "channel": "ops", "content": "<@400000000000000002>, look"})).await;
    assert!(said["error"].is_null(), "{said}");
    // The drawer may be shut again by now; then nothing in it is drawn.
    let counted = "return document.querySelector('[data-go].unread .count')?.textContent === '1'";
    browser.holds("somebody calls Omar", counted, vec![]).await;
    browser.misses("#me-button").await;
    browser.presses("#menu", "").await;
    browser.presses("[data-go].unread", "").await;
    browser.reads("#log .calls-me", "@Omar, look").await;
    browser.misses("#me-button").await;
    browser.presses("#open-faults", "").await;
    browser.sees("#panel [data-fault=drop_gateway]").await;
    assert_eq!(browser.focus().await, "panel-title");
    browser.types(ESCAPE).await;
    browser.misses("#panel").await;
    assert_eq!(browser.focus().await, "open-faults");
    browser.is_whole().await;
    browser.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_for_this_machine_alone() {
    let stage = Stage::open().await;
    let http = reqwest::Client::new();
    let page = http.get(stage.url()).send().await.unwrap();
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    for path in ["/", "/page/main.js", "/rehearsal/api/state"] {
        for (header, value) in [("host", "evil.example"), ("origin", "https://evil.example")] {
            let refused = http.get(format!("{}{path}", stage.url())).header(header, value).send().await.unwrap();
            assert_eq!(refused.status(), 403, "{path} {header}");
        }
    }
    for path in ["/page/mod.rs", "/page/..%2Fmod.rs", "/page/"] {
        assert_eq!(http.get(format!("{}{path}", stage.url())).send().await.unwrap().status(), 404, "{path}");
    }
    // With an upgrade it is the gateway still, which takes nothing else.
    let upgrade = http.get(stage.url()).header("upgrade", "websocket").header("connection", "upgrade");
    assert!(!upgrade.send().await.unwrap().headers().contains_key("content-security-policy"));
    // What the page cannot do, the API cannot either: a foreign page starts no tool.
    let tool = http.post(format!("{}/rehearsal/api/tool", stage.url())).header("origin", "https://evil.example");
    assert_eq!(tool.body("{}").send().await.unwrap().status(), 403);
    until("the rehearsal to answer still", async || stage.get("state").await["people"].is_array().then_some(())).await;
}
