//! Markdown and shell, written so that what an operator put into a file stays a text in them.

use std::{borrow::Cow, time::Duration};

use crate::progress::{outside::harmless, words};

/// `5 s`, `7 min 30 s`: what is written in a file is exact.
pub fn duration(span: Duration) -> String {
    match (span.as_secs(), span.subsec_nanos()) {
        (seconds @ 1..10, 0) => format!("{seconds} s"),
        _ => words::duration(span),
    }
}

/// One line of plain text. Only what would be markup is escaped, because paper is read as it is, too.
pub fn plain(text: &str) -> String {
    let text = harmless(text.trim());
    let letters: Vec<char> = text.chars().collect();
    let mut plain = String::with_capacity(text.len());
    for (at, &letter) in letters.iter().enumerate() {
        let beside =
            |index: Option<usize>| index.and_then(|index| letters.get(index)).is_some_and(|c| c.is_alphanumeric());
        let escaped = match letter {
            '\\' | '*' | '<' | '[' | '|' | '`' => true,
            // Behind a letter it begins nothing.
            '_' => !beside(at.checked_sub(1)),
            '#' => at == 0,
            _ => false,
        };
        if escaped {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

/// A span of code on one line.
pub fn code(text: &str) -> String {
    let text = harmless(text.trim());
    match text.contains('`') {
        false => format!("`{text}`"),
        true => {
            let fence = "`".repeat(longest_run(&text) + 1);
            format!("{fence} {text} {fence}")
        }
    }
}

/// A block of lines for a shell, as part of a list when `indent` is not empty.
pub fn block(lines: &[String], indent: &str) -> Vec<String> {
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let inside = lines.iter().flat_map(|line| line.lines()).map(|line| format!("{indent}{}", harmless(line)));
    std::iter::once(format!("{indent}{fence}sh")).chain(inside).chain([format!("{indent}{fence}")]).collect()
}

fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '`').map(str::len).max().unwrap_or_default()
}

/// A word for a shell.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@%+,".contains(letter);
    if !word.is_empty() && word.chars().all(safe) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

/// Words for a shell.
pub fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_a_text() {
        assert_eq!(plain("a_b *c* [d](e) _f_ # g\nh"), "a_b \\*c\\* \\[d](e) \\_f_ # g h");
        assert_eq!((code("a | b"), code("a `b`")), ("`a | b`".to_owned(), "`` a `b` ``".to_owned()));
        assert_eq!(block(&["```".to_owned()], "  "), ["  ````sh", "  ```", "  ````"]);
        assert_eq!((quoted("a/b:1"), quoted("it's $x")), ("a/b:1".into(), "'it'\\''s $x'".into()));
        assert_eq!(quoted(""), "''");
        assert_eq!(list(&["a".to_owned(), "b".to_owned(), "c".to_owned()]), "a, b and c");
    }
}
