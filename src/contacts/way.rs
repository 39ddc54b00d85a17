//! The ways in which somebody can be reached. Settings and ladders name them.
//!
//! What must stay true: a way says what it needs to reach somebody, and whether the other side recognises a page that comes
//! twice. Whoever repeats a page whose fate is not known goes by that.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Contact, Phone};
use crate::config::{paging::PagingSettings, settings::Level};

/// A way to reach somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Mentioned in the channel.
    Discord,
    /// A direct message in Discord.
    DirectMessage,
    /// Electronic mail.
    Email,
    /// A text message to a telephone.
    Sms,
    /// A telephone call that reads the page aloud.
    Voice,
    /// A signed request to a server of one's own.
    Webhook,
    /// An alert of PagerDuty.
    Pagerduty,
    /// A push message by ntfy.
    Ntfy,
}

impl Way {
    pub const ALL: [Self; 8] = [
        Self::Discord,
        Self::DirectMessage,
        Self::Email,
        Self::Sms,
        Self::Voice,
        Self::Webhook,
        Self::Pagerduty,
        Self::Ntfy,
    ];

    /// As settings write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Discord => "discord",
            Self::DirectMessage => "direct-message",
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Webhook => "webhook",
            Self::Pagerduty => "pagerduty",
            Self::Ntfy => "ntfy",
        }
    }

    /// Those that go to a single contact's own address, and that somebody can prefer.
    pub const PERSONAL: [Self; 4] = [Self::DirectMessage, Self::Email, Self::Sms, Self::Voice];

    /// Those that go to whoever listens there, and to no single contact.
    pub const SHARED: [Self; 3] = [Self::Webhook, Self::Pagerduty, Self::Ntfy];

    /// Whether the other side takes a page that comes twice, with the same key, for one. Discord does by its nonces, for
    /// some minutes. Of the others a page whose fate is not known is repeated, and says that it may be a repetition.
    pub fn is_idempotent(self) -> bool {
        match self {
            Self::Discord | Self::DirectMessage | Self::Webhook | Self::Pagerduty => true,
            Self::Email | Self::Sms | Self::Voice | Self::Ntfy => false,
        }
    }

    /// Whether the settings have what it needs. Chat needs nothing of them.
    pub fn is_set_up(self, paging: &PagingSettings) -> bool {
        match self {
            Self::Discord | Self::DirectMessage => true,
            Self::Email => paging.email.is_some(),
            Self::Sms | Self::Voice => paging.twilio.is_some(),
            Self::Webhook => paging.webhook.is_some(),
            Self::Pagerduty => paging.pagerduty.is_some(),
            Self::Ntfy => paging.ntfy.is_some(),
        }
    }

    /// Whether it is chat that speaks this way, and nobody else.
    pub fn is_of_chat(self) -> bool {
        matches!(self, Self::Discord | Self::DirectMessage)
    }

    /// Where a contact is reached this way, first things first: nowhere, when the contact lacks what the way needs, or when
    /// it is chat that speaks this way.
    pub fn reaches(self, contact: &Contact) -> Vec<To> {
        match self {
            Self::Discord | Self::DirectMessage => Vec::new(),
            Self::Email => contact.emergency.iter().cloned().map(To::Mail).collect(),
            Self::Sms | Self::Voice => {
                [&contact.primary, &contact.secondary].into_iter().flatten().cloned().map(To::Phone).collect()
            }
            Self::Webhook | Self::Pagerduty | Self::Ntfy => vec![To::Shared],
        }
    }
}

impl Contact {
    /// The ways to a contact's own addresses up to `level`, and which of the addresses each uses.
    pub fn ways(&self, level: Level) -> Vec<(Way, Level)> {
        let mut ways = Vec::new();
        if self.discord.is_some() {
            ways.push((Way::DirectMessage, Level::Primary));
        }
        for (phone, own) in [(&self.primary, Level::Primary), (&self.secondary, Level::Secondary)] {
            if phone.is_some() && own <= level {
                ways.extend([(Way::Sms, own), (Way::Voice, own)]);
            }
        }
        if self.emergency.is_some() && Level::Emergency <= level {
            ways.push((Way::Email, Level::Emergency));
        }
        ways
    }

    /// Where one of those goes; nothing when the contact has lost the address since.
    pub fn at(&self, way: Way, level: Level) -> Option<To> {
        match way {
            Way::Sms | Way::Voice => match level {
                Level::Primary => self.primary.clone().map(To::Phone),
                Level::Secondary => self.secondary.clone().map(To::Phone),
                Level::Emergency => None,
            },
            Way::Email => self.emergency.clone().map(To::Mail),
            Way::Webhook | Way::Pagerduty | Way::Ntfy => Some(To::Shared),
            Way::Discord | Way::DirectMessage => None,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|way| way.name() == text)
            .ok_or_else(|| format!("there is no way `{text}`; there is {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// Where a page goes. Shown masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    Mail(Address),
    Phone(Phone),
    /// The one address that the way has in the settings, whoever is called.
    Shared,
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(address) => f.pad(&address.to_string()),
            Self::Phone(phone) => f.pad(&phone.to_string()),
            Self::Shared => f.pad("as in drbot.toml"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_has_one_name_everywhere() {
        for way in Way::ALL {
            assert_eq!(serde_json::to_value(way).unwrap(), way.name());
            assert_eq!(way.name().parse(), Ok(way));
        }
        assert!("e-mail".parse::<Way>().unwrap_err().contains("direct-message, email"));
    }

    #[test]
    fn a_contact_is_reached_where_it_has_an_address() {
        let contact = Contact {
            role: "DBA".to_owned(),
            name: "Omar".to_owned(),
            discord: None,
            primary: None,
            secondary: Some(Phone::parse("+1 555 010 0112").unwrap()),
            emergency: None,
            prefers: Vec::new(),
            verified: None,
        };
        assert_eq!(Way::Voice.reaches(&contact), [To::Phone(Phone::parse("+1 555 010 0112").unwrap())]);
        assert_eq!(Way::Email.reaches(&contact), []);
        assert_eq!(Way::Ntfy.reaches(&contact), [To::Shared]);
    }
}
