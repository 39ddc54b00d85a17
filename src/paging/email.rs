//! A page as a mail, handed to an SMTP server.
//!
//! The protocol is spoken one command at a time, so that it is known what a lost connection means: until the first byte of
//! the message nothing was sent, after the last one the mail may be on its way. The `Message-ID` is the page's key: mail
//! systems that throw repetitions away recognise one by it, but none has to.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use lettre::{
    Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};
use secrecy::ExposeSecret;

use super::{LIMIT, Page, Pager, Sent};
use crate::{
    config::{
        paging::{EmailSettings, Security},
        settings::Priority,
    },
    contacts::Address,
};

/// For a connection to one of the server's addresses.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);
/// For the good-bye, when everything is said.
const QUIT_LIMIT: Duration = Duration::from_secs(1);

pub(super) async fn send(pager: &Pager, settings: &EmailSettings, address: &Address, page: &Page) -> Sent {
    let message = match message(pager, settings, address, page) {
        Ok(message) => message,
        Err(refused) => return refused,
    };
    let is_out = AtomicBool::new(false);
    let limit = LIMIT.saturating_sub(QUIT_LIMIT);
    match pager.clock.timeout(limit, deliver(pager, settings, &message, &is_out)).await {
        Some(Ok((mut connection, receipt))) => {
            let _ = pager.clock.timeout(QUIT_LIMIT, connection.quit()).await;
            Sent::Delivered { receipt }
        }
        Some(Err(sent)) => sent,
        None => {
            let why = format!("the mail server was not done within {} s", limit.as_secs());
            if is_out.load(Ordering::Relaxed) { Sent::unknown(why) } else { Sent::failed(why) }
        }
    }
}

/// Hands the message over. From when on `is_out` is set it may be on its way.
async fn deliver(
    pager: &Pager,
    settings: &EmailSettings,
    message: &Message,
    is_out: &AtomicBool,
) -> Result<(AsyncSmtpConnection, Option<String>), Sent> {
    let mut connection = connect(settings).await?;
    log_in(pager, settings, &mut connection).await?;
    let envelope = message.envelope();
    let from = Mail::new(envelope.from().cloned(), Vec::new());
    connection.command(from).await.map_err(|error| before("took no mail from drbot", &error))?;
    for to in envelope.to() {
        let to = Rcpt::new(to.clone(), Vec::new());
        connection.command(to).await.map_err(|error| before("did not take the address", &error))?;
    }
    connection.command(Data).await.map_err(|error| before("took no text", &error))?;
    is_out.store(true, Ordering::Relaxed);
    let answer = connection.message(&message.formatted()).await.map_err(|error| after(&error))?;
    let receipt = answer.first_line().map(str::to_owned).filter(|line| !line.is_empty());
    Ok((connection, receipt))
}

async fn connect(settings: &EmailSettings) -> Result<AsyncSmtpConnection, Sent> {
    let hello = ClientId::default();
    let server = (settings.host.as_str(), settings.port());
    let implicit = match settings.security {
        Security::Tls => Some(tls(settings).await?),
        Security::Starttls | Security::None => None,
    };
    let connection = AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_LIMIT), &hello, implicit, None);
    let mut connection = connection.await.map_err(|error| before("cannot be reached", &error))?;
    if settings.security == Security::Starttls {
        if !connection.can_starttls() {
            return Err(Sent::refused(
                "the mail server does not offer STARTTLS, and nothing is said to it in the open",
            ));
        }
        let tls = tls(settings).await?;
        connection.starttls(tls, &hello).await.map_err(|error| before("made no private connection", &error))?;
    }
    Ok(connection)
}

/// Who vouches for the server: those of the settings alone, else those of the system.
async fn tls(settings: &EmailSettings) -> Result<TlsParameters, Sent> {
    let mut parameters = TlsParameters::builder(settings.host.clone());
    if let Some(file) = &settings.ca {
        parameters = parameters.certificate_store(CertificateStore::None);
        for certificate in certificates(file).await? {
            parameters = parameters.add_root_certificate(certificate);
        }
    }
    parameters.build().map_err(|error| Sent::refused(format!("TLS cannot be set up: {}", reason(&error))))
}

async fn certificates(file: &Path) -> Result<Vec<Certificate>, Sent> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let shown = file.display();
    let text = tokio::fs::read_to_string(file).await;
    let text = text.map_err(|error| Sent::refused(format!("{shown} cannot be read: {error}")))?;
    let found: Result<Vec<_>, _> =
        text.split(BEGIN).skip(1).map(|rest| Certificate::from_pem(format!("{BEGIN}{rest}").as_bytes())).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Sent::refused(format!("{shown} has no certificate that can be read (PEM)"))),
    }
}

async fn log_in(pager: &Pager, settings: &EmailSettings, connection: &mut AsyncSmtpConnection) -> Result<(), Sent> {
    let (Some(user), Some(password)) = (&settings.user, &settings.password) else { return Ok(()) };
    let password = pager.secrets.resolve(password).map_err(|error| Sent::refused(format!("{error:#}")))?;
    let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
    let answer = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
    answer.map_err(|error| before("does not let drbot in", &error))?;
    Ok(())
}

fn message(pager: &Pager, settings: &EmailSettings, address: &Address, page: &Page) -> Result<Message, Sent> {
    let mailbox = |name: Option<&str>, address: &str| {
        // Beyond ASCII both ends would need SMTPUTF8, which few have.
        let parsed = address.parse().ok().filter(|_| address.is_ascii());
        parsed.map(|address| Mailbox::new(name.map(str::to_owned), address))
    };
    let to = mailbox(None, address.reveal()).ok_or_else(|| Sent::refused("no mail can be sent to this address"))?;
    let from = mailbox(Some("drbot"), &settings.from)
        .ok_or_else(|| Sent::refused("no mail can come from the address `from` in drbot.toml"))?;
    let told = page.told();
    let domain = from.email.domain().to_owned();
    let mut message = Message::builder()
        .date(pager.now().into())
        .message_id(Some(format!("<{}@{domain}>", page.key)))
        .from(from)
        .to(to)
        .subject(told.subject())
        // No machine answers it that it is on holiday.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .header(ContentType::TEXT_PLAIN);
    if page.priority == Priority::Critical {
        message = message.raw_header(header("Importance", "high"));
    }
    message.body(told.body()).map_err(|error| Sent::refused(format!("the mail cannot be written: {error}")))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Nothing of the message was sent yet.
fn before(what: &str, error: &Error) -> Sent {
    let why = format!("the mail server {what}: {}", reason(error));
    if error.is_permanent() || error.is_client() { Sent::refused(why) } else { Sent::failed(why) }
}

/// The message was sent, and this is what came instead of a yes.
fn after(error: &Error) -> Sent {
    let reason = reason(error);
    if error.is_permanent() {
        Sent::refused(format!("the mail server did not take the mail: {reason}"))
    } else if error.is_transient() {
        Sent::failed(format!("the mail server did not take the mail now: {reason}"))
    } else {
        Sent::unknown(format!("the connection was lost before the mail server said whether it took the mail: {reason}"))
    }
}

/// What the server said with its code, or what is behind an error of the connection.
fn reason(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match error.status() {
        Some(code) => format!("{code} {cause}"),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::testing, *};
    use crate::{
        clock::Clock,
        config::{paging::PagingSettings, secrets::Secrets},
    };

    fn written(page: &Page, to: &str) -> Result<String, Sent> {
        let settings: EmailSettings =
            serde_json::from_value(serde_json::json!({ "host": "localhost", "from": "drbot@example.org" })).unwrap();
        let pager = Pager::new(&PagingSettings::default(), Secrets::from_lookup(|_| None), Clock::system()).unwrap();
        let message = message(&pager, &settings, &Address::parse(to).unwrap(), page)?;
        Ok(String::from_utf8(message.formatted()).unwrap())
    }

    #[test]
    fn a_mail_is_recognised_by_the_key_of_its_page() {
        let mail = written(&testing::page(), "ops@example.org").unwrap();
        for line in [
            "Message-ID: <i4a7f-75-1@example.org>\r\n",
            "From: drbot <drbot@example.org>\r\n",
            "To: ops@example.org\r\n",
            "Subject: 75 % of the RTO is used\r\n",
            "Importance: high\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Acknowledge: https://drbot.example.org/ack/1\r\n",
        ] {
            assert!(mail.contains(line), "{line} in {mail}");
        }
        let refused = written(&testing::page(), "bj\u{f6}rn@example.org").unwrap_err();
        assert!(matches!(refused, Sent::Refused { .. }), "{refused:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_becomes_a_header_or_ends_the_mail(subject in "[\\PC\r\n:]{0,80}(\r\nBcc: evil@example.org)?[\\PC\r\n]{0,80}",
            text in "[\\PC\r\n.]{0,200}(\r\n\\.\r\n)?[\\PC\r\n]{0,80}") {
            let page = Page { subject, text, ..testing::page() };
            let mail = written(&page, "ops@example.org").unwrap();
            let (head, _) = mail.split_once("\r\n\r\n").unwrap();
            let known = ["Date", "Message-ID", "From", "To", "Subject", "Auto-Submitted", "Content-Type", "Importance",
                "MIME-Version", "Content-Transfer-Encoding"];
            for line in head.split("\r\n").filter(|line| !line.starts_with(' ')) {
                let name = line.split(':').next().unwrap();
                prop_assert!(known.contains(&name), "{:?}", line);
            }
            prop_assert!(mail.is_ascii());
            prop_assert!(!mail.replace("\r\n", "").contains(['\r', '\n']), "every line ends as lines do");
        }
    }
}
