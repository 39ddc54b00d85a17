//! `kill -9` on the way of a page: between its record and its claim, between the claim and the sending, between the sending and
//! the record of it. After the second start everybody is reached, and what may have arrived before says so.

use std::collections::BTreeMap;

use drbot::{clock::Clock, contacts::way::Way};
use serde_json::{Value, json};

use crate::support::{
    bot::Bot,
    mail::MailServer,
    services::{ACCOUNT, ROUTING_KEY, Services, TWILIO_TOKEN},
    stage::Stage,
    until,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    BeforeClaim,
    AfterClaim,
    AfterSending,
}

const WAYS: [Way; 4] = [Way::Sms, Way::Email, Way::Webhook, Way::Pagerduty];

/// A page as it arrived: to whom, by what it is recognised, and whether it says that it may be a repetition.
#[derive(Debug, Clone)]
struct Arrived {
    to: String,
    key: Option<String>,
    is_marked: bool,
}

struct Case {
    way: Way,
    point: Point,
    stage: Stage,
    services: Services,
    mail: MailServer,
    bot: Bot,
}

impl Case {
    async fn new(way: Way, point: Point) -> Self {
        let (stage, services, mail) = (Stage::open().await, Services::start().await, MailServer::start("open").await);
        let url = services.url();
        let paging = format!(
            "[paging.twilio]\naccount = \"{ACCOUNT}\"\ntoken = \"TWILIO\"\nfrom = \"+15550100100\"\nurl = \"{url}\"\n\n\
             [paging.pagerduty]\nrouting_key = \"PAGERDUTY\"\nurl = \"{url}\"\n\n\
             [paging.webhook]\nurl = \"{url}/hook\"\nsecret = \"HOOK\"\n\n\
             [paging.email]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nfrom = \"drbot@example.org\"\n\n\
             # Figures for Prometheus",
            mail.port
        );
        let changes = [
            ("# Figures for Prometheus", paging.as_str()),
            // At once by every address; and nobody is called a second time while the story is told.
            ("at   = 0\npage = [\"responsible\"]", "at    = 0\npage  = [\"responsible\"]\nreach = \"emergency\""),
            ("rto      = \"30m\"", "rto      = \"3h\""),
            (
                "rpo      = \"10m\"\npriority = \"critical\"\nresponsible = [\"Database",
                "rpo      = \"10m\"\npriority = \"medium\"\nresponsible = [\"Database",
            ),
        ];
        let bot = Bot::alone(&stage).with_configuration(&changes);
        let secrets = [("TWILIO", TWILIO_TOKEN), ("PAGERDUTY", ROUTING_KEY), ("HOOK", "between two")];
        let bot = secrets.into_iter().fold(bot, |bot, (name, value)| bot.with(name, value));
        Self { way, point, stage, services, mail, bot }
    }

    fn arrived(&self) -> Vec<Arrived> {
        let what = match self.way {
            Way::Sms => "message",
            Way::Webhook => "hook",
            Way::Pagerduty => "event",
            _ => return self.mail.mails().iter().map(mail).collect(),
        };
        let taken = self.services.taken().into_iter().filter(|taken| taken.what == what);
        let arrived = taken.map(|taken| match self.way {
            Way::Sms => {
                let text = taken.fields["Body"].as_str().unwrap();
                let to = taken.fields["To"].as_str().unwrap().to_owned();
                Arrived { to, key: None, is_marked: text.contains("may be a repetition") }
            }
            Way::Webhook => Arrived {
                to: "all".to_owned(),
                key: Some(taken.headers["idempotency-key"].to_str().unwrap().to_owned()),
                is_marked: taken.fields["may_repeat"] == json!(true),
            },
            _ => Arrived {
                to: "all".to_owned(),
                key: Some(taken.fields["dedup_key"].as_str().unwrap().to_owned()),
                is_marked: taken.body.contains("may be a repetition"),
            },
        });
        arrived.collect()
    }

    /// Waits until nothing by this way is to be sent any more.
    async fn all_settled(&self) {
        until("the pages to be settled", async || {
            let store = self.bot.store().await;
            let far = Clock::system().now() + chrono::TimeDelta::days(1);
            let open = store.due_pages("nobody", &[self.way], far).await.unwrap();
            store.close().await;
            open.is_empty().then_some(())
        })
        .await;
    }

    async fn told(mut self) {
        let Self { way, point, .. } = self;
        let failpoint = match point {
            Point::BeforeClaim => "before-claim",
            Point::AfterClaim => "after-claim",
            Point::AfterSending => "after-sending",
        };
        self.bot.set("DRBOT_FAILPOINT", &format!("{failpoint}:{way}"));
        self.bot.start();
        self.stage.ready().await;
        self.bot.imports_contacts().await;
        // The bot may be gone before it answers.
        self.stage.person("Lena").types("incident open", json!({"scenario": "database-corruption"})).await;
        self.bot.dies().await;
        let before = self.arrived();
        assert_eq!(before.is_empty(), point != Point::AfterSending, "{way} {point:?}: {before:?}");
        assert!(before.iter().all(|one| !one.is_marked), "{way} {point:?}: {before:?}");

        self.bot.unset("DRBOT_FAILPOINT");
        self.bot.start();
        self.all_settled().await;
        let mut by_person: BTreeMap<String, Vec<Arrived>> = BTreeMap::new();
        for one in self.arrived() {
            by_person.entry(one.to.clone()).or_default().push(one);
        }
        let expected = if matches!(way, Way::Sms) {
            4
        } else if way == Way::Email {
            2
        } else {
            1
        };
        assert_eq!(by_person.len(), expected, "{way} {point:?}: {by_person:?}");
        let all = || by_person.values().flatten();
        for (person, pages) in &by_person {
            let times = if before.iter().any(|one| one.to == *person) { 2 } else { 1 };
            assert_eq!(pages.len(), times, "{way} {point:?}: {pages:?}");
            assert!(times == 1 || pages[1].is_marked || way.is_idempotent(), "{way} {point:?}: {pages:?}");
            assert_eq!(pages[0].key, pages[times - 1].key, "the other side is to recognise it");
        }
        match point {
            Point::BeforeClaim => assert!(all().all(|one| !one.is_marked), "{way}: {by_person:?}"),
            // Whether it had arrived, drbot cannot know. Who recognises a repetition needs no words.
            Point::AfterClaim | Point::AfterSending => {
                assert!(way == Way::Pagerduty || all().any(|one| one.is_marked), "{way} {point:?}: {by_person:?}");
            }
        }
        self.bot.terminate().await;
    }
}

/// The other side recognises a mail by its id.
fn mail(mail: &Value) -> Arrived {
    let text = mail["text"].as_str().unwrap();
    let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap();
    // Lines are broken where mail has them.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Arrived {
        to: mail["to"][0].as_str().unwrap().to_owned(),
        key: Some(id.to_owned()),
        is_marked: words.contains("may be a repetition"),
    }
}

async fn killed_at(point: Point) {
    for way in WAYS {
        Case::new(way, point).await.told().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_nobody_had_begun_to_send_is_sent_once() {
    killed_at(Point::BeforeClaim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_about_to_be_sent_is_sent_and_may_be_a_repetition() {
    killed_at(Point::AfterClaim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_sent_and_not_settled_is_sent_again_and_says_so() {
    killed_at(Point::AfterSending).await;
}
