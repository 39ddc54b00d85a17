//! Text messages and calls by Twilio's REST API (`Messages.json`, `Calls.json`).
//!
//! Twilio takes no key that would make a request happen once: a page whose answer is lost is repeated, and says that it may
//! be a repetition. What a call says is sent along with it (`Twiml`), so that nothing has to reach drbot from outside.

use reqwest::RequestBuilder;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{Page, Pager, Sent, http};
use crate::{config::paging::TwilioSettings, contacts::Phone};

const MANNER: http::Manner = http::Manner { name: "Twilio", receipt: |answer| http::text(answer, "sid"), complaint };

/// Twilio: "Twilio's Request for Errors": a code and a sentence.
fn complaint(answer: &Value) -> Option<String> {
    let message = http::text(answer, "message")?;
    Some(match answer.get("code").and_then(Value::as_u64) {
        Some(code) => format!("{message} (code {code})"),
        None => message,
    })
}

pub(super) async fn text(pager: &Pager, settings: &TwilioSettings, phone: &Phone, page: &Page) -> Sent {
    send(pager, settings, phone, "Messages", ("Body", page.told().message())).await
}

pub(super) async fn call(pager: &Pager, settings: &TwilioSettings, phone: &Phone, page: &Page) -> Sent {
    send(pager, settings, phone, "Calls", ("Twiml", twiml(&page.told().spoken()))).await
}

async fn send(
    pager: &Pager,
    settings: &TwilioSettings,
    phone: &Phone,
    what: &str,
    (key, content): (&str, String),
) -> Sent {
    let to = match phone.dialled() {
        Ok(to) => to,
        Err(unusable) => return Sent::refused(unusable.0),
    };
    let form = [("To", to.as_str()), ("From", settings.from.as_str()), (key, content.as_str())];
    match request(pager, settings, what) {
        Ok(request) => http::send(&pager.clock, request.form(&form), &MANNER).await,
        Err(refused) => refused,
    }
}

fn request(pager: &Pager, settings: &TwilioSettings, what: &str) -> Result<RequestBuilder, Sent> {
    let token = pager.secrets.resolve(&settings.token).map_err(|error| Sent::refused(format!("{error:#}")))?;
    let url = format!("{}/2010-04-01/Accounts/{}/{what}.json", settings.url, settings.account);
    Ok(pager.clients()?.post(&url).basic_auth(&settings.account, Some(token.expose_secret())))
}

/// Says it twice: who picks up a telephone at night misses the first words.
fn twiml(spoken: &str) -> String {
    let said = escaped(spoken);
    format!("<Response><Say>{said}</Say><Pause length=\"1\"/><Say>{said}</Say></Response>")
}

/// Text inside of XML 1.0: nothing in it ends an element, and what no XML may hold is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_call_says_it_twice() {
        assert_eq!(
            twiml("A & B"),
            "<Response><Say>A &amp; B</Say><Pause length=\"1\"/><Say>A &amp; B</Say></Response>"
        );
    }

    /// The text between two signs, as a reader of XML takes it.
    fn read(escaped: &str) -> String {
        ["&lt;<", "&gt;>", "&quot;\"", "&apos;'", "&amp;&"]
            .iter()
            .fold(escaped.to_owned(), |text, pair| text.replace(&pair[..pair.len() - 1], &pair[pair.len() - 1..]))
    }

    proptest! {
        #[test]
        fn no_text_breaks_out_of_its_element(text in "[\\PC\u{0}-\u{1f}<>&\"'\u{ffff}]{0,200}") {
            let inside = escaped(&text);
            prop_assert!(!inside.contains(['<', '>', '"', '\'']));
            let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;"];
            for (at, _) in inside.match_indices('&') {
                prop_assert!(entities.iter().any(|entity| inside[at..].starts_with(entity)), "{}", inside);
            }
            let kept: String = text.chars().filter(|one| !one.is_control() && *one != '\u{fffe}' && *one != '\u{ffff}').collect();
            prop_assert_eq!(read(&inside), kept);
        }
    }
}
