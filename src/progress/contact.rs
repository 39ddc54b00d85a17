//! Buttons of the contacts table, as ids: below the question whether to remove somebody, and below what came of a test.

use std::fmt;

/// What such a button means. A contact is named by a mark of fixed length: at most 100 characters (Components, custom id).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactButton {
    Remove { contact: String },
    Verify { contact: String },
}

impl ContactButton {
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, contact) = text.strip_prefix("contact|")?.split_once('|')?;
        let is_mark = (1..=64).contains(&contact.len()) && contact.bytes().all(|byte| byte.is_ascii_hexdigit());
        let contact = is_mark.then(|| contact.to_owned())?;
        match kind {
            "remove" => Some(Self::Remove { contact }),
            "verify" => Some(Self::Verify { contact }),
            _ => None,
        }
    }
}

impl fmt::Display for ContactButton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove { contact } => write!(f, "contact|remove|{contact}"),
            Self::Verify { contact } => write!(f, "contact|verify|{contact}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_nothing_else_is_read() {
        let contact = "0f".repeat(12);
        for button in [ContactButton::Remove { contact: contact.clone() }, ContactButton::Verify { contact }] {
            let text = button.to_string();
            assert!(text.len() <= 100, "{text}");
            assert_eq!(ContactButton::parse(&text), Some(button));
        }
        for text in ["", "contact|", "contact|remove|", "contact|verify|omar", "contact|verify|0f|1", "drbot|remove|0f"]
        {
            assert_eq!(ContactButton::parse(text), None, "{text}");
        }
    }
}
