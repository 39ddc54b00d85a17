//! Sending one page, to one address, by one way.
//!
//! Whoever calls people decides whom and when; here it is done, and said what came of it. What must stay true: a page that
//! may have arrived is never called failed ([`Sent::Unknown`]), one that certainly did not is never called anything else, and
//! within [`LIMIT`] there is an answer. A number, an address or a secret stands in no sentence about it.

mod email;
mod http;
mod ntfy;
mod pagerduty;
pub mod trial;
mod twilio;
mod webhook;

use std::{fmt, time::Duration};

use crate::{
    clock::{Clock, Timestamp},
    config::{paging::PagingSettings, secrets::Secrets, settings::Priority},
    contacts::way::{To, Way},
    progress::{
        outside::{cut, harmless},
        words::paging::Told,
    },
};

/// How long a page may take, from the first look-up of a name to the last byte of the answer.
pub const LIMIT: Duration = Duration::from_secs(10);

/// What is said to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Names this page among all, in every repetition of it: 1 to 64 of a-z, 0-9 and `-`.
    pub key: String,
    /// Who is called, for those who receive pages for many.
    pub who: String,
    /// One line.
    pub subject: String,
    pub text: String,
    /// At most 160 characters, for a text message and a voice.
    pub short: String,
    /// Where it can be acknowledged.
    pub link: Option<String>,
    /// What acknowledges it in Discord, by `/incident ack`.
    pub code: Option<String>,
    pub priority: Priority,
    /// It was sent before, and nobody knows whether it arrived.
    pub may_repeat: bool,
    pub drill: bool,
}

impl Page {
    fn told(&self) -> Told<'_> {
        Told {
            subject: &self.subject,
            text: &self.text,
            short: &self.short,
            link: self.link.as_deref(),
            code: self.code.as_deref(),
            may_repeat: self.may_repeat,
            drill: self.drill,
        }
    }
}

/// What came of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The other side has taken it. Whether somebody reads it, nobody knows.
    Delivered {
        /// What the other side calls it.
        receipt: Option<String>,
    },
    /// It did not happen, and may be tried again.
    Failed {
        why: String,
        /// Not before this time has passed, says the other side.
        again_after: Option<Duration>,
    },
    /// It did not happen, and will not until somebody has changed something: the number, the settings, an account.
    Refused { why: String },
    /// The answer was lost: it may have arrived.
    Unknown { why: String },
}

impl Sent {
    fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), again_after: None }
    }

    fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }

    fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into() }
    }

    /// The same, with another sentence.
    fn say(self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Delivered { receipt } => Self::Delivered { receipt: receipt.map(|receipt| change(&receipt)) },
            Self::Failed { why, again_after } => Self::Failed { why: change(&why), again_after },
            Self::Refused { why } => Self::Refused { why: change(&why) },
            Self::Unknown { why } => Self::Unknown { why: change(&why) },
        }
    }
}

/// What became of what a page was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Somebody has it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl Settled {
    fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledge",
            Self::Resolved => "resolve",
        }
    }
}

/// Sends pages. Cheap to clone.
#[derive(Clone)]
pub struct Pager {
    settings: PagingSettings,
    secrets: Secrets,
    clock: Clock,
    /// None where no way over HTTP is set up: the certificates of this machine take long to read, and much memory.
    clients: Option<http::Clients>,
}

impl fmt::Debug for Pager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways: Vec<_> = Way::ALL.into_iter().filter(|way| self.can(*way)).map(Way::name).collect();
        write!(f, "Pager({})", ways.join(", "))
    }
}

impl Pager {
    /// # Errors
    /// When TLS cannot be set up on this machine.
    pub fn new(settings: &PagingSettings, secrets: Secrets, clock: Clock) -> anyhow::Result<Self> {
        let PagingSettings { webhook, twilio, pagerduty, ntfy, .. } = settings;
        let over_http = webhook.is_some() || twilio.is_some() || pagerduty.is_some() || ntfy.is_some();
        let clients = over_http.then(http::Clients::new).transpose()?;
        Ok(Self { settings: settings.clone(), secrets, clock, clients })
    }

    fn clients(&self) -> Result<&http::Clients, Sent> {
        self.clients.as_ref().ok_or_else(|| Sent::refused("no way over HTTP was set up when drbot started"))
    }

    /// Whether the settings have what a way needs. Never for the ways of chat.
    pub fn can(&self, way: Way) -> bool {
        !way.is_of_chat() && way.is_set_up(&self.settings)
    }

    /// Sends a page; the answer comes within [`LIMIT`].
    pub async fn send(&self, way: Way, to: &To, page: &Page) -> Sent {
        if !is_key(&page.key) {
            return Sent::refused("the page has no key of 1 to 64 of a-z, 0-9 and `-`");
        }
        let sent = match (way, to) {
            (Way::Email, To::Mail(address)) => match &self.settings.email {
                Some(email) => email::send(self, email, address, page).await,
                None => off(way),
            },
            (Way::Sms | Way::Voice, To::Phone(phone)) => match (&self.settings.twilio, way) {
                (Some(twilio), Way::Sms) => twilio::text(self, twilio, phone, page).await,
                (Some(twilio), _) => twilio::call(self, twilio, phone, page).await,
                (None, _) => off(way),
            },
            (Way::Webhook, To::Shared) => match &self.settings.webhook {
                Some(webhook) => webhook::page(self, webhook, page).await,
                None => off(way),
            },
            (Way::Pagerduty, To::Shared) => match &self.settings.pagerduty {
                Some(pagerduty) => pagerduty::trigger(self, pagerduty, page).await,
                None => off(way),
            },
            (Way::Ntfy, To::Shared) => match &self.settings.ntfy {
                Some(ntfy) => ntfy::publish(self, ntfy, page).await,
                None => off(way),
            },
            (Way::Discord | Way::DirectMessage, _) => Sent::refused("chat speaks this way, and nobody else"),
            _ => Sent::refused(format!("this is nowhere that a page by {way} could go")),
        };
        self.concluded(way, to, &page.key, sent)
    }

    /// Tells the other side what became of a page, where it wants to know; `None` for the ways that know no end.
    pub async fn settle(&self, way: Way, key: &str, settled: Settled) -> Option<Sent> {
        if !is_key(key) {
            return Some(Sent::refused("the page has no key of 1 to 64 of a-z, 0-9 and `-`"));
        }
        let sent = match way {
            Way::Webhook => webhook::settle(self, self.settings.webhook.as_ref()?, key, settled).await,
            Way::Pagerduty => pagerduty::settle(self, self.settings.pagerduty.as_ref()?, key, settled).await,
            _ => return None,
        };
        Some(self.concluded(way, &To::Shared, key, sent))
    }

    /// What is known of it, with nothing in it that is nobody's business, and logged.
    fn concluded(&self, way: Way, to: &To, key: &str, sent: Sent) -> Sent {
        let sent = sent.say(|said| cut(&harmless(&self.secrets.mask(&without(said, to))), 300));
        match &sent {
            Sent::Delivered { receipt } => tracing::info!(%way, %to, key, receipt, "a page was taken"),
            Sent::Failed { why, .. } => tracing::warn!(%way, %to, key, why, "a page could not be sent"),
            Sent::Refused { why } => tracing::error!(%way, %to, key, why, "a page was refused"),
            Sent::Unknown { why } => tracing::warn!(%way, %to, key, why, "a page may have arrived, or not"),
        }
        sent
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn off(way: Way) -> Sent {
    Sent::refused(format!("pages by {way} are not set up in drbot.toml"))
}

fn is_key(key: &str) -> bool {
    (1..=64).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// What the other side says of a number or an address repeats it, as a rule.
fn without(said: &str, to: &To) -> String {
    match to {
        To::Mail(address) => said.replace(address.reveal(), &address.to_string()),
        To::Phone(phone) => {
            let masked = phone.to_string();
            let said = said.replace(phone.reveal(), &masked);
            match phone.dialled() {
                Ok(dialled) => said.replace(&dialled, &masked).replace(&dialled[1..], &masked),
                Err(_) => said,
            }
        }
        To::Shared => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contacts::{Address, Phone};

    #[test]
    fn what_is_said_of_a_number_does_not_say_it() {
        let to = To::Phone(Phone::parse("+1 555 010-0199").unwrap());
        for said in ["'+15550100199' is not valid", "15550100199 is not valid", "+1 555 010-0199 is not valid"] {
            let shown = without(said, &to);
            assert!(
                !shown.contains("0100") && !shown.contains("010-") && shown.contains("99 is")
                    || shown.contains("99' is"),
                "{shown}"
            );
        }
        let to = To::Mail(Address::parse("ops@example.org").unwrap());
        assert_eq!(without("<ops@example.org>: unknown", &to), "<o••@example.org>: unknown");
    }

    #[tokio::test]
    async fn what_is_not_set_up_is_refused_and_says_so() {
        let pager = Pager::new(&PagingSettings::default(), Secrets::from_lookup(|_| None), Clock::system()).unwrap();
        let page = testing::page();
        for way in Way::ALL {
            assert!(!pager.can(way));
            let to = match way {
                Way::Email => To::Mail(Address::parse("ops@example.org").unwrap()),
                Way::Sms | Way::Voice => To::Phone(Phone::parse("+1 555 010-0199").unwrap()),
                _ => To::Shared,
            };
            let Sent::Refused { why } = pager.send(way, &to, &page).await else { panic!("{way}") };
            assert_eq!(why.contains("not set up"), !way.is_of_chat(), "{why}");
        }
        let wrong = pager.send(Way::Sms, &To::Shared, &page).await;
        assert!(matches!(wrong, Sent::Refused { .. }), "{wrong:?}");
        let nameless = pager.send(Way::Ntfy, &To::Shared, &Page { key: "a\nb".to_owned(), ..page }).await;
        assert!(matches!(&nameless, Sent::Refused { why } if why.contains("key")), "{nameless:?}");
    }
}

#[cfg(test)]
mod testing {
    use super::*;

    pub fn page() -> Page {
        Page {
            key: "i4a7f-75-1".to_owned(),
            who: "Omar (Database Administrator)".to_owned(),
            subject: "75 % of the RTO is used".to_owned(),
            text: "Recovery is not verified.".to_owned(),
            short: "75 % of the RTO is used".to_owned(),
            link: Some("https://drbot.example.org/ack/1".to_owned()),
            code: Some("4A7".to_owned()),
            priority: Priority::Critical,
            may_repeat: false,
            drill: false,
        }
    }
}
