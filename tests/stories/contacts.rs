//! The contacts table, changed from a chat and on the host: who may, what everybody is told, what nobody is, and that a
//! preference is honoured when it matters. With the real bot, mail to a real server, and stand-ins for the other services.

use drbot::{
    contacts::way::Way,
    incident::event::Event,
    rehearsal::world::{GIL, OMAR},
};
use serde_json::{Value, json};
use sqlx::{Connection, Row, SqliteConnection};

use crate::support::{
    bot::Bot,
    mail::{MailServer, PASSWORD, USER},
    services::{ACCOUNT, Services, TWILIO_TOKEN},
    stage::{Stage, has_button},
    until,
};

/// Stories type faster than people.
const PATIENT: (&str, &str) = ("burst               = 10", "burst               = 100");

async fn types(stage: &Stage, person: &str, sub: &str, options: Value) -> Value {
    let answer = stage.person(person).types(&format!("contacts {sub}"), options).await;
    assert_eq!(answer["acknowledged"], json!(true), "{answer}");
    answer["response"].clone()
}

async fn hears(stage: &Stage, person: &str, sub: &str, options: Value) -> String {
    stage.person(person).hears(&format!("contacts {sub}"), options).await
}

/// Waits until a message that `person` sees says `text`.
async fn sees(stage: &Stage, person: &str, text: &str) -> Value {
    until(&format!("{person} to see {text:?}"), async || {
        let messages = stage.messages("incidents", person).await;
        messages.into_iter().rev().find(|message| message["content"].as_str().is_some_and(|said| said.contains(text)))
    })
    .await
}

/// What the whole channel was told of the contacts, in order.
async fn told(stage: &Stage) -> Vec<String> {
    let messages = stage.messages("incidents", "Gil").await;
    let embeds = messages.iter().map(|message| &message["embeds"][0]);
    let of_contacts =
        embeds.filter(|embed| embed["title"].as_str().is_some_and(|title| title.contains("Who is called")));
    of_contacts.map(|embed| embed["description"].as_str().unwrap().to_owned()).collect()
}

async fn is_told(stage: &Stage, text: &str) -> String {
    until(&format!("the channel to be told {text:?}"), async || {
        told(stage).await.into_iter().find(|told| told.contains(text))
    })
    .await
}

async fn drbot(bot: &Bot, arguments: &[&str]) -> (bool, String) {
    let output = bot.program().arg("contacts").args(arguments).output().await.unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), said)
}

/// Everything that the store holds but the contacts table, as text.
async fn stored_elsewhere(bot: &Bot) -> String {
    let file = bot.data.join("drbot.sqlite");
    let mut store = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let names = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&mut store).await.unwrap();
    let mut all = String::new();
    for name in names.iter().map(|row| row.get::<String, _>("name")).filter(|name| name != "contacts") {
        let columns =
            format!("SELECT group_concat('quote(\"' || name || '\")', '||') FROM pragma_table_info('{name}')");
        let columns: String = sqlx::query_scalar(sqlx::AssertSqlSafe(columns)).fetch_one(&mut store).await.unwrap();
        let rows = format!("SELECT {columns} FROM \"{name}\"");
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_all(&mut store).await.unwrap();
        all.push_str(&rows.join("\n"));
    }
    assert!(all.contains("contacts-changed"), "the notices were looked at");
    all
}

fn mail(server: &MailServer) -> String {
    format!(
        "[paging.email]\nhost = \"localhost\"\nport = {}\nsecurity = \"starttls\"\nfrom = \"drbot@example.org\"\n\
         user = \"{USER}\"\npassword = \"SMTP_PASSWORD\"\nca = \"{}\"\n\n# Figures for Prometheus",
        server.port,
        server.ca().display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_set_tried_out_verified_and_removed() {
    let (stage, server) = (Stage::open().await, MailServer::start("starttls").await);
    let mut bot = Bot::alone(&stage)
        .with_configuration(&[("# Figures for Prometheus", &mail(&server)), PATIENT])
        .with("SMTP_PASSWORD", PASSWORD)
        .with("DRBOT_LOG", "trace");
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;

    let wanted = json!({
        "contact": "Olga", "role": "Board", "user": format!("<@{OMAR}>"), "primary": "+49 30 7654321",
        "emergency": "olga.secret@example.org", "preferred": "email direct-message",
    });
    let said = hears(&stage, "Lena", "set", wanted).await;
    assert!(said.contains("**Olga** (Board) is added") && said.contains("`+49 •• •••••21`"), "{said}");
    let line = is_told(&stage, "Olga").await;
    assert!(line.starts_with("Lena (<@") && line.contains("prefers email direct-message"), "{line}");
    let changed = hears(&stage, "Lena", "set", json!({"contact": "olga", "secondary": "+49 30 5554444"})).await;
    assert!(changed.contains("secondary `+49 •• •••••44`"), "{changed}");

    // By each way that they have and that is set up: mail, and a direct message.
    types(&stage, "Lena", "test", json!({"contact": "Olga"})).await;
    let shown = sees(&stage, "Lena", "Did it arrive?").await;
    let text = shown["content"].as_str().unwrap();
    assert!(text.contains("direct-message to Discord: taken") && text.contains("email to o••@"), "{text}");
    assert!(
        text.contains("queued as M1") && !text.contains("sms") && has_button(&shown, "It arrived: verify"),
        "{text}"
    );
    assert_eq!(shown["flags"], json!(64), "only Lena sees it: {shown}");
    let mails = server.mails();
    assert_eq!(mails[0]["to"][0], "olga.secret@example.org");
    assert!(mails[0]["text"].as_str().unwrap().contains("Subject: [TEST] drbot can reach Olga (Board)"), "{mails:?}");
    let direct = stage.messages("@omar", "Omar").await;
    assert!(direct.iter().any(|one| one["content"].as_str().unwrap().starts_with("**[TEST]** Lena")), "{direct:?}");
    let again = hears(&stage, "Lena", "test", json!({"contact": "Board", "way": "email"})).await;
    assert!(again.contains("a moment ago"), "{again}");
    assert_eq!(server.mails().len(), 1);
    let nowhere = hears(&stage, "Lena", "test", json!({"contact": "Gil", "way": "sms"})).await;
    assert!(nowhere.contains("not set up"), "{nowhere}");

    let before = types(&stage, "Lena", "list", json!({})).await;
    assert!(
        before["embeds"][0]["description"].as_str().unwrap().contains("prefers email, direct-message · ⚠ not"),
        "{before}"
    );
    stage.person("Lena").clicks_on(&shown, "It arrived: verify").await;
    is_told(&stage, "**Olga** (Board) is verified").await;
    let shared = types(&stage, "Dana", "list", json!({"share": true})).await.to_string();
    assert!(shared.contains("✓ verified") && !shared.contains("7654321") && !shared.contains("secret"), "{shared}");
    hears(&stage, "Lena", "set", json!({"contact": "Olga", "primary": "+49 30 7654322"})).await;
    is_told(&stage, "no longer verified").await;

    // Whom nobody could be called instead of is said before it is done, and nothing is done without a click.
    let question = types(&stage, "Lena", "remove", json!({"contact": "Gil"})).await;
    assert!(question["content"].as_str().unwrap().contains("⚠ Then nobody has a role"), "{question}");
    let question = types(&stage, "Lena", "remove", json!({"contact": "Olga (Board)"})).await;
    assert!(!question["content"].as_str().unwrap().contains('⚠'), "{question}");
    assert!(types(&stage, "Lena", "list", json!({})).await.to_string().contains("Olga"));
    stage.person("Lena").clicks_on(&question, "Remove").await;
    let gone = sees(&stage, "Lena", "**Olga** (Board) is removed").await;
    assert_eq!((&gone["id"], has_button(&gone, "Remove")), (&question["id"], false), "in the place of the question");
    is_told(&stage, "**Olga** (Board) is removed").await;
    assert!(!types(&stage, "Lena", "list", json!({})).await.to_string().contains("Olga"));

    // What was typed is nowhere but in the table.
    let elsewhere = stored_elsewhere(&bot).await;
    let log = bot.log();
    assert!(log.contains("a contact is changed") && log.contains("TRACE"), "much is logged");
    for number in ["7654321", "5554444", "olga.secret"] {
        let line = log.lines().find(|line| line.contains(number));
        assert!(line.is_none(), "{number}: {line:?}");
        assert!(!elsewhere.contains(number), "{number} is in the store");
        assert!(!told(&stage).await.concat().contains(number), "{number} is in the channel");
    }
    bot.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_changes_nothing_and_who_it_is_may_vouch_for_themself() {
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage).with_configuration(&[PATIENT]);
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    is_told(&stage, "**Dana** (System Administrator) is added").await;
    let before = bot.store().await.contacts().await.unwrap();

    let change = json!({"contact": "Omar", "primary": "+49 30 7654321"});
    for person in ["Dana", "Omar", "Gil"] {
        let said = hears(&stage, person, "set", change.clone()).await;
        assert!(said.contains("needs one of these roles"), "{person}: {said}");
        let question = types(&stage, person, "remove", json!({"contact": "Lena"})).await;
        assert!(question["components"].as_array().is_none_or(Vec::is_empty), "{person}: {question}");
    }
    for sub in ["verify", "test"] {
        let said = hears(&stage, "Gil", sub, json!({"contact": "Lena"})).await;
        assert!(said.contains("needs one of these roles"), "{sub}: {said}");
        let unknown = hears(&stage, "Gil", sub, json!({"contact": "Nobody"})).await;
        assert_eq!(unknown, said, "who may not see the table learns of nobody");
    }
    assert_eq!(bot.store().await.contacts().await.unwrap(), before);

    // Of the button, too, it is asked who presses it.
    let question = types(&stage, "Lena", "remove", json!({"contact": "Gil"})).await;
    let press = json!({"person": "Dana", "message": question["id"], "custom_id": question["components"][0]["components"][0]["custom_id"]});
    stage.post("click", press).await;
    assert_eq!(bot.store().await.contacts().await.unwrap(), before);

    let own = hears(&stage, "Gil", "verify", json!({"contact": "Gil"})).await;
    assert!(own.contains("is verified"), "{own}");
    let verified = bot.store().await.contacts().await.unwrap();
    let gil = verified.iter().find(|contact| contact.discord.is_some_and(|id| id.0 == GIL)).unwrap();
    assert_eq!(gil.verified.as_ref().unwrap().by, "Gil");

    // While drbot is locked down nobody changes from a chat who is called.
    stage.person("Lena").hears("lockdown", json!({"reason": "somebody is here who should not be"})).await;
    let said = hears(&stage, "Lena", "set", change).await;
    assert!(said.contains("locked down"), "{said}");
    assert_eq!(bot.store().await.contacts().await.unwrap(), verified);
    bot.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_typed_nobody_is_called_by_it_and_nothing_is_repeated() {
    let stage = Stage::open().await;
    stage.fault(json!({"kind": "duplicate_interactions", "on": true})).await;
    let mut bot = Bot::alone(&stage).with_configuration(&[PATIENT]);
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    is_told(&stage, "Omar").await;
    let long = "x".repeat(4000);
    let bad = json!({
        "contact": "Omar", "name": "Omar\n**@everyone**", "role": long, "user": "@everyone", "primary": "0171 5551234",
        "secondary": "+1-XXX", "emergency": "`rm`@", "preferred": "pigeon 5551234",
    });
    let said = hears(&stage, "Lena", "set", bad).await;
    for field in ["role", "name", "Discord user", "primary", "secondary", "emergency", "preferred"] {
        assert!(said.contains(&format!("• {field}: ")), "{field}: {said}");
    }
    assert!(!said.contains("5551234") && !said.contains("@everyone") && !said.contains("xxx"), "{said}");
    let number =
        hears(&stage, "Lena", "set", json!({"contact": "+49 171 5551234", "role": "DBA", "primary": "+49 30 7654321"}))
            .await;
    assert!(number.contains("looks like a number") && !number.contains("555"), "{number}");
    let typo = hears(&stage, "Lena", "set", json!({"contact": "Omarr", "primary": "+49 30 7654321"})).await;
    assert!(typo.contains("Nobody is called that") && typo.contains("Omar (Database Administrator)"), "{typo}");

    let odd = "@everyone `x` **b** <@1>";
    let said = hears(&stage, "Lena", "set", json!({"contact": odd, "role": "_|~", "primary": "+49 30 7654321"})).await;
    assert!(said.contains("is added"), "{said}");
    let line = is_told(&stage, "is added: primary `+49 •• •••••21`").await;
    assert!(!line.contains("@everyone") && !line.contains("<@1>") && line.lines().count() == 1, "{line}");
    let shared = types(&stage, "Lena", "list", json!({"share": true})).await;
    assert!(shared["mentions"].as_array().unwrap().is_empty() && shared["mention_everyone"] != json!(true), "{shared}");
    // Delivered twice, each is done once.
    let added = told(&stage).await.into_iter().filter(|told| told.contains("is added: primary")).count();
    assert_eq!(added, 1);
    let question = types(&stage, "Lena", "remove", json!({"contact": odd})).await;
    stage.person("Lena").clicks_on(&question, "Remove").await;
    is_told(&stage, "is removed").await;
    bot.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preference_is_honoured_and_gives_way_when_it_fails() {
    let (stage, services) = (Stage::open().await, Services::start().await);
    let twilio = format!(
        "[paging.twilio]\naccount = \"{ACCOUNT}\"\ntoken = \"TWILIO\"\nfrom = \"+15550100100\"\nurl = \"{}\"\n\n\
         # Figures for Prometheus",
        services.url()
    );
    let mut bot = Bot::alone(&stage)
        .with_configuration(&[("# Figures for Prometheus", &twilio), PATIENT])
        .with("TWILIO", TWILIO_TOKEN);
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    hears(&stage, "Lena", "set", json!({"contact": "Omar", "preferred": "voice"})).await;
    // A user that Discord does not know: the one way that she prefers will fail.
    let lost = json!({
        "contact": "Ada", "role": "Database Administrator", "user": "499999999999999999", "primary": "+1 555 010 0177",
        "preferred": "direct-message",
    });
    hears(&stage, "Lena", "set", lost).await;
    let opened = stage.person("Dana").hears("incident open", json!({"scenario": "database-corruption"})).await;
    assert!(opened.contains("is open"), "{opened}");

    let store = bot.store().await;
    let paged = until("the first call", async || {
        let incident = *store.newest_incidents().await.ok()?.first()?;
        let journal = store.incident_journal(incident).await.ok()?;
        journal.into_iter().find_map(|entry| match entry.event {
            Event::Paged(paged) => Some(paged),
            _ => None,
        })
    })
    .await;
    let ways =
        |name: &str| paged.pages.iter().filter(|page| page.name == name).map(|page| page.way).collect::<Vec<_>>();
    assert_eq!((ways("Omar"), ways("Ada")), (vec![Way::Voice], vec![Way::DirectMessage]));
    assert_eq!(ways("Dana"), [Way::DirectMessage, Way::Sms, Way::Voice], "who prefers nothing is paged by all");
    assert!(paged.called.iter().any(|called| called.name == "Omar"), "the mention stays: {paged:?}");

    let dialled = async |what: &str, number: &str| {
        until(&format!("a {what} to {number}"), async || {
            services.taken().into_iter().find(|taken| taken.what == what && taken.fields["To"] == number)
        })
        .await
    };
    dialled("call", "+15550100111").await;
    dialled("message", "+15550100177").await;
    dialled("call", "+15550100177").await;
    let texts = services.taken().into_iter().filter(|taken| taken.what == "message");
    assert!(texts.into_iter().all(|taken| taken.fields["To"] != "+15550100111"), "Omar is called, and gets no text");
    bot.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_changes_the_table_and_the_channel_hears_of_it() {
    let stage = Stage::open().await;
    let mut bot = Bot::alone(&stage).with_configuration(&[PATIENT]);
    bot.start();
    stage.ready().await;
    bot.imports_contacts().await;
    let line = is_told(&stage, "**Omar** (Database Administrator) is added").await;
    assert!(line.contains("(host): ") && !line.contains("010-0111"), "{line}");

    let set = drbot(&bot, &["set", "Omar", "--secondary", "-", "--preferred", "voice sms"]).await;
    assert!(set.0 && set.1.contains("Omar (Database Administrator) is changed: secondary is empty now"), "{set:?}");
    is_told(&stage, "prefers voice sms").await;
    let bad = drbot(&bot, &["set", "Omar", "--primary", "0171 5551234"]).await;
    assert!(!bad.0 && bad.1.contains("primary: this is no number") && !bad.1.contains("5551234"), "{bad:?}");
    assert!(drbot(&bot, &["verify", "Omar"]).await.0);
    is_told(&stage, "**Omar** (Database Administrator) is verified").await;
    let listed = drbot(&bot, &["list"]).await.1;
    assert!(listed.contains("    prefers voice, sms\n    ✓ verified") && listed.contains("⚠ not verified"), "{listed}");

    // What is exported is the table, and changes nothing when it comes back.
    let (_, exported) = drbot(&bot, &["export"]).await;
    assert!(exported.contains("dba@antbot.local,voice sms,2"), "{exported}");
    let before = bot.store().await.contacts().await.unwrap();
    let file = bot.data.join("exported.csv");
    std::fs::write(&file, &exported).unwrap();
    let back = drbot(&bot, &["import", &file.display().to_string()]).await;
    assert_eq!((back.0, back.1.as_str()), (true, "4 contacts are in the store\n"));
    assert_eq!(bot.store().await.contacts().await.unwrap(), before);
    // The written table has neither column: what it does not speak of stays, but for another number.
    let written = "Role,Name,Discord,Primary,Emergency\nDatabase Administrator,Omar,400000000000000002,+1-555-010-0111,dba@antbot.local\n";
    for (text, is_verified) in [(written.to_owned(), true), (written.replace("0111", "0119"), false)] {
        std::fs::write(&file, text).unwrap();
        assert!(drbot(&bot, &["import", &file.display().to_string()]).await.0);
        let omar = &bot.store().await.contacts().await.unwrap()[0];
        assert_eq!((omar.prefers.as_slice(), omar.verified.is_some()), (&[Way::Voice, Way::Sms][..], is_verified));
    }
    is_told(&stage, "no longer verified").await;
    let removed = drbot(&bot, &["remove", "Omar"]).await;
    assert!(removed.0 && removed.1.contains("is removed"), "{removed:?}");
    is_told(&stage, "**Omar** (Database Administrator) is removed").await;
    bot.terminate().await;
}
