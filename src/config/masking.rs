//! How the value of a secret may be written in a text, and hiding it there.
//!
//! A value seldom comes back as it is: it stands in a URL, in JSON inside JSON, on a page, in the base64 of a header. What
//! must stay true: however a text writes it, each character in a spelling of its own, nothing of it is left in clear.

/// One character of a form: either of these, in any spelling.
type Unit = [char; 2];

/// Any number of them: how many there are depends on how often a text was quoted.
const BACKSLASHES: Unit = ['\\'; 2];

/// The longest spelling of a character on a page (`&#x000022;`).
const LONGEST_ENTITY: usize = 12;

/// A value to be hidden, and what is written in its place.
pub(super) struct Hidden {
    pub(super) name: String,
    pub(super) value: String,
    forms: Vec<Form>,
}

/// What stands for a value in a text.
struct Form {
    units: Vec<Unit>,
    /// Broken over lines where a tool likes to.
    wraps: bool,
}

impl Hidden {
    pub(super) fn new(name: &str, value: &str) -> Self {
        let mut forms = vec![spelled(value), hexadecimal(value)];
        forms.extend((0..3).map(|offset| base64(value.as_bytes(), offset)));
        Self { name: name.to_owned(), value: value.to_owned(), forms }
    }

    /// Where the value ends that begins at `at`, in the longest reading.
    fn end(&self, text: &str, at: usize) -> Option<usize> {
        let plain = text[at..].starts_with(&self.value).then(|| at + self.value.len());
        self.forms.iter().map(|form| form.end(text, at)).chain([plain]).flatten().max()
    }
}

impl Form {
    fn end(&self, text: &str, at: usize) -> Option<usize> {
        let mut left = &text[at..];
        for (index, unit) in self.units.iter().enumerate() {
            if self.wraps && index > 0 {
                left = without_line_end(left);
            }
            let length = unit.iter().find_map(|wanted| spelling(left, *wanted))?;
            left = &left[length..];
            while *unit == BACKSLASHES
                && let Some(more) = spelling(left, '\\')
            {
                left = &left[more..];
            }
        }
        Some(text.len() - left.len())
    }
}

/// A place in a text that is not shown.
struct Place<'a> {
    start: usize,
    end: usize,
    /// Of the longest value there.
    name: &'a str,
    longest: usize,
}

/// `text` with every value replaced by its name. Values that overlap are hidden together.
pub(super) fn mask(text: &str, all: &[Hidden]) -> String {
    let mut places: Vec<Place<'_>> = Vec::new();
    for (at, _) in text.char_indices() {
        let here = all.iter().filter_map(|hidden| Some((hidden.end(text, at)?, hidden.name.as_str())));
        let Some((end, name)) = here.max_by_key(|(end, _)| *end) else { continue };
        match places.last_mut().filter(|place| at < place.end) {
            Some(place) => place.extend(at, end, name),
            None => places.push(Place { start: at, end, name, longest: end - at }),
        }
    }
    let mut masked = String::with_capacity(text.len());
    let mut shown = 0;
    for place in places {
        masked.push_str(&text[shown..place.start]);
        masked.push_str(&format!("[{}]", place.name));
        shown = place.end;
    }
    masked.push_str(&text[shown..]);
    masked
}

impl<'a> Place<'a> {
    fn extend(&mut self, at: usize, end: usize, name: &'a str) {
        self.end = self.end.max(end);
        if end - at > self.longest {
            self.longest = end - at;
            self.name = name;
        }
    }
}

/// The value itself, with each character as URLs, JSON and pages may write it.
fn spelled(value: &str) -> Form {
    let mut units: Vec<Unit> = Vec::new();
    for character in value.chars() {
        if character != '\\' || units.last() != Some(&BACKSLASHES) {
            units.push([character; 2]);
        }
    }
    Form { units, wraps: false }
}

fn hexadecimal(value: &str) -> Form {
    let digits = value.bytes().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
    Form { units: digits.map(|digit| [digit, digit.to_ascii_uppercase()]).collect(), wraps: true }
}

/// The characters of base64, of either alphabet, that depend on `value` alone where it begins `offset` bytes (modulo 3) into
/// a text. So neither what surrounds it nor the padding matters.
fn base64(value: &[u8], offset: usize) -> Form {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = std::iter::repeat_n(0, offset).chain(value.iter().copied()).collect();
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    let whole = (offset * 8).div_ceil(6)..bytes.len() * 8 / 6;
    let sextets = whole.map(|at| (at * 6..at * 6 + 6).fold(0, |sextet, at| sextet << 1 | bit(at)));
    let units = sextets.map(|sextet| match char::from(ALPHABET[sextet]) {
        '+' => ['+', '-'],
        '/' => ['/', '_'],
        other => [other; 2],
    });
    Form { units: units.collect(), wraps: true }
}

fn without_line_end(text: &str) -> &str {
    let mut left = text;
    while let Some(rest) = ["\r", "\n", "\\r", "\\n"].iter().find_map(|end| left.strip_prefix(end)) {
        left = rest;
    }
    left
}

/// How long the spelling of a character is with which `text` begins, if it does.
fn spelling(text: &str, wanted: char) -> Option<usize> {
    let quoted = match text.as_bytes().first()? {
        b'%' => percent(text, wanted),
        b'\\' => backslash(text, wanted),
        b'&' => entity(text, wanted),
        // As forms write a space in a URL.
        b'+' if wanted == ' ' => Some(1),
        _ => None,
    };
    quoted.or_else(|| text.starts_with(wanted).then(|| wanted.len_utf8()))
}

/// `%2F`, in either case, and whether it had to be or not.
fn percent(text: &str, wanted: char) -> Option<usize> {
    let mut left = text;
    for byte in wanted.encode_utf8(&mut [0; 4]).bytes() {
        let digits = left.strip_prefix('%')?.get(..2)?;
        if number(digits, 16)? != u32::from(byte) {
            return None;
        }
        left = &left[3..];
    }
    Some(text.len() - left.len())
}

/// `\"`, `\n`, `\u0022` and `\x22`, behind as many backslashes as it was quoted with.
fn backslash(text: &str, wanted: char) -> Option<usize> {
    let rest = text.trim_start_matches('\\');
    let short = match wanted {
        '\\' => return Some(text.len() - rest.len()),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        other => (!other.is_alphanumeric()).then_some(other),
    };
    if let Some(left) = short.and_then(|short| rest.strip_prefix(short)) {
        return Some(text.len() - left.len());
    }
    if let Some(digits) = rest.strip_prefix('x').and_then(|digits| digits.get(..2)) {
        return (number(digits, 16)? == u32::from(wanted)).then_some(text.len() - rest.len() + 3);
    }
    let mut left = text;
    for unit in wanted.encode_utf16(&mut [0; 2]) {
        let digits = left.strip_prefix('\\')?.trim_start_matches('\\').strip_prefix('u')?;
        if number(digits.get(..4)?, 16)? != u32::from(*unit) {
            return None;
        }
        left = &digits[4..];
    }
    Some(text.len() - left.len())
}

/// `&quot;`, `&#34;`, `&#x22;`.
fn entity(text: &str, wanted: char) -> Option<usize> {
    let end = text.bytes().take(LONGEST_ENTITY).position(|byte| byte == b';')?;
    let inside = text.get(1..end)?;
    let is_meant = match inside.strip_prefix('#') {
        Some(digits) => {
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(digits) => number(digits, 16),
                None => number(digits, 10),
            };
            code? == u32::from(wanted)
        }
        None => [("quot", '"'), ("amp", '&'), ("apos", '\''), ("lt", '<'), ("gt", '>')].contains(&(inside, wanted)),
    };
    is_meant.then_some(end + 1)
}

/// Digits and nothing else: `from_str_radix` would take a sign, too.
fn number(digits: &str, radix: u32) -> Option<u32> {
    digits.chars().all(|digit| digit.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUE: &str = "s3cret \"v/al\\ue\"+?&é1";

    fn shown(text: &str) -> String {
        mask(text, &[Hidden::new("TOKEN", VALUE)])
    }

    fn each_byte(value: &str, spell: impl Fn(u8) -> String) -> String {
        value.bytes().map(spell).collect()
    }

    #[test]
    fn a_value_is_hidden_in_every_spelling() {
        let json = serde_json::to_string(VALUE).unwrap();
        let in_json = serde_json::to_string(&json).unwrap();
        for text in [
            VALUE.to_owned(),
            json,
            in_json,
            "s3cret%20%22v%2Fal%5Cue%22%2B%3F%26%C3%A91".to_owned(),
            "s3cret%20%22v%2fal%5cue%22%2b%3f%26%c3%a91".to_owned(),
            "s3cret+%22v%2fal%5Cue%22%2B%3f%26%c3%A91".to_owned(),
            "s3cret &quot;v/al\\ue&quot;+?&amp;&eacute;1".replace("&eacute;", "&#233;"),
            "s3cret &#34;v&#x2F;al&#92;ue&#034;+?&#38;&#xe9;1".to_owned(),
            r"s3cret \u0022v\/al\\ue\u0022+?\u0026\u00e91".to_owned(),
            each_byte(VALUE, |byte| format!("%{byte:02x}")),
            each_byte(VALUE, |byte| format!("{byte:02x}")),
            each_byte(VALUE, |byte| if byte % 3 == 0 { format!("{byte:02X}") } else { format!("{byte:02x}") }),
        ] {
            assert_eq!(shown(&format!("a {text} b")).trim_matches(['a', 'b', ' ', '"', '\\']), "[TOKEN]", "{text}");
        }
        assert_eq!(shown("s3cret nothing 100% & \\ here"), "s3cret nothing 100% & \\ here");
    }

    #[test]
    fn base64_hides_a_value_wherever_it_begins_and_with_either_alphabet() {
        let value = "~~~s3cret???value~~~";
        let hidden = [Hidden::new("TOKEN", value)];
        // Of the value behind nothing, "x" and "xy": as tools write it, for URLs without padding, and broken over lines.
        for text in [
            "fn5+czNjcmV0Pz8/dmFsdWV+fn4=",
            "eH5+fnMzY3JldD8/P3ZhbHVlfn5+",
            "eHl+fn5zM2NyZXQ/Pz92YWx1ZX5+fg==",
            "fn5-czNjcmV0Pz8_dmFsdWV-fn4",
            "eH5-fnMzY3JldD8_P3ZhbHVlfn5-",
            "eHl-fn5zM2NyZXQ_Pz92YWx1ZX5-fg",
            "fn5+czNjcmV0\nPz8/dmFsdWV+fn4=",
            "fn5%2BczNjcmV0Pz8%2fdmFsdWV%2Bfn4%3D",
        ] {
            let masked = mask(text, &hidden);
            assert!(masked.contains("[TOKEN]") && masked.len() <= "eHk[TOKEN]g%3D".len(), "{text} -> {masked}");
        }
    }

    #[test]
    fn values_that_overlap_leave_nothing_of_either() {
        let hidden = [Hidden::new("SHORT", "abcdef"), Hidden::new("LONG", "defghijkl"), Hidden::new("IN", "ghijkl")];
        assert_eq!(mask("abcdef", &hidden), "[SHORT]");
        assert_eq!(mask("-abcdefghijkl-", &hidden), "-[LONG]-");
        assert_eq!(mask("abcdefabcdef ghijkl", &hidden), "[SHORT][SHORT] [IN]");
    }

    proptest! {
        #[test]
        fn no_value_survives_json_or_a_url(value in "\\PC{6,20}", around in "\\PC{0,10}") {
            let hidden = [Hidden::new("TOKEN", &value)];
            let json = serde_json::to_string(&format!("{around}{value}{around}")).unwrap();
            let url = each_byte(&value, |byte| format!("%{byte:02X}"));
            for text in [json, url.to_lowercase(), format!("{around}{url}")] {
                prop_assert!(mask(&text, &hidden).contains("[TOKEN]"), "{}", text);
            }
        }

        #[test]
        fn a_text_without_a_value_stays_as_it_is(text in "[a-z%&;\\\\+#]{0,40}") {
            prop_assert_eq!(mask(&text, &[Hidden::new("TOKEN", "S3CRET/value")]), text);
        }
    }
}
