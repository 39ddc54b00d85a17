//! Whatever lies in the folder: reading it ends without a panic, with problems that name a place inside a file, one for
//! each mistake. `PROPTEST_CASES` sets how hard it is tried.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{clock::Clock, runbook::hostile::few};

const SOON: Duration = Duration::from_secs(20);

fn shipped(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Loads a folder of these files; what it says of them is checked by every test here.
fn load(files: &BTreeMap<&str, Vec<u8>>) -> Result<Result<Configuration, Vec<Problem>>, TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(COMMANDS_FOLDER)).unwrap();
    for (path, bytes) in files {
        std::fs::write(folder.path().join(path), bytes).unwrap();
    }
    let begin = Clock::system().monotonic();
    let loaded = Configuration::load_with(folder.path(), |_| None);
    prop_assert!(begin.elapsed() < SOON, "it took {:?}", begin.elapsed());
    let said = match &loaded {
        Ok(configuration) => &configuration.warnings,
        Err(problems) => {
            prop_assert!(!problems.is_empty());
            problems
        }
    };
    for problem in said {
        is_placed(problem, files)?;
    }
    Ok(loaded)
}

fn is_placed(problem: &Problem, files: &BTreeMap<&str, Vec<u8>>) -> Result<(), TestCaseError> {
    let shown = problem.to_string();
    prop_assert!(!problem.message.is_empty() && shown.lines().count() <= 2, "{shown:?}");
    prop_assert!(!shown.contains(|letter: char| letter.is_control() && letter != '\n'), "{shown:?}");
    prop_assert!(
        shown.chars().count() <= 4096,
        "{} bytes: {}…",
        shown.len(),
        shown.chars().take(200).collect::<String>()
    );
    let path = problem.file.to_str().unwrap_or_default();
    let Some(bytes) = files.get(path) else {
        prop_assert!(path == COMMANDS_FOLDER, "{shown}");
        return Ok(());
    };
    if problem.line == 0 {
        prop_assert_eq!(problem.column, 0);
        return Ok(());
    }
    let text = String::from_utf8_lossy(bytes);
    let line = text.split('\n').nth(problem.line - 1);
    prop_assert!(line.is_some(), "{shown}: there is no such line");
    let length = line.unwrap_or_default().chars().count();
    prop_assert!((1..=length + 1).contains(&problem.column), "{shown}: the line has {length} characters");
    Ok(())
}

#[derive(Debug, Clone)]
enum Edit {
    Remove(usize, usize),
    Repeat(usize, usize),
    Insert(usize, Vec<u8>),
    Swap(usize, usize, usize),
    Cut(usize),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let range = |at: usize, long: usize| at.min(length)..at.saturating_add(long).min(length);
        match self {
            Self::Remove(at, long) => drop(bytes.drain(range(at % (length + 1), *long))),
            Self::Repeat(at, long) => {
                let part = bytes[range(at % (length + 1), *long)].to_vec();
                let at = at % (length + 1);
                bytes.splice(at..at, part);
            }
            Self::Insert(at, what) => {
                let at = at % (length + 1);
                bytes.splice(at..at, what.iter().copied());
            }
            Self::Swap(from, to, long) => {
                let part: Vec<u8> = bytes.drain(range(from % (length + 1), *long)).collect();
                let at = to % (bytes.len() + 1);
                bytes.splice(at..at, part);
            }
            Self::Cut(at) => bytes.truncate(at % (length + 1)),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let nasty = select(vec![
        "\"",
        "'",
        "\"\"\"",
        "[",
        "]",
        "[[",
        "[[steps]]\n",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\n",
        "\r",
        "\r\n",
        "#",
        "\0",
        "\u{1b}[2J",
        "\u{feff}",
        "{{",
        "}}",
        "{%",
        "${",
        "${X}",
        "${X:-",
        "$${",
        "steps",
        "id = 'a'\n",
        "call = \"restore-db\"\n",
        "undo.",
        "parallel = [",
        "= 1e999",
        "= 99999999999999999999",
        "= 1979-05-27T07:32:00Z",
        "= nan",
        "= -1",
        "'\u{202e}'",
        "\"\\uD800\"",
        "\"\\u0007\"",
        "[a.b.c]\n",
        "wait.until.wait.until.",
        "\u{1f600}",
        "name = 'x'\n",
        "\"\\u001b[2J\" = 1\n",
    ]);
    let insert = prop_oneof![
        6 => nasty.prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..6),
        1 => any::<String>().prop_map(String::into_bytes),
    ];
    prop_oneof![
        1 => (any::<usize>(), 1..200_usize).prop_map(|(at, long)| Edit::Remove(at, long)),
        1 => (any::<usize>(), 1..400_usize).prop_map(|(at, long)| Edit::Repeat(at, long)),
        3 => (any::<usize>(), insert).prop_map(|(at, what)| Edit::Insert(at, what)),
        1 => (any::<usize>(), any::<usize>(), 1..100_usize).prop_map(|(from, to, long)| Edit::Swap(from, to, long)),
        1 => any::<usize>().prop_map(Edit::Cut),
    ]
}

/// Mistakes that a step can have, and what is said of each.
const MISTAKES: [(&str, &str); 10] = [
    ("colour = 'red'", "unknown key `colour`"),
    ("timeout = '5 parsecs'", "is not a length of time"),
    ("effect = 'magic'", "unknown value `magic`"),
    ("on_failure = 7", "expected"),
    ("retry = { attempts = 'x' }", "expected a whole number"),
    ("when = 'steps.nowhere.ok'", "there is no `nowhere`"),
    ("expect = 'status =='", "does not parse"),
    ("outputs = { nothing = 'integer' }", "has no result `nothing`"),
    ("point_of_no_return = 'yes'", "expected true or false"),
    ("says = 'nothing'", "there is no `nothing`"),
];

proptest! {
    #![proptest_config(few())]

    #[test]
    fn any_change_of_a_valid_file_is_read_or_reported(
        which in select(vec!["drbot.toml", "commands/halt.toml", "commands/status.toml", "commands/restore-db.toml"]),
        edits in vec(edit(), 1..8),
    ) {
        let mut files = BTreeMap::from([("drbot.toml", shipped("drbot.toml").into_bytes())]);
        // The others are there too, so that what refers to them is looked at.
        files.insert("commands/halt.toml", shipped("commands/halt.toml").into_bytes());
        let mut bytes = shipped(which).into_bytes();
        edits.iter().for_each(|edit| edit.apply(&mut bytes));
        files.insert(which, bytes);
        load(&files)?.ok();
    }

    #[test]
    fn any_bytes_are_read_or_reported(bytes in vec(any::<u8>(), 0..300), text in any::<String>()) {
        for file in [bytes, text.into_bytes()] {
            let files = BTreeMap::from([("drbot.toml", file.clone()), ("commands/x.toml", file)]);
            prop_assert!(load(&files)?.is_err());
        }
    }

    #[test]
    fn each_mistake_is_one_problem_on_its_line(chosen in vec(select((0..MISTAKES.len()).collect::<Vec<_>>()), 1..12)) {
        let mut text = "summary = 'x'\nrisk = 'risky'\nroles = ['operator']\n".to_owned();
        let mut wanted = Vec::new();
        for (index, mistake) in chosen.iter().enumerate() {
            let (line, said) = MISTAKES[*mistake];
            let timeout = if line.starts_with("timeout") { "" } else { "timeout = '5s'\n" };
            let _ = writeln!(text, "[[steps]]\nid = 's{index}'\nname = 'S'\nhttp.get = 'http://x'\n{timeout}{line}");
            wanted.push((text.lines().count(), said));
        }
        let files = BTreeMap::from([
            ("drbot.toml", shipped("drbot.toml").into_bytes()), ("commands/x.toml", text.clone().into_bytes()),
        ]);
        let problems = load(&files)?.err().unwrap_or_default();
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        let expected: Vec<usize> = wanted.iter().map(|(line, _)| *line).collect();
        prop_assert_eq!(lines, expected, "{:#?}\n{}", problems, text);
        for (problem, (_, said)) in problems.iter().zip(wanted) {
            prop_assert!(problem.message.contains(said), "{problem}");
        }
    }
}
