//! A telephone number as machines dial it: E.164, a plus and digits, nothing else.

use super::{Phone, Unusable};

impl Phone {
    /// `+49301234567` of `+49 (0)30 123 45-67`.
    ///
    /// # Errors
    /// When no provider could deliver to it: a placeholder, a number within a country, too short, too long.
    pub fn dialled(&self) -> Result<String, Unusable> {
        e164(self.reveal())
    }
}

/// A number as people write it, as it is dialled.
///
/// # Errors
/// As [`Phone::dialled`].
pub fn e164(text: &str) -> Result<String, Unusable> {
    let text = text.trim();
    if text.contains(|letter: char| letter.is_alphabetic()) {
        return Err(Unusable("this number has letters in it, as a placeholder has: nobody can be reached by it"));
    }
    let Some(written) = text.strip_prefix('+') else {
        return Err(Unusable("this number does not begin with + and the country's code, like +49 30 1234567"));
    };
    // The zero that is dialled only within the country. Italy's belongs to the number.
    let written = if written.starts_with("39") { written.to_owned() } else { written.replacen("(0)", "", 1) };
    if !written
        .chars()
        .all(|letter| letter.is_ascii_digit() || " \u{a0}\u{2009}\u{202f}-\u{2010}\u{2011}.()/".contains(letter))
    {
        return Err(Unusable("this number has signs in it that no number has"));
    }
    let digits: String = written.chars().filter(char::is_ascii_digit).collect();
    // E.164: at most 15 digits with the country's code, which no zero begins.
    if !(7..=15).contains(&digits.len()) || digits.starts_with('0') {
        return Err(Unusable("this is no number in the international form, 7 to 15 digits, like +49 30 1234567"));
    }
    Ok(format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_dialled_as_people_write_them() {
        for (written, dialled) in [
            ("+49 30 1234567", "+49301234567"),
            ("+1-555-010-0199", "+15550100199"),
            ("+1 (555) 010.0199", "+15550100199"),
            ("+44 (0)20 7946 0958", "+442079460958"),
            ("+39 06 1234567", "+39061234567"),
            ("+39 (0)6 1234567", "+39061234567"),
            (" +49\u{a0}30/1234567 ", "+49301234567"),
        ] {
            assert_eq!(e164(written).as_deref(), Ok(dialled), "{written}");
        }
    }

    #[test]
    fn what_nobody_can_dial_says_why() {
        for (written, why) in [
            ("+1-XXX-XXX-XXXX", "letters"),
            ("+1-800-FLOWERS", "letters"),
            ("030 1234567", "country's code"),
            ("0049 30 1234567", "country's code"),
            ("+0 30 1234567", "international"),
            ("+12", "international"),
            ("+49 30 1234567 89012345", "international"),
            ("+1 555 010 0199;ext=1", "letters"),
            ("+1 555 010 0199#1", "signs"),
            ("+1+5550100199", "signs"),
            ("", "country's code"),
        ] {
            let said = e164(written).unwrap_err().0;
            assert!(said.contains(why), "{written}: {said}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_dialled_is_a_plus_and_digits(text in r"\+?[0-9A-Za-z ()./x\-\u{0}-\u{1f}é٣;,]{0,24}") {
            if let Ok(dialled) = e164(&text) {
                prop_assert!(dialled.starts_with('+') && (8..=16).contains(&dialled.len()));
                prop_assert!(dialled[1..].bytes().all(|byte| byte.is_ascii_digit()));
                prop_assert_eq!(e164(&dialled), Ok(dialled.clone()), "it is dialled as it is");
                // No digit is made up, and none changes its place.
                let mut left = text.chars();
                prop_assert!(dialled.chars().all(|digit| left.any(|letter| letter == digit)));
            }
        }

        #[test]
        fn every_number_of_the_contacts_table_can_be_dialled(text in r"\+[1-9][0-9 .()/\-]{6,20}") {
            if let Ok(phone) = Phone::parse(&text) {
                let digits = text.chars().filter(char::is_ascii_digit).count();
                prop_assert!(phone.dialled().is_ok() || text.contains("(0)") && digits == 7, "{}", text);
            }
        }
    }
}
