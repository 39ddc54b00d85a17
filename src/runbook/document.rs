//! A parsed file that still knows where everything stands.
//!
//! Decoding and checking happen on values; people need lines and columns. A [`Place`] names a value by its keys, and
//! [`Document::problem`] turns it back into a position. What must stay true: parsing any text ends, without a panic.

use std::{collections::BTreeSet, ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub use super::place::{Place, Segment};
use super::problem::Problem;

/// More than this in one file and the rest is left out: nobody reads on.
pub const MOST_PROBLEMS: usize = 100;

/// Deeper than any real file; everything that recurses over a tree relies on it.
const DEEPEST: usize = 64;

/// A file as parsed.
#[derive(Debug)]
pub struct Document<'t> {
    pub file: &'t Path,
    pub text: &'t str,
    pub root: DeTable<'t>,
    /// Lines that did not parse, from 1. Whatever else is wrong there follows from that.
    broken: Vec<usize>,
    /// Places that a reader took out or replaced: what is wrong there now is not the operator's doing.
    pub repaired: BTreeSet<Place>,
}

impl<'t> Document<'t> {
    /// Parses as much of `text` as can be parsed, with every mistake of syntax.
    pub fn parse(file: &'t Path, text: &'t str) -> (Self, Vec<Problem>) {
        let mut document = Self { file, text, root: DeTable::new(), broken: Vec::new(), repaired: BTreeSet::new() };
        if let Some(at) = text.find('\0') {
            let problem = Problem::at(file, text, at, "this is not a text file: it contains a NUL byte");
            return (document, vec![problem]);
        }
        let (root, errors) = DeTable::parse_recoverable(text);
        let root = root.into_inner();
        if let Some(at) = too_deep(&root) {
            take_apart(root);
            return (document, vec![Problem::at(file, text, at, format!("nested deeper than {DEEPEST} levels"))]);
        }
        document.root = root;
        let mut problems: Vec<Problem> = Vec::new();
        for error in errors.iter().take(MOST_PROBLEMS) {
            let offset = error.span().map_or(0, |span| span.start);
            let mut problem = Problem::at(file, text, offset, error.message());
            let line = text.lines().nth(problem.line - 1).unwrap_or_default();
            problem.help = how_to_write(line).map(str::to_owned);
            // The parser often reports one slip several times.
            if !problems.iter().any(|known| known.line == problem.line) {
                document.broken.push(problem.line);
                problems.push(problem);
            }
        }
        problems.sort();
        (document, problems)
    }

    pub fn has_broken_lines(&self) -> bool {
        !self.broken.is_empty()
    }

    /// Whether a problem only follows from a line that did not parse.
    pub fn is_consequence(&self, problem: &Problem) -> bool {
        self.broken.contains(&problem.line)
    }

    /// Whether a place, or one around it, is not as the operator wrote it.
    pub fn is_repaired(&self, place: &Place) -> bool {
        std::iter::successors(Some(place.clone()), Place::parent).any(|place| self.repaired.contains(&place))
    }

    /// A problem at a value, or at the nearest one around it that is written in the file.
    pub fn problem(&self, place: &Place, message: impl Into<String>) -> Problem {
        match self.span(place, false) {
            Some(span) => Problem::at(self.file, self.text, span.start, message),
            None => Problem::of_file(self.file, message),
        }
    }

    /// A problem at the key of a value.
    pub fn problem_at_key(&self, place: &Place, message: impl Into<String>) -> Problem {
        match self.span(place, true) {
            Some(span) => Problem::at(self.file, self.text, span.start, message),
            None => Problem::of_file(self.file, message),
        }
    }

    fn span(&self, place: &Place, of_key: bool) -> Option<Range<usize>> {
        let mut nearest = None;
        let mut keys = None;
        let mut current: Option<&Spanned<DeValue<'t>>> = None;
        for segment in place.segments() {
            let next = match (segment, current) {
                (Segment::Key(key), None) => self.root.get_key_value(key.as_str()),
                (Segment::Key(key), Some(value)) => {
                    value.get_ref().as_table().and_then(|table| table.get_key_value(key.as_str()))
                }
                (Segment::Index(index), Some(value)) => {
                    let Some(item) = value.get_ref().as_array().and_then(|array| array.get(*index)) else { break };
                    nearest = written(item.span()).or(nearest);
                    keys = nearest.clone();
                    current = Some(item);
                    continue;
                }
                (Segment::Index(_), None) => None,
            };
            let Some((key, value)) = next else { break };
            nearest = written(value.span()).or(nearest);
            keys = written(key.span()).or(keys);
            current = Some(value);
        }
        if of_key { keys.or(nearest) } else { nearest }
    }

    /// Where the value or key stands that has this span; the innermost one, because a table that is only implied by a
    /// dotted key has the span of that key.
    pub fn find(&self, span: &Range<usize>) -> Place {
        let mut found = Place::root();
        if written(span.clone()).is_some() {
            find_in_table(&self.root, span, &Place::root(), &mut found);
        }
        found
    }

    pub fn value(&self, place: &Place) -> Option<&DeValue<'t>> {
        let (first, rest) = place.segments().split_first()?;
        let Segment::Key(key) = first else { return None };
        rest.iter().try_fold(self.root.get(key.as_str())?.get_ref(), |value, segment| match segment {
            Segment::Key(key) => Some(value.as_table()?.get(key.as_str())?.get_ref()),
            Segment::Index(index) => Some(value.as_array()?.get(*index)?.get_ref()),
        })
    }

    /// The table at a place; the root for an empty one.
    pub fn table_mut(&mut self, place: &Place) -> Option<&mut DeTable<'t>> {
        match place.segments().iter().try_fold(Slot::Table(&mut self.root), Slot::step)? {
            Slot::Table(table) => Some(table),
            Slot::Value(value) => match value.get_mut() {
                DeValue::Table(table) => Some(table),
                _ => None,
            },
        }
    }

    pub fn value_mut(&mut self, place: &Place) -> Option<&mut DeValue<'t>> {
        match place.segments().iter().try_fold(Slot::Table(&mut self.root), Slot::step)? {
            Slot::Table(_) => None,
            Slot::Value(value) => Some(value.get_mut()),
        }
    }

    /// Takes a key or an element out. False when there is none.
    pub fn remove(&mut self, place: &Place) -> bool {
        let (Some(parent), Some(last)) = (place.parent(), place.segments().last()) else { return false };
        match last {
            Segment::Key(key) => self.table_mut(&parent).is_some_and(|table| table.remove(key.as_str()).is_some()),
            Segment::Index(index) => {
                let Some(DeValue::Array(array)) = self.value_mut(&parent) else { return false };
                if *index >= array.len() {
                    return false;
                }
                *array = array.iter().enumerate().filter(|(at, _)| at != index).map(|(_, item)| item.clone()).collect();
                true
            }
        }
    }
}

/// What to do about a line that looks like another language.
fn how_to_write(line: &str) -> Option<&'static str> {
    let (key, value) = line.split_once([':', '='])?;
    let key = key.trim().trim_start_matches("- ");
    let is_key = !key.is_empty() && key.chars().all(|letter| letter.is_alphanumeric() || "_-.".contains(letter));
    let is_word = value.trim_start().starts_with(char::is_alphabetic);
    match line.as_bytes().get(line.len() - value.len() - 1)? {
        b':' if is_key => Some("this is TOML: write `key = \"text\"`"),
        b'=' if is_key && is_word => Some("texts stand in quotes: `key = \"text\"`"),
        _ => None,
    }
}

enum Slot<'a, 't> {
    Table(&'a mut DeTable<'t>),
    Value(&'a mut Spanned<DeValue<'t>>),
}

impl<'a, 't> Slot<'a, 't> {
    fn step(self, segment: &Segment) -> Option<Self> {
        let table = match self {
            Self::Table(table) => table,
            Self::Value(value) => match (value.get_mut(), segment) {
                (DeValue::Table(table), _) => table,
                (DeValue::Array(array), Segment::Index(index)) => return array.get_mut(*index).map(Self::Value),
                _ => return None,
            },
        };
        match segment {
            Segment::Key(key) => table.get_mut(key.as_str()).map(Self::Value),
            Segment::Index(_) => None,
        }
    }
}

/// What was put in by a reader has no span of its own.
fn written(span: Range<usize>) -> Option<Range<usize>> {
    (span != (0..0)).then_some(span)
}

fn find_in_table(table: &DeTable<'_>, span: &Range<usize>, at: &Place, found: &mut Place) {
    for (key, value) in table {
        let place = at.key(key.get_ref());
        if key.span() == *span {
            *found = place.clone();
        }
        find_in_value(value, span, &place, found);
    }
}

fn find_in_value(value: &Spanned<DeValue<'_>>, span: &Range<usize>, at: &Place, found: &mut Place) {
    if value.span() == *span {
        *found = at.clone();
    }
    match value.get_ref() {
        DeValue::Table(table) => find_in_table(table, span, at, found),
        DeValue::Array(array) => {
            for (index, item) in array.iter().enumerate() {
                find_in_value(item, span, &at.index(index), found);
            }
        }
        _ => {}
    }
}

/// The offset of the first value that is nested too deep. Without recursion: a dotted key can nest as deep as the file
/// is long.
fn too_deep(root: &DeTable<'_>) -> Option<usize> {
    let mut left: Vec<(&Spanned<DeValue<'_>>, usize)> = root.values().map(|value| (value, 1)).collect();
    while let Some((value, depth)) = left.pop() {
        if depth > DEEPEST {
            return Some(value.span().start);
        }
        match value.get_ref() {
            DeValue::Table(table) => left.extend(table.values().map(|inner| (inner, depth + 1))),
            DeValue::Array(array) => left.extend(array.iter().map(|inner| (inner, depth + 1))),
            _ => {}
        }
    }
    None
}

/// Drops a tree level by level: dropping it whole would recurse as deep as it is.
fn take_apart(root: DeTable<'_>) {
    let mut left: Vec<DeValue<'_>> = root.into_iter().map(|(_, value)| value.into_inner()).collect();
    while let Some(value) = left.pop() {
        match value {
            DeValue::Table(table) => left.extend(table.into_iter().map(|(_, inner)| inner.into_inner())),
            DeValue::Array(array) => left.extend(array.into_iter().map(Spanned::into_inner)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(text: &str) -> Vec<(usize, usize)> {
        Document::parse(Path::new("f.toml"), text).1.iter().map(|problem| (problem.line, problem.column)).collect()
    }

    #[test]
    fn every_mistake_of_syntax_is_found() {
        assert_eq!(positions("a = 1\nb = \nc = 3\nd == 4\n").iter().map(|at| at.0).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn endless_nesting_is_a_problem_and_not_a_crash() {
        for text in [
            format!("{}a = 1", "a.".repeat(100_000)),
            format!("[{}a]", "a.".repeat(100_000)),
            format!("a = {}", "[".repeat(100_000)),
            format!("a = {}", "{a=".repeat(100_000)),
            format!("a = {}1{}", "{a.b.c.d.e.f.g=".repeat(70), "}".repeat(70)),
        ] {
            assert!(!positions(&text).is_empty());
        }
        assert_eq!(positions("a = \"x\0y\""), [(1, 7)]);
    }

    #[test]
    fn a_place_leads_to_its_line() {
        let text = "[[steps]]\nid = 'a'\n[[steps]]\nid = 'b'\nhttp.get = 'x'\n";
        let (document, _) = Document::parse(Path::new("f.toml"), text);
        let step = Place::root().key("steps").index(1);
        let at = |place: &Place| {
            let problem = document.problem(place, "");
            (problem.line, problem.column)
        };
        assert_eq!(at(&step), (3, 1));
        assert_eq!(at(&step.key("http").key("get")), (5, 12));
        assert_eq!(at(&step.key("nothing").key("here")), (3, 1));
        assert_eq!(document.problem_at_key(&step.key("id"), "").column, 1);
        assert_eq!(document.find(&(text.find("'b'").unwrap()..text.find("'b'").unwrap() + 3)), step.key("id"));
    }
}
