//! Text from outside (targets, options, people), made harmless before it is shown. It may be hostile.
//!
//! What must stay true: nobody is called by it, nothing in it moves, hides or turns around what is beside it, and it
//! breaks out of nothing that it is put into.

/// Characters that nobody sees, but that hide, join or turn around what is beside them.
pub fn is_unseen(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What is put behind a sign, so that it begins no mention.
const BREAK: char = '\u{200b}';

/// Signs that begin markup in Discord.
const MARKUP: [char; 9] = ['*', '_', '~', '|', '[', ']', '\\', '>', '#'];

/// Nothing that is shown at once is longer, and a target may say a megabyte: more is not looked at.
const LONGEST: usize = 8192;

/// One line for a place where Discord shows no markup: labels, footers.
pub fn clean(text: &str) -> String {
    let mut clean = String::new();
    for letter in text.chars().take(LONGEST) {
        match letter {
            '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => clean.push(' '),
            letter if letter.is_control() || is_unseen(letter) => {}
            '@' | '<' => clean.extend([letter, BREAK]),
            '`' => clean.push('\u{2bc}'),
            letter => clean.push(letter),
        }
    }
    clean
}

/// One line for a place where Discord shows markup.
pub fn plain(text: &str) -> String {
    let clean = clean(text);
    let mut plain = String::with_capacity(clean.len());
    let mut is_first = true;
    for letter in clean.chars() {
        // A number sign is markup only at the beginning of a line, and everywhere else a name of a channel or a figure.
        let is_markup = if letter == '#' { is_first } else { MARKUP.contains(&letter) };
        if is_markup {
            plain.push('\\');
        }
        plain.push(letter);
        is_first = is_first && (letter.is_whitespace() || letter == '-');
    }
    plain
}

/// What [`plain`] made harmless for Discord, readable again: a terminal knows neither mentions nor markup.
pub fn readable(text: &str) -> String {
    let mut readable = String::with_capacity(text.len());
    let mut letters = text.chars().filter(|letter| !letter.is_control() && !is_unseen(*letter)).peekable();
    while let Some(letter) = letters.next() {
        match letters.peek() {
            Some(next) if letter == '\\' && MARKUP.contains(next) => readable.extend(letters.next()),
            _ => readable.push(letter),
        }
    }
    readable
}

/// Lines for a code block: nothing in them can end the block.
pub fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => code.push(letter),
            '\t' => code.push(' '),
            letter if letter.is_control() || is_unseen(letter) => {}
            '`' => code.push('\u{2bc}'),
            '@' | '<' => code.extend([letter, BREAK]),
            letter => code.push(letter),
        }
    }
    code
}

/// One line of code, that begins and ends with a backtick.
pub fn inline_code(text: &str, limit: usize) -> String {
    let clean = cut(&clean(text), limit);
    if clean.is_empty() { "` `".to_owned() } else { format!("`{clean}`") }
}

/// At most `limit` characters, with a sign where something was cut.
pub fn cut(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    // Half an escape would take the sign for what is escaped.
    if cut.chars().rev().take_while(|letter| *letter == '\\').count() % 2 == 1 {
        cut.pop();
    }
    cut.push('…');
    cut
}

/// Discord takes no empty text; something stands where there is nothing to be seen.
pub fn seen(text: String) -> String {
    let is_seen = |letter: char| !letter.is_whitespace() && !is_unseen(letter);
    if text.chars().any(is_seen) { text } else { "…".to_owned() }
}

/// One line for a terminal: nothing in it moves the cursor, hides, turns around or begins another line.
pub fn harmless(text: &str) -> String {
    let letters = text.chars().filter_map(|letter| match letter {
        '\n' | '\r' | '\t' => Some(' '),
        letter if letter.is_control() || is_unseen(letter) => None,
        letter => Some(letter),
    });
    letters.collect()
}

/// JSON for a terminal: the same in escapes, so that nothing is lost.
pub fn harmless_json(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter == '\n' || !(letter.is_control() || is_unseen(letter)) {
            harmless.push(letter);
            continue;
        }
        let mut units = [0; 2];
        letter.encode_utf16(&mut units).iter().for_each(|unit| harmless.push_str(&format!("\\u{unit:04x}")));
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_mentions_or_marks_up() {
        let text = plain("@everyone <@&1> `x` **b** [a](http://x) \u{202e}evil\u{0} \n> quote");
        assert!(!text.contains("@e") && !text.contains("<@") && !text.contains('`') && !text.contains('\u{202e}'));
        assert!(!text.contains("**") && !text.contains("[a](") && !text.contains('\n') && !text.contains('\0'));
        assert!(!code("```\n@here").contains("```"));
        assert_eq!(
            (plain("# big"), plain("-# small"), plain("in #ops")),
            ("\\# big".into(), "-\\# small".into(), "in #ops".into())
        );
    }

    #[test]
    fn what_was_made_harmless_reads_as_before() {
        for text in ["a_b*c [x] \\ > | ~", "# 1", "<x@y>", "C:\\new"] {
            assert_eq!(readable(&plain(text)), text);
        }
    }

    #[test]
    fn a_cut_leaves_no_half() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut(&plain("a*b"), 3), "a…");
        assert_eq!(cut(&plain("\\\\"), 4), "\\\\\\\\");
        assert_eq!((seen(" \u{200b}".to_owned()), seen("a".to_owned())), ("…".to_owned(), "a".to_owned()));
    }
}
