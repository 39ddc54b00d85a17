//! Pages as mail, to a real server with TLS and accounts: what arrives, and what each failure is called.

use std::path::Path;

use drbot::{
    clock::Clock,
    config::{
        paging::{EmailSettings, PagingSettings, Security},
        secrets::Secrets,
    },
    contacts::{
        Address,
        way::{To, Way},
    },
    paging::{Pager, Sent},
};

use crate::support::{
    clock::HandClock,
    mail::{MailServer, PASSWORD, USER},
    pages::page,
};

fn settings(server: &MailServer, security: Security, ca: &Path) -> EmailSettings {
    EmailSettings {
        host: "localhost".to_owned(),
        port: Some(server.port),
        security,
        from: "drbot@example.org".to_owned(),
        user: Some(USER.to_owned()),
        password: Some("SMTP_PASSWORD".to_owned()),
        ca: Some(ca.to_owned()),
    }
}

fn pager(email: EmailSettings, password: &'static str, clock: Clock) -> Pager {
    let secrets = Secrets::from_lookup(move |name| (name == "SMTP_PASSWORD").then(|| password.to_owned()));
    Pager::new(&PagingSettings { email: Some(email), ..PagingSettings::default() }, secrets, clock).unwrap()
}

async fn to(pager: &Pager, address: &str) -> Sent {
    pager.send(Way::Email, &To::Mail(Address::parse(address).unwrap()), &page("mail-1")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_over_a_private_connection() {
    for (kind, security) in [("starttls", Security::Starttls), ("tls", Security::Tls)] {
        let server = MailServer::start(kind).await;
        let pager = pager(settings(&server, security, &server.ca()), PASSWORD, Clock::system());
        let sent = to(&pager, "ops@example.org").await;
        let Sent::Delivered { receipt: Some(receipt) } = &sent else { panic!("{kind}: {sent:?}") };
        assert!(receipt.contains("queued as M1"), "{receipt}");
        let mails = server.mails();
        assert_eq!(mails.len(), 1);
        let mail = &mails[0];
        assert_eq!((&mail["from"], &mail["to"][0]), (&"drbot@example.org".into(), &"ops@example.org".into()));
        assert_eq!((&mail["tls"], &mail["user"]), (&true.into(), &USER.into()), "{kind}");
        let text = mail["text"].as_str().unwrap();
        for line in
            ["Message-ID: <mail-1@example.org>", "Subject: 75 % of the RTO is used", "In Discord: /incident ack 4A7"]
        {
            assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_does_with_a_mail_is_told_apart() {
    let server = MailServer::start("starttls").await;
    let pager = pager(settings(&server, Security::Starttls, &server.ca()), PASSWORD, Clock::system());
    for (address, called, said) in [
        ("later@example.org", "failed", "try later"),
        ("nobody@example.org", "refused", "no such mailbox"),
        ("gone@example.org", "failed", "did not take the address"),
        ("cut@example.org", "unknown", "connection was lost"),
        ("full@example.org", "refused", "mailbox is full"),
        ("busy@example.org", "failed", "too busy"),
    ] {
        let sent = to(&pager, address).await;
        let (what, why) = match &sent {
            Sent::Delivered { .. } => ("delivered", ""),
            Sent::Failed { why, .. } => ("failed", why.as_str()),
            Sent::Refused { why } => ("refused", why.as_str()),
            Sent::Unknown { why } => ("unknown", why.as_str()),
        };
        assert_eq!(what, called, "{address}: {sent:?}");
        assert!(why.contains(said), "{address}: {why}");
        assert!(!why.contains(address), "an address stands in no sentence: {why}");
    }
    // What is called unknown had arrived: who repeats it says so.
    assert!(server.mails().iter().any(|mail| mail["to"][0] == "cut@example.org"));
    assert!(!server.mails().iter().any(|mail| mail["to"][0] == "gone@example.org"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let server = MailServer::start("starttls").await;
    let hand = HandClock::new();
    let hung = pager(settings(&server, Security::Starttls, &server.ca()), PASSWORD, hand.clock());
    let sending = tokio::spawn(async move { to(&hung, "hung@example.org").await });
    crate::support::until("the mail to be there", async || (!server.mails().is_empty()).then_some(())).await;
    hand.pass(std::time::Duration::from_secs(9)).await;
    let sent = sending.await.unwrap();
    assert!(matches!(&sent, Sent::Unknown { why } if why.contains("within 9 s")), "{sent:?}");

    // One that never says a word was never told anything.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hand = HandClock::new();
    let mut email = settings(&server, Security::Starttls, &server.ca());
    email.port = Some(mute.local_addr().unwrap().port());
    let waiting = pager(email, PASSWORD, hand.clock());
    let sending = tokio::spawn(async move { to(&waiting, "ops@example.org").await });
    let _silent = mute.accept().await.unwrap();
    hand.pass(std::time::Duration::from_secs(9)).await;
    let sent = sending.await.unwrap();
    assert!(matches!(&sent, Sent::Failed { .. }), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_to_who_is_not_trusted() {
    for (kind, security) in [("starttls", Security::Starttls), ("tls", Security::Tls)] {
        let server = MailServer::start(kind).await;
        let stranger = pager(settings(&server, security, &server.stranger().await), PASSWORD, Clock::system());
        let sent = to(&stranger, "ops@example.org").await;
        let Sent::Failed { why, .. } = &sent else { panic!("{kind}: {sent:?}") };
        assert!(why.contains("certificate"), "{why}");

        let wrong = pager(settings(&server, security, &server.ca()), "a wrong password", Clock::system());
        let sent = to(&wrong, "ops@example.org").await;
        let Sent::Refused { why } = &sent else { panic!("{kind}: {sent:?}") };
        assert!(why.contains("does not let drbot in") && why.contains("535"), "{why}");
        assert!(!why.contains("wrong password"), "{why}");
        assert_eq!(server.mails().len(), 0);
    }
    let open = MailServer::start("open").await;
    let pager_ = pager(settings(&open, Security::Starttls, &open.ca()), PASSWORD, Clock::system());
    let sent = to(&pager_, "ops@example.org").await;
    assert!(matches!(&sent, Sent::Refused { why } if why.contains("does not offer STARTTLS")), "{sent:?}");
    let missing = pager(settings(&open, Security::Tls, Path::new("/nowhere/ca.pem")), PASSWORD, Clock::system());
    let sent = to(&missing, "ops@example.org").await;
    assert!(matches!(&sent, Sent::Refused { why } if why.contains("/nowhere/ca.pem cannot be read")), "{sent:?}");

    // In the open, on this machine, without an account: as a mail server beside drbot takes it.
    let mut email = settings(&open, Security::None, &open.ca());
    (email.user, email.password) = (None, None);
    let plain = pager(email, PASSWORD, Clock::system());
    let sent = to(&plain, "ops@example.org").await;
    assert!(matches!(sent, Sent::Delivered { .. }), "{sent:?}");
    let sent = to(&nobody_listens(&open), "ops@example.org").await;
    assert!(matches!(&sent, Sent::Failed { why, .. } if why.contains("cannot be reached")), "{sent:?}");
}

fn nobody_listens(server: &MailServer) -> Pager {
    let mut email = settings(server, Security::Starttls, &server.ca());
    email.port = Some(9);
    pager(email, PASSWORD, Clock::system())
}
