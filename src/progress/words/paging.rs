//! What a page says, for each way that it goes: a mail, a text message, a voice on the telephone.
//!
//! A page is told far away from drbot, to somebody who was asleep: first whether it is a drill, then what is the matter,
//! then what to do. What must stay true: nothing that comes from outside begins a line of its own where it could be taken
//! for drbot's, or is longer than the way takes.

use super::super::outside::{cut, harmless, is_unseen};
use crate::contacts::way::Way;

/// A subject or a title is not longer.
const LONGEST_SUBJECT: usize = 150;
/// A mail is not longer.
const LONGEST_TEXT: usize = 8000;
/// What fits into a text message.
const LONGEST_SHORT: usize = 160;
/// A link is not longer.
const LONGEST_LINK: usize = 500;
/// A code is not longer.
const LONGEST_CODE: usize = 16;

/// What a page is made of, as its sender wrote it: nothing of it is harmless yet.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub subject: &'a str,
    pub text: &'a str,
    pub short: &'a str,
    pub link: Option<&'a str>,
    pub code: Option<&'a str>,
    pub may_repeat: bool,
    pub drill: bool,
}

impl Told<'_> {
    /// One line.
    pub fn subject(&self) -> String {
        let drill = if self.drill { "[DRILL] " } else { "" };
        let again = if self.may_repeat { " (may be a repetition)" } else { "" };
        format!("{drill}{}{again}", line(self.subject, LONGEST_SUBJECT))
    }

    /// The whole of it, in lines.
    pub fn body(&self) -> String {
        let mut parts = Vec::new();
        if self.drill {
            parts.push("[DRILL] This is a drill. Nothing has happened.".to_owned());
        }
        parts.push(cut(lines(self.text).trim(), LONGEST_TEXT));
        let link = self.link().map(|link| format!("Acknowledge: {link}"));
        let code = self.code().map(|code| format!("In Discord: /incident ack {code}"));
        let acknowledge: Vec<_> = [link, code].into_iter().flatten().collect();
        if !acknowledge.is_empty() {
            parts.push(acknowledge.join("\n"));
        }
        if self.may_repeat {
            parts.push("This may be a repetition: it is not known whether the page arrived before.".to_owned());
        }
        parts.join("\n\n")
    }

    /// A text message.
    pub fn message(&self) -> String {
        let mut message = self.short();
        if let Some(link) = self.link() {
            message.push_str(&format!(" Ack: {link}"));
        }
        if let Some(code) = self.code() {
            message.push_str(&format!(" Code: {code}"));
        }
        if self.may_repeat {
            message.push_str(" (may be a repetition)");
        }
        message
    }

    /// What a voice reads aloud. A link cannot be heard; a code is read letter by letter.
    pub fn spoken(&self) -> String {
        let mut said = vec![if self.drill { "This is a drill of drbot." } else { "This is drbot." }.to_owned()];
        said.push(line(self.short, LONGEST_SHORT));
        if self.may_repeat {
            said.push("This may be a repetition.".to_owned());
        }
        if let Some(code) = self.code() {
            let letters: Vec<_> = code.chars().map(String::from).collect();
            said.push(format!("The code is: {}.", letters.join(", ")));
        }
        said.join(" ")
    }

    /// What stands where there is room for one short line.
    pub fn short(&self) -> String {
        let drill = if self.drill { "[DRILL] " } else { "" };
        format!("{drill}{}", line(self.short, LONGEST_SHORT))
    }

    /// The link, when it is one: what is anything else is left out.
    pub fn link(&self) -> Option<&str> {
        let whole = |link: &&str| {
            (link.starts_with("https://") || link.starts_with("http://"))
                && link.len() <= LONGEST_LINK
                && link.bytes().all(|byte| byte.is_ascii_graphic())
        };
        self.link.filter(whole)
    }

    /// The code, when somebody could type it.
    pub fn code(&self) -> Option<&str> {
        let whole = |code: &&str| {
            !code.is_empty() && code.len() <= LONGEST_CODE && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        self.code.filter(whole)
    }
}

/// A page that only shows whether somebody can be reached, as `drbot contacts test` sends it: subject, text, short.
pub fn test_page(who: &str, way: &str) -> (String, String, String) {
    let who = line(who, 80);
    let subject = format!("[TEST] drbot can reach {who}");
    let text = format!(
        "[TEST] This is a test of drbot, by {way}. Nothing has happened and nothing is to be done.\n\n\
         It arrives when a recovery takes long and {who} is needed."
    );
    let short = format!("[TEST] This is a test of drbot. Nothing is to be done, {}.", cut(&who, 60));
    (subject, text, short)
}

fn line(text: &str, limit: usize) -> String {
    cut(harmless(text).trim(), limit)
}

/// Text of several lines; only what begins a line begins one.
fn lines(text: &str) -> String {
    let letters = text.chars().take(LONGEST_TEXT * 2).filter_map(|letter| match letter {
        '\n' => Some(letter),
        '\t' => Some(' '),
        letter if letter.is_control() || is_unseen(letter) => None,
        letter => Some(letter),
    });
    letters.collect()
}

// ---- why a page was not sent, for the timeline ---------------------------------------------------------------------------

pub fn broke_off() -> String {
    "sending it broke off inside drbot".to_owned()
}

pub fn no_such_address() -> String {
    "the contact has no such address any more".to_owned()
}

pub fn not_written(error: &anyhow::Error) -> String {
    format!("drbot could not write it: {error:#}")
}

pub fn not_set_up_any_more(way: Way) -> String {
    format!("pages by {way} are not set up any more")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told() -> Told<'static> {
        Told {
            subject: "75 % of the RTO is used",
            text: "Database corruption: recovery is not verified.\nLeft: 7:30 of 30 min.",
            short: "75 % of the RTO is used: database corruption",
            link: Some("https://drbot.example.org/ack/1"),
            code: Some("4A7"),
            may_repeat: false,
            drill: false,
        }
    }

    #[test]
    fn a_page_in_every_form() {
        let told = told();
        assert_eq!(told.subject(), "75 % of the RTO is used");
        insta::assert_snapshot!(told.body(), @r"
        Database corruption: recovery is not verified.
        Left: 7:30 of 30 min.

        Acknowledge: https://drbot.example.org/ack/1
        In Discord: /incident ack 4A7
        ");
        assert_eq!(
            told.message(),
            "75 % of the RTO is used: database corruption Ack: https://drbot.example.org/ack/1 Code: 4A7"
        );
        assert_eq!(told.spoken(), "This is drbot. 75 % of the RTO is used: database corruption The code is: 4, A, 7.");
    }

    #[test]
    fn a_drill_and_a_repetition_say_so_in_every_form() {
        let told = Told { may_repeat: true, drill: true, ..told() };
        for form in [told.subject(), told.body(), told.message()] {
            assert!(form.starts_with("[DRILL] ") && form.contains("may be a repetition"), "{form}");
        }
        assert!(told.spoken().starts_with("This is a drill") && told.spoken().contains("may be a repetition"));
    }

    proptest! {
        #[test]
        fn hostile_text_stays_where_it_was_put(subject in "[\\PC\r\n\u{0}\u{85}\u{202e}]{0,300}", text in "[\\PC\r\n\u{1b}\u{2028}]{0,300}",
            link in "(https://)?[\\PC\r\n ]{0,40}", code in "[\\PC\r\n]{0,20}", may_repeat: bool, drill: bool) {
            let told = Told { subject: &subject, text: &text, short: &subject, link: Some(&link), code: Some(&code), may_repeat, drill };
            for form in [told.subject(), told.message(), told.spoken(), told.short()] {
                prop_assert!(!form.chars().any(|letter| letter.is_control() || is_unseen(letter)), "{:?}", form);
            }
            prop_assert!(told.subject().chars().count() <= LONGEST_SUBJECT + 40);
            prop_assert!(told.message().chars().count() <= LONGEST_SHORT + LONGEST_LINK + 80);
            let ours = [drill, may_repeat, told.link().is_some(), told.code().is_some()].iter().filter(|one| **one).count();
            prop_assert!(!told.body().contains('\r'));
            prop_assert!(told.body().lines().count() <= lines(&text).lines().count().max(1) + 2 * ours + 2);
            prop_assert_eq!(told.subject().starts_with("[DRILL] "), drill || subject.trim_start().starts_with("[DRILL] "));
        }
    }
}
