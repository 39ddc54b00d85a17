//! A page that only shows whether somebody can be reached: the same from a chat and from a shell.
//!
//! What must stay true: it says that it is a test before it says anything else, and what it opened at a service is closed
//! again, so that nobody is woken by it later.

use super::{Page, Pager, Sent, Settled};
use crate::{
    config::settings::Priority,
    contacts::{
        Contact,
        way::{To, Way},
    },
    progress::words::{contacts as words, paging::test_page},
};

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub sent: Sent,
    /// Why it is open still at the service.
    pub left_open: Option<Sent>,
}

impl Trial {
    /// Whether all went well.
    pub fn is_good(&self) -> bool {
        matches!(self.sent, Sent::Delivered { .. }) && self.left_open.is_none()
    }
}

impl Pager {
    /// Sends a test and closes what it opened. `key` names it among all pages.
    pub async fn try_out(&self, way: Way, to: &To, contact: &Contact, key: String) -> Trial {
        let who = contact.title();
        let (subject, text, short) = test_page(&who, way.name());
        let page = Page {
            key,
            who,
            subject,
            text,
            short,
            link: None,
            code: None,
            priority: Priority::Medium,
            may_repeat: false,
            drill: false,
        };
        let sent = self.send(way, to, &page).await;
        let left_open = match &sent {
            Sent::Delivered { .. } => match self.settle(way, &page.key, Settled::Resolved).await {
                None | Some(Sent::Delivered { .. }) => None,
                left => left,
            },
            _ => None,
        };
        Trial { sent, left_open }
    }
}

/// What came of it, in words.
pub fn outcome(sent: &Sent) -> String {
    match sent {
        Sent::Delivered { receipt } => words::taken(receipt.as_deref()),
        Sent::Failed { why, again_after } => words::failed(why, *again_after),
        Sent::Refused { why } => words::refused(why),
        Sent::Unknown { why } => words::unknown(why),
    }
}
