//! A page as escalation would send it.

use drbot::{config::settings::Priority, paging::Page};

pub fn page(key: &str) -> Page {
    Page {
        key: key.to_owned(),
        who: "Omar (Database Administrator)".to_owned(),
        subject: "75 % of the RTO is used".to_owned(),
        text: "Database corruption: recovery is not verified.\nLeft: 7:30 of 30 min.".to_owned(),
        short: "75 % of the RTO is used: <database> & \"corruption\"".to_owned(),
        link: Some("https://drbot.example.org/ack/1".to_owned()),
        code: Some("4A7".to_owned()),
        priority: Priority::Critical,
        may_repeat: false,
        drill: false,
    }
}
