//! An incident pages people by every way that is set up, whatever becomes of drbot meanwhile; and is acknowledged by the link
//! in a page. With the real bot, and stand-ins that are as strict as the services.

use drbot::clock::Clock;
use serde_json::{Value, json};

use crate::support::{
    bot::Bot,
    services::{ACCOUNT, NTFY_TOKEN, ROUTING_KEY, Services, TWILIO_TOKEN, Taken, hangs},
    stage::Stage,
    until,
};

fn settings() -> String {
    format!(
        "[paging.twilio]\naccount = \"{ACCOUNT}\"\ntoken = \"TWILIO\"\nfrom = \"+15550100100\"\nurl = \"${{PAGES}}\"\n\n\
         [paging.pagerduty]\nrouting_key = \"PAGERDUTY\"\nurl = \"${{PAGES}}\"\n\n\
         [paging.ntfy]\nurl = \"${{PUSHES}}\"\ntopic = \"oncall\"\ntoken = \"NTFY\"\n\n\
         [paging.webhook]\nurl = \"${{PAGES}}/hook\"\nsecret = \"HOOK\"\n\n# Figures for Prometheus"
    )
}

fn bot(stage: &Stage, pages: &str, pushes: &str) -> Bot {
    let bot = Bot::alone(stage).with_configuration(&[("# Figures for Prometheus", &settings())]);
    let variables = [
        ("PAGES", pages),
        ("PUSHES", pushes),
        ("TWILIO", TWILIO_TOKEN),
        ("PAGERDUTY", ROUTING_KEY),
        ("NTFY", NTFY_TOKEN),
        ("HOOK", "between two"),
        ("PUBLIC_URL", "https://drbot.example.org/"),
    ];
    variables.into_iter().fold(bot, |bot, (name, value)| bot.with(name, value))
}

/// Returns what people call it.
async fn opens(stage: &Stage) -> String {
    let opened = stage.person("Dana").hears("incident open", json!({"scenario": "database-corruption"})).await;
    assert!(opened.contains("is open"), "{opened}");
    opened.split_whitespace().nth(1).unwrap().to_owned()
}

async fn taken(services: &Services, what: &str) -> Taken {
    until(&format!("a page by {what}"), async || services.taken().into_iter().find(|taken| taken.what == what)).await
}

/// Everything that is said in any thread.
async fn threads(stage: &Stage) -> String {
    let state = stage.get("state").await;
    let mut said = String::new();
    for channel in state["channels"].as_array().unwrap().iter().filter(|channel| channel["type"] == json!(11)) {
        for message in stage.messages(channel["id"].as_str().unwrap(), "Lena").await {
            said.push_str(message["content"].as_str().unwrap_or_default());
            said.push('\n');
        }
    }
    said
}

async fn said(stage: &Stage, text: &str) -> String {
    until(&format!("{text:?} in the thread"), async || Some(threads(stage).await).filter(|said| said.contains(text)))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_paged_by_every_way_and_acknowledge_by_the_link() {
    let (stage, services) = (Stage::open().await, Services::start().await);
    let mut bot = bot(&stage, &services.url(), &services.url());
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    opens(&stage).await;

    // The responsible for a corrupt database, at their first numbers; and whoever listens elsewhere.
    let text = taken(&services, "message").await;
    assert!(text.fields["Body"].as_str().is_some_and(|text| text.contains("Database corruption")), "{}", text.body);
    for what in ["call", "event", "push", "hook"] {
        taken(&services, what).await;
    }
    said(&stage, "sms to Omar (Database Administrator): delivered").await;
    said(&stage, "pagerduty: delivered").await;
    let direct = until("a direct message", async || {
        stage
            .messages("@omar", "Omar")
            .await
            .into_iter()
            .find(|message| message["content"].as_str().is_some_and(|text| text.contains("/incident ack")))
    })
    .await;
    assert!(direct["content"].as_str().unwrap().contains("Database corruption"), "{direct}");
    // Numbers are nobody's business.
    let told = threads(&stage).await;
    assert!(!told.contains("555-010") && !bot.log().contains("555-010-01"), "{told}");

    // The link: looking does nothing, pressing acknowledges, once.
    let push = taken(&services, "push").await;
    let link = push.fields.to_string();
    let token =
        link.split("https://drbot.example.org/ack/").nth(1).unwrap().chars().take_while(char::is_ascii_hexdigit);
    let url = format!("{}/ack/{}", bot.listens().await, token.collect::<String>());
    let http = reqwest::Client::new();
    let page = http.get(&url).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let page = page.text().await.unwrap();
    assert!(page.contains("I have it") && page.contains("Database corruption"), "{page}");
    assert!(!threads(&stage).await.contains("by the link"), "a look acknowledges nothing");
    let done = http.post(&url).send().await.unwrap();
    assert!(done.status().is_success() && done.text().await.unwrap().contains("You have it"));
    said(&stage, "has it (by the link in a page)").await;
    assert_eq!(http.post(&url).send().await.unwrap().status(), 410, "once");
    assert_eq!(http.get(format!("{}x", url)).send().await.unwrap().status(), 410);
    bot.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_on_its_way_when_drbot_was_killed_is_sent_again_and_says_so() {
    let (stage, services) = (Stage::open().await, Services::start().await);
    let (silent, mut read) = hangs().await;
    let mut bot = bot(&stage, &services.url(), &silent);
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    opens(&stage).await;
    // It has arrived, and drbot does not know.
    let _connection =
        Clock::system().timeout(crate::support::LIMIT, read.recv()).await.expect("the push arrives").unwrap();
    taken(&services, "hook").await;
    said(&stage, "webhook: delivered").await;
    bot.kill().await;
    bot.set("PUSHES", &services.url());
    bot.start();
    let push = taken(&services, "push").await;
    let text = push.fields["message"].as_str().unwrap_or_default();
    assert!(text.contains("may be a repetition"), "{text}");
    said(&stage, "ntfy: delivered").await;
    let hooks: Vec<Value> =
        services.taken().into_iter().filter(|taken| taken.what == "hook").map(|taken| taken.fields).collect();
    assert_eq!(hooks.len(), 1, "what was delivered is not sent again: {hooks:?}");
    bot.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_fails_is_told_and_gives_way_to_the_others() {
    let (stage, services) = (Stage::open().await, Services::start().await);
    let mut bot = bot(&stage, "http://127.0.0.1:9", &services.url());
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    opens(&stage).await;
    let told = said(&stage, "sms to Omar (Database Administrator): failed").await;
    assert!(told.contains("tried again"), "{told}");
    said(&stage, "ntfy: delivered").await;
    bot.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_keeps_it_open_is_told_that_somebody_has_it_and_that_it_is_over() {
    let (stage, services) = (Stage::open().await, Services::start().await);
    let mut bot = bot(&stage, &services.url(), &services.url());
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    let short = opens(&stage).await;
    let key = taken(&services, "event").await.fields["dedup_key"].as_str().unwrap().to_owned();
    let hook = taken(&services, "hook").await.fields["key"].as_str().unwrap().to_owned();
    said(&stage, "pagerduty: delivered").await;
    said(&stage, "webhook: delivered").await;
    let told = async |what: &'static str, field: &'static str, event: &'static str, key: String| {
        until(&format!("{what} {event}"), async || {
            services.taken().into_iter().find(|taken| {
                taken.what == what
                    && taken.fields[field] == json!(event)
                    && [&taken.fields["key"], &taken.fields["dedup_key"]].contains(&&json!(key))
            })
        })
        .await
    };

    stage.person("Omar").hears("incident ack", json!({})).await;
    told("event", "event_action", "acknowledge", key.clone()).await;
    told("hook", "event", "acknowledge", hook.clone()).await;
    stage.person("Omar").hears("incident close", json!({"reason": "it was a drill"})).await;
    told("event", "event_action", "resolve", key).await;
    told("hook", "event", "resolve", hook).await;

    // What is found out later belongs to the record.
    said(&stage, "closed it").await;
    let noted = stage.person("Dana").hears("note", json!({"text": "the disk was full", "incident": short})).await;
    assert!(noted.contains("Noted"), "{noted}");
    said(&stage, "the disk was full").await;
    let again = stage.person("Dana").hears("incident ack", json!({"incident": short})).await;
    assert!(again.contains("closed already"), "{again}");
    bot.terminate().await;
}

/// Who takes five a second is sent no more, and nobody is given up for it.
#[tokio::test(flavor = "multi_thread")]
async fn many_are_paged_through_a_service_that_takes_few_at_once() {
    const PEOPLE: usize = 20;
    let (stage, services, others) = (Stage::open().await, Services::start().await, Services::start().await);
    services.takes_in_a_second(5);
    let everyone = [("at   = 0\npage = [\"responsible\"]", "at   = 0\npage = [\"everyone\"]")];
    let settings = settings();
    let changes: Vec<_> = everyone.into_iter().chain([("# Figures for Prometheus", settings.as_str())]).collect();
    let mut bot = bot(&stage, &services.url(), &others.url()).with_configuration(&changes);
    bot.start();
    stage.ready().await;
    let people =
        (0..PEOPLE).map(|number| format!("Role {number},Somebody {number},,+1-555-010-{:04},,\n", 1000 + number));
    let file = bot.data.join("many.csv");
    std::fs::write(&file, format!("Role,Name,Discord,Primary,Secondary,Emergency\n{}", people.collect::<String>()))
        .unwrap();
    bot.imports(&file).await;
    opens(&stage).await;
    let pages =
        async || services.taken().into_iter().filter(|one| matches!(one.what, "message" | "call")).collect::<Vec<_>>();
    until("everybody to be paged", async || (pages().await.len() >= 2 * PEOPLE).then_some(())).await;
    let told = said(&stage, "sms to Somebody 19 (Role 19): delivered").await;
    assert!(!told.contains("failed") && !told.contains("not delivered"), "{told}");
    for what in ["message", "call"] {
        let mut to: Vec<_> =
            pages().await.iter().filter(|one| one.what == what).map(|one| one.fields["To"].to_string()).collect();
        to.sort_unstable();
        to.dedup();
        assert_eq!(to.len(), PEOPLE, "everybody by each way");
    }
    assert_eq!(pages().await.len(), 2 * PEOPLE, "nobody twice");
    assert!(services.too_many() > 0 && services.too_many() < 4 * PEOPLE, "{} were too many", services.too_many());
    bot.terminate().await;
}
