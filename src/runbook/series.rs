//! A series of figures as Prometheus writes it: a name, and labels that tell it from others of that name.
//!
//! One grammar for what a command file selects and for what a page holds, so that one can be copied from the other. What
//! must stay true: whatever is not this grammar is an error and never a guess, because a condition of a recovery may hang
//! on the figure behind it.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

impl Series {
    /// Reads all of a text.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (series, rest) = Self::read(text.trim())?;
        if rest.is_empty() { Ok(series) } else { Err(format!("`{}` comes after its end", short(rest))) }
    }

    /// Reads the series that a text begins with; gives the rest as well.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn read(text: &str) -> Result<(Self, &str), String> {
        let (name, rest) = word(text, |letter| letter == ':');
        if name.is_empty() {
            return Err(format!("`{}` does not begin with a name", short(text)));
        }
        let mut series = Self { name: name.to_owned(), labels: BTreeMap::new() };
        let Some(mut rest) = blank(rest).strip_prefix('{') else { return Ok((series, rest)) };
        loop {
            rest = blank(rest);
            if let Some(end) = rest.strip_prefix('}') {
                return Ok((series, end));
            }
            let (label, after) = word(rest, |_| false);
            if label.is_empty() {
                return Err(format!("`{}` is no label", short(rest)));
            }
            let quoted = blank(after).strip_prefix('=').map(blank).and_then(|value| value.strip_prefix('"'));
            let (value, after) =
                quoted.and_then(until_quote).ok_or_else(|| format!("the label `{label}` has no value in quotes"))?;
            if series.labels.insert(label.to_owned(), value).is_some() {
                return Err(format!("the label `{label}` is there twice"));
            }
            rest = blank(after);
            rest = match rest.strip_prefix(',') {
                Some(next) => next,
                None if rest.starts_with('}') => rest,
                None => return Err(format!("a comma or `}}` is missing behind the label `{label}`")),
            };
        }
    }

    /// Whether another series is one of those that this one names: the same name, and all these labels.
    pub fn names(&self, other: &Self) -> bool {
        self.name == other.name && self.labels.iter().all(|(label, value)| other.labels.get(label) == Some(value))
    }
}

/// The name that a text begins with, and what comes after it.
fn word(text: &str, also: impl Fn(char) -> bool) -> (&str, &str) {
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_' || also(letter);
    if !text.starts_with(is_letter) {
        return ("", text);
    }
    let end = text.find(|letter: char| !is_letter(letter) && !letter.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The value up to its closing quote, without its escapes, and what comes after the quote.
fn until_quote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                same @ ('\\' | '"') => same,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(name: &str, labels: &[(&str, &str)]) -> Series {
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        Series { name: name.to_owned(), labels }
    }

    #[test]
    fn a_series_is_read_with_or_without_labels() {
        for text in ["up", "up{}", " up { } "] {
            assert_eq!(Series::parse(text), Ok(series("up", &[])), "{text}");
        }
        let text = r#"a:b{ job = "x" , path="C:\\a\"b\n", }"#;
        assert_eq!(Series::parse(text), Ok(series("a:b", &[("job", "x"), ("path", "C:\\a\"b\n")])));
        assert_eq!(Series::read("up{a=\"1\"} 5"), Ok((series("up", &[("a", "1")]), " 5")));
    }

    #[test]
    fn what_is_none_is_explained() {
        for (text, why) in [
            ("", "does not begin with a name"),
            ("5up", "does not begin with a name"),
            ("up 1", "comes after its end"),
            ("up{", "is no label"),
            ("up{5=\"x\"}", "is no label"),
            ("up{a}", "has no value in quotes"),
            ("up{a=\"x}", "has no value in quotes"),
            ("up{a=\"\\x\"}", "has no value in quotes"),
            ("up{a=\"x\" b=\"y\"}", "a comma or `}` is missing"),
            ("up{a=\"x\",a=\"y\"}", "is there twice"),
        ] {
            let wrong = Series::parse(text).unwrap_err();
            assert!(wrong.contains(why), "{text}: {wrong}");
        }
    }

    #[test]
    fn fewer_labels_name_more_series() {
        let page = series("up", &[("job", "bot"), ("instance", "a")]);
        assert!(series("up", &[]).names(&page));
        assert!(series("up", &[("job", "bot")]).names(&page));
        assert!(!series("up", &[("job", "other")]).names(&page));
        assert!(!series("up", &[("zone", "")]).names(&page));
        assert!(!series("down", &[]).names(&page));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,8}",
            labels in proptest::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,8}", any::<String>(), 0..4),
        ) {
            let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let written: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
            let text = format!("{name}{{{}}}", written.join(","));
            prop_assert_eq!(Series::parse(&text), Ok(Series { name, labels }));
        }

        #[test]
        fn nothing_panics(text in "[a{}=\"\\\\, \n\t:_0-9é]{0,40}") {
            let _ = Series::parse(&text);
        }
    }
}
