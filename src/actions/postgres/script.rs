//! A plain dump is a program for `psql`, and is read as one before it is run.
//!
//! What it writes after `\connect trading_bot_prod` goes there, whatever database `psql` was told, and outside the
//! transaction of `-1`: tried, rows were written into the live database, exit code 0. `\!` and `COPY … PROGRAM` run
//! programs, `ALTER DATABASE` changes the live one. So only what pg_dump writes for one database is let through
//! ([`statement`]), wherever in a line it stands; which needs quotes, comments and rows to be told from statements as
//! `psql` tells them. What is not understood is refused. (A function that a dump makes, and that an index or a view of it
//! calls, is not looked into.)

use std::collections::{BTreeMap, BTreeSet};

use memchr::memchr2_iter;

use super::statement::{self, Verdict};

/// As much of a statement as is looked at.
const STATEMENT: usize = 4096;
/// As much of a quoted text as is looked at.
const TEXT: usize = 64;

#[derive(Debug, Default)]
enum At {
    #[default]
    Statement,
    LineComment,
    /// How deep: comments nest.
    Comment(u32),
    /// Within quotes; whether a backslash escapes.
    Text {
        escapes: bool,
    },
    /// After a quote that ends a text, or is the first of two that stand for one.
    Quote {
        escapes: bool,
    },
    Name,
    /// Within dollar quotes: their tag with both signs.
    Dollar(Vec<u8>),
    /// What may be the tag of dollar quotes.
    Tag(Vec<u8>),
    /// After a backslash: a command of psql's own, and its line.
    Command(Vec<u8>, u64),
    /// `\restrict …`, to the end of the line.
    Allowed,
    /// After `COPY … FROM stdin;`, to the end of the line.
    BeforeRows(String),
    Rows(String),
}

/// Read in pieces, of which no more than the beginning of a statement is ever held.
#[derive(Debug, Default)]
pub struct Script {
    at: At,
    /// The statement so far: without comments, quoted texts left out, white space as one space.
    statement: Vec<u8>,
    /// Its first quoted text.
    first_text: Option<Vec<u8>>,
    /// The quoted text, or the last bytes within dollar quotes.
    text: Vec<u8>,
    /// The word being read, outside of quotes.
    word: Vec<u8>,
    /// How deep within `BEGIN ATOMIC … END`, where a semicolon ends no statement.
    depth: u32,
    /// Brackets that are open: a semicolon within them ends no statement (`CREATE RULE … DO (…; …)`).
    brackets: u32,
    /// The two bytes before, the last one first.
    last: [u8; 2],
    /// The first byte of what may be a sign of two (`--`, `/*`, `*/`, a backslash and what it escapes).
    half: u8,
    /// A text with backslashes has just ended: another one goes on in its manner.
    after_escapes: bool,
    /// Of a row that was cut as much as tells whether it is the last.
    row: Vec<u8>,
    /// Rows of the table so far.
    rows: i64,
    /// Lines that have ended.
    line: u64,
    /// The line where the statement began.
    began: u64,
    /// Rows of each table that has its rows as COPY.
    pub tables: BTreeMap<String, i64>,
    /// Tables that it makes.
    pub made: BTreeSet<String>,
    pub has_extensions: bool,
    /// The first thing in it that must not be run, or that shows damage.
    pub problem: Option<String>,
}

impl Script {
    pub fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.problem.is_none() {
            if let At::Rows(_) = self.at {
                bytes = self.in_rows(bytes);
            } else {
                self.byte(bytes[0]);
                bytes = &bytes[1..];
            }
        }
    }

    /// The file ends here.
    pub fn end(&mut self) {
        self.take(b"\n");
        let place = match &self.at {
            At::LineComment | At::Allowed => return,
            At::Statement if self.statement.is_empty() => return,
            At::Statement => "in a statement",
            At::Rows(_) | At::BeforeRows(_) => "among rows",
            _ => "within quotes or a comment",
        };
        self.refuse(format!("it ends {place}, so something is missing in it"));
    }

    fn zeros(&mut self) {
        self.refuse(format!("there are zero bytes in line {}: that part never reached the disk", self.line + 1));
    }

    fn refuse(&mut self, why: String) {
        self.problem.get_or_insert(why);
    }

    /// Nearly all of a dump is rows: nothing is done for one but to find its end. Returns what comes after them.
    fn in_rows<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut begin = 0;
        for end in memchr2_iter(b'\n', 0, bytes) {
            if bytes[end] == 0 {
                self.zeros();
                return &[];
            }
            let row = &bytes[begin..end];
            begin = end + 1;
            self.line += 1;
            let is_last = if self.row.is_empty() {
                is_last(row)
            } else {
                self.keep_of_row(row);
                is_last(&std::mem::take(&mut self.row))
            };
            if is_last {
                self.end_rows();
                return &bytes[begin..];
            }
            self.rows += 1;
        }
        self.keep_of_row(&bytes[begin..]);
        &[]
    }

    fn keep_of_row(&mut self, part: &[u8]) {
        let room = 4_usize.saturating_sub(self.row.len()).min(part.len());
        self.row.extend_from_slice(&part[..room]);
    }

    fn end_rows(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        if let At::Rows(table) = std::mem::take(&mut self.at) {
            *self.tables.entry(table).or_default() += rows;
        }
    }

    fn byte(&mut self, byte: u8) {
        if byte == 0 {
            self.zeros();
        }
        let half = std::mem::take(&mut self.half);
        match std::mem::take(&mut self.at) {
            At::Statement => self.in_statement(byte, half),
            At::Tag(tag) => self.in_tag(byte, tag),
            At::LineComment | At::Allowed if byte == b'\n' => self.space(),
            at @ (At::LineComment | At::Allowed) => self.at = at,
            At::Comment(depth) => self.in_comment(byte, half, depth),
            At::Text { escapes } => self.in_text(byte, half, escapes),
            At::Quote { escapes } if byte == b'\'' => self.at = At::Text { escapes },
            At::Quote { escapes } => {
                self.end_text();
                self.after_escapes = escapes;
                self.in_statement(byte, 0);
            }
            At::Name => {
                self.push(byte);
                if byte != b'"' {
                    self.at = At::Name;
                }
            }
            At::Dollar(tag) => {
                self.text.push(byte);
                if self.text.len() > tag.len() {
                    self.text.remove(0);
                }
                if self.text == tag { self.push(b'\'') } else { self.at = At::Dollar(tag) }
            }
            At::Command(mut word, line) => {
                if byte.is_ascii_whitespace() || word.len() > 20 {
                    self.end_command(&word, line, byte);
                } else {
                    word.push(byte);
                    self.at = At::Command(word, line);
                }
            }
            At::BeforeRows(table) if byte == b'\n' => self.at = At::Rows(table),
            At::BeforeRows(table) => {
                if !byte.is_ascii_whitespace() {
                    self.refuse(format!("line {} goes on after COPY … FROM stdin", self.line + 1));
                }
                self.at = At::BeforeRows(table);
            }
            At::Rows(table) => self.at = At::Rows(table),
        }
        self.last = [byte, self.last[0]];
        if byte == b'\n' {
            self.line += 1;
        }
    }

    fn in_statement(&mut self, byte: u8, half: u8) {
        if is_of_name(byte) {
            self.word.push(byte.to_ascii_uppercase());
            self.word.truncate(TEXT);
        } else {
            self.end_word();
        }
        match (half, byte) {
            (b'-', b'-') => {
                self.statement.pop();
                self.at = At::LineComment;
            }
            (b'/', b'*') => {
                self.statement.pop();
                self.at = At::Comment(1);
            }
            (_, b'\'') => self.begin_text(),
            (_, b'"') => {
                self.push(byte);
                self.at = At::Name;
            }
            (_, b'$') if !is_of_name(self.last[0]) => self.at = At::Tag(vec![b'$']),
            (_, b'\\') => self.at = At::Command(Vec::new(), self.line + 1),
            (_, b';') if self.depth == 0 && self.brackets == 0 => self.end_statement(),
            _ if byte.is_ascii_whitespace() => self.space(),
            _ => {
                if byte != b'-' && byte != b'/' {
                    self.after_escapes = false;
                }
                match byte {
                    b'(' => self.brackets += 1,
                    b')' => self.brackets = self.brackets.saturating_sub(1),
                    _ => {}
                }
                self.half = byte;
                self.push(byte);
            }
        }
    }

    /// A function's body in SQL holds statements of its own: `BEGIN ATOMIC …; …; END`, as psql counts it.
    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        match word.as_slice() {
            b"ATOMIC" if self.depth == 0 && is_routine(&self.statement) => self.depth = 1,
            b"BEGIN" | b"CASE" if self.depth > 0 => self.depth += 1,
            b"END" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn in_tag(&mut self, byte: u8, mut tag: Vec<u8>) {
        if byte == b'$' {
            tag.push(byte);
            self.text.clear();
            self.at = At::Dollar(tag);
        } else if tag.len() < TEXT && is_of_name(byte) && !(tag.len() == 1 && byte.is_ascii_digit()) {
            tag.push(byte);
            self.at = At::Tag(tag);
        } else {
            // `$1`, or a sign by itself.
            tag.into_iter().for_each(|byte| self.push(byte));
            self.in_statement(byte, 0);
        }
    }

    fn in_comment(&mut self, byte: u8, half: u8, depth: u32) {
        match (half, byte) {
            (b'*', b'/') if depth == 1 => self.space(),
            (b'*', b'/') => self.at = At::Comment(depth - 1),
            (b'/', b'*') => self.at = At::Comment(depth + 1),
            _ => {
                self.half = byte;
                self.at = At::Comment(depth);
            }
        }
    }

    /// `E'…'` escapes by backslash; a name that ends with e does not make one.
    fn begin_text(&mut self) {
        let [last, before] = self.last;
        let escapes = last.eq_ignore_ascii_case(&b'e') && !is_of_name(before);
        if self.after_escapes {
            self.refuse(format!("line {} goes on with a text of the line before", self.line + 1));
        }
        self.text.clear();
        self.push(b'\'');
        self.at = At::Text { escapes };
    }

    fn in_text(&mut self, byte: u8, half: u8, escapes: bool) {
        if escapes && half == b'\\' {
            self.at = At::Text { escapes };
        } else if byte == b'\'' {
            self.at = At::Quote { escapes };
        } else {
            if escapes && byte == b'\\' {
                self.half = byte;
            }
            if self.text.len() < TEXT {
                self.text.push(byte);
            }
            self.at = At::Text { escapes };
        }
    }

    fn end_text(&mut self) {
        self.push(b'\'');
        let text = std::mem::take(&mut self.text);
        self.first_text.get_or_insert(text);
    }

    fn push(&mut self, byte: u8) {
        if self.statement.is_empty() {
            self.began = self.line + 1;
        }
        if self.statement.len() < STATEMENT {
            self.statement.push(byte);
        }
    }

    fn space(&mut self) {
        if self.statement.last().is_some_and(|last| *last != b' ') {
            self.push(b' ');
        }
    }

    /// pg_dump writes but two commands of psql's own, each on a line by itself.
    fn end_command(&mut self, word: &[u8], line: u64, byte: u8) {
        let word = String::from_utf8_lossy(word).into_owned();
        if matches!(word.as_str(), "restrict" | "unrestrict") && self.statement.is_empty() {
            if byte != b'\n' {
                self.at = At::Allowed;
            }
            return;
        }
        self.refuse(format!(
            "line {line} has the command \\{word}, which leads out of the database that it is restored into: it could \
             write into the live one, or run programs. Make the dump without -C (and not with pg_dumpall)"
        ));
    }

    fn end_statement(&mut self) {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.statement)).trim().to_owned();
        let first_text = String::from_utf8_lossy(&self.first_text.take().unwrap_or_default()).into_owned();
        self.after_escapes = false;
        match statement::judge(&text, &first_text) {
            Verdict::Harmless => {}
            Verdict::Rows(table) => {
                self.tables.entry(table.clone()).or_default();
                self.at = At::BeforeRows(table);
            }
            Verdict::Makes(table) => drop(self.made.insert(table)),
            Verdict::Extension => self.has_extensions = true,
            Verdict::Unreadable(why) => self.refuse(format!("line {}: {why}", self.began)),
            Verdict::Foreign => {
                let shown: String = text.chars().take(60).collect();
                self.refuse(format!(
                    "line {} has a statement that is in no dump of one database: {shown}. It could reach beyond the \
                     database that it is restored into. Make the dump with pg_dump, without -C",
                    self.began
                ));
            }
        }
    }
}

fn is_last(row: &[u8]) -> bool {
    row == b"\\." || row == b"\\.\r"
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_routine(statement: &[u8]) -> bool {
    let upper = String::from_utf8_lossy(&statement[..statement.len().min(64)]).to_ascii_uppercase();
    let mut words = upper.split(' ');
    words.next() == Some("CREATE") && words.take(3).any(|word| matches!(word, "FUNCTION" | "PROCEDURE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, piece: usize) -> Script {
        let mut script = Script::default();
        text.as_bytes().chunks(piece).for_each(|part| script.take(part));
        script.end();
        script
    }

    #[test]
    fn rows_and_tables_are_seen_wherever_the_file_is_cut() {
        let text = "--\n-- PostgreSQL database dump\n--\n\\restrict abc\nSET standard_conforming_strings = on;\n\
                    SELECT pg_catalog.set_config('search_path', '', false);\n\
                    CREATE FUNCTION public.f() RETURNS trigger AS $_$\n\\connect prod\nCOPY x FROM stdin;\nDO $$x$$;\n$_$;\n\
                    CREATE TABLE public.t (\n    a text DEFAULT 'it''s; \\! not' -- \\c x\n);\n\
                    COPY public.t (a, \"b c\") FROM stdin;\n1\t\\N\n\\\\connect\t2\n\\.\n\
                    CREATE FUNCTION public.g() RETURNS integer BEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END;\n SELECT 2;\nEND;\n\
                    CREATE RULE r AS ON INSERT TO public.t DO (DELETE FROM public.u; UPDATE public.u SET a = '(');\n\
                    CREATE UNLOGGED TABLE public.\"odd (name\" (a text DEFAULT E'\\'; \\\\! x' /* \\! /* y */ ; */);\n\
                    SELECT pg_catalog.setval('public.s', 1, true);\n\\unrestrict abc\n";
        for piece in [1, 7, 4096] {
            let script = read(text, piece);
            assert_eq!(script.problem, None, "in pieces of {piece}");
            assert_eq!(script.tables, BTreeMap::from([("public.t".to_owned(), 2)]));
            let made: Vec<_> = script.made.iter().map(String::as_str).collect();
            assert_eq!(made, ["public.odd (name", "public.t"]);
        }
    }

    #[test]
    fn what_leads_out_of_the_database_is_seen_wherever_it_hides() {
        let hidden = [
            ("\\connect prod\n", "\\connect", 1),
            ("\\! rm -rf /\n", "\\!", 1),
            ("\\!rm\n", "\\!rm", 1),
            ("SET a = 1;\nSET b = 2; \\! rm\n", "\\!", 2),
            ("SET a = 1\n  \\g | rm\n", "\\g", 2),
            ("CREATE TABLE a.b (c text DEFAULT '\\');\n\\i /etc/x\n", "\\i", 2),
            ("CREATE FUNCTION f() AS $$\nCOPY x FROM stdin;\n$$;\n\\copy t from program 'x'\n", "\\copy", 4),
            ("COPY t FROM PROGRAM 'rm';\n", "COPY t FROM PROGRAM", 1),
            ("/* x */ copy\n t to\n'/tmp/x';\n", "copy t to", 1),
            ("ALTER SYSTEM SET a = b;\n", "ALTER SYSTEM", 1),
            ("DROP DATABASE prod;\n", "DROP DATABASE", 1),
            ("alter /**/ database prod SET a = b;\n", "alter database", 1),
            ("CREATE ROLE x SUPERUSER;\n", "CREATE ROLE", 1),
            ("GRANT ALL ON DATABASE prod TO x;\n", "GRANT ALL", 1),
            ("GRANT admin TO x;\n", "GRANT admin", 1),
            ("DO $$ BEGIN END $$;\n", "DO", 1),
            ("SELECT dblink_exec('dbname=prod', 'DROP TABLE t');\n", "SELECT dblink_exec", 1),
            ("SELECT pg_reload_conf();\n", "SELECT pg_reload_conf", 1),
        ];
        for (text, says, line) in hidden {
            for piece in [1, 4096] {
                let problem = read(text, piece).problem.unwrap_or_default();
                assert!(problem.contains(says) && problem.contains(&format!("line {line} ")), "{text}: {problem}");
            }
        }
        for text in [
            "SET standard_conforming_strings = off;\n",
            "SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);\n",
            "SET client_encoding = 'SJIS';\n",
            "SET x = E'a'\n'\\'; \\! x';\n",
            "SELECT pg_catalog.set_config('search_' || 'path', '', false);\n",
            "SELECT pg_catalog.setval('s', dblink_exec('x'));\n",
            "COPY t FROM stdin; \\! x\n\\.\n",
            "COPY t FROM stdin;\n1\n",
            "CREATE TABLE t (a text DEFAULT 'x\n",
            "CREATE TABLE t (a text)\n",
            "SET a = 1;\0\n",
            "COPY t FROM stdin;\n1\0\n\\.\n",
        ] {
            assert!(read(text, 3).problem.is_some(), "{text:?}");
        }
    }
}
