//! Pages by the services that take them over HTTP, against stand-ins that are as strict as the services: what is sent, and
//! what each failure is called.

use std::{path::Path, time::Duration};

use drbot::{
    clock::Clock,
    config::{paging::PagingSettings, secrets::Secrets, settings::Priority},
    contacts::{
        Phone,
        way::{To, Way},
    },
    paging::{LIMIT, Page, Pager, Sent, Settled},
};
use serde_json::json;

use crate::support::{
    clock::HandClock,
    pages::page,
    services::{ACCOUNT, NTFY_TOKEN, ROUTING_KEY, Services, TWILIO_TOKEN, Taken, cuts, hangs},
};

const HOOK_SECRET: &str = "a secret between two";
const SERVICES: [Way; 5] = [Way::Sms, Way::Voice, Way::Webhook, Way::Pagerduty, Way::Ntfy];

fn settings(url: &str) -> PagingSettings {
    serde_json::from_value(json!({
        "webhook": { "url": format!("{url}/hook"), "secret": "HOOK" },
        "twilio": { "account": ACCOUNT, "token": "TWILIO", "from": "+15550100100", "url": url },
        "pagerduty": { "routing_key": "PAGERDUTY", "url": url },
        "ntfy": { "url": url, "topic": "oncall", "token": "NTFY" },
    }))
    .unwrap()
}

fn secrets() -> Secrets {
    Secrets::from_lookup(|name| {
        let value = match name {
            "HOOK" => HOOK_SECRET,
            "TWILIO" => TWILIO_TOKEN,
            "PAGERDUTY" => ROUTING_KEY,
            "NTFY" => NTFY_TOKEN,
            _ => return None,
        };
        Some(value.to_owned())
    })
}

fn pager(url: &str, clock: Clock) -> Pager {
    Pager::new(&settings(url), secrets(), clock).unwrap()
}

fn to(way: Way) -> To {
    match way {
        Way::Sms | Way::Voice => To::Phone(Phone::parse("+1 555 010-0111").unwrap()),
        _ => To::Shared,
    }
}

fn receipt(sent: Sent) -> String {
    match sent {
        Sent::Delivered { receipt: Some(receipt) } => receipt,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_takes_a_page() {
    let services = Services::start().await;
    let pager = pager(&services.url(), Clock::system());
    let mut receipts = Vec::new();
    for way in SERVICES {
        receipts.push(receipt(pager.send(way, &to(way), &page("run-75")).await));
    }
    assert!(receipts[0].starts_with("SM") && receipts[1].starts_with("CA"), "{receipts:?}");
    assert_eq!(receipts[2..], ["w3", "run-75", "n5"]);
    let taken = services.taken();
    let [message, call, hook, event, push] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!(taken.iter().map(|one| one.what).collect::<Vec<_>>(), ["message", "call", "hook", "event", "push"]);

    assert_eq!((&message.fields["To"], &message.fields["From"]), (&json!("+15550100111"), &json!("+15550100100")));
    let text = message.fields["Body"].as_str().unwrap();
    assert!(text.contains("<database> & \"corruption\"") && text.ends_with("Code: 4A7"), "{text}");
    let twiml = call.fields["Twiml"].as_str().unwrap();
    assert!(twiml.starts_with("<Response><Say>This is drbot. ") && twiml.ends_with("</Say></Response>"), "{twiml}");
    assert!(twiml.contains("&lt;database&gt; &amp; &quot;corruption&quot;") && twiml.contains("4, A, 7"), "{twiml}");

    assert_eq!(hook.headers["idempotency-key"], "run-75");
    assert_eq!((&hook.fields["event"], &hook.fields["key"]), (&json!("page"), &json!("run-75")));
    assert_eq!(hook.fields["who"], "Omar (Database Administrator)");

    assert_eq!((&event.fields["event_action"], &event.fields["dedup_key"]), (&json!("trigger"), &json!("run-75")));
    assert_eq!(event.fields["payload"]["severity"], "critical");
    assert_eq!(event.fields["links"][0]["href"], "https://drbot.example.org/ack/1");

    assert_eq!((&push.fields["topic"], &push.fields["priority"]), (&json!("oncall"), &json!(5)));
    assert_eq!(push.fields["title"], "75 % of the RTO is used");
    assert_eq!(push.fields["click"], "https://drbot.example.org/ack/1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_was_about_is_settled_where_that_is_known() {
    let services = Services::start().await;
    let pager = pager(&services.url(), Clock::system());
    for (way, settled, name) in [
        (Way::Pagerduty, Settled::Acknowledged, "acknowledge"),
        (Way::Pagerduty, Settled::Resolved, "resolve"),
        (Way::Webhook, Settled::Acknowledged, "acknowledge"),
        (Way::Webhook, Settled::Resolved, "resolve"),
    ] {
        let sent = pager.settle(way, "run-75", settled).await;
        assert!(matches!(sent, Some(Sent::Delivered { .. })), "{sent:?}");
        let taken = services.taken().pop().unwrap();
        match way {
            Way::Webhook => {
                assert_eq!((&taken.fields["event"], &taken.fields["key"]), (&json!(name), &json!("run-75")));
                assert_eq!(taken.headers["idempotency-key"], format!("run-75-{name}"));
            }
            _ => assert_eq!(
                (&taken.fields["event_action"], &taken.fields["dedup_key"]),
                (&json!(name), &json!("run-75"))
            ),
        }
    }
    for way in [Way::Sms, Way::Voice, Way::Ntfy, Way::Email] {
        assert_eq!(pager.settle(way, "run-75", Settled::Resolved).await, None, "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_and_drills_are_taken_as_everything_else() {
    let services = Services::start().await;
    let pager = pager(&services.url(), Clock::system());
    let hostile = "]]></Say><Hangup/>&#0;\u{0}\r\nX-Evil: 1\u{202e}{{7*7}}🔥".repeat(2000);
    let (subject, text) = (hostile.clone(), hostile.clone());
    for (priority, way) in [Priority::Critical, Priority::High, Priority::Medium]
        .into_iter()
        .flat_map(|one| SERVICES.map(|way| (one, way)))
    {
        let (subject, text, short) = (subject.clone(), text.clone(), hostile.clone());
        let (link, code) = (Some(format!("https://x/{hostile}")), Some(hostile.clone()));
        let page = Page { subject, text, short, link, code, priority, drill: true, may_repeat: true, ..page("run-75") };
        receipt(pager.send(way, &to(way), &page).await);
        let taken = services.taken().pop().unwrap();
        assert!(taken.headers.get("x-evil").is_none());
        assert!(way == Way::Voice || taken.body.contains("DRILL"), "{way}");
        if way == Way::Voice {
            let twiml = taken.fields["Twiml"].as_str().unwrap();
            assert_eq!(twiml.matches('<').count(), 7, "nothing but what drbot put there: {twiml}");
        }
    }
}

fn named(sent: &Sent) -> (&'static str, String) {
    match sent {
        Sent::Delivered { .. } => ("delivered", String::new()),
        Sent::Failed { why, .. } => ("failed", why.clone()),
        Sent::Refused { why } => ("refused", why.clone()),
        Sent::Unknown { why } => ("unknown", why.clone()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_answers_is_told_apart() {
    let services = Services::start().await;
    let pager = pager(&services.url(), Clock::system());
    for way in SERVICES {
        for (status, called) in
            [(500, "failed"), (503, "failed"), (400, "refused"), (403, "refused"), (502, "unknown"), (307, "refused")]
        {
            services.fail_next(status, None);
            let (name, why) = named(&pager.send(way, &to(way), &page("run-75")).await);
            assert!(name == called && why.contains(&status.to_string()), "{way} {status}: {name}, {why}");
        }
        services.fail_next(429, Some("17"));
        let sent = pager.send(way, &to(way), &page("run-75")).await;
        let Sent::Failed { again_after, .. } = sent else { panic!("{way}: {sent:?}") };
        assert_eq!(again_after, Some(Duration::from_secs(17)), "{way}");
    }
    assert_eq!(services.taken().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_unknown_and_a_closed_door_is_not() {
    let cut = pager(&cuts().await, Clock::system());
    let closed = pager("http://127.0.0.1:9", Clock::system());
    for way in SERVICES {
        let (name, why) = named(&cut.send(way, &to(way), &page("run-75")).await);
        assert_eq!(name, "unknown", "{way}: {why}");
        let (name, why) = named(&closed.send(way, &to(way), &page("run-75")).await);
        assert!(name == "failed" && why.contains("cannot be reached"), "{way}: {name}, {why}");
    }
    let (url, mut requests) = hangs().await;
    for way in SERVICES {
        let hand = HandClock::new();
        let hung = pager(&url, hand.clock());
        let sending = tokio::spawn(async move { hung.send(way, &to(way), &page("run-75")).await });
        let _held = requests.recv().await.unwrap();
        hand.pass(LIMIT).await;
        let (name, why) = named(&sending.await.unwrap());
        assert!(name == "unknown" && why.contains("within 10 s"), "{way}: {name}, {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_never_work_says_why_and_no_secret() {
    let services = Services::start().await;
    let pager = pager(&services.url(), Clock::system());
    let nobody = To::Phone(Phone::parse("+999 555 010-0111").unwrap());
    let (name, why) = named(&pager.send(Way::Sms, &nobody, &page("run-75")).await);
    assert_eq!(name, "refused");
    assert!(why.contains("is not a valid phone number. (code 21211)") && !why.contains("9995550100111"), "{why}");

    let wrong =
        Secrets::from_lookup(|name| ["TWILIO", "PAGERDUTY"].contains(&name).then(|| "another-secret".to_owned()));
    let pager = Pager::new(&settings(&services.url()), wrong, Clock::system()).unwrap();
    for (way, said) in [
        (Way::Sms, "Authenticate (code 20003)"),
        (Way::Pagerduty, "Event object is invalid (Routing key invalid)"),
        (Way::Ntfy, "the secret NTFY is not set"),
    ] {
        let (name, why) = named(&pager.send(way, &to(way), &page("run-75")).await);
        assert!(name == "refused" && why.contains(said) && !why.contains("another-secret"), "{way}: {name}, {why}");
    }
    assert_eq!(services.taken().len(), 0);
}

/// The receiver of the documentation, and what it makes of the requests that drbot sends.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_receiver_believes_drbot_and_nobody_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/paging.md")).unwrap();
    let receiver = document.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let services = Services::start().await;
    receipt(pager(&services.url(), Clock::system()).send(Way::Webhook, &To::Shared, &page("run-75")).await);
    // Its hands stand still, years ago.
    let late = pager(&services.url(), HandClock::new().clock());
    receipt(late.send(Way::Webhook, &To::Shared, &page("run-90")).await);
    let [now, old] = &services.taken()[..] else { panic!("two requests") };
    let believed = async |secret: &str, taken: &Taken, body: &str| {
        let header = |name: &str| taken.headers[name].to_str().unwrap();
        let arguments = json!([secret, header("drbot-timestamp"), header("drbot-signature"), body]);
        let call = "\nimport json, sys\nprint(verify(*json.load(sys.stdin)))\n";
        python(&format!("{receiver}{call}"), &arguments.to_string()).await
    };
    assert_eq!(believed(HOOK_SECRET, now, &now.body).await, "True\n");
    assert_eq!(believed("another secret", now, &now.body).await, "False\n");
    assert_eq!(believed(HOOK_SECRET, now, &now.body.replace("75 %", "10 %")).await, "False\n");
    assert_eq!(believed(HOOK_SECRET, old, &old.body).await, "False\n", "what was recorded long ago is worth nothing");
}

async fn python(program: &str, input: &str) -> String {
    use tokio::io::AsyncWriteExt;
    let mut process = tokio::process::Command::new("python3")
        .args(["-c", program])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    String::from_utf8(process.wait_with_output().await.unwrap().stdout).unwrap()
}

/// What `drbot contacts …` prints, and its exit code.
async fn contacts(folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_drbot"))
        .arg("contacts")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs([("TWILIO", TWILIO_TOKEN), ("PAGERDUTY", ROUTING_KEY), ("NTFY", NTFY_TOKEN), ("HOOK", HOOK_SECRET)])
        .output()
        .await
        .unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (text, output.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_really_sent_a_test() {
    let (services, folder) = (Services::start().await, tempfile::tempdir().unwrap());
    let (folder, url) = (folder.path(), services.url());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir(folder.join("commands")).unwrap();
    std::fs::copy(root.join("contacts.csv"), folder.join("contacts.csv")).unwrap();
    let shipped = std::fs::read_to_string(root.join("drbot.toml")).unwrap();
    std::fs::write(folder.join("drbot.toml"), &shipped).unwrap();
    assert_eq!(contacts(folder, &["import", "contacts.csv"]).await.1, Some(0));
    let (said, code) = contacts(folder, &["test", "Omar"]).await;
    assert!(code == Some(1) && said.contains("no way is set up but Discord"), "{said}");

    let paging = format!(
        "[paging.twilio]\naccount = \"{ACCOUNT}\"\ntoken = \"TWILIO\"\nfrom = \"+15550100100\"\nurl = \"{url}\"\n\
         [paging.pagerduty]\nrouting_key = \"PAGERDUTY\"\nurl = \"{url}\"\n\
         [paging.ntfy]\nurl = \"{url}\"\ntopic = \"oncall\"\ntoken = \"NTFY\"\n\
         [paging.webhook]\nurl = \"{url}/hook\"\nsecret = \"HOOK\"\n"
    );
    std::fs::write(folder.join("drbot.toml"), format!("{shipped}\n{paging}")).unwrap();
    let (said, code) = contacts(folder, &["test", "database administrator"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.starts_with("Database Administrator: Omar\n    sms        +1-5••-•••-••11            taken (SM0"),
        "{said}"
    );
    assert!(!said.contains("0111") && !said.contains("0112"), "numbers are masked: {said}");
    let taken = services.taken();
    let what: Vec<_> = taken.iter().map(|one| one.what).collect();
    // Both numbers by both ways; what a test opened is closed again.
    assert_eq!(what, ["message", "message", "call", "call", "hook", "hook", "event", "event", "push"], "{said}");
    assert!(taken[0].fields["Body"].as_str().unwrap().starts_with("[TEST] "), "{taken:?}");
    let actions: Vec<_> = taken[6..8].iter().map(|one| &one.fields["event_action"]).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!(taken[6].fields["dedup_key"], taken[7].fields["dedup_key"]);

    services.fail_next(429, Some("30"));
    let (said, code) = contacts(folder, &["test", "Omar", "--way", "ntfy"]).await;
    assert!(code == Some(1) && said.contains("failed: ntfy answered 429; again after 30 s"), "{said}");
    assert_eq!(services.taken().len(), taken.len());
    for (arguments, why) in [
        (["test", "Nobody", "--way", "sms"], "nobody is called `Nobody`; there is Dana (System Administrator), "),
        (["test", "Omar", "--way", "discord"], "the bot speaks in Discord"),
        (["test", "Omar", "--way", "email"], "pages by email are not set up"),
    ] {
        let (said, code) = contacts(folder, &arguments).await;
        assert!(code == Some(1) && said.contains(why), "{said}");
    }
}
